"""Counts, transitions, conforming share and durations are those of pm4py, for the same histories.

pm4py is under the AGPL, so only tests and benchmarks use it.
"""

from __future__ import annotations

import csv
import io
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from crmbridge.indicators import Options, compute
from crmbridge.indicators.database import Moment, views
from crmbridge.model.findings import Evaluation, Place, Visit
from crmbridge.model.process import Process
from crmbridge.model.records import Status
from crmbridge.testing.factories import NOON, STAGES, make_evaluation, make_process, make_ref, make_stage

SaveState = Callable[..., str]
DAY = timedelta(days=1)

# Written as public event logs are: one line per event. A lost deal comes back, one goes back a stage, one skips one.
PUBLISHED = """case,activity,timestamp
1,qualification,2026-01-05T09:10:00+00:00
1,proposal,2026-01-09T10:00:00+00:00
1,closing,2026-01-20T16:30:00+00:00
1,care,2026-01-27T11:00:00+00:00
2,qualification,2026-01-05T11:00:00+00:00
2,lost,2026-01-08T11:00:00+00:00
3,qualification,2026-01-06T08:00:00+00:00
3,closing,2026-01-16T08:00:00+00:00
3,care,2026-01-16T20:00:00+00:00
4,qualification,2026-01-07T08:00:00+00:00
4,proposal,2026-01-12T08:00:00+00:00
4,qualification,2026-01-13T08:00:00+00:00
4,proposal,2026-01-19T08:00:00+00:00
4,lost,2026-02-02T08:30:00+00:00
5,qualification,2026-01-07T09:00:00+00:00
5,lost,2026-01-09T09:00:00+00:00
5,qualification,2026-03-02T09:00:00+00:00
5,proposal,2026-03-12T09:00:00+00:00
6,qualification,2026-01-08T09:00:00+00:00
6,proposal,2026-01-08T09:00:30+00:00
"""

# The log that textbooks of process mining begin with: six requests for compensation, from W. van der Aalst,
# "Process Mining" (2011), table 1.1. a register, b examine thoroughly, c examine casually, d check ticket, e decide,
# f reinitiate, g pay (won), h reject (lost); minutes since 2010-12-30 11:02.
TEXTBOOK = {
    1: "a 0, b 1384, d 8890, e 10096, h 11722",
    2: "a 30, d 70, c 194, e 8660, g 13023",
    3: "a 210, c 244, d 332, e 9976, f 10156, b 10204, d 13001, e 14333, g 23023",
    4: "a 10320, d 11584, b 13181, e 14460, h 19002",
    5: "a 9960, c 11474, d 12980, e 15986, f 17596, d 21811, c 24768, e 28816, f 30346, c 31564, d 31712, e 34690, "
    "h 36234",
    6: "a 10320, c 10384, d 11840, e 11870, g 24525",
}
REQUESTS = ("a", "b", "c", "d", "e", "f", "g")


class Event(NamedTuple):
    """A deal coming to a place: a stage of the process, or lost."""

    case: int
    activity: str
    at: datetime


class Log(NamedTuple):
    """Events, and the stages of the process that they are of; deals in the last one are won."""

    events: Sequence[Event]
    stages: Sequence[str]

    @property
    def process(self) -> Process:
        """Give a process with these stages."""
        *open_, won = self.stages
        return make_process(stages=[*(make_stage(each) for each in open_), make_stage(won, status="won")])


@pytest.fixture(scope="module")
def pm4py() -> Iterator[Any]:
    """Give the library, whose imports warn of what others deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pm4py  # noqa: PLC0415  it takes seconds, and only these tests need it

        yield pm4py


def published() -> Log:
    """Read the log that is written as public ones are."""
    lines = csv.DictReader(io.StringIO(PUBLISHED))
    events = [Event(int(line["case"]), line["activity"], datetime.fromisoformat(line["timestamp"])) for line in lines]
    return Log(events, STAGES)


def textbook() -> Log:
    """Read the log of the textbook."""
    start = datetime(2010, 12, 30, 11, 2, tzinfo=UTC)
    steps = ((case, step.split()) for case, path in TEXTBOOK.items() for step in path.split(", "))
    events = [
        Event(case, {"h": "lost"}.get(activity, activity), start + timedelta(minutes=int(minutes)))
        for case, (activity, minutes) in steps
    ]
    return Log(events, REQUESTS)


def generated() -> Log:
    """Let 200 deals wander; the first stage comes first, as it does to most."""
    chance = random.Random(20260610)
    events = []
    for case in range(200):
        at, place = NOON - timedelta(hours=chance.randrange(2_000, 9_000)), STAGES[0]
        for _ in range(chance.randrange(1, 8)):
            events.append(Event(case, place, at))
            at += timedelta(minutes=chance.randrange(1, 20_000))
            nearby = [*STAGES, "lost", *STAGES[STAGES.index(place) + 1 :][:1] * 5] if place in STAGES else [*STAGES]
            place = chance.choice([each for each in nearby if each != place])
    return Log(events, STAGES)


def evaluations(log: Log) -> list[Evaluation]:
    """Make the visits of these events."""
    cases: dict[int, list[Event]] = {}
    for event in log.events:
        cases.setdefault(event.case, []).append(event)
    return [_evaluation(case, path, log.stages[-1]) for case, path in cases.items()]


def _place(activity: str, won: str) -> Place:
    if activity == "lost":
        return Place(None, Status.LOST)
    return Place(activity, Status.WON if activity == won else Status.OPEN)


def _evaluation(case: int, path: list[Event], won: str) -> Evaluation:
    visits, numbers = [], Counter[str]()
    for event, after in zip(path, [*path[1:], None], strict=True):
        if event.activity == "lost":
            continue
        numbers[event.activity] += 1
        visits.append(
            Visit(
                deal=make_ref(case),
                stage=event.activity,
                number=numbers[event.activity],
                entered_at=event.at,
                left_at=after.at if after else None,
                to=_place(after.activity, won) if after else None,
            )
        )
    return make_evaluation(deal=make_ref(case), place=_place(path[-1].activity, won), visits=tuple(visits))


def frame(pm4py: Any, events: Iterable[Event]) -> Any:
    """Make the log that pm4py reads."""
    import pandas as pd  # noqa: PLC0415  as above

    log = pd.DataFrame(list(events), columns=["case", "activity", "at"])
    return pm4py.format_dataframe(log, case_id="case", activity_key="activity", timestamp_key="at")


def asked(url: str, log: Log, sql: str) -> list[tuple[Any, ...]]:
    """Ask the views of a state."""
    with views(url, log.process, Moment(NOON, Options())) as database:
        return database.execute(sql).fetchall()


logs = pytest.mark.parametrize("read", [published, textbook, generated])


@logs
def test_stages_are_visited_as_often(pm4py: Any, save_state: SaveState, read: Callable[[], Log]) -> None:
    """A stage has as many visits as pm4py counts events of it."""
    log = read()
    events = log.events
    expected = dict(pm4py.get_event_attribute_values(frame(pm4py, events), "activity"))
    expected.pop("lost", None)

    found = asked(save_state(*evaluations(log)), log, "SELECT stage, count(*) FROM visits GROUP BY stage")

    assert expected == dict(found)


@logs
def test_transitions_are_the_directly_follows_graph(pm4py: Any, save_state: SaveState, read: Callable[[], Log]) -> None:
    """The ways out of stages, and how long they took on average, are pm4py's graph with its performance."""
    log = read()
    events = log.events
    counts, _, _ = pm4py.discover_dfg(frame(pm4py, events))
    times, _, _ = pm4py.discover_performance_dfg(frame(pm4py, events))

    found = asked(
        save_state(*evaluations(log)),
        log,
        "SELECT stage, coalesce(to_stage, to_status), count(*), avg(days) FROM visits WHERE left_at IS NOT NULL "
        "GROUP BY ALL",
    )

    expected = {way: count for way, count in counts.items() if way[0] != "lost"}  # the time lost is no visit
    assert expected == {(stage, to): count for stage, to, count, _ in found}
    for stage, to, _, days in found:
        assert times[stage, to]["mean"] / 86_400 == pytest.approx(days)


@logs
def test_cycle_times_are_the_durations_of_cases(pm4py: Any, save_state: SaveState, read: Callable[[], Log]) -> None:
    """From its first stage until it was closed, a deal takes as long as pm4py's case does."""
    log = read()
    events = log.events
    last = {event.case: event.activity for event in events}
    closed = [event for event in events if last[event.case] in {"lost", log.stages[-1]}]
    expected = sorted(seconds / 86_400 for seconds in pm4py.get_all_case_durations(frame(pm4py, closed)))

    url = save_state(*evaluations(log))
    found = asked(url, log, "SELECT days_between(first_at, closed_at) FROM deals WHERE status <> 'open' ORDER BY ALL")

    assert expected == [pytest.approx(days) for (days,) in found]


@logs
def test_conforming_deals_are_the_cases_that_fit(pm4py: Any, save_state: SaveState, read: Callable[[], Log]) -> None:
    """The deals along the process are the cases that fit a model of it, by pm4py's alignments."""
    log = read()
    events = log.events
    paths = [tuple(log.stages[:length]) for length in range(1, len(log.stages) + 1)]
    ends = [", ".join(map(repr, path)) for path in [*paths, *((*path, "lost") for path in paths)]]
    tree = pm4py.parse_process_tree("X( " + ", ".join(f"->( {end} )" for end in ends) + " )")
    fits = [
        aligned["fitness"] == 1.0
        for aligned in pm4py.conformance_diagnostics_alignments(frame(pm4py, events), tree, multi_processing=False)
    ]

    card = compute(save_state(*evaluations(log)), log.process, NOON)

    measured = card.measure("conforming")
    assert measured is not None
    assert (sum(fits), len(fits)) == (
        measured.rows[0].figures["conforming"].numerator,
        measured.rows[0].figures["conforming"].n,
    )
