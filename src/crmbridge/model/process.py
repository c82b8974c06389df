"""The sales process as frozen models: what a process file says, after reading and validation."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from crmbridge.model.business_time import Calendar, DurationField, Share
from crmbridge.model.cases import ProcessCase
from crmbridge.model.checks import Check
from crmbridge.model.parts import FieldName, Id, Part, Text
from crmbridge.model.values import FieldType


class Role(Part):
    """Somebody who has work in the process."""

    id: Id
    name: Text
    purpose: Text | None = None


class TouchPoint(Part):
    """Where the process meets another department, and what each owes the other there."""

    id: Id
    department: Literal["finance", "legal", "marketing", "delivery", "support", "product", "other"]
    name: Text
    agreement: Text


class ProcessField(Part):
    """A field that the process needs beside the standard ones. Names with a dot group criteria (`bant.budget`)."""

    id: FieldName
    name: Text
    type: FieldType = FieldType.TEXT
    options: tuple[str, ...] = ()
    help: Text | None = None


class Activity(Part):
    """One thing that is done in a stage: who does it, how, with what, and what comes out."""

    id: Id
    name: Text
    how: Text
    role: Id | None = None  # the stage's owner when not said
    materials: tuple[Id, ...] = ()
    outputs: tuple[Id, ...] = ()


class Material(Part):
    """A form, script, system or document that activities use."""

    id: Id
    name: Text
    kind: Literal["form", "script", "system", "document", "template", "case"] = "document"
    link: str | None = None


class Output(Part):
    """Something that a stage leaves behind; `field` is where a deal shows that it exists."""

    id: Id
    name: Text
    field: FieldName


class OnUnknown(StrEnum):
    """What a rule says when a value it needs is missing."""

    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"


class ExitRule(Part):
    """What must hold before a deal leaves the stage. With `when`, only for deals for which that check passes."""

    id: Id
    check: Check
    when: Check | None = None
    message: Text | None = None
    on_unknown: OnUnknown = OnUnknown.FAIL


class Sla(Part):
    """How long a deal may stay in a stage, in the named calendar's business time."""

    goal: DurationField
    calendar: Id
    warn_at: tuple[Share, ...] = (Decimal("0.8"),)


class Handoff(Part):
    """Who takes over when a deal leaves the stage, and how soon they accept or return it.

    `accepted` is the field that says so; while it is empty in the next stage, the clock runs.
    """

    to: Id
    accept_within: DurationField | None = None
    calendar: Id | None = None
    accepted: FieldName | None = None


class Stage(Part):
    """A step of the process."""

    id: Id
    name: Text
    purpose: Text
    owner: Id
    status: Literal["open", "won"] = "open"  # won: the stage where deals stand after they are won
    activities: tuple[Activity, ...] = ()
    outputs: tuple[Output, ...] = ()
    exit: tuple[ExitRule, ...] = ()
    sla: Sla | None = None
    handoff: Handoff | None = None
    touch_points: tuple[Id, ...] = ()
    next: tuple[Id, ...] | None = None  # where a deal may go forward; the next stage in the file when not said


class Moves(Part):
    """Which moves are allowed beside a stage's `next`."""

    skip: bool = False  # forward past stages
    back: bool = True  # to an earlier stage
    reopen: bool = True  # from won or lost to open


class Measure(StrEnum):
    """What an indicator counts."""

    STAGE_CONVERSION = "stage_conversion"
    WIN_RATE = "win_rate"
    TIME_IN_STAGE = "time_in_stage"
    SLA_ATTAINMENT = "sla_attainment"
    OPEN_FINDINGS = "open_findings"


class Indicator(Part):
    """A number that is watched, with what it is aimed at. `stage` narrows it to one stage."""

    id: Id
    name: Text
    measure: Measure
    stage: Id | None = None
    target: str | None = None  # a percentage, a length of time or a count, as the measure asks for
    why: Text | None = None


class Process(Part):
    """How a company sells: the whole process file."""

    version: Literal[1]
    id: Id
    name: Text
    purpose: Text
    leader: Id  # the role that owns the process
    languages: Annotated[tuple[str, ...], Field(min_length=1)] = ("en",)
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    touch_points: tuple[TouchPoint, ...] = ()
    materials: tuple[Material, ...] = ()
    fields: tuple[ProcessField, ...] = ()
    calendars: dict[Id, Calendar] = Field(default_factory=dict)
    moves: Moves = Moves()
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    indicators: tuple[Indicator, ...] = ()
    # What the process is tested by, here or in files beside it; nothing that is judged depends on it.
    process_tests: tuple[ProcessCase, ...] = ()
    tests: tuple[str, ...] = ()  # such as tests/*.yaml, counted from the process file

    def stage(self, stage_id: str) -> Stage | None:
        """Find a stage by its id."""
        return next((stage for stage in self.stages if stage.id == stage_id), None)

    def order(self, stage_id: str) -> int:
        """Give a stage's place in the process, from 0; raises ValueError for a stage that isn't in it."""
        for index, stage in enumerate(self.stages):
            if stage.id == stage_id:
                return index
        raise ValueError(f"the process has no stage {stage_id!r}")

    @property
    def won_stage(self) -> Stage | None:
        """The stage where won deals stand, if the process has one."""
        return next((stage for stage in self.stages if stage.status == "won"), None)
