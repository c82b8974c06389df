"""Make believable figures for tests: a scorecard whose every part can be overridden."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crmbridge.model.figures import (
    ChartKind,
    Column,
    Coverage,
    Curve,
    CurvePoint,
    Figure,
    IndicatorFigure,
    Interval,
    Measured,
    Row,
    Scorecard,
    TrendPoint,
    Unit,
)
from crmbridge.testing.factories import NOON


def make_share(numerator: int, denominator: int, interval: Interval | None = None) -> Figure:
    """Make a share of counts. The interval is a rough one, five points to either side, unless it is given."""
    value = numerator / denominator if denominator else None
    rough = None if value is None else Interval(max(0.0, value - 0.05), min(1.0, value + 0.05))
    return Figure(
        unit=Unit.SHARE,
        value=value,
        n=denominator,
        numerator=numerator,
        denominator=denominator,
        interval=interval or rough,
    )


def make_count(value: int) -> Figure:
    """Make a count."""
    return Figure(unit=Unit.COUNT, value=value, n=value)


def make_days(value: float | None, n: int = 40) -> Figure:
    """Make a length of time in days."""
    return Figure(unit=Unit.DAYS, value=value, n=n)


def make_money(value: float, n: int = 40, currency: str = "EUR") -> Figure:
    """Make an amount of money."""
    return Figure(unit=Unit.MONEY, value=value, n=n, currency=currency)


def make_row(row_label: str = "Qualification", /, **figures: Figure) -> Row:
    """Make a row of a measure; figures are named by their columns."""
    return Row(label=row_label, figures=figures)


def make_measured(measure_id: str = "stage_conversion", *rows: Row, **overrides: Any) -> Measured:
    """Make a measure; its columns are those of its rows, named as their ids, and all of them are charted."""
    ids = tuple(dict.fromkeys(column for row in rows for column in row.figures))
    usual: dict[str, Any] = {
        "id": measure_id,
        "name": measure_id.replace("_", " ").capitalize(),
        "definition": f"What {measure_id} is.",
        "columns": tuple(Column(each, each.replace("_", " ").capitalize()) for each in ids),
        "rows": rows,
        "rows_are": "Stage",
        "chart": ChartKind.BARS,
        "charted": ids,
    }
    return Measured(**{**usual, **overrides})


def make_curve(label: str = "Proposal", *shares: float, **overrides: Any) -> Curve:
    """Make a curve that has these shares after 5 days, 10 days and so on; it begins at 1."""
    points = [CurvePoint(0, 1, 1, 1)]
    points += [
        CurvePoint(5 * number, share, max(0, share - 0.1), min(1, share + 0.1))
        for number, share in enumerate(shares or (0.8, 0.4, 0.2), 1)
    ]
    usual: dict[str, Any] = {"label": label, "points": tuple(points), "n": 40, "events": 32}
    return Curve(**{**usual, **overrides})


def make_indicator_figure(**overrides: Any) -> IndicatorFigure:
    """Make an indicator: a win rate of 9 in 40 that misses its target."""
    usual: dict[str, Any] = {
        "id": "wins",
        "name": "Deals won",
        "measure": "win_rate",
        "figure": make_share(9, 40, Interval(0.123, 0.375)),
        "definition": "Won of closed.",
        "target": "25%",
        "met": False,
        "comparable": True,
        "trend": tuple(TrendPoint(f"2026-0{month}", make_share(6 + month, 40)) for month in (3, 4, 5)),
    }
    return IndicatorFigure(**{**usual, **overrides})


def make_scorecard(*measures: Measured, **overrides: Any) -> Scorecard:
    """Make a scorecard of 120 deals with one indicator and these measures; without any, with the usual five."""
    since = NOON - timedelta(days=90)
    usual: dict[str, Any] = {
        "process": "Selling",
        "as_of": NOON,
        "language": "en",
        "coverage": Coverage(deals=120, open=80, won=9, lost=31, with_history=118, since=since),
        "indicators": (make_indicator_figure(),),
        "measures": measures or _usual_measures(),
    }
    return Scorecard(**{**usual, **overrides})


def _usual_measures() -> tuple[Measured, ...]:
    """Make one measure of each form that crmbridge itself has."""
    counts = {"entered": 100, "forward": 60, "lost": 25, "back": 4, "elsewhere": 1, "open": 10}
    stage = make_row(**{name: make_count(count) for name, count in counts.items()}, conversion=make_share(60, 90))
    clocks = {"running": 10, "at_risk": 2, "breached": 3}
    found = {"errors": 3, "warnings": 4, "infos": 1}
    return (
        make_measured("stage_conversion", stage, chart=ChartKind.FUNNEL, charted=("entered", "forward", "open")),
        make_measured(
            "win_rate", make_row("Win rate", win_rate=make_share(9, 40)), rows_are="", headline=make_share(9, 40)
        ),
        make_measured("time_in_stage", make_row(median=make_days(4.25, 90), p90=make_days(12.5, 90))),
        make_measured(
            "sla_attainment",
            make_row(attainment=make_share(70, 90), **{name: make_count(count) for name, count in clocks.items()}),
            charted=("attainment",),
        ),
        make_measured(
            "open_findings",
            make_row("Rita Prado", **{name: make_count(count) for name, count in found.items()}, deals=make_count(5)),
            rows_are="Owner",
            chart=ChartKind.STACKED,
            charted=("errors", "warnings", "infos"),
        ),
    )
