"""The judge of the merge cases: what crmbridge promises, from what people did and what was written.

It keeps what each side stands for, what each stood for when it was last heard, and what was last decided. It knows
nothing of bases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crmbridge.engine.merge import Merged, Side
from crmbridge.model.values import Value
from crmbridge.settings import FieldSync

_NOTHING = object()


@dataclass(slots=True)
class Oracle:
    """Follows one field of one link. `plain` gives what values that say the same have in common."""

    how: FieldSync
    sets: bool
    plain: Callable[[Value], Any]
    truth: dict[str, Any] = field(default_factory=dict)  # what each side stands for
    shown: dict[str, Any] = field(default_factory=dict)  # what its CRM held when we last saw it, or wrote to it
    heard: dict[str, Any] = field(default_factory=dict)  # what it stood for when it was last heard
    minute: dict[str, int] = field(default_factory=dict)
    goal: Any = _NOTHING
    said: set[Any] = field(default_factory=set)  # what people ever wrote; members, of sets

    def see(self, name: str, value: Value, minute: int) -> None:
        """See a side. What differs from what was there before, a person wrote."""
        seen = self.plain(value)
        if self.shown.get(name, _NOTHING) != seen:
            self.shown[name] = self.truth[name] = seen
            self.said.update((seen or ()) if self.sets else [seen])
        self.minute[name] = minute

    def decide(self, after: Value, written: Iterable[str]) -> None:
        """Note what was decided on. Who holds it is heard, and who gets it, whatever becomes of the writes.

        A CRM that keeps a form of the value before stands for no more than that form from now on.
        """
        self.goal = self.plain(after)
        given = set(written)
        self.truth.update({name: self.shown[name] for name in given})
        self.heard.update({n: held for n, held in self.truth.items() if n in given or held == self.goal})

    def write(self, name: str, after: Value, kept: Value) -> None:
        """Note what was written to a side."""
        self.truth[name] = self.heard[name] = self.plain(after)
        self.shown[name] = self.plain(kept)

    def judge(self, merged: Merged, sides: Sequence[Side]) -> None:
        """Hold what the merge says against the promises; raises AssertionError naming the one that is broken."""
        here = [side.ref.connection for side in sides]
        edits = {ref.connection: self.plain(edit.after) for ref, (edit,) in merged.edits.items()}
        self._judge_values(edits)
        if len(here) < 2:
            assert not edits, "P4: it writes with nobody to hear"
            return
        if len({self.truth[name] for name in here}) == 1:
            assert not edits, "P4: all hold the same, and it writes"
            assert not merged.blocked, "P1: all hold the same, and it asks"
            self._all_agree(self.truth[here[0]])
            return
        speaking = [name for name in here if self._speaks(name)]
        asked = [dict(item.values) for item in merged.blocked]
        if self.how.source is not None:
            self._judge_one_way(here, speaking, edits, asked)
        elif self.how.conflict == "only_if_empty":
            self._judge_filling(here, speaking, edits, asked)
        elif self.sets:
            self._judge_sets(here, speaking, edits, asked)
        else:
            self._judge_both_ways(here, speaking, edits, asked)

    def _all_agree(self, value: Any) -> None:
        self.goal = value
        self.heard = dict(self.truth)

    def _speaks(self, name: str) -> bool:
        """Tell whether a side says something that was not heard; a newcomer does where it knows another value."""
        if name in self.heard:
            return bool(self.truth[name] != self.heard[name])
        return self.truth[name] is not None and self.truth[name] != self.goal

    def _judge_values(self, edits: dict[str, Any]) -> None:
        for name, after in edits.items():
            said = set(after or ()) <= self.said if self.sets else after in self.said
            assert said, f"P4: {after!r} is written to {name}, and nobody ever wrote it"
            assert self.truth[name] != after, f"P4: {name} is given what it holds"

    def _judge_both_ways(self, here: list[str], speaking: list[str], edits: dict[str, Any], asked: list[Any]) -> None:
        if speaking and not any(name in self.heard for name in speaking):
            speaking = [n for n in here if n in speaking or (self.goal is not None and self.truth[n] == self.goal)]
        values = {self.truth[name] for name in speaking}
        if not values:
            self._expect(self.goal, here, edits, asked)
        elif len(values) == 1:
            self._expect(values.pop(), here, edits, asked)
        elif self.how.conflict == "newest":
            self._expect(self.truth[max(speaking, key=lambda name: self.minute[name])], here, edits, asked)
        elif self.how.preferred in speaking:
            self._expect(self.truth[self.how.preferred or ""], here, edits, asked)
        else:
            assert not edits, "P1: two said different things, and it writes over one of them"
            assert len(asked) == 1, "P1: two said different things, and nobody is asked"
            shown = {name: self.plain(value) for name, value in asked[0].items()}
            assert shown == {name: self.truth[name] for name in here}, "P1: a person is not shown what was said"

    def _expect(self, value: Any, here: list[str], edits: dict[str, Any], asked: list[Any]) -> None:
        """All sides shall hold a value: those that don't are written."""
        wanted = {} if value is _NOTHING else {name: value for name in here if self.truth[name] != value}
        assert not asked, f"P1: a person is asked, and {value!r} is what was said"
        assert edits == wanted, f"P1: {edits} is written instead of {wanted}"

    def _judge_one_way(self, here: list[str], speaking: list[str], edits: dict[str, Any], asked: list[Any]) -> None:
        source = self.how.source or ""
        assert not asked, "P1: one speaks alone, and a person is asked"
        assert source not in edits, "P1: the side that speaks alone is written over"
        if source in speaking:
            self._expect(self.truth[source], here, edits, asked)
        elif source not in here:
            assert not edits, "P4: who speaks alone is not there"
        else:
            assert set(edits.values()) <= {self.goal}, "P4: something else is written than what was decided on"
            assert not set(edits) & set(speaking), "P1: what others change is theirs until the speaker speaks"
            missed = {n for n in here if n in self.heard and n not in speaking and self.truth[n] != self.goal}
            if self.truth[source] == self.goal:
                assert set(edits) == missed, "P1: what did not arrive is not written again"

    def _judge_filling(self, here: list[str], speaking: list[str], edits: dict[str, Any], asked: list[Any]) -> None:
        assert not asked, "P1: filling asks nobody"
        assert all(self.truth[name] is None for name in edits), "P1: a value is written over"
        told = [self.truth[name] for name in speaking if self.truth[name] is not None]
        if told:
            empty = {name for name in here if self.truth[name] is None}
            assert set(edits) == empty, "P1: an empty side is not filled"
            assert set(edits.values()) <= set(told), "P4: it is filled with what nobody said"
            if not empty:
                self.heard.update({name: self.truth[name] for name in speaking})
        else:
            assert set(edits.values()) <= {self.goal}, "P4: it is filled with what was not decided on"

    def _judge_sets(self, here: list[str], speaking: list[str], edits: dict[str, Any], asked: list[Any]) -> None:
        assert not asked, "P1: members of sets are merged, and a person is asked"
        if not speaking:
            self._expect(self.goal, here, edits, asked)
            return
        added: set[str] = set()
        removed: set[str] = set()
        for name in speaking:
            now, before = set(self.truth[name] or ()), set(self.heard.get(name) or ())
            added |= now - before
            removed |= before - now
        for name in here:
            after = set(edits.get(name, self.truth[name]) or ())
            assert after >= added, f"P1: {name} lacks what was added"
            assert not after & (removed - added), f"P1: {name} has what was removed"
        ends = {edits.get(name, self.truth[name]) for name in here}
        assert len(ends) == 1, f"P1: sides differ after sets were merged: {ends}"
