"""Judge a deal by the rules of its stages: at the moment that each speaks of, by the values of then or of now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from crmbridge.engine.activity_checks import known_then
from crmbridge.engine.cases import Case
from crmbridge.engine.checks import judge
from crmbridge.engine.history import fields_at, is_known
from crmbridge.engine.moves import LastMove
from crmbridge.engine.rule_fields import has_history, looked_at
from crmbridge.model.findings import FindingKind, Judgement, Verdict, Visit
from crmbridge.model.process import ExitRule, OnUnknown, Stage

if TYPE_CHECKING:
    from crmbridge.engine.evaluate import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Whose rules are asked, of which visit; None where a deal never was in the stage."""

    stage: Stage
    visit: Visit | None
    subject: Subject
    now: datetime


def ready(stage: Stage, visit: Visit | None, subject: Subject, now: datetime) -> tuple[Verdict, ...]:
    """Judge by the exit rules of the stage where a deal stands, as if it left now."""
    asked = _Asked(stage=stage, visit=visit, subject=subject, now=now)
    case = _case_now(asked)
    return tuple(judge(rule, case) for rule in stage.exit)


def on_entry(stage: Stage, visit: Visit, subject: Subject, now: datetime) -> tuple[Verdict, ...]:
    """Judge by the entry rules of a stage, at the moment when the deal came in."""
    asked = _Asked(stage=stage, visit=visit, subject=subject, now=now)
    return tuple(_judged(stage.entry, visit.entered_at, asked))


def on_leaving(moves: Iterable[LastMove], subject: Subject, now: datetime) -> Iterator[tuple[LastMove, Verdict]]:
    """Judge by the exit rules of the stages that moves left behind, at the moment of each."""
    for move in moves:
        for stage in move.left_behind:
            visit = move.source if move.source.stage == stage.id else None
            asked = _Asked(stage=stage, visit=visit, subject=subject, now=now)
            yield from ((move, verdict) for verdict in _judged(stage.exit, move.at, asked))


def broken_kind(verdict: Verdict, kind: FindingKind) -> FindingKind | None:
    """Say what kind of finding a verdict makes, `kind` being that of a rule that fails; None where it makes none."""
    if verdict.judgement is Judgement.FAIL:
        return kind
    if verdict.judgement is not Judgement.UNKNOWN:
        return None
    return {
        OnUnknown.FAIL: kind,
        OnUnknown.WARN: FindingKind.UNDECIDED,
        OnUnknown.SKIP: None,
    }[OnUnknown(verdict.on_unknown)]


def zone_of(stage: Stage, subject: Subject) -> tzinfo:
    """Say where a stage's days begin and end: in its SLA's calendar, else in the first one of the process, else UTC."""
    named = stage.sla.calendar if stage.sla else next(iter(subject.process.calendars), None)
    calendar = subject.calendars.get(named) if named else None
    return calendar.zone if calendar else UTC


def _judged(rules: Sequence[ExitRule], moment: datetime, asked: _Asked) -> Iterator[Verdict]:
    """Judge by the values of a moment where they are known, else by those of now.

    What was broken then and holds now was mended: it holds. What is broken both then and now is told by the values of
    now, which are the ones to mend, unless they are still the same.
    """
    if not rules:
        return
    case_now, case_then = _case_now(asked), _case_then(asked, moment)
    for rule in rules:
        then = judge(rule, case_then) if _is_known(rule, moment, asked) else None
        if then is not None and broken_kind(then, FindingKind.EXIT_RULE) is None:
            yield then
            continue
        verdict = judge(rule, case_now)
        same = then is not None and (then.judgement, then.seen) == (verdict.judgement, verdict.seen)
        yield then if then is not None and same else verdict


def _is_known(rule: ExitRule, moment: datetime, asked: _Asked) -> bool:
    return has_history(rule) and is_known(asked.subject, looked_at(rule, asked.stage), moment)


def _case_now(asked: _Asked) -> Case:
    subject = asked.subject
    return Case(
        process=subject.process,
        stage=asked.stage,
        fields=subject.deal.fields,
        now=asked.now,
        zone=zone_of(asked.stage, subject),
        visit=asked.visit,
        activities=subject.activities,
        beside=subject.beside,
        people=subject.settings.people,
        language=subject.language,
    )


def _case_then(asked: _Asked, moment: datetime) -> Case:
    subject, notes = asked.subject, asked.subject.beside.notes
    return replace(
        _case_now(asked),
        now=moment,
        values="then",
        fields=fields_at(subject, moment),
        activities=None if subject.activities is None else known_then(subject.activities, moment),
        beside=replace(subject.beside, notes=None if notes is None else known_then(notes, moment)),
    )
