"""Evaluate: hold every deal against the process and remember what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crmbridge.engine.actions import actions_for
from crmbridge.engine.activities import counted, tally
from crmbridge.engine.calendars import CompiledCalendar, compile_calendar
from crmbridge.engine.evaluate import Subject, evaluate
from crmbridge.engine.matching import lead
from crmbridge.model.changes import Change
from crmbridge.model.findings import Evaluation
from crmbridge.model.records import Kind, Move, Record
from crmbridge.services.holidays import public_holidays
from crmbridge.services.kinds import wanted_kinds
from crmbridge.services.workspace import Workspace

OLDEST_YEARS = 6  # calendars know the holidays of this many years back; older visits count every working day


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One deal's evaluation, with the changes that the bindings ask for."""

    deal: Record
    evaluation: Evaluation
    changes: tuple[Change, ...]


def evaluate_all(workspace: Workspace) -> tuple[Evaluated, ...]:
    """Evaluate every deal once: linked ones by the deal that leads them. Nothing is saved or written."""
    calendars = compile_calendars(workspace)
    judged = [_evaluate(workspace, deal, moves, calendars) for deal, moves in _deals(workspace)]
    workspace.progress("evaluate", f"{len(judged)} deals")
    return tuple(judged)


def save(workspace: Workspace, judged: Sequence[Evaluated]) -> None:
    """Remember what evaluating said, and clear what was known of deals that are not there any more."""
    now = workspace.clock.now()
    workspace.store.findings.save([one.evaluation for one in judged], now)
    workspace.store.findings.forget([one.deal.ref for one in judged], now)


def compile_calendars(workspace: Workspace) -> dict[str, CompiledCalendar]:
    """Compile the process's calendars, with the public holidays of the years that matter."""
    year = workspace.clock.now().year
    years = range(year - OLDEST_YEARS, year + 2)
    calendars = workspace.project.process.calendars
    return {name: compile_calendar(calendar, public_holidays(calendar, years)) for name, calendar in calendars.items()}


def subject_of(
    workspace: Workspace, deal: Record, moves: Sequence[Move], calendars: Mapping[str, CompiledCalendar]
) -> Subject:
    """Give a deal with everything that it is evaluated against."""
    return Subject(
        deal=deal,
        moves=moves,
        process=workspace.project.process,
        settings=workspace.project.settings,
        calendars=calendars,
        mapper=workspace.mapper(deal.ref.connection),
    )


def _evaluate(
    workspace: Workspace, deal: Record, moves: Sequence[Move], calendars: Mapping[str, CompiledCalendar]
) -> Evaluated:
    now = workspace.clock.now()
    subject = subject_of(workspace, deal, moves, calendars)
    evaluation = evaluate(subject, now)
    return Evaluated(deal=deal, evaluation=evaluation, changes=actions_for(subject, evaluation, now))


def _deals(workspace: Workspace) -> Iterator[tuple[Record, tuple[Move, ...]]]:
    """Give each deal of the connections whose stages are mapped, once: linked ones by the deal that leads them."""
    records = workspace.store.records
    mapped = [name for name in workspace.connections if name in workspace.project.settings.stages]
    deals = {name: tuple(records.records(name, Kind.DEAL)) for name in mapped}
    present = {deal.ref for side in deals.values() for deal in side}
    following = {
        ref
        for link, refs in workspace.store.links.links().items()
        for ref in refs
        if ref != lead(link, present.intersection(refs))
    }
    for name in mapped:
        moves = dict(records.moves(name))
        for deal in _with_activities(workspace, name, deals[name]):
            if deal.ref not in following:
                yield deal, moves.get(deal.ref, ())


def evaluate_one(workspace: Workspace, deal: Record) -> Evaluated:
    """Evaluate a single deal in the same way as all of them are."""
    moves = workspace.store.records.moves_of(deal.ref)
    (whole,) = _with_activities(workspace, deal.ref.connection, [deal])
    return _evaluate(workspace, whole, moves, compile_calendars(workspace))


def _with_activities(workspace: Workspace, connection: str, deals: Sequence[Record]) -> Iterator[Record]:
    """Give deals with their activities counted, where the connection pulls activities; else as the CRM gave them."""
    project, records = workspace.project, workspace.store.records
    wanted = wanted_kinds(project.process, project.settings.connections[connection])
    # Without a cursor none were pulled yet, or the adapter knows none: that is not the same as there being none.
    if Kind.ACTIVITY not in wanted or records.cursor(connection, Kind.ACTIVITY) is None:
        yield from deals
        return
    tallies = tally(records.records(connection, Kind.ACTIVITY))
    yield from (counted(deal, tallies) for deal in deals)
