"""Judge a deal by the rules of its stages: at the moment that each speaks of, by the values of then or of now.

A rule that holds now holds. One that is broken now is looked at once more with what the deal held at the moment that
counts, where that is known: what held then needs no mending.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo

from crmbridge.engine.deals.checks import Case, Judged, Verdicts, decided, judge, judge_stage, judged, verdict
from crmbridge.engine.deals.history import fields_at, is_known
from crmbridge.engine.deals.moves import LastMove
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.rules.activities import beside_then, known_then
from crmbridge.engine.rules.asking import JUDGEMENTS
from crmbridge.engine.rules.compiled import CompiledRule, compiled_rule
from crmbridge.model.findings import FindingKind, Judgement, Verdict, Visit
from crmbridge.model.process import ExitRule, OnUnknown, Stage
from crmbridge.model.replacing import replace

BROKEN = frozenset({Judgement.FAIL, Judgement.UNKNOWN})


def ready(stage: Stage, visit: Visit | None, subject: Subject, now: datetime) -> Verdicts:
    """Judge by the exit rules of the stage where a deal stands, as if it left now."""
    return judge_stage(case_now(stage, visit, subject, now))


def on_entry(stage: Stage, visit: Visit, subject: Subject, now: datetime) -> tuple[Verdict, ...]:
    """Judge by the entry rules of a stage, at the moment when the deal came in."""
    case = case_now(stage, visit, subject, now)
    return tuple(_of_entry(rule, case, visit.entered_at, subject) for rule in stage.entry)


def on_leaving(moves: Iterable[LastMove], subject: Subject, now: datetime) -> Iterator[tuple[LastMove, Judged]]:
    """Judge by the exit rules of the stages that moves left behind, at the moment of each."""
    for move in moves:
        for stage in move.left_behind:
            if not stage.exit:
                continue
            visit = move.source if move.source.stage == stage.id else None
            found = judged(case_now(stage, visit, subject, now))
            yield move, found._replace(settled=dict(_settled(found, move.at, subject)))


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


def case_now(stage: Stage, visit: Visit | None, subject: Subject, now: datetime) -> Case:
    """Give what the rules of a stage look at now."""
    return Case(
        process=subject.process,
        stage=stage,
        fields=subject.deal.fields,
        now=now,
        zone=zone_of(stage, subject),
        visit=visit,
        activities=subject.activities,
        beside=subject.beside,
        language=subject.language,
        unreadable=subject.deal.unreadable,
    )


def _settled(found: Judged, moment: datetime, subject: Subject) -> Iterator[tuple[int, tuple[int, Case]]]:
    """Decide the rules that are broken now by the deal as it was at a moment, where that is known.

    What held then is fine. What is broken both then and now is told by the values of now, which are the ones to mend,
    unless they are still the same.
    """
    case_then: Case | None = None
    for number, (rule, code) in enumerate(zip(found.stage.rules, found.codes, strict=True)):
        if JUDGEMENTS[code & 3] not in BROKEN or not known_of(rule, moment, subject):
            continue
        case_then = case_then or _case_then(found.case, moment, subject)
        code_then = decided(rule, case_then)
        if _counts_then(verdict(rule, code_then, case_then), verdict(rule, code, found.case)):
            yield number, (code_then, case_then)


def _of_entry(rule: ExitRule, case: Case, moment: datetime, subject: Subject) -> Verdict:
    said = judge(rule, case)
    if said.judgement not in BROKEN or not known_of(compiled_rule(rule, case.stage, case.process), moment, subject):
        return said
    then = judge(rule, _case_then(case, moment, subject))
    return then if _counts_then(then, said) else said


def _counts_then(then: Verdict, now: Verdict) -> bool:
    """Tell whether what was decided then counts, of a rule that is broken now: it held, or all is as it was."""
    held = broken_kind(then, FindingKind.EXIT_RULE) is None
    return held or (then.judgement, then.seen) == (now.judgement, now.seen)


def known_of(rule: CompiledRule, moment: datetime, subject: Subject) -> bool:
    """Tell whether all that a rule looks at is known of a moment, and not only of today."""
    return rule.has_history and is_known(subject, rule.names, moment)


def _case_then(case: Case, moment: datetime, subject: Subject) -> Case:
    fields = fields_at(subject, moment)
    return replace(
        case,
        now=moment,
        values="then",
        fields=fields,
        unreadable=frozenset(name for name in case.unreadable if fields.get(name) is None),
        activities=None if subject.activities is None else known_then(subject.activities, moment),
        beside=beside_then(subject.beside, moment),
    )
