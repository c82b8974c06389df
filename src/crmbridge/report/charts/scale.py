"""Find the round numbers at the edge of a chart."""

from __future__ import annotations

from math import ceil, floor, log10

from crmbridge.model.figures import Unit

_STEPS = (1, 2, 2.5, 5, 10)


def ticks(low: float, high: float, unit: str, count: int = 4) -> list[float]:
    """Give round numbers from at most `low` to at least `high`, about `count` steps apart. Counts stay whole."""
    if high <= low:
        high = low + 1
    rough = (high - low) / count
    size = 10 ** floor(log10(rough))
    step = next(each * size for each in _STEPS if each * size >= rough * 0.999)
    if unit == Unit.COUNT:
        step = max(1.0, float(ceil(step)))
    first = floor(low / step)
    return [round(step * number, 10) for number in range(first, ceil(high / step - 1e-9) + 1)]


def span(values: list[float], unit: str) -> tuple[float, float]:
    """Give the least and the most that a chart of these values shows: from nothing on, unless some are below."""
    most = max(values, default=1.0)
    if unit == Unit.SHARE:
        most = min(1.0, most) if most > 0 else 1.0
    return min(0.0, *values, 0.0), most or 1.0
