"""Business time is counted right across nights, holidays and clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import workclock
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crmbridge.engine.time.calendars import (
    CompiledCalendar,
    add_business_time,
    business_time,
    compile_calendar,
    later,
    length,
    line_of,
)
from crmbridge.engine.time.timeline import micros
from crmbridge.model.business_time import Calendar, Duration, Window
from crmbridge.testing.factories import make_calendar

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Zone, and a day around which its clocks do something that is easy to get wrong.
ODD_DAYS = (
    ("UTC", datetime(2026, 6, 10, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC)),  # 02:00 becomes 03:00
    ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),  # 03:00 becomes 02:00
    ("America/Sao_Paulo", datetime(2018, 11, 4, tzinfo=UTC)),  # midnight becomes 01:00: the day has no 00:30
    ("America/Sao_Paulo", datetime(2018, 2, 18, tzinfo=UTC)),  # midnight becomes 23:00 of the day before
    ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),  # half an hour back
    ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),  # half an hour forward
    ("Pacific/Chatham", datetime(2026, 4, 4, tzinfo=UTC)),  # 03:45 becomes 02:45, at UTC+13:45
    ("Pacific/Chatham", datetime(2026, 9, 26, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),  # that day never was
    ("Asia/Kathmandu", datetime(2026, 1, 1, tzinfo=UTC)),  # a new year at 18:15 UTC
)


def compiled(*holidays: date, **overrides: Any) -> CompiledCalendar:
    """Compile the usual calendar, Monday to Friday 09:00 to 17:00 UTC, with overrides."""
    return compile_calendar(Calendar.model_validate(make_calendar(**overrides)), holidays)


def always(*windows: str) -> dict[str, list[str]]:
    """Give the same hours for every day of the week."""
    return {day: list(windows) for day in DAYS}


def at(text: str) -> datetime:
    """Read a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_open(calendar: CompiledCalendar, moment: datetime) -> bool:
    """Look at the wall clock: the slow truth that everything is measured against."""
    wall = moment.astimezone(calendar.zone)
    now = wall.time().replace(tzinfo=None)
    return any(
        window.start <= now and (now < window.end or window.end == time(0))
        for window in hours_on(calendar, wall.date())
    )


def hours_on(calendar: CompiledCalendar, day: date) -> tuple[Window, ...]:
    """Read a day's hours in the calendar as a person would."""
    said = calendar.calendar
    week = said.hours
    for since, hours in sorted(said.hours_from.items()):
        week = hours if date.fromisoformat(since) <= day else week
    usual = week.week()[day.weekday()]
    if day.isoformat() in said.exceptions:
        return said.exceptions[day.isoformat()]
    if day in said.closed:
        return ()
    if usual and f"{day:%m-%d}" in said.exceptions:
        return said.exceptions[f"{day:%m-%d}"]
    return () if day in calendar.closed else usual


def open_minutes(calendar: CompiledCalendar, start: datetime, minutes: int) -> list[bool]:
    """Look at the wall clock each minute."""
    return [is_open(calendar, start + timedelta(minutes=minute)) for minute in range(minutes)]


@st.composite
def windows(draw: st.DrawFn) -> list[str]:
    """Draw a day's hours; they may touch or overlap, start at 00:00 and end at 24:00."""
    found = []
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, 95))
        end = draw(st.integers(start + 1, 96))
        found.append(f"{start // 4:02}:{start % 4 * 15:02}-{end // 4:02}:{end % 4 * 15:02}")
    return found


@st.composite
def calendars(draw: st.DrawFn) -> tuple[CompiledCalendar, datetime]:
    """Draw a calendar and a moment near something odd in its zone."""
    zone, odd = draw(st.sampled_from(ODD_DAYS))
    hours = {day: draw(windows()) for day in DAYS}
    near = st.integers(-2, 2).map(lambda days: odd.date() + days * DAY)
    exceptions: dict[str, list[str]] = {}
    if draw(st.booleans()):
        exceptions[draw(near).isoformat()] = draw(windows())
        exceptions[f"{draw(near):%m-%d}"] = draw(windows())
    hours_from = {draw(near).isoformat(): {day: draw(windows()) for day in DAYS}} if draw(st.booleans()) else {}
    closed = [day for day in [draw(near)] if day.isoformat() not in exceptions] if draw(st.booleans()) else []
    holidays = [odd.date() + draw(st.integers(-2, 2)) * DAY] if draw(st.booleans()) else []
    start = odd + timedelta(minutes=draw(st.integers(-2000, 1000)))
    more = {"closed": closed, "exceptions": exceptions, "hours_from": hours_from}
    return compiled(*holidays, timezone=zone, hours=hours, **more), start


@settings(max_examples=150)
@given(case=calendars(), minutes=st.integers(0, 3000))
def test_business_time_is_what_the_wall_clock_shows(case: tuple[CompiledCalendar, datetime], minutes: int) -> None:
    """Counting the minutes in which the wall clock shows open hours gives the same."""
    calendar, start = case
    expected = sum(open_minutes(calendar, start, minutes))

    assert timedelta(minutes=expected) == business_time(calendar, start, start + timedelta(minutes=minutes))


@settings(max_examples=150)
@given(case=calendars(), amount=st.integers(1, 1500))
def test_adding_gives_the_first_moment_when_enough_time_has_passed(
    case: tuple[CompiledCalendar, datetime], amount: int
) -> None:
    """Walking minute by minute until enough of them were open ends at the same moment."""
    calendar, start = case
    spent = timedelta(minutes=amount)
    found = add_business_time(calendar, start, spent)
    if not calendar.calendar.ever_opens:
        assert None is found
        return
    assume(found is not None and found - start < 4 * DAY)
    assert found is not None
    walked = open_minutes(calendar, start, int((found - start) / timedelta(minutes=1)))

    assert amount == sum(walked)
    assert walked[-1]
    assert spent == business_time(calendar, start, found)


@settings(max_examples=100)
@given(
    zone=st.sampled_from(sorted({zone for zone, _ in ODD_DAYS} - {"Pacific/Apia"})),
    opens=st.integers(5, 12),
    closes=st.integers(13, 22),
    start=st.datetimes(datetime(2018, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001  drawn without a zone
    span=st.timedeltas(timedelta(0), timedelta(days=500)),
    holidays=st.lists(st.dates(date(2018, 1, 1), date(2028, 1, 1)), max_size=5),
)
def test_another_library_agrees_where_no_window_touches_a_clock_change(
    *, zone: str, opens: int, closes: int, start: datetime, span: timedelta, holidays: list[date]
) -> None:
    """Over months and years, to the microsecond."""
    hours = {day: [f"{opens:02}:00-{closes:02}:00"] for day in DAYS[:5]}
    calendar = compiled(*holidays, timezone=zone, hours=hours)
    other = workclock.Schedule(
        [workclock.WorkDay(time(opens), time(closes)), workclock.Holidays(holidays)], time_zone=ZoneInfo(zone)
    )
    start = start.replace(tzinfo=UTC)
    taken = other.between(start, start + span)

    assert taken == business_time(calendar, start, start + span)
    assert taken == timedelta(0) or other.add(start, taken) == add_business_time(calendar, start, taken)


@given(case=calendars(), cuts=st.lists(st.integers(0, 2_000_000_000), min_size=2, max_size=2))
def test_time_adds_up(case: tuple[CompiledCalendar, datetime], cuts: list[int]) -> None:
    """Wherever a stretch is cut, its parts are as long as the whole."""
    calendar, start = case
    middle, end = (start + timedelta(microseconds=100 * cut) for cut in sorted(cuts))
    parts = business_time(calendar, start, middle) + business_time(calendar, middle, end)

    assert parts == business_time(calendar, start, end)


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("Europe/Berlin", "2026-03-28T23:00", 23),
        ("Europe/Berlin", "2026-10-24T22:00", 25),
        ("America/Sao_Paulo", "2018-11-04T03:00", 23),
        ("America/Sao_Paulo", "2018-02-17T02:00", 25),
        ("Australia/Lord_Howe", "2026-04-04T13:00", 24.5),
        ("Australia/Lord_Howe", "2026-10-03T13:30", 23.5),
        ("Pacific/Chatham", "2026-04-04T10:15", 25),
    ],
)
def test_a_day_around_the_clock_is_as_long_as_it_is(zone: str, start: str, hours: float) -> None:
    """00:00 to 24:00 counts what the day had, next day not included."""
    calendar = compiled(timezone=zone, hours=always("00:00-24:00"))
    length_of_day = timedelta(hours=hours)
    first = at(start).astimezone(calendar.zone)

    assert time(0) == first.time() or time(1) == first.time()
    assert length_of_day == business_time(calendar, at(start), at(start) + length_of_day)
    assert first.date() + DAY == (at(start) + length_of_day).astimezone(calendar.zone).date()


def test_the_day_that_never_was_has_no_business_time() -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    calendar = compiled(timezone="Pacific/Apia", hours=always("09:00-17:00"))
    noon_of_29th, noon_of_31st = at("2011-12-29T22:00"), at("2011-12-30T22:00")

    assert 8 * HOUR == business_time(calendar, noon_of_29th, noon_of_31st)


def test_an_hour_that_is_shown_twice_counts_twice() -> None:
    """02:00 to 03:00 in the night when summer time ends."""
    calendar = compiled(timezone="Europe/Berlin", hours=always("02:00-03:00"))

    assert 2 * HOUR == business_time(calendar, at("2026-10-25T00:00"), at("2026-10-25T12:00"))
    assert timedelta(0) == business_time(calendar, at("2026-03-29T00:00"), at("2026-03-29T12:00"))


def test_nights_weekends_holidays_and_closed_days_do_not_count() -> None:
    """From Friday 16:00 with a holiday on Monday and a closed Tuesday, the second hour ends on Wednesday."""
    calendar = compiled(date(2026, 6, 8), closed=[date(2026, 6, 9)])
    friday = at("2026-06-05T16:00")

    assert at("2026-06-10T10:00") == add_business_time(calendar, friday, 2 * HOUR)
    assert at("2026-06-05T17:00") == add_business_time(calendar, friday, HOUR)
    assert HOUR == business_time(calendar, friday, at("2026-06-10T09:00"))


def test_christmas_eve_ends_at_noon_wherever_it_is_a_working_day() -> None:
    """Of every year: on a Thursday till noon, although it is a holiday; on a Saturday the office stays closed."""
    holidays = (date(2026, 12, 24), date(2026, 12, 25))
    calendar = compiled(*holidays, exceptions={"12-24": ["09:00-12:00"]})

    assert 3 * HOUR == business_time(calendar, at("2026-12-24T00:00"), at("2026-12-27T00:00"))
    assert timedelta(0) == business_time(calendar, at("2022-12-24T00:00"), at("2022-12-25T00:00"))


def test_a_date_of_its_own_goes_before_everything() -> None:
    """It opens a Saturday, and closes a day that is open every year."""
    calendar = compiled(exceptions={"2026-06-13": ["10:00-14:00"], "06-10": ["09:00-12:00"], "2026-06-10": []})

    assert 4 * HOUR == business_time(calendar, at("2026-06-13T00:00"), at("2026-06-15T00:00"))
    assert timedelta(0) == business_time(calendar, at("2026-06-10T00:00"), at("2026-06-11T00:00"))
    assert 3 * HOUR == business_time(calendar, at("2027-06-10T00:00"), at("2027-06-11T00:00"))


def test_a_closed_date_is_closed_also_where_its_day_has_hours_every_year() -> None:
    """Who writes that one date has that one in mind; in the next year the half day is back."""
    calendar = compiled(closed=[date(2026, 12, 24)], exceptions={"12-24": ["09:00-12:00"]})

    assert timedelta(0) == business_time(calendar, at("2026-12-24T00:00"), at("2026-12-25T00:00"))
    assert 3 * HOUR == business_time(calendar, at("2027-12-24T00:00"), at("2027-12-25T00:00"))


def test_hours_can_change_from_a_date_on() -> None:
    """The day before is counted as it was."""
    calendar = compiled(hours_from={"2026-06-10": {"wed": ["10:00-12:00"]}})

    assert 8 * HOUR == business_time(calendar, at("2026-06-09T00:00"), at("2026-06-10T00:00"))
    assert 2 * HOUR == business_time(calendar, at("2026-06-10T00:00"), at("2026-06-16T23:00"))


@pytest.mark.parametrize("day", ["12-32", "2026-02-29", "24.12.", "Christmas"])
def test_a_day_that_never_comes_is_refused(day: str) -> None:
    """Exceptions name a date, or a day of every year; the 29th of February is one."""
    compiled(exceptions={"02-29": []})

    with pytest.raises(ValueError, match="is no day; write it as 2026-12-24"):
        compiled(exceptions={day: []})


def test_a_closed_date_has_no_hours() -> None:
    """Two words on one day would have to be guessed between."""
    with pytest.raises(ValueError, match="is closed, and has hours under exceptions"):
        compiled(closed=[date(2026, 6, 10)], exceptions={"2026-06-10": ["09:00-12:00"]})


def test_a_calendar_that_says_something_else_has_another_digest() -> None:
    """Also when only its public holidays are others."""
    same = [compiled().digest, compiled().digest]
    others = [compiled(date(2026, 6, 10)), compiled(day_hours=7), compiled(exceptions={"12-24": []})]

    assert 1 == len(set(same))
    assert 4 == len({same[0], *(each.digest for each in others)})


def test_half_days_and_breaks_count_what_is_open() -> None:
    """Friday ends at noon, and lunch is no business time."""
    hours = {**always("09:00-12:00", "13:00-17:00"), "fri": ["09:00-12:00"], "sat": [], "sun": []}

    assert 31 * HOUR == business_time(compiled(hours=hours), at("2026-06-08T00:00"), at("2026-06-15T00:00"))


def test_no_time_passes_backwards() -> None:
    """A start after the end, as with moves in the future, gives none."""
    assert timedelta(0) == business_time(compiled(), at("2026-06-10T12:00"), at("2026-06-09T12:00"))
    assert at("2026-06-10T03:00") == add_business_time(compiled(), at("2026-06-10T03:00"), timedelta(0))


def test_a_calendar_that_never_opens_has_no_end() -> None:
    """Neither one without hours nor one that is closed on each day it would open."""
    every_monday = [date(2026, 6, 8) + week * 7 * DAY for week in range(53 * 8)]

    assert None is add_business_time(compiled(hours={}), at("2026-06-10T12:00"), HOUR)
    assert None is add_business_time(
        compiled(*every_monday, hours={"mon": ["09:00-10:00"]}), at("2026-06-10T12:00"), HOUR
    )


def test_absurd_times_from_a_crm_cost_nothing_and_break_nothing() -> None:
    """The years 1 and 9999 are there, and closed."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

    assert HOUR < business_time(compiled(), first, last)
    assert at("1900-01-01T10:00") == add_business_time(compiled(), first, HOUR)
    assert None is add_business_time(compiled(), last, HOUR)
    assert None is later(Duration.parse("999999d"), None, at("2026-06-10T12:00"), 999999 * DAY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5bd", 37.5 * HOUR),
        ("4bh", 4 * HOUR),
        ("30bm", HOUR / 2),
        ("2d", 2 * DAY),
        ("36h", 36 * HOUR),
        ("0.5h", HOUR / 2),
        ("15m", HOUR / 4),
        ("0.333bh", timedelta(seconds=1198, milliseconds=800)),
    ],
)
def test_a_duration_has_a_length(text: str, expected: timedelta) -> None:
    """A business day is as long as the calendar says, plain units as long as the clock says."""
    assert expected == length(Duration.parse(text), compiled(day_hours="7.5"))


def test_plain_units_run_day_and_night() -> None:
    """Business units stand still outside of the opening hours."""
    friday, monday = at("2026-06-05T16:00"), at("2026-06-08T10:00")

    assert 66 * HOUR == between(Duration.parse("1d"), None, friday, monday)
    assert 2 * HOUR == between(Duration.parse("1bd"), compiled(), friday, monday)
    assert friday + 12 * HOUR == later(Duration.parse("1d"), None, friday, 12 * HOUR)
    assert at("2026-06-08T12:00") == later(Duration.parse("1bd"), compiled(), friday, 4 * HOUR)


def between(duration: Duration, calendar: CompiledCalendar | None, start: datetime, end: datetime) -> timedelta:
    """Count the time of a duration's kind on its line."""
    line = line_of(duration, calendar, start, end)
    return timedelta(microseconds=line.before(micros(end)) - line.before(micros(start)))


def test_business_time_without_a_calendar_is_an_error() -> None:
    """It can't be guessed."""
    with pytest.raises(ValueError, match="1bd is business time and needs a calendar"):
        length(Duration.parse("1bd"), None)
