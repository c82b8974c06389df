"""Sync: link the deals of several CRMs, merge them field by field, and say what has to be written where.

It costs what changed, not what there is: the store's backlog names the records that a sync has not dealt with yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from crmbridge.engine.deleting import (
    ARCHIVED,
    ENDED,
    HAD,
    UNDONE,
    Gone,
    hold_back,
    hold_ends,
    judge_gone,
    most_at_once,
    with_lost,
)
from crmbridge.engine.forms import Read, read
from crmbridge.engine.glance import Glance, glance_at
from crmbridge.engine.mapping import LOST, WON
from crmbridge.engine.matching import link_id
from crmbridge.engine.merge import Side, decided_ref, merge
from crmbridge.engine.planner import archive, create_counterpart, sync_updates
from crmbridge.engine.sameness import same
from crmbridge.engine.views import STAGE, Viewer
from crmbridge.model.changes import Action, Blocked, Change
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import Value
from crmbridge.services.allowed import why_not
from crmbridge.services.companions import with_companions
from crmbridge.services.gathering import Around, follow_merged, gather, make_viewers, writable
from crmbridge.services.linked import in_links
from crmbridge.services.linking import chunks, deals_to_look_at, match_fresh, sign, sign_all
from crmbridge.services.notes import copied_notes
from crmbridge.services.workspace import Workspace
from crmbridge.services.written import bases_after, canonical_edits
from crmbridge.settings import DeleteCap, Sync

Bases = Mapping[Ref, Mapping[str, Value]]


@dataclass(slots=True)
class Synced:
    """What syncing wants, and how far it got. Links and what all sides agree on are saved already."""

    changes: list[Change] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    looked: set[str] = field(default_factory=set)  # the links, and ids of those that single deals would get
    asked: set[Ref] = field(default_factory=set)  # deals of which a person must say where they belong
    marks: dict[str, int] = field(default_factory=dict)  # how far each reader of the backlog got
    between: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the connections of each reader


def sync(workspace: Workspace, fresh: Collection[str], cap: DeleteCap | None = None) -> Synced:
    """Say what every `sync` entry of the settings wants. Entries with a connection that isn't fresh are left alone.

    `cap` stands in for the entries' own caps on deletions. `dealt` must be called with what is made of the result.
    """
    synced = Synced()
    viewers = make_viewers(workspace)
    for entry in workspace.project.settings.sync:
        if set(fresh).issuperset(entry.between):
            _sync_entry(workspace, entry, writable(workspace, viewers, entry), synced, cap or entry.delete_cap)
    return synced


def dealt(workspace: Workspace, synced: Synced, unfinished: Collection[str]) -> None:
    """Note what was dealt with: everything but the links of which something is still to be written, or to be asked."""
    links = workspace.store.links.get(unfinished)
    left = {*synced.asked, *(ref for refs in links.values() for ref in refs)}
    backlog = workspace.store.backlog
    for reader, mark in synced.marks.items():
        backlog.dealt(reader, mark, sorted(ref for ref in left if ref.connection in synced.between[reader]))
    known = {reader for reader in backlog.readers() if reader.startswith(READER)}
    current = {_reader(workspace, entry) for entry in workspace.project.settings.sync}
    backlog.forget(sorted(known - current))


READER = "sync/"


def _reader(workspace: Workspace, entry: Sync) -> str:
    """Name an entry's reader of the backlog. Under other settings all deals are looked at anew."""
    return f"{READER}{entry.name}/{workspace.project.digest}"


def _sync_entry(
    workspace: Workspace, entry: Sync, viewers: Mapping[str, Viewer], synced: Synced, cap: DeleteCap
) -> None:
    reader = _reader(workspace, entry)
    mark, pending, first = _pending(workspace, entry, reader)
    synced.marks[reader], synced.between[reader] = mark, entry.between
    deals = deals_to_look_at(workspace, entry, pending, first=first)
    survivors = {end for part in chunks(deals) for end in follow_merged(workspace, part)}
    deals = sorted({*deals, *survivors})
    found, unsigned = _link_all(workspace, entry, deals, synced, set(pending))
    links = sorted(found)
    unclear = bases_after(viewers, _unclear_updates(workspace))
    glance = glance_at([viewers[name] for name in entry.between], entry.policy)
    archives: list[Change] = []
    ends: dict[str, tuple[Ref, Ref]] = {}
    for some in chunks(links):
        around = gather(workspace, entry, viewers, some)
        sign(workspace, entry, [ref for refs in around.links.values() for ref in refs if ref in unsigned], around.deals)
        plan = _Part(workspace, entry, around, unclear, glance)
        plan.look()
        workspace.store.links.save(plan.members)
        # Another deal may lead them now, so enforcement has to look at what is left.
        workspace.store.backlog.touch([ref for refs in plan.members.values() for ref in refs])
        workspace.store.links.save_bases(plan.agreed)
        synced.looked.update(some)
        synced.looked.update(around.companions)
        synced.blocked += plan.blocked
        ends |= plan.ends
        archives += (change for change in plan.changes if change.action is Action.ARCHIVE)
        synced.changes += (change for change in plan.changes if change.action is not Action.ARCHIVE)
    count = _count_links(workspace) if archives or ends else 0
    kept, held = hold_back(archives, cap, count)
    synced.changes += kept
    synced.blocked += held
    if len(ends) > most_at_once(cap, count):
        synced.blocked += hold_ends(ends, most_at_once(cap, count))
    else:
        workspace.store.links.save_bases({decided_ref(link): {ENDED: True} for link in ends})


def _count_links(workspace: Workspace) -> int:
    links = workspace.store.links.links().values()
    return sum(len(refs) > 1 and refs[0].kind is Kind.DEAL for refs in links)


def _pending(workspace: Workspace, entry: Sync, reader: str) -> tuple[int, list[Ref], bool]:
    """Give what is pending between the connections of an entry, and whether that is everything."""
    backlog = workspace.store.backlog
    first = reader not in backlog.readers()
    if first:
        # What was signed for other rules is signed anew, so who looked by those may not go on where it was.
        others = f"{READER}{entry.name}/"
        backlog.forget([each for each in backlog.readers() if each.startswith(others)])
    mark, pending = backlog.pending(reader)
    here = [ref for ref in pending if ref.connection in entry.between]
    if not first and any(ref.kind is Kind.USER for ref in here):  # an e-mail may stand for another owner now
        backlog.forget([reader])
        return _pending(workspace, entry, reader)
    return mark, here, first


def _link_all(
    workspace: Workspace, entry: Sync, deals: Collection[Ref], synced: Synced, pending: Collection[Ref]
) -> tuple[set[str], frozenset[Ref]]:
    """Give the links of these deals, and those of the deals that are still to be signed.

    Where all are linked nothing is matched with them, so that can be done when they are loaded to be looked at.
    """
    links: set[str] = set()
    alone: list[Ref] = []
    for part in chunks(deals):
        known = workspace.store.links.of(part)
        links.update(known.values())
        alone += [ref for ref in part if ref not in known]
    if not alone:
        return links, frozenset(deals)
    sign_all(workspace, entry, deals)
    for part in chunks(alone):
        links.update(_link(workspace, entry, part, synced, pending))
    return links, frozenset()


def _link(
    workspace: Workspace, entry: Sync, deals: Collection[Ref], synced: Synced, pending: Collection[Ref]
) -> set[str]:
    """Give the links of deals that stood in none. One without a counterpart has its own, where others may be created.

    Enforcement has to look at deals that are linked without having changed, as another one may lead them now.
    """
    known = workspace.store.links.of(deals)  # by now some are the counterparts of others
    links = set(known.values())
    alone = [ref for ref in deals if ref not in known]
    synced.looked.update(map(link_id, alone))
    fresh = workspace.store.records.get(alone)
    if not fresh:
        return links
    matched = match_fresh(workspace, entry, Kind.DEAL, fresh)
    workspace.store.backlog.touch([r for refs in matched.links.values() for r in refs if r not in pending])
    synced.blocked += matched.ambiguous
    synced.asked.update(item.deal for item in matched.ambiguous)
    links.update(matched.links)
    single = {link_id(ref): (ref,) for ref in matched.single if entry.create and _is_open(fresh[ref])}
    workspace.store.links.save(single)
    links.update(single)
    return links


def _is_open(deal: Record) -> bool:
    return deal.position is not None and deal.position.status is Status.OPEN


def _unclear_updates(workspace: Workspace) -> list[tuple[Change, Ref]]:
    changes = in_links(workspace, [entry.change for entry in workspace.store.journal.unsettled()])
    return [(c, c.target) for c in changes if c.target is not None and c.connection in workspace.connections]


# ── One part of the links ───────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Part:
    """Some links being looked at, and what comes of it."""

    workspace: Workspace
    entry: Sync
    around: Around
    unclear: Bases
    glance: Glance
    changes: list[Change] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    agreed: dict[Ref, Mapping[str, Value]] = field(default_factory=dict)
    members: dict[str, tuple[Ref, ...]] = field(default_factory=dict)  # of the links that lose some
    ends: dict[str, tuple[Ref, Ref]] = field(default_factory=dict)  # links that end: what is gone, and what is left

    def look(self) -> None:
        """Look at each link: what is gone, what differs, what is missing; then at what hangs on the deals."""
        for link in sorted(self.around.links):
            if not self.around.bases.get(decided_ref(link), {}).get(ENDED):
                self._look_at(link)
        self.changes, stopped = with_companions(self.workspace, self.entry, self.around, self.changes)
        self.blocked += stopped

    def _look_at(self, link: str) -> None:
        refs = self.around.links[link]
        here = [ref for ref in refs if ref.connection in self.entry.between]
        only = self._unsettled(link, here)
        sides = {ref: self._side(ref, only) for ref in self._ranked(here)}
        gone = self._gone(link, here, sides)
        self.blocked += gone.stopped
        if gone.ended and gone.deleted:
            self.ends[link] = (gone.deleted, next(iter(sides), gone.deleted))
            return
        base = self.around.bases.get(decided_ref(link), {})
        if gone.members != tuple(here):
            self.members[link] = (*gone.members, *(ref for ref in refs if ref not in here))
            lost = with_lost(base, [ref for ref in here if ref not in gone.members])
            self._agree(decided_ref(link), {HAD: lost})
            base = {**base, HAD: lost}
        for ref in sides:
            marks = [mark for mark in (ARCHIVED, UNDONE) if self.around.bases.get(ref, {}).get(mark)]
            self._agree(ref, dict.fromkeys(marks))  # somebody brought it back
        if gone.archive and gone.deleted:
            self.changes += [archive(self.around.deals[ref], link=link, gone=gone.deleted) for ref in gone.archive]
            return
        updates = self._merge(link, sides)
        self.changes += updates
        if not gone.stopped:
            self._create(link, gone.members, base, sides, updates)
        self.changes += copied_notes(self.workspace, self.entry, link, [ref for ref in here if ref in sides])

    def _unsettled(self, link: str, refs: Sequence[Ref]) -> Collection[str] | None:
        """Name the fields of a link that may need merging; None where all that its deals hold has to be known.

        That is where one of them is gone, or missing and to be created, or may hold what nobody knows of yet.
        """
        deals = self.around.deals
        if any(ref not in deals or ref in self.unclear for ref in refs):
            return None
        if self.entry.create and not {ref.connection for ref in refs}.issuperset(self.entry.create):
            return None
        held = [deals[ref].fields for ref in refs]
        bases = [self.around.bases.get(ref, {}) for ref in (decided_ref(link), *refs)]
        if any(bases) or len(refs) < 2:
            return self.glance.unsettled(held, bases)
        settled = self.glance.settled(held)  # they are linked just now, and what they hold alike is agreed on
        for ref in (decided_ref(link), *refs):
            self._agree(ref, settled)
        return self.glance.names - settled.keys()

    def _side(self, ref: Ref, only: Collection[str] | None) -> Side:
        """Make one side of a merge. What may have been written there, and is there, is not somebody's edit."""
        deal = self.around.deals[ref]
        now = self.around.viewers[ref.connection].view(deal, only)
        unclear = self.unclear.get(ref, {})
        ours = {name: value for name, value in unclear.items() if name in now and same(now[name], value)}
        known = self.around.bases.get(ref, {})
        base = {**known, **ours} if ours else known
        seen = read(now, base, deal.version) if only is None else Read(now, {})
        self._agree(ref, seen.news)
        viewer = self.around.viewers[ref.connection]
        return Side(
            ref=ref,
            now=seen.now,
            base=base,
            updated_at=deal.updated_at,
            updated_by=viewer.users.get(deal.updated_by or "", deal.updated_by),
            held=now,
        )

    def _ranked(self, refs: Iterable[Ref]) -> list[Ref]:
        """Put the deals that are there in the order in which the settings name their connections."""
        there = (ref for ref in refs if ref in self.around.deals)
        return sorted(there, key=lambda ref: self.entry.between.index(ref.connection))

    def _gone(self, link: str, refs: list[Ref], sides: Mapping[Ref, Side]) -> Gone:
        tombstones, bases = self.around.tombstones, self.around.bases
        marked = any(bases.get(ref, {}).get(ARCHIVED) for ref in refs)
        if len(sides) == len(refs) and not marked:
            return Gone(members=tuple(refs))
        return judge_gone(
            link,
            refs,
            {ref: tombstones[ref] for ref in refs if ref in tombstones},
            bases,
            present=sides.keys(),
            edited={ref for ref, side in sides.items() if self._says_more(side, refs)},
            policy=self.entry.delete,
            linked_elsewhere=self.around.survivors,
        )

    def _says_more(self, side: Side, refs: Iterable[Ref]) -> bool:
        """Tell whether a deal holds what did not get to the ones that are gone: edits, and what was never agreed on."""
        spoken = {name: value for name, value in side.now.items() if self._speaks(side.ref, name)}
        if any(name in side.base and not same(value, side.base[name]) for name, value in spoken.items()):
            return True
        lost = (self.around.lost[ref] for ref in refs if ref in self.around.lost)
        views = [self.around.viewers[deal.ref.connection].view(deal) for deal in lost]
        open_ = {name: value for name, value in spoken.items() if name not in side.base and value is not None}
        return any(name in view and not same(value, view[name]) for view in views for name, value in open_.items())

    def _speaks(self, ref: Ref, name: str) -> bool:
        """Tell whether what a deal holds in a field is said to the others as well."""
        policy = self.entry.policy(name)
        return policy.sync and policy.source in {None, ref.connection}

    def _merge(self, link: str, sides: Mapping[Ref, Side]) -> list[Change]:
        if len(sides) < 2:
            return []
        decided = self.around.bases.get(decided_ref(link), {})
        merged = merge(link, list(sides.values()), self.entry.policy, decided)
        forbidden = partial(self._forbidden, sides)
        updates, stopped = sync_updates(link, merged, self.around.deals, self.around.viewers, forbidden)
        self.blocked += stopped
        for ref, fields in merged.agreed.items():
            self._agree(ref, fields)
        return updates

    def _agree(self, ref: Ref, fields: Mapping[str, Value]) -> None:
        if fields:
            self.agreed[ref] = {**self.agreed.get(ref, {}), **fields}

    def _forbidden(self, sides: Mapping[Ref, Side], stage: str) -> str:
        """Say why the move to a stage may not be made in the others: the process forbids it where it was made."""
        for ref, side in sides.items():
            if side.now.get(STAGE) == stage:
                return why_not(self.workspace, self.around.deals[ref], self.around.viewers[ref.connection].mapper)
        return ""

    def _create(
        self,
        link: str,
        members: tuple[Ref, ...],
        base: Mapping[str, Value],
        sides: Mapping[Ref, Side],
        updates: Iterable[Change],
    ) -> None:
        """Plan the counterparts that are missing where the settings let them be created; of open deals only."""
        first = next(iter(sides), None)
        if first is None or not _is_open(self.around.deals[first]):
            return
        taken = {ref.connection for ref in members}
        edits = (dict(canonical_edits(c, self.around.viewers[c.connection])) for c in updates if c.target == first)
        view = {**sides[first].now, **next(edits, {})}  # as it will be: a counterpart starts with what was just decided
        if view.get(STAGE) in {WON, LOST}:
            return
        for connection in self.entry.create:
            if connection not in taken:
                again = [lost for lost in with_lost(base, ()) if lost.startswith(f"{connection}:")]
                target = self.around.viewers[connection]
                change, lacking = create_counterpart(
                    self.around.deals[first], view, link=link, target=target, again=again
                )
                self.blocked += lacking
                self.changes += [change] if change else []
