"""Write a scorecard as one CSV file: a line a figure, with what it is counted from, ready for a pivot table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from crmbridge.engine.text import cell
from crmbridge.model.figures import Curve, Figure, IndicatorFigure, Measured, Row, Scorecard
from crmbridge.report.cleaning import cleaned

HEAD = (
    "part", "id", "name", "row", "stage", "segment", "period", "column", "column_name", "unit", "currency", "value",
    "n", "numerator", "denominator", "low", "high", "target", "met",
)  # fmt: skip
MARK = "\ufeff"  # begins a file: without it Excel takes UTF-8 for the country's own letters
_Line = dict[str, str]


def csv_text(scorecard: Scorecard) -> str:
    """Give every figure as a line; numbers with a dot, no grouping, empty where there is none.

    Text that a spreadsheet would run as a formula gets an apostrophe before it; a number stays a number, -5 too.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, HEAD, restval="", lineterminator="\r\n")
    writer.writeheader()
    for line in _lines(cleaned(scorecard)):
        writer.writerow({key: cell(text) for key, text in line.items()})
    return file.getvalue()


def _lines(card: Scorecard) -> Iterator[_Line]:
    for each in card.indicators:
        yield from _indicator(each)
    for measured in card.measures:
        yield from _measure(measured)


def _indicator(each: IndicatorFigure) -> Iterator[_Line]:
    named = {
        "part": "indicator",
        "id": each.id,
        "name": each.name,
        "stage": each.stage_id or "",
        "column": each.measure,
    }
    met = "" if each.met is None else str(each.met).lower()
    for point in each.trend:
        yield {**named, "period": point.period, **_figure(point.figure)}
    yield {**named, "target": each.target or "", "met": met, **_figure(each.figure)}


def _measure(measured: Measured) -> Iterator[_Line]:
    named = {"part": "measure", "id": measured.id, "name": measured.name}
    if measured.headline is not None:
        yield {**named, "column": "headline", **_figure(measured.headline)}
    for row in measured.rows:
        yield from _row(named, row, measured)
    for curve in measured.curves:
        yield from _curve(named, curve)


def _row(named: _Line, row: Row, measured: Measured) -> Iterator[_Line]:
    about = {"row": row.label, "stage": row.stage or "", "segment": row.segment or "", "period": row.period or ""}
    for column in measured.columns:
        if column.id in row.figures:
            yield {**named, **about, "column": column.id, "column_name": column.name, **_figure(row.figures[column.id])}


def _curve(named: _Line, curve: Curve) -> Iterator[_Line]:
    """Give each step of a curve; its column says after how many days."""
    about = {**named, "row": curve.label, "stage": curve.stage or "", "unit": "share", "n": str(curve.n)}
    for point in curve.points:
        ends = {"value": _number(point.share), "low": _number(point.low), "high": _number(point.high)}
        yield {**about, "column": f"after {_number(point.days)} d", **ends}


def _figure(figure: Figure) -> _Line:
    low, high = figure.interval or (None, None)
    return {
        "unit": figure.unit.value,
        "currency": figure.currency or "",
        "value": _number(figure.value),
        "n": str(figure.n),
        "numerator": _number(figure.numerator),
        "denominator": _number(figure.denominator),
        "low": _number(low),
        "high": _number(high),
    }


def _number(value: float | None) -> str:
    """Write a number as programs read it."""
    if value is None:
        return ""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
