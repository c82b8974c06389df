"""Turning what sync and enforcement want into one plan: ordered, with stable ids, nothing doubled."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from crmbridge.engine.matching import external_key
from crmbridge.engine.merge import Merged
from crmbridge.engine.views import OWNER, SHARED, STAGE, Viewer
from crmbridge.model.changes import (
    Action,
    Blocked,
    Change,
    FieldEdit,
    JournalEntry,
    Origin,
    Outcome,
    Plan,
    change_id,
    edits_of,
)
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import Value, show

AGAIN = {Outcome.FAILED, Outcome.STALE}  # it did not happen, so it may be planned again
ORDER = {Action.FIELD: -1, Action.UPDATE: 0, Action.CREATE: 1, Action.TASK: 2, Action.NOTE: 3}


def sync_updates(
    link: str, merged: Merged, deals: Mapping[Ref, Record], viewers: Mapping[str, Viewer]
) -> tuple[list[Change], list[Blocked]]:
    """Turn the edits of one merged link into updates; a field that a side can't hold is blocked alone."""
    changes: list[Change] = []
    blocked = list(merged.blocked)
    for ref, edits in merged.edits.items():
        viewer, deal = viewers[ref.connection], deals[ref]
        kept: list[FieldEdit] = []
        position = None
        for edit in edits:
            native = viewer.native(edit, deal)
            if edit.name == STAGE:
                position = viewer.position(edit.after, deal.position)
            if native is None or (edit.name == STAGE and position is None):
                blocked.append(_no_counterpart(link, ref, edit))
            else:
                kept.append(native)
        if kept:
            reason = "; ".join(merged.reasons[ref])
            changes.append(
                _change(
                    Change(
                        id="",
                        action=Action.UPDATE,
                        origin=Origin.SYNC,
                        connection=ref.connection,
                        target=ref,
                        edits=tuple(kept),
                        reason=reason,
                        position=position,
                        position_before=deal.position if position else None,
                        expects=deal.version,
                        link=link,
                    )
                )
            )
    return changes, blocked


def create_counterpart(
    deal: Record, view: Mapping[str, Value], *, link: str, target: Viewer, connection: str, company: Ref | None
) -> tuple[Change | None, list[Blocked]]:
    """Plan the creation of an open deal's counterpart in another connection, with the key of their link.

    Fields that the other connection does not have are left out, and so is an owner without a user there. Nothing is
    planned for a deal whose stage has no counterpart there.
    """
    values = {name: view[name] for name in (*SHARED, *target.fields) if view.get(name) is not None}
    edits = edits_of({}, values)
    stage = view.get(STAGE)
    position = target.position(str(stage), None) if stage else None
    if position is None or position.status is not Status.OPEN:
        edit = FieldEdit(STAGE, None, str(stage) if stage else None)
        return None, [_no_counterpart(link, Ref(connection, Kind.DEAL, ""), edit)]
    owner = target.native(FieldEdit(OWNER, None, view[OWNER])) if view.get(OWNER) else None
    extra = (FieldEdit("company", None, company.id),) if company else ()
    change = Change(
        id="",
        action=Action.CREATE,
        origin=Origin.SYNC,
        connection=connection,
        target=None,
        edits=(*edits, *extra, *((owner,) if owner else ()), FieldEdit(STAGE, None, str(stage))),
        reason=f"{deal.ref} has no counterpart in {connection}",
        position=position,
        key=external_key(link),
        link=link,
    )
    return replace(change, id=change_id(Action.CREATE, connection, link, edits=change.edits)), []


def _change(change: Change) -> Change:
    """Give an update its id. The version it expects is part of it: the same edit made again later is another change."""
    target = change.target.id if change.target else ""
    parts = (change.link or "", target, change.expects or "")
    return replace(change, id=change_id(change.action, change.connection, *parts, edits=change.edits))


def _no_counterpart(link: str, ref: Ref, edit: FieldEdit) -> Blocked:
    what = {STAGE: "stage", OWNER: "user with the e-mail"}.get(edit.name, edit.name)
    reason = f"{ref.connection} has no {what} {show(edit.after)!r}"
    return Blocked(link=link, deal=ref, name=edit.name, reason=reason, values={ref.connection: edit.before})


def assemble(
    changes: Iterable[Change],
    blocked: Iterable[Blocked],
    *,
    outcomes: Mapping[str, JournalEntry],
    unclear: Iterable[JournalEntry],
    made_at: datetime,
    settings: str,
    cursors: Mapping[str, str],
) -> Plan:
    """Put changes in order and leave out what was done, refused or is unclear already.

    `outcomes` has the last outcome of every change id that has one, `unclear` what was sent and has no clear outcome:
    nothing with the same key is sent before that is known. An enforced change of stage wins over what sync wants with
    the same deal's stage.
    """
    waiting = {(e.change.connection, e.change.key or e.change.id): e for e in unclear}
    wanted = _without_contradictions(sorted(changes, key=_place_in_order))
    kept: list[Change] = []
    stopped = list(blocked)
    for change in wanted:
        entry = waiting.get((change.connection, change.key or change.id)) or outcomes.get(change.id)
        if entry is None or entry.outcome in AGAIN:
            kept.append(change)
        elif entry.outcome is not Outcome.APPLIED:
            stopped.append(_stopped(change, entry))
    digest = hashlib.sha256("\n".join([settings, *(change.id for change in kept)]).encode()).hexdigest()[:16]
    return Plan(
        id=digest,
        made_at=made_at,
        settings=settings,
        changes=tuple(kept),
        blocked=tuple(sorted(stopped, key=lambda b: (b.deal, b.name, b.reason))),
        cursors=dict(sorted(cursors.items())),
    )


def _place_in_order(change: Change) -> tuple[str, int, str, str]:
    return (change.connection, ORDER[change.action], change.target.id if change.target else "", change.id)


def _without_contradictions(changes: Sequence[Change]) -> list[Change]:
    """Drop doubled ids, and what sync wants of a field or stage that enforcement sets on the same deal."""
    enforced: dict[str, set[str]] = {}
    for change in changes:
        if change.origin is Origin.ENFORCE and change.action is Action.UPDATE:
            enforced.setdefault(str(change.target), set()).update(edit.name for edit in change.edits)
    # A stage that is set back is set back for the whole link; the other sides follow in the next run.
    back = {c.link for c in changes if c.link and STAGE in enforced.get(str(c.target), ())}
    seen: set[str] = set()
    kept: list[Change] = []
    for change in changes:
        if change.id in seen:
            continue
        seen.add(change.id)
        taken = enforced.get(str(change.target), set()) | ({STAGE} if change.link in back else set())
        rest = change if change.origin is not Origin.SYNC else _without(change, taken)
        if rest is not None:
            kept.append(rest)
    return kept


def _without(change: Change, names: Collection[str]) -> Change | None:
    """Leave fields out of an update; None when nothing is left. Other changes stay as they are."""
    if change.action is not Action.UPDATE or not any(edit.name in names for edit in change.edits):
        return change
    rest = tuple(edit for edit in change.edits if edit.name not in names)
    if not rest:
        return None
    stays = change.position is not None and STAGE not in names
    return _change(
        replace(
            change,
            edits=rest,
            position=change.position if stays else None,
            position_before=change.position_before if stays else None,
        )
    )


def _stopped(change: Change, entry: JournalEntry) -> Blocked:
    if entry.outcome is Outcome.REFUSED:
        reason = f"refused before: {entry.message}"
    else:
        reason = "sent before, and the CRM can't say yet whether it was done"
    return Blocked(
        link=change.link or "",
        deal=change.target or Ref(change.connection, Kind.DEAL, ""),
        name=", ".join(edit.name for edit in change.edits),
        reason=reason,
        values={change.connection: "; ".join(show(edit.after) for edit in change.edits)},
    )
