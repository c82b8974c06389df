"""What evaluating a deal against the process says: its place, visits, clocks, verdicts and findings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Literal, NamedTuple

from msgspec import Struct, field

from crmbridge.model.business_time import Duration
from crmbridge.model.records import Ref, Status
from crmbridge.model.values import Value


class Place(NamedTuple):
    """Where a deal stands in the process. No stage: the CRM's position has no counterpart, or the deal is lost."""

    stage: str | None
    status: Status


class Visit(Struct, frozen=True, kw_only=True):
    """One stay of a deal in a stage. `left_at` is None while it lasts. `to` is the place it left for."""

    deal: Ref
    stage: str
    number: int  # 1 for the deal's first stay in this stage, 2 after it came back
    entered_at: datetime
    left_at: datetime | None = None
    to: Place | None = None


class SlaState(StrEnum):
    """How an SLA clock stands."""

    ON_TIME = "on_time"
    AT_RISK = "at_risk"
    BREACHED = "breached"


Pause = tuple[datetime, datetime | None]  # from and until; it lasts while there is no end


class SlaClock(Struct, frozen=True, kw_only=True, eq=False):
    """An SLA measured on one cycle: what began during a visit, and ended or runs. Durations are as `limit` counts.

    `pauses` are the parts of the cycle that do not count, in order and apart. `judged_by` are digests of the SLA and
    the calendar that judged it. Two clocks that differ only in what is of the moment are equal.
    """

    visit: Visit
    sla: str  # rule id, such as "qualification.sla"
    calendar: str
    limit: Duration  # the goal as the process writes it
    goal: timedelta
    elapsed: timedelta
    started_at: datetime
    ended_at: datetime | None = None
    due_at: datetime | None  # when the goal is used up; None when the calendar never opens again, or while it pauses
    state: SlaState
    pauses: tuple[Pause, ...] = ()
    judged_by: str = ""
    # These are of the moment at which it was measured.
    warned: Decimal | None = None  # the share of the goal that is used up and was to warn
    warned_at: datetime | None = None  # when it was
    turns_at: datetime | None = None  # when it will be in another state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlaClock) and _what_lasts(self) == _what_lasts(other)

    def __hash__(self) -> int:
        return hash(_what_lasts(self))

    @property
    def running(self) -> bool:
        """Tell whether it is still going on."""
        return self.ended_at is None

    @property
    def paused_since(self) -> datetime | None:
        """Say since when it stands still; None when it does not."""
        return self.pauses[-1][0] if self.pauses and self.pauses[-1][1] is None else None


_OF_THE_MOMENT = {"warned", "warned_at", "turns_at"}
_what_lasts = attrgetter(*(name for name in SlaClock.__struct_fields__ if name not in _OF_THE_MOMENT))


class Judgement(StrEnum):
    """What a check says of a deal."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"  # an operand is missing, so the check can't be decided
    NOT_APPLICABLE = "not_applicable"


class Verdict(NamedTuple):
    """One rule's judgement on one deal, with the values it was reached from.

    `values` says which: those of then, when the deal made the move that is judged, or those of now. `as_of` is that
    moment.
    """

    rule: str  # "stage.rule", such as "qualification.bant"
    stage: str
    judgement: Judgement
    message: str
    seen: Mapping[str, Value] = MappingProxyType({})
    missing: tuple[str, ...] = ()  # the fields whose filling would clear it
    on_unknown: str = "warn"
    as_of: datetime | None = None
    values: Literal["then", "now"] = "now"


class FindingKind(StrEnum):
    """What kind of thing does not hold."""

    EXIT_RULE = "exit_rule"
    ENTRY_RULE = "entry_rule"
    SLA_AT_RISK = "sla_at_risk"
    SLA_BREACHED = "sla_breached"
    ILLEGAL_MOVE = "illegal_move"
    UNREADABLE = "unreadable"  # a value or stage that can't be translated
    UNDECIDED = "undecided"  # a rule that can't be evaluated


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Waived(NamedTuple):
    """By whom and why a finding is accepted. `until` is when that ends; None where a CRM's field gives no end."""

    by: str
    why: str
    until: datetime | None = None


class Waiver(Struct, frozen=True, kw_only=True):
    """What somebody accepted: that one rule does not hold for one deal, however often, until a moment."""

    deal: Ref
    rule: str
    by: str
    why: str
    until: datetime
    at: datetime  # when it was given

    def holds(self, now: datetime) -> bool:
        """Tell whether it has not run out yet."""
        return now < self.until

    @property
    def waived(self) -> Waived:
        """What it says of a finding."""
        return Waived(self.by, self.why, self.until)


class Finding(Struct, frozen=True, kw_only=True):
    """An exit rule or SLA that does not hold for a deal, or a value that can't be read.

    `id` stays the same while the same thing is wrong with the same visit, so it is opened once and cleared once.
    """

    id: str
    deal: Ref
    rule: str
    kind: FindingKind
    stage: str | None
    severity: Severity
    message: str
    since: datetime
    seen: Mapping[str, Value] = field(default_factory=dict)
    visit: int | None = None
    path: str | None = None
    waived: Waived | None = None  # accepted for now: nothing is done about it


class Evaluation(Struct, frozen=True, kw_only=True):
    """Everything that evaluating one deal says; `explain` shows it, findings and actions come from it.

    `until` is the first moment at which it may say something else although nobody changed anything; None: never.
    """

    deal: Ref
    at: datetime
    place: Place
    visits: tuple[Visit, ...]
    clocks: tuple[SlaClock, ...]
    readiness: Sequence[Verdict]  # the exit rules of the stage the deal is in now
    judged: Sequence[Verdict]  # the exit rules of the stages that the deal's moves left behind
    findings: tuple[Finding, ...]
    entry: Sequence[Verdict] = ()  # the entry rules of the stage the deal is in now
    until: datetime | None = None


def finding_id(deal: Ref, rule: str, *parts: str) -> str:
    """Make the stable id of a finding from what makes it that finding."""
    text = "\x1f".join([deal.connection, deal.kind, deal.id, rule, *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
