"""Reconcile: find out, by reading, what became of changes that were sent and not clearly answered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, Change, JournalEntry, Outcome, Receipt
from crmbridge.model.records import Record
from crmbridge.services.applying import settle
from crmbridge.services.workspace import Workspace


def reconcile(workspace: Workspace, run: str) -> tuple[Receipt, ...]:
    """Settle what earlier runs left unclear, connection by connection; what can't be told yet stays unknown.

    Nothing is sent again here: a change that turns out not to have happened is failed, and the next plan has it.
    """
    entries = sorted(workspace.store.journal.unsettled(), key=lambda entry: entry.change.connection)
    receipts: list[Receipt] = []
    for connection, group in groupby(entries, key=lambda entry: entry.change.connection):
        if connection in workspace.connections:
            receipts += _reconcile_connection(workspace, list(group), run)
    return tuple(receipts)


def _reconcile_connection(workspace: Workspace, entries: Sequence[JournalEntry], run: str) -> list[Receipt]:
    done: list[tuple[Change, Receipt]] = []
    for entry in entries:
        try:
            done.append((entry.change, _look(workspace, entry.change)))
        except CrmbridgeError as error:  # out of reach or not able to say: it stays as it is
            receipt = Receipt(change=entry.change.id, outcome=Outcome.UNKNOWN, message=error.message)
            if entry.outcome is None:  # an intent that was cut off gets the outcome that it lacks
                done.append((entry.change, receipt))
    settle(workspace, done, run)
    return [receipt for _, receipt in done]


def _look(workspace: Workspace, change: Change) -> Receipt:
    """Read back what a change would have left behind."""
    if change.action is Action.UPDATE:
        return _look_at_update(workspace, change)
    found = workspace.adapter(change.connection).find(change.kind, change.key or "", change.target)
    if found is None:
        return Receipt(change=change.id, outcome=Outcome.FAILED, message="read back: it was not done")
    return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=found, message="read back: it was done")


def _look_at_update(workspace: Workspace, change: Change) -> Receipt:
    target = change.target
    records = workspace.adapter(change.connection).read([target]) if target else {}
    record = records.get(target) if target else None
    if record is not None and _holds(change, record):
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=target, message="read back: it was done")
    return Receipt(change=change.id, outcome=Outcome.FAILED, ref=target, message="read back: it was not done")


def _holds(change: Change, record: Record) -> bool:
    if change.position is not None and record.position != change.position:
        return False
    return all(record.fields.get(name) == after for name, after in change.after.items())
