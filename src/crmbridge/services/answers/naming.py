"""Naming: what people call the deals, users, companies and stages that changes and questions speak of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from crmbridge.model.changes import Blocked, Change, FieldEdit
from crmbridge.model.findings import Finding
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value, show
from crmbridge.services.answers.explanation import SyncedField
from crmbridge.services.workspace import Workspace

# Fields that hold ids in the same CRM, or of links.
_KINDS = {"owner": Kind.USER, "company": Kind.COMPANY, "contacts": Kind.CONTACT}


class Names(Struct, frozen=True, kw_only=True):
    """What people call things: adapters by connection, deals, users and companies by ref, stages by id.

    Among the others are links, as refs without a connection. `about` is the deal that a question is about, by the
    question's id: of a counterpart that can't be made, the deal that it would be made for.
    """

    adapters: Mapping[str, str]
    deals: Mapping[Ref, str]
    others: Mapping[Ref, str]
    stages: Mapping[str, str]
    about: Mapping[str, Ref] = field(default_factory=dict)


def names_for(
    workspace: Workspace,
    changes: Sequence[Change],
    blocked: Sequence[Blocked] = (),
    fields: Sequence[SyncedField] = (),
) -> Names:
    """Look up the names of everything that changes, questions and compared fields speak of."""
    about = _about(workspace, blocked)
    refs = {change.target for change in changes if change.target} | {*about.values()}
    found = workspace.store.records.get(sorted(refs))
    named = {ref for change in changes for edit in change.edits for ref in _refs_in(change, edit)}
    named |= {ref for item in blocked for value in item.values.values() for ref in _refs_of("", item.name, value)}
    compared = ((one.name, value) for one in fields for value in (*one.now.values(), *one.base.values()))
    named |= {ref for name, value in compared for ref in _refs_of("", name, value)}
    linked = _linked(workspace, {ref for ref in named if not ref.connection})
    others = workspace.store.records.get(sorted(named | set(linked.values())))
    others |= {link: others[ref] for link, ref in linked.items() if ref in others}
    return Names(
        adapters={name: c.adapter for name, c in workspace.project.settings.connections.items()},
        deals={ref: str(record.fields.get("name") or "") for ref, record in found.items()},
        others={ref: _called(record) for ref, record in others.items()},
        stages=stage_names(workspace),
        about=about,
    )


def findings_of(workspace: Workspace, changes: Sequence[Change]) -> dict[str, Finding]:
    """Give what changes are made about, by ids, as it is known now."""
    asked = {change.finding for change in changes}
    deals = {change.target for change in changes if change.finding and change.target}
    known = workspace.store.findings.known(deals) if deals else {}
    return {one.finding.id: one.finding for each in known.values() for one in each if one.finding.id in asked}


def _about(workspace: Workspace, blocked: Sequence[Blocked]) -> dict[str, Ref]:
    unmade = {item.link for item in blocked if not item.deal.id}
    members = workspace.store.links.get(unmade) if unmade else {}
    return {
        item.id: item.deal if item.deal.id else next(iter(members.get(item.link, ())), item.deal) for item in blocked
    }


def _linked(workspace: Workspace, links: set[Ref]) -> dict[Ref, Ref]:
    """Give a record for each link, to call it by."""
    found = workspace.store.links.get({link.id for link in links}) if links else {}
    return {link: found[link.id][0] for link in links if found.get(link.id)}


def stage_names(workspace: Workspace) -> dict[str, str]:
    """Give what each stage of the process is called, won and lost included."""
    return {"won": "Won", "lost": "Lost"} | {stage.id: str(stage.name) for stage in workspace.project.process.stages}


def called(names: Names, name: str, value: Value, connection: str = "") -> str:
    """Give a field's value in the words that people use: stages by name, and users, companies and contacts by theirs.

    `connection` is the one whose ids the value holds; without it, they are ids of links.
    """
    if name == "stage":
        return names.stages.get(str(value), show(value))
    refs = _refs_of(connection, name, value)
    return ", ".join(names.others.get(ref, ref.id) for ref in refs) if refs else show(value)


def called_in_step(names: Names, name: str, value: Value) -> str | None:
    """Give a company or contacts that CRMs are compared by in the words that people use; None for other values."""
    return called(names, name, value) if name in {"company", "contacts"} and value else None


def called_in(change: Change, name: str, value: Value, names: Names) -> str:
    """Give a value of a change in the same words."""
    return called(names, name, value, "" if name in change.linked else change.connection)


def _refs_in(change: Change, edit: FieldEdit) -> Iterator[Ref]:
    """Give the users, companies or contacts that a field names by their ids, or by their links."""
    for value in (edit.before, edit.after):
        yield from _refs_of("" if edit.name in change.linked else change.connection, edit.name, value)


def _refs_of(connection: str, name: str, value: Value) -> list[Ref]:
    kind = _KINDS.get(name)
    if kind is None or value is None:
        return []
    return [Ref(connection, kind, native) for native in (value if isinstance(value, tuple) else (str(value),))]


def _called(record: Record) -> str:
    return str(record.fields.get("email") or record.fields.get("name") or record.ref.id)
