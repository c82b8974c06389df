"""What is cut by groups and periods, and what was so when earlier periods ended, agree with plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmbridge.indicators import Options, Period, compute
from crmbridge.model.figures import IndicatorFigure, Scorecard
from crmbridge.model.findings import Evaluation, Place, Visit
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.ports import Page, StateStore
from crmbridge.store import open_store
from crmbridge.testing.factories import NOON, STAGES, make_deal, make_evaluation, make_process, make_ref

PLACES = [*(Place(stage, Status.OPEN) for stage in STAGES[:3]), Place("care", Status.WON), Place(None, Status.LOST)]
SELLING, DEALS, DAY = STAGES[:3], 8, timedelta(days=1)
WORTH = {number: None if number == 0 else 100 * number for number in range(DEALS)}  # one has no amount
SOURCES = {number: ("web", "fair", None)[number % 3] for number in range(DEALS)}
MONTHS = [f"{2025 + month // 12}-{month % 12 + 1:02}" for month in range(5, 17)]  # the twelve before June 2026
WATCHED = [
    {"id": "pipe", "name": "x", "measure": "pipeline_coverage"},
    {"id": "pipe_proposal", "name": "x", "measure": "pipeline_coverage", "stage": "proposal"},
    {"id": "age", "name": "x", "measure": "aging"},
    {"id": "age_proposal", "name": "x", "measure": "aging", "stage": "proposal"},
    {"id": "speed", "name": "x", "measure": "sales_velocity"},
    {"id": "cohort", "name": "x", "measure": "cohort_conversion", "stage": "qualification"},
]
COMING = [
    {"id": "coming", "name": "x", "measure": "forecast"},
    {"id": "coming_proposal", "name": "x", "measure": "forecast", "stage": "proposal"},
]


class State(NamedTuple):
    """A state that is filled anew for each example."""

    url: str
    store: StateStore
    process: Process


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """Open one state for all examples, with the deals that the examples have histories of."""
    url = f"sqlite:///{tmp_path_factory.mktemp('cut') / 'state.db'}"
    store = open_store(url)
    store.records.save_page("north", Kind.DEAL, Page(records=tuple(map(_record, range(DEALS))), cursor="1"), NOON)
    yield State(url, store, make_process(indicators=WATCHED))
    store.close()


def _record(number: int) -> Any:
    worth, source = WORTH[number], SOURCES[number]
    return make_deal(
        number, fields={"source": source, "amount": None if worth is None else Money(Decimal(worth), "EUR")}
    )


@st.composite
def evaluations(draw: st.DrawFn) -> list[Evaluation]:
    """Let deals wander through the places, each for up to three weeks."""
    return [_evaluation(draw, number) for number in range(draw(st.integers(1, DEALS)))]


def _evaluation(draw: st.DrawFn, number: int) -> Evaluation:
    places = draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=6))
    walk = [place for index, place in enumerate(places) if index == 0 or place != places[index - 1]]
    hours = draw(st.lists(st.integers(1, 500), min_size=len(walk), max_size=len(walk)))
    visits, at = [], NOON - timedelta(hours=sum(hours))
    for index, (place, stays) in enumerate(zip(walk, hours, strict=True)):
        following = walk[index + 1] if index + 1 < len(walk) else None
        left = at + timedelta(hours=stays)
        if place.stage:
            before = sum(visit.stage == place.stage for visit in visits)
            visit = Visit(
                deal=make_ref(number),
                stage=place.stage,
                number=before + 1,
                entered_at=at,
                left_at=left if following else None,
                to=following,
            )
            visits.append(visit)
        at = left
    return make_evaluation(deal=make_ref(number), place=walk[-1], visits=tuple(visits))


def saved(state: State, found: list[Evaluation], **options: Any) -> Scorecard:
    """Save histories in place of the last ones, and compute."""
    state.store.findings.forget([make_ref(number) for number in range(DEALS)], NOON)
    state.store.findings.save(found, NOON)
    return compute(state.url, state.process, NOON, Options(**options))


def _deal(each: Evaluation) -> int:
    return int(each.deal.id)


# ── Groups and periods ──────────────────────────────────────────────────────────────────────────────────

Spell = tuple[timedelta, str | None]  # how long, and how it ended: None while it lasts
Told = dict[tuple[str, str | None, str], list[Spell]]  # by stage or end, source, and quarter


def _quarter(moment: datetime) -> str:
    return f"{moment.year}-Q{(moment.month - 1) // 3 + 1}"


def _stays(found: list[Evaluation]) -> Told:
    told: Told = defaultdict(list)
    for each in found:
        for visit in each.visits:
            if visit.stage in SELLING:
                spell = ((visit.left_at or NOON) - visit.entered_at, "left" if visit.left_at else None)
                told[visit.stage, SOURCES[_deal(each)], _quarter(visit.entered_at)].append(spell)
    return told


def _over_by(spells: Sequence[Spell], share: Fraction) -> float | None:
    """Give the days by which so many are over, by the product limit, exactly."""
    left = Fraction(1)
    for length in sorted({length for length, end in spells if end}):
        at_risk = sum(other >= length for other, _ in spells)
        left *= 1 - Fraction(sum(bool(end) and other == length for other, end in spells), at_risk)
        if left <= 1 - share:
            return length / DAY
    return None


def _ended_by(spells: Sequence[Spell], meant: str, days: int) -> Fraction | None:
    """Give the share that ended as meant by then, the other end competing; None where nobody was followed so long."""
    staying, reached = Fraction(1), Fraction(0)
    for length in sorted({length for length, end in spells if end and length <= days * DAY}):
        at_risk = sum(other >= length for other, _ in spells)
        reached += staying * Fraction(sum(other == length and end == meant for other, end in spells), at_risk)
        staying *= 1 - Fraction(sum(other == length and bool(end) for other, end in spells), at_risk)
    all_ended = _over_by(spells, Fraction(1)) is not None
    return reached if all_ended or max(length for length, _ in spells) >= days * DAY else None


def _lives(found: list[Evaluation]) -> Told:
    told: Told = defaultdict(list)
    for each in found:
        closed, began = _closed_at(each), _began(each)
        if began and (each.place.status is Status.OPEN or closed):
            end = None if closed is None else each.place.status.value
            for meant in ("won", "lost"):
                told[meant, SOURCES[_deal(each)], _quarter(began)].append(((closed or NOON) - began, end))
    return told


def _began(each: Evaluation) -> datetime | None:
    """Say when a deal first came into a stage where it is sold."""
    return next((visit.entered_at for visit in each.visits if visit.stage in SELLING), None)


def _closed_at(each: Evaluation) -> datetime | None:
    """Say when a deal was last closed as it is now; None when it is open or its visits do not say."""
    if each.place.status is Status.OPEN or not _began(each):
        return None
    last = each.visits[-1]
    if last.stage == "care" and not last.left_at:
        return last.entered_at
    return last.left_at if last.to and last.to.status is each.place.status else None


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=evaluations())
def test_survival_follows_groups_and_periods(state: State, found: list[Evaluation]) -> None:
    """Each row counts the visits, or the deals, of its stage or end, its group, and the period in which they began."""
    card = saved(state, found, segment="source", period=Period.QUARTER, measures=("stage_survival", "time_to_close"))

    stays, ends = card.measures
    expected = {
        key: (len(spells), _over_by(spells, Fraction(1, 2)), _over_by(spells, Fraction(9, 10)))
        for key, spells in _stays(found).items()
    }
    assert expected == {
        (row.stage, row.segment, row.period): tuple(
            each if each is None else pytest.approx(each)
            for each in (row.figures[name].value for name in ("visits", "median", "p90"))
        )
        for row in stays.rows
    }
    lives = _lives(found)
    assert len(lives) == len(ends.rows)
    names = {"Won": "won", "Lost": "lost"}
    for row in ends.rows:
        spells = lives[names[row.label.split(" · ")[0]], row.segment, str(row.period)]
        by = [_ended_by(spells, names[row.label.split(" · ")[0]], days) for days in (30, 90)]
        assert [each if each is None else pytest.approx(float(each)) for each in by] == [
            row.figures[name].value for name in ("by_30", "by_90")
        ]


# ── Trends ──────────────────────────────────────────────────────────────────────────────────────────────


def _end_of(month: str) -> datetime:
    year, number = map(int, month.split("-"))
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _stood(found: list[Evaluation], month: str, stages: Sequence[str]) -> list[tuple[int, Visit]]:
    """Give the visits that lasted when a month ended."""
    until = _end_of(month)
    return [
        (_deal(each), visit)
        for each in found
        for visit in each.visits
        if visit.stage in stages and visit.entered_at < until and (visit.left_at is None or visit.left_at >= until)
    ]


def _pipeline(card: Scorecard, found: list[Evaluation], stages: Sequence[str], month: str) -> float | None:
    worth = [WORTH[deal] for deal, _ in _stood(found, month, stages)]
    return sum(amount for amount in worth if amount) if any(worth) else None


def _old(card: Scorecard, found: list[Evaluation], stages: Sequence[str], month: str) -> float | None:
    times = card.measure("time_in_stage")
    assert times is not None
    most = {row.stage: row.figures["p90"].value for row in times.rows}
    ages = [(visit.stage, (_end_of(month) - visit.entered_at) / DAY) for _, visit in _stood(found, month, stages)]
    old = [age > limit for stage, age in ages if (limit := most[stage]) is not None]
    return sum(old) / len(old) if old else None


def _closings(found: list[Evaluation], month: str) -> Iterator[tuple[int, bool, float]]:
    """Give the deals that were closed in a month and stayed so until it ended: whether won, after how many days.

    What was before they came to be sold closed none of them.
    """
    for each in found:
        began = _began(each)
        ends = [(v.left_at, Status.LOST) for v in each.visits if v.left_at and v.to and v.to.status is Status.LOST]
        ends += [(visit.entered_at, Status.WON) for visit in each.visits if visit.stage == "care"]
        within = [(at, status) for at, status in ends if f"{at:%Y-%m}" == month and began and at >= began]
        if within and began:
            at, status = max(within)
            came_back = [v for v in each.visits if v.stage in SELLING and at <= v.entered_at < _end_of(month)]
            if not came_back:
                yield _deal(each), status is Status.WON, (at - began) / DAY


def _speed(card: Scorecard, found: list[Evaluation], stages: Sequence[str], month: str) -> float | None:
    closed = list(_closings(found, month))
    amounts = [worth for deal, won, _ in closed if won and (worth := WORTH[deal])]
    days = [lasted for _, won, lasted in closed if won]
    if not amounts or not sum(days):
        return None
    open_deals = len({deal for deal, _ in _stood(found, month, SELLING)})
    rate, worth = sum(won for _, won, _ in closed) / len(closed), sum(amounts) / len(amounts)
    return open_deals * rate * worth / (sum(days) / len(days))


def _further(card: Scorecard, found: list[Evaluation], stages: Sequence[str], month: str) -> float | None:
    began = [each for each in found if (at := _began(each)) and f"{at:%Y-%m}" == month]
    highest = [
        len(STAGES) if each.place.status is Status.WON else max(STAGES.index(v.stage) for v in each.visits)
        for each in began
    ]
    return sum(top > 0 for top in highest) / len(highest) if highest else None


Oracle = Callable[[Scorecard, list[Evaluation], Sequence[str], str], float | None]
ORACLES: dict[str, tuple[Oracle, Sequence[str]]] = {
    "pipe": (_pipeline, SELLING),
    "pipe_proposal": (_pipeline, ("proposal",)),
    "age": (_old, SELLING),
    "age_proposal": (_old, ("proposal",)),
    "speed": (_speed, SELLING),
    "cohort": (_further, SELLING),
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=evaluations())
def test_trends_are_what_was_so_when_periods_ended(state: State, found: list[Evaluation]) -> None:
    """Pipeline, velocity, aging and cohorts of each earlier month are what their definitions say, from history."""
    card = saved(state, found)

    for indicator in card.indicators:
        oracle, stages = ORACLES[indicator.id]
        expected = [oracle(card, found, stages, month) for month in MONTHS]
        assert [each if each is None else pytest.approx(each) for each in expected] == _values(indicator)


def _values(indicator: IndicatorFigure) -> list[float | None]:
    """Give a trend's values over all twelve months; it starts with the first in which something was counted."""
    known = {point.period: point.figure.value for point in indicator.trend}
    return [known.get(month) for month in MONTHS]


def _known(found: list[Evaluation], until: datetime) -> list[Evaluation]:
    """Give histories as they were known at a time: what came later had not happened yet."""
    known = []
    for each in found:
        begun = [visit for visit in each.visits if visit.entered_at < until]
        visits = tuple(
            visit if visit.left_at and visit.left_at < until else replace(visit, left_at=None, to=None)
            for visit in begun
        )
        if visits:
            last = visits[-1]
            place = last.to or Place(last.stage, Status.WON if last.stage == "care" else Status.OPEN)
            known.append(replace(each, visits=visits, place=place))
    return known


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=evaluations(), month=st.sampled_from(MONTHS[4:]), horizon=st.sampled_from([5, 30, 90]))
def test_forecasts_of_earlier_months_are_those_that_were_made_then(
    state: State, found: list[Evaluation], month: str, horizon: int
) -> None:
    """A point of the trend is the forecast that a report at the month's end gave, where its history was long enough."""
    process = make_process(indicators=COMING)
    before = saved(state._replace(process=process), found, horizon=horizon)

    saved(state, _known(found, _end_of(month)))
    then = compute(state.url, process, _end_of(month), Options(horizon=horizon))
    measured = then.measure("forecast")
    is_short = measured is None or any("chances are too low" in each for each in measured.cautions)
    for trend, made in zip(before.indicators, then.indicators, strict=True):
        found_then = dict(zip(MONTHS, _values(trend), strict=True))[month]
        expected = None if is_short or made.figure.value is None else pytest.approx(made.figure.value)
        assert expected == found_then
