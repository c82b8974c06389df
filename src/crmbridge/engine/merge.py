"""The three-way merge: per link and field, what each side has now against what was last seen or written there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from crmbridge.model.changes import Blocked, FieldEdit
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge.settings import FieldSync

Policy = Callable[[str], FieldSync]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One linked deal: what it has now, and its base. A field that is missing from `now` does not exist there."""

    ref: Ref
    now: Mapping[str, Value]
    base: Mapping[str, Value]
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What merging one link says: edits per side, why, what needs a person, and what all sides agree on.

    In `agreed`, the value that the whole link agrees on stands under `decided_ref`, beside those of the sides.
    """

    edits: Mapping[Ref, tuple[FieldEdit, ...]]
    reasons: Mapping[Ref, tuple[str, ...]]
    blocked: tuple[Blocked, ...]
    agreed: Mapping[Ref, Mapping[str, Value]]


@dataclass(slots=True)
class _Draft:
    link: str
    decided: Mapping[str, Value]
    edits: dict[Ref, list[FieldEdit]] = field(default_factory=dict)
    reasons: dict[Ref, list[str]] = field(default_factory=dict)
    blocked: list[Blocked] = field(default_factory=list)
    agreed: dict[Ref, dict[str, Value]] = field(default_factory=dict)


def decided_ref(link: str) -> Ref:
    """Name what a link's own base is kept under: per field the value that all its records should hold.

    It is set when all sides agree, and before a decision is first written anywhere. With it, a write that did not
    arrive is known to be missing, and a person who takes an edit back meanwhile is seen to do so.
    """
    return Ref("", Kind.DEAL, link)


def merge(link: str, sides: Sequence[Side], policy: Policy, decided: Mapping[str, Value] | None = None) -> Merged:
    """Merge all fields that at least two sides have. The order of `sides` breaks ties.

    `decided` is the base of the link itself, which `decided_ref` names.
    """
    draft = _Draft(link, decided or {})
    for name in sorted({name for side in sides for name in side.now}):
        holders = [side for side in sides if name in side.now]
        if len(holders) > 1 and policy(name).sync:
            _merge_field(name, holders, policy(name), draft)
    return Merged(
        edits={ref: tuple(edits) for ref, edits in draft.edits.items()},
        reasons={ref: tuple(reasons) for ref, reasons in draft.reasons.items()},
        blocked=tuple(draft.blocked),
        agreed=draft.agreed,
    )


def _merge_field(name: str, sides: Sequence[Side], policy: FieldSync, draft: _Draft) -> None:
    decided = draft.decided
    if all(side.now[name] == sides[0].now[name] for side in sides):
        bases = {decided_ref(draft.link): decided, **{side.ref: side.base for side in sides}}
        for ref, base in bases.items():
            if name not in base or base[name] != sides[0].now[name]:
                draft.agreed.setdefault(ref, {})[name] = sides[0].now[name]
        return
    changed = _speaking(sides, name, decided)
    if not changed:
        if name in decided:
            _spread(name, decided[name], sides, draft, why="was decided on before, and is not written here yet")
        return
    if all(side.now[name] == changed[0].now[name] for side in changed):
        _spread(name, changed[0].now[name], sides, draft, why=f"changed in {_names(changed)}")
        return
    winner = _winner(changed, policy)
    if winner is None:
        draft.blocked.append(_conflict(draft.link, name, changed, policy))
        return
    losers = ", ".join(side.ref.connection for side in changed if side.now[name] != winner.now[name])
    why = f"changed in {_names(changed)}; {winner.ref.connection} wins over {losers} by the policy {policy.conflict!r}"
    _spread(name, winner.now[name], sides, draft, why=why)


def _speaking(sides: Sequence[Side], name: str, decided: Mapping[str, Value]) -> list[Side]:
    """Give the sides that have something to say.

    Nothing was agreed yet with a deal that just joined the link. What it holds stands beside what somebody changed in
    the others, or else beside what they all hold.
    """
    changed = [side for side in sides if _changed(side, name, decided)]
    if changed and all(name not in side.base for side in changed):
        return [side for side in sides if side.now[name] is not None]
    return changed


def _changed(side: Side, name: str, decided: Mapping[str, Value]) -> bool:
    """Tell whether a side has something to say. Where it has no base yet, an empty field says nothing."""
    if name in side.base:
        return side.now[name] != side.base[name]
    return side.now[name] is not None and not (name in decided and side.now[name] == decided[name])


def _winner(changed: Sequence[Side], policy: FieldSync) -> Side | None:
    if policy.preferred is not None:
        preferred = [side for side in changed if side.ref.connection == policy.preferred]
        return preferred[0] if preferred else None
    if policy.conflict == "newest":
        return max(changed, key=lambda side: side.updated_at)
    return None


def _spread(name: str, value: Value, sides: Sequence[Side], draft: _Draft, *, why: str) -> None:
    for side in sides:
        if side.now[name] != value:
            draft.edits.setdefault(side.ref, []).append(FieldEdit(name, side.now[name], value))
            draft.reasons.setdefault(side.ref, []).append(f"{name} {why}")


def _conflict(link: str, name: str, changed: Sequence[Side], policy: FieldSync) -> Blocked:
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
        values={side.ref.connection: side.now[name] for side in changed},
    )


def _names(sides: Sequence[Side]) -> str:
    return " and ".join(side.ref.connection for side in sides)
