"""Which of a deal's activities count for a rule, at which moment, and when that changes by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from crmbridge.engine.rules.case import Answer, Beside, Case, undecided
from crmbridge.engine.time.moments import shifted
from crmbridge.model.business_time import Duration, Unit
from crmbridge.model.checks import ActivityCount
from crmbridge.model.findings import Judgement, Visit
from crmbridge.model.records import Record
from crmbridge.model.replacing import replace

_INSTANT = timedelta(microseconds=1)
_UNITS = {Unit.DAYS: "days", Unit.HOURS: "hours", Unit.MINUTES: "minutes"}


def known_then(activities: Iterable[Record], moment: datetime) -> tuple[Record, ...]:
    """Give those of today's activities that were there at a moment: done by then, or made by then and still open.

    One that was open then and is done now is left out: when that happened is not known.
    """
    return tuple(each for each in activities if _was_there(each, moment))


def beside_then(beside: Beside, moment: datetime) -> Beside:
    """Give what stands beside a deal with the notes and files that were there at a moment."""
    notes, files = (None if each is None else known_then(each, moment) for each in (beside.notes, beside.files))
    return replace(beside, notes=notes, files=files)


def count_activities(wanted: ActivityCount, case: Case) -> Answer:
    """Answer a check that counts some of the activities."""
    if case.activities is None:
        return undecided(("activities",), "Activities are not pulled from this CRM, so this can't be decided.")
    count = sum(_counts(each, wanted, case) for each in case.activities)
    holds = count >= wanted.at_least
    return Answer(
        judgement=Judgement.PASS if holds else Judgement.FAIL,
        message=f"The deal has {min(count, wanted.at_least)} of the {wanted.at_least} {in_words(wanted)} it needs.",
        missing=() if holds else ("activities",),
        passed=count,
        value=Decimal(count),
        seen={"activities": Decimal(count)},
    )


def in_words(wanted: ActivityCount) -> str:
    """Say what is counted, such as "done call activities within 30 days"."""
    state = "" if wanted.state == "any" else f"{wanted.state} "
    kind = f"{' or '.join(wanted.kind)} " if wanted.kind else ""
    about = f" about {wanted.subject}" if wanted.subject else ""
    here = " in this stage" if wanted.in_stage else ""
    within = f" within {wanted.within.amount.normalize():f} {_UNITS[wanted.within.unit]}" if wanted.within else ""
    return f"{state}{kind}activities{about}{here}{within}"


def turns(wanted: ActivityCount, activities: Sequence[Record] | None) -> Iterator[datetime]:
    """Give the moments at which an activity begins or ceases to count although nothing changes."""
    if wanted.within is None:
        return
    within = _length(wanted.within)
    for at in filter(None, map(_at, activities or ())):
        yield from (shifted(at, -within), at, shifted(at, _INSTANT), shifted(at, within + _INSTANT))


def _counts(activity: Record, wanted: ActivityCount, case: Case) -> bool:
    done = activity.fields.get("done") is True
    return (
        (wanted.state == "any" or done == (wanted.state == "done"))
        and (wanted.kind is None or _has_kind(activity, wanted.kind))
        and (wanted.subject is None or _speaks_of(activity, wanted.subject))
        and (not wanted.in_stage or lies_in(activity, case.visit))
        and (wanted.within is None or _is_near(activity, _length(wanted.within), case.now, done=done))
    )


def _has_kind(activity: Record, kinds: Iterable[str]) -> bool:
    return str(activity.fields.get("type") or "").strip().casefold() in {kind.strip().casefold() for kind in kinds}


def _speaks_of(activity: Record, words: str) -> bool:
    return words.casefold() in str(activity.fields.get("subject") or "").casefold()


def lies_in(record: Record, visit: Visit | None) -> bool:
    """Tell whether an activity happened, or a file was added, during a visit."""
    at = _at(record)
    if visit is None or at is None:
        return False
    return visit.entered_at <= at and (visit.left_at is None or at <= visit.left_at)


def _is_near(activity: Record, within: timedelta, now: datetime, *, done: bool) -> bool:
    """Tell whether what is done was done lately, or what is open is due soon; what is overdue is not."""
    at = _at(activity)
    if at is None:
        return False
    return now - within <= at <= now if done else now <= at <= now + within


def _was_there(activity: Record, moment: datetime) -> bool:
    if activity.fields.get("done") is True:
        at = _at(activity)
        return at is not None and at <= moment
    return activity.created_at is None or activity.created_at <= moment


def _at(activity: Record) -> datetime | None:
    at = activity.fields.get("at")
    return at if isinstance(at, datetime) else None


def _length(within: Duration) -> timedelta:
    seconds = {Unit.DAYS: 86_400, Unit.HOURS: 3_600, Unit.MINUTES: 60}[within.unit]
    return timedelta(seconds=float(within.amount * seconds))
