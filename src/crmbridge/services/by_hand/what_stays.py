"""What of a run is not undone, and why, in words for whoever has to look at it."""

from __future__ import annotations

from collections.abc import Mapping

from crmbridge.engine.views import OWNER
from crmbridge.model.changes import Action, Blocked, Cause, Edited, FieldEdit, JournalEntry
from crmbridge.model.records import Record, Ref
from crmbridge.model.values import Value
from crmbridge.services.by_hand.what_was_done import Scene

RECORD = "record"  # what is named where it is the whole record that matters


def changed(scene: Scene, ref: Ref, name: str, why: str, values: Mapping[str, Value]) -> Blocked:
    """Say that something is not as the run left it, by whom and when it was edited last, and that it stays so."""
    record = scene.now.get(ref)
    edited = {ref.connection: Edited(record.updated_at, record.updated_by)} if record else {}
    reason = f"{why}, so it stays as it is"
    return Blocked(link="", deal=ref, name=name, reason=reason, values=values, cause=Cause.CHANGED, edited=edited)


def unclear(entry: JournalEntry) -> Blocked:
    """Say that nobody can undo what nobody knows to be done."""
    change = entry.change
    return Blocked(
        link=change.link or "",
        deal=change.target or Ref(change.connection, change.kind, ""),
        name=", ".join(edit.name for edit in change.edits) or RECORD,
        reason="nobody knows yet whether this was done, so it is not undone; the next run reads back",
        cause=Cause.UNCLEAR,
    )


def by_hand(entry: JournalEntry) -> Blocked:
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


def out_of_reach(entry: JournalEntry, shut: Mapping[str, str]) -> list[Blocked]:
    """Say what a run wrote by a connection that can't be used now: field by field of an update.

    The settings don't have it any more, or it can't be opened or read, for which `shut` has what is wrong.
    """
    change, where = entry.change, entry.change.connection
    ref = change.target if change.action is Action.UPDATE else entry.ref or change.target
    edits = [(e.name, both({}, e.before, e.after)) for e in change.edits] if change.action is Action.UPDATE else []
    reason = f"the settings have no connection {where} any more; write it there again, or restore it by hand"
    if where in shut:
        reason = f"{where} {shut[where]}"
    ref = ref or Ref(where, change.kind, change.key or "")
    return [
        Blocked(link="", deal=ref, name=name, reason=reason, values=values, cause=Cause.CHANGED)
        for name, values in edits or [(RECORD, {})]
    ]


def stays(scene: Scene, record: Record, wrote: FieldEdit, why: str) -> Blocked:
    """Say why a field is not restored, with what it holds now and what the run wrote."""
    target, now = record.ref, record.fields.get(wrote.name)
    called = scene.viewers[target.connection].users if wrote.name == OWNER else {}
    shown = {target.connection: called.get(str(now), now) if now is not None else None}
    before, after = (called.get(str(value), value) for value in (wrote.before, wrote.after))
    return changed(scene, target, wrote.name, why, both(shown, before, after))


def both(now: Mapping[str, Value], before: Value, after: Value) -> dict[str, Value]:
    """Give what a field holds now, what the run wrote, and what it replaced."""
    return {**now, "the run wrote": after, "before it": before}
