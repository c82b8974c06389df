"""What may take how long: the SLA of a stage, and those that are not about the time in one."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from crmbridge.model.business_time import Duration, DurationField, Share
from crmbridge.model.checks import Check
from crmbridge.model.parts import FieldName, Id, Part, Text

DIGEST_LENGTH = 8


class ReEntry(StrEnum):
    """What happens to a stage's clock when a deal comes back to the stage."""

    NEW_CYCLE = "new_cycle"  # every visit is measured for itself
    RESUME = "resume"  # the clock goes on; the time in between does not count
    IGNORE = "ignore"  # only the first visit is measured


class SlaKind(StrEnum):
    """What an SLA beside that of a stage's time measures."""

    FIRST_TOUCH = "first_touch"  # from the deal's creation, or its coming into the stage, to the first activity done
    NO_ACTIVITY = "no_activity"  # since the last activity that was done
    NEXT_ACTIVITY = "next_activity"  # since the deal has had no activity that is still to come
    RESPONSE = "response"  # from one time field to another: a customer's message, and the answer


def _some_time(goal: Duration) -> Duration:
    if not goal.amount:
        raise ValueError("a goal of no time at all can't be kept")
    return goal


Goal = Annotated[DurationField, AfterValidator(_some_time)]


class SegmentGoal(Part):
    """Another goal, and maybe another calendar, for deals that pass a check."""

    when: Check
    goal: Goal
    calendar: Id | None = None


def _rising(shares: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    return tuple(sorted(set(shares)))


class TimeLimit(Part):
    """How long something may take. The first of `goals` whose check passes counts, else `goal`.

    `warn_at` has the shares of the goal at which it is at risk. While a field of `pause_when` has one of the values
    beside it, the clock stands still.
    """

    goal: Goal
    calendar: Id | None = None
    warn_at: Annotated[tuple[Share, ...], AfterValidator(_rising)] = (Decimal("0.8"),)
    goals: tuple[SegmentGoal, ...] = ()
    pause_when: dict[FieldName, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Give hex digits that change whenever it says something else."""
        text = self.model_dump_json(exclude={"id", "name"})
        return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


class Sla(TimeLimit):
    """How long a deal may stay in a stage, in the named calendar's business time."""

    calendar: Id
    re_entry: ReEntry = ReEntry.NEW_CYCLE


class SlaRule(TimeLimit):
    """An SLA that is not about the time in a stage: of a stage, while a deal is there, or of the whole process.

    Only for deals that pass `when`. `types` are the activities that count, all when not said. `since` and `until` are
    the two fields of a response.
    """

    id: Id
    name: Text
    kind: SlaKind
    when: Check | None = None
    types: tuple[str, ...] = ()
    since: FieldName | None = None
    until: FieldName | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        fields = (self.since, self.until)
        if self.kind is SlaKind.RESPONSE and None in fields:
            raise ValueError("a response needs `since` and `until`, the fields with the two times")
        if self.kind is not SlaKind.RESPONSE and fields != (None, None):
            raise ValueError("only a response has `since` and `until`")
        if self.kind is SlaKind.RESPONSE and self.types:
            raise ValueError("a response looks at no activities; leave out `types`")
        return self
