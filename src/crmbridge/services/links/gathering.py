"""Gathering: load what is known around some links, so that they can be merged and planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from crmbridge.engine.sync.deleting import MERGED
from crmbridge.engine.sync.glance import Glance
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.sync.survivors import end_of, follow_merges, left_over
from crmbridge.engine.views import AROUND, COMPANY, CONTACTS, Viewer, emails, user_ids
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Blocked
from crmbridge.model.cuts import Cut
from crmbridge.model.records import Kind, Record, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.services.links.linking import LinksAround, links_around
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Sync


class Around(Struct, frozen=True, kw_only=True):
    """Some links with everything that is known around them.

    `companions` are the members of the links of companies and contacts; of the companies in `unclear` a person must say
    what they belong to.
    """

    links: Mapping[str, tuple[Ref, ...]]
    deals: Mapping[Ref, Record]
    cuts: Mapping[Ref, Cut]  # what a first look needs of them
    tombstones: Mapping[Ref, Tombstone]
    lost: Mapping[Ref, Record]  # the ones that are gone, as they were last known
    # Of deals that were merged into one of another link: that one, and the others of its link.
    survivors: Mapping[Ref, Sequence[Ref]]
    bases: Mapping[Ref, Mapping[str, Value]]
    viewers: Mapping[str, Viewer]
    companions: Mapping[str, tuple[Ref, ...]]
    unclear: Sequence[Blocked]


def make_viewers(workspace: Workspace, deals: Iterable[Record] = ()) -> dict[str, Viewer]:
    """Make every connection's viewer from its stage map, its users, its bound fields, and what hangs on these deals."""
    viewers = {name: _viewer(workspace, name) for name in workspace.connections}
    return with_links(viewers, workspace.store.links.of(around_deals(viewers, deals)))


def _viewer(workspace: Workspace, connection: str) -> Viewer:
    users = tuple(workspace.store.records.records(connection, Kind.USER))
    return Viewer(
        mapper=workspace.mapper(connection),
        users=emails(users),
        ids=user_ids(users),
        fields=tuple(sorted(workspace.project.settings.connections[connection].fields)),
        around=_carried(workspace, connection),
    )


def _carried(workspace: Workspace, connection: str) -> tuple[str, ...]:
    entry = next((each for each in workspace.project.settings.sync if connection in each.between), None)
    if entry is None:
        return ()
    return tuple(name for name, how in ((COMPANY, entry.companies), (CONTACTS, entry.contacts)) if how != "off")


def with_links(viewers: Mapping[str, Viewer], links: Mapping[Ref, str]) -> dict[str, Viewer]:
    """Give viewers that know the links of these companies and contacts."""
    return {name: replace(viewer, links=links) for name, viewer in viewers.items()}


def writable(workspace: Workspace, viewers: Mapping[str, Viewer], entry: Sync) -> dict[str, Viewer]:
    """Give the viewers of an entry, each knowing what its CRM can hold of what hangs on a deal."""
    found: dict[str, Viewer] = {}
    for name in entry.between:
        try:
            found[name] = replace(viewers[name], writes=workspace.adapter(name).capabilities.associates)
        except CrmbridgeError:  # applying will say so, in words about signing in
            found[name] = viewers[name]
    return found


def around_deals(viewers: Mapping[str, Viewer], deals: Iterable[Record]) -> set[Ref]:
    """Name the companies and contacts that hang on deals, as far as they come along."""
    return _named(viewers, ((deal.ref.connection, deal.fields.get) for deal in deals))


def _named(viewers: Mapping[str, Viewer], deals: Iterable[tuple[str, Callable[[str], Value]]]) -> set[Ref]:
    found: set[Ref] = set()
    for connection, value_of in deals:
        viewer = viewers.get(connection)  # one may have left the settings
        for name in viewer.around if viewer else ():
            value = value_of(name)
            natives = value if isinstance(value, tuple) else (str(value),) if value else ()
            found.update([Ref(connection, AROUND[name], native) for native in natives])
    return found


def gather(
    workspace: Workspace, entry: Sync, viewers: Mapping[str, Viewer], links: Sequence[str], glance: Glance
) -> Around:
    """Load these links, and match the companies and contacts that hang on their deals."""
    store = workspace.store
    found = store.links.around(links)
    members = [ref for refs in found.links.values() for ref in refs if ref.connection in entry.between]
    deals = {ref: found.records[ref] for ref in members if ref in found.records}
    cuts = {ref: glance.cut(deal.fields) for ref, deal in deals.items()}
    tombstones = store.records.tombstones(sorted(ref for ref in members if ref not in deals))
    hanging = _named(viewers, ((ref.connection, cut.get) for ref, cut in cuts.items()))
    linked, unclear = links_around(workspace, entry, hanging) if hanging else LinksAround({})
    return Around(
        links=found.links,
        deals=deals,
        cuts=cuts,
        tombstones=tombstones,
        lost=store.records.last_known(list(tombstones)) if tombstones else {},
        survivors=_elsewhere(workspace, tombstones, found.links) if tombstones else {},
        bases=found.bases,
        viewers=with_links(viewers, linked),
        companions=store.links.get(set(linked.values())) if linked else {},
        unclear=unclear,
    )


def _elsewhere(
    workspace: Workspace, tombstones: Mapping[Ref, Tombstone], links: Mapping[str, tuple[Ref, ...]]
) -> dict[Ref, Sequence[Ref]]:
    """Name what members were merged into, where that did not take their place, as it stands in a link already.

    The others of that link come after it.
    """
    merged = merged_into(workspace, tombstones)
    ends = {ref: end_of(ref, merged) for ref in tombstones if ref in merged}
    link_of = {ref: link for link, refs in links.items() for ref in refs}
    taken = workspace.store.links.of(set(ends.values()))
    apart = {ref: end for ref, end in ends.items() if taken.get(end, link_of[ref]) != link_of[ref]}
    members = workspace.store.links.get({taken[end] for end in apart.values()}) if apart else {}
    return {ref: (end, *(other for other in members[taken[end]] if other != end)) for ref, end in apart.items()}


def follow_merged(workspace: Workspace, records: Iterable[Ref]) -> set[Ref]:
    """Put the survivors of merges in the place of these records in their links, before they could be linked anew.

    A survivor has the base of the one whose place it takes: what differs was done by people. Give the survivors that
    took a place, as nothing need have changed in them.
    """
    store = workspace.store
    tombstones = store.records.tombstones(list(records))
    merged = merged_into(workspace, tombstones)
    if not merged:
        return set()
    ends = {end_of(ref, merged) for ref in merged}
    before = store.links.get(set(store.links.of({*tombstones, *ends}).values()))
    members = {ref for refs in before.values() for ref in refs}
    likeness = _likeness(workspace, before, merged)
    after = follow_merges(before, merged, store.records.tombstones(members), likeness)
    places = [(ref, end) for link in before for ref, end in zip(before[link], after[link], strict=True) if ref != end]
    bases = store.links.bases([ref for ref, _ in places])
    moved = {end for _, end in places}
    store.backlog.touch(moved)  # first, as whoever is killed in between finds no place to be taken any more
    changed = {link: after[link] for link in before if after[link] != before[link]}
    news = {end: bases[ref] for ref, end in places if ref in bases}
    store.links.save(changed, news | _noted_merges(workspace, left_over(after, merged)))
    return moved


def _likeness(workspace: Workspace, links: Mapping[str, Sequence[Ref]], merged: Mapping[Ref, Ref]) -> dict[str, int]:
    """Count, where several links lost a record to the same one, how many of each one's values that holds."""
    ends = {ref: (link, end_of(ref, merged)) for link, refs in links.items() for ref in refs if ref in merged}
    wanted = Counter(end for _, end in ends.values())
    asked = {ref: place for ref, place in ends.items() if wanted[place[1]] > 1}
    if not asked:
        return {}
    records, bases = workspace.store.records.get(list(wanted)), workspace.store.links.bases(list(asked))
    found: Counter[str] = Counter()
    for ref, (link, end) in asked.items():
        fields = records[end].fields if end in records else {}
        found[link] += sum(name in fields and same(fields[name], value) for name, value in bases.get(ref, {}).items())
    return found


def _noted_merges(workspace: Workspace, left: Mapping[str, Collection[str]]) -> dict[Ref, dict[str, Value]]:
    """Give the bases that say which links' deals were merged into those of others."""
    known = workspace.store.links.bases([decided_ref(link) for link in left]) if left else {}
    before = {link: known.get(decided_ref(link), {}).get(MERGED) for link in left}
    return {
        decided_ref(link): {MERGED: tuple(sorted({*(was if isinstance(was, tuple) else ()), *left[link]}))}
        for link, was in before.items()
    }


def merged_into(workspace: Workspace, tombstones: Mapping[Ref, Tombstone]) -> dict[Ref, Ref]:
    """Say what deals were merged into, one after the other as far as it goes."""
    found: dict[Ref, Ref] = {}
    layer = dict(tombstones)
    while layer:
        into = {ref: each.merged_into for ref, each in layer.items() if each.merged_into is not None}
        found.update(into)
        layer = workspace.store.records.tombstones([end for end in into.values() if end not in found])
    return found
