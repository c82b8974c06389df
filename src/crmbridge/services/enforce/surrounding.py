"""What stands around deals: moves, edits, companies, contacts and what hangs on them, as far as rules ask for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from crmbridge.engine.deals.activities import by_deal, counted
from crmbridge.engine.deals.subject import NO_COURSES, NO_FIRST, Subject
from crmbridge.engine.rules.case import Beside
from crmbridge.engine.sync.matching import around
from crmbridge.engine.time.calendars import CompiledCalendar
from crmbridge.engine.voice import ENGLISH, Voice
from crmbridge.model.courses import Course
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.services.enforce.awaiting import HANGING, NAMED, asked_for, is_pulled
from crmbridge.services.enforce.first_movers import first_movers
from crmbridge.services.links.associations import hanging_on
from crmbridge.services.pull.unread_kinds import why_no_files
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Settings

# Gives the activities, notes or files on some deals of one connection, by the deal's id.
Hanging = Callable[[Workspace, Sequence[Ref], Kind], Mapping[str, Sequence[Record]]]


def surrounded(
    workspace: Workspace, deals: Iterable[Record], calendars: Mapping[str, CompiledCalendar], hanging: Hanging
) -> Iterator[Subject]:
    """Give deals with everything that they are evaluated against; those of one connection together."""
    by_connection: dict[str, list[Record]] = defaultdict(list)
    for deal in deals:
        by_connection[deal.ref.connection].append(deal)
    for connection, own in by_connection.items():
        pulled = [kind for kind in (*NAMED, *HANGING, Kind.USER) if is_pulled(workspace, connection, kind)]
        yield from _subjects(workspace, own, calendars, _Around.load(workspace, own, pulled, hanging))


class _Around(Struct, frozen=True, kw_only=True):
    """What was found around some deals of one connection. What is None is not pulled, or nobody asked for it."""

    hanging: Mapping[Kind, Mapping[str, Sequence[Record]]]
    named: Mapping[Ref, Record]
    kinds: Collection[Kind]
    users: Sequence[Record] | None
    people: Mapping[str, Sequence[str]]
    no_files: str

    @classmethod
    def load(cls, workspace: Workspace, deals: Sequence[Record], pulled: Collection[Kind], hanging: Hanging) -> _Around:
        """Read it, all deals at once."""
        refs = [deal.ref for deal in deals]
        asked, settings = asked_for(workspace), workspace.project.settings
        kinds = asked.intersection(pulled, NAMED)
        wanted = {ref for deal in deals for ref in around(deal) if ref.kind in kinds} if kinds else ()
        users = asked & {Kind.USER} and Kind.USER in pulled
        return cls(
            hanging={
                kind: hanging(workspace, refs, kind)
                for kind in HANGING
                if kind in pulled and (kind is Kind.ACTIVITY or kind in asked)
            },
            named=workspace.store.records.get(sorted(wanted)),
            kinds=kinds,
            users=tuple(workspace.store.records.records(refs[0].connection, Kind.USER)) if users else None,
            people={role: settings.emails(role, refs[0].connection) for role in settings.people},
            no_files=why_no_files(workspace, refs[0].connection) if asked.difference(pulled) & {Kind.FILE} else "",
        )

    @property
    def alike(self) -> bool:
        """Tell whether the same stands beside all of these deals, as nothing of their own does."""
        return not self.kinds and self.hanging.keys().isdisjoint({Kind.NOTE, Kind.FILE})

    def of(self, deal: Record) -> Beside:
        """Give what stands beside one deal."""
        refs = list(around(deal)) if self.kinds else []
        named = {
            kind: [self.named[ref] for ref in refs if ref.kind is kind and ref in self.named]
            for kind in NAMED
            if kind in self.kinds
        }
        notes, files = (self.hanging.get(kind) for kind in (Kind.NOTE, Kind.FILE))
        return Beside(
            notes=None if notes is None else notes.get(deal.ref.id, ()),
            files=None if files is None else files.get(deal.ref.id, ()),
            no_files=self.no_files,
            companies=named.get(Kind.COMPANY),
            contacts=named.get(Kind.CONTACT),
            users=self.users,
            people=self.people,
        )


def _subjects(
    workspace: Workspace, deals: Sequence[Record], calendars: Mapping[str, CompiledCalendar], found: _Around
) -> Iterator[Subject]:
    records, project = workspace.store.records, workspace.project
    refs = [deal.ref for deal in deals]
    moves = records.moves_for(refs)
    first = first_movers(workspace, moves)
    edits, activities = records.edits_for(refs), found.hanging.get(Kind.ACTIVITY)
    judged_before = workspace.store.findings.clocks_of(refs)
    beside = found.of(deals[0]) if found.alike else None
    courses, voice = courses_of(workspace, refs), voice_of(project.process, project.settings)
    mapper = workspace.mapper(refs[0].connection)
    for deal in deals:
        own = None if activities is None else activities.get(deal.ref.id, ())
        yield Subject(
            deal=deal if own is None else counted(deal, own),
            moves=moves.get(deal.ref, ()),
            first_movers=first.get(deal.ref, NO_FIRST),
            edits=edits.get(deal.ref, ()),
            courses=courses.get(deal.ref, NO_COURSES),
            judged_before=judged_before.get(deal.ref, ()),
            activities=own,
            beside=beside or found.of(deal),
            process=project.process,
            settings=project.settings,
            calendars=calendars,
            voice=voice,
            mapper=mapper,
        )


def voice_of(process: Process, settings: Settings) -> Voice:
    """Give who says in tasks, notes and notices what was found, in the language of the settings."""
    if settings.language == "en":
        return ENGLISH
    from crmbridge.manual.telling import teller  # noqa: PLC0415  words that most projects don't need

    return teller(process, settings.language)


def reading_of(workspace: Workspace, connection: str) -> str:
    """Name how a connection read the fields of its deals when they were last pulled."""
    from crmbridge.services.pull.bookmarks import Bookmark  # noqa: PLC0415  asked for only where a CRM told of its fields

    mark = Bookmark.parse(workspace.store.records.cursors(connection).get(Kind.DEAL, ""))
    return mark.reading if mark else ""


def courses_of(workspace: Workspace, deals: Sequence[Ref]) -> Mapping[Ref, Mapping[str, Course]]:
    """Give what the CRM told of fields of deals, as long as they are read as they were then."""
    found = workspace.store.courses.of(deals)
    if not found:
        return found
    reading = reading_of(workspace, deals[0].connection)
    return {deal: {n: c for n, c in own.items() if c.reading == reading} for deal, own in found.items()}


def indexed(workspace: Workspace, deals: Sequence[Ref], kind: Kind) -> Mapping[str, Sequence[Record]]:
    """Find what hangs on deals by the index, which must be up to date."""
    return {deal.id: found for deal, found in hanging_on(workspace, deals, kind).items()}


def scanned(workspace: Workspace) -> Hanging:
    """Find it by reading all there is, once: for those who only look, and may not bring the index up to date."""
    known: dict[tuple[str, Kind], Mapping[str, Sequence[Record]]] = {}

    def find(_workspace: Workspace, deals: Sequence[Ref], kind: Kind) -> Mapping[str, Sequence[Record]]:
        key = (deals[0].connection, kind)
        if key not in known:
            known[key] = by_deal(workspace.store.records.records(*key))
        return known[key]

    return find


def since_indexed(workspace: Workspace, changed: Collection[Ref]) -> Hanging:
    """Find it by the index and by what changed since: for those who only look, at what a few deals have."""
    fresh = workspace.store.records.get([ref for ref in changed if ref.kind in HANGING])

    def find(_workspace: Workspace, deals: Sequence[Ref], kind: Kind) -> Mapping[str, Sequence[Record]]:
        known = indexed(workspace, deals, kind)
        own = [record for ref, record in fresh.items() if ref[:2] == (deals[0].connection, kind)]
        newer = by_deal(own)
        kept = {deal.id: [each for each in known.get(deal.id, ()) if each.ref not in changed] for deal in deals}
        both = {deal: sorted([*kept[deal], *newer.get(deal, ())], key=lambda each: each.ref) for deal in kept}
        return {deal: found for deal, found in both.items() if found}

    return find
