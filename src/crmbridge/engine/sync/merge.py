"""The three-way merge: per link and field, what each side has now against what was last seen or written there.

A side that has something else than its base has changed. If one side changed, or all that did hold the same, the others
get it. Where they differ, the members of sets are merged one by one, an addition beating a removal; of other values the
field's policy decides:

- `newest`: the deal that was edited last wins
- `prefer: X`: the side of X wins if it changed; if not, a person is asked
- `ask`: a person is asked
- `only_if_empty`: what is empty is filled from a side that changed, or for a side that joins from what there is. No
  value is ever written over. A field that a person emptied stays empty until another side changes or joins. Values
  that differ stay so, and are no conflict
- `direction: from: X`: only the side of X speaks, sets as a whole; a side that joins gets what X has. What others
  change is theirs, until X changes the next time

Where a side was gone, or the settings left it or its field out, and the others agreed on something meanwhile, that
stands beside what was edited there.

Values are compared by what they say (`same`); where a CRM keeps a form of what it was given, by what that stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from crmbridge.engine.sync.forms import has_missed, missed, was_outdone
from crmbridge.engine.sync.sameness import same
from crmbridge.model.changes import Blocked, Cause, Edited, FieldEdit
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value, is_empty
from crmbridge.settings import FieldSync

Policy = Callable[[str], FieldSync]
ONLY_IF_EMPTY = "only_if_empty"
# In a link's own base: the sides differ, and may; there is nothing that all should hold.
APART: Value = ("@apart",)
GIVEN: Value = ("@given",)  # nor did anybody enter what some of them hold: their CRM gave it when they were made
_NOTHING = object()


class Side(Struct, frozen=True, kw_only=True):
    """One linked deal: what it has now, and its base. A field that is missing from `now` does not exist there.

    `held` has the values as the CRM holds them, where `now` has what they stand for.
    """

    ref: Ref
    now: Mapping[str, Value]
    base: Mapping[str, Value]
    updated_at: datetime
    updated_by: str | None = None  # for people
    held: Mapping[str, Value] = field(default_factory=dict)


class Merged(Struct, frozen=True, kw_only=True):
    """What merging one link says: edits per side, why, what needs a person, and what all sides agree on.

    In `agreed`, the value that the whole link agrees on stands under `decided_ref`, beside those of the sides.
    `outdone` has, per side, what it holds in fields in which it said something and another side won.
    """

    edits: Mapping[Ref, tuple[FieldEdit, ...]]
    reasons: Mapping[Ref, tuple[str, ...]]
    blocked: tuple[Blocked, ...]
    agreed: Mapping[Ref, Mapping[str, Value]]
    outdone: Mapping[Ref, Mapping[str, Value]]


class _Draft(Struct):
    link: str
    decided: Mapping[str, Value]
    edits: dict[Ref, list[FieldEdit]] = field(default_factory=dict)
    reasons: dict[Ref, list[str]] = field(default_factory=dict)
    blocked: list[Blocked] = field(default_factory=list)
    agreed: dict[Ref, dict[str, Value]] = field(default_factory=dict)
    outdone: dict[Ref, dict[str, Value]] = field(default_factory=dict)


def decided_ref(link: str) -> Ref:
    """Name what a link's own base is kept under: per field the value that all its records should hold.

    It is set when all sides agree, and before a decision is first written anywhere. With it, a write that did not
    arrive is known to be missing, and a person who takes an edit back meanwhile is seen to do so.
    """
    return Ref("", Kind.DEAL, link)


def may_differ(decided: Value) -> bool:
    """Tell whether a link's own base says that its records may differ in a field."""
    return decided in (APART, GIVEN)


def merge(
    link: str,
    sides: Sequence[Side],
    policy: Policy,
    decided: Mapping[str, Value] | None = None,
    absent: Mapping[Ref, Mapping[str, Value]] | None = None,
) -> Merged:
    """Merge all fields that at least two sides have. The order of `sides` breaks ties.

    One that is left alone gets what was decided on before, where that did not arrive.

    `decided` is the base of the link itself, which `decided_ref` names; `absent` has the bases of deals of the link
    that are gone or not kept in step now, and may be again later.
    """
    draft = _Draft(link, {} if decided is None else decided)
    for name in sorted(set[str]().union(*[side.now for side in sides])):
        if _is_quiet(name, sides, draft.decided):
            continue
        holders = [side for side in sides if name in side.now]
        if len(holders) > 1 and (how := policy(name)).sync:
            _merge_field(name, holders, how, draft)
            if absent or len(holders) < len(sides):
                without = {side.ref: side.base for side in sides if name not in side.now and name in side.base}
                _miss(name, {**(absent or {}), **without}, draft)
    if len(sides) == 1:
        for name, value in owed(sides[0], policy, draft.decided).items():
            _spread(name, value, sides, draft, why=_AGAIN)
    return Merged(
        edits={ref: tuple(edits) for ref, edits in draft.edits.items()},
        reasons={ref: tuple(reasons) for ref, reasons in draft.reasons.items()},
        blocked=tuple(draft.blocked),
        agreed=draft.agreed,
        outdone=draft.outdone,
    )


def owed(side: Side, policy: Policy, decided: Mapping[str, Value]) -> dict[str, Value]:
    """Give what was decided on and did not get to a deal, where nobody edited it there and no other deal is left."""
    names = [name for name in side.now if name in decided and policy(name).sync]
    return {name: decided[name] for name in names if _is_owed(name, [side], policy(name), decided)}


def _is_quiet(name: str, sides: Sequence[Side], decided: Mapping[str, Value]) -> bool:
    """Tell whether all that have a field hold what was decided on, and are known to: nearly all fields come to this."""
    value = decided.get(name, _NOTHING)
    for side in sides:  # a loop, as making generators would cost more than all that is compared here
        if name not in side.now:
            continue
        if side.now[name] != value:
            return False
        if side.base is not decided and side.base.get(name, _NOTHING) != value:  # those alike are one object, mostly
            return False
    return True


def _merge_field(name: str, sides: Sequence[Side], policy: FieldSync, draft: _Draft) -> None:
    first, *others = sides
    alike = all(same(side.now[name], first.now[name]) for side in others)
    if alike and not _is_owed(name, sides, policy, draft.decided):
        _agree(name, first.now[name], sides, draft)
    elif any(_held(side, name) is not side.now[name] for side in sides) and all(
        same(_held(side, name), _held(first, name)) for side in others
    ):
        _agree(name, _held(first, name), sides, draft)  # somebody changed a value to the form that a CRM made of it
    elif policy.source is not None:
        _follow(name, policy.source, sides, draft)
    elif policy.conflict == ONLY_IF_EMPTY:
        _fill(name, sides, draft)
    else:
        _settle(name, sides, policy, draft)


def _is_owed(name: str, sides: Sequence[Side], policy: FieldSync, agreed: Mapping[str, Value]) -> bool:
    """Tell whether all that are left are as they were when something else was decided on, which got to none of them.

    That is so where the deal that it came from is gone. Who speaks alone, or only fills, has no decisions to repeat.
    """
    decided = agreed.get(name, APART)
    if may_differ(decided) or policy.source is not None or policy.conflict == ONLY_IF_EMPTY:
        return False
    untouched = all(name in side.base and same(side.now[name], side.base[name]) for side in sides)
    return untouched and not same(decided, sides[0].now[name])


def _miss(name: str, absent: Mapping[Ref, Mapping[str, Value]], draft: _Draft) -> None:
    """Note that something else than these were last seen with was agreed on, or is about to be."""
    values = [edit.after for edits in draft.edits.values() for edit in edits if edit.name == name]
    agreed = draft.agreed.get(decided_ref(draft.link), {})
    values += [agreed[name]] if name in agreed else []
    for ref, base in absent.items():
        if any(not same(value, base.get(name)) for value in values):
            draft.agreed.setdefault(ref, {}).update(missed(name, base))


def _held(side: Side, name: str) -> Value:
    return side.held.get(name, side.now[name])


def _agree(name: str, value: Value, sides: Sequence[Side], draft: _Draft) -> None:
    """Remember what all sides hold."""
    if name not in draft.decided or not same(draft.decided[name], value):
        draft.agreed.setdefault(decided_ref(draft.link), {})[name] = value
    for side in sides:
        if name not in side.base or not same(side.base[name], value):
            draft.agreed.setdefault(side.ref, {})[name] = value


def _follow(name: str, source: str, sides: Sequence[Side], draft: _Draft) -> None:
    """Let one side speak alone: what it changed goes to all; again where it did not arrive, and to who joins."""
    speaker = next((side for side in sides if side.ref.connection == source), None)
    if speaker is None:
        return
    if _changed(speaker, name, draft.decided):
        why = f"changed in {source}, which speaks alone"
        _spread(name, speaker.now[name], sides, draft, why=why)
        return
    joining = [side for side in sides if name not in side.base and not is_empty(speaker.now[name])]
    _spread(name, speaker.now[name], joining, draft, why=f"is what {source} has, which speaks alone")
    if name in draft.decided and same(speaker.now[name], draft.decided[name]):
        untouched = [side for side in sides if name in side.base and same(side.now[name], side.base[name])]
        _spread(name, draft.decided[name], untouched, draft, why=_AGAIN)


def _fill(name: str, sides: Sequence[Side], draft: _Draft) -> None:
    """Fill what is empty with what another side changed, and note that this was looked at."""
    told = [side for side in sides if not is_empty(side.now[name]) and _changed(side, name, draft.decided)]
    empty = [side for side in sides if is_empty(side.now[name])]
    if told:
        _spread(name, told[0].now[name], empty, draft, why=f"is empty; changed in {told[0].ref.connection}")
        if noted := [side for side in told if not (empty and same(side.now[name], told[0].now[name]))]:
            _note(name, noted, draft)
            _part(name, draft)
    elif missed := [side for side in empty if _was_missed(side, name, draft.decided)]:
        full = [side.now[name] for side in sides if not is_empty(side.now[name])]
        value = next((value for value in full if same(value, draft.decided.get(name))), full[0])
        _spread(name, value, missed, draft, why=f"is empty; {_AGAIN}")
    else:
        emptied = [side for side in empty if not is_empty(side.base[name])]  # by a person
        _note(name, emptied, draft)
        if emptied or draft.decided.get(name) != GIVEN:
            _part(name, draft)


def _was_missed(side: Side, name: str, decided: Mapping[str, Value]) -> bool:
    """Tell whether an empty field was never filled: a deal joins, or what was decided on did not arrive."""
    return name not in side.base or (is_empty(side.base[name]) and not is_empty(_agreed_on(name, decided)))


def _note(name: str, sides: Sequence[Side], draft: _Draft) -> None:
    for side in sides:
        draft.agreed.setdefault(side.ref, {})[name] = side.now[name]


def _part(name: str, draft: _Draft) -> None:
    """Note that the sides may differ: under another policy, nothing that was decided before is written over them."""
    if draft.decided.get(name) != APART:
        draft.agreed.setdefault(decided_ref(draft.link), {})[name] = APART


def _agreed_on(name: str, decided: Mapping[str, Value]) -> Value:
    """Give what all sides should hold; None where that is not known either."""
    return None if may_differ(decided.get(name)) else decided.get(name)


_AGAIN = "was settled before, and is not written here yet"


def _settle(name: str, sides: Sequence[Side], policy: FieldSync, draft: _Draft) -> None:
    """Find the value that all sides shall hold, or ask."""
    changed = _speaking(sides, name, draft.decided)
    if not changed:
        _repeat(name, sides, draft)
        return
    if all(is_empty(side.now[name]) or isinstance(side.now[name], tuple) for side in sides):
        _spread(name, _members(name, sides, changed, draft.decided), sides, draft, why=f"changed in {_names(changed)}")
        return
    if all(same(side.now[name], changed[0].now[name]) for side in changed):
        _spread(name, changed[0].now[name], sides, draft, why=f"changed in {_names(changed)}")
        return
    winner = _winner(name, changed, policy)
    if winner is None:
        draft.blocked.append(_conflict(draft.link, name, sides, changed, policy))
        return
    losers = [side for side in changed if not same(side.now[name], winner.now[name])]
    for side in losers:
        draft.outdone.setdefault(side.ref, {})[name] = side.now[name]
    over = ", ".join(side.ref.connection for side in losers)
    why = f"changed in {_names(changed)}; {winner.ref.connection} wins over {over} by the policy {policy.conflict!r}"
    _spread(name, winner.now[name], sides, draft, why=why)


def _repeat(name: str, sides: Sequence[Side], draft: _Draft) -> None:
    """Write what was decided on where it did not arrive; without such a thing, fill the ones that join."""
    value = draft.decided.get(name, APART)
    if not may_differ(value):
        _spread(name, value, sides, draft, why=_AGAIN)
        return
    others = [side for side in sides if name in side.base]
    if others and all(same(side.now[name], others[0].now[name]) for side in others):
        joining = [side for side in sides if name not in side.base]
        _spread(name, others[0].now[name], joining, draft, why="is what all others have")


def _members(name: str, sides: Sequence[Side], changed: Sequence[Side], decided: Mapping[str, Value]) -> Value:
    """Merge sets member by member: what anybody added is in, what somebody removed and nobody added is out.

    Also where one side alone changed: it may hold a part of what was decided on, whose rest did not arrive yet. Where
    nothing was decided on, what any side had before stands for it.
    """
    known = decided.get(name, APART)
    agreed = [side.base.get(name) for side in sides] if may_differ(known) else [known]
    start = frozenset[str]().union(*map(_set, agreed))
    added = frozenset[str]().union(*(_set(side.now[name]) - _set(side.base.get(name)) for side in changed))
    removed = frozenset[str]().union(*(_set(side.base.get(name)) - _set(side.now[name]) for side in changed))
    return tuple(sorted((start - removed) | added)) or None


def _set(value: Value) -> frozenset[str]:
    return frozenset(value) if isinstance(value, tuple) else frozenset()


def _speaking(sides: Sequence[Side], name: str, decided: Mapping[str, Value]) -> list[Side]:
    """Give the sides that have something to say.

    What was agreed on while a side could not be asked stands beside what that one says, if it alone says anything.

    Nothing was agreed yet with a deal that just joined the link. What it holds stands beside what somebody changed in
    the others, or else beside what was agreed on for all of them: not beside what one of them was only made with.
    """
    changed = [side for side in sides if _changed(side, name, decided)]
    if changed and not may_differ(decided.get(name, APART)) and all(has_missed(name, side.base) for side in changed):
        return [*changed, *_rivals(name, [side for side in sides if side not in changed], decided[name])]
    if not changed or any(name in side.base for side in changed):
        return changed
    agreed = decided.get(name)
    if may_differ(agreed):
        return [side for side in sides if not is_empty(side.now[name])]
    return [side for side in sides if side in changed or (not is_empty(agreed) and same(side.now[name], agreed))]


def _rivals(name: str, sides: Sequence[Side], agreed: Value) -> list[Side]:
    """Give the sides that hold what was agreed on, or without such those that are to get it.

    All are as old as the first of them, as others may be newer by our writes.
    """
    held = [side for side in sides if same(side.now[name], agreed)] or sides
    first = min((side.updated_at for side in held), default=None)
    return [replace(s, now={**s.now, name: agreed}, updated_at=first) for s in held if first is not None]


def _changed(side: Side, name: str, decided: Mapping[str, Value]) -> bool:
    """Tell whether a side has something to say. Where it has no base yet, an empty field says nothing."""
    if name in side.base:
        return not same(side.now[name], side.base[name])
    return not is_empty(side.now[name]) and not (name in decided and same(side.now[name], decided[name]))


def _winner(name: str, changed: Sequence[Side], policy: FieldSync) -> Side | None:
    if policy.preferred is not None:
        preferred = [side for side in changed if side.ref.connection == policy.preferred]
        return preferred[0] if preferred else None
    if policy.conflict == "newest":
        # What was outdone before, and still stands, is no newer for what we wrote in other fields there.
        return max(changed, key=lambda side: (not was_outdone(name, side.now[name], side.base), side.updated_at))
    return None


def _spread(name: str, value: Value, sides: Sequence[Side], draft: _Draft, *, why: str) -> None:
    for side in sides:
        now, held = side.now[name], _held(side, name)
        if same(now, value):
            continue
        if held is not now and same(held, value):  # what its CRM made of an earlier value is what it should hold now
            draft.agreed.setdefault(side.ref, {})[name] = value
            continue
        draft.edits.setdefault(side.ref, []).append(FieldEdit(name, held, value))
        draft.reasons.setdefault(side.ref, []).append(f"{name} {why}")


def _conflict(link: str, name: str, sides: Sequence[Side], changed: Sequence[Side], policy: FieldSync) -> Blocked:
    reason = (
        f"changed to different values in {_names(changed)}"
        if policy.preferred is None
        else f"changed to different values, and not in {policy.preferred}, which the policy prefers"
    )
    return Blocked(
        link=link,
        deal=changed[0].ref,
        name=name,
        reason=reason,
        values={side.ref.connection: _held(side, name) for side in sides},
        cause=Cause.CONFLICT,
        edited={side.ref.connection: Edited(side.updated_at, side.updated_by) for side in sides},
    )


def _names(sides: Sequence[Side]) -> str:
    return " and ".join(side.ref.connection for side in sides)
