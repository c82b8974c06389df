"""Evaluate: hold deals against the process and remember what it says. It costs what changed or fell due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from crmbridge import __version__
from crmbridge.engine.actions import actions_for
from crmbridge.engine.activities import by_deal, counted
from crmbridge.engine.calendars import CompiledCalendar, compile_calendar
from crmbridge.engine.evaluate import Subject, evaluate
from crmbridge.engine.matching import lead
from crmbridge.model.business_time import Calendar
from crmbridge.model.changes import Change
from crmbridge.model.findings import Evaluation
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Move, Record, Ref
from crmbridge.services.hanging import hanging_on, index_hanging
from crmbridge.services.holidays import public_holidays
from crmbridge.services.kinds import wanted_kinds
from crmbridge.services.linking import chunks
from crmbridge.services.workspace import Workspace

OLDEST_YEARS = 6  # calendars know the holidays of this many years back; older visits count every working day
READER = "enforce/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One deal's evaluation, with the changes that the bindings ask for."""

    deal: Record
    evaluation: Evaluation
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of looking at the deals that changed or fell due: what was said of them is saved already."""

    deals: int = 0
    changes: tuple[Change, ...] = ()
    reader: str = ""
    mark: int = 0


def judge_pending(workspace: Workspace) -> Judged:
    """Evaluate every deal that changed, or whose evaluation was good until now, and save what that says.

    Linked deals are evaluated once, by the deal that leads them. `dealt` must be called with what is made of it.
    """
    reader = _reader(workspace)
    mark, pending = workspace.store.backlog.pending(reader)
    calendars = compile_calendars(workspace)
    deals: set[Ref] = {ref for ref in pending if ref.kind is Kind.DEAL}
    for part in chunks(ref for ref in pending if ref.kind is Kind.ACTIVITY):
        deals |= index_hanging(workspace, part)
    deals.update(workspace.store.findings.due(workspace.clock.now()))
    count = 0
    changes: list[Change] = []
    done: set[Ref] = set()
    for part in chunks(sorted(deals)):
        records, others = _leads(workspace, [deal for deal in part if deal not in done])
        done |= records.keys() | others  # a link is looked at once, with whichever of its deals comes first
        for one in _judge(workspace, records, others, calendars):
            count += 1
            changes += one.changes
        workspace.progress("evaluate", f"{count} deals")
    return Judged(deals=count, changes=tuple(changes), reader=reader, mark=mark)


def dealt(workspace: Workspace, judged: Judged, unfinished: Iterable[Change]) -> None:
    """Note what was dealt with: all but the deals of which something is still to be written, or to be asked."""
    ids = {change.id for change in judged.changes}
    left = {change.target for change in unfinished if change.id in ids and change.target is not None}
    workspace.store.backlog.dealt(judged.reader, judged.mark, sorted(left))
    known = workspace.store.backlog.readers()
    workspace.store.backlog.forget(sorted(r for r in known if r.startswith(READER) and r != judged.reader))


def _reader(workspace: Workspace) -> str:
    """Name the reader of the backlog: under another process, and in a year of other holidays, all is judged anew."""
    return f"{READER}{workspace.project.digest}/{__version__}/{workspace.clock.now().year}"


def _judge(
    workspace: Workspace,
    records: Mapping[Ref, Record],
    others: Collection[Ref],
    calendars: Mapping[str, CompiledCalendar],
) -> list[Evaluated]:
    """Evaluate deals that lead; save it, and forget the ones linked to them."""
    moves = workspace.store.records.moves_for(records)
    judged = [
        _evaluate(workspace, deal, moves.get(deal.ref, ()), calendars, activities)
        for deal, activities in _with_activities(workspace, records.values(), _indexed)
    ]
    now = workspace.clock.now()
    workspace.store.findings.save([one.evaluation for one in judged], now)
    workspace.store.findings.forget(others, now)
    return judged


def _leads(workspace: Workspace, deals: Collection[Ref]) -> tuple[dict[Ref, Record], set[Ref]]:
    """Give the deals that are evaluated: linked ones by the deal that leads them; and the ones that are not."""
    links = workspace.store.links
    link_of = links.of(deals)
    members = links.get(set(link_of.values()))
    refs = {*deals, *(ref for together in members.values() for ref in together)}
    groups = [_ranked(workspace, link, together) for link, together in members.items()]
    groups += [_ranked(workspace, "", [ref]) for ref in deals if ref not in link_of]
    leading: dict[Ref, Record] = {}
    while groups := [group for group in groups if group]:  # the others are loaded only where the first is gone
        found = workspace.store.records.get(sorted({first for first, *_ in groups}))
        leading |= found
        groups = [group[1:] for group in groups if group[0] not in found]
    return dict(sorted(leading.items())), refs - leading.keys()


def _ranked(workspace: Workspace, link: str, together: Iterable[Ref]) -> list[Ref]:
    """Put those of these linked deals that can be evaluated in the order in which they would lead."""
    stages, connections = workspace.project.settings.stages, workspace.connections
    able = sorted(ref for ref in together if ref.connection in stages and ref.connection in connections)
    first = lead(link, able)
    return able if first is None else [first, *(ref for ref in able if ref != first)]


def evaluate_all(workspace: Workspace) -> tuple[Evaluated, ...]:
    """Evaluate every deal once: linked ones by the deal that leads them. Nothing is saved or written."""
    calendars = compile_calendars(workspace)
    refs = [deal.ref for name in workspace.connections for deal in workspace.store.records.records(name, Kind.DEAL)]
    records, _ = _leads(workspace, refs)
    moves = workspace.store.records.moves_for(records)
    deals = _with_activities(workspace, records.values(), _scanned)
    return tuple(
        _evaluate(workspace, deal, moves.get(deal.ref, ()), calendars, activities) for deal, activities in deals
    )


def compile_calendars(workspace: Workspace) -> dict[str, CompiledCalendar]:
    """Compile the process's calendars, with the public holidays of the years that matter."""
    year = workspace.clock.now().year
    return compile_for(workspace.project.process, range(year, year + 1))


def compile_for(process: Process, years: range) -> dict[str, CompiledCalendar]:
    """Compile a process's calendars for looking at deals within these years."""
    known = range(years.start - OLDEST_YEARS, years.stop + 1)
    return {name: _compiled(calendar, known) for name, calendar in process.calendars.items()}


@lru_cache(maxsize=64)  # what it works out when it is asked serves all deals of a process
def _compiled(calendar: Calendar, years: range) -> CompiledCalendar:
    return compile_calendar(calendar, public_holidays(calendar, years))


def subject_of(
    workspace: Workspace,
    deal: Record,
    moves: Sequence[Move],
    calendars: Mapping[str, CompiledCalendar],
    activities: Sequence[Record] | None = None,
) -> Subject:
    """Give a deal with everything that it is evaluated against."""
    return Subject(
        deal=deal,
        moves=moves,
        activities=activities,
        process=workspace.project.process,
        settings=workspace.project.settings,
        calendars=calendars,
        mapper=workspace.mapper(deal.ref.connection),
    )


def _evaluate(
    workspace: Workspace,
    deal: Record,
    moves: Sequence[Move],
    calendars: Mapping[str, CompiledCalendar],
    activities: Sequence[Record] | None,
) -> Evaluated:
    now = workspace.clock.now()
    subject = subject_of(workspace, deal, moves, calendars, activities)
    evaluation = evaluate(subject, now)
    return Evaluated(deal=deal, evaluation=evaluation, changes=actions_for(subject, evaluation, now))


def evaluate_one(workspace: Workspace, deal: Record) -> Evaluated:
    """Evaluate a single deal in the same way as all of them are."""
    moves = workspace.store.records.moves_of(deal.ref)
    ((whole, activities),) = _with_activities(workspace, [deal], _scanned)
    return _evaluate(workspace, whole, moves, compile_calendars(workspace), activities)


def _with_activities(
    workspace: Workspace,
    deals: Iterable[Record],
    activities: Callable[[Workspace, str, Sequence[Ref]], Iterable[Record]],
) -> Iterator[tuple[Record, Sequence[Record] | None]]:
    """Give deals with their activities, and these counted, where the connection pulls activities.

    Else the deals as the CRM gave them, and None.
    """
    by_connection: dict[str, list[Record]] = defaultdict(list)
    for deal in deals:
        by_connection[deal.ref.connection].append(deal)
    for connection, own in by_connection.items():
        if _counts_activities(workspace, connection):
            hanging = by_deal(activities(workspace, connection, [deal.ref for deal in own]))
            yield from ((counted(deal, found), found) for deal in own for found in [hanging.get(deal.ref.id, ())])
        else:
            yield from ((deal, None) for deal in own)


def _indexed(workspace: Workspace, _connection: str, deals: Sequence[Ref]) -> Iterable[Record]:
    """Give the activities on deals by the index, which must be up to date."""
    found = hanging_on(workspace, deals, Kind.ACTIVITY)
    return {each.ref: each for hanging in found.values() for each in hanging}.values()


def _scanned(workspace: Workspace, connection: str, _deals: Sequence[Ref]) -> Iterable[Record]:
    """Give all activities of a connection: for those who only look, and may not bring the index up to date."""
    return workspace.store.records.records(connection, Kind.ACTIVITY)


def _counts_activities(workspace: Workspace, connection: str) -> bool:
    """Tell whether a connection pulls activities, and has done so.

    Without a cursor none were pulled yet, or the adapter knows none: that is not the same as there being none.
    """
    project = workspace.project
    wanted = wanted_kinds(project.process, project.settings.connections[connection])
    return Kind.ACTIVITY in wanted and workspace.store.records.cursor(connection, Kind.ACTIVITY) is not None
