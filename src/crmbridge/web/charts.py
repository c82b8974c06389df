"""Small pictures without a script: a line of an indicator's earlier periods, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT, EDGE = 120.0, 32.0, 3.0


class Line(NamedTuple):
    """A line in a box of WIDTH by HEIGHT: its points as SVG writes them, and where the last one is."""

    points: str
    x: float
    y: float


def spark(values: Sequence[float | None]) -> Line | None:
    """Draw values as a line from the lowest to the highest; None where there are fewer than two."""
    known = [(index, value) for index, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    low, high = min(v for _, v in known), max(v for _, v in known)
    span, last = (high - low) or 1.0, len(values) - 1
    flat = high == low

    def at(index: int, value: float) -> tuple[float, float]:
        x = EDGE + (WIDTH - 2 * EDGE) * index / last
        share = 0.5 if flat else (value - low) / span
        return round(x, 1), round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share, 1)

    points = [at(index, value) for index, value in known]
    return Line(" ".join(f"{x:g},{y:g}" for x, y in points), *points[-1])
