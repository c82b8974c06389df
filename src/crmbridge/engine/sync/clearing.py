"""What follows when a field is emptied in suspiciously many deals: none of them is emptied elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from crmbridge.engine.sync.deleting import most_at_once
from crmbridge.engine.sync.wanted import APART, reason_of, without
from crmbridge.model.changes import Action, Blocked, Cause, Change
from crmbridge.model.values import is_empty
from crmbridge.settings import Cap


def hold_clears(
    changes: Sequence[Change], cap: Cap, links: Callable[[], int]
) -> tuple[Sequence[Change], list[Blocked]]:
    """Leave out of updates what empties a field that they empty in more deals of a connection than the cap allows.

    All else of them goes on. `links` counts the linked deals, where it is asked.
    """
    found = Counter((change.connection, name) for change in changes for name in _cleared(change))
    if max(found.values(), default=0) <= cap.records:
        return changes, []
    most = most_at_once(cap, links())
    many = {place: count for place, count in found.items() if count > most}
    kept: list[Change] = []
    held: list[Blocked] = []
    for change in changes:
        names = {name for name in _cleared(change) if (change.connection, name) in many}
        rest = without(change, names) if names else change
        kept += [rest] if rest is not None else []
        held += [_held(change, name, many[change.connection, name], most) for name in sorted(names)]
    return kept, held


def _cleared(change: Change) -> Iterator[str]:
    if change.action is Action.UPDATE:
        yield from (edit.name for edit in change.edits if is_empty(edit.after) and not is_empty(edit.before))


def _held(change: Change, name: str, count: int, most: int) -> Blocked:
    if change.target is None:
        raise TypeError("what is updated is there")
    too_many = (
        f"it would be emptied in {count} deals of {change.connection}, more than the {most} that clear_cap allows"
    )
    return Blocked(
        link=change.link or "",
        deal=change.target,
        name=name,
        reason=f"{reason_of(change, name)}{APART}{too_many}",
        values={change.connection: next(edit.before for edit in change.edits if edit.name == name)},
        cause=Cause.CLEAR,
    )
