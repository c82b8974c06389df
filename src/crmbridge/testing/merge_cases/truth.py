"""What was promised of one field: told by what people did, not by what the merge remembers.

For each side it is known what its value stands for, and for what it stood when the link was last at rest there. What
differs is what a person says. From that follows, by the policy, what is to be written where, or that a person is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from crmbridge.engine.sync.sameness import altered, same
from crmbridge.model.values import Value, is_empty
from crmbridge.settings import FieldSync


class Unknown(Enum):
    """What stands in the place of a value where there is none."""

    NEW = "nothing was agreed yet"
    APART = "the sides differ, and may"
    NO_FORM = "it is held as it is"


Known = Value | Unknown


class Standing(Struct, kw_only=True):
    """One side: what its CRM holds and what that stands for, since its edit or our write, and what is settled there."""

    connection: str
    holds: Value
    stands: Value
    rest: Known = Unknown.NEW
    at: int = 0  # when it was last touched
    sent: Value = None  # what was written and is not seen since
    form: Known = Unknown.NO_FORM  # what the CRM made of what it stands for

    def typed(self, value: Value, at: int) -> None:
        """Let a person have typed something of which the CRM keeps this value."""
        if same(value, self.holds):
            return
        self.holds, self.at = value, at
        unseen = self.sent is not None and _is(self.sent, self.rest)  # nothing else was settled meanwhile
        if unseen and altered(self.sent, value) and not same(self.sent, value):
            self.stands = self.sent  # nobody can tell it from what the CRM may have made of it
        elif self._is_form_again(value):
            self.stands = self.form_of
        else:
            self.stands = value

    @property
    def form_of(self) -> Value:
        """What the form stands for."""
        return None if isinstance(self.rest, Unknown) else self.rest

    def _is_form_again(self, value: Value) -> bool:
        return not isinstance(self.form, Unknown) and same(value, self.form) and altered(self.form_of, value)

    def looked_at(self) -> None:
        """Let a new version of it have been read."""
        if not is_empty(self.sent) and same(self.stands, self.sent) and not same(self.holds, self.sent):
            self.form = self.holds
        elif not self._is_form_again(self.holds):
            self.form = Unknown.NO_FORM
        self.sent = None

    def written(self, value: Value, kept: Value, at: int) -> None:
        """Let the link have written a value of which the CRM keeps this."""
        self.holds, self.at = kept, at
        self.stands = self.rest = self.sent = value

    def speaks(self, owed: Known) -> bool:
        """Tell whether somebody said something here that is not settled."""
        if self.rest is Unknown.NEW:
            return not is_empty(self.stands) and not _is(self.stands, owed)
        return not _is(self.stands, self.rest)


class Wanted(NamedTuple):
    """What follows from the promises: what is written where, whether a person is asked."""

    writes: Mapping[str, Value]
    asks: bool = False


_NOTHING = Wanted({})


def wanted(sides: Sequence[Standing], owed: Known, policy: FieldSync) -> Wanted:
    """Say what has to be written where. `owed` is what all should hold."""
    if len(sides) < 2 or not policy.sync or alike(sides) is not None:
        return _NOTHING
    voices = [side for side in sides if side.speaks(owed)]
    if policy.source is not None:
        return _one_way(sides, voices, owed, policy.source)
    if policy.conflict == "only_if_empty":
        return _filled(sides, voices, owed)
    return _in_step(sides, voices, owed, policy)


def alike(sides: Sequence[Standing]) -> Standing | None:
    """Give a side for all of them where all hold the same or stand for the same."""
    first = sides[0]
    if all(same(side.stands, first.stands) for side in sides):
        return first
    if all(same(side.holds, first.holds) for side in sides):
        return Standing(connection=first.connection, holds=first.holds, stands=first.holds)
    return None


def _one_way(sides: Sequence[Standing], voices: Sequence[Standing], owed: Known, source: str) -> Wanted:
    speaker = [side for side in sides if side.connection == source]
    if not speaker:
        return _NOTHING
    if speaker[0] in voices:
        return _to(sides, speaker[0].stands)
    value = speaker[0].stands
    joining = [side for side in sides if side.rest is Unknown.NEW and not is_empty(value)]
    quiet = [side for side in sides if side.rest is not Unknown.NEW and side not in voices]
    return _to((*joining, *(quiet if _is(value, owed) else ())), value)


def _filled(sides: Sequence[Standing], voices: Sequence[Standing], owed: Known) -> Wanted:
    empty = [side for side in sides if is_empty(side.stands)]
    full = [side for side in sides if not is_empty(side.stands)]
    for side in full:
        if side in voices:
            return _to(empty, side.stands)
    there = [side.stands for side in full if _is(side.stands, owed)] or [side.stands for side in full]
    was_owed = not isinstance(owed, Unknown) and not is_empty(owed)
    return _to((s for s in empty if s.rest is Unknown.NEW or (_is(None, s.rest) and was_owed)), there[0])


def _in_step(sides: Sequence[Standing], voices: list[Standing], owed: Known, policy: FieldSync) -> Wanted:
    if not voices:
        return _again(sides, owed)
    if all(side.rest is Unknown.NEW for side in voices):  # they joined: what was agreed on stands beside them
        if owed is Unknown.APART:
            voices = [side for side in sides if not is_empty(side.stands)]
        elif not isinstance(owed, Unknown) and not is_empty(owed):
            voices = [side for side in sides if side in voices or same(side.stands, owed)]
    if all(is_empty(side.stands) or isinstance(side.stands, tuple) for side in sides):
        return _to(sides, _members(sides, voices, owed))
    if all(same(side.stands, voices[0].stands) for side in voices):
        return _to(sides, voices[0].stands)
    if policy.conflict == "newest":
        latest = max(side.at for side in voices)
        return _to(sides, next(side.stands for side in voices if side.at == latest))
    for side in voices:
        if side.connection == policy.preferred:
            return _to(sides, side.stands)
    return Wanted({}, asks=True)


def _again(sides: Sequence[Standing], owed: Known) -> Wanted:
    """Nobody says anything: what is owed goes out again, or to who joins with nothing what all others have."""
    if not isinstance(owed, Unknown):
        return _to(sides, owed)
    joining = [side for side in sides if side.rest is Unknown.NEW]
    others = [side.stands for side in sides if side.rest is not Unknown.NEW]
    return _to(joining, others[0]) if others and all(same(value, others[0]) for value in others) else _NOTHING


def _members(sides: Sequence[Standing], voices: Sequence[Standing], owed: Known) -> Value:
    """Judge member by member: in, if anybody added it; out, if anybody removed it; else as it was."""
    before = [side.rest for side in sides] if isinstance(owed, Unknown) else [owed]
    everybody = {member for value in (*before, *(side.stands for side in voices)) for member in _of(value)}
    inside = set()
    for member in everybody:
        added = any(member in _of(side.stands) and member not in _of(side.rest) for side in voices)
        removed = any(member in _of(side.rest) and member not in _of(side.stands) for side in voices)
        if added or (not removed and any(member in _of(value) for value in before)):
            inside.add(member)
    return tuple(sorted(inside)) or None


def _of(value: Known) -> Sequence[str]:
    return value if isinstance(value, tuple) else ()


def _is(value: Value, known: Known) -> bool:
    return not isinstance(known, Unknown) and same(value, known)


def _to(sides: Iterable[Standing], value: Value) -> Wanted:
    """Write a value to these, but not where it is."""
    differing = (side for side in sides if not same(side.stands, value) and not same(side.holds, value))
    return Wanted({side.connection: value for side in differing})
