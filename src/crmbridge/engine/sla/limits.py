"""The SLAs of a process with their rule ids, and the limit that each sets for one deal."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from crmbridge.engine.deals.checks import holds_until
from crmbridge.engine.deals.judging import case_now
from crmbridge.engine.rules.asking import PASS
from crmbridge.engine.rules.compiled import CompiledRule, compiled_rule
from crmbridge.engine.sla.written import Measures, written_slas
from crmbridge.model.business_time import Duration, Unit
from crmbridge.model.checks import Activities, Check
from crmbridge.model.process import ExitRule, Process, Stage
from crmbridge.model.slas import SlaRule, TimeLimit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from crmbridge.engine.deals.subject import Subject
    from crmbridge.engine.rules.case import Case
    from crmbridge.engine.time.calendars import CompiledCalendar

NO_CALENDAR = ""  # the calendar of a clock that counts plain time
_UNITS = {
    Unit.BUSINESS_DAYS: "business days",
    Unit.BUSINESS_HOURS: "business hours",
    Unit.BUSINESS_MINUTES: "business minutes",
    Unit.DAYS: "days",
    Unit.HOURS: "hours",
    Unit.MINUTES: "minutes",
}


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

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a deal that its clock hangs on."""
        conditions = [each.names for each in (self.when, *self.segments) if each]
        ends = [self.stage.handoff.accepted] if self.stage and self.stage.handoff and self.measures == "handoff" else []
        ends += [self.written.since, self.written.until] if self.written else []
        return frozenset(self.timing.pause_when).union(filter(None, ends), *conditions)

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
        checks = [each.rule.check for each in (self.when, *self.segments) if each and _may_turn(each)]
        case = self._case(subject, now) if checks else None
        moments = [holds_until(check, case) for check in checks if case]
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
    for sla in written_slas(process):
        asked = sla.stage or process.stages[0]
        when = [sla.rule.when] if sla.rule and sla.rule.when else []
        yield ClockRule(
            sla.id,
            sla.measures,
            sla.stage,
            sla.timing,
            written=sla.rule,
            when=next(iter(_conditions(when, asked, process)), None),
            segments=_conditions([goal.when for goal in sla.timing.goals], asked, process),
        )


def _conditions(checks: list[Check], stage: Stage, process: Process) -> tuple[CompiledRule, ...]:
    # As a rule of the stage, a check is compiled like all others.
    return tuple(compiled_rule(ExitRule(id="when", check=check), stage, process) for check in checks)


def _may_turn(condition: CompiledRule) -> bool:
    """Tell whether a condition may turn out otherwise although nothing changes, before it is known of which deal."""
    return bool(condition.turning) or isinstance(condition.rule.check, Activities)


def _passes(condition: CompiledRule, case: Case) -> bool:
    return condition.run(case.fields.get, case.moment) & 3 == PASS
