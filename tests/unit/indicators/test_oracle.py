"""The SQL agrees with the same definitions written in plain Python."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmbridge.indicators import compute
from crmbridge.model.figures import Row, Scorecard
from crmbridge.model.findings import Evaluation, Place, SlaState, Visit
from crmbridge.model.records import Status
from crmbridge.ports import StateStore
from crmbridge.store import open_store
from crmbridge.testing.factories import NOON, STAGES, make_clock, make_evaluation, make_process, make_ref

PLACES = [*(Place(stage, Status.OPEN) for stage in STAGES[:3]), Place("care", Status.WON)]
PLACES += [Place(None, Status.LOST), Place(None, Status.OPEN)]


class State(NamedTuple):
    """A state that is filled anew for each example."""

    url: str
    store: StateStore


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """Open one state for all examples: making one takes longer than filling it."""
    folder: Path = tmp_path_factory.mktemp("oracle")
    url = f"sqlite:///{folder / 'state.db'}"
    store = open_store(url)
    yield State(url, store)
    store.close()


@st.composite
def evaluations(draw: st.DrawFn) -> list[Evaluation]:
    """Let up to eight deals wander through the places, with an SLA on each visit of qualification."""
    return [draw(_evaluation(number)) for number in range(draw(st.integers(0, 8)))]


@st.composite
def _evaluation(draw: st.DrawFn, number: int) -> Evaluation:
    places = draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=7))
    walk = [place for index, place in enumerate(places) if index == 0 or place != places[index - 1]]
    hours = draw(st.lists(st.integers(0, 500), min_size=len(walk), max_size=len(walk)))
    visits, counted, at = [], Counter[str](), NOON - timedelta(hours=sum(hours))
    for index, (place, stays) in enumerate(zip(walk, hours, strict=True)):
        following = walk[index + 1] if index + 1 < len(walk) else None
        if place.stage:
            counted[place.stage] += 1
            left = at + timedelta(hours=stays) if following else None
            visits.append(
                Visit(
                    deal=make_ref(number),
                    stage=place.stage,
                    number=counted[place.stage],
                    entered_at=at,
                    left_at=left,
                    to=following,
                )
            )
        at += timedelta(hours=stays)
    clocks = tuple(
        make_clock(visit=visit, state=draw(st.sampled_from(SlaState)))
        for visit in visits
        if visit.stage == "qualification"
    )
    return make_evaluation(deal=make_ref(number), place=walk[-1], visits=tuple(visits), clocks=clocks)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=evaluations())
def test_figures_agree_with_plain_python(state: State, found: list[Evaluation]) -> None:
    """Conversion, win rate, times and attainment are what the definitions say, for any histories."""
    state.store.findings.forget([make_ref(number) for number in range(8)], NOON)
    state.store.findings.save(found, NOON)

    card = compute(state.url, make_process(), NOON)

    assert _conversion(found) == {
        each.stage: values(each, "entered", "forward", "lost", "back", "elsewhere", "open")
        for each in rows(card, "stage_conversion")
    }
    closed = [each.place.status for each in found if each.place.status is not Status.OPEN]
    (won,) = rows(card, "win_rate")
    assert (closed.count(Status.WON), closed.count(Status.LOST)) == values(won, "won", "lost")
    _assert_times(card, found)
    _assert_attainment(card, found)


def rows(card: Scorecard, measure: str) -> tuple[Row, ...]:
    """Give the rows of a measure."""
    return next(each for each in card.measures if each.id == measure).rows


def values(row: Row, *columns: str) -> tuple[float | None, ...]:
    """Give the values in some columns of a row."""
    return tuple(row.figures[column].value for column in columns)


def _conversion(found: list[Evaluation]) -> dict[str, tuple[int, ...]]:
    ways: dict[str, Counter[str]] = defaultdict(Counter)
    for each in found:
        last = {visit.stage: visit for visit in each.visits}
        for stage, visit in last.items():
            ways[stage][_way(visit)] += 1
    ways.pop("care", None)
    order = ("forward", "lost", "back", "elsewhere", "open")
    return {stage: (ways[stage].total(), *(ways[stage][way] for way in order)) for stage in STAGES if stage in ways}


def _way(visit: Visit) -> str:
    if visit.to is None:
        return "open"
    if visit.to.status is not Status.OPEN:
        return "forward" if visit.to.status is Status.WON else "lost"
    if visit.to.stage is None:
        return "elsewhere"
    return "forward" if STAGES.index(visit.to.stage) > STAGES.index(visit.stage) else "back"


def _assert_times(card: Scorecard, found: list[Evaluation]) -> None:
    visits = [visit for each in found for visit in each.visits]
    assert {visit.stage for visit in visits} == {each.stage for each in rows(card, "time_in_stage")}
    for each in rows(card, "time_in_stage"):
        here = [visit for visit in visits if visit.stage == each.stage]
        days = sorted((v.left_at - v.entered_at) / timedelta(days=1) for v in here if v.left_at)
        ages = [(NOON - v.entered_at) / timedelta(days=1) for v in here if not v.left_at]
        assert (len(days), len(ages)) == (each.figures["median"].n, each.figures["open"].value)
        assert (median(days) if days else None) == pytest.approx(each.figures["median"].value)
        assert (_quantile(days, 0.9) if days else None) == pytest.approx(each.figures["p90"].value)
        assert (median(ages) if ages else None) == pytest.approx(each.figures["open_median_age"].value)


def _quantile(ordered: list[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _assert_attainment(card: Scorecard, found: list[Evaluation]) -> None:
    clocks = [clock for each in found for clock in each.clocks]
    stopped = [clock for clock in clocks if not clock.running]
    running = Counter(clock.state for clock in clocks if clock.running)
    kept = sum(clock.state is not SlaState.BREACHED for clock in stopped)
    expected = (kept, len(stopped), running.total(), running[SlaState.AT_RISK], running[SlaState.BREACHED])
    columns = ("running", "at_risk", "breached")
    assert ([expected] if clocks else []) == [
        (each.figures["attainment"].numerator, each.figures["attainment"].n, *values(each, *columns))
        for each in rows(card, "sla_attainment")
    ]
