"""Make figures out of what was counted: shares with their interval, counts, lengths of time, money."""

from __future__ import annotations

from math import sqrt

from crmbridge.model.figures import Figure, Interval, Unit

_Z95 = 1.959963984540054  # the normal quantile that leaves 2.5 % on each side


def share(numerator: int, denominator: int) -> Figure:
    """Make the figure of a share with its interval; of nothing, it has no value."""
    return Figure(
        unit=Unit.SHARE,
        value=numerator / denominator if denominator else None,
        n=denominator,
        numerator=numerator,
        denominator=denominator,
        interval=wilson(numerator, denominator),
    )


def count(value: int) -> Figure:
    """Make the figure of a count."""
    return Figure(unit=Unit.COUNT, value=value, n=value)


def days(value: float | None, n: int) -> Figure:
    """Make the figure of a length of time in days of 24 hours, from `n` cases."""
    return Figure(unit=Unit.DAYS, value=value, n=n)


def wilson(numerator: int, denominator: int) -> Interval | None:
    """Give the Wilson score interval of a share at 95 %; it holds its level when there are few cases."""
    if not denominator:
        return None
    part, square = numerator / denominator, _Z95**2
    middle = part + square / (2 * denominator)
    reach = _Z95 * sqrt((part * (1 - part) + square / (4 * denominator)) / denominator)
    scale = 1 + square / denominator
    # At 0 and 1 the ends are exact, but binary rounding would put them a hair inside.
    low = 0.0 if numerator == 0 else (middle - reach) / scale
    high = 1.0 if numerator == denominator else (middle + reach) / scale
    return Interval(max(0.0, low), min(1.0, high))
