"""Reconcile: find out, by reading, what became of changes that were sent and not clearly answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from crmbridge.engine.views import STAGE
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, Change, FieldEdit, JournalEntry, Outcome, Receipt
from crmbridge.model.records import Record
from crmbridge.services.applying import settle
from crmbridge.services.gathering import make_viewers
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
    partly: list[Change] = []
    for entry in entries:
        try:
            receipt, there = _look(workspace, entry.change)
            change = _as_made(workspace, entry.change, receipt)
        except CrmbridgeError as error:  # out of reach or not able to say: it stays as it is
            receipt, there = Receipt(change=entry.change.id, outcome=Outcome.UNKNOWN, message=error.message), None
            change = entry.change
        done.append((change, receipt))
        partly += [there] if there else []
    settle(workspace, done, run, partly=partly, known=workspace.store.links.bases())
    return [receipt for _, receipt in done]


def _look(workspace: Workspace, change: Change) -> tuple[Receipt, Change | None]:
    """Read back what a change would have left behind; of an update that is there in part, give that part as well."""
    if change.action is Action.UPDATE:
        return _look_at_update(workspace, change)
    found = workspace.adapter(change.connection).find(change.kind, change.key or "", change.target)
    if found is None:
        return Receipt(change=change.id, outcome=Outcome.FAILED, message="read back: it was not done"), None
    return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=found, message="read back: it was done"), None


def _as_made(workspace: Workspace, change: Change, receipt: Receipt) -> Change:
    """Give a creation as it was made, where that is another stage and nobody touched the deal since.

    Some CRMs make a deal in their first stage, and move it by a second request, which may never have been sent: that
    the deal is not where it should be is then nobody's edit.
    """
    if change.action is not Action.CREATE or receipt.ref is None:
        return change
    record = workspace.adapter(change.connection).read([receipt.ref]).get(receipt.ref)
    if record is None or record.position in {None, change.position} or record.updated_at != record.created_at:
        return change
    stage = make_viewers(workspace)[change.connection].stage(record)
    others = [edit for edit in change.edits if edit.name != STAGE]
    edits = [*others, FieldEdit(STAGE, None, stage)] if stage else others
    return replace(change, position=record.position, edits=tuple(edits))


def _look_at_update(workspace: Workspace, change: Change) -> tuple[Receipt, Change | None]:
    target = change.target
    records = workspace.adapter(change.connection).read([target]) if target else {}
    record = records.get(target) if target else None
    there = tuple(edit for edit in change.edits if record is not None and _holds(change, edit, record))
    if there == change.edits and record is not None:
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=target, message="read back: it was done"), None
    names = ", ".join(edit.name for edit in there)
    message = f"read back: only {names} is as it was sent" if there else "read back: it was not done"
    receipt = Receipt(change=change.id, outcome=Outcome.FAILED, ref=target, message=message)
    return receipt, replace(change, edits=there) if there else None


def _holds(change: Change, edit: FieldEdit, record: Record) -> bool:
    if edit.name == STAGE and change.position is not None:
        return record.position == change.position
    return record.fields.get(edit.name) == edit.after
