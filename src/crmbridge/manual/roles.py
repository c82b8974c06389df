"""What is one role's: its stages, what it does elsewhere, what it hands over and takes, and what falls due."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from crmbridge.manual.limits import SaidLimit, said_handoff, said_sla, said_sla_rule
from crmbridge.manual.speech import Speech
from crmbridge.model.checks import Approval
from crmbridge.model.process import Activity, Indicator, Process, Role, Stage


class Clock(Struct, frozen=True, kw_only=True):
    """A time limit that runs against a role, and in which stage; None for one of the whole process."""

    limit: SaidLimit
    stage: Stage | None


class Part(Struct, frozen=True, kw_only=True):
    """What a role does in one stage; `owned` tells whether the stage is its own."""

    stage: Stage
    activities: tuple[Activity, ...]
    owned: bool


class Duties(Struct, frozen=True, kw_only=True):
    """Everything of a role. `clocks` are in the order of urgency; `taken` and `given` are the stages handed over."""

    role: Role
    parts: tuple[Part, ...]
    clocks: tuple[Clock, ...]
    taken: tuple[Stage, ...]
    given: tuple[Stage, ...]
    approvals: tuple[tuple[Stage, str], ...]  # with the id of the rule
    indicators: tuple[Indicator, ...]
    leads: bool


def duties_of(role: Role, speech: Speech) -> Duties:
    """Collect what is one role's."""
    process = speech.process
    owned = {stage.id for stage in process.stages if stage.owner == role.id}
    leads = process.leader == role.id
    clocks = sorted(_clocks(role, speech), key=lambda clock: clock.limit.hours)
    return Duties(
        role=role,
        parts=tuple(_parts(role, process)),
        clocks=tuple(clocks),
        taken=tuple(stage for stage in process.stages if stage.handoff and stage.handoff.to == role.id != stage.owner),
        given=tuple(stage for stage in process.stages if stage.handoff and stage.owner == role.id != stage.handoff.to),
        approvals=tuple(_approvals(role, process)),
        indicators=tuple(one for one in process.indicators if leads or one.stage in owned),
        leads=leads,
    )


def _parts(role: Role, process: Process) -> Iterator[Part]:
    for stage in process.stages:
        mine = tuple(one for one in stage.activities if (one.role or stage.owner) == role.id)
        if mine or stage.owner == role.id:
            yield Part(stage=stage, activities=mine, owned=stage.owner == role.id)


def _clocks(role: Role, speech: Speech) -> Iterator[Clock]:
    process = speech.process
    for stage in process.stages:
        if stage.owner == role.id:
            if stage.sla is not None:
                yield Clock(limit=said_sla(stage, stage.sla, speech), stage=stage)
            yield from (Clock(limit=said_sla_rule(rule, stage, speech), stage=stage) for rule in stage.slas)
        if stage.handoff is not None and stage.handoff.to == role.id:
            said = said_handoff(stage, stage.handoff, speech)
            if said is not None:
                yield Clock(limit=said, stage=stage)
    owns_open = any(stage.owner == role.id and stage.status == "open" for stage in process.stages)
    if owns_open:
        yield from (Clock(limit=said_sla_rule(rule, None, speech), stage=None) for rule in process.slas)


def _approvals(role: Role, process: Process) -> Iterator[tuple[Stage, str]]:
    """Find the rules that ask for this role's yes; where a rule names nobody, it is the one who leads the process."""
    for stage in process.stages:
        for rule in stage.rules:
            if isinstance(rule.check, Approval):
                who = rule.check.approval.who or (process.leader,)
                if role.id in who:
                    yield stage, rule.id
