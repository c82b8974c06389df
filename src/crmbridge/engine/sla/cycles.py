"""What SLA clocks measure: from when until when something took, or still takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from crmbridge.engine.deals.history import values_of
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.mapping import WON
from crmbridge.engine.sla.limits import ClockRule
from crmbridge.engine.sla.written import Measures
from crmbridge.model.findings import Pause, Visit
from crmbridge.model.process import Stage
from crmbridge.model.records import Record, Status
from crmbridge.model.slas import ReEntry, Sla, SlaKind
from crmbridge.model.values import Value, is_empty

_INSTANT = timedelta(microseconds=1)
_OF_ACTIVITIES = frozenset({SlaKind.FIRST_TOUCH, SlaKind.NO_ACTIVITY, SlaKind.NEXT_ACTIVITY})


class Cycle(NamedTuple):
    """A stretch of time that an SLA is measured on, and the visit during which it began. It runs without an end."""

    visit: Visit
    started_at: datetime
    ended_at: datetime | None = None
    away: tuple[Pause, ...] = ()  # does not count, whatever the fields hold


def cycles_of(rule: ClockRule, visits: Sequence[Visit], subject: Subject, now: datetime) -> Iterator[Cycle]:
    """Give the cycles of an SLA on one deal, oldest first."""
    return _CYCLES[rule.measures](rule, visits, subject, now) if visits else iter(())


def wakes_at(rule: ClockRule, subject: Subject, now: datetime) -> datetime | None:
    """Give the moment at which an SLA may get another cycle although nothing changes: an activity's time has come."""
    if rule.measures not in _OF_ACTIVITIES:
        return None
    coming = _coming(rule, subject, now) if rule.measures is SlaKind.NEXT_ACTIVITY else None
    moments = [at for at in _times_done(rule, subject) if at > now]
    moments += [coming + _INSTANT] if coming else []  # what is due right now is still to come
    return min(moments, default=None)


def _in_stage(rule: ClockRule, visits: Sequence[Visit], _subject: Subject, _now: datetime) -> Iterator[Cycle]:
    own = [visit for visit in visits if rule.stage and visit.stage == rule.stage.id]
    re_entry = rule.timing.re_entry if isinstance(rule.timing, Sla) else ReEntry.NEW_CYCLE
    if re_entry is ReEntry.RESUME and own:
        away = tuple((left.left_at, back.entered_at) for left, back in pairwise(own) if left.left_at)
        yield Cycle(own[-1], own[0].entered_at, own[-1].left_at, away)
        return
    for visit in own[:1] if re_entry is ReEntry.IGNORE else own:
        yield Cycle(visit, visit.entered_at, visit.left_at)


def _handed_over(rule: ClockRule, visits: Sequence[Visit], subject: Subject, _now: datetime) -> Iterator[Cycle]:
    """Give the hand-offs that wait to be accepted, and those that were seen to be.

    One begins when a deal goes forward from the stage, and ends when the `accepted` field is filled in. A field that
    was filled in before counts as accepted, and leaves nothing to measure.
    """
    stage = rule.stage
    if stage is None or stage.handoff is None or stage.handoff.accepted is None:
        return
    field = stage.handoff.accepted
    for before, here in pairwise(visits):
        if not _goes_on(stage, before, here, subject):
            continue
        accepted = _filled_in(field, here, subject)
        waits = here is visits[-1] and here.left_at is None and _is_open(subject.deal.fields.get(field))
        if waits or accepted is not None:
            yield Cycle(here, here.entered_at, None if waits else accepted)


def _goes_on(stage: Stage, before: Visit, here: Visit, subject: Subject) -> bool:
    direct = before.to is not None and before.to.stage == here.stage
    order = subject.process.order
    return before.stage == stage.id and direct and order(here.stage) >= order(stage.id)


def _filled_in(field: str, visit: Visit, subject: Subject) -> datetime | None:
    """Say when a field was first seen to be filled in during a visit."""
    times = [edit.at for edit in subject.edits if edit.field == field and _is_open(edit.before) > _is_open(edit.after)]
    return min((at for at in times if visit.entered_at <= at <= (visit.left_at or at)), default=None)


def _is_open(answer: Value) -> bool:
    return is_empty(answer) or answer is False


def _first_touch(rule: ClockRule, visits: Sequence[Visit], subject: Subject, now: datetime) -> Iterator[Cycle]:
    if subject.activities is None:
        return
    done = sorted(_done(rule, subject, now))
    if rule.stage is None:
        start = subject.deal.created_at or visits[0].entered_at
        # A call may be older than the deal that came of it.
        yield Cycle(visits[0], start, _ending(start, next(iter(done), None), _closed_at(rule, visits, subject)))
        return
    for visit in visits:
        if visit.stage == rule.stage.id:
            touched = next((at for at in done if at >= visit.entered_at), None)
            yield Cycle(visit, visit.entered_at, _ending(visit.entered_at, touched, visit.left_at))


def _no_activity(rule: ClockRule, visits: Sequence[Visit], subject: Subject, now: datetime) -> Iterator[Cycle]:
    visit = _standing(rule, visits, subject)
    if visit is not None and subject.activities is not None:
        yield Cycle(visit, max([_since(rule, visit, subject), *_done(rule, subject, now)]))


def _next_activity(rule: ClockRule, visits: Sequence[Visit], subject: Subject, now: datetime) -> Iterator[Cycle]:
    visit = _standing(rule, visits, subject)
    if visit is None or subject.activities is None or _coming(rule, subject, now) is not None:
        return
    yield Cycle(visit, max([_since(rule, visit, subject), *_done(rule, subject, now), *_planned(rule, subject)]))


def _response(rule: ClockRule, visits: Sequence[Visit], subject: Subject, _now: datetime) -> Iterator[Cycle]:
    for since, answered in _messages(rule, subject):
        visit = next((visit for visit in reversed(visits) if visit.entered_at <= since), visits[0])
        if rule.stage is None or visit.stage == rule.stage.id:
            yield Cycle(visit, since, _ending(since, answered, _closed_at(rule, visits, subject)))


def _messages(rule: ClockRule, subject: Subject) -> Iterator[tuple[datetime, datetime | None]]:
    """Give since when a customer waited, and when that was answered; None where it was not.

    Who writes again before an answer waits since the first of these messages. A time that is no later than the moment
    at which the one before was seen is that one corrected, and one that was taken out needs no answer any more.
    """
    asked, until = (rule.written.since or "", rule.written.until or "") if rule.written else ("", "")
    answers = sorted(at for _, at in values_of(subject, until) if isinstance(at, datetime))
    waiting: list[tuple[datetime, datetime]] = []  # the messages without an answer, and when each was seen
    for seen_at, written in values_of(subject, asked):
        if not isinstance(written, datetime):
            waiting.clear()
            continue
        if waiting and written <= waiting[-1][1]:
            waiting.pop()
        elif waiting and (answer := next((each for each in answers if waiting[0][0] <= each <= written), None)):
            yield waiting[0][0], answer
            waiting.clear()
        waiting.append((written, seen_at))
    if waiting:
        last = subject.deal.fields.get(until)
        yield waiting[0][0], last if isinstance(last, datetime) and last >= waiting[-1][0] else None


_CYCLES: Mapping[Measures, Callable[[ClockRule, Sequence[Visit], Subject, datetime], Iterator[Cycle]]] = {
    "time_in_stage": _in_stage,
    "handoff": _handed_over,
    SlaKind.FIRST_TOUCH: _first_touch,
    SlaKind.NO_ACTIVITY: _no_activity,
    SlaKind.NEXT_ACTIVITY: _next_activity,
    SlaKind.RESPONSE: _response,
}


def _standing(rule: ClockRule, visits: Sequence[Visit], subject: Subject) -> Visit | None:
    """Give the visit of an open deal where it stands; None where it stands in another stage than the SLA's."""
    place, visit = subject.place, visits[-1]
    if place.status is not Status.OPEN or visit.left_at is not None:
        return None
    return visit if rule.stage is None or visit.stage == rule.stage.id else None


def _since(rule: ClockRule, visit: Visit, subject: Subject) -> datetime:
    """Give the moment since which an SLA about activities is asked for."""
    return visit.entered_at if rule.stage else subject.deal.created_at or visit.entered_at


def _ending(start: datetime, *ends: datetime | None) -> datetime | None:
    """Give the first of what ends a cycle, which may have been so before it began."""
    first = min((at for at in ends if at is not None), default=None)
    return None if first is None else max(first, start)


def _closed_at(rule: ClockRule, visits: Sequence[Visit], subject: Subject) -> datetime | None:
    """Say when a deal that is won or lost came to be so, as far as its visits tell; None while it is open.

    An SLA of the stage where won deals stand goes on there.
    """
    last = visits[-1]
    if subject.place.status is Status.OPEN or (rule.stage and rule.stage.status == WON and last.left_at is None):
        return None
    return last.left_at or last.entered_at


def _done(rule: ClockRule, subject: Subject, now: datetime) -> Iterator[datetime]:
    """Give when the activities that count were done; what is still to come was not, whatever is said of it."""
    return (at for at in _times_done(rule, subject) if at <= now)


def _times_done(rule: ClockRule, subject: Subject) -> Iterator[datetime]:
    for activity in _counting(rule, subject):
        if activity.fields.get("done") is True:
            at = activity.fields.get("at")
            yield at if isinstance(at, datetime) else activity.updated_at


def _planned(rule: ClockRule, subject: Subject) -> Iterator[datetime]:
    """Give when the activities that count and are still open are, or were, due."""
    for activity in _counting(rule, subject):
        at = activity.fields.get("at")
        if activity.fields.get("done") is not True and isinstance(at, datetime):
            yield at


def _coming(rule: ClockRule, subject: Subject, now: datetime) -> datetime | None:
    """Give when the last of the open activities is due that are not overdue: until then there is one."""
    return max((at for at in _planned(rule, subject) if at >= now), default=None)


def _counting(rule: ClockRule, subject: Subject) -> Iterator[Record]:
    types = {kind.strip().casefold() for kind in rule.written.types} if rule.written else set()
    for activity in subject.activities or ():
        if not types or str(activity.fields.get("type") or "").strip().casefold() in types:
            yield activity
