"""Count business time: a calendar's opening hours as stretches of UTC time, so that no sum ever crosses a clock change.

A calendar is open at a moment if the clock on its wall then shows a time within its opening hours, on a day that is
neither closed nor a holiday. An hour that the wall clock shows twice counts twice, one that it skips doesn't count,
and so does a day that never was. Everything here is measured in UTC.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from crmbridge.engine.time.timeline import Timeline, joined, micros, moment, timeline
from crmbridge.model.business_time import Calendar, Duration, Unit, Window
from crmbridge.model.slas import DIGEST_LENGTH

FIRST_YEAR, LAST_YEAR = 1900, 2200  # outside of these years every calendar is closed
SEARCH_YEARS = 5  # a calendar that is closed this long never opens again

ALWAYS = timeline([(micros(datetime.min.replace(tzinfo=UTC)), micros(datetime.max.replace(tzinfo=UTC)) + 1)])
_LATEST = datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
_ZERO = timedelta(0)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
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


_Hours = tuple[tuple[timedelta, timedelta], ...]  # from and until, as time since midnight


class CompiledCalendar(Struct, frozen=True, eq=False):
    """A calendar ready for counting. Make it with `compile_calendar`; years are worked out when first asked for."""

    calendar: Calendar
    closed: frozenset[date]  # holidays, on which exceptions may open it, and the calendar's own closed dates
    zone: ZoneInfo
    digest: str  # hex digits that change whenever it says something else
    _years: dict[int, Timeline] = field(default_factory=dict)
    _lines: dict[tuple[int, int], Timeline] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompiledCalendar) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def year(self, number: int) -> Timeline:
        """Give the open time of one year of UTC; none outside of FIRST_YEAR to LAST_YEAR."""
        if number not in self._years:
            known = FIRST_YEAR <= number <= LAST_YEAR
            self._years[number] = timeline(_open_spans(self, number) if known else ())
        return self._years[number]

    def line(self, first: int, last: int) -> Timeline:
        """Give the open time of all years from the first to the last."""
        first, last = max(first, FIRST_YEAR), min(last, LAST_YEAR)
        if (first, last) not in self._lines:
            self._lines[first, last] = joined([self.year(number) for number in range(first, last + 1)])
        return self._lines[first, last]


def compile_calendar(calendar: Calendar, holidays: Collection[date]) -> CompiledCalendar:
    """Make a calendar ready for counting; `holidays` are the dates of its public holidays in all years that matter."""
    closed = frozenset(holidays) | frozenset(calendar.closed)
    text = f"{calendar.model_dump_json()} {sorted(map(date.isoformat, closed))}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
    return CompiledCalendar(calendar, closed, ZoneInfo(calendar.timezone), digest)


def business_time(calendar: CompiledCalendar, start: datetime, end: datetime) -> timedelta:
    """Give the open time between two moments; none when the end comes first."""
    if end <= start:
        return _ZERO
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    line = calendar.line(start.year, end.year)
    return timedelta(microseconds=line.before(micros(end)) - line.before(micros(start)))


def add_business_time(calendar: CompiledCalendar, start: datetime, amount: timedelta) -> datetime | None:
    """Give the earliest moment at which this much open time has passed since the start.

    Without an amount that is the start itself. None: the calendar does not open again for SEARCH_YEARS, or the
    moment lies past LAST_YEAR.
    """
    start = start.astimezone(UTC)
    if amount <= _ZERO:
        return start
    left = amount // _TICK + calendar.year(start.year).before(micros(start))
    idle = 0
    for number in range(max(start.year, FIRST_YEAR - 1), LAST_YEAR + 1):
        year = calendar.year(number)
        if left <= year.total:
            return moment(year.when(left))
        idle = 0 if year.edges else idle + 1
        if idle > SEARCH_YEARS:
            return None
        left -= year.total
    return None


def length(duration: Duration, calendar: CompiledCalendar | None) -> timedelta:
    """Give a duration's length: open time for business units (`1bd` is `day_hours` long), else time on the clock.

    A duration in business units needs the calendar.
    """
    amount = duration.amount * _MICROSECONDS[duration.unit]
    if duration.unit is Unit.BUSINESS_DAYS:
        amount *= _needed(duration, calendar).calendar.day_hours
    return timedelta(microseconds=int(amount.to_integral_value()))


def due(duration: Duration, calendar: CompiledCalendar | None, start: datetime) -> datetime | None:
    """Give the moment at which a duration has passed; None when that never comes."""
    return later(duration, calendar, start, length(duration, calendar))


def line_of(duration: Duration, calendar: CompiledCalendar | None, start: datetime, end: datetime) -> Timeline:
    """Give the line on which a duration of this kind is counted between two moments: open time, or all time."""
    if not duration.is_business:
        return ALWAYS
    return _needed(duration, calendar).line(start.astimezone(UTC).year, end.astimezone(UTC).year)


def later(duration: Duration, calendar: CompiledCalendar | None, start: datetime, amount: timedelta) -> datetime | None:
    """Give the moment at which so much time of the duration's kind has passed; None when that never comes."""
    if duration.is_business:
        return add_business_time(_needed(duration, calendar), start, amount)
    return start + amount if start < _LATEST and amount <= _LATEST - start else None


def _needed(duration: Duration, calendar: CompiledCalendar | None) -> CompiledCalendar:
    if calendar is None:
        raise ValueError(f"{duration} is business time and needs a calendar")
    return calendar


def _open_spans(calendar: CompiledCalendar, number: int) -> Iterator[tuple[int, int]]:
    """Give a year's open spans in order, in microseconds. Where the zone's offset changes, two may touch."""
    hours = _Days(calendar.calendar, calendar.closed)
    for stretch, offset in _stretches(calendar.zone, number):
        for span in _open_in(stretch, offset, hours):
            yield micros(span.start), micros(span.end)


class _Days:
    """The hours of single days of a calendar."""

    def __init__(self, calendar: Calendar, closed: Collection[date]) -> None:
        self._closed = closed
        self._by_date = frozenset(calendar.closed)
        self._exceptions: Mapping[str, _Hours] = {
            day: _joined_hours(windows) for day, windows in calendar.exceptions.items()
        }
        weeks = [(date.min, calendar.hours)]
        weeks += sorted((date.fromisoformat(day), hours) for day, hours in calendar.hours_from.items())
        self._weeks = [(since, tuple(map(_joined_hours, hours.week()))) for since, hours in weeks]

    def __getitem__(self, day: date) -> _Hours:
        """Give a day's hours: those said of its date, else of that day of the year, else of its weekday."""
        usual = next(week for since, week in reversed(self._weeks) if since <= day)[day.weekday()]
        if not self._exceptions:
            return () if day in self._closed else usual
        text = day.isoformat()
        if text in self._exceptions:
            return self._exceptions[text]
        if usual and day not in self._by_date and (yearly := self._exceptions.get(text[5:])) is not None:
            return yearly
        return () if day in self._closed else usual


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


def _open_in(stretch: _Span, offset: timedelta, hours: _Days) -> Iterator[_Span]:
    """List the open spans of a stretch with one offset: there, the wall clock is UTC plus the offset."""
    midnight = datetime.combine((stretch.start + offset).date(), time(0), UTC)
    while midnight - offset < stretch.end:
        for opens, closes in hours[midnight.date()]:
            start = max(midnight + opens - offset, stretch.start)
            end = min(midnight + closes - offset, stretch.end)
            if start < end:
                yield _Span(start, end)
        midnight += _DAY


def _joined_hours(windows: Collection[Window]) -> _Hours:
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
