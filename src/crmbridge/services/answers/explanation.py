"""What is explained of a deal, as values: its rules, its clocks, how it stands in sync, and what was written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from crmbridge.engine.cases.trying import holds_back
from crmbridge.model.changes import Change, JournalEntry
from crmbridge.model.findings import Evaluation, Judgement, SlaClock, Verdict
from crmbridge.model.records import Record
from crmbridge.model.values import Value
from crmbridge.ports import Waiting


class InStep(StrEnum):
    """How a field stands between the linked records."""

    IN_STEP = "in_step"
    WAITING = "waiting"  # the sides differ, and the next run takes it up
    CONFLICT = "conflict"  # the sides differ, and a person must decide
    HELD = "held"  # the sides differ, and it waits for a person for another reason
    LEFT = "left"  # the sides differ, and no run changes that: the sync says so, or a CRM filled it in or keeps less


class SyncedField(Struct, frozen=True, kw_only=True):
    """One field on every linked record: what each has now, and what was last agreed with each."""

    name: str
    now: Mapping[str, Value]  # by connection
    base: Mapping[str, Value]
    waits: bool = False  # for a person to decide
    held: bool = False  # until a person did what it takes
    left: bool = False  # by the sync

    @property
    def in_step(self) -> bool:
        """Tell whether all sides hold the same."""
        values = list(self.now.values())
        return all(value == values[0] for value in values)

    @property
    def state(self) -> InStep:
        """Say how it stands."""
        if self.waits:
            return InStep.CONFLICT
        if self.in_step:
            return InStep.IN_STEP
        return InStep.HELD if self.held else InStep.LEFT if self.left else InStep.WAITING


class Absent(StrEnum):
    """Why a deal is not in a CRM with which the settings keep it in step."""

    NOT_NAMED = "not_named"  # `create` does not name that connection
    CLOSED = "closed"  # only open deals are made
    BESIDE = "beside"  # only deals of the pipeline that is mapped are made
    NOT_YET = "not_yet"  # the next run makes it, or something waits for a person


class Asked(StrEnum):
    """When a rule is asked."""

    TO_LEAVE = "to_leave"  # the stage where the deal stands, as if it left now
    ON_ENTRY = "on_entry"  # when the deal came into that stage
    LEFT_BEHIND = "left_behind"  # when the deal left a stage that is behind it


class Told(StrEnum):
    """What tells of a value that a rule saw."""

    RECORDED = "recorded"  # the CRM's own history of the field
    SEEN = "seen"  # the copies of the deal that were pulled
    NOW = "now"  # only what it holds now


class Seen(Struct, frozen=True, kw_only=True):
    """A value that a rule saw. `of_then` tells whether it is that of the moment judged, or the one of today.

    `told` says what tells of it, and `told_at` since when the CRM has it on record, or when it was last seen before
    the moment; `why` what keeps the CRM from telling what it was, where it was asked.
    `changed_at` is when the record that holds it last changed in its CRM, as far as it was pulled.
    """

    name: str
    label: str  # its name for people
    value: Value
    source: str  # the connection
    of_then: bool
    changed_at: datetime | None
    pulled_at: datetime | None
    told: Told = Told.NOW
    told_at: datetime | None = None
    why: str = ""


class ExplainedRule(Struct, frozen=True, kw_only=True):
    """One rule on the deal: what it says, from what, where it stands, what would clear it and who can."""

    verdict: Verdict
    asked: Asked
    place: str  # such as processes/b2b.yaml:57; empty where the process came from no file
    seen: tuple[Seen, ...]
    remedy: str  # empty where there is nothing to clear
    role: str  # the name of the role that owns the stage
    person: str | None  # the deal's owner

    @property
    def holds(self) -> bool:
        """Tell whether the deal is not held up by it."""
        return not holds_back(self.verdict)


class ExplainedClock(Struct, frozen=True, kw_only=True):
    """An SLA clock, and where its rule stands in the process file."""

    clock: SlaClock
    place: str


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether the deal may leave its stage, in numbers of rules. `ready` is None where it stands in no stage."""

    ready: bool | None
    stage: str  # its name
    rules: int = 0  # those that apply
    failing: int = 0
    undecided: int = 0  # among the others


class Explanation(Struct, frozen=True, kw_only=True):
    """Everything known of one deal. `subject` is the record that was evaluated: the one that leads its link."""

    subject: Record
    linked: tuple[Record, ...]  # all records of the link, the subject among them
    owner: str | None
    evaluation: Evaluation
    readiness: Readiness
    rules: tuple[ExplainedRule, ...]
    clocks: tuple[ExplainedClock, ...]
    opened: Mapping[str, datetime]  # finding id -> when it was opened, for those that are stored
    wanted: tuple[Change, ...]  # what the bindings ask for; nothing for an earlier moment
    actions: Mapping[str, str]  # finding id -> the binding's action
    fields: tuple[SyncedField, ...]
    absent: Mapping[str, Absent]  # by connection
    unbound: Mapping[str, tuple[str, ...]]  # by connection, the fields that linked records have and it has none for
    waiting: tuple[Waiting, ...]
    journal: tuple[JournalEntry, ...]
    at: datetime | None = None  # the earlier moment that was asked for
    unknown_then: tuple[str, ...] = ()  # fields that rules saw with today's value, as that of then is not known


def readiness_of(evaluation: Evaluation, stage: str) -> Readiness:
    """Count how the exit rules of the stage where a deal stands turn out."""
    if evaluation.place.stage is None:
        return Readiness(ready=None, stage=stage)
    asked = [v for v in evaluation.readiness if v.judgement is not Judgement.NOT_APPLICABLE]
    failing = sum(map(holds_back, asked))
    undecided = sum(v.judgement is Judgement.UNKNOWN and not holds_back(v) for v in asked)
    return Readiness(ready=not failing, stage=stage, rules=len(asked), failing=failing, undecided=undecided)
