"""Undo: a plan that restores what a run changed, except what people changed since, which it lists."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from crmbridge.engine.sync.sameness import altered, same
from crmbridge.engine.views import STAGE
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import (
    Action,
    Blocked,
    Cause,
    Change,
    FieldEdit,
    JournalEntry,
    Origin,
    Plan,
    change_id,
)
from crmbridge.model.edits import edits_between
from crmbridge.model.records import Kind, Position, Record, Ref
from crmbridge.model.values import Value, is_empty, show
from crmbridge.ports import Run
from crmbridge.services.by_hand.what_stays import RECORD, both, by_hand, changed, out_of_reach, stays, unclear
from crmbridge.services.by_hand.what_was_done import Scene, done_by, look_at
from crmbridge.services.workspace import Workspace

SEARCHED = 10_000  # newest runs that an id's start may mean
MOST_SHOWN = 10  # runs named when a text fits several
# How long after we made or changed a record its CRM may still be at it, by rules and requests of its own.
SETTLES = timedelta(minutes=2)
_LAST = {Kind.DEAL: 1, Kind.CONTACT: 2, Kind.COMPANY: 3}  # what hangs on others goes before them


def find_run(workspace: Workspace, text: str) -> Run:
    """Find the run whose id begins with a text; raises ConfigurationError when that is none, or several."""
    found = workspace.store.runs.runs(SEARCHED, text)
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
    listed, as is what can't be undone from here. Raises the adapter's error when none of the CRMs can be read.
    """
    done = done_by(workspace, run)
    scene = look_at(workspace, run, done)
    blocked = [unclear(entry) for entry in done.unclear]
    changes: list[Change] = []
    going = {ref for _, ref in done.made if ref.kind in _LAST}
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
    blocked += [by_hand(entry) for entry in done.by_hand]
    blocked += [item for entry in done.elsewhere for item in out_of_reach(entry, done.shut)]
    changes.sort(key=_place)
    digest = hashlib.sha256("\n".join([run.id, *(change.id for change in changes)]).encode()).hexdigest()[:16]
    return Plan(
        id=digest,
        made_at=workspace.clock.now(),
        settings=workspace.project.digest,
        changes=tuple(changes),
        blocked=tuple(sorted(blocked, key=lambda item: (item.deal, item.name, item.reason))),
    )


# ── Updates ─────────────────────────────────────────────────────────────────────────────────────────────


def _restored(scene: Scene, target: Ref, entries: Sequence[JournalEntry]) -> tuple[list[Change], list[Blocked]]:
    """Restore the fields of one record that still hold what the run wrote."""
    record = scene.now.get(target)
    if record is None:
        return [], [changed(scene, target, RECORD, "it is gone from its CRM since", {})]
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
                blocked.append(changed(scene, target, STAGE, moved, both(values, before, after)))
            continue
        if name in record.unreadable:
            blocked.append(stays(scene, record, FieldEdit(name, before, after), "it can't be read any more"))
            continue
        now = record.fields.get(name)
        if same(now, before):
            continue
        if _holds(now, after):
            edits.append(FieldEdit(name, now, before))
        else:
            blocked.append(stays(scene, record, FieldEdit(name, before, after), "it was changed since the run"))
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


def _holds(now: Value, written: Value) -> bool:
    """Tell whether a field holds what was written, or what its CRM made of that, such as fewer decimal places."""
    return same(now, written) or altered(written, now)


# ── What was made ───────────────────────────────────────────────────────────────────────────────────────


def _taken_back(scene: Scene, entry: JournalEntry, ref: Ref) -> tuple[list[Change], list[Blocked]]:
    """Archive what a run made, unless it is gone by now or somebody edited it since."""
    record = scene.now.get(ref)
    if ref in scene.now and record is None:
        return [], []
    if Action.ARCHIVE not in scene.workspace.adapter(ref.connection).capabilities.actions:
        reason = f"{ref.connection} archives nothing that crmbridge asks for; delete it there by hand"
        return [], [Blocked(link="", deal=ref, name=RECORD, reason=reason, cause=Cause.DELETE)]
    if record is not None and (why := _edited_since(scene, entry, record)):
        return [], [changed(scene, ref, RECORD, why, {})]
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


def _edited_since(scene: Scene, entry: JournalEntry, record: Record) -> str:
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


def _edited_apart(scene: Scene, record: Record, written: Mapping[str, Value]) -> list[str]:
    """Name the fields that hold neither what a deal had when it was first read nor what we wrote to it later.

    Of those it was made with, `written`, nothing is said. When it was last edited does not tell: as we wrote to it
    after a person did, it is our own time that its CRM shows.
    """
    first, wrote = scene.first.get(record.ref), scene.wrote.get(record.ref, {})
    edits = edits_between(first, record) if first is not None else ()
    ours = {*written, STAGE} | {name for name, value in wrote.items() if _holds(record.fields.get(name), value)}
    return [edit.field for edit in edits if edit.field not in ours]


def _place(change: Change) -> tuple[str, bool, int, str, str]:
    kind = change.target.kind if change.target else Kind.DEAL
    archives = change.action is Action.ARCHIVE
    return change.connection, archives, _LAST.get(kind, 0) if archives else 0, str(change.target), change.id
