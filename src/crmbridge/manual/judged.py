"""Judge by a rule once more, from the values that a finding was made from, to say it in another language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from crmbridge.engine.deals.checks import Case, verdict
from crmbridge.engine.rules.asking import JUDGEMENTS
from crmbridge.engine.rules.compiled import compiled_check, compiled_rule
from crmbridge.manual.speech import Speech
from crmbridge.model.findings import Judgement
from crmbridge.model.process import ExitRule, Process, Stage
from crmbridge.model.values import Value


class Again(NamedTuple):
    """What a rule says when it is asked once more, in English, and what its own words can name.

    Only where the sentence in English is the one that was stored, the rest may be trusted: what a rule looked at
    beside a deal's fields is not kept, so some come to another judgement.
    """

    english: str
    passed: int
    missing: tuple[str, ...]
    value: Value
    judgement: Judgement


def rule_of(rule_id: str, process: Process) -> tuple[Stage, ExitRule] | None:
    """Find an exit or entry rule with its stage; None where the process has it no more."""
    stage_id, _, name = rule_id.rpartition(".")
    stage = process.stage(stage_id)
    rule = next((rule for rule in stage.rules if rule.id == name), None) if stage else None
    return (stage, rule) if stage and rule else None


def again(
    rule: ExitRule, stage: Stage, seen: Mapping[str, Value], moment: datetime | None, speech: Speech
) -> Again | None:
    """Judge by a rule's check at a moment, of a deal that holds what was seen; None where that can't be calculated."""
    if moment is None:
        return None
    process = speech.process
    case = Case(process=process, stage=stage, fields=seen, now=moment, zone=_zone(stage, process))
    try:
        # The check alone: what decides for which deals the rule is was not looked at.
        code = compiled_check(rule.check, stage, process).run(case.fields.get, case.moment)
        compiled = compiled_rule(rule, stage, process)
        english, answer = verdict(compiled, code, case), compiled.say(JUDGEMENTS[code & 3], code >> 2, case)
    except (ArithmeticError, ValueError):  # what Python raises for dates and numbers that nobody can count with
        return None
    return Again(english.message, answer.passed, tuple(answer.missing), answer.value, answer.judgement)


def _zone(stage: Stage, process: Process) -> tzinfo:
    """Say where a stage's days begin and end: in its SLA's calendar, else in the first of the process, else UTC."""
    named = stage.sla.calendar if stage.sla else next(iter(process.calendars), None)
    calendar = process.calendars.get(named) if named else None
    return ZoneInfo(calendar.timezone) if calendar else UTC
