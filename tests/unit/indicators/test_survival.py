"""Survival curves, held against lifelines and against sums of fractions."""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Sequence
from fractions import Fraction

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from crmbridge.indicators import survival
from crmbridge.indicators.survival import Survival, incidence_interval, survivals

Spell = tuple[float, int]  # days, and how it ended


def measured(spells: Sequence[Spell]) -> Survival:
    """Compute the curves of spells of one part."""
    with duckdb.connect() as database:
        database.execute("CREATE TABLE given (days DOUBLE, ending INTEGER)")
        database.executemany("INSERT INTO given VALUES (?, ?)", spells)
        return survivals(database, "SELECT 'all' AS part, days, ending FROM given", {"all": "All"})["all"]


def drawn(seed: int, count: int) -> list[Spell]:
    """Draw spells without ties: a third not over, the others ended in two ways."""
    chance = random.Random(seed)
    return [(chance.expovariate(1 / 20), chance.choice([0, 1, 2])) for _ in range(count)]


@pytest.mark.parametrize(("seed", "count"), [(1, 5), (2, 40), (3, 190)])
def test_what_is_left_equals_lifelines(seed: int, count: int) -> None:
    """Shares, their log(-log) intervals and the median are those of lifelines' KaplanMeierFitter."""
    spells = drawn(seed, count)
    theirs = KaplanMeierFitter().fit([days for days, _ in spells], [ending != 0 for _, ending in spells])

    ours = measured(spells)

    bounds = theirs.confidence_interval_
    for point in ours.staying.points[1:]:
        assert float(theirs.survival_function_.loc[point.days].iloc[0]) == pytest.approx(point.share, abs=1e-12)
        if point.share > 0:  # of nothing left, lifelines fills in 1
            low, high = bounds.loc[point.days]
            assert (low, high) == pytest.approx((point.low, point.high), abs=1e-12)
    assert theirs.median_survival_time_ == pytest.approx(ours.median.days)


@pytest.mark.parametrize(("seed", "count"), [(4, 6), (5, 40), (6, 190)])
def test_what_ended_as_meant_equals_lifelines(seed: int, count: int) -> None:
    """Shares and intervals are those of lifelines' AalenJohansenFitter, with the other endings competing."""
    spells = drawn(seed, count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it takes the logarithm of zero before the first event
        theirs = AalenJohansenFitter(seed=1).fit([d for d, _ in spells], [e for _, e in spells], event_of_interest=1)

    ours = measured(spells)

    assert 3 < len(ours.reached.points)
    for point in ours.reached.points[1:]:
        assert float(theirs.cumulative_density_.loc[point.days].iloc[0]) == pytest.approx(point.share, abs=1e-12)
        variance = float(theirs.variance_.loc[point.days])
        if point.share > 0 and not math.isnan(variance):  # not NaN, as it has it where nothing is left
            low, high = sorted(theirs.confidence_interval_.loc[point.days])
            assert (low, high) == pytest.approx((point.low, point.high), abs=1e-9)


def exact(spells: Sequence[Spell]) -> tuple[dict[float, Fraction], dict[float, Fraction]]:
    """Compute both curves by their definitions: what is left, and what ended as meant, after each time of an end."""
    left, reached = Fraction(1), Fraction(0)
    staying, reaching = {}, {}
    for time in sorted({days for days, ending in spells if ending}):
        at_risk = sum(days >= time for days, _ in spells)
        ended = sum(days == time and ending != 0 for days, ending in spells)
        meant = sum(days == time and ending == 1 for days, ending in spells)
        reached += left * Fraction(meant, at_risk)
        left *= 1 - Fraction(ended, at_risk)
        staying[time], reaching[time] = left, reached
    return staying, reaching


@given(st.lists(st.tuples(st.integers(0, 8).map(float), st.sampled_from([0, 1, 2])), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_ties_are_counted_exactly(spells: list[Spell]) -> None:
    """With any ties both curves are what the fractions say, and the quantiles are the first times that reach them."""
    staying, reaching = exact(spells)

    ours = measured(spells)

    assert {t: float(s) for t, s in staying.items()} == pytest.approx(
        {point.days: point.share for point in ours.staying.points[1:]}
    )
    assert {t: float(s) for t, s in reaching.items()} == pytest.approx(
        {point.days: point.share for point in ours.reached.points[1:]}
    )
    for share, quantile in ((Fraction(1, 2), ours.median), (Fraction(1, 4), ours.p75), (Fraction(1, 10), ours.p90)):
        assert min((t for t, s in staying.items() if s <= share), default=None) == quantile.days


def test_a_median_that_is_not_reached_has_no_days() -> None:
    """When more than half is not over, there is no median, and the curve ends where the last one ended."""
    ours = measured([(1, 1), (5, 0), (6, 0), (7, 0)])

    assert ours.median.days is None
    assert [(0.0, 1.0), (1.0, 0.75)] == [(point.days, point.share) for point in ours.staying.points]
    assert (4, 1) == (ours.staying.n, ours.staying.events)


def test_nothing_that_ended_is_a_level_line() -> None:
    """Spells that are all open give a curve that stays at one, and at zero for what was reached."""
    ours = measured([(3, 0), (4, 0)])

    assert [(0.0, 1.0)] == [(point.days, point.share) for point in ours.staying.points]
    assert [(0.0, 0.0)] == [(point.days, point.share) for point in ours.reached.points]


def test_a_long_curve_keeps_its_shape_in_few_steps() -> None:
    """Of a thousand steps at most 202 are given, each exactly on the curve and a percent apart at most."""
    spells = drawn(7, 1000)
    staying, _ = exact(spells)

    ours = measured(spells)

    shares = [point.share for point in ours.staying.points]
    assert len(shares) <= 202
    assert max(before - after for before, after in itertools.pairwise(shares)) < 0.011
    assert all(float(staying[point.days]) == pytest.approx(point.share) for point in ours.staying.points[1:])


def test_very_many_spells_are_counted_in_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of spells times are rounded up to hours, so that grouping them pays."""
    monkeypatch.setattr(survival, "MANY", 3)

    ours = measured([(0.01, 1), (0.02, 1), (0.05, 1), (2, 0)])

    assert [0.0, 1 / 24, 2 / 24] == pytest.approx([point.days for point in ours.staying.points])


@pytest.mark.parametrize("reached", [1 - 1e-16, 1 - 1e-12, 1e-300, 0.999])
def test_interval_of_nearly_all_or_nothing_is_a_number(reached: float) -> None:
    """Shares are added up in floating point, so one of all may end a hair before it; its interval is still one."""
    low, high = incidence_interval(reached, 0.5)

    assert 0 <= low <= reached <= high <= 1
