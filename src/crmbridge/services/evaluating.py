"""Evaluate: hold every deal against the process and remember what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crmbridge.engine.actions import actions_for
from crmbridge.engine.calendars import CompiledCalendar, compile_calendar
from crmbridge.engine.evaluate import Subject, evaluate
from crmbridge.model.changes import Change
from crmbridge.model.findings import Evaluation
from crmbridge.model.records import Kind, Move, Record
from crmbridge.services.holidays import public_holidays
from crmbridge.services.workspace import Workspace

OLDEST_YEARS = 6  # calendars know the holidays of this many years back; older visits count every working day


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One deal's evaluation, with the changes that the bindings ask for."""

    deal: Record
    evaluation: Evaluation
    changes: tuple[Change, ...]


def evaluate_all(workspace: Workspace) -> tuple[Evaluated, ...]:
    """Evaluate every deal once: a linked one where its first connection has it. Nothing is saved or written."""
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
    """Give each deal of the connections whose stages are mapped, once: where its link's first connection has it."""
    records = workspace.store.records
    links = [refs for refs in workspace.store.links.links().values() if len(refs) > 1]
    link_of = {ref: index for index, refs in enumerate(links) for ref in refs}
    seen: set[int] = set()
    for connection in workspace.connections:
        if connection not in workspace.project.settings.stages:
            continue
        moves = dict(records.moves(connection))
        for deal in records.records(connection, Kind.DEAL):
            link = link_of.get(deal.ref)
            if link is None or link not in seen:
                yield deal, moves.get(deal.ref, ())
            if link is not None:
                seen.add(link)


def evaluate_one(workspace: Workspace, deal: Record) -> Evaluated:
    """Evaluate a single deal in the same way as all of them are."""
    moves = workspace.store.records.moves_of(deal.ref)
    return _evaluate(workspace, deal, moves, compile_calendars(workspace))
