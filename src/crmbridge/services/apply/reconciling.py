"""Reconcile: find out, by reading, what became of changes that were sent and not clearly answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby

from crmbridge.engine.sync.forms import arrived
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.views import STAGE, Viewer
from crmbridge.errors import CrmbridgeError, RetryLaterError
from crmbridge.model.changes import Action, Change, FieldEdit, JournalEntry, Origin, Outcome, Receipt
from crmbridge.model.records import BACK, Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.services.apply.settling import settle
from crmbridge.services.links.bases import still_open
from crmbridge.services.links.gathering import make_viewers
from crmbridge.services.links.native_ids import in_links
from crmbridge.services.workspace import Workspace

SETTLES = timedelta(minutes=1)  # after which a CRM carries out nothing more of what was sent by a process that died
# What nobody can read back: a task is set to the same once more, and nobody is told twice.
_SAID = {
    Action.AMEND: (Outcome.FAILED, "nobody can tell whether it was done, so it is done once more"),
    Action.NOTIFY: (Outcome.APPLIED, "nobody can tell whether it arrived, and it is not sent twice"),
}


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
            receipt = _not_too_soon(workspace, entry, receipt)
            change = _as_made(workspace, entry.change, receipt)
        except CrmbridgeError as error:  # out of reach or not able to say: it stays as it is
            receipt, there = Receipt(change=entry.change.id, outcome=Outcome.UNKNOWN, message=error.message), None
            change = entry.change
        done.append((change, receipt))
        partly += [there] if there else []
    refs = [receipt.ref for _, receipt in done if receipt.ref is not None]
    known, viewers = workspace.store.links.bases(refs), make_viewers(workspace)
    seen = _as_agreed(in_links(workspace, [change for change, _ in done]), known, viewers)
    settle(
        workspace,
        [(change, receipt) for change, (_, receipt) in zip(seen, done, strict=True)],
        run,
        viewers,
        sent={change.id: change for change in (*(change for change, _ in done), *partly)},
        partly=_as_agreed(in_links(workspace, partly), known, viewers),
        known=known,
    )
    return [receipt for _, receipt in done]


def _as_agreed(
    changes: Sequence[Change], known: Mapping[Ref, Mapping[str, Value]], viewers: Mapping[str, Viewer]
) -> list[Change]:
    """Leave out of updates what was agreed on anew while nobody could read them back."""
    return [
        still_open(change, known.get(change.target, {}), viewers[change.connection])
        if change.action is Action.UPDATE and change.target is not None
        else change
        for change in changes
    ]


def _look(workspace: Workspace, change: Change) -> tuple[Receipt, Change | None]:
    """Read back what a change would have left behind; of an update that is there in part, give that part as well."""
    if change.action is Action.UPDATE:
        return _look_at_update(workspace, change)
    if change.action in _SAID:
        outcome, message = _SAID[change.action]
        return Receipt(change=change.id, outcome=outcome, ref=change.target, message=message), None
    if change.creates is Kind.FIGURE:
        said = "whether it is set can't be told, so it is set once more"
        return Receipt(change=change.id, outcome=Outcome.FAILED, message=said), None
    if change.action is Action.ARCHIVE:
        return _look_at_archive(workspace, change), None
    if change.key is None and change.creates is not Kind.DEAL:
        raise RetryLaterError(f"nobody can tell this {change.creates} from another; look for it in {change.connection}")
    found = workspace.adapter(change.connection).find(change.kind, change.key or "", change.target)
    if found is None:
        return Receipt(change=change.id, outcome=Outcome.FAILED, message="read back: it was not done"), None
    return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=found, message="read back: it was done"), None


def _not_too_soon(workspace: Workspace, entry: JournalEntry, receipt: Receipt) -> Receipt:
    """Let what was sent a moment ago stay unclear where a second one could be made of it: it may still arrive."""
    change = entry.change
    keyed = change.action is Action.CREATE and change.creates is Kind.DEAL
    repeatable = change.action in {Action.UPDATE, Action.ARCHIVE, *_SAID} or change.creates is Kind.FIGURE
    if repeatable or receipt.outcome is not Outcome.FAILED:
        return receipt
    if keyed and workspace.adapter(change.connection).capabilities.external_key:
        return receipt
    if workspace.clock.now() - entry.at >= SETTLES:
        return receipt
    said = f"sent less than {SETTLES.total_seconds():.0f} seconds ago, so it may still arrive"
    return replace(receipt, outcome=Outcome.UNKNOWN, message=said)


def _look_at_archive(workspace: Workspace, change: Change) -> Receipt:
    """Read whether a record is gone; a task or note that can't be read is looked for by its marker.

    A deal that is there in another version may have been archived, and brought back by somebody who wants it.
    """
    target = change.target
    if target is None:
        raise TypeError("an archive has a target")
    adapter = workspace.adapter(change.connection)
    if target.kind in adapter.capabilities.kinds:
        record = adapter.read([target]).get(target)
        there = record is not None
        if record is not None and change.origin is Origin.SYNC and record.version != change.expects:
            workspace.store.links.save_bases({target: {BACK: True}})
    else:
        there = adapter.find(target.kind, change.key or "", _where_it_hangs(workspace, target)) is not None
    if there:
        return Receipt(change=change.id, outcome=Outcome.FAILED, ref=target, message="read back: it was not done")
    return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=target, message="read back: it was done")


def _where_it_hangs(workspace: Workspace, target: Ref) -> Ref | None:
    """Give what a task or note that we wrote hangs on."""
    entries = workspace.store.journal.entries()
    return next((e.change.target for e in entries if e.ref == target and e.change.action is not Action.ARCHIVE), None)


def _as_made(workspace: Workspace, change: Change, receipt: Receipt) -> Change:
    """Give a creation as it was made, where parts of it are still missing.

    Some CRMs take several requests to make a deal, and the later ones may never have been sent: that a deal nobody
    touched is not where it should be, or has only some of its contacts, is then nobody's edit.
    """
    if change.action is not Action.CREATE or receipt.ref is None:
        return change
    record = workspace.adapter(change.connection).read([receipt.ref]).get(receipt.ref)
    if record is None:
        return change
    change = replace(change, edits=tuple(_as_far_as_made(edit, record) for edit in change.edits))
    if record.position in {None, change.position} or record.updated_at != record.created_at:
        return change
    stage = make_viewers(workspace)[change.connection].stage(record)
    others = [edit for edit in change.edits if edit.name != STAGE]
    edits = [*others, FieldEdit(STAGE, None, stage)] if stage else others
    return replace(change, position=record.position, edits=tuple(edits))


def _as_far_as_made(edit: FieldEdit, record: Record) -> FieldEdit:
    """Give an edit of a set with the members that are there, if they are a part of what was sent."""
    there = record.fields.get(edit.name) or ()
    if not isinstance(edit.after, tuple) or not isinstance(there, tuple):
        return edit
    return edit._replace(after=there or None) if set(there) < set(edit.after) else edit


def _look_at_update(workspace: Workspace, change: Change) -> tuple[Receipt, Change | None]:
    """Look at what is there now, and at what the last pull brought: what it saw as it was sent has arrived."""
    copies = _copies(workspace, change)
    there = tuple(edit for edit in change.edits if any(_holds(change, edit, copy) for copy in copies))
    if there == change.edits and copies:
        done = Receipt(change=change.id, outcome=Outcome.APPLIED, ref=change.target, message="read back: it was done")
        return done, None
    if not any(_holds_just(change, edit, copy) for edit in there for copy in copies):
        there = ()  # what only looks like forms of what was sent, where the rest is missing, was entered by somebody
    said = ", ".join(edit.name for edit in there)
    message = f"read back: only {said} is known to have arrived" if there else "read back: it was not done"
    receipt = Receipt(change=change.id, outcome=Outcome.FAILED, ref=change.target, message=message)
    if not there:
        return receipt, None
    moved = any(edit.name == STAGE for edit in there)
    return receipt, replace(change, edits=there, position=change.position if moved else None)


def _copies(workspace: Workspace, change: Change) -> list[Record]:
    """Give a record as it is now, and as it was pulled last: plans are made from that copy, and compare it with bases.

    Somebody may have edited it in between. Of anything but a deal only a report's figures are written, which no pull
    brings.
    """
    target = change.target
    if target is None:
        return []
    is_deal = change.kind is Kind.DEAL
    names = None if is_deal else {edit.name for edit in change.edits}
    read = workspace.adapter(change.connection).read([target], fields=names)
    pulled = workspace.store.records.get([target]) if is_deal else {}
    return [found[target] for found in (read, pulled) if target in found]


def _holds(change: Change, edit: FieldEdit, record: Record) -> bool:
    """Tell whether a field holds what was sent, or what its CRM may have made of that; if it can be read at all."""
    if edit.name in record.unreadable:
        return False
    return _holds_just(change, edit, record) or arrived(edit.after, record.fields.get(edit.name), edit.before)


def _holds_just(change: Change, edit: FieldEdit, record: Record) -> bool:
    if edit.name == STAGE and change.position is not None:
        return record.position == change.position
    return same(record.fields.get(edit.name), edit.after)
