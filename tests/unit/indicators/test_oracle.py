"""The SQL agrees with the same definitions written in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from statistics import median

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.indicators.cards import values
from tests.unit.indicators.conftest import State

from crmbridge.indicators import compute
from crmbridge.model.figures import Row, Scorecard
from crmbridge.model.findings import Evaluation, Place, SlaState, Visit
from crmbridge.model.records import Status
from crmbridge.testing.factories import NOON, STAGES, make_clock, make_evaluation, make_process, make_ref

PLACES = [*(Place(stage, Status.OPEN) for stage in STAGES[:3]), Place("care", Status.WON)]
PLACES += [Place(None, Status.LOST), Place(None, Status.OPEN)]
SELLING = STAGES[:3]
LAST = len(SELLING) - 1
DAY = timedelta(days=1)


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
    """Every measure that is counted from histories is what its definition says, for any histories."""
    state.store.findings.forget([make_ref(number) for number in range(8)], NOON)
    state.store.findings.save(found, NOON)

    card = compute(state.url, make_process(), NOON)

    with_history = [each for each in found if any(visit.stage in SELLING for visit in each.visits)]
    for assert_measure in MEASURES:
        assert_measure(card, found if assert_measure in OF_ALL else with_history)


def rows(card: Scorecard, measure: str) -> tuple[Row, ...]:
    """Give the rows of a measure."""
    return next(each for each in card.measures if each.id == measure).rows


# ── What happened ───────────────────────────────────────────────────────────────────────────────────────


def _order(visit: Visit) -> int:
    return STAGES.index(visit.stage)


def _way(visit: Visit) -> str:
    if visit.to is None:
        return "open"
    if visit.to.status is not Status.OPEN:
        return "forward" if visit.to.status is Status.WON else "lost"
    if visit.to.stage is None:
        return "elsewhere"
    return "forward" if STAGES.index(visit.to.stage) > _order(visit) else "back"


def _is_skip(visit: Visit) -> bool:
    if visit.to is None or _way(visit) != "forward":
        return False
    to = LAST + 1 if visit.to.status is Status.WON else STAGES.index(str(visit.to.stage))
    return to > _order(visit) + 1


def _is_won(each: Evaluation) -> bool:
    return each.place.status is Status.WON


def _closed_at(each: Evaluation) -> datetime | None:
    """Say when a deal was last closed as it is now; None when its visits do not say."""
    if each.place.status is Status.OPEN or not any(visit.stage in SELLING for visit in each.visits):
        return None
    last = each.visits[-1]
    if last.stage == "care" and not last.left_at:
        return last.entered_at
    return last.left_at if last.to and last.to.status is each.place.status else None


def _began(each: Evaluation) -> datetime:
    return next(visit.entered_at for visit in each.visits if visit.stage in SELLING)


def _lasting(spells: Sequence[tuple[timedelta, bool]], until: Fraction) -> float | None:
    """Give the days after which no more than this share still lasts, by the product limit, exactly."""
    left = Fraction(1)
    for length in sorted({length for length, _ in spells}):
        at_risk = sum(other >= length for other, _ in spells)
        ended = sum(over and other == length for other, over in spells)
        left *= 1 - Fraction(ended, at_risk)
        if ended and left <= until:
            return length / DAY
    return None


# ── Each measure ────────────────────────────────────────────────────────────────────────────────────────


def _assert_conversion(card: Scorecard, found: list[Evaluation]) -> None:
    ways: dict[str, Counter[str]] = defaultdict(Counter)
    for each in found:
        for stage, visit in {visit.stage: visit for visit in each.visits}.items():
            ways[stage][_way(visit)] += 1
    order = ("forward", "lost", "back", "elsewhere", "open")
    expected = {
        stage: (ways[stage].total(), *(ways[stage][way] for way in order)) for stage in SELLING if stage in ways
    }
    assert expected == {row.stage: values(row, "entered", *order) for row in rows(card, "stage_conversion")}


def _assert_cohorts(card: Scorecard, found: list[Evaluation]) -> None:
    for row in rows(card, "cohort_conversion"):
        at = STAGES.index(str(row.stage))
        highest = [len(STAGES) if _is_won(each) else max(map(_order, each.visits)) for each in found]
        here = [each for each in found if row.stage in {visit.stage for visit in each.visits}]
        strict = sum(
            _is_won(each) or "care" in {v.stage for v in each.visits}
            if at == LAST
            else STAGES[at + 1] in {v.stage for v in each.visits}
            for each in here
        )
        direct = sum(
            any(v.stage == row.stage and _way(v) == "forward" and not _is_skip(v) for v in each.visits) for each in here
        )
        counted = row.figures
        assert (sum(top > at for top in highest), sum(top >= at for top in highest)) == (
            counted["reached_or_beyond"].numerator,
            counted["reached_or_beyond"].denominator,
        )
        assert (strict, direct, len(here)) == (
            counted["strict"].numerator,
            counted["direct"].numerator,
            counted["entered"].value,
        )


def _assert_win_rate(card: Scorecard, found: list[Evaluation]) -> None:
    closed = [each.place.status for each in found if each.place.status is not Status.OPEN]
    expected = [(closed.count(Status.WON), closed.count(Status.LOST))] if closed else []
    assert expected == [values(row, "won", "lost") for row in rows(card, "win_rate")]


def _assert_cohort_wins(card: Scorecard, found: list[Evaluation]) -> None:
    counts = Counter(each.place.status for each in found)
    expected = [tuple(counts[status] for status in (Status.WON, Status.LOST, Status.OPEN))] if found else []
    assert expected == [values(row, "won", "lost", "open") for row in rows(card, "win_rate_by_cohort")]


def _assert_times(card: Scorecard, found: list[Evaluation]) -> None:
    visits = [visit for each in found for visit in each.visits]
    assert {visit.stage for visit in visits} == {row.stage for row in rows(card, "time_in_stage")}
    for row in rows(card, "time_in_stage"):
        here = [visit for visit in visits if visit.stage == row.stage]
        spells = [((v.left_at or NOON) - v.entered_at, v.left_at is not None) for v in here]
        ages = [(NOON - v.entered_at) / DAY for v in here if not v.left_at]
        assert (len(here) - len(ages), len(ages)) == values(row, "closed", "open")
        assert _lasting(spells, Fraction(1, 2)) == pytest.approx(row.figures["median"].value)
        assert _lasting(spells, Fraction(1, 10)) == pytest.approx(row.figures["p90"].value)
        assert (median(ages) if ages else None) == pytest.approx(row.figures["open_median_age"].value)


def _assert_cycles(card: Scorecard, found: list[Evaluation]) -> None:
    timed = [each for each in found if each.place.status is Status.OPEN or _closed_at(each)]
    spells = [((_closed_at(each) or NOON) - _began(each), _closed_at(each) is not None) for each in timed]
    won = [length / DAY for (length, _), each in zip(spells, timed, strict=True) if _is_won(each)]
    assert bool(timed) == bool(rows(card, "cycle_time"))
    for row in rows(card, "cycle_time"):
        assert _lasting(spells, Fraction(1, 2)) == pytest.approx(row.figures["median"].value)
        assert _lasting(spells, Fraction(1, 10)) == pytest.approx(row.figures["p90"].value)
        assert (median(won) if won else None) == pytest.approx(row.figures["won_median"].value)


def _assert_attainment(card: Scorecard, found: list[Evaluation]) -> None:
    clocks = [clock for each in found for clock in each.clocks]
    stopped = [clock for clock in clocks if not clock.running]
    running = Counter(clock.state for clock in clocks if clock.running)
    kept = sum(clock.state is not SlaState.BREACHED for clock in stopped)
    expected = (kept, len(stopped), running.total(), running[SlaState.AT_RISK], running[SlaState.BREACHED])
    columns = ("running", "at_risk", "breached")
    assert ([expected] if clocks else []) == [
        (row.figures["attainment"].numerator, row.figures["attainment"].n, *values(row, *columns))
        for row in rows(card, "sla_attainment")
    ]


def _assert_detours(card: Scorecard, found: list[Evaluation]) -> None:
    visits = [visit for each in found for visit in each.visits if visit.stage in SELLING]
    for stage in {visit.stage for visit in visits}:
        here = [visit for visit in visits if visit.stage == stage]
        (back,) = (row for row in rows(card, "rework") if row.stage == stage)
        (over,) = (row for row in rows(card, "skips") if row.stage == stage)
        gone = sum(_way(visit) == "back" for visit in here)
        assert (gone, sum(visit.number > 1 for visit in here)) == values(back, "back", "again")
        assert sum(visit.left_at is not None for visit in here) == back.figures["rework"].n
        assert (sum(map(_is_skip, here)), sum(_way(visit) == "forward" for visit in here)) == (
            over.figures["skipped"].numerator,
            over.figures["skipped"].n,
        )


def _assert_conforming(card: Scorecard, found: list[Evaluation]) -> None:
    bad = [
        any(visit.number > 1 or _way(visit) == "back" for visit in each.visits)
        or any(visit.stage in SELLING and _is_skip(visit) for visit in each.visits)
        or any(_way(visit) == "lost" for visit in each.visits[:-1])  # it came back
        for each in found
    ]
    expected = [(len(bad) - sum(bad), len(bad))] if found else []
    assert expected == [
        (row.figures["conforming"].numerator, row.figures["conforming"].n) for row in rows(card, "conforming")
    ]


def _assert_aging(card: Scorecard, found: list[Evaluation]) -> None:
    visits = [visit for each in found for visit in each.visits if visit.stage in SELLING]
    usual = {row.stage: row for row in rows(card, "time_in_stage")}
    ages: dict[str, list[float]] = defaultdict(list)
    for visit in visits:
        if not visit.left_at:
            ages[visit.stage].append((NOON - visit.entered_at) / DAY)
    for row in rows(card, "aging"):
        half, most = values(usual[row.stage], "median", "p90")
        here = ages.pop(str(row.stage))
        old = sum(most is not None and age > most for age in here)
        within = sum(half is not None and age <= half for age in here)
        known = len(here) if half is not None else 0
        assert (len(here), within, max(known - within - old, 0), old) == values(row, "open", "usual", "slow", "old")
        assert (old, 0 if most is None else len(here)) == (
            row.figures["old_share"].numerator,
            row.figures["old_share"].denominator,
        )
    assert not ages


MEASURES: tuple[Callable[[Scorecard, list[Evaluation]], None], ...] = (
    _assert_conversion,
    _assert_cohorts,
    _assert_win_rate,
    _assert_cohort_wins,
    _assert_times,
    _assert_cycles,
    _assert_attainment,
    _assert_detours,
    _assert_conforming,
    _assert_aging,
)
OF_ALL = {_assert_win_rate, _assert_times}  # also of deals that nobody sold here
