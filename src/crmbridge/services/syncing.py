"""Sync: link the deals of several CRMs, merge them field by field, and say what has to be written where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crmbridge.engine.matching import link_id, match_deals
from crmbridge.engine.merge import Side, merge
from crmbridge.engine.planner import create_counterpart, sync_updates
from crmbridge.engine.views import OWNER, Viewer, emails
from crmbridge.model.changes import Blocked, Change
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import Value
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Sync


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What syncing wants, and what the state should remember whether or not it is carried out."""

    changes: tuple[Change, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    links: Mapping[str, tuple[Ref, ...]] = field(default_factory=dict)  # new or longer than before
    agreed: Mapping[Ref, Mapping[str, Value]] = field(default_factory=dict)


def make_viewers(workspace: Workspace) -> dict[str, Viewer]:
    """Make every connection's viewer from its stage map, its users and its bound fields."""
    return {
        name: Viewer(
            mapper=workspace.mapper(name),
            users=emails(tuple(workspace.store.records.records(name, Kind.USER))),
            fields=tuple(sorted(connection.fields)),
        )
        for name, connection in workspace.project.settings.connections.items()
    }


def sync(workspace: Workspace, viewers: Mapping[str, Viewer], fresh: Iterable[str]) -> Synced:
    """Say what every `sync` entry of the settings wants. Entries with a connection that isn't fresh are left alone."""
    reachable = set(fresh)
    parts = [
        _sync_one(workspace, entry, viewers)
        for entry in workspace.project.settings.sync
        if reachable.issuperset(entry.between)
    ]
    return Synced(
        changes=tuple(change for part in parts for change in part.changes),
        blocked=tuple(item for part in parts for item in part.blocked),
        links={link: refs for part in parts for link, refs in part.links.items()},
        agreed={ref: fields for part in parts for ref, fields in part.agreed.items()},
    )


def remember(workspace: Workspace, synced: Synced) -> None:
    """Save the links that were found and what all sides agree on. Neither depends on anything being written."""
    workspace.store.links.save(synced.links)
    workspace.store.links.save_bases(synced.agreed)


def bases_after(
    links: Mapping[str, tuple[Ref, ...]],
    records: Mapping[Ref, Record],
    viewers: Mapping[str, Viewer],
    written: Sequence[Change],
) -> dict[Ref, dict[str, Value]]:
    """Give the bases that follow from updates that were made.

    What was written is the base of the record written to. Where with it all linked deals hold the same, it becomes
    the base of all; where one does not yet, the others keep theirs, so that their edit still counts as one.
    """
    now = {ref: dict(viewers[ref.connection].view(record)) for ref, record in records.items()}
    bases: dict[Ref, dict[str, Value]] = {}
    touched: list[tuple[str, str]] = []
    for change in written:
        if change.link is None or change.target is None:
            continue
        for name, after in canonical_edits(change, viewers[change.connection]):
            now.setdefault(change.target, {})[name] = after
            bases.setdefault(change.target, {})[name] = after
            touched.append((change.link, name))
    for link, name in touched:
        holders = [ref for ref in links.get(link, ()) if name in now.get(ref, {})]
        if len({repr(now[ref][name]) for ref in holders}) == 1:
            for ref in holders:
                bases.setdefault(ref, {})[name] = now[ref][name]
    return bases


def canonical_edits(change: Change, viewer: Viewer) -> Iterator[tuple[str, Value]]:
    """Give what a change writes as sync sees it: owners by e-mail."""
    for edit in change.edits:
        yield edit.name, (viewer.users.get(str(edit.after)) if edit.name == OWNER else edit.after)


def _sync_one(workspace: Workspace, entry: Sync, viewers: Mapping[str, Viewer]) -> Synced:
    records = workspace.store.records
    deals = {name: tuple(records.records(name, Kind.DEAL)) for name in entry.between}
    companies = {c.ref: c for name in entry.between for c in records.records(name, Kind.COMPANY)}
    known = {
        link: refs
        for link, refs in workspace.store.links.links().items()
        if all(ref.connection in entry.between for ref in refs)
    }
    matched = match_deals(deals, companies, known, entry.match.get("deal", ()))
    by_ref = {deal.ref: deal for side in deals.values() for deal in side}
    changes, blocked, agreed = _merge_all(workspace, entry, matched.links, by_ref, viewers)
    created, lacking = _create_all(entry, _groups(matched.links, matched.single, by_ref), companies, viewers)
    links = dict(matched.links)
    links.update({change.link: refs for change, refs in created if change.link and change.link not in links})
    return Synced(
        changes=(*changes, *(change for change, _ in created)),
        blocked=(*matched.ambiguous, *blocked, *lacking),
        links={link: refs for link, refs in links.items() if known.get(link) != refs},
        agreed=agreed,
    )


def _merge_all(
    workspace: Workspace,
    entry: Sync,
    links: Mapping[str, tuple[Ref, ...]],
    deals: Mapping[Ref, Record],
    viewers: Mapping[str, Viewer],
) -> tuple[list[Change], list[Blocked], dict[Ref, Mapping[str, Value]]]:
    bases = workspace.store.links.bases()
    changes: list[Change] = []
    blocked: list[Blocked] = []
    agreed: dict[Ref, Mapping[str, Value]] = {}
    for link in sorted(links):
        present = [ref for ref in links[link] if ref in deals]
        if len(present) < 2:
            continue
        sides = [_side(deals[ref], viewers[ref.connection], bases.get(ref, {})) for ref in _ranked(present, entry)]
        merged = merge(link, sides, entry.policy)
        updates, stopped = sync_updates(link, merged, deals, viewers)
        changes += updates
        blocked += stopped
        agreed.update(merged.agreed)
    return changes, blocked, agreed


def _side(deal: Record, viewer: Viewer, base: Mapping[str, Value]) -> Side:
    return Side(ref=deal.ref, now=viewer.view(deal), base=base, updated_at=deal.updated_at)


def _ranked(refs: Iterable[Ref], entry: Sync) -> list[Ref]:
    """Put refs in the order in which the settings name their connections."""
    return sorted(refs, key=lambda ref: entry.between.index(ref.connection))


def _groups(
    links: Mapping[str, tuple[Ref, ...]], single: Iterable[Record], deals: Mapping[Ref, Record]
) -> Iterator[tuple[str, tuple[Ref, ...], Record]]:
    """Give each link, and each deal without one, with the deal that a counterpart would be made from."""
    for link in sorted(links):
        present = [ref for ref in links[link] if ref in deals]
        if present:
            yield link, links[link], deals[present[0]]
    for deal in sorted(single, key=lambda deal: deal.ref):
        yield link_id(deal.ref), (deal.ref,), deal


def _create_all(
    entry: Sync,
    groups: Iterable[tuple[str, tuple[Ref, ...], Record]],
    companies: Mapping[Ref, Record],
    viewers: Mapping[str, Viewer],
) -> tuple[list[tuple[Change, tuple[Ref, ...]]], list[Blocked]]:
    """Plan the counterparts that are missing where the settings let them be created; open deals only."""
    by_domain = {
        (ref.connection, str(company.fields["domain"]).casefold()): ref
        for ref, company in companies.items()
        if company.fields.get("domain")
    }
    created: list[tuple[Change, tuple[Ref, ...]]] = []
    blocked: list[Blocked] = []
    for link, refs, deal in groups:
        if deal.position is None or deal.position.status is not Status.OPEN:
            continue
        for connection in entry.create:
            if any(ref.connection == connection for ref in refs):
                continue
            company = companies.get(Ref(deal.ref.connection, Kind.COMPANY, str(deal.fields.get("company"))))
            domain = str(company.fields.get("domain") or "").casefold() if company else ""
            view = viewers[deal.ref.connection].view(deal)
            target = viewers[connection]
            change, lacking = create_counterpart(
                deal, view, link=link, target=target, connection=connection, company=by_domain.get((connection, domain))
            )
            blocked += lacking
            if change is not None:
                created.append((change, refs))
    return created, blocked
