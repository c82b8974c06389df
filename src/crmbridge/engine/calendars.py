"""Count business time: a calendar's opening hours as stretches of UTC time, so that no sum ever crosses a clock change.

A calendar is open at a moment if the clock on its wall then shows a time within its opening hours, on a day that is
neither closed nor a holiday. An hour that the wall clock shows twice counts twice, one that it skips doesn't count,
and so does a day that never was. Everything here is measured in UTC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from crmbridge.model.business_time import Calendar, Duration, Unit, Window

FIRST_YEAR, LAST_YEAR = 1900, 2200  # outside of these years every calendar is closed
SEARCH_YEARS = 5  # a calendar that is closed this long never opens again

_ZERO = timedelta(0)
_DAY = timedelta(days=1)
_MICROSECONDS = {
    Unit.BUSINESS_DAYS: 3_600_000_000,  # per open hour; a day has `day_hours` of them
    Unit.BUSINESS_HOURS: 3_600_000_000,
    Unit.BUSINESS_MINUTES: 60_000_000,
    Unit.DAYS: 86_400_000_000,
    Unit.HOURS: 3_600_000_000,
    Unit.MINUTES: 60_000_000,
}


class _Span(NamedTuple):
    """A stretch of UTC time, the end not included."""

    start: datetime
    end: datetime


class _Year(NamedTuple):
    """A calendar's open spans in one year of UTC, in order and apart; `sums[i]` is the open time before span i."""

    starts: tuple[datetime, ...]
    ends: tuple[datetime, ...]
    sums: tuple[timedelta, ...]  # one more than there are spans: the last is the whole year's

    def until(self, moment: datetime) -> timedelta:
        """Give the open time from the start of the year until a moment."""
        index = bisect_right(self.starts, moment) - 1
        if index < 0:
            return _ZERO
        return self.sums[index] + min(moment, self.ends[index]) - self.starts[index]

    def when(self, amount: timedelta) -> datetime:
        """Give the earliest moment at which this much open time has passed; it must be more than none, and in reach."""
        index = bisect_left(self.sums, amount) - 1
        return self.starts[index] + (amount - self.sums[index])


@dataclass(frozen=True, slots=True)
class CompiledCalendar:
    """A calendar ready for counting. Make it with `compile_calendar`; years are worked out when first asked for."""

    calendar: Calendar
    closed: frozenset[date]  # holidays and the calendar's own closed dates
    zone: ZoneInfo
    _years: dict[int, _Year] = field(default_factory=dict, compare=False, repr=False)

    def year(self, number: int) -> _Year:
        """Give the open spans of one year of UTC; none outside of FIRST_YEAR to LAST_YEAR."""
        if number not in self._years:
            known = FIRST_YEAR <= number <= LAST_YEAR
            self._years[number] = _with_sums(_open_spans(self, number) if known else ())
        return self._years[number]


def compile_calendar(calendar: Calendar, holidays: Collection[date]) -> CompiledCalendar:
    """Make a calendar ready for counting; `holidays` are the dates of its public holidays in all years that matter."""
    return CompiledCalendar(calendar, frozenset(holidays) | frozenset(calendar.closed), ZoneInfo(calendar.timezone))


def business_time(calendar: CompiledCalendar, start: datetime, end: datetime) -> timedelta:
    """Give the open time between two moments; none when the end comes first."""
    if end <= start:
        return _ZERO
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    first, last = max(start.year, FIRST_YEAR - 1), min(end.year, LAST_YEAR + 1)
    whole_years = sum((calendar.year(number).sums[-1] for number in range(first, last)), _ZERO)
    return whole_years + calendar.year(end.year).until(end) - calendar.year(start.year).until(start)


def add_business_time(calendar: CompiledCalendar, start: datetime, amount: timedelta) -> datetime | None:
    """Give the earliest moment at which this much open time has passed since the start.

    Without an amount that is the start itself. None: the calendar does not open again for SEARCH_YEARS, or the
    moment lies past LAST_YEAR.
    """
    start = start.astimezone(UTC)
    if amount <= _ZERO:
        return start
    left = amount + calendar.year(start.year).until(start)
    idle = 0
    for number in range(max(start.year, FIRST_YEAR - 1), LAST_YEAR + 1):
        year = calendar.year(number)
        if left <= year.sums[-1]:
            return year.when(left)
        idle = 0 if year.starts else idle + 1
        if idle > SEARCH_YEARS:
            return None
        left -= year.sums[-1]
    return None


def length(duration: Duration, calendar: CompiledCalendar | None) -> timedelta:
    """Give a duration's length: open time for business units (`1bd` is `day_hours` long), else time on the clock.

    A duration in business units needs the calendar.
    """
    amount = duration.amount * _MICROSECONDS[duration.unit]
    if duration.unit is Unit.BUSINESS_DAYS:
        amount *= _needed(duration, calendar).calendar.day_hours
    return timedelta(microseconds=int(amount.to_integral_value()))


def elapsed(duration: Duration, calendar: CompiledCalendar | None, start: datetime, end: datetime) -> timedelta:
    """Give how much time of the duration's kind lies between two moments; none when the end comes first."""
    if duration.is_business:
        return business_time(_needed(duration, calendar), start, end)
    return max(end - start, _ZERO)


def due(duration: Duration, calendar: CompiledCalendar | None, start: datetime, share: Decimal) -> datetime | None:
    """Give the moment when a share of the duration (1 for all of it) has passed; None when that never comes."""
    whole = length(duration, calendar) // timedelta(microseconds=1)
    amount = timedelta(microseconds=int((whole * share).to_integral_value()))
    if duration.is_business:
        return add_business_time(_needed(duration, calendar), start, amount)
    latest = datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
    return start + amount if start < latest and amount <= latest - start else None


def _needed(duration: Duration, calendar: CompiledCalendar | None) -> CompiledCalendar:
    if calendar is None:
        raise ValueError(f"{duration} is business time and needs a calendar")
    return calendar


def _with_sums(spans: Collection[_Span]) -> _Year:
    sums = [_ZERO]
    for span in spans:
        sums.append(sums[-1] + (span.end - span.start))
    return _Year(tuple(span.start for span in spans), tuple(span.end for span in spans), tuple(sums))


def _open_spans(calendar: CompiledCalendar, number: int) -> tuple[_Span, ...]:
    """List a year's open spans, the ones that touch joined."""
    week = tuple(_joined_hours(windows) for windows in calendar.calendar.hours.week())
    joined: list[_Span] = []
    for stretch, offset in _stretches(calendar.zone, number):
        for span in _open_in(stretch, offset, week, calendar.closed):
            if joined and joined[-1].end == span.start:
                joined[-1] = _Span(joined[-1].start, span.end)
            else:
                joined.append(span)
    return tuple(joined)


def _stretches(zone: ZoneInfo, number: int) -> Iterator[tuple[_Span, timedelta]]:
    """Cut a year of UTC where the zone's offset from UTC changes; each stretch comes with its offset."""
    start, end = datetime(number, 1, 1, tzinfo=UTC), datetime(number + 1, 1, 1, tzinfo=UTC)
    since, offset = start, _offset(zone, start)
    day = start
    while day < end:
        if _offset(zone, day + _DAY) != offset and (change := _change(zone, day)) < end:
            yield _Span(since, change), offset
            since, offset = change, _offset(zone, change)
        day += _DAY
    yield _Span(since, end), offset


def _change(zone: ZoneInfo, day: datetime) -> datetime:
    """Find, to the second, when within the 24 hours from `day` the zone's offset changes; zones do so once a day."""
    before = _offset(zone, day)
    return day + timedelta(
        seconds=bisect_left(range(86_400), 1, key=lambda s: _offset(zone, day + timedelta(seconds=s)) != before)
    )


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or _ZERO


def _open_in(
    stretch: _Span,
    offset: timedelta,
    week: tuple[tuple[tuple[timedelta, timedelta], ...], ...],
    closed: Collection[date],
) -> Iterator[_Span]:
    """List the open spans of a stretch with one offset: there, the wall clock is UTC plus the offset."""
    midnight = datetime.combine((stretch.start + offset).date(), time(0), UTC)
    while midnight - offset < stretch.end:
        if midnight.date() not in closed:
            for opens, closes in week[midnight.weekday()]:
                start = max(midnight + opens - offset, stretch.start)
                end = min(midnight + closes - offset, stretch.end)
                if start < end:
                    yield _Span(start, end)
        midnight += _DAY


def _joined_hours(windows: Collection[Window]) -> tuple[tuple[timedelta, timedelta], ...]:
    """Give a day's windows as time since midnight, in order, the ones that overlap or touch joined."""
    joined: list[tuple[timedelta, timedelta]] = []
    for opens, closes in sorted((_since_midnight(w.start), _since_midnight(w.end) or _DAY) for w in windows):
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(closes, joined[-1][1]))
        else:
            joined.append((opens, closes))
    return tuple(joined)


def _since_midnight(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
