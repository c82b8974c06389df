"""What a run did, by how it can be undone, and how the records that it wrote to are now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from crmbridge.engine.views import STAGE, Viewer
from crmbridge.errors import ConfigurationError, CrmbridgeError
from crmbridge.model.changes import FOUND, Action, JournalEntry, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Run
from crmbridge.services.links.gathering import make_viewers
from crmbridge.services.workspace import Workspace


@dataclass(kw_only=True)
class Done:
    """What a run did, by how it can be undone."""

    updates: dict[Ref, list[JournalEntry]] = field(default_factory=lambda: defaultdict(list))
    made: list[tuple[JournalEntry, Ref]] = field(default_factory=list)
    by_hand: list[JournalEntry] = field(default_factory=list)
    unclear: list[JournalEntry] = field(default_factory=list)
    elsewhere: list[JournalEntry] = field(default_factory=list)  # in connections that can't be used now
    shut: dict[str, str] = field(default_factory=dict)  # of these, what is wrong with some that the settings have

    def leave_out(self, connection: str, why: str) -> None:
        """Put what was done in a connection elsewhere."""
        self.shut[connection] = why
        gone = [ref for ref in self.updates if ref.connection == connection]
        self.elsewhere += [entry for ref in gone for entry in self.updates.pop(ref)]
        self.elsewhere += [entry for entry, ref in self.made if ref.connection == connection]
        self.made = [(entry, ref) for entry, ref in self.made if ref.connection != connection]


class Scene(Struct, frozen=True):
    """How what a run wrote to is now, and what was written and edited there since."""

    workspace: Workspace
    run: Run
    viewers: Mapping[str, Viewer]
    now: Mapping[Ref, Record | None]  # of those that can be read; None: it is gone
    touched: Mapping[Ref, datetime]  # when a run last wrote to what this one made
    wrote: Mapping[Ref, Mapping[str, Value]]  # what runs wrote to that in the end
    first: Mapping[Ref, Record]  # the deals that this one made, as they were when they were first read


def look_at(workspace: Workspace, run: Run, done: Done) -> Scene:
    """Read how everything is now that a run did; what is in a CRM that can't be read is put elsewhere.

    Raises the adapter's error where that is all of it.
    """
    now = _read(workspace, done)
    made = {ref for _, ref in done.made}
    touched, wrote = _touched(workspace, made)
    first = _first_copies(workspace, {ref for ref in made if ref.kind is Kind.DEAL})
    return Scene(workspace, run, make_viewers(workspace), now, touched, wrote, first)


def done_by(workspace: Workspace, run: Run) -> Done:
    """Sort what a run intended by what became of it, as far as that is known by now."""
    entries = list(workspace.store.journal.entries(run.id))
    intents = {entry.change.id: entry for entry in entries if entry.outcome is None}
    ended = {entry.change.id: entry for entry in entries if entry.outcome is not None}
    open_ = [id_ for id_ in intents if id_ not in ended or ended[id_].outcome is Outcome.UNKNOWN]
    # A later run may have read back what became of it; that the same failed in an earlier one says nothing.
    last = workspace.store.journal.outcomes(open_)
    ended |= {id_: entry for id_, entry in last.items() if entry.seq > intents[id_].seq}
    done = Done(shut=_shut(workspace, {intent.change.connection for intent in intents.values()}))
    for id_, intent in intents.items():
        entry = ended.get(id_)
        known = intent.change.connection in workspace.connections and intent.change.connection not in done.shut
        if entry is None or entry.outcome is Outcome.UNKNOWN:
            (done.unclear if known else done.elsewhere).append(intent)
        elif entry.outcome is Outcome.APPLIED and known:
            _sort_in(done, entry)
        elif entry.outcome is Outcome.APPLIED and _wrote(entry):
            done.elsewhere.append(entry)
    return done


def _shut(workspace: Workspace, connections: Collection[str]) -> dict[str, str]:
    """Say which of these connections can't be opened, as when a secret is missing, and why; the others go on."""
    found: dict[str, str] = {}
    for name in sorted(connections):
        if name in workspace.connections:
            try:
                workspace.adapter(name)
            except ConfigurationError as error:
                found[name] = f"can't be opened: {_said(name, error)}; mend that, and undo the run again"
    return found


def _sort_in(done: Done, entry: JournalEntry) -> None:
    change = entry.change
    if change.action is Action.UPDATE and change.target is not None:
        done.updates[change.target].append(entry)
    elif not _wrote(entry):
        return
    elif change.action in {Action.CREATE, Action.TASK, Action.NOTE} and entry.ref is not None:
        done.made.append((entry, entry.ref))
    else:
        done.by_hand.append(entry)


def _wrote(entry: JournalEntry) -> bool:
    """Tell whether a change can be taken back: it made something, and nobody was told, which can't be."""
    return not entry.message.startswith(FOUND) and entry.change.action is not Action.NOTIFY


def _touched(workspace: Workspace, refs: Collection[Ref]) -> tuple[dict[Ref, datetime], dict[Ref, dict[str, Value]]]:
    """Find out when any run last wrote to these records, and what their fields were given last."""
    at: dict[Ref, datetime] = {}
    wrote: dict[Ref, dict[str, Value]] = defaultdict(dict)
    for entry in workspace.store.journal.entries() if refs else ():
        if entry.outcome is Outcome.APPLIED:
            change = entry.change
            at |= {ref: entry.at for ref in (change.target, entry.ref) if ref in refs and ref}
            if change.action is Action.UPDATE and change.target in refs and change.target:
                wrote[change.target] |= change.after
    return at, wrote


def _first_copies(workspace: Workspace, deals: Collection[Ref]) -> dict[Ref, Record]:
    """Give deals as they were when they were first read: as we hold them, but for the edits that were seen."""
    records = workspace.store.records
    edits = records.edits_for(deals)
    first = {}
    for ref, record in records.get(deals).items():
        before = {edit.field: edit.before for edit in reversed(edits.get(ref, ())) if edit.field != STAGE}
        first[ref] = replace(record, fields={**record.fields, **before})
    return first


def _read(workspace: Workspace, done: Done) -> dict[Ref, Record | None]:
    """Read everything that is to be undone as it is now, of the connections that can be read."""
    now: dict[Ref, Record | None] = {}
    connections = sorted({ref.connection for ref in (*done.updates, *(ref for _, ref in done.made))})
    failed: list[CrmbridgeError] = []
    for name in connections:
        try:
            now |= _read_of(workspace, done, name)
        except CrmbridgeError as error:
            failed.append(error)
            done.leave_out(name, f"can't be read now: {_said(name, error)}; undo the run again once it can")
    if failed and len(failed) == len(connections):
        raise failed[0]
    return now


def _read_of(workspace: Workspace, done: Done, connection: str) -> dict[Ref, Record | None]:
    """Read what is to be undone in one connection; tasks and notes that can't be read are looked for."""
    adapter = workspace.adapter(connection)
    made = [(entry, ref) for entry, ref in done.made if ref.connection == connection]
    refs = {ref for ref in (*done.updates, *(ref for _, ref in made)) if ref.connection == connection}
    known = sorted(ref for ref in refs if ref.kind in adapter.capabilities.kinds)
    records = adapter.read(known) if known else {}
    now: dict[Ref, Record | None] = {ref: records.get(ref) for ref in known}
    for entry, ref in made:
        if ref not in now:
            there = adapter.find(ref.kind, entry.change.key or "", entry.change.target)
            now |= {} if there else {ref: None}
    return now


def _said(connection: str, error: CrmbridgeError) -> str:
    return error.message.removeprefix(f"{connection}: ")
