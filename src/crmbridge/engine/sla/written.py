"""The SLAs of a process as they are written, with their rule ids; nothing is prepared for judging deals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

from crmbridge.model.process import Handoff, Process, Stage
from crmbridge.model.slas import SlaKind, SlaRule, TimeLimit

PROCESS_SLAS = "sla"  # stands in a rule id where a stage would: `sla.first_touch`
HANDOFF_WARN_AT = Decimal("0.8")  # a hand-off names no share of its own; this is the usual one of an SLA

Measures = Literal["time_in_stage", "handoff"] | SlaKind


class WrittenSla(NamedTuple):
    """An SLA of one stage or of none. `rule` is as it stands in the file, where it stands under `slas`."""

    id: str  # stage.sla, stage.handoff, stage.ID or sla.ID
    measures: Measures
    stage: Stage | None
    timing: TimeLimit
    rule: SlaRule | None = None


def written_slas(process: Process) -> Iterator[WrittenSla]:
    """Give all SLAs of a process, in order."""
    for stage in process.stages:
        if stage.sla:
            yield WrittenSla(f"{stage.id}.sla", "time_in_stage", stage, stage.sla)
        if stage.handoff and (timing := _handoff(stage, stage.handoff, process)):
            yield WrittenSla(f"{stage.id}.handoff", "handoff", stage, timing)
        for rule in stage.slas:
            yield _of_rule(f"{stage.id}.{rule.id}", rule, stage, process)
    for rule in process.slas:
        yield _of_rule(f"{PROCESS_SLAS}.{rule.id}", rule, None, process)


def _of_rule(name: str, rule: SlaRule, stage: Stage | None, process: Process) -> WrittenSla:
    timing = rule.model_copy(update={"calendar": rule.calendar or _only_calendar(process)})
    return WrittenSla(name, rule.kind, stage, timing, rule)


def _handoff(stage: Stage, handoff: Handoff, process: Process) -> TimeLimit | None:
    """Give the limit for accepting: in its own calendar, else in that of the stage's SLA, else in the only one."""
    if handoff.accept_within is None:
        return None
    calendar = handoff.calendar or (stage.sla.calendar if stage.sla else None) or _only_calendar(process)
    return TimeLimit.model_construct(goal=handoff.accept_within, calendar=calendar, warn_at=(HANDOFF_WARN_AT,))


def _only_calendar(process: Process) -> str | None:
    return next(iter(process.calendars)) if len(process.calendars) == 1 else None
