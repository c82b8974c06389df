"""What is said of a clock that is at risk or breached: what is late, since when, when it was due, what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.sla.limits import ClockRule, clock_rule, in_words
from crmbridge.engine.sla.written import Measures
from crmbridge.model.findings import FindingKind, SlaClock, SlaState
from crmbridge.model.slas import SlaKind
from crmbridge.model.values import Value, show

_VISITS = ("time_in_stage", "handoff")  # what these measure is told apart by the visit, all else by when it began


class Late(NamedTuple):
    """What a finding about a clock says; `parts` are what makes it this one beside the deal and the rule."""

    rule: str
    kind: FindingKind
    parts: tuple[str, ...]
    stage: str
    visit: int
    since: datetime
    message: str
    seen: Mapping[str, Value]  # the moments of the clock that its message names


def late(clock: SlaClock, subject: Subject) -> Late | None:
    """Say that a running clock went past its goal, or that it is about to; None of one that is on time, or closed."""
    rule = clock_rule(clock.sla, subject.process) if clock.running and clock.state is not SlaState.ON_TIME else None
    if rule is None:
        return None
    breached = clock.state is SlaState.BREACHED
    kind = FindingKind.SLA_BREACHED if breached else FindingKind.SLA_AT_RISK
    visit = clock.visit
    of = (visit.stage, str(visit.number)) if rule.measures in _VISITS else (clock.started_at.isoformat(),)
    return Late(
        rule=clock.sla,
        kind=kind,
        parts=(kind, *of),
        stage=visit.stage,
        visit=visit.number,
        since=(clock.due_at if breached else clock.warned_at) or clock.started_at,
        message=_message(rule, clock, subject),
        seen=_seen(clock),
    )


def _seen(clock: SlaClock) -> dict[str, Value]:
    at_risk = clock.warned if clock.state is SlaState.AT_RISK else None
    seen = {"started_at": clock.started_at, "due_at": clock.due_at, "paused_at": clock.paused_since, "warned": at_risk}
    return {name: value for name, value in seen.items() if value is not None}


def _message(rule: ClockRule, clock: SlaClock, subject: Subject) -> str:
    # How long it took so far is left out: the sentence must stay the same while the same thing is wrong.
    was = "was" if clock.state is SlaState.BREACHED else "is"
    goal = in_words(clock.limit, clock.calendar)
    if clock.warned is not None and clock.state is SlaState.AT_RISK:
        goal += f", of which {(clock.warned * 100).normalize():f} % are used up"
    due = f"by {show(clock.due_at)}" if clock.due_at else _never(clock)
    said = _WORDS[rule.measures](rule, clock, subject)
    pause = f" It stands still since {show(clock.paused_since)}." if clock.paused_since else ""
    return f"{said.what}{said.joint}{was} due {said.to}{due} ({goal}).{pause} {said.remedy}"


def _never(clock: SlaClock) -> str:
    return "when its pause is over" if clock.paused_since else "by a day when the calendar is open"


class _Said(NamedTuple):
    what: str
    remedy: str
    joint: str = "; that "
    to: str = ""


def _in_stage(_rule: ClockRule, clock: SlaClock, subject: Subject) -> _Said:
    stage = subject.stage_name(clock.visit.stage)
    return _Said(f"In {stage} since {show(clock.started_at)}", "Move it on.", "; it ", "to leave ")


def _handed_over(rule: ClockRule, clock: SlaClock, subject: Subject) -> _Said:
    stage = subject.stage_name(clock.visit.stage)
    accepted = rule.stage.handoff.accepted if rule.stage and rule.stage.handoff else None
    field = subject.field_names([accepted] if accepted else [])
    return _Said(
        f"The deal was handed over to {stage} on {show(clock.started_at)} and not accepted",
        f"Accept it by filling in {field}, or move it back.",
    )


def _first_touch(rule: ClockRule, clock: SlaClock, subject: Subject) -> _Said:
    return _Said(
        f"{_name(rule, subject)}: no {_activity(rule)} done since {show(clock.started_at)}",
        "Get in touch, and log it on the deal as done.",
    )


def _no_activity(rule: ClockRule, clock: SlaClock, subject: Subject) -> _Said:
    return _Said(
        f"{_name(rule, subject)}: no {_activity(rule)} done since {show(clock.started_at)}",
        "Do the next one, and log it on the deal as done.",
        "; one ",
    )


def _next_activity(rule: ClockRule, clock: SlaClock, subject: Subject) -> _Said:
    return _Said(
        f"{_name(rule, subject)}: since {show(clock.started_at)} no {_activity(rule)} is still to come",
        "Plan the next one, with a time that is not past.",
        "; one ",
        "to be planned ",
    )


def _response(rule: ClockRule, clock: SlaClock, subject: Subject) -> _Said:
    field = subject.field_names([rule.written.until] if rule.written and rule.written.until else [])
    return _Said(
        f"{_name(rule, subject)}: the customer waits for an answer since {show(clock.started_at)}",
        f"Answer, and fill in {field}.",
        "; it ",
    )


_WORDS: Mapping[Measures, Callable[[ClockRule, SlaClock, Subject], _Said]] = {
    "time_in_stage": _in_stage,
    "handoff": _handed_over,
    SlaKind.FIRST_TOUCH: _first_touch,
    SlaKind.NO_ACTIVITY: _no_activity,
    SlaKind.NEXT_ACTIVITY: _next_activity,
    SlaKind.RESPONSE: _response,
}


def _name(rule: ClockRule, subject: Subject) -> str:
    return rule.written.name.in_language(subject.language) if rule.written else rule.id


def _activity(rule: ClockRule) -> str:
    return " or ".join(rule.written.types) if rule.written and rule.written.types else "activity"
