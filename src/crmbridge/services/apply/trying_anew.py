"""Trying anew: tasks and notes that a CRM refused, once more under other settings, which may be why it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crmbridge.model.changes import Action, Change, JournalEntry, Origin, Outcome
from crmbridge.services.apply.applied import Applied
from crmbridge.services.workspace import Workspace

REFUSED_UNDER = "crmbridge.refused_under"  # beside what the adapter keeps: the settings under which it was tried last
_HANGING = {Action.TASK, Action.NOTE}


def tried_anew(
    workspace: Workspace, changes: Iterable[Change], outcomes: Mapping[str, JournalEntry]
) -> Mapping[str, JournalEntry]:
    """Give the outcomes without the refusals that were of other settings: their changes are wanted as if never sent.

    Their ids say which finding they are about, so nothing that anybody edits would try them again.
    """
    refused = [change for change in changes if _is_refused(change, outcomes.get(change.id))]
    memory = {name: workspace.store.memory(name) for name in {change.connection for change in refused}}
    now = workspace.project.digest
    again = {change.id for change in refused if memory[change.connection].get(REFUSED_UNDER) != now}
    return {id_: entry for id_, entry in outcomes.items() if id_ not in again} if again else outcomes


def note_refused(workspace: Workspace, applied: Applied) -> None:
    """Remember under which settings connections refused tasks and notes."""
    refused = (c for c, receipt in applied.done if receipt.outcome is Outcome.REFUSED and c.id not in applied.vetoed)
    for name in {change.connection for change in refused if _hangs(change)}:
        workspace.store.memory(name)[REFUSED_UNDER] = workspace.project.digest


def _is_refused(change: Change, entry: JournalEntry | None) -> bool:
    return entry is not None and entry.outcome is Outcome.REFUSED and _hangs(change)


def _hangs(change: Change) -> bool:
    return change.action in _HANGING and change.origin is Origin.ENFORCE
