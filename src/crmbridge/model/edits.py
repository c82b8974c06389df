"""What of a deal is other than it was, from two copies of it."""

from __future__ import annotations

from datetime import datetime

from crmbridge.model.records import Edit, Position, Record
from crmbridge.model.values import Fields, Value

STAGE = "stage"  # stands for the position, so that it is known when a deal was looked at before it moved
# These follow from the activities, which say themselves when they were; each call would be an edit.
COUNTED = frozenset({"activities", "activities_done", "activities_open", "last_activity_at", "next_activity_at"})


def edits_between(before: Record, after: Record, seen_at: datetime | None = None) -> tuple[Edit, ...]:
    """Give the edits that make one copy of a deal the other, in the order of the fields' names.

    A copy whose CRM shows no later time was changed at some time until it was seen, if that is said. A field that
    only one of two such copies has was not edited: it is read since now, or can't be read any more.
    """
    later = after.updated_at > before.updated_at
    at = after.updated_at if later else max(after.updated_at, seen_at or after.updated_at)
    names = before.fields.keys() | after.fields.keys() if later else before.fields.keys() & after.fields.keys()
    changed = _changed(before.fields, after.fields, names - COUNTED)
    if before.position != after.position:
        changed[STAGE] = (_place(before.position), _place(after.position))
    return tuple(
        Edit(field=name, since=before.updated_at, at=at, before=was, after=now)
        for name, (was, now) in sorted(changed.items())
    )


def _changed(before: Fields, after: Fields, names: set[str]) -> dict[str, tuple[Value, Value]]:
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _place(position: Position | None) -> str | None:
    return "/".join(position) if position else None
