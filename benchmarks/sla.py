"""Measure business time: a million visits with pauses, beside workclock, which is written in Rust, in the same run.

- many: visits and pauses as whole microseconds, as they are counted by `crmbridge.engine.time.timeline.spent`
- dated: the same from datetimes, by `spent_dated`. That is what workclock takes, too; it knows no pauses, so it is
  asked about what lies between them, all at once (`between_many`) and one by one (`between`)
- clock: what an evaluation does with each: how long it took, how it stands, when it is due and when that changes

All say how long each visit took, to the microsecond, and whether they say the same. Asserts nothing.

    python benchmarks/sla.py [--visits 1000000] [--beside 100000] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import workclock

from crmbridge.engine.sla.clocks import measure
from crmbridge.engine.sla.cycles import Cycle
from crmbridge.engine.sla.limits import Limit
from crmbridge.engine.time.calendars import CompiledCalendar, compile_calendar
from crmbridge.engine.time.timeline import micros, moment, spent, spent_dated
from crmbridge.model.business_time import Calendar, Duration
from crmbridge.model.findings import Visit
from crmbridge.model.records import Kind, Ref
from crmbridge.model.slas import TimeLimit

YEARS = 5
START = datetime(2021, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000  # microseconds
PAUSES = (0, 1, 1, 2)  # of each visit, drawn evenly
BARS = "bars: 1,000,000 visits with pauses in 2 s; at least 5 x workclock"
Found = dict[str, Any]


class Stay(NamedTuple):
    """A visit in microseconds since 1970, with its pauses in order and apart."""

    start: int
    end: int
    pauses: tuple[tuple[int, int], ...]

    def parts(self) -> Iterator[tuple[int, int]]:
        """Give what lies between the pauses."""
        at = self.start
        for since, until in self.pauses:
            yield at, since
            at = until
        yield at, self.end


def stays(count: int) -> list[Stay]:
    """Draw visits of up to forty days within five years; none lasts longer than its pauses let it."""
    chance = random.Random(1)  # noqa: S311  a measurement, not a secret
    first, found = micros(START), []
    for _ in range(count):
        start = first + chance.randrange((365 * YEARS - 50) * DAY)
        cuts = sorted(start + chance.randrange(40 * DAY) for _ in range(2 * chance.choice(PAUSES) + 1))
        found.append(Stay(start, cuts[-1], tuple(zip(cuts[:-1:2], cuts[1:-1:2], strict=True))))
    return found


def office() -> tuple[CompiledCalendar, workclock.Schedule]:
    """Make the same calendar for both: nine to six in Berlin, with a lunch break and ten holidays a year."""
    holidays = [date(START.year + year, month, 5) for year in range(YEARS + 1) for month in range(2, 12)]
    week = {day: ["09:00-12:00", "13:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    calendar = compile_calendar(Calendar.model_validate({"timezone": "Europe/Berlin", "hours": week}), holidays)
    rules: list[workclock.WorkDay | workclock.Break | workclock.Holidays] = [
        workclock.WorkDay(time(9), time(18)),
        workclock.Break(time(12), time(13)),
        workclock.Holidays(holidays),
    ]
    return calendar, workclock.Schedule(rules, time_zone=ZoneInfo("Europe/Berlin"))


def timed(name: str, count: int, run: Callable[[], Sequence[Any]]) -> tuple[Found, Sequence[Any]]:
    """Run once, and give what that took with what it gave."""
    wall, cpu = perf_counter(), process_time()
    gave = run()
    seconds, cpu_s = perf_counter() - wall, process_time() - cpu
    each = cpu_s / count * 1e6
    return {"name": name, "visits": count, "seconds": seconds, "cpu_s": cpu_s, "micros_each": each}, gave


def many(calendar: CompiledCalendar, visits: Sequence[Stay]) -> tuple[Found, Sequence[int]]:
    """Count all visits on one line, which is made anew."""
    fresh = compile_calendar(calendar.calendar, calendar.closed)
    return timed("ours, many", len(visits), lambda: list(spent(fresh.line(START.year, START.year + YEARS), visits)))


def dated(calendar: CompiledCalendar, visits: Sequence[Stay]) -> tuple[Found, Sequence[int]]:
    """Count visits that come as datetimes."""
    known = [(moment(s), moment(e), [(moment(a), moment(b)) for a, b in pauses]) for s, e, pauses in visits]
    line = calendar.line(START.year, START.year + YEARS)

    return timed("ours, dated", len(visits), lambda: list(spent_dated(line, known)))


def clock(calendar: CompiledCalendar, visits: Sequence[Stay]) -> tuple[Found, Sequence[int]]:
    """Measure each visit as an evaluation does."""
    timing = TimeLimit(goal=Duration.parse("5bd"), calendar="office")
    limit = Limit("stage.sla", timing.goal, "office", calendar, timing.warn_at, timing.digest)
    deal = Ref("north", Kind.DEAL, "1")
    known = [
        (Visit(deal=deal, stage="stage", number=1, entered_at=moment(s), left_at=moment(e)), pauses)
        for s, e, pauses in visits
    ]
    stops = [[(moment(a), moment(b)) for a, b in pauses] for _, pauses in known]
    now = START + timedelta(days=366 * YEARS)
    found, clocks = timed(
        "ours, clock",
        len(visits),
        lambda: [
            measure(Cycle(visit, visit.entered_at, visit.left_at), limit, pauses, now)
            for (visit, _), pauses in zip(known, stops, strict=True)
        ],
    )
    return found, [each.elapsed // timedelta(microseconds=1) for each in clocks]


def beside(other: workclock.Schedule, visits: Sequence[Stay], *, at_once: bool) -> tuple[Found, Sequence[int]]:
    """Ask workclock about the parts of the visits."""
    known = [[(moment(a), moment(b)) for a, b in visit.parts()] for visit in visits]
    flat = [part for parts in known for part in parts]
    starts, ends = [a for a, _ in flat], [b for _, b in flat]
    if at_once:
        found, taken = timed("workclock, many", len(visits), lambda: other.between_many(starts, ends))
    else:
        found, taken = timed("workclock, one by one", len(visits), lambda: list(map(other.between, starts, ends)))
    each = iter(taken)
    return found, [sum((next(each) for _ in parts), timedelta(0)) // timedelta(microseconds=1) for parts in known]


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure business time beside workclock.")
    parser.add_argument("--visits", type=int, default=1_000_000, help="visits of ours (1000000)")
    parser.add_argument("--beside", type=int, default=100_000, help="of them also counted by the others (100000)")
    parser.add_argument("--quick", action="store_true", help="a few visits, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    if asked.quick:
        asked.visits, asked.beside = 2_000, 1_000
    return asked


def main() -> None:
    """Measure, print, and write the file that was asked for."""
    asked = arguments()
    visits = stays(asked.visits)
    some = visits[: asked.beside]
    calendar, other = office()
    whole, took = many(calendar, visits)
    found = [whole]
    for row, gave in (
        dated(calendar, visits),
        clock(calendar, some),
        beside(other, some, at_once=True),
        beside(other, some, at_once=False),
    ):
        found.append({**row, "same": list(gave) == list(took[: len(gave)])})
    print(f"visits of up to 40 days with {sum(PAUSES) / len(PAUSES):g} pauses each on average\n")
    for row in found:
        faster = row["micros_each"] / whole["micros_each"]
        same = "" if row.get("same", True) else "  SAYS OTHERWISE"
        print(
            f"{row['name']:22} {row['visits']:>9,} visits {row['seconds']:7.2f} s {row['cpu_s']:7.2f} CPU s "
            f"{row['micros_each']:7.2f} µs each  {faster:5.1f} x{same}"
        )
    print(f"\n{BARS}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
