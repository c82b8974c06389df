"""Figures carry what they are counted from."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge.indicators.counting import share, wilson
from crmbridge.indicators.targets import is_comparable, is_met, read_target
from crmbridge.model.figures import Figure, Unit


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0)],
)
def test_wilson_known_values(numerator: int, denominator: int, low: float, high: float) -> None:
    """The interval of a share is Wilson's, as tables print it."""
    interval = wilson(numerator, denominator)

    assert interval is not None
    assert (low, high) == (round(interval.low, 4), round(interval.high, 4))


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share(counts: tuple[int, int]) -> None:
    """The interval lies between 0 and 1 and holds the share it belongs to."""
    interval = wilson(*counts)

    assert interval is not None
    assert 0 <= interval.low <= counts[0] / counts[1] <= interval.high <= 1


def test_share_of_nothing() -> None:
    """A share of nothing has no value and no interval, and is not zero."""
    figure = share(0, 0)

    assert (None, None, 0) == (figure.value, figure.interval, figure.n)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(0, 100))
@example((3, 10), 30)
def test_share_reaches_its_target_exactly(counts: tuple[int, int], percent: int) -> None:
    """A share meets a target that it hits exactly: 3 of 10 are 30 %, whatever binary floating point says."""
    expected = Decimal(counts[0]) * 100 >= Decimal(percent) * counts[1]

    assert expected is is_met(share(*counts), read_target(f"{percent}%"))


@pytest.mark.parametrize(
    ("unit", "value", "target", "expected"),
    [
        (Unit.BUSINESS_DAYS, 10.0, "10bd", True),
        (Unit.BUSINESS_DAYS, 10.01, "10bd", False),
        (Unit.COUNT, 0, "0", True),
        (Unit.COUNT, 1, "0", False),
        (Unit.DAYS, 0.1 + 0.2, "0.3d", True),
        (Unit.DAYS, None, "3d", None),
        (Unit.DAYS, 2.0, "3bd", None),
        (Unit.COUNT, 2, "25%", None),
        (Unit.COUNT, 2, "few", None),
        (Unit.COUNT, 2, None, None),
    ],
)
def test_times_and_counts_must_not_exceed_their_target(
    unit: Unit, value: float | None, target: str | None, *, expected: bool | None
) -> None:
    """A time or a count meets a target that it does not exceed; a target of another kind is not compared."""
    figure = Figure(unit=unit, value=value, n=5)

    assert expected is is_met(figure, read_target(target))


def test_target_without_data_is_still_comparable() -> None:
    """No data is told apart from a target that does not fit."""
    figure = share(0, 0)

    assert is_comparable(figure, read_target("30%"))
    assert not is_comparable(figure, read_target("3d"))
    assert not is_comparable(figure, None)


@pytest.mark.parametrize("value", [1e20, 1e300, 10**40])
def test_huge_figure_is_judged_as_any_other(value: float) -> None:
    """A CRM can hold any amount."""
    figure = Figure(unit=Unit.COUNT, value=value, n=1)

    assert is_met(figure, read_target("5")) is False
