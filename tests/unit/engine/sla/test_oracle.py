"""Clocks agree with walking minute by minute, and with another library, on random cases.

A few hundred of them are played in the usual run; CRMBRIDGE_SLA_CASES=100000 says how many, CRMBRIDGE_SLA_FIRST
which seed comes first.
"""

import os
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import workclock

from crmbridge.engine.sla.clocks import measure
from crmbridge.engine.sla.cycles import Cycle
from crmbridge.engine.sla.limits import Limit
from crmbridge.engine.time.calendars import CompiledCalendar, compile_calendar
from crmbridge.model.business_time import Calendar, Duration
from crmbridge.model.findings import Pause, SlaClock, SlaState
from crmbridge.testing.factories import make_visit

CASES = int(os.environ.get("CRMBRIDGE_SLA_CASES", "500"))
FIRST = int(os.environ.get("CRMBRIDGE_SLA_FIRST", "1"))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHARES = (Decimal("0.5"), Decimal("0.8"))

# Zone, and a day around which its clocks do something that is easy to get wrong.
ODD_DAYS = (
    ("UTC", "2026-06-10"),
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/Sao_Paulo", "2018-11-04"),  # midnight becomes 01:00
    ("America/Sao_Paulo", "2018-02-18"),  # midnight becomes 23:00 of the day before
    ("Australia/Lord_Howe", "2026-04-04"),  # half an hour
    ("Australia/Lord_Howe", "2026-10-03"),
    ("Pacific/Chatham", "2026-04-04"),  # at UTC+13:45
    ("Pacific/Chatham", "2026-09-26"),
    ("Pacific/Apia", "2011-12-30"),  # that day never was
    ("Asia/Kathmandu", "2026-01-01"),
)


class Case(NamedTuple):
    """A random calendar, and a cycle near an odd day: everything in whole minutes."""

    calendar: CompiledCalendar
    start: datetime
    end: datetime | None
    now: datetime
    pauses: tuple[Pause, ...]
    goal: int  # minutes


def hours(chance: random.Random) -> list[str]:
    """Draw a day's hours: none, one or two windows that may touch, overlap, begin at 00:00 and end at 24:00."""
    found = []
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        start = chance.randrange(96)
        end = chance.randrange(start + 1, 97)
        found.append(f"{start // 4:02}:{start % 4 * 15:02}-{end // 4:02}:{end % 4 * 15:02}")
    return found


def draw(seed: int) -> Case:
    """Draw a case from its seed."""
    chance = random.Random(seed)
    zone, odd = chance.choice(ODD_DAYS)
    middle = datetime.fromisoformat(odd).replace(tzinfo=UTC)
    near = [(middle + n * DAY).date() for n in range(-2, 3)]
    exceptions = {chance.choice(near).isoformat(): hours(chance)} if chance.random() < 0.3 else {}
    if chance.random() < 0.3:
        exceptions[f"{chance.choice(near):%m-%d}"] = hours(chance)
    written: dict[str, Any] = {
        "timezone": zone,
        "hours": {day: hours(chance) for day in DAYS},
        "exceptions": exceptions,
    }
    if chance.random() < 0.2:
        written["hours_from"] = {chance.choice(near).isoformat(): {day: hours(chance) for day in DAYS}}
    holidays = [chance.choice(near)] if chance.random() < 0.3 else []
    start = middle + chance.randrange(-2000, 1000) * MINUTE
    length = chance.choice((0, 1, chance.randrange(3000)))
    pauses = tuple(pause(chance, start, length) for _ in range(chance.choice((0, 1, 1, 2, 4))))
    now = start + chance.randrange(-200, 3000) * MINUTE
    end = start + length * MINUTE if chance.random() < 0.5 else None
    calendar = compile_calendar(Calendar.model_validate(written), holidays)
    return Case(calendar, start, end, now, pauses, chance.choice((0, 1, 60, chance.randrange(1500))))


def pause(chance: random.Random, start: datetime, length: int) -> Pause:
    """Draw a pause that may reach over the edges of a cycle, last no time or have no end."""
    since = start + chance.randrange(-500, length + 500) * MINUTE
    return since, None if chance.random() < 0.1 else since + chance.choice((0, chance.randrange(1500))) * MINUTE


Windows = list[tuple[int, int]]  # from and until, in minutes since midnight


def windows_of(calendar: CompiledCalendar, day: date) -> Windows:
    """Look into the calendar as a person would."""
    said = calendar.calendar
    week = said.hours
    for since, later in sorted(said.hours_from.items()):
        week = later if date.fromisoformat(since) <= day else week
    windows = week.week()[day.weekday()]
    if day.isoformat() in said.exceptions:
        windows = said.exceptions[day.isoformat()]
    elif windows and day not in said.closed and f"{day:%m-%d}" in said.exceptions:
        windows = said.exceptions[f"{day:%m-%d}"]
    elif day in calendar.closed:
        windows = ()
    return [(minutes(window.start), minutes(window.end) or 24 * 60) for window in windows]


def minutes(at: time) -> int:
    """Count the minutes since midnight."""
    return at.hour * 60 + at.minute


def counting(case: Case) -> Iterator[bool]:
    """Look at the wall clock each minute from the cycle's beginning, and tell whether that minute counts."""
    at, zone, days = case.start, case.calendar.zone, dict[date, Windows]()
    while True:
        wall = at.astimezone(zone)
        day, now = wall.date(), wall.hour * 60 + wall.minute
        if day not in days:
            days[day] = windows_of(case.calendar, day)
        counts = False
        for opens, closes in days[day]:
            counts = counts or opens <= now < closes
        for since, until in case.pauses:
            counts = counts and not (since <= at and (until is None or at < until))
        yield counts
        at += MINUTE


class Walk(NamedTuple):
    """What walking minute by minute found: how long it took, how the clock stands, and when the goal was used up."""

    took: timedelta
    state: SlaState
    due: datetime | None  # where that was within the walk


def walk(case: Case) -> Walk:
    """Walk from the beginning to the end of the case."""
    length = max(((case.end or case.now) - case.start) // MINUTE, 0)
    took, due = 0, case.start if case.goal == 0 else None
    for number, counts in zip(range(length), counting(case), strict=False):
        took += counts
        if due is None and took == case.goal:
            due = case.start + (number + 1) * MINUTE
    warned = case.end is None and case.now >= case.start and took >= case.goal * SHARES[0]
    state = SlaState.BREACHED if took > case.goal else SlaState.AT_RISK if warned else SlaState.ON_TIME
    return Walk(took * MINUTE, state, due)


def measured(case: Case) -> SlaClock:
    """Measure the case."""
    limit = Limit("x.sla", Duration.parse(f"{case.goal}bm"), "office", case.calendar, SHARES, "digest")
    visit = make_visit(entered_at=case.start, left_at=case.end)
    return measure(Cycle(visit, case.start, case.end), limit, case.pauses, case.now)


def test_every_clock_says_what_walking_says_and_turns_when_it_says() -> None:
    """How long it took, how it stands, when it was or will be due, and when that will be otherwise."""
    turned = 0
    for seed in range(FIRST, FIRST + CASES):
        case = draw(seed)
        assert_walked(case, f"CRMBRIDGE_SLA_FIRST={seed}: {case}")
        running = case._replace(end=None)  # of the same calendar, as to work out its years is most of the time
        turned += assert_turning(running, f"CRMBRIDGE_SLA_FIRST={seed}: {running}")

    assert turned > CASES // 4


def assert_walked(case: Case, said: str) -> None:
    """Measure what walking finds."""
    expected, found = walk(case), measured(case)

    assert (expected.took, expected.state) == (found.elapsed, found.state), said
    if expected.due is not None:
        assert expected.due == found.due_at, said
    elif found.due_at is not None:
        assert found.due_at > (case.end or case.now), said


def assert_turning(case: Case, said: str) -> bool:
    """Measure something else when the clock is to turn, and right before that the same; tell whether it will."""
    now = measured(case)
    if now.turns_at is None:
        return False
    before, then = (measured(case._replace(now=at)) for at in (now.turns_at - timedelta(microseconds=1), now.turns_at))

    assert now.turns_at > case.now, said
    assert (now.state, now.warned) == (before.state, before.warned), said
    assert (now.state, now.warned) != (then.state, then.warned), said
    return True


def office(chance: random.Random) -> tuple[CompiledCalendar, workclock.Schedule]:
    """Make the same calendar for both: one window a weekday that no clock change touches, and some holidays."""
    zone = chance.choice([zone for zone, _ in ODD_DAYS if zone != "Pacific/Apia"])
    opens, closes = chance.randrange(5, 13), chance.randrange(13, 23)
    holidays = {date(2018, 1, 1) + chance.randrange(3600) * DAY for _ in range(chance.randrange(9))}
    week = {day: [f"{opens:02}:00-{closes:02}:00"] for day in DAYS[:5]}
    calendar = compile_calendar(Calendar.model_validate({"timezone": zone, "hours": week}), holidays)
    rules = [workclock.WorkDay(time(opens), time(closes)), workclock.Holidays(sorted(holidays))]
    return calendar, workclock.Schedule(rules, time_zone=ZoneInfo(zone))


def test_another_library_says_the_same_of_months_and_pauses() -> None:
    """workclock knows no pauses: it is asked about what lies between them, to the microsecond."""
    for seed in range(FIRST, FIRST + CASES):
        chance = random.Random(seed)
        calendar, other = office(chance)
        start = datetime(2018, 1, 3, tzinfo=UTC) + chance.randrange(10**15) // 4 * timedelta(microseconds=1)
        cuts = sorted(start + chance.randrange(10**13) * timedelta(microseconds=1) for _ in range(5))
        goal = chance.randrange(1, 20_000)
        limit = Limit("x.sla", Duration.parse(f"{goal}bm"), "office", calendar, (), "digest")
        pauses = ((cuts[0], cuts[1]), (cuts[2], cuts[3]))
        visit = make_visit(entered_at=start, left_at=cuts[4])
        found = measure(Cycle(visit, start, cuts[4]), limit, pauses, cuts[4])
        parts = [other.between(a, b) for a, b in ((start, cuts[0]), (cuts[1], cuts[2]), (cuts[3], cuts[4]))]

        assert sum(parts, timedelta(0)) == found.elapsed, f"CRMBRIDGE_SLA_FIRST={seed}"
        assert due_by(other, start, pauses, goal * MINUTE) == found.due_at, f"CRMBRIDGE_SLA_FIRST={seed}"


def due_by(other: workclock.Schedule, start: datetime, pauses: Any, amount: timedelta) -> datetime:
    """Add working time around pauses with the other library."""
    for since, until in pauses:
        spent = other.between(start, since)
        if amount <= spent:
            break
        amount -= spent
        start = until
    return other.add(start, amount)  # type: ignore[no-any-return]  it has no types
