"""The sales process as frozen models: what a process file says, after reading and validation."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Tag,
    model_validator,
)

from crmbridge.model.values import FieldType

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$", max_length=64)]


class Part(BaseModel):
    """Base of everything written in a process file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(RootModel[str | dict[str, str]]):
    """Words for people: one text for all languages, or one per language code."""

    model_config = ConfigDict(frozen=True)

    def in_language(self, language: str) -> str:
        """Give the text in a language, else in English, else in whatever there is."""
        if isinstance(self.root, str):
            return self.root
        return self.root.get(language) or self.root.get("en") or next(iter(self.root.values()), "")

    def __str__(self) -> str:
        """Give the English text."""
        return self.in_language("en")


class Unit(StrEnum):
    """Units of time that goals are written in; the ones with a b count only while the calendar is open."""

    BUSINESS_DAYS = "bd"
    BUSINESS_HOURS = "bh"
    BUSINESS_MINUTES = "bm"
    DAYS = "d"
    HOURS = "h"
    MINUTES = "m"


class Duration(NamedTuple):
    """A length of time, such as 5bd. A business day is as long as the calendar's `day_hours`."""

    amount: Decimal
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `5bd`, `4bh`, `30bm`, `2d`, `36h` or `15m`; raises ValueError for anything else."""
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(bd|bh|bm|d|h|m)", text.strip())
        if not match:
            raise ValueError(f"{text!r} is no length of time; write a number and bd, bh, bm (business) or d, h, m")
        return cls(Decimal(match[1]), Unit(match[2]))

    @property
    def is_business(self) -> bool:
        """Tell whether it counts only while the calendar is open."""
        return self.unit.value.startswith("b")

    def __str__(self) -> str:
        """Write it as it is written in the file."""
        return f"{self.amount.normalize():f}{self.unit}"


def _duration(value: Any) -> Duration:
    return value if isinstance(value, Duration) else Duration.parse(str(value))


def _share(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", value.strip())):
        return Decimal(match[1]) / 100
    raise ValueError(f"{value!r} is no share; write it as a percentage, such as 80%")


DurationField = Annotated[
    Duration,
    BeforeValidator(_duration, json_schema_input_type=str),
]
Share = Annotated[Decimal, BeforeValidator(_share, json_schema_input_type=str), Field(ge=0, le=1)]


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


class Required(Part):
    """Every named field is filled in."""

    required: Annotated[tuple[FieldName, ...], Field(min_length=1)]


class AtLeast(Part):
    """At least this many of the named fields are filled in (a yes/no field must say yes)."""

    at_least: Annotated[int, Field(ge=1)]
    of: Annotated[tuple[FieldName, ...], Field(min_length=1)]


class ActivityCount(Part):
    """How many activities a deal must have."""

    at_least: Annotated[int, Field(ge=1)] = 1
    state: Literal["any", "done", "open"] = "any"


class Activities(Part):
    """The deal has enough activities."""

    activities: ActivityCount


class Outputs(Part):
    """Every named output of the stage exists."""

    outputs: Annotated[tuple[Id, ...], Field(min_length=1)]


class NumberBounds(Part):
    """The limits of a number or an amount, both included."""

    field: FieldName
    min: Decimal | None = None
    max: Decimal | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self


class Bounds(Part):
    """A number or amount lies within limits."""

    bounds: NumberBounds


class DateBounds(Part):
    """The limits of a date, in days from today: 0 is today, both included."""

    field: FieldName
    from_days: int | None = None
    to_days: int | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.from_days is None and self.to_days is None:
            raise ValueError("give from_days, to_days or both")
        return self


class Dates(Part):
    """A date lies within limits counted from today."""

    dates: DateBounds


class Choice(Part):
    """A field and the values it may have."""

    field: FieldName
    values: Annotated[tuple[str, ...], Field(min_length=1)]


class OneOf(Part):
    """A field has one of the listed values."""

    one_of: Choice


class ApprovalRule(Part):
    """When `field` is above `over`, `by` must name who approved."""

    field: FieldName
    over: Decimal
    by: FieldName


class Approval(Part):
    """A value above a threshold carries the name of who approved it."""

    approval: ApprovalRule


CHECKS: dict[str, type[Part]] = {
    "required": Required,
    "at_least": AtLeast,
    "activities": Activities,
    "outputs": Outputs,
    "bounds": Bounds,
    "dates": Dates,
    "one_of": OneOf,
    "approval": Approval,
}


def _which_check(value: Any) -> str | None:
    """Tell the checks apart by the key that names them; the tag starts with `check:` so a path can drop it."""
    keys = value.keys() if isinstance(value, dict) else getattr(type(value), "model_fields", ())
    return next((f"check:{name}" for name in CHECKS if name in keys), None)


Check = Annotated[
    Annotated[Required, Tag("check:required")]
    | Annotated[AtLeast, Tag("check:at_least")]
    | Annotated[Activities, Tag("check:activities")]
    | Annotated[Outputs, Tag("check:outputs")]
    | Annotated[Bounds, Tag("check:bounds")]
    | Annotated[Dates, Tag("check:dates")]
    | Annotated[OneOf, Tag("check:one_of")]
    | Annotated[Approval, Tag("check:approval")],
    Discriminator(
        _which_check,
        custom_error_type="unknown_check",
        custom_error_message="a check is one of: " + ", ".join(CHECKS),
    ),
]


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


class Holidays(Part):
    """Public holidays, by country and subdivision code, as the `holidays` package knows them."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    subdivision: str | None = None


class Window(NamedTuple):
    """Opening hours within one day. An end of 00:00 means midnight at the end of the day."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `09:00-18:00`; raises ValueError when it is anything else or ends before it starts."""
        match = re.fullmatch(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)", text.strip())
        if not match:
            raise ValueError(f"{text!r} is no opening time; write it as 09:00-18:00")
        end = "00:00" if match[2] == "24:00" else match[2]
        window = cls(time.fromisoformat(match[1]), time.fromisoformat(end))
        if window.end != time(0) and window.end <= window.start:
            raise ValueError(f"{text!r} ends before it starts")
        return window


def _window(value: Any) -> Window:
    return value if isinstance(value, Window) else Window.parse(str(value))


WindowField = Annotated[Window, BeforeValidator(_window, json_schema_input_type=str)]


class Hours(Part):
    """Opening hours per weekday; a day that is left out is closed."""

    mon: tuple[WindowField, ...] = ()
    tue: tuple[WindowField, ...] = ()
    wed: tuple[WindowField, ...] = ()
    thu: tuple[WindowField, ...] = ()
    fri: tuple[WindowField, ...] = ()
    sat: tuple[WindowField, ...] = ()
    sun: tuple[WindowField, ...] = ()

    def week(self) -> tuple[tuple[Window, ...], ...]:
        """Give the seven days, Monday first."""
        return (self.mon, self.tue, self.wed, self.thu, self.fri, self.sat, self.sun)


def _day(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no date; write it as 2026-12-24") from None


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]


class Calendar(Part):
    """Opening hours, time zone and holidays that business time is counted in."""

    timezone: str
    hours: Hours
    day_hours: Annotated[Decimal, Field(gt=0, le=24)] = Decimal(8)  # what `1bd` stands for, in open hours
    holidays: Holidays | None = None
    closed: tuple[Day, ...] = ()


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
