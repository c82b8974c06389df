"""Trying anew: what a CRM refused goes once more when a person says so, and tasks and notes under other settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from crmbridge.engine.sync.planner import unmade
from crmbridge.model.changes import Action, Blocked, Change, JournalEntry, Origin, Outcome, Receipt
from crmbridge.services.apply.applied import Applied
from crmbridge.services.workspace import Workspace

# Beside what the adapter keeps.
REFUSED_UNDER = "crmbridge.refused_under"  # the settings under which all tasks and notes were tried last, or are to be
ASKED_FOR = "crmbridge.try_again"  # the ids of what waits and is to be tried again
_HANGING = {Action.TASK, Action.NOTE}
_ENDED = {Outcome.APPLIED, Outcome.REFUSED, Outcome.UNKNOWN}  # it was tried


def ask_for(workspace: Workspace, items: Iterable[Blocked]) -> None:
    """Remember that these are to be tried again."""
    for connection, ids in _by_connection((item.deal.connection, item.id) for item in items).items():
        _keep(workspace, connection, _asked_for(workspace, connection) | ids)


def tried_anew(
    workspace: Workspace, changes: Iterable[Change], outcomes: Mapping[str, JournalEntry]
) -> Mapping[str, JournalEntry]:
    """Give the outcomes without the refusals that are to be tried again: their changes are wanted as if never sent.

    The ids of tasks and notes say which finding they are about, so nothing that anybody edits would try them again;
    the settings may be why they were refused.
    """
    refused = [change for change in changes if _is_refused(outcomes.get(change.id))]
    _ask_under_other_settings(workspace, [change for change in refused if _hangs(change)])
    asked = {name: _asked_for(workspace, name) for name in {change.connection for change in refused}}
    again = {c.id for c in refused if asked[c.connection] and _waits_as(c) in asked[c.connection]}
    return {id_: entry for id_, entry in outcomes.items() if id_ not in again} if again else outcomes


def note_refused(workspace: Workspace, done: Iterable[tuple[Change, Receipt]]) -> None:
    """Remember under which settings connections refuse tasks and notes, before anybody can know of it by the journal.

    Else those would be tried again by the next run, where this one is killed in between.
    """
    for name in {c.connection for c, receipt in done if receipt.outcome is Outcome.REFUSED and _hangs(c)}:
        workspace.store.memory(name)[REFUSED_UNDER] = workspace.project.digest


def note_tried(workspace: Workspace, applied: Applied) -> None:
    """Remember what was tried again, once it came to its end."""
    tried = [(change, receipt) for change, receipt in applied.done if change.id not in applied.vetoed]
    ended = [change for change, receipt in tried if receipt.outcome in _ENDED]
    for name in {change.connection for change in ended}:
        if asked := _asked_for(workspace, name):
            _keep(workspace, name, asked - {_waits_as(change) for change in ended if change.connection == name})


def _ask_under_other_settings(workspace: Workspace, refused: Iterable[Change]) -> None:
    """Remember each by itself: not all may be reached by the run that tries them."""
    for connection, ids in _by_connection((change.connection, _waits_as(change)) for change in refused).items():
        memory, now = workspace.store.memory(connection), workspace.project.digest
        if memory.get(REFUSED_UNDER) != now:
            _keep(workspace, connection, _asked_for(workspace, connection) | ids)
            memory[REFUSED_UNDER] = now


def _asked_for(workspace: Workspace, connection: str) -> set[str]:
    try:
        return msgspec.json.decode(workspace.store.memory(connection).get(ASKED_FOR, "[]"), type=set[str])
    except msgspec.DecodeError:  # it is of another version
        return set()


def _keep(workspace: Workspace, connection: str, ids: Iterable[str]) -> None:
    workspace.store.memory(connection)[ASKED_FOR] = msgspec.json.encode(sorted(ids)).decode()


def _by_connection(ids: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for connection, id_ in ids:
        found[connection].add(id_)
    return found


def _waits_as(change: Change) -> str:
    return unmade(change, Outcome.REFUSED, "").id


def _is_refused(entry: JournalEntry | None) -> bool:
    return entry is not None and entry.outcome is Outcome.REFUSED


def _hangs(change: Change) -> bool:
    return change.action in _HANGING and change.origin is Origin.ENFORCE
