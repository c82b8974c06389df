"""Updates that a CRM refused as a whole: tried again in parts, so that one field does not hold up the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crmbridge.engine.sync.wanted import APART, reason_of, without
from crmbridge.model.changes import Action, Change, JournalEntry, Origin, Outcome
from crmbridge.model.replacing import replace

IN_PARTS = "refused before as a whole, so it is tried in parts"


def in_parts(changes: Iterable[Change], outcomes: Mapping[str, JournalEntry]) -> list[Change]:
    """Give the changes with two halves in the place of each update of sync that was refused as it is.

    The CRM did not say which field it refused, or not of all. Of two halves one gets there, and of what is left again
    one; at last whoever settles it is shown the one field.
    """
    found: list[Change] = []
    for change in changes:
        entry = outcomes.get(change.id)
        refused = entry is not None and entry.outcome is Outcome.REFUSED and len(change.edits) > 1
        found += _halves(change) if refused and is_of_sync(change) else (change,)
    return found


def is_of_sync(change: Change) -> bool:
    """Tell whether a change writes fields that sync wants, which need not be written together."""
    return change.origin is Origin.SYNC and change.action is Action.UPDATE


def _halves(change: Change) -> Iterator[Change]:
    names = [edit.name for edit in change.edits]
    middle = (len(names) + 1) // 2
    for others, own in ((names[middle:], names[:middle]), (names[:middle], names[middle:])):
        half = without(change, others)
        if half is not None:
            said = APART.join(reason_of(change, name) for name in own)
            yield replace(half, reason=said if said.startswith(IN_PARTS) else f"{IN_PARTS}{APART}{said}")
