"""Say of a clock that it is at risk or breached, in one language, from what its finding keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from markupsafe import Markup, escape

from crmbridge.engine.sla.limits import ClockRule, clock_rule, in_words
from crmbridge.engine.sla.written import Measures
from crmbridge.engine.text import plain
from crmbridge.manual.checks import kinds_listed
from crmbridge.manual.saying import Saying
from crmbridge.model.business_time import Duration
from crmbridge.model.findings import Finding, FindingKind
from crmbridge.model.slas import SlaKind

# What is late, and what to do about it.
_SAID: Mapping[Measures, tuple[str, str]] = {
    "time_in_stage": ("told_in_stage", "told_move_on"),
    "handoff": ("told_handed_over", "told_accept"),
    SlaKind.FIRST_TOUCH: ("told_nothing_done", "told_get_in_touch"),
    SlaKind.NO_ACTIVITY: ("told_nothing_done", "told_do_next"),
    SlaKind.NEXT_ACTIVITY: ("told_nothing_planned", "told_plan_next"),
    SlaKind.RESPONSE: ("told_no_answer", "told_answer"),
}


def clock_said(finding: Finding, of: Saying) -> Markup | None:
    """Tell of a clock; None where the process has it no more, or the finding was stored before it kept the moments."""
    rule = clock_rule(finding.rule, of.speech.process)
    limit = _limit(rule, finding) if rule else None
    since, paused = finding.seen.get("started_at"), finding.seen.get("paused_at")
    if rule is None or limit is None or not isinstance(since, datetime):
        return None
    late, todo = _SAID[rule.measures]
    parts = {"stage": of.stage(finding.stage or ""), "since": of.at(since), **_named(rule, of)}
    return of.joined(
        of.words(late, **parts),
        _due(finding, limit, of),
        of.words("told_paused", when=of.at(paused)) if isinstance(paused, datetime) else None,
        of.words(todo, **parts),
    )


def _limit(rule: ClockRule, finding: Finding) -> tuple[Duration, str | None] | None:
    """Give the goal and the calendar that the finding was made by: those of all deals, or of one of the segments."""
    timing = rule.timing
    goals = [(timing.goal, timing.calendar)]
    goals += [(each.goal, each.calendar or timing.calendar) for each in timing.goals]
    fitting = (each for each in goals if f"({in_words(each[0], each[1] or '')}" in finding.message)
    found = next(fitting, None)
    return found and (found[0], found[1] if found[0].is_business else None)


def _due(finding: Finding, limit: tuple[Duration, str | None], of: Saying) -> Markup:
    due, warned = finding.seen.get("due_at"), finding.seen.get("warned")
    never = of.words("told_after_pause" if "paused_at" in finding.seen else "told_open_day")
    said = {
        "due": of.at(due) if isinstance(due, datetime) else never,
        "goal": of.words.duration(limit[0]) + of.speech.calendar(limit[1], "told_calendar"),
    }
    if finding.kind is FindingKind.SLA_BREACHED:
        return of.words("told_was_due", **said)
    if isinstance(warned, Decimal):
        return of.words("told_is_due_used", share=of.words.share(warned), **said)
    return of.words("told_is_due", **said)


def _named(rule: ClockRule, of: Saying) -> dict[str, Markup]:
    """Name the SLA, the activities that count for it, and the field that ends it."""
    written = rule.written
    accepted = rule.stage.handoff.accepted if rule.stage and rule.stage.handoff else None
    ends = accepted if rule.measures == "handoff" else written.until if written else None
    return {
        "name": of.speech.text(written.name) if written else escape(plain(rule.id)),
        "what": kinds_listed(written.types, of.speech) if written and written.types else of.words("told_activity"),
        "field": of.name(ends) if ends else Markup(""),
    }
