"""The figures of a report as frozen values: what was counted, out of how many, and what it was aimed at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from math import sqrt
from typing import Any, NamedTuple

from crmbridge.model.process import Measure
from crmbridge.model.values import iso

_Z95 = 1.959963984540054  # the normal quantile that leaves 2.5 % on each side


class FigureUnit(StrEnum):
    """What a figure's value is counted in."""

    SHARE = "share"  # 0 to 1
    COUNT = "count"
    DAYS = "d"  # of 24 hours
    HOURS = "h"
    MINUTES = "m"
    BUSINESS_DAYS = "bd"
    BUSINESS_HOURS = "bh"
    BUSINESS_MINUTES = "bm"


class Interval(NamedTuple):
    """Where the true share lies in 95 of 100 such samples."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number. `value` is None when there is nothing to count it from; `n` is how many cases it rests on.

    A share has its numerator and denominator, and the Wilson interval at 95 %.
    """

    unit: FigureUnit
    value: float | None
    n: int
    numerator: int | None = None
    denominator: int | None = None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorFigure:
    """One of the process's own indicators: its figure, and its target where it has one.

    `met` is None when there is no target, nothing was counted, or the target is not of the indicator's kind;
    `comparable` tells the last case from the others.
    """

    id: str
    name: str
    measure: Measure
    stage: str | None  # the stage's name
    why: str | None
    figure: Figure
    definition: str
    target: str | None
    met: bool | None
    comparable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConversion:
    """What became of the deals that entered a stage: entered = forward + lost + back + elsewhere + open."""

    stage: str
    name: str
    conversion: Figure  # forward, of those that left
    entered: int
    forward: int
    lost: int
    back: int
    elsewhere: int  # to a place the process does not know
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """How long visits of a stage lasted. Open visits are apart: they are not over, so they have only an age."""

    stage: str
    name: str
    median: Figure  # of closed visits
    p90: Figure
    open: int
    open_median_age: float | None  # days so far


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaAttainment:
    """How an SLA was kept, and how its running clocks stand: running = on time + at risk + breached."""

    sla: str
    stage: str
    name: str  # of the stage
    attainment: Figure
    running: int
    at_risk: int
    breached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerFindings:
    """The open findings of one owner's deals. `owner` is None for deals that nobody owns."""

    owner: str | None
    errors: int
    warnings: int
    infos: int
    deals: int
    oldest: datetime

    @property
    def total(self) -> int:
        """Count them all."""
        return self.errors + self.warnings + self.infos


@dataclass(frozen=True, slots=True, kw_only=True)
class WaivedFindings:
    """The findings that were accepted, how many of their waivers end within a week, and when the first one does."""

    findings: int = 0
    ending: int = 0
    next_end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many deals were evaluated, how many of them have a history, and since when."""

    deals: int
    open: int
    won: int
    lost: int
    with_history: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """All figures of one moment. Stages are in the order of the process, owners with most errors first."""

    process: str  # its name
    as_of: datetime
    language: str
    coverage: Coverage
    indicators: tuple[IndicatorFigure, ...]
    conversion: tuple[StageConversion, ...]
    win_rate: Figure
    time_in_stage: tuple[StageTime, ...]
    sla: tuple[SlaAttainment, ...]
    findings: tuple[OwnerFindings, ...]
    waived: WaivedFindings = WaivedFindings()
    definitions: Mapping[str, str]  # by measure, in the scorecard's language

    @property
    def has_data(self) -> bool:
        """Tell whether there was any deal to count."""
        return self.coverage.deals > 0

    def facts(self) -> dict[str, Any]:
        """Give everything as plain JSON: times in ISO 8601, an interval as low and high, floats to 6 decimals."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return iso(value)
        case float():
            return round(value, 6)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case tuple():
            return [_plain(item) for item in value]
        case StrEnum():
            return value.value
        case _:
            return value


def share(numerator: int, denominator: int) -> Figure:
    """Make the figure of a share with its interval; of nothing, it has no value."""
    return Figure(
        unit=FigureUnit.SHARE,
        value=numerator / denominator if denominator else None,
        n=denominator,
        numerator=numerator,
        denominator=denominator,
        interval=wilson(numerator, denominator),
    )


def wilson(numerator: int, denominator: int) -> Interval | None:
    """Give the Wilson score interval of a share at 95 %; of nothing, there is none."""
    if denominator == 0:
        return None
    p, n, z2 = numerator / denominator, denominator, _Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # At the ends the exact answer is 0 or 1; rounding would miss it by a hair.
    low = 0.0 if numerator == 0 else max(0.0, centre - half)
    high = 1.0 if numerator == denominator else min(1.0, centre + half)
    return Interval(low, high)
