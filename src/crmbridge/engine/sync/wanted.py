"""What sync wants to be written, as changes with stable ids: updates, counterparts, archives and copies of notes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from sys import intern

from crmbridge.engine.sync.forms import was_refused
from crmbridge.engine.sync.matching import PREFIX, external_key, link_id
from crmbridge.engine.sync.merge import Merged
from crmbridge.engine.views import AROUND, COMPANY, OWNER, SHARED, STAGE, Viewer
from crmbridge.model.changes import Action, Blocked, Cause, Change, FieldEdit, Origin, change_id, edits_of
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value, is_empty, show

Reasoned = tuple[FieldEdit, str]  # an edit, and why it is made
APART = "; "  # stands between the reasons of several edits
NOWHERE = "it stands in no stage of the process; move it to one that does, or add its stage to `stages` in the settings"


def sync_updates(
    link: str,
    merged: Merged,
    deals: Mapping[Ref, Record],
    viewers: Mapping[str, Viewer],
    *,
    bases: Mapping[Ref, Mapping[str, Value]],
    forbidden: Callable[[str], str] = lambda _: "",
) -> tuple[list[Change], list[Blocked]]:
    """Turn the edits of one merged link into updates; a field that a side can't hold is blocked alone.

    By its base a deal was refused some values before: they are an update of their own, for which others don't wait.
    `forbidden` says which move to a stage may not be made by others, and why; nothing where it may.
    """
    changes: list[Change] = []
    blocked = list(merged.blocked)
    for ref, edits in merged.edits.items():
        for part in _together(list(zip(edits, merged.reasons[ref], strict=True)), bases[ref]):
            update, stopped = _update(link, deals[ref], part, viewers[ref.connection], forbidden)
            blocked += stopped
            if update is not None:
                changes.append(update)
    return changes, blocked


def _together(edits: list[Reasoned], base: Mapping[str, Value]) -> Iterable[list[Reasoned]]:
    """Part the edits of one deal in those that are written together: the ones refused before, and the rest."""
    before = [each for each in edits if was_refused(each[0].name, each[0].after, base)]
    rest = [each for each in edits if each not in before] if before else edits
    return rest, before


def _update(
    link: str,
    deal: Record,
    edits: Iterable[Reasoned],
    viewer: Viewer,
    forbidden: Callable[[str], str],
) -> tuple[Change | None, list[Blocked]]:
    """Make the update of one deal, and say what of the edits can't be made."""
    kept: list[FieldEdit] = []
    reasons: list[str] = []
    blocked: list[Blocked] = []
    position = None
    for edit, reason in edits:
        native = viewer.native(edit, deal)
        there = viewer.position(edit.after, deal.position) if edit.name == STAGE else None
        if edit.name in AROUND and edit.name not in viewer.writes:
            continue  # this CRM can't hold it; `connections describe` says so
        if native is None or (edit.name == STAGE and there is None):
            blocked.append(_no_counterpart(link, deal.ref, edit))
        elif edit.name == STAGE and (why := forbidden(str(edit.after))):
            blocked.append(_forbidden(link, deal.ref, edit, why))
        else:
            kept.append(native)
            reasons.append(reason)
            position = there or position
    if not kept:
        return None, blocked
    parts = (link, deal.ref.id, deal.version, *_where(position))  # as `_change` has them
    change = Change(
        id=change_id(Action.UPDATE, deal.ref.connection, *parts, edits=tuple(kept)),
        action=Action.UPDATE,
        origin=Origin.SYNC,
        connection=deal.ref.connection,
        target=deal.ref,
        edits=tuple(kept),
        reason=intern(APART.join(reasons)),  # very many changes have the same one
        position=position,
        position_before=deal.position if position else None,
        expects=deal.version,
        link=link,
        linked=tuple([edit.name for edit in kept if edit.name in AROUND]),
    )
    return change, blocked


def create_counterpart(
    deal: Record, view: Mapping[str, Value], *, link: str, target: Viewer, again: Collection[str] = ()
) -> tuple[Change | None, list[Blocked]]:
    """Plan the creation of an open deal's counterpart in another connection, with the key of their link.

    Fields that the other connection does not have are left out, and so is an owner without a user there. Nothing is
    planned for a deal whose stage has no counterpart there. `again` are the counterparts that it had and that are
    not there any more: this is another creation than theirs, and has another key.
    """
    stage = view.get(STAGE)
    position = target.position(str(stage), None) if stage else None
    if position is None or position.status is not Status.OPEN:
        edit = FieldEdit(STAGE, None, str(stage) if stage else None)
        return None, [_no_counterpart(link, Ref(target.connection, Kind.DEAL, ""), edit)]
    names = (*SHARED, *target.fields, *(name for name in AROUND if name in target.writes))
    edits = edits_of({}, {name: view[name] for name in names if view.get(name) is not None})
    owner = target.native(FieldEdit(OWNER, None, view[OWNER])) if view.get(OWNER) else None
    change = Change(
        id="",
        action=Action.CREATE,
        origin=Origin.SYNC,
        connection=target.connection,
        target=None,
        edits=(*edits, *((owner,) if owner else ()), FieldEdit(STAGE, None, str(stage))),
        reason=f"{deal.ref} has no counterpart in {target.connection}",
        position=position,
        key=external_key(link, len(again)),
        link=link,
        linked=tuple(edit.name for edit in edits if edit.name in AROUND),
    )
    return _creation(change), []


def create_around(
    record: Record, *, link: str, connection: str, company: str | None = None, again: Collection[str] = ()
) -> Change | None:
    """Plan the creation of a company's, or contact's, counterpart; None for one that nobody could find again.

    `company` is the link of a contact's company. Blanks in its name are evened out as in its key: most CRMs find
    nothing that has others. `again` are the counterparts that it had: this is another creation than theirs.
    """
    key = record.natural_key
    if key is None:
        return None
    kind = record.ref.kind
    names = ("name", "email", "title") if kind is Kind.CONTACT else ("name", "domain")
    values = {name: record.fields[name] for name in names if not is_empty(record.fields.get(name))}
    if isinstance(called := values.get("name"), str):
        values["name"] = " ".join(called.split())
    edits = edits_of({}, {**values, **({COMPANY: company} if company else {})})
    change = Change(
        id="",
        action=Action.CREATE,
        origin=Origin.SYNC,
        connection=connection,
        target=None,
        edits=edits,
        reason=f"{record.ref} has no counterpart in {connection}",
        key=key,
        link=link,
        creates=kind,
        linked=(COMPANY,) if company else (),
    )
    return _creation(change, again)


def archive(deal: Record, *, link: str, gone: Ref) -> Change:
    """Plan to take a deal out of its CRM's lists, because a person did so with its counterpart."""
    return _change(
        Change(
            id="",
            action=Action.ARCHIVE,
            origin=Origin.SYNC,
            connection=deal.ref.connection,
            target=deal.ref,
            edits=(),
            reason=f"{gone} was deleted",
            expects=deal.version,
            link=link,
        )
    )


def copy_note(note: Record, *, link: str, target: Ref) -> Change:
    """Plan a note's copy on the counterpart of its deal."""
    return Change(
        id=change_id(Action.NOTE, target.connection, link, target.id, str(note.ref)),
        action=Action.NOTE,
        origin=Origin.SYNC,
        connection=target.connection,
        target=target,
        edits=(FieldEdit("body", None, note.fields.get("body")),),
        reason=f"it was written on the deal in {note.ref.connection}",
        key=f"{PREFIX}note:{link_id(note.ref)}",
        link=link,
    )


def _no_counterpart(link: str, ref: Ref, edit: FieldEdit) -> Blocked:
    what = {STAGE: "stage", OWNER: "user with the e-mail"}.get(edit.name, edit.name)
    reason = f"{ref.connection} has no {what} {show(edit.after)!r}"
    if edit.name == STAGE and not edit.after:
        reason = NOWHERE
    return Blocked(
        link=link,
        deal=ref,
        name=edit.name,
        reason=reason,
        values={ref.connection: edit.before},
        cause=Cause.COUNTERPART,
    )


def _forbidden(link: str, ref: Ref, edit: FieldEdit, why: str) -> Blocked:
    reason = f"{why}; a person may move it in {ref.connection}"
    return Blocked(
        link=link, deal=ref, name=edit.name, reason=reason, values={ref.connection: edit.before}, cause=Cause.MOVE
    )


# ── Changes with other edits ────────────────────────────────────────────────────────────────────────────


def reason_of(change: Change, name: str) -> str:
    """Give what is said of one field in the reason of an update of several."""
    names = {edit.name for edit in change.edits}
    said: list[str] = []
    about = ""
    for piece in change.reason.split(APART):
        first = piece.partition(" ")[0]
        about = first if first in names else about
        said += [piece] if about == name else []
    return APART.join(said) or change.reason


def without(change: Change, names: Collection[str]) -> Change | None:
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
            reason=APART.join(dict.fromkeys(reason_of(change, edit.name) for edit in rest)),
            linked=tuple(name for name in change.linked if name not in names),
            position=change.position if stays else None,
            position_before=change.position_before if stays else None,
        )
    )


def renamed(change: Change, again: int | None = None) -> Change:
    """Give a change of sync the id that it has with these edits.

    `again` is the journal row of the same edit of that version, which was made before.
    """
    return _creation(change) if change.action is Action.CREATE else _change(change, again)


def _creation(change: Change, again: Collection[str] = ()) -> Change:
    """Give a creation its id. Its key is part of it, which tells a deal's from those that came before it."""
    parts = (change.link or "", change.key or "", *again, *_where(change.position))
    return replace(change, id=change_id(Action.CREATE, change.connection, *parts, edits=change.edits))


def _change(change: Change, again: int | None = None) -> Change:
    """Give an update its id. The version it expects is part of it: the same edit made again later is another change."""
    target = change.target.id if change.target else ""
    parts = (change.link or "", target, change.expects or "", *((str(again),) if again is not None else ()))
    parts += _where(change.position)
    return replace(change, id=change_id(change.action, change.connection, *parts, edits=change.edits))


def _where(position: Position | None) -> tuple[str, ...]:
    """Give what the id of a change has of where it moves a deal: a stage that was mapped wrongly is tried anew."""
    return (position.pipeline, position.stage) if position else ()
