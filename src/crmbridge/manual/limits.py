"""SLAs and hand-offs in words: what may take how long, when a warning comes, and when the clock stands still."""

from __future__ import annotations

from decimal import Decimal

from markupsafe import Markup
from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.manual.checks import clause, kinds_listed
from crmbridge.manual.speech import Speech
from crmbridge.model.business_time import Duration, Unit
from crmbridge.model.process import Handoff, Stage
from crmbridge.model.slas import ReEntry, Sla, SlaKind, SlaRule, TimeLimit

_HOURS = {  # what lengths of time are sorted by: a business day as one that a person waits for
    Unit.BUSINESS_DAYS: Decimal(24),
    Unit.BUSINESS_HOURS: Decimal(1),
    Unit.BUSINESS_MINUTES: Decimal(1) / 60,
    Unit.DAYS: Decimal(24),
    Unit.HOURS: Decimal(1),
    Unit.MINUTES: Decimal(1) / 60,
}


class SaidLimit(Struct, frozen=True, kw_only=True):
    """A time limit in words. `goal` is the time alone, `headline` one sentence, `details` the sentences after it."""

    id: str
    name: Markup
    goal: Markup
    headline: Markup
    details: tuple[Markup, ...]
    hours: Decimal  # about as long as the goal is, to sort by


def said_sla(stage: Stage, sla: Sla, speech: Speech) -> SaidLimit:
    """Say how long a deal may stay in a stage."""
    words = speech.words
    goal = words.duration(sla.goal)
    details = [*_details(sla, stage, speech)]
    if sla.re_entry is not ReEntry.NEW_CYCLE or stage.status == "open":
        details.append(words(f"reentry_{sla.re_entry.value}"))
    return SaidLimit(
        id="sla",
        name=words("time_in_stage", stage=speech.text(stage.name)),
        goal=goal,
        headline=words("sla_stay", goal=_strong(goal), calendar=speech.calendar(sla.calendar)),
        details=tuple(details),
        hours=hours_of(sla.goal),
    )


def said_sla_rule(rule: SlaRule, stage: Stage | None, speech: Speech) -> SaidLimit:
    """Say an SLA that is not about the time in a stage; `stage` is None for one of the whole process."""
    words = speech.words
    goal = words.duration(rule.goal)
    parts = {"goal": _strong(goal), "calendar": speech.calendar(rule.calendar or _only_calendar(rule, speech))}
    if rule.kind is SlaKind.RESPONSE:
        parts |= {"since": speech.field(rule.since or ""), "until": speech.field(rule.until or "")}
    where = "stage" if stage is not None else "process"
    key = f"sla_{rule.kind.value}"
    headline = words(f"{key}_{where}" if rule.kind is SlaKind.FIRST_TOUCH else key, **parts)
    details = []
    if rule.when is not None:
        details.append(words("sla_only", clause=clause(rule.when, stage, speech)))
    if rule.types:
        details.append(words("sla_types", list=kinds_listed(rule.types, speech)))
    return SaidLimit(
        id=rule.id,
        name=speech.text(rule.name),
        goal=goal,
        headline=headline,
        details=(*details, *_details(rule, stage, speech)),
        hours=hours_of(rule.goal),
    )


def said_handoff(stage: Stage, handoff: Handoff, speech: Speech) -> SaidLimit | None:
    """Say in which time a hand-off is accepted or returned; None where no time is set."""
    if handoff.accept_within is None:
        return None
    words = speech.words
    goal = words.duration(handoff.accept_within)
    calendar = speech.calendar(handoff.calendar)
    details = [words("handoff_field", field=speech.field(handoff.accepted))] if handoff.accepted else []
    return SaidLimit(
        id="handoff",
        name=words("handoff_from", stage=speech.text(stage.name)),
        goal=goal,
        headline=words("handoff_within", role=speech.role(handoff.to), goal=_strong(goal), calendar=calendar),
        details=tuple(details),
        hours=hours_of(handoff.accept_within),
    )


def hours_of(goal: Duration) -> Decimal:
    """Give about how many hours a length of time is, to put several in order."""
    return goal.amount * _HOURS[goal.unit]


def _details(limit: TimeLimit, stage: Stage | None, speech: Speech) -> list[Markup]:
    words = speech.words
    details = []
    for one in limit.goals:
        goal = _strong(words.duration(one.goal))
        parts = {"clause": clause(one.when, stage, speech), "calendar": speech.calendar(one.calendar)}
        details.append(words("sla_segment", goal=goal, **parts))
    if limit.warn_at:
        details.append(words("sla_warn", list=words.listed(_warnings(limit, speech))))
    for field, values in limit.pause_when.items():
        listed = words.listed((words.quoted(plain(value)) for value in values), "or")
        details.append(words("sla_pause", x=speech.field(field), values=listed))
    return details


def _warnings(limit: TimeLimit, speech: Speech) -> list[Markup]:
    words = speech.words
    return [
        words(
            "after_share",
            time=words.duration(Duration(limit.goal.amount * share, limit.goal.unit)),
            share=words.share(share),
        )
        for share in limit.warn_at
    ]


def _only_calendar(rule: SlaRule, speech: Speech) -> str | None:
    names = list(speech.process.calendars)
    return names[0] if rule.goal.is_business and len(names) == 1 else None


def _strong(text: Markup) -> Markup:
    return Markup("<strong>{}</strong>").format(text)
