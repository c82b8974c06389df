"""Updates that a CRM refused as a whole: tried again field by field, so that one field does not hold up the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crmbridge.engine.planner import APART, reason_of, without
from crmbridge.model.changes import Action, Change, JournalEntry, Origin, Outcome
from crmbridge.model.replacing import replace

TOGETHER = "refused before together with other fields, so each is tried alone"


def one_by_one(changes: Iterable[Change], outcomes: Mapping[str, JournalEntry]) -> list[Change]:
    """Give the changes with those updates of sync field by field that were refused as they are.

    A CRM seldom says which field it refused. So the others get there, and whoever settles it is shown the one.
    """
    found: list[Change] = []
    for change in changes:
        entry = outcomes.get(change.id)
        refused = entry is not None and entry.outcome is Outcome.REFUSED and len(change.edits) > 1
        found += _alone(change) if refused and is_field_update(change) else (change,)
    return found


def is_field_update(change: Change) -> bool:
    """Tell whether a change writes fields that sync wants, which need not be written together."""
    return change.origin is Origin.SYNC and change.action is Action.UPDATE


def _alone(change: Change) -> Iterator[Change]:
    names = [edit.name for edit in change.edits]
    for name in names:
        one = without(change, set(names) - {name})
        if one is not None:
            yield replace(one, reason=f"{TOGETHER}{APART}{reason_of(change, name)}")
