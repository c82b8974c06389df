"""Settle: journal what became of changes, with all that follows from it for bases, links and the records we hold."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from itertools import groupby

from crmbridge.engine.sync.deleting import HAD, with_lost
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.engine.sync.sameness import altered
from crmbridge.engine.views import Viewer
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, Change, Origin, Outcome, Receipt
from crmbridge.model.records import Kind, Record, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Page
from crmbridge.services.links.apart import apart
from crmbridge.services.links.bases import MADE, bases_after, bases_of_refused
from crmbridge.services.links.gathering import make_viewers
from crmbridge.services.links.given import note_given
from crmbridge.services.workspace import Workspace


def settle(
    workspace: Workspace,
    done: Sequence[tuple[Change, Receipt]],
    run: str,
    viewers: Mapping[str, Viewer] | None = None,
    *,
    sent: Mapping[str, Change] | None = None,
    partly: Sequence[Change] = (),
    known: Mapping[Ref, Mapping[str, Value]] | None = None,
) -> None:
    """Journal outcomes with the bases that follow from them, and bring links and records up to date.

    `sent` has the changes as they were sent, where they are planned in links. `partly` are the parts that are there of
    updates that are not there as a whole: they are nobody's later edits. `known` has bases that are newer than a
    creation which is only now found out about.
    Records are what the next pull would bring as well; the journal and the bases are not.
    """
    if not done:
        return
    viewers = viewers or make_viewers(workspace)
    store = workspace.store
    applied = [(change, receipt) for change, receipt in done if receipt.outcome is Outcome.APPLIED]
    updated = [change for change, _ in applied if change.action is Action.UPDATE]
    created = _still_theirs(
        workspace, [(c, receipt.ref) for c, receipt in applied if c.action is Action.CREATE and receipt.ref]
    )
    archived = [change for change, _ in applied if change.action is Action.ARCHIVE]
    written = [(change, change.target) for change in (*updated, *partly, *archived) if change.target] + created
    _link(workspace, created)  # first, so that a deal that was created is known as linked wherever the process dies
    bases = bases_after(viewers, written)
    for _, ref in created:
        bases[ref] = {**bases.get(ref, {}), **(known or {}).get(ref, {})}
    refused = [_blamed(change, receipt) for change, receipt in done if receipt.outcome is Outcome.REFUSED]
    for ref, marks in bases_of_refused(viewers, refused).items():
        bases[ref] = {**bases.get(ref, {}), **marks}
    store.journal.settle(run, [receipt for _, receipt in done], bases, workspace.clock.now())
    # A report's figures are in fields that are not pulled.
    there = [change for change in (*updated, *partly) if change.origin is not Origin.REPORT]
    _keep(workspace, [(sent or {}).get(change.id, change) for change in there])
    _bury(workspace, [change.target for change in archived if change.target])
    read = _read_created(workspace, [ref for _, ref in created])
    made = {change.link: ref for change, ref in created if change.link and bases[ref].get(MADE)}
    note_given(workspace, made, read, viewers)


def _keep(workspace: Workspace, updated: Sequence[Change]) -> None:
    """Bring the records that we hold up to date with what was just written to them."""
    records = workspace.store.records.get([change.target for change in updated if change.target])
    written = [_as_written(records[c.target], c) for c in updated if c.target in records]
    workspace.store.records.put(written, workspace.clock.now())


def _as_written(record: Record, change: Change) -> Record:
    """Give the record that we hold, with what was just written to it.

    A newer copy than the one that it was written to may show already what the CRM made of it, which is not told again.
    """
    newer = change.expects not in {None, record.version}
    values = {n: v for n, v in change.after.items() if not (newer and altered(v, record.fields.get(n)))}
    return replace(record, fields={**record.fields, **values}, position=change.position or record.position)


def _bury(workspace: Workspace, refs: Sequence[Ref]) -> None:
    """Note that records are gone that were just archived; those of a kind that is never pulled are not held."""
    records, now = workspace.store.records, workspace.clock.now()
    for (connection, kind), group in groupby(sorted(refs), key=lambda ref: (ref.connection, ref.kind)):
        cursor = records.cursors(connection).get(kind)
        if cursor is not None:
            gone = tuple(Tombstone(ref=ref, at=now) for ref in group)
            records.save_page(connection, kind, Page(tombstones=gone, cursor=cursor), now)


def _blamed(change: Change, receipt: Receipt) -> Change:
    """Give of an update that was refused what the CRM named as wrong; all of it where it named nothing of that."""
    named = tuple(edit for edit in change.edits if edit.name in receipt.blamed)
    return replace(change, edits=named) if named else change


def _still_theirs(workspace: Workspace, created: Sequence[tuple[Change, Ref]]) -> list[tuple[Change, Ref]]:
    """Leave out what was found to be there, and stands in another link, or was told apart from this one meanwhile.

    A deal has left the link that it was made for, so what is made in its place is another creation.
    """
    links, refs = workspace.store.links, [ref for _, ref in created]
    owned, told = (links.of(refs), apart(workspace, refs)) if refs else ({}, {})
    members = links.get({change.link for change, ref in created if change.link and ref in told})
    lost: dict[Ref, str] = {}
    for change, ref in created:
        those = told.get(ref, frozenset()).intersection(map(str, members.get(change.link or "", ())))
        if change.link and (owned.get(ref, change.link) != change.link or those):
            lost[ref] = change.link
    left = {ref: decided_ref(link) for ref, link in lost.items() if ref.kind is Kind.DEAL}
    known = links.bases(list(left.values())) if left else {}
    links.save_bases({own: {HAD: with_lost(known.get(own, {}), [ref])} for ref, own in left.items()})
    return [(change, ref) for change, ref in created if ref not in lost]


def _link(workspace: Workspace, created: Sequence[tuple[Change, Ref]]) -> None:
    """Link records that were just created to the ones they were created for.

    One that was only now found to be there stays out where a person, or `match`, has put another in its place.
    """
    links = workspace.store.links.get({change.link for change, _ in created if change.link})
    there = workspace.store.records.get([ref for refs in links.values() for ref in refs]) if links else {}
    taken = {(link, ref.connection): ref for link, refs in links.items() for ref in refs if ref in there}
    longer: dict[str, tuple[Ref, ...]] = {}
    for change, ref in created:
        if change.link and taken.get((change.link, ref.connection), ref) == ref:
            longer[change.link] = (*longer.get(change.link, links.get(change.link, ())), ref)
    if longer:
        workspace.store.links.save({link: tuple(dict.fromkeys(refs)) for link, refs in longer.items()})


def _read_created(workspace: Workspace, refs: Sequence[Ref]) -> Mapping[Ref, Record]:
    """Read records that were just created as the CRM keeps them, as far as it can be reached."""
    refs = [ref for ref in refs if ref.kind is not Kind.FIGURE]  # nobody reads these back
    read: Mapping[Ref, Record] = {}
    if refs:
        with contextlib.suppress(CrmbridgeError):  # the next pull brings them
            read = workspace.adapter(refs[0].connection).read(refs)
            workspace.store.records.put(list(read.values()))
    return read
