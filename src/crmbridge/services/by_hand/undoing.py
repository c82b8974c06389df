"""Undo: a plan that restores what a run changed, except what people changed since, which it lists."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec import Struct

from crmbridge.engine.sameness import altered, same
from crmbridge.engine.views import OWNER, STAGE, Viewer
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import (
    FOUND,
    Action,
    Blocked,
    Cause,
    Change,
    Edited,
    FieldEdit,
    JournalEntry,
    Origin,
    Outcome,
    Plan,
    change_id,
)
from crmbridge.model.edits import edits_between
from crmbridge.model.records import Kind, Position, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value, is_empty, show
from crmbridge.ports import Run
from crmbridge.services.links.gathering import make_viewers
from crmbridge.services.workspace import Workspace

SEARCHED = 10_000  # newest runs among which one is looked for
MOST_SHOWN = 10  # runs named when a text fits several
# How long after we made or changed a record its CRM may still be at it, by rules and requests of its own.
SETTLES = timedelta(minutes=2)
RECORD = "record"  # what is named where it is the whole record that matters
_LAST = {Kind.DEAL: 1, Kind.CONTACT: 2, Kind.COMPANY: 3}  # what hangs on others goes before them


def find_run(workspace: Workspace, text: str) -> Run:
    """Find the run whose id begins with a text; raises ConfigurationError when that is none, or several."""
    found = [run for run in workspace.store.runs.runs(SEARCHED) if run.id.startswith(text)]
    exact = next((run for run in found if run.id == text), None)
    if len(found) == 1 or exact is not None:
        return exact or found[0]
    if found:
        advice = f"Give more of its id: {', '.join(run.id for run in found[:MOST_SHOWN])}"
        raise ConfigurationError(f"{len(found):,} runs begin with {text!r}", advice=advice)
    raise ConfigurationError(f"There is no run {text!r}", advice="`crmbridge history` lists them.")


def plan_undo(workspace: Workspace, run: Run) -> Plan:
    """Plan what restores the records as they were before a run; the CRMs are read, and nothing is written.

    Fields get the values from before, and what was created is archived. What somebody changed since stays and is
    listed, as is what can't be undone from here. Raises the adapters' errors when a CRM can't be read.
    """
    done = _done_by(workspace, run)
    made = {ref for _, ref in done.made}
    touched, wrote = _touched(workspace, made)
    first = _first_copies(workspace, {ref for ref in made if ref.kind is Kind.DEAL})
    scene = _Scene(workspace, run, make_viewers(workspace), _read(workspace, done), touched, wrote, first)
    blocked = [_unclear(entry) for entry in done.unclear]
    changes: list[Change] = []
    going = {ref for ref in made if ref.kind in _LAST}
    for target, entries in done.updates.items():
        if target not in going:
            edits, kept = _restored(scene, target, entries)
            changes += edits
            blocked += kept
    for entry, ref in done.made:
        if entry.change.target not in going:  # what hangs on a record that goes, goes with it
            taken, said = _taken_back(scene, entry, ref)
            changes += taken
            blocked += said
    blocked += [_by_hand(entry) for entry in done.by_hand]
    blocked += [item for entry in done.elsewhere for item in _out_of_reach(entry)]
    changes.sort(key=_place)
    digest = hashlib.sha256("\n".join([run.id, *(change.id for change in changes)]).encode()).hexdigest()[:16]
    return Plan(
        id=digest,
        made_at=workspace.clock.now(),
        settings=workspace.project.digest,
        changes=tuple(changes),
        blocked=tuple(sorted(blocked, key=lambda item: (item.deal, item.name, item.reason))),
    )


@dataclass(kw_only=True)
class _Done:
    """What a run did, by how it can be undone."""

    updates: dict[Ref, list[JournalEntry]] = field(default_factory=lambda: defaultdict(list))
    made: list[tuple[JournalEntry, Ref]] = field(default_factory=list)
    by_hand: list[JournalEntry] = field(default_factory=list)
    unclear: list[JournalEntry] = field(default_factory=list)
    elsewhere: list[JournalEntry] = field(default_factory=list)  # in connections that the settings have no more


class _Scene(Struct, frozen=True):
    workspace: Workspace
    run: Run
    viewers: Mapping[str, Viewer]
    now: Mapping[Ref, Record | None]  # of those that can be read; None: it is gone
    touched: Mapping[Ref, datetime]  # when a run last wrote to what this one made
    wrote: Mapping[Ref, Mapping[str, Value]]  # what runs wrote to that in the end
    first: Mapping[Ref, Record]  # the deals that this one made, as they were when they were first read


def _done_by(workspace: Workspace, run: Run) -> _Done:
    """Sort what a run intended by what became of it, as far as that is known by now."""
    entries = list(workspace.store.journal.entries(run.id))
    intents = {entry.change.id: entry for entry in entries if entry.outcome is None}
    ended = {entry.change.id: entry for entry in entries if entry.outcome is not None}
    open_ = [id_ for id_ in intents if id_ not in ended or ended[id_].outcome is Outcome.UNKNOWN]
    ended |= workspace.store.journal.outcomes(open_)  # a later run may have read back what became of it
    done = _Done()
    for id_, intent in intents.items():
        entry = ended.get(id_)
        known = intent.change.connection in workspace.connections
        if entry is None or entry.outcome is Outcome.UNKNOWN:
            (done.unclear if known else done.elsewhere).append(intent)
        elif entry.outcome is Outcome.APPLIED and known:
            _sort_in(done, entry)
        elif entry.outcome is Outcome.APPLIED and _wrote(entry):
            done.elsewhere.append(entry)
    return done


def _sort_in(done: _Done, entry: JournalEntry) -> None:
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


def _read(workspace: Workspace, done: _Done) -> dict[Ref, Record | None]:
    """Read everything that is to be undone as it is now; tasks and notes that can't be read are looked for."""
    by_connection: dict[str, set[Ref]] = defaultdict(set)
    for ref in (*done.updates, *(ref for _, ref in done.made)):
        if ref.kind in workspace.adapter(ref.connection).capabilities.kinds:
            by_connection[ref.connection].add(ref)
    now: dict[Ref, Record | None] = {}
    for connection, refs in by_connection.items():
        records = workspace.adapter(connection).read(sorted(refs))
        now |= {ref: records.get(ref) for ref in refs}
    for entry, ref in done.made:
        if ref not in now:
            there = workspace.adapter(ref.connection).find(ref.kind, entry.change.key or "", entry.change.target)
            now |= {} if there else {ref: None}
    return now


# ── Updates ─────────────────────────────────────────────────────────────────────────────────────────────


def _restored(scene: _Scene, target: Ref, entries: Sequence[JournalEntry]) -> tuple[list[Change], list[Blocked]]:
    """Restore the fields of one record that still hold what the run wrote."""
    record = scene.now.get(target)
    if record is None:
        return [], [_changed(scene, target, RECORD, "it is gone from its CRM since", {})]
    edits: list[FieldEdit] = []
    blocked: list[Blocked] = []
    position: Position | None = None
    for name, (before, after) in _net(entries).items():
        if name == STAGE:
            moved = _moved_back(entries, record)
            if isinstance(moved, Position):
                position = moved
                edits.append(FieldEdit(STAGE, after, before))
            elif moved:
                values = {target.connection: scene.viewers[target.connection].stage(record)}
                blocked.append(_changed(scene, target, STAGE, moved, _both(values, before, after)))
            continue
        if name in record.unreadable:
            blocked.append(_stays(scene, record, FieldEdit(name, before, after), "it can't be read any more"))
            continue
        now = record.fields.get(name)
        if same(now, before):
            continue
        if _holds(now, after):
            edits.append(FieldEdit(name, now, before))
        else:
            blocked.append(_stays(scene, record, FieldEdit(name, before, after), "it was changed since the run"))
    if not edits:
        return [], blocked
    edits.sort(key=lambda edit: edit.name)
    parts = (_WORD, scene.run.id, str(target), record.version)
    change = Change(
        id=change_id(Action.UPDATE, target.connection, *parts, edits=tuple(edits)),
        action=Action.UPDATE,
        origin=Origin.UNDO,
        connection=target.connection,
        target=target,
        edits=tuple(edits),
        reason=f"undoes the run {scene.run.id}",
        position=position,
        position_before=record.position if position else None,
        expects=record.version,
    )
    return [change], blocked


_WORD = "undo"  # keeps the ids of these changes apart from those of sync


def _net(entries: Iterable[JournalEntry]) -> dict[str, tuple[Value, Value]]:
    """Give each field's value before the first and after the last of these changes."""
    net: dict[str, tuple[Value, Value]] = {}
    for entry in entries:
        for edit in entry.change.edits:
            net[edit.name] = (net.get(edit.name, (edit.before, None))[0], edit.after)
    return net


def _moved_back(entries: Sequence[JournalEntry], record: Record) -> Position | str:
    """Give the position to go back to; else why that can't be, or nothing when the deal stands there already."""
    moves = [entry.change for entry in entries if entry.change.position is not None]
    before, after = moves[0].position_before, moves[-1].position
    if record.position == before:
        return ""
    if record.position != after:
        return "it was moved since the run"
    return before or "where it stood before is not known"


def _stays(scene: _Scene, record: Record, wrote: FieldEdit, why: str) -> Blocked:
    """Say why a field is not restored, with what it holds now and what the run wrote."""
    target, now = record.ref, record.fields.get(wrote.name)
    called = scene.viewers[target.connection].users if wrote.name == OWNER else {}
    shown = {target.connection: called.get(str(now), now) if now is not None else None}
    both = _both(shown, called.get(str(wrote.before), wrote.before), called.get(str(wrote.after), wrote.after))
    return _changed(scene, target, wrote.name, why, both)


def _both(now: Mapping[str, Value], before: Value, after: Value) -> dict[str, Value]:
    """Give what a field holds now, what the run wrote, and what it replaced."""
    return {**now, "the run wrote": after, "before it": before}


def _holds(now: Value, written: Value) -> bool:
    """Tell whether a field holds what was written, or what its CRM made of that, such as fewer decimal places."""
    return same(now, written) or altered(written, now)


# ── What was made ───────────────────────────────────────────────────────────────────────────────────────


def _taken_back(scene: _Scene, entry: JournalEntry, ref: Ref) -> tuple[list[Change], list[Blocked]]:
    """Archive what a run made, unless it is gone by now or somebody edited it since."""
    record = scene.now.get(ref)
    if ref in scene.now and record is None:
        return [], []
    if Action.ARCHIVE not in scene.workspace.adapter(ref.connection).capabilities.actions:
        reason = f"{ref.connection} archives nothing that crmbridge asks for; delete it there by hand"
        return [], [Blocked(link="", deal=ref, name=RECORD, reason=reason, cause=Cause.DELETE)]
    if record is not None and (why := _edited_since(scene, entry, record)):
        return [], [_changed(scene, ref, RECORD, why, {})]
    change = Change(
        id=change_id(Action.ARCHIVE, ref.connection, _WORD, scene.run.id, str(ref), record.version if record else ""),
        action=Action.ARCHIVE,
        origin=Origin.UNDO,
        connection=ref.connection,
        target=ref,
        edits=_what_goes(entry.change),
        reason=f"undoes the run {scene.run.id}, which made it",
        key=entry.change.key,
        expects=record.version if record else None,
    )
    return [change], []


def _what_goes(made: Change) -> tuple[FieldEdit, ...]:
    """Give the field by which people know a record that is archived."""
    names = ("name", "subject", "body", "email")
    return next(((FieldEdit(n, made.after[n], None),) for n in names if not is_empty(made.after.get(n))), ())


def _edited_since(scene: _Scene, entry: JournalEntry, record: Record) -> str:
    """Say how a record is not as it was made; nothing when it is."""
    written = entry.change.after if record.ref.kind in _LAST else {}
    differing = sorted(name for name, value in written.items() if not _holds(record.fields.get(name), value))
    if record.position is not None and entry.change.position not in {None, record.position}:
        differing.append(STAGE)
    differing += _edited_apart(scene, record, written)
    if differing:
        return f"its {', '.join(differing)} changed since the run made it"
    # By the CRM's own clock: what we wrote to it later, such as a task, may have touched it as well.
    ours = scene.touched.get(record.ref, entry.at) - entry.at
    started = record.created_at or entry.at
    if record.updated_at > started + ours + SETTLES:
        return f"it was edited on {show(record.updated_at)}, since the run made it"
    return ""


def _edited_apart(scene: _Scene, record: Record, written: Mapping[str, Value]) -> list[str]:
    """Name the fields that hold neither what a deal had when it was first read nor what we wrote to it later.

    Of those it was made with, `written`, nothing is said. When it was last edited does not tell: as we wrote to it
    after a person did, it is our own time that its CRM shows.
    """
    first, wrote = scene.first.get(record.ref), scene.wrote.get(record.ref, {})
    edits = edits_between(first, record) if first is not None else ()
    ours = {*written, STAGE} | {name for name, value in wrote.items() if _holds(record.fields.get(name), value)}
    return [edit.field for edit in edits if edit.field not in ours]


# ── What stays ──────────────────────────────────────────────────────────────────────────────────────────


def _changed(scene: _Scene, ref: Ref, name: str, why: str, values: Mapping[str, Value]) -> Blocked:
    record = scene.now.get(ref)
    edited = {ref.connection: Edited(record.updated_at, record.updated_by)} if record else {}
    reason = f"{why}, so it stays as it is"
    return Blocked(link="", deal=ref, name=name, reason=reason, values=values, cause=Cause.CHANGED, edited=edited)


def _unclear(entry: JournalEntry) -> Blocked:
    change = entry.change
    return Blocked(
        link=change.link or "",
        deal=change.target or Ref(change.connection, change.kind, ""),
        name=", ".join(edit.name for edit in change.edits) or RECORD,
        reason=f"nobody knows yet whether this {change.action} was done, so it is not undone; the next run reads back",
        cause=Cause.UNCLEAR,
    )


def _by_hand(entry: JournalEntry) -> Blocked:
    """Say what has to be undone in the CRM itself."""
    change = entry.change
    if change.action is Action.ARCHIVE:
        reason = f"the run archived it; restore it in the recycle bin of {change.connection}"
    elif change.action is Action.FIELD:
        reason = f"crmbridge takes no field away; remove it in the settings of {change.connection} if nothing uses it"
    elif change.action is Action.AMEND:
        reason = f"the run changed the task; change it back in {change.connection} if that is still wanted"
    else:
        reason = f"the CRM did not say what it made; look for it in {change.connection}"
    ref = change.target or Ref(change.connection, change.kind, change.key or "")
    return Blocked(link="", deal=ref, name=RECORD, reason=reason, cause=Cause.DELETE)


def _out_of_reach(entry: JournalEntry) -> list[Blocked]:
    """Say what a run wrote by a connection that the settings don't have any more: field by field of an update."""
    change, where = entry.change, entry.change.connection
    ref = change.target if change.action is Action.UPDATE else entry.ref or change.target
    edits = [(e.name, _both({}, e.before, e.after)) for e in change.edits] if change.action is Action.UPDATE else []
    reason = f"the settings have no connection {where} any more; write it there again, or restore it by hand"
    ref = ref or Ref(where, change.kind, change.key or "")
    return [
        Blocked(link="", deal=ref, name=name, reason=reason, values=values, cause=Cause.CHANGED)
        for name, values in edits or [(RECORD, {})]
    ]


def _place(change: Change) -> tuple[str, bool, int, str, str]:
    kind = change.target.kind if change.target else Kind.DEAL
    archives = change.action is Action.ARCHIVE
    return change.connection, archives, _LAST.get(kind, 0) if archives else 0, str(change.target), change.id
