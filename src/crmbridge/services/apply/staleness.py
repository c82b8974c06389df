"""Whether changes still fit what is there: looked up right before they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from crmbridge.engine.sync.sameness import same
from crmbridge.engine.views import STAGE
from crmbridge.errors import RefusedError
from crmbridge.model.changes import FOUND, Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import show
from crmbridge.ports import Capabilities
from crmbridge.services.exit_codes import FINDINGS, NEEDS_PERSON
from crmbridge.services.workspace import Workspace

LATELY = timedelta(hours=1)
YOUNG = timedelta(days=30)
_WHOLE = {0, NEEDS_PERSON, FINDINGS}  # the exit codes of cycles that did all they could
_BOUND = {Action.TASK, Action.NOTE, Action.AMEND}  # what a binding asks for
_ASSOCIATED = {"company": "companies", "contacts": "contacts"}  # what hangs on a deal, and the setting that says so


def unfit(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Give the receipts of the changes that must not be written, for a batch of one connection and action.

    Raises the adapter's errors when that can't be found out.
    """
    if batch[0].action is Action.NOTIFY:
        return {}
    can = workspace.adapter(batch[0].connection).capabilities
    refused = {change.id: said for change in batch if (said := _unable(can, change))}
    receipts = {id_: Receipt(change=id_, outcome=Outcome.REFUSED, message=said) for id_, said in refused.items()}
    rest = [change for change in batch if change.id not in refused]
    look = _LOOKS.get(batch[0].action)
    return receipts | (look(workspace, rest) if look and rest else {})


def _unable(can: Capabilities, change: Change) -> str:
    """Say that an adapter can't make a change, and what to do about it; nothing when it can."""
    where = change.connection
    if change.action is Action.ARCHIVE and Action.ARCHIVE not in can.actions:
        return f"{where} archives nothing; delete it there by hand, or set `delete: unlink` or `delete: never`"
    if change.action not in can.actions:
        bound = f"this connection writes no {change.kind}s; bind the rule to another action"
        return bound if change.action in _BOUND else "this connection only reads"
    if change.action is Action.CREATE and change.creates not in can.creates:
        plural = {Kind.COMPANY: "companies", Kind.CONTACT: "contacts"}.get(change.creates, f"{change.creates}s")
        return f"{where} makes no {plural}; set `{plural}: match` in the sync entry, or create it there by hand"
    return _unable_to_hang(can, change)


def _unable_to_hang(can: Capabilities, change: Change) -> str:
    if change.kind is not Kind.DEAL or change.action is not Action.UPDATE:
        return ""
    lacking = sorted({edit.name for edit in change.edits} & _ASSOCIATED.keys() - can.associates)
    if not lacking:
        return ""
    name = lacking[0]
    return f"{change.connection} can't change a deal's {name}; set `{_ASSOCIATED[name]}: off` in the sync entry"


def _fields(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Find the fields that are there by now: most CRMs would make a second one of the same name."""
    adapter = workspace.adapter(batch[0].connection)
    there = {change.id: adapter.find(Kind.FIELD, change.key or "", None) for change in batch}
    return {
        id_: Receipt(change=id_, outcome=Outcome.APPLIED, ref=ref, message=FOUND)
        for id_, ref in there.items()
        if ref is not None
    }


def _updates(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Find the updates whose record is gone, or no longer holds what the plan saw, by reading the records now.

    Where the CRM itself compares the version with the one that the plan saw, it need not be read for that.
    """
    adapter = workspace.adapter(batch[0].connection)
    unsure = [change for change in batch if not _is_compared_there(adapter.capabilities, change)]
    targets = sorted({change.target for change in unsure if change.target is not None})
    if not targets:
        return {}
    names = {edit.name for change in unsure for edit in change.edits}
    now = adapter.read(targets, fields=names)
    found = {c.id: _difference(workspace, c, now.get(c.target)) for c in unsure if c.target is not None}
    _read_again(workspace, [c for c in unsure if found.get(c.id)], now)
    return {c.id: _receipt(c, found[c.id]) for c in unsure if found.get(c.id)}


def _read_again(workspace: Workspace, stale: Sequence[Change], now: Mapping[Ref, Record]) -> None:
    """Let the next pull read these records again: by itself it may never do so.

    Their CRM counts those as unchanged that are read otherwise since the account was set up otherwise, as where an
    option was renamed or taken away.
    """
    there = now.keys() & {change.target for change in stale}
    if there:
        workspace.store.hints.add(sorted(there), workspace.clock.now())


def _is_compared_there(can: Capabilities, change: Change) -> bool:
    """Tell whether the CRM refuses an update of a record that changed. What hangs on one is not part of its version."""
    hanging = any(edit.name in _ASSOCIATED for edit in change.edits)
    return can.conditional_write and change.expects is not None and not hanging


def _difference(workspace: Workspace, change: Change, record: Record | None) -> str:
    """Say what is no longer as the plan saw it, and what is there now; nothing when all is."""
    if record is None:
        return "the record is gone"
    if change.position_before is not None and record.position != change.position_before:
        return f"its stage changed since the plan was made: it is now {_stage(workspace, record)}"
    for edit in change.edits:
        if edit.name in record.unreadable:
            return f"{edit.name} can't be read any more, so nobody knows what would be written over"
        now = record.fields.get(edit.name)
        if edit.name != STAGE and not same(now, edit.before):
            return f"{edit.name} changed since the plan was made: it is now {show(now)}"
    return ""


def _stage(workspace: Workspace, record: Record) -> str:
    """Name the stage that a deal is in now, in the process's words where it has a word for it."""
    place = workspace.mapper(record.ref.connection).place(record.position)
    native = record.position.stage if record.position else "none"
    return place.stage or f"{place.status} ({native})"


def _archives(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Find the records that are gone already, and those that somebody edited since: an edit beats a delete.

    Those of a kind that the adapter can't read, such as tasks, are left to it.
    """
    adapter = workspace.adapter(batch[0].connection)
    kinds = adapter.capabilities.kinds
    readable = {c.id: c.target for c in batch if c.target is not None and c.target.kind in kinds}
    targets = sorted(set(readable.values()))
    now: Mapping[Ref, Record] = adapter.read(targets) if targets else {}
    held = workspace.store.records.get(targets)
    found: dict[str, Receipt] = {}
    for change in batch:
        target = readable.get(change.id)
        if target is None:
            continue
        if target not in now:
            gone = "it was gone already"
            found[change.id] = Receipt(change=change.id, outcome=Outcome.APPLIED, ref=target, message=gone)
        elif not _untouched(change, now[target], held.get(target)):
            found[change.id] = _receipt(change, "it was edited since the plan was made, and an edit beats a delete")
    return found


def _untouched(change: Change, now: Record, held: Record | None) -> bool:
    """Tell whether a record is as the plan saw it. A new version of the same content is nobody's edit."""
    if change.expects is not None and now.version == change.expects:
        return True
    if held is None or (change.expects is not None and held.version != change.expects):
        return False
    return now.fields == held.fields and now.position == held.position


def _creates(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Find the creates whose record has a counterpart by now, or is gone, or stands in another link.

    A CRM that would take the same key twice, as all do of companies and contacts, is asked whether it has it already.
    """
    adapter = workspace.adapter(batch[0].connection)
    links = workspace.store.links.get({change.link for change in batch if change.link})
    found: dict[str, Receipt] = {}
    for change in batch:
        if change.creates is Kind.FIGURE:  # it sets the row that is there
            continue
        refs = links.get(change.link or "", ())
        unique = change.creates is Kind.DEAL and adapter.capabilities.external_key
        if any(ref.connection == change.connection for ref in refs):
            found[change.id] = _receipt(change, "it has a counterpart there by now")
        elif change.link and not workspace.store.records.get(refs):
            said = "is gone" if refs else "is in another link by now, or in none"
            found[change.id] = _receipt(change, f"the {change.creates} that it was to stand for {said}")
        elif change.key and not unique:
            there = adapter.find(change.creates, change.key, None)
            if there is not None:
                found[change.id] = Receipt(
                    change=change.id, outcome=Outcome.APPLIED, ref=there, message=f"{FOUND}, with its key"
                )
    return found


def _hanging(workspace: Workspace, batch: Sequence[Change]) -> dict[str, Receipt]:
    """Find the tasks and notes that are there by now: a state that was put back, or made anew, doesn't know of them.

    Where nothing can be looked for, as what they hang on is gone, the write says so of that one alone.
    """
    found: dict[str, Receipt] = {}
    if _is_known_to_be_up_to_date(workspace):
        return found
    adapter = workspace.adapter(batch[0].connection)
    for change in batch:
        with suppress(RefusedError):
            there = adapter.find(change.kind, change.key, change.target) if change.key and change.target else None
            if there is not None:
                found[change.id] = Receipt(change=change.id, outcome=Outcome.APPLIED, ref=there, message=FOUND)
    return found


def _is_known_to_be_up_to_date(workspace: Workspace) -> bool:
    """Tell whether a state is neither new nor an older copy: a cycle came to its end lately, and one long ago.

    A new state comes to some findings only days after its first cycle, as where histories are read some a day, or as
    rules are bound one by one. Looking costs a request or two for each task or note, where a hundred of them are
    written by one.
    """
    runs, now = workspace.store.runs, workspace.clock.now()
    last = runs.last("cycle", now)
    lately = last is not None and last.exit_code in _WHOLE and now - last.started_at <= LATELY
    return lately and runs.last("cycle", now - YOUNG) is not None


def _receipt(change: Change, message: str) -> Receipt:
    return Receipt(change=change.id, outcome=Outcome.STALE, ref=change.target, message=message)


_LOOKS = {
    Action.UPDATE: _updates,
    Action.CREATE: _creates,
    Action.FIELD: _fields,
    Action.ARCHIVE: _archives,
    Action.TASK: _hanging,
    Action.NOTE: _hanging,
}
