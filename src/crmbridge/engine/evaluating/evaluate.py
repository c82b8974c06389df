"""Evaluate one deal against the process: where it stands, how long it stayed, what holds and what does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from crmbridge.engine.deals.checks import Verdicts, may_turn, turns_at
from crmbridge.engine.deals.history import recorded, untold_of
from crmbridge.engine.deals.judging import broken_kind, case_now, on_entry, on_leaving, ready
from crmbridge.engine.deals.moves import Illegal, LastMove, standing_moves
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.evaluating.permission import mover, permitted
from crmbridge.engine.evaluating.remedies import remedy
from crmbridge.engine.mapping import WON
from crmbridge.engine.people import email_of
from crmbridge.engine.sla.clocks import clocks
from crmbridge.engine.sla.late import late
from crmbridge.engine.text import plain
from crmbridge.model.findings import (
    Evaluation,
    Finding,
    FindingKind,
    Place,
    Severity,
    SlaClock,
    Verdict,
    Visit,
    finding_id,
)
from crmbridge.model.process import Process, Stage
from crmbridge.model.records import Position
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value, show

NO_VERDICTS = Verdicts()
BEYOND_BOUNDS = (ArithmeticError, ValueError)  # what Python raises for dates and numbers that nobody can count with
MOVE_RULE = "move"
UNREADABLE_RULE = "unreadable"


def evaluate(subject: Subject, now: datetime) -> Evaluation:
    """Say everything that the process says of a deal at a moment.

    `readiness` are the exit rules of the stage where the deal stands, and `entry` its entry rules, judged when the
    deal came in. `judged` are the exit rules of the stages that are behind it, judged at the move that left them.
    Findings come from the last two, from the moves, the running SLA clocks and what could not be read. A lost deal
    has no moves that matter and no running clock, so only the last of these is left.
    """
    place = subject.place
    visits = visits_of(subject.deal, subject.moves, subject.mapper)
    measured = clocks(subject, visits, now)
    here, visit = _here(place, visits, subject.process)
    moves = _judged(subject, standing_moves(visits, place, subject.process))
    left = tuple(on_leaving(moves, subject, now)) if moves else ()
    entry = on_entry(here, visit, subject, now) if here and visit and here.entry else ()
    findings = list(_unreadable(subject, place)) if subject.deal.problems or place.stage is None else []
    for move in moves:
        findings += _illegal_move(move, subject, last=move is moves[-1])
    for move, found in left:
        for verdict in Verdicts((found,)).broken():
            findings += _unmet(verdict, FindingKind.EXIT_RULE, move.source, move.at, subject)
    for verdict in entry:
        findings += _unmet(verdict, FindingKind.ENTRY_RULE, visit, visit.entered_at, subject) if visit else ()
    for clock in measured.clocks:
        findings += _late(clock, subject)
    stages = [stage for move in moves for stage in move.left_behind]
    stages += [here] if here else []
    return Evaluation(
        deal=subject.deal.ref,
        at=now,
        place=place,
        visits=visits,
        clocks=measured.clocks,
        readiness=ready(here, visit, subject, now) if here else (),
        entry=entry,
        judged=Verdicts(tuple(found for _, found in left)) if left else NO_VERDICTS,
        findings=tuple(findings),
        until=_until(measured.until, stages, subject, now),
    )


def _judged(subject: Subject, moves: Sequence[LastMove]) -> list[LastMove]:
    """Give moves with what is wrong with them; a last one that only follows others takes no way of its own."""
    asked = [*moves[:-1], replace(moves[-1], illegal=None)] if subject.follows and moves else moves
    return [permitted(move, subject) for move in asked]


def unjudged(subject: Subject, now: datetime, why: Exception) -> Evaluation:
    """Say of a deal that it can't be judged, as what it holds is beyond what can be calculated with.

    What was said of cycles that ended stays; all else is not known until the deal or the process is another one.
    """
    kept = tuple(clock for clock in subject.judged_before if not clock.running)
    cause = plain(str(why)) or type(why).__name__
    finding = _finding(
        subject,
        UNREADABLE_RULE,
        FindingKind.UNREADABLE,
        "deal",
        message=f"The deal {subject.deal.ref} can't be judged: {_sentence(cause)} "
        "Look for a date or a number in it that can't be meant, and correct it in the CRM.",
        since=subject.deal.updated_at,
    )
    return Evaluation(
        deal=subject.deal.ref,
        at=now,
        place=subject.place,
        visits=tuple(dict.fromkeys(clock.visit for clock in kept)),
        clocks=kept,
        readiness=(),
        judged=(),
        findings=(finding,),
    )


def _here(place: Place, visits: Sequence[Visit], process: Process) -> tuple[Stage | None, Visit | None]:
    """Give the stage where a deal stands, and its visit there."""
    stage = process.stage(place.stage) if place.stage else None
    return stage, visits[-1] if stage and visits else None


def _until(clocks_turn: datetime | None, stages: Iterable[Stage], subject: Subject, now: datetime) -> datetime | None:
    """Give the next moment at which a clock gets another state, or at which a rule that looks at the time may turn."""
    turning = [stage for stage in stages if may_turn(stage, subject.process)]
    if clocks_turn is None and not turning:
        return None
    moments = [clocks_turn, *(turns_at(case_now(stage, None, subject, now)) for stage in turning)]
    return min((at for at in moments if at is not None and at > now), default=None)


def _unmet(verdict: Verdict, kind: FindingKind, visit: Visit, at: datetime, subject: Subject) -> Iterator[Finding]:
    """Say that the deal went on from a stage, or came into one, although a rule does not hold or can't be decided."""
    found = broken_kind(verdict, kind)
    if found is None:
        return
    entering = kind is FindingKind.ENTRY_RULE
    yield _finding(
        subject,
        verdict.rule,
        found,
        *((kind,) if entering else ()),
        visit.stage,
        str(visit.number),
        stage=verdict.stage,
        message=f"{_sentence(verdict.message)} The deal {'came into' if entering else 'went on from'} "
        f"{subject.stage_name(verdict.stage)} on {show(at)}{_by_values(verdict, at, subject)}. "
        f"{remedy(verdict.missing, subject)}",
        since=at,
        seen=verdict.seen,
        visit=visit.number,
    )


def _by_values(verdict: Verdict, at: datetime, subject: Subject) -> str:
    """Say by which values was judged: those of now where nobody can tell what they were."""
    crm = plain(subject.deal.ref.connection)
    if verdict.values == "then":
        all_recorded = verdict.seen and all(recorded(subject, name, at) for name in verdict.seen)
        return ", judged by what it held then" + (f", as {crm} recorded it" if all_recorded else "")
    untold = any(untold_of(subject, name, at) for name in verdict.seen)
    return ", judged by what it holds now" + (f", as {crm} can't tell what it was" if untold else "")


def _illegal_move(move: LastMove, subject: Subject, *, last: bool) -> Iterator[Finding]:
    """Say what was wrong with a move; of one before the last only by whom it was made, as the rest is overtaken."""
    if move.illegal is None or not (last or move.illegal is Illegal.BY_ANOTHER):
        return
    stage = move.target.stage if move.target else None
    number = move.target.number if move.target else None
    yield _finding(
        subject,
        MOVE_RULE,
        FindingKind.ILLEGAL_MOVE,
        move.source.stage,
        str(move.source.number),
        stage or WON,
        str(number),
        stage=stage,
        message=f"The deal {_wrong(move, move.illegal, subject)}, which the process does not allow. "
        f"It {'stands' if last else 'stood'} in {subject.stage_name(stage or WON)} since {show(move.at)}. "
        f"{_way_out(move, subject)}",
        since=move.at,
        seen=_seen_of(move, move.illegal, subject),
        visit=number,
    )


def _seen_of(move: LastMove, illegal: Illegal, subject: Subject) -> dict[str, Value]:
    seen: dict[str, Value] = {"move_from": move.source.stage, "move_is": illegal.value}
    if illegal is Illegal.SKIPPED and len(move.left_behind) > 1:
        seen["move_skipped"] = tuple(stage.id for stage in move.left_behind[1:])
    if illegal is Illegal.BY_ANOTHER:
        seen["moved_by"] = _who(move, subject)
    return seen


def _wrong(move: LastMove, illegal: Illegal, subject: Subject) -> str:
    origin = subject.stage_name(move.source.stage)
    skipped = ", ".join(subject.stage_name(stage.id) for stage in move.left_behind[1:])
    return {
        Illegal.SKIPPED: f"came from {origin}" + (f" and skipped {skipped}" if skipped else ""),
        Illegal.WENT_BACK: f"went back from {origin}",
        Illegal.REOPENED: "was opened again after it was won or lost",
        Illegal.WITHOUT_REASON: f"went back from {origin} without a reason",
        Illegal.BY_ANOTHER: f"was moved on from {origin} by {_who(move, subject)}",
    }[illegal]


def _way_out(move: LastMove, subject: Subject) -> str:
    reason = subject.process.moves.reason
    if move.illegal is Illegal.WITHOUT_REASON and reason is not None:
        return f"Fill in: {subject.field_names([reason])}."
    before = subject.stage_name(move.source.stage)
    if move.illegal is Illegal.BY_ANOTHER:
        return f"Somebody who may make this move has to: move it back to {before} first."
    return f"Move it to where it belongs; it was in {before} before."


def _who(move: LastMove, subject: Subject) -> str:
    by = mover(move, subject)
    return plain(email_of(by, subject.beside.users or ()) or str(by))


def _late(clock: SlaClock, subject: Subject) -> Iterator[Finding]:
    if said := late(clock, subject):
        details = {"stage": said.stage, "visit": said.visit, "seen": said.seen}
        yield _finding(subject, said.rule, said.kind, *said.parts, message=said.message, since=said.since, **details)


def _unreadable(subject: Subject, place: Place) -> Iterator[Finding]:
    """Say which values could not be read, and that the deal stands where the process has no stage.

    Nothing is wrong with one that stands in another pipeline: it is none of the process's.
    """
    deal = subject.deal
    for problem in deal.problems:
        path, message = plain(problem.path), plain(problem.message)
        yield _finding(
            subject,
            UNREADABLE_RULE,
            FindingKind.UNREADABLE,
            problem.path,
            message=f"The field {path} can't be read: {_sentence(message)} Correct it in the CRM.",
            since=deal.updated_at,
            path=problem.path,
        )
    mapper = subject.mapper
    if place.stage is None and not mapper.covers(deal.position) and not mapper.is_beside(deal.position):
        yield _finding(
            subject,
            UNREADABLE_RULE,
            FindingKind.UNREADABLE,
            "stage",
            *(deal.position[:2] if deal.position else ()),
            message=_unmapped_message(deal.position, mapper.connection),
            since=deal.updated_at,
            seen=_seen_at(deal.position) if deal.position else {},
            path="stage",
        )


def _seen_at(position: Position) -> dict[str, Value]:
    return {"pipeline": plain(position.pipeline), "stage": plain(position.stage)}


def _unmapped_message(position: Position | None, connection: str) -> str:
    if position is None:
        return f"The deal came from {connection} without a stage. Put it into one there."
    return (
        f"The stage {plain(position.stage)} of the pipeline {plain(position.pipeline)} stands for no stage of the "
        f"process. Move the deal to one that does, or add it to stages: {connection}: in the settings."
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."


def _finding(
    subject: Subject,
    rule: str,
    kind: FindingKind,
    *parts: str,
    message: str,
    since: datetime,
    **details: Any,
) -> Finding:
    """Make a finding; `parts` are what makes it this one beside the deal and the rule."""
    deal = subject.deal.ref
    binding = subject.settings.binding(rule, deal.connection)
    return Finding(
        id=finding_id(deal, rule, *parts),
        deal=deal,
        rule=rule,
        kind=kind,
        severity=binding.severity if binding else Severity.INFO,
        message=message,
        since=since,
        **{"stage": subject.place.stage, **details},
    )
