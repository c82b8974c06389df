"""Whether changes still fit what is there: looked up right before they are written."""

from __future__ import annotations

from collections.abc import Sequence

from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Record
from crmbridge.model.values import Value, is_empty
from crmbridge.services.workspace import Workspace

_BOUND = {Action.TASK, Action.NOTE}  # what a binding asks for


def unfit(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Give the receipts of the changes that must not be written, for a batch of one connection and action.

    Raises the adapter's errors when that can't be found out.
    """
    action = batch[0].action
    if action not in workspace.adapter(batch[0].connection).capabilities.actions:
        said = (
            f"this connection writes no {action}s; bind the rule to another action"
            if action in _BOUND
            else ("this connection only reads")
        )
        return {c.id: Receipt(change=c.id, outcome=Outcome.REFUSED, message=said) for c in batch}
    if action is Action.UPDATE:
        return _updates(workspace, batch)
    if action is Action.CREATE:
        return _creates(workspace, batch)
    if action is Action.FIELD:
        return _fields(workspace, batch)
    return {}


def _fields(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Find the fields that are there by now: most CRMs would make a second one of the same name."""
    adapter = workspace.adapter(batch[0].connection)
    there = {change.id: adapter.find(Kind.FIELD, change.key or "", None) for change in batch}
    return {
        id_: Receipt(change=id_, outcome=Outcome.APPLIED, ref=ref, message="it was there already")
        for id_, ref in there.items()
        if ref is not None
    }


def _updates(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Find the updates whose record is gone, or no longer holds what the plan saw, by reading the records now."""
    targets = sorted({change.target for change in batch if change.target is not None})
    names = {edit.name for change in batch for edit in change.edits}
    now = workspace.adapter(batch[0].connection).read(targets, fields=names)
    found = {c.id: _difference(c, now.get(c.target)) for c in batch if c.target is not None}
    return {c.id: _receipt(c, found[c.id]) for c in batch if found.get(c.id)}


def _difference(change: Change, record: Record | None) -> str:
    """Say what is no longer as the plan saw it; nothing when all is."""
    if record is None:
        return "the record is gone"
    if change.position_before is not None and record.position != change.position_before:
        return "its stage changed since the plan was made"
    for edit in change.edits:
        if edit.name != STAGE and _filled(record.fields.get(edit.name)) != _filled(edit.before):
            return f"{edit.name} changed since the plan was made"
    return ""


def _filled(value: Value) -> Value:
    return None if is_empty(value) else value


def _creates(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Find the creates whose deal has a counterpart by now, or is gone.

    A CRM that would take the same key twice is asked whether it has it already.
    """
    adapter = workspace.adapter(batch[0].connection)
    links = workspace.store.links.links()
    found: dict[str, Receipt] = {}
    for change in batch:
        refs = links.get(change.link or "", ())
        if any(ref.connection == change.connection for ref in refs):
            found[change.id] = _receipt(change, "it has a counterpart there by now")
        elif refs and not workspace.store.records.get(refs):
            found[change.id] = _receipt(change, "the deal that it was to stand for is gone")
        elif change.key and not adapter.capabilities.external_key:
            there = adapter.find(Kind.DEAL, change.key, None)
            if there is not None:
                found[change.id] = Receipt(
                    change=change.id, outcome=Outcome.APPLIED, ref=there, message="it was there already, with its key"
                )
    return found


def _receipt(change: Change, message: str) -> Receipt:
    return Receipt(change=change.id, outcome=Outcome.STALE, ref=change.target, message=message)
