"""Figures: what was counted, out of how many, and what it was aimed at. Every page, file and message is made from them.

All words in them are in one language already. What came from a CRM (an owner's name, say) is as it came: whoever shows
it makes it harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct, field


class Unit(StrEnum):
    """What a figure's value is counted in."""

    SHARE = "share"  # 0 to 1
    COUNT = "count"
    DAYS = "d"  # of 24 hours
    HOURS = "h"
    MINUTES = "m"
    BUSINESS_DAYS = "bd"
    BUSINESS_HOURS = "bh"
    BUSINESS_MINUTES = "bm"
    MONEY = "money"  # in the figure's currency
    MONEY_A_DAY = "money/d"
    RATIO = "ratio"  # such as a pipeline coverage of 3.2


class Interval(NamedTuple):
    """Where the true value lies in 95 of 100 such samples."""

    low: float
    high: float


class Figure(Struct, frozen=True, kw_only=True):
    """One number. `value` is None when there is nothing to count it from; `n` is how many cases it rests on.

    A share of counts has its numerator and denominator, and the Wilson interval at 95 %. Money has a currency.
    """

    unit: Unit
    value: float | None
    n: int
    numerator: float | None = None
    denominator: float | None = None
    interval: Interval | None = None
    currency: str | None = None  # ISO 4217


class Column(NamedTuple):
    """A column of a measure's rows. `id` is its key in a row's figures."""

    id: str
    name: str


class Row(Struct, frozen=True, kw_only=True):
    """One line of a measure. `label` is what people read; the others say what was counted for it."""

    label: str
    figures: Mapping[str, Figure]  # by the id of a column; one that is not there has nothing to say
    stage: str | None = None  # the stage's id
    segment: str | None = None  # the value that this line is about, such as an owner's name or a connection
    period: str | None = None  # 2026-11, 2026-Q4 or 2026

    def value(self, column: str) -> float:
        """Give what a column says; one that has nothing to say is nought in sums and charts."""
        figure = self.figures.get(column)
        return 0.0 if figure is None or figure.value is None else figure.value


class CurvePoint(NamedTuple):
    """A point of a curve of steps: the share after `days`, with its interval."""

    days: float
    share: float
    low: float
    high: float


class Curve(Struct, frozen=True, kw_only=True):
    """How a share develops with time, such as the deals still in a stage or won by then. Steps, from day 0."""

    label: str
    points: tuple[CurvePoint, ...]
    n: int  # cases
    events: int  # of them, those that are over; the rest is censored
    stage: str | None = None


class ChartKind(StrEnum):
    """What a measure looks best as."""

    FUNNEL = "funnel"  # one bar a row, from `charted[0]`; later ones are parts of it
    BARS = "bars"  # one bar a row and charted column
    STACKED = "stacked"  # the charted columns side by side in one bar a row
    LINES = "lines"  # one line a charted column over the rows, which are periods
    CURVES = "curves"  # `curves`
    HEAT = "heat"  # rows by columns, darker for more
    NONE = "none"


class Measured(Struct, frozen=True, kw_only=True):
    """What one measure gave: its definition, its rows, and how to draw them. Rows are in the order to show them."""

    id: str  # such as stage_conversion or win_rate_by_cohort
    name: str
    definition: str  # one sentence: what is counted, out of what
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    rows_are: str = ""  # the heading of the labels: Stage, Owner, Month
    chart: ChartKind = ChartKind.NONE
    charted: tuple[str, ...] = ()  # ids of columns, the main one first
    curves: tuple[Curve, ...] = ()
    headline: Figure | None = None  # over all rows
    cautions: tuple[str, ...] = ()  # sentences: what a reader must know before trusting it


class TrendPoint(NamedTuple):
    """An indicator in an earlier period."""

    period: str
    figure: Figure


class IndicatorFigure(Struct, frozen=True, kw_only=True):
    """One of the process's own indicators: its figure, and its target where it has one.

    `met` is None when there is no target, nothing was counted, or the target is not of the indicator's kind;
    `comparable` tells the last case from the others.
    """

    id: str
    name: str
    measure: str
    figure: Figure
    definition: str
    stage: str | None = None  # the stage's name
    stage_id: str | None = None
    why: str | None = None
    target: str | None = None
    met: bool | None = None
    comparable: bool = False
    warn: str | None = None  # from where on it is worth a warning although the target is met
    near: bool | None = None  # met, but past `warn`; None where `met` is
    trend: tuple[TrendPoint, ...] = ()  # the oldest first; the figure of now is not among them


class Coverage(Struct, frozen=True, kw_only=True):
    """How many deals were evaluated, how many of them have a history, and since when."""

    deals: int
    open: int
    won: int
    lost: int
    with_history: int
    since: datetime | None


class WaivedFindings(Struct, frozen=True, kw_only=True):
    """The findings that were accepted, how many of their waivers end within a week, and when the first one does."""

    findings: int = 0
    ending: int = 0
    next_end: datetime | None = None


class Scorecard(Struct, frozen=True, kw_only=True):
    """All figures of one moment."""

    process: str  # its name
    as_of: datetime  # aware
    language: str
    coverage: Coverage
    indicators: tuple[IndicatorFigure, ...]
    measures: tuple[Measured, ...]
    currency: str | None = None  # what money was turned into; None: there was none, or all of it was of one
    waived: WaivedFindings = field(default_factory=WaivedFindings)

    def measure(self, measure_id: str) -> Measured | None:
        """Find a measure by its id."""
        return next((each for each in self.measures if each.id == measure_id), None)
