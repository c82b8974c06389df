"""The sales process as frozen models: what a process file says, after reading and validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from crmbridge.model.business_time import Calendar, DurationField
from crmbridge.model.cases import ProcessCase
from crmbridge.model.checks import Check, FileRule, Words
from crmbridge.model.parts import FieldName, Id, Part, Text
from crmbridge.model.slas import Sla, SlaRule
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


class Criteria(Part):
    """A framework that deals are qualified by, such as BANT: a name for its fields, which rules can use."""

    id: Id
    name: Text
    fields: Annotated[tuple[FieldName, ...], Field(min_length=1)]


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
    """Something that a stage leaves behind: a deal shows that it exists by a field, or by a file that hangs on it."""

    id: Id
    name: Text
    field: FieldName | None = None
    file: FileRule | None = None

    @model_validator(mode="after")
    def _can_be_seen(self) -> Self:
        if self.field is None and self.file is None:
            raise ValueError("give the field that shows it, the file, or both, of which one is enough")
        return self


class OnUnknown(StrEnum):
    """What a rule says when a value it needs is missing."""

    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"


class WaivedBy(Part):
    """The field whose value approves an exception from a rule, and the one that says until when."""

    field: FieldName
    until: FieldName | None = None  # a date, which still counts, or a moment; for good where it is empty


class ExitRule(Part):
    """What must hold before a deal leaves the stage, or, under `entry`, when it comes in.

    With `when`, only for deals for which that check passes.

    A deal with an approval in the field that `waived_by` names is waived: nothing is done about it.
    """

    id: Id
    check: Check
    when: Check | None = None
    message: Text | None = None
    on_unknown: OnUnknown = OnUnknown.FAIL
    waived_by: WaivedBy | None = None


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
    entry: tuple[ExitRule, ...] = ()
    exit: tuple[ExitRule, ...] = ()
    sla: Sla | None = None
    slas: tuple[SlaRule, ...] = ()
    handoff: Handoff | None = None
    touch_points: tuple[Id, ...] = ()
    next: tuple[Id, ...] | None = None  # where a deal may go forward; the next stage in the file when not said

    def fields_of(self, outputs: Iterable[str]) -> tuple[str, ...] | None:
        """Name the fields that alone show some outputs, without those that it lacks; None where a file can show one."""
        known = {output.id: output for output in self.outputs}
        wanted = [known[name] for name in outputs if name in known]
        return None if any(one.file for one in wanted) else tuple(one.field for one in wanted if one.field)

    @property
    def rules(self) -> tuple[ExitRule, ...]:
        """Give the entry and exit rules."""
        return (*self.entry, *self.exit)

    def placed(self) -> Iterator[tuple[Literal["entry", "exit"], int, ExitRule]]:
        """Give the rules with where they stand: under which key, and at which number from 0."""
        yield from (("entry", number, rule) for number, rule in enumerate(self.entry))
        yield from (("exit", number, rule) for number, rule in enumerate(self.exit))


class Moves(Part):
    """Which moves are allowed beside a stage's `next`, and who makes them."""

    skip: bool = False  # forward past stages
    back: bool | Literal["with_reason"] = True  # to an earlier stage
    reopen: bool = True  # from won or lost to open
    reason: FieldName | None = None  # for back: with_reason, the field that holds it
    # Who may move a deal into a stage: roles, e-mail addresses, or `owner` for the deal's own. All where not said.
    who: dict[Id, Words] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _reason_is_complete(self) -> Self:
        if (self.back == "with_reason") != (self.reason is not None):
            raise ValueError("back: with_reason needs `reason`, the field that holds it, and only that takes one")
        return self


class Measure(StrEnum):
    """What an indicator counts."""

    STAGE_CONVERSION = "stage_conversion"
    WIN_RATE = "win_rate"
    TIME_IN_STAGE = "time_in_stage"
    SLA_ATTAINMENT = "sla_attainment"
    OPEN_FINDINGS = "open_findings"
    COHORT_CONVERSION = "cohort_conversion"
    WIN_RATE_BY_COHORT = "win_rate_by_cohort"
    CYCLE_TIME = "cycle_time"
    AGING = "aging"
    REWORK = "rework"
    SKIPS = "skips"
    CONFORMING = "conforming"
    ACTIVITIES = "activities"
    PIPELINE_COVERAGE = "pipeline_coverage"
    SALES_VELOCITY = "sales_velocity"
    FORECAST = "forecast"
    SQL = "sql"  # a file of the team's own
    PLUGIN = "plugin"  # one that a plugin offers


class Indicator(Part):
    """A number that is watched, with what it is aimed at. `stage` narrows it to one stage.

    One of the team's own names the file that counts it and its unit, or what a plugin calls it.
    """

    id: Id
    name: Text
    measure: Measure
    stage: Id | None = None
    target: str | None = None  # a percentage, a length of time, a count, a ratio or money, as the measure asks for
    warn: str | None = None  # from where on a figure that still meets its target is worth a warning; written as it
    quota: str | None = None  # what is to be sold, such as 500000 EUR; pipeline_coverage is counted in it
    why: Text | None = None
    sql: str | None = None  # for measure: sql, the file, counted from the process file
    unit: Literal["share", "count", "d", "money"] | None = None  # for measure: sql
    plugin: Id | None = None  # for measure: plugin

    @model_validator(mode="after")
    def _names_its_source(self) -> Self:
        if (self.measure is Measure.SQL) != (self.sql is not None):
            raise ValueError("measure: sql needs `sql`, the file that counts it, and only that measure takes one")
        if (self.measure is Measure.SQL) != (self.unit is not None):
            raise ValueError("measure: sql needs `unit`: share, count, d or money, and only that measure takes one")
        if (self.measure is Measure.PLUGIN) != (self.plugin is not None):
            raise ValueError("measure: plugin needs `plugin`, the name it is offered by, and only that takes one")
        if self.stage is not None and self.measure in {Measure.SQL, Measure.PLUGIN}:
            raise ValueError("an indicator of your own has no `stage`: its SQL says what it counts")
        return self


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
    criteria: tuple[Criteria, ...] = ()
    calendars: dict[Id, Calendar] = Field(default_factory=dict)
    moves: Moves = Moves()
    slas: tuple[SlaRule, ...] = ()  # those of no single stage
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    indicators: tuple[Indicator, ...] = ()
    # What the process is tested by, here or in files beside it; nothing that is judged depends on it.
    process_tests: tuple[ProcessCase, ...] = ()
    tests: tuple[str, ...] = ()  # such as tests/*.yaml, counted from the process file

    @model_validator(mode="before")
    @classmethod
    def _name_criteria(cls, data: Any) -> Any:
        """Put the fields of criteria where a rule names them by `of: bant`."""
        groups = _groups(data)
        return _with_fields(data, groups) if groups else data

    def stage(self, stage_id: str) -> Stage | None:
        """Find a stage by its id."""
        for stage in self.stages:  # asked for each deal, and a generator would cost as much again
            if stage.id == stage_id:
                return stage
        return None

    def order(self, stage_id: str) -> int:
        """Give a stage's place in the process, from 0; raises ValueError for a stage that isn't in it."""
        for index, stage in enumerate(self.stages):
            if stage.id == stage_id:
                return index
        raise ValueError(f"the process has no stage {stage_id!r}")

    def rule_ids(self) -> tuple[str, ...]:
        """Give the id of every rule a binding can name: entry and exit rules, SLAs, hand-offs, and `move`."""
        found = ["move", *(f"sla.{rule.id}" for rule in self.slas)]
        for stage in self.stages:
            found += [f"{stage.id}.{rule.id}" for rule in stage.rules]
            found += [f"{stage.id}.sla"] if stage.sla else []
            found += [f"{stage.id}.handoff"] if stage.handoff else []
            found += [f"{stage.id}.{rule.id}" for rule in stage.slas]
        return tuple(found)

    @property
    def won_stage(self) -> Stage | None:
        """The stage where won deals stand, if the process has one."""
        return next((stage for stage in self.stages if stage.status == "won"), None)


def _groups(data: Any) -> dict[str, Any]:
    """Give the fields of each of the criteria, as far as they are written rightly."""
    listed = data.get("criteria") if isinstance(data, dict) else None
    groups = [group for group in listed if isinstance(group, dict)] if isinstance(listed, list | tuple) else []
    return {str(group.get("id")): group.get("fields") for group in groups if isinstance(group.get("fields"), list)}


def _with_fields(data: dict[str, Any], groups: dict[str, Any]) -> dict[str, Any]:
    stages = data.get("stages")
    if not isinstance(stages, list | tuple):
        return data
    return {**data, "stages": [_stage_with_fields(stage, groups) for stage in stages]}


def _stage_with_fields(stage: Any, groups: dict[str, Any]) -> Any:
    if not isinstance(stage, dict):
        return stage
    named = {key: stage[key] for key in ("entry", "exit") if isinstance(stage.get(key), list | tuple)}
    return {**stage, **{key: [_rule_with_fields(rule, groups) for rule in rules] for key, rules in named.items()}}


def _rule_with_fields(rule: Any, groups: dict[str, Any]) -> Any:
    if not isinstance(rule, dict):
        return rule
    checks = {key: check for key in ("check", "when") if isinstance(check := rule.get(key), dict)}
    return {**rule, **{key: _check_with_fields(check, groups) for key, check in checks.items()}}


def _check_with_fields(check: dict[str, Any], groups: dict[str, Any]) -> dict[str, Any]:
    of = check.get("of")
    return {**check, "of": groups[of]} if isinstance(of, str) and of in groups else check
