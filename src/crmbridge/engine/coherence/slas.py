"""The checks on a process's calendars, SLAs and hand-offs, one function each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from crmbridge.engine.issues import Issue, Path, duplicates, issue, listed, unknown
from crmbridge.engine.nearest import nearest
from crmbridge.engine.rules.rule_fields import check_operands, deal_fields, deal_options, operands
from crmbridge.model.business_time import Duration
from crmbridge.model.checks import Check, Outputs
from crmbridge.model.process import Process, Stage
from crmbridge.model.slas import SlaRule, TimeLimit
from crmbridge.model.values import FieldType

_STOPS = (FieldType.TEXT, FieldType.CHOICE, FieldType.CHOICES, FieldType.BOOL, FieldType.USER)


class Written(NamedTuple):
    """An SLA with its place in the file, and the stage that it is written in."""

    path: Path
    limit: TimeLimit
    stage: Stage | None

    @property
    def rule(self) -> SlaRule | None:
        """Give it as one of those under `slas`; None for that of a stage's time."""
        return self.limit if isinstance(self.limit, SlaRule) else None

    def checks(self) -> Iterator[tuple[Path, Check]]:
        """Give the checks that narrow it, or its other goals, to some deals."""
        if self.rule and self.rule.when:
            yield (*self.path, "when"), self.rule.when
        for i, segment in enumerate(self.limit.goals):
            yield (*self.path, "goals", i, "when"), segment.when

    def times(self) -> Iterator[tuple[Path, str]]:
        """Give the fields with the two times of a response."""
        if self.rule and self.rule.since and self.rule.until:
            yield (*self.path, "since"), self.rule.since
            yield (*self.path, "until"), self.rule.until


def written_slas(process: Process) -> Iterator[Written]:
    """Give every SLA of a process, hand-offs left out."""
    for i, rule in enumerate(process.slas):
        yield Written(("slas", i), rule, None)
    for i, stage in enumerate(process.stages):
        if stage.sla:
            yield Written(("stages", i, "sla"), stage.sla, stage)
        for j, rule in enumerate(stage.slas):
            yield Written(("stages", i, "slas", j), rule, stage)


def sla_fields(process: Process) -> Iterator[str]:
    """Name the fields that SLAs look at."""
    for sla in written_slas(process):
        yield from sla.limit.pause_when
        yield from (name for _, name in sla.times())
        yield from (operand.name for path, check in sla.checks() for operand in operands(path, check))


def check_sla_ids(process: Process) -> Iterator[Issue]:
    """Find ids of SLAs that are not unique, or that the rule ids of a stage would be mistaken for."""
    yield from duplicates("SLA", [(("slas", i, "id"), rule.id) for i, rule in enumerate(process.slas)])
    for i, stage in enumerate(process.stages):
        if process.slas and stage.id == "sla":
            sentence = "'sla' stands for the whole process in the ids of its SLAs; a stage can't have it as its id"
            yield issue(("stages", i, "id"), "reserved-id", sentence)


def check_slas(process: Process) -> Iterator[Issue]:
    """Find fields, options and outputs that SLAs name and that are not there, or have a type that does not fit."""
    fields, options = deal_fields(process), deal_options(process)
    for sla in written_slas(process):
        for path, check in sla.checks():
            yield from check_operands(path, check, fields, options)
            if isinstance(check, Outputs):
                known = [output.id for output in sla.stage.outputs] if sla.stage else []
                named = listed((*path, "outputs"), check.outputs)
                yield from unknown("output", named, known)
        yield from unknown("field", sla.times(), fields)
        for path, name in sla.times():
            if fields.get(name, FieldType.DATETIME) is not FieldType.DATETIME:
                sentence = f"a response is measured between datetime fields, and {name!r} is a {fields[name]} field"
                yield issue(path, "wrong-field-type", sentence)
        yield from _check_pauses((*sla.path, "pause_when"), sla.limit, process)


def check_calendars(process: Process) -> Iterator[Issue]:
    """Find unknown calendars and time zones, and business time in a calendar that never opens."""
    for name, calendar in process.calendars.items():
        if not _is_zone(calendar.timezone):
            sentence = f"there is no time zone {calendar.timezone!r}"
            guess = nearest(calendar.timezone, available_timezones())
            yield issue(("calendars", name, "timezone"), "unknown-time-zone", sentence, nearest=guess)
    yield from unknown("calendar", _named_calendars(process), process.calendars)
    for path, calendar_id, goal in _goals(process):
        yield from _check_goal(process, path, calendar_id, goal)


def check_handoffs(process: Process) -> Iterator[Issue]:
    """Find hand-offs with a time limit where nothing shows that they were accepted."""
    for i, stage in enumerate(process.stages):
        if stage.handoff and stage.handoff.accept_within and stage.handoff.accepted is None:
            sentence = "nothing shows when this hand-off is accepted; name a field under `accepted`"
            yield issue(("stages", i, "handoff", "accept_within"), "unmeasured-handoff", sentence)


def _check_pauses(at: Path, limit: TimeLimit, process: Process) -> Iterator[Issue]:
    fields, options = deal_fields(process), deal_options(process)
    yield from unknown("field", [((*at, name), name) for name in limit.pause_when], fields, at_key=True)
    for name, values in limit.pause_when.items():
        if name in fields and fields[name] not in _STOPS:
            sentence = f"a clock stops at words or yes and no, and {name!r} is a {fields[name]} field"
            yield issue((*at, name), "wrong-field-type", sentence, at_key=True)
        for i, value in enumerate(values):
            if value not in options.get(name, (value,)):
                guess = nearest(value, options[name])
                yield issue((*at, name, i), "unknown-option", f"{name!r} has no option {value!r}", nearest=guess)


def _named_calendars(process: Process) -> Iterator[tuple[Path, str]]:
    for sla in written_slas(process):
        if sla.limit.calendar is not None:
            yield (*sla.path, "calendar"), sla.limit.calendar
        for i, segment in enumerate(sla.limit.goals):
            if segment.calendar is not None:
                yield (*sla.path, "goals", i, "calendar"), segment.calendar
    for i, stage in enumerate(process.stages):
        if stage.handoff and stage.handoff.calendar is not None:
            yield ("stages", i, "handoff", "calendar"), stage.handoff.calendar


def _goals(process: Process) -> Iterator[tuple[Path, str | None, Duration]]:
    """Give each goal, its path, and the calendar it is counted in, as `crmbridge.engine.sla.limits` does."""
    only = next(iter(process.calendars)) if len(process.calendars) == 1 else None
    for sla in written_slas(process):
        calendar = sla.limit.calendar or only
        yield (*sla.path, "goal"), calendar, sla.limit.goal
        for i, segment in enumerate(sla.limit.goals):
            yield (*sla.path, "goals", i, "goal"), segment.calendar or calendar, segment.goal
    for i, stage in enumerate(process.stages):
        if stage.handoff and stage.handoff.accept_within:
            calendar = stage.handoff.calendar or (stage.sla.calendar if stage.sla else only)
            yield ("stages", i, "handoff", "accept_within"), calendar, stage.handoff.accept_within


def _check_goal(process: Process, path: Path, calendar_id: str | None, goal: Duration) -> Iterator[Issue]:
    if not goal.is_business:
        return
    calendar = process.calendars.get(calendar_id) if calendar_id else None
    if calendar_id is None:
        yield issue(path, "missing-calendar", f"{goal} is business time; name the `calendar` it is counted in")
    elif calendar and not calendar.ever_opens:
        yield issue(path, "never-open", f"{goal} never passes: the calendar {calendar_id!r} has no opening hours")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
