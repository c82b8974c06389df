"""Links in changes: turned into a CRM's own ids right before they are written, and back to see what was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from crmbridge.model.changes import Change, FieldEdit
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.services.workspace import Workspace

ASSOCIATED: Mapping[str, Kind] = {"company": Kind.COMPANY, "contacts": Kind.CONTACT}  # what may be linked, by name


class Native(Struct, frozen=True, kw_only=True):
    """Changes as they can be sent, by id, and of the others what is missing."""

    changes: Mapping[str, Change]
    missing: Mapping[str, str]


def in_native_ids(workspace: Workspace, changes: Sequence[Change]) -> Native:
    """Turn the links in changes into the ids of each change's connection; the ids of the changes stay.

    What is not there yet is missing: what depends on it is planned again. Contacts that a record has and that no link
    of the change speaks of stay on it.
    """
    linked = [change for change in changes if change.linked]
    links = (
        workspace.store.links.get(sorted({link for change in linked for link in links_in(change)})) if linked else {}
    )
    held = workspace.store.records.get(sorted({c.target for c in linked if c.target is not None}))
    found: dict[str, Change] = {}
    missing: dict[str, str] = {}
    for change in changes:
        ids = {link: ref.id for link, refs in links.items() for ref in refs if ref.connection == change.connection}
        if lack := _lacking(change, ids):
            missing[change.id] = lack
            continue
        record = held.get(change.target) if change.target is not None else None
        found[change.id] = _with_ids(change, ids, record)
    return Native(changes=found, missing=missing)


def in_links(workspace: Workspace, changes: Sequence[Change]) -> list[Change]:
    """Turn the ids that were written back into links, as sync sees them; ids that stand in no link are left out."""
    refs = {ref for change in changes for edit in change.edits for ref in _refs(change, edit)}
    links = workspace.store.links.of(sorted(refs)) if refs else {}
    return [_with_links(change, links) for change in changes]


def links_in(change: Change) -> set[str]:
    """Give the links that a change speaks of, before and after."""
    values = (value for edit in change.edits if edit.name in change.linked for value in (edit.before, edit.after))
    return {link for value in values for link in several(value)}


def needed_links(change: Change) -> set[str]:
    """Give the links whose records must be there before a change can be made."""
    return {link for edit in change.edits if edit.name in change.linked for link in several(edit.after)}


def several(value: Value) -> tuple[str, ...]:
    """Give the links, or ids, that a value holds: a set of contacts, a company, or nothing."""
    if isinstance(value, tuple):
        return value
    return (str(value),) if value is not None else ()


def _lacking(change: Change, ids: Mapping[str, str]) -> str:
    """Say what a change depends on and is not there; nothing when all is."""
    for edit in change.edits:
        if edit.name in change.linked and not ids.keys() >= set(several(edit.after)):
            if isinstance(edit.after, tuple):
                return f"not all of its {edit.name} are in {change.connection} yet"
            return f"its {edit.name} is not in {change.connection} yet"
    return ""


def _with_ids(change: Change, ids: Mapping[str, str], held: Record | None) -> Change:
    if not change.linked:
        return change
    edits = [_edit_with_ids(edit, ids, held) if edit.name in change.linked else edit for edit in change.edits]
    return replace(change, edits=tuple(edits), linked=())


def _edit_with_ids(edit: FieldEdit, ids: Mapping[str, str], held: Record | None) -> FieldEdit:
    before = {ids[link] for link in several(edit.before) if link in ids}
    after = {ids[link] for link in several(edit.after)}
    if not isinstance(edit.after, tuple) and not isinstance(edit.before, tuple):
        return FieldEdit(edit.name, next(iter(before), None), next(iter(after), None))
    there = set(several(held.fields.get(edit.name))) if held is not None else before
    # Where one that the plan saw is no longer there, `before` says so, and the change will be found stale.
    others = there - before if before <= there else set()
    return FieldEdit(edit.name, tuple(sorted(before | others)), tuple(sorted(after | others)))


def _refs(change: Change, edit: FieldEdit) -> Iterable[Ref]:
    kind = ASSOCIATED.get(edit.name)
    if kind is None or edit.name in change.linked:
        return ()
    ids = (*several(edit.before), *several(edit.after))
    return (Ref(change.connection, kind, native) for native in ids)


def _with_links(change: Change, links: Mapping[Ref, str]) -> Change:
    names = [edit.name for edit in change.edits if edit.name in ASSOCIATED and edit.name not in change.linked]
    if not names:
        return change
    edits = [_edit_with_links(change, edit, links) if edit.name in names else edit for edit in change.edits]
    return replace(change, edits=tuple(e for e in edits if e is not None), linked=(*change.linked, *names))


def _edit_with_links(change: Change, edit: FieldEdit, links: Mapping[Ref, str]) -> FieldEdit | None:
    """Give an edit in links; None for one whose only record stands in none."""
    kind = ASSOCIATED[edit.name]

    def linked(value: Value) -> tuple[str, ...]:
        refs = (Ref(change.connection, kind, native) for native in several(value))
        return tuple(sorted(links[ref] for ref in refs if ref in links))

    before, after = linked(edit.before), linked(edit.after)
    if isinstance(edit.after, tuple) or isinstance(edit.before, tuple):
        return FieldEdit(edit.name, before, after)
    if edit.after is not None and not after:
        return None
    return FieldEdit(edit.name, next(iter(before), None), next(iter(after), None))
