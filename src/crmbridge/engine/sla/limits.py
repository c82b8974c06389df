"""The SLAs of a process with their rule ids, and the limit that each sets for one deal."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from crmbridge.engine.judging import case_now
from crmbridge.engine.rules.asking import PASS
from crmbridge.engine.rules.compiled import CompiledRule, compiled_rule
from crmbridge.model.business_time import Duration, Unit
from crmbridge.model.checks import Check
from crmbridge.model.process import ExitRule, Handoff, Process, Stage
from crmbridge.model.slas import SlaKind, SlaRule, TimeLimit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from crmbridge.engine.calendars import CompiledCalendar
    from crmbridge.engine.rules.case import Case
    from crmbridge.engine.subject import Subject

NO_CALENDAR = ""  # the calendar of a clock that counts plain time
PROCESS_SLAS = "sla"  # stands in a rule id where a stage would: `sla.first_touch`
HANDOFF_WARN_AT = Decimal("0.8")  # a hand-off names no share of its own; this is the usual one of an SLA
_UNITS = {
    Unit.BUSINESS_DAYS: "business days",
    Unit.BUSINESS_HOURS: "business hours",
    Unit.BUSINESS_MINUTES: "business minutes",
    Unit.DAYS: "days",
    Unit.HOURS: "hours",
    Unit.MINUTES: "minutes",
}

Measures = Literal["time_in_stage", "handoff"] | SlaKind


class Limit(NamedTuple):
    """How long something may take for one deal, and how that is counted. `shares` of the goal are worth a warning."""

    rule: str
    goal: Duration
    calendar: str
    counts: CompiledCalendar | None  # the calendar by that name
    shares: tuple[Decimal, ...]
    digest: str

    @property
    def judges(self) -> str:
        """Give digests of the SLA and the calendar, which change whenever one of them says something else."""
        return f"{self.digest}/{self.counts.digest if self.counts else '-'}"


class ClockRule(Struct, frozen=True):
    """An SLA of a process, of one stage or of none, ready to be asked for a deal's limit."""

    id: str  # stage.sla, stage.handoff, stage.ID or sla.ID
    measures: Measures
    stage: Stage | None
    timing: TimeLimit
    written: SlaRule | None = None  # as it stands in the file, where it stands under `slas`
    when: CompiledRule | None = None
    segments: tuple[CompiledRule, ...] = ()

    def limit(self, subject: Subject, now: datetime) -> Limit | None:
        """Give the limit for a deal: of the first segment that it belongs to, else that of all.

        None: the SLA is for other deals, or its time can't be counted, as no calendar is named.
        """
        case = self._case(subject, now) if self.when or self.segments else None
        if self.when and case and not _passes(self.when, case):
            return None
        goal, calendar = self.timing.goal, self.timing.calendar
        for condition, segment in zip(self.segments, self.timing.goals, strict=True):
            if case and _passes(condition, case):
                goal, calendar = segment.goal, segment.calendar or calendar
                break
        counts = subject.calendars.get(calendar or NO_CALENDAR)
        if goal.is_business and counts is None:
            return None
        return Limit(self.id, goal, calendar or NO_CALENDAR, counts, self.timing.warn_at, self.timing.digest)

    def turns_at(self, subject: Subject, now: datetime) -> datetime | None:
        """Give the next moment at which a deal's limit may be another one although nothing changes."""
        conditions = [each for each in (self.when, *self.segments) if each and each.turning]
        case = self._case(subject, now) if conditions else None
        moments = [each.turning.next(case.fields, case.moment) for each in conditions if case]
        return min((at for at in moments if at is not None), default=None)

    def _case(self, subject: Subject, now: datetime) -> Case:
        return case_now(self.stage or subject.process.stages[0], None, subject, now)


_rules: dict[int, tuple[Process, tuple[ClockRule, ...]]] = {}


def clock_rules(process: Process) -> tuple[ClockRule, ...]:
    """Give all SLAs of a process; prepared when they are asked for the first time."""
    found = _rules.get(id(process))
    if found is None:
        if len(_rules) >= 100:
            _rules.clear()
        # The process is kept beside its rules, so that no other one gets its identity.
        found = _rules[id(process)] = process, tuple(_prepare(process))
    return found[1]


def clock_rule(rule: str, process: Process) -> ClockRule | None:
    """Find an SLA by its rule id."""
    return next((each for each in clock_rules(process) if each.id == rule), None)


def in_words(goal: Duration, calendar: str) -> str:
    """Give a goal for people, such as "5 business days in the calendar office"."""
    unit = _UNITS[goal.unit] if goal.amount != 1 else _UNITS[goal.unit].removesuffix("s")
    where = f" in the calendar {calendar}" if goal.is_business else ""
    return f"{goal.amount.normalize():f} {unit}{where}"


def _prepare(process: Process) -> Iterator[ClockRule]:
    for stage in process.stages:
        if stage.sla:
            segments = _conditions([goal.when for goal in stage.sla.goals], stage, process)
            yield ClockRule(f"{stage.id}.sla", "time_in_stage", stage, stage.sla, segments=segments)
        if stage.handoff and (timing := _handoff(stage, stage.handoff, process)):
            yield ClockRule(f"{stage.id}.handoff", "handoff", stage, timing)
        for rule in stage.slas:
            yield _of_rule(f"{stage.id}.{rule.id}", rule, stage, process)
    for rule in process.slas:
        yield _of_rule(f"{PROCESS_SLAS}.{rule.id}", rule, None, process)


def _of_rule(name: str, rule: SlaRule, stage: Stage | None, process: Process) -> ClockRule:
    asked = stage or process.stages[0]
    timing = rule.model_copy(update={"calendar": rule.calendar or _only_calendar(process)})
    return ClockRule(
        name,
        rule.kind,
        stage,
        timing,
        written=rule,
        when=next(iter(_conditions([rule.when] if rule.when else [], asked, process)), None),
        segments=_conditions([goal.when for goal in rule.goals], asked, process),
    )


def _handoff(stage: Stage, handoff: Handoff, process: Process) -> TimeLimit | None:
    """Give the limit for accepting: in its own calendar, else in that of the stage's SLA, else in the only one."""
    if handoff.accept_within is None:
        return None
    calendar = handoff.calendar or (stage.sla.calendar if stage.sla else None) or _only_calendar(process)
    return TimeLimit.model_construct(goal=handoff.accept_within, calendar=calendar, warn_at=(HANDOFF_WARN_AT,))


def _only_calendar(process: Process) -> str | None:
    return next(iter(process.calendars)) if len(process.calendars) == 1 else None


def _conditions(checks: list[Check], stage: Stage, process: Process) -> tuple[CompiledRule, ...]:
    # As a rule of the stage, a check is compiled like all others.
    return tuple(compiled_rule(ExitRule(id="when", check=check), stage, process) for check in checks)


def _passes(condition: CompiledRule, case: Case) -> bool:
    return condition.run(case.fields.get, case.moment) & 3 == PASS
