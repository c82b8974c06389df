"""Run the SLA clocks: how long each visit took or takes, against what its stage allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from crmbridge.engine.calendars import CompiledCalendar, due, elapsed, length
from crmbridge.model.business_time import Duration, Unit
from crmbridge.model.findings import SlaClock, SlaState, Visit
from crmbridge.model.process import Handoff, Process, Stage
from crmbridge.model.values import Fields, is_empty

NO_CALENDAR = ""  # the calendar of a clock that counts plain time
HANDOFF_WARN_AT = Decimal("0.8")  # a hand-off names no share of its own; this is the usual one of an SLA
_ALL = Decimal(1)
_UNITS = {
    Unit.BUSINESS_DAYS: "business days",
    Unit.BUSINESS_HOURS: "business hours",
    Unit.BUSINESS_MINUTES: "business minutes",
    Unit.DAYS: "days",
    Unit.HOURS: "hours",
    Unit.MINUTES: "minutes",
}


class Limit(NamedTuple):
    """How long something may take, whether a stage's SLA or the acceptance of a hand-off says so."""

    rule: str  # "stage.sla" or "stage.handoff"
    goal: Duration
    calendar: str
    warn_at: Decimal | None  # the lowest share of the goal that is worth a warning

    @property
    def in_words(self) -> str:
        """Give the goal for people, such as "5 business days in the calendar office"."""
        unit = _UNITS[self.goal.unit] if self.goal.amount != 1 else _UNITS[self.goal.unit].removesuffix("s")
        where = f" in the calendar {self.calendar}" if self.goal.is_business else ""
        return f"{self.goal.amount.normalize():f} {unit}{where}"

    def warns_at(self, visit: Visit, calendars: Mapping[str, CompiledCalendar]) -> datetime | None:
        """Give the moment from which a visit is at risk."""
        if self.warn_at is None:
            return None
        return due(self.goal, calendars.get(self.calendar), visit.entered_at, self.warn_at)


def stage_limit(stage: Stage) -> Limit | None:
    """Give the limit that a stage's SLA sets for each visit."""
    if stage.sla is None:
        return None
    return Limit(f"{stage.id}.sla", stage.sla.goal, stage.sla.calendar, min(stage.sla.warn_at, default=None))


def handoff_limit(stage: Stage, process: Process) -> Limit | None:
    """Give the limit that a stage's hand-off sets for being accepted.

    Counted in the hand-off's calendar, else in that of the stage's SLA, else in the only one of the process. Business
    time without any calendar can't be counted, so it sets no limit.
    """
    handoff = stage.handoff
    if handoff is None or handoff.accept_within is None:
        return None
    calendar = _calendar_of(stage, handoff, process)
    if handoff.accept_within.is_business and calendar == NO_CALENDAR:
        return None
    return Limit(f"{stage.id}.handoff", handoff.accept_within, calendar, HANDOFF_WARN_AT)


def limit_of(rule: str, process: Process) -> Limit | None:
    """Find the limit that a clock was measured against by its rule id."""
    stage = process.stage(rule.rpartition(".")[0])
    if stage is None:
        return None
    return handoff_limit(stage, process) if rule.endswith(".handoff") else stage_limit(stage)


def clocks(
    visits: Sequence[Visit],
    process: Process,
    calendars: Mapping[str, CompiledCalendar],
    fields: Fields,
    now: datetime,
) -> tuple[SlaClock, ...]:
    """Give the clock of every visit whose stage has an SLA, then that of a hand-off waiting to be accepted.

    Such a hand-off is on the running visit that a deal came to by going forward from a stage with a hand-off, while
    the `accepted` field is empty. Fields have no history here: a hand-off that was accepted leaves no clock behind,
    and a field that is still filled in from an earlier visit counts as accepted.
    """
    found = []
    for visit in visits:
        stage = process.stage(visit.stage)
        if stage and (limit := stage_limit(stage)):
            found.append(clock(visit, limit, calendars, now))
    stage = _waiting_handoff(visits, process, fields)
    if stage and (limit := handoff_limit(stage, process)):
        found.append(clock(visits[-1], limit, calendars, now))
    return tuple(found)


def clock(visit: Visit, limit: Limit, calendars: Mapping[str, CompiledCalendar], now: datetime) -> SlaClock:
    """Measure one visit against a limit: until it was left, or until now.

    Exactly the goal is still on time. A running clock is at risk from its warning share on; a closed one is either
    on time or breached.
    """
    calendar = calendars.get(limit.calendar)
    goal = length(limit.goal, calendar)
    took = elapsed(limit.goal, calendar, visit.entered_at, visit.left_at or now)
    warns_at = limit.warns_at(visit, calendars) if visit.left_at is None else None
    state = SlaState.AT_RISK if warns_at is not None and warns_at <= now else SlaState.ON_TIME
    return SlaClock(
        visit=visit,
        sla=limit.rule,
        calendar=limit.calendar,
        goal=goal,
        elapsed=took,
        due_at=due(limit.goal, calendar, visit.entered_at, _ALL),
        state=SlaState.BREACHED if took > goal else state,
    )


def _calendar_of(stage: Stage, handoff: Handoff, process: Process) -> str:
    named = handoff.calendar or (stage.sla.calendar if stage.sla else None)
    if named:
        return named
    return next(iter(process.calendars)) if len(process.calendars) == 1 else NO_CALENDAR


def _waiting_handoff(visits: Sequence[Visit], process: Process, fields: Fields) -> Stage | None:
    """Find the stage that handed the deal over to where it is now and was not answered."""
    if len(visits) < 2 or visits[-1].left_at is not None:
        return None
    before, here = visits[-2:]
    stage = process.stage(before.stage)
    if stage is None or stage.handoff is None or stage.handoff.accepted is None:
        return None
    direct = before.to is not None and before.to.stage == here.stage
    if not direct or process.order(here.stage) < process.order(stage.id):
        return None
    answer = fields.get(stage.handoff.accepted)
    return stage if is_empty(answer) or answer is False else None
