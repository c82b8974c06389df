"""What a deal's way through the process was like: where it came back to, how its time was used, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from crmbridge.engine.deals.subject import Subject
from crmbridge.model.findings import Visit
from crmbridge.model.records import Record, Status

DAY = timedelta(days=1)


class Ending(NamedTuple):
    """How a deal ended, and when."""

    status: Status  # won or lost
    at: datetime


class Detour(NamedTuple):
    """A deal that left a stage for another one and came back: `first`, `second`, and `first` again."""

    first: str
    second: str
    took: timedelta  # in the second stage
    at: datetime  # when it came back


class UsedTime(Struct, frozen=True, kw_only=True):
    """How the time of a visit was used, in days of 24 hours."""

    stage: str
    working: float  # days, counted from entering, in which something was done on the deal
    waiting: float  # the others


def ending_of(subject: Subject, visits: Sequence[Visit]) -> Ending | None:
    """Say how a deal ended; None for one that is open. Where the history does not tell when, the record's time does."""
    place = subject.place
    if place.status is Status.OPEN:
        return None
    if visits and visits[-1].to is not None and visits[-1].to.status is place.status and visits[-1].left_at:
        return Ending(place.status, visits[-1].left_at)
    if place.stage is not None:  # where won deals stand
        return Ending(place.status, visits[-1].entered_at)
    return Ending(place.status, subject.deal.updated_at)


def detours(visits: Sequence[Visit], since: datetime) -> Iterator[Detour]:
    """Give the detours that ended since a moment."""
    for first, second, third in zip(visits, visits[1:], visits[2:], strict=False):
        direct = first.to is not None and first.to.stage == second.stage
        back = second.to is not None and second.to.stage == third.stage
        if first.stage == third.stage and direct and back and third.entered_at >= since:
            yield Detour(first.stage, second.stage, third.entered_at - second.entered_at, third.entered_at)


def used_times(
    visits: Iterable[Visit], activities: Sequence[Record], since: datetime, now: datetime
) -> Iterator[UsedTime]:
    """Say of each visit that lasted into the time since a moment how it was used, the open one up to now.

    A day in which at least one activity was done is a working one, as a whole.
    """
    done = sorted(at for activity in activities if (at := _done_at(activity)) is not None)
    for visit in visits:
        end = visit.left_at or now
        if end < since or end <= visit.entered_at:
            continue
        worked = {(at - visit.entered_at) // DAY for at in done if visit.entered_at <= at < end}
        length = (end - visit.entered_at) / DAY
        working = sum(min(1.0, length - day) for day in worked)
        yield UsedTime(stage=visit.stage, working=working, waiting=length - working)


def types_done(activities: Iterable[Record], until: datetime) -> frozenset[str]:
    """Name the types of the activities that were done until a moment."""
    found = ((str(activity.fields.get("type") or "other"), _done_at(activity)) for activity in activities)
    return frozenset(kind for kind, at in found if at is not None and at <= until)


def _done_at(activity: Record) -> datetime | None:
    at = activity.fields.get("at")
    return at if activity.fields.get("done") is True and isinstance(at, datetime) else None
