"""Sync: link the deals of several CRMs, merge them field by field, and say what has to be written where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from crmbridge.engine.mapping import LOST, WON
from crmbridge.engine.matching import follow_merges, link_id, match_deals
from crmbridge.engine.merge import Side, decided_ref, merge
from crmbridge.engine.planner import create_counterpart, sync_updates
from crmbridge.engine.views import OWNER, STAGE, Viewer, emails, user_ids
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
    return {name: _viewer(workspace, name) for name in workspace.connections}


def _viewer(workspace: Workspace, connection: str) -> Viewer:
    users = tuple(workspace.store.records.records(connection, Kind.USER))
    return Viewer(
        mapper=workspace.mapper(connection),
        users=emails(users),
        ids=user_ids(users),
        fields=tuple(sorted(workspace.project.settings.connections[connection].fields)),
    )


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


def bases_after(viewers: Mapping[str, Viewer], written: Iterable[tuple[Change, Ref]]) -> dict[Ref, dict[str, Value]]:
    """Give the bases that follow from changes that were made: what was written there. Enforcement has none to keep."""
    bases: dict[Ref, dict[str, Value]] = {}
    for change, ref in written:
        if change.link is not None:
            bases.setdefault(ref, {}).update(canonical_edits(change, viewers[change.connection]))
    return bases


def canonical_edits(change: Change, viewer: Viewer) -> Iterator[tuple[str, Value]]:
    """Give what a change writes as sync sees it: owners by e-mail."""
    for edit in change.edits:
        yield edit.name, (viewer.users.get(str(edit.after)) if edit.name == OWNER else edit.after)


def _sync_one(workspace: Workspace, entry: Sync, viewers: Mapping[str, Viewer]) -> Synced:
    records = workspace.store.records
    deals = {name: tuple(records.records(name, Kind.DEAL)) for name in entry.between}
    companies = {c.ref: c for name in entry.between for c in records.records(name, Kind.COMPANY)}
    everywhere = workspace.store.links.links()
    known = _between(everywhere, entry)
    by_ref = {deal.ref: deal for side in deals.values() for deal in side}
    followed = follow_merges(known, _survivors(workspace, entry, by_ref))
    matched = match_deals(deals, companies, followed, entry.match_rules("deal"))
    bases = _with_inherited(workspace.store.links.bases(), known, followed)
    seen = _Seen(bases, bases_after(viewers, _unclear_updates(workspace)))
    changes, blocked, agreed = _merge_all(entry, matched.links, by_ref, viewers, seen)
    wanted = _wanted(changes, by_ref, viewers)
    groups = _groups(matched.links, matched.single, by_ref)
    created, lacking = _create_all(entry, groups, companies, viewers, wanted)
    links = dict(matched.links)
    links.update({change.link: refs for change, refs in created if change.link and change.link not in links})
    return Synced(
        changes=(*changes, *(change for change, _ in created)),
        blocked=(*matched.ambiguous, *blocked, *lacking),
        links={
            link: _with_others(refs, everywhere.get(link, ()), entry)
            for link, refs in links.items()
            if known.get(link) != refs
        },
        agreed=agreed,
    )


def _survivors(workspace: Workspace, entry: Sync, deals: Mapping[Ref, Record]) -> dict[Ref, Ref]:
    """Give what deals were merged into, as far as the CRMs say."""
    gone = (each for name in entry.between for each in workspace.store.records.gone(name))
    return {
        each.ref: each.merged_into
        for each in gone
        if each.merged_into is not None and each.ref.kind is Kind.DEAL and each.ref not in deals
    }


def _with_inherited(
    bases: Mapping[Ref, Mapping[str, Value]],
    links: Mapping[str, tuple[Ref, ...]],
    followed: Mapping[str, tuple[Ref, ...]],
) -> dict[Ref, Mapping[str, Value]]:
    """Let the survivor of a merge have the base of the deal whose place it takes: what differs was done by people."""
    places = (place for link in links for place in zip(links[link], followed[link], strict=True))
    return {**{end: bases[ref] for ref, end in places if ref in bases}, **bases}


def _between(links: Mapping[str, tuple[Ref, ...]], entry: Sync) -> dict[str, tuple[Ref, ...]]:
    """Give the links as far as they are between the connections of an entry."""
    found = {link: tuple(ref for ref in refs if ref.connection in entry.between) for link, refs in links.items()}
    return {link: refs for link, refs in found.items() if refs}


def _with_others(refs: tuple[Ref, ...], before: tuple[Ref, ...], entry: Sync) -> tuple[Ref, ...]:
    """Keep the deals of other connections in a link: they take part again when their connection does."""
    return (*refs, *(ref for ref in before if ref.connection not in entry.between))


class _Seen(NamedTuple):
    """What the values of deals are compared with: the bases, and what may have been written without an answer."""

    bases: Mapping[Ref, Mapping[str, Value]]
    unclear: Mapping[Ref, Mapping[str, Value]]


def _merge_all(
    entry: Sync,
    links: Mapping[str, tuple[Ref, ...]],
    deals: Mapping[Ref, Record],
    viewers: Mapping[str, Viewer],
    seen: _Seen,
) -> tuple[list[Change], list[Blocked], dict[Ref, Mapping[str, Value]]]:
    changes: list[Change] = []
    blocked: list[Blocked] = []
    agreed: dict[Ref, Mapping[str, Value]] = {}
    for link in sorted(links):
        present = [ref for ref in links[link] if ref in deals]
        if len(present) < 2:
            continue
        sides = [
            _side(deals[ref], viewers[ref.connection], seen.bases.get(ref, {}), seen.unclear.get(ref, {}))
            for ref in _ranked(present, entry)
        ]
        merged = merge(link, sides, entry.policy, seen.bases.get(decided_ref(link), {}))
        updates, stopped = sync_updates(link, merged, deals, viewers)
        changes += updates
        blocked += stopped
        agreed.update(merged.agreed)
    return changes, blocked, agreed


def _unclear_updates(workspace: Workspace) -> list[tuple[Change, Ref]]:
    changes = [entry.change for entry in workspace.store.journal.unsettled()]
    return [(c, c.target) for c in changes if c.target is not None and c.connection in workspace.connections]


def _side(deal: Record, viewer: Viewer, base: Mapping[str, Value], unclear: Mapping[str, Value]) -> Side:
    """Make one side of a merge. What may have been written there, and is there, is not taken for somebody's edit."""
    now = viewer.view(deal)
    ours = {name: value for name, value in unclear.items() if name in now and now[name] == value}
    return Side(ref=deal.ref, now=now, base={**base, **ours}, updated_at=deal.updated_at)


def _ranked(refs: Iterable[Ref], entry: Sync) -> list[Ref]:
    """Put refs in the order in which the settings name their connections."""
    return sorted(refs, key=lambda ref: entry.between.index(ref.connection))


def _wanted(
    changes: Iterable[Change], deals: Mapping[Ref, Record], viewers: Mapping[str, Viewer]
) -> dict[Ref, Mapping[str, Value]]:
    """Give each deal as it will be with these changes, so that a counterpart starts with what was just decided."""
    edits = {change.target: dict(canonical_edits(change, viewers[change.connection])) for change in changes}
    return {ref: {**viewers[ref.connection].view(deal), **edits.get(ref, {})} for ref, deal in deals.items()}


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
    wanted: Mapping[Ref, Mapping[str, Value]],
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
        view = wanted[deal.ref]
        if deal.position is None or deal.position.status is not Status.OPEN or view.get(STAGE) in {WON, LOST}:
            continue
        for connection in entry.create:
            if any(ref.connection == connection for ref in refs):
                continue
            company = companies.get(Ref(deal.ref.connection, Kind.COMPANY, str(deal.fields.get("company"))))
            domain = str(company.fields.get("domain") or "").casefold() if company else ""
            target = viewers[connection]
            change, lacking = create_counterpart(
                deal, view, link=link, target=target, connection=connection, company=by_domain.get((connection, domain))
            )
            blocked += lacking
            if change is not None:
                created.append((change, refs))
    return created, blocked
