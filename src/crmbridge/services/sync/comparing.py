"""Looking at links: what is gone, what differs and what is missing, and what has to be written for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from msgspec import Struct, field

from crmbridge.engine.mapping import LOST, WON
from crmbridge.engine.sync.deleting import (
    ARCHIVED,
    ENDED,
    HAD,
    MERGED,
    UNDONE,
    Gone,
    Merges,
    judge_gone,
    lacks,
    lost_in,
    with_lost,
)
from crmbridge.engine.sync.forms import arrived, outdone, read
from crmbridge.engine.sync.glance import Glance
from crmbridge.engine.sync.merge import APART, GIVEN, ONLY_IF_EMPTY, Side, decided_ref, merge, owed
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.sync.wanted import archive, create_counterpart, sync_updates
from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Blocked, Change
from crmbridge.model.cuts import Cut, may_name, with_news
from crmbridge.model.records import BACK, Ref
from crmbridge.model.values import Fields, Value
from crmbridge.services.enforce.allowed_moves import why_not
from crmbridge.services.links.bases import canonical_edits
from crmbridge.services.links.gathering import Around
from crmbridge.services.links.linking import is_open
from crmbridge.services.sync.companions import with_companions
from crmbridge.services.sync.elsewhere import are_gone, deleted_elsewhere
from crmbridge.services.sync.notes import copied_notes
from crmbridge.services.sync.remapped_stages import stages_apart
from crmbridge.services.workspace import Workspace
from crmbridge.settings import FieldSync, Sync

Bases = Mapping[Ref, Mapping[str, Value]]
NOTHING_KNOWN: Fields = MappingProxyType({})


class Seen(Struct):
    """Some links as `look` looks at them, and what it finds: what is to be written, asked, saved, and ended."""

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
    outdone: dict[Ref, Mapping[str, Value]] = field(default_factory=dict)  # as merging says it

    def look(self) -> None:
        """Look at each link: what is gone, what differs, what is missing; then at what hangs on the deals."""
        for link in sorted(self.around.links):
            self._look_at(link, self.around.bases.get(decided_ref(link), NOTHING_KNOWN))
        self.changes, stopped = with_companions(self.workspace, self.entry, self.around, self.changes)
        self.blocked += stopped
        for ref, values in _standing(self.outdone, self.changes).items():
            self._agree(ref, outdone(values))

    def _look_at(self, link: str, base: Fields) -> None:
        refs = self.around.links[link]
        here = [ref for ref in refs if ref.connection in self.entry.between]
        if not self._is_whole(here):
            self._look_closely(link, here, base)
            return
        ranked = self._ranked(here)
        bases = [base, *(self.around.bases.get(ref, NOTHING_KNOWN) for ref in ranked)]
        cuts, known = [self.around.cuts[ref] for ref in ranked], self.glance.bases(bases)
        if known is None:
            self._look_closely(link, here, base)
            return
        fresh = len(ranked) > 1 and not any(bases)  # linked just now: what they hold alike is agreed on
        settled, only = self.glance.settled(cuts) if fresh else (NOTHING_KNOWN, self.glance.unsettled(cuts, known))
        if len(ranked) > 1:
            decided, *own = known
            seen = zip(ranked, cuts, own, strict=True)
            sides = {ref: self._plain_side(ref, only, cut, each) for ref, cut, each in seen}
            self.changes += self._merge(link, sides, decided, refs)
        if settled:
            self._settle((decided_ref(link), *here), settled)
        self.changes += copied_notes(self.workspace, self.entry, link, here)

    def _is_whole(self, refs: Sequence[Ref]) -> bool:
        """Tell whether all deals of a link are there, none is to be created, and none may hold what nobody knows of."""
        if not self.around.deals.keys() >= set(refs) or not self.unclear.keys().isdisjoint(refs):
            return False
        return not self.entry.create or {ref.connection for ref in refs}.issuperset(self.entry.create)

    def _plain_side(self, ref: Ref, only: Collection[str], cut: Cut, base: Fields) -> Side:
        """Make one side of a merge of a few fields, of a deal that holds no forms of what was written there."""
        deal, viewer = self.around.deals[ref], self.around.viewers[ref.connection]
        now = viewer.view(deal, only, cut.get)
        by = viewer.users.get(deal.updated_by or "", deal.updated_by)
        return Side(ref=ref, now=now, base=base, updated_at=deal.updated_at, updated_by=by, held=now)

    def _settle(self, refs: Iterable[Ref], settled: Fields) -> None:
        """Let all of a link that came to be just now agree on what they hold alike, beside what merging said."""
        said: Fields = NOTHING_KNOWN
        whole = settled
        for ref in refs:
            news = self.agreed.get(ref, NOTHING_KNOWN)
            if news != said:
                said, whole = news, with_news(settled, news)
            self.agreed[ref] = whole

    def _look_closely(self, link: str, here: list[Ref], base: Fields) -> None:
        """Look at a link of which a deal is gone, or missing, or where a base says more than which values it has."""
        if may_name(base, ENDED) and base.get(ENDED):
            return
        refs = self.around.links[link]
        sides = {ref: self._side(ref) for ref in self._ranked(here)}
        gone = self._gone(link, here, sides, base)
        self.blocked += gone.stopped
        if gone.ended and gone.deleted:
            self.ends[link] = (gone.deleted, next(iter(sides), gone.deleted))
            return
        if gone.members != tuple(here):
            self.members[link] = (*gone.members, *(ref for ref in refs if ref not in here))
            lost = with_lost(base, [ref for ref in here if ref not in gone.members])
            self._agree(decided_ref(link), {HAD: lost})
            base = {**base, HAD: lost}
        for ref in sides:
            marks = [mark for mark in (ARCHIVED, BACK, UNDONE) if self.around.bases.get(ref, {}).get(mark)]
            self._agree(ref, dict.fromkeys(marks))  # somebody brought it back
        if not sides and self.entry.delete == "archive" and are_gone(self.workspace, self.entry, self.around, refs):
            for ref in here:
                self._agree(ref, {ARCHIVED: True})  # whoever brings one back wants it, though the others were deleted
        if gone.archive and gone.deleted:
            self.changes += [archive(self.around.deals[ref], link=link, gone=gone.deleted) for ref in gone.archive]
            return
        # Who is alone here was told apart from the others, which are nothing to it then, or another entry has them.
        updates = self._merge(link, sides, self.around.bases.get(decided_ref(link), {}), refs) if len(here) > 1 else []
        self.changes += updates
        if not gone.stopped:
            self._create(link, gone.members, base, sides, updates)
        self.changes += copied_notes(self.workspace, self.entry, link, [ref for ref in here if ref in sides])

    def _side(self, ref: Ref) -> Side:
        """Make one side of a merge. What may have been written there, and is there, is not somebody's edit."""
        deal = self.around.deals[ref]
        now = self.around.viewers[ref.connection].view(deal)
        unclear = self.unclear.get(ref, {})
        known = self.around.bases.get(ref, {})
        ours = {n: value for n, value in unclear.items() if n in now and arrived(value, now[n], known.get(n))}
        base = {**known, **ours} if ours else known
        seen = read({**now, **ours}, base, deal.version)
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
        deals, between = self.around.deals, self.entry.between
        there = [ref for ref in refs if ref in deals]
        return sorted(there, key=lambda ref: between.index(ref.connection))

    def _gone(self, link: str, refs: list[Ref], sides: Mapping[Ref, Side], base: Fields) -> Gone:
        tombstones, bases, survivors = self.around.tombstones, self.around.bases, self.around.survivors
        marked = any(bases.get(ref, {}).get(ARCHIVED) for ref in refs)
        if len(sides) == len(refs) and not marked:
            return Gone(members=tuple(refs))
        # What is left over of a merge is gone as well by now, perhaps, so nobody need be asked any more.
        if into := [survivors[ref][0] for ref in refs if ref in survivors]:
            self.workspace.store.backlog.touch(into)
        return judge_gone(
            link,
            refs,
            {
                **{ref: tombstones[ref] for ref in refs if ref in tombstones},
                **deleted_elsewhere(self.workspace, self.entry, self.around, link),
            },
            bases,
            present=sides.keys(),
            edited={ref for ref, side in sides.items() if self._says_more(side, link, refs)},
            policy=self.entry.delete,
            merges=Merges(elsewhere=survivors, left_over=_left_over(self.workspace, base)),
        )

    def _says_more(self, side: Side, link: str, refs: Collection[Ref]) -> bool:
        """Tell whether a deal holds what did not get to the ones that are gone: edits, and what was never agreed on.

        An edit also did not get there where it was decided on, and its write failed or was never sent.
        """
        spoken = {name: value for name, value in side.now.items() if self._speaks(side.ref, name)}
        if any(name in side.base and not same(value, side.base[name]) for name, value in spoken.items()):
            return True
        bases, decided = self.around.bases, self.around.bases.get(decided_ref(link), NOTHING_KNOWN)
        if any(lacks(bases.get(ref, NOTHING_KNOWN), spoken, decided) for ref in refs if ref not in self.around.deals):
            return True
        lost = (self.around.lost[ref] for ref in refs if ref in self.around.lost)
        views = [self.around.viewers[deal.ref.connection].view(deal) for deal in lost]
        open_ = {name: value for name, value in spoken.items() if name not in side.base and value is not None}
        if STAGE in open_ and any(STAGE not in view for view in views):
            return True  # one that stood in no stage of the process can't have held the same
        return any(name in view and not same(value, view[name]) for view in views for name, value in open_.items())

    def _speaks(self, ref: Ref, name: str) -> bool:
        """Tell whether what a deal holds in a field is said to the others as well."""
        policy = self.entry.policy(name)
        return policy.sync and policy.source in {None, ref.connection}

    def _merge(self, link: str, sides: Mapping[Ref, Side], decided: Fields, refs: Iterable[Ref]) -> list[Change]:
        if not sides:
            return []
        absent = {ref: self.around.bases.get(ref, NOTHING_KNOWN) for ref in refs if ref not in sides}
        merged = merge(link, list(sides.values()), self.entry.policy, decided, absent)
        forbidden = partial(self._forbidden, sides)
        bases = {ref: side.base for ref, side in sides.items()}
        updates, stopped = sync_updates(
            link, merged, self.around.deals, self.around.viewers, bases=bases, forbidden=forbidden
        )
        self.blocked += stopped
        if decided.get(STAGE) == APART and not _may_stay_apart(self.entry.policy(STAGE)):
            there = {ref: side for ref, side in sides.items() if not _is_beside(self.around, ref)}
            self.blocked += stages_apart(link, there, merged)
        for ref, fields in merged.agreed.items():
            self._agree(ref, fields)
        self.outdone |= merged.outdone
        return updates

    def _agree(self, ref: Ref, fields: Mapping[str, Value]) -> None:
        if fields:
            self.agreed[ref] = {**self.agreed.get(ref, {}), **fields}

    def _forbidden(self, sides: Mapping[Ref, Side], stage: str) -> str:
        """Say why the move to a stage may not be made in the others: the process forbids it where it was made."""
        there = [ref for ref, side in sides.items() if side.now.get(STAGE) == stage]
        mappers = {ref: self.around.viewers[ref.connection].mapper for ref in there}
        return why_not(self.workspace, [(self.around.deals[ref], mappers[ref]) for ref in there])

    def _create(
        self,
        link: str,
        members: tuple[Ref, ...],
        base: Mapping[str, Value],
        sides: Mapping[Ref, Side],
        updates: Iterable[Change],
    ) -> None:
        """Plan the counterparts that are missing where the settings let them be created.

        Of open deals only, and of none in another pipeline than the one that is mapped.
        """
        first = next((ref for ref in sides if not _is_beside(self.around, ref)), None)
        if first is None or not is_open(deal := self.around.deals[first]):
            return
        taken = {ref.connection for ref in members}
        edits = (dict(canonical_edits(c, self.around.viewers[c.connection])) for c in updates if c.target == first)
        # As it will be: a counterpart starts with what is decided on, also before where that did not arrive.
        before = owed(sides[first], self.entry.policy, base) if len(sides) == 1 else {}
        if before.get(STAGE) in {WON, LOST}:
            del before[STAGE]
        view = {**_without_given(sides[first], base), **before, **next(edits, {})}
        if view.get(STAGE) in {WON, LOST}:
            return
        for connection in self.entry.create:
            if connection not in taken:
                target = self.around.viewers[connection]
                again = lost_in(base, connection)
                change, lacking = create_counterpart(deal, view, link=link, target=target, again=again)
                self.blocked += lacking
                self.changes += [change] if change else []


def _without_given(side: Side, decided: Fields) -> Mapping[str, Value]:
    """Give what people said of a deal: not what its CRM gave it when it was made, while nobody touched that."""
    given = [name for name, value in decided.items() if value == GIVEN and name in side.base]
    return {n: value for n, value in side.now.items() if n not in given or not same(value, side.base[n])}


def _is_beside(around: Around, ref: Ref) -> bool:
    """Tell whether a deal stands in another pipeline than the one that is mapped; the others of its link may not."""
    return around.viewers[ref.connection].mapper.is_beside(around.deals[ref].position)


def _may_stay_apart(policy: FieldSync) -> bool:
    """Tell whether nobody expects the sides to hold the same."""
    return not policy.sync or (policy.source is None and policy.conflict == ONLY_IF_EMPTY)


def _left_over(workspace: Workspace, base: Fields) -> dict[str, Ref]:
    """Give, by connection, the counterparts that deals had which were merged into one of a link with this base."""
    links = base.get(MERGED)
    if not isinstance(links, tuple):
        return {}
    refs = [ref for found in workspace.store.links.get(links).values() for ref in found]
    return {ref.connection: ref for ref in workspace.store.records.get(refs)}


def _standing(lost: Mapping[Ref, Fields], changes: Iterable[Change]) -> dict[Ref, Fields]:
    """Give what was outdone, but for what is written over.

    It would seem to be the newest by the next run, for what we write in other fields there. It stays an edit: others
    have not seen it, and it counts again once what won is taken back or deleted.
    """
    written = {(change.target, edit.name) for change in changes for edit in change.edits} if lost else set()
    return {ref: {n: value for n, value in fields.items() if (ref, n) not in written} for ref, fields in lost.items()}
