"""Draw lines over periods, and the small line of an indicator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar

from markupsafe import Markup

from crmbridge.model.figures import Figure, Interval, Measured, Row, Unit
from crmbridge.report.charts.elements import element, percent, points, shape, stretched
from crmbridge.report.charts.looks import looks
from crmbridge.report.charts.scale import span, ticks
from crmbridge.report.parts import Drawing, Key
from crmbridge.report.wording import value
from crmbridge.report.words import Words

HEIGHT = 200  # pixels of the plot
TOP, BOTTOM = 18, 24  # of them for the word of the highest tick; below it for the periods
MOST_LABELS = 4  # fit beside each other on a telephone
LEFT = 6  # percent of the width that is left to the numbers of the scale
_Pair = tuple[float, float]
_Point = TypeVar("_Point")


class Scale(NamedTuple):
    """What the bottom and the top of a plot stand for, and the round numbers between."""

    low: float
    high: float
    marks: Sequence[float]
    unit: str
    currency: str | None = None

    def height(self, amount: float) -> float:
        """Give where an amount stands, in pixels from the top of the chart."""
        return TOP + HEIGHT * (1 - (amount - self.low) / (self.high - self.low))


def lines(measured: Measured, words: Words) -> Drawing | None:
    """Draw one line a charted column; columns of other units get a panel of their own."""
    if not measured.rows:
        return None
    names, look_of = dict(measured.columns), dict(zip(measured.charted, looks(measured.charted), strict=True))
    panels = []
    for unit, group in groupby(
        sorted(measured.charted, key=lambda c: _place(measured, c)), lambda c: _unit(measured, c)
    ):
        panels.append(_panel(measured, list(group), unit, look_of, words))
    keys = tuple(Key(f"l-{look_of[column]}", names.get(column, column)) for column in measured.charted)
    return Drawing(
        body=element("div", *panels, class_="panels wide"),
        says=_says(measured, words),
        keys=keys if len(keys) > 1 else (),
    )


def spark(values: Sequence[float | None]) -> Markup | None:
    """Draw how a figure went as a line without scale, with a dot at its end; None for less than two values."""
    known = [each for each in values if each is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    room = high - low or 1.0
    pairs: list[_Pair | None] = [
        None if each is None else (100 * index / (len(values) - 1), 26 - 22 * (each - low) / room)
        for index, each in enumerate(values)
    ]
    if high == low:
        pairs = [pair and (pair[0], 15.0) for pair in pairs]
    drawn = [shape("polyline", class_="spark", points=points(part)) for part in _unbroken(pairs)]
    last = next(pair for pair in reversed(pairs) if pair)
    return stretched(*drawn, _dots([last], "spark"), down=30, class_="sparkline", aria_hidden="true")


def grid(scale: Scale) -> list[Markup]:
    """Draw the lines of the scale; they lie below what is drawn."""
    heights = [scale.height(mark) for mark in scale.marks]
    return [shape("line", class_="grid", x1=0, x2="100%", y1=y, y2=y) for y in heights]


def axis(scale: Scale, words: Words) -> list[Markup]:
    """Write the numbers of the scale, each above its line; they lie above what is drawn."""
    return [
        element(
            "text",
            words.short(mark, scale.unit, scale.currency),
            class_="tick",
            x=0,
            y=scale.height(mark) - 4,
        )
        for mark in scale.marks
    ]


def foot(labels: Sequence[str]) -> list[Markup]:
    """Write what stands below a plot, from the left edge to the right one; as many as fit."""
    last = len(labels) - 1
    step = max(1, -(-last // (MOST_LABELS - 1)))
    shown = [index for index in range(0, last + 1, step) if index == 0 or last - index >= step] + [last]
    return [
        element(
            "text",
            labels[index],
            class_="tick",
            x=percent(_across(index, len(labels))),
            y=TOP + HEIGHT + 17,
            text_anchor="end" if last and index == last else "middle",
        )
        for index in dict.fromkeys(shown)
    ]


def _panel(measured: Measured, columns: list[str], unit: str, look_of: dict[str, str], words: Words) -> Markup:
    figures = {column: [row.figures.get(column) for row in measured.rows] for column in columns}
    known = [f for each in figures.values() for f in each if f is not None and f.value is not None]
    ends = [f.interval.high for f in known if f.interval] if len(columns) == 1 else []
    marks = ticks(*span([*(f.value or 0.0 for f in known), *ends], unit), unit)
    scale = Scale(marks[0], marks[-1], marks, unit, next((f.currency for f in known if f.currency), None))
    drawn: list[Markup] = []
    for column in columns:
        drawn += _series(figures[column], look_of[column], scale, banded=len(columns) == 1)
    dots = [
        _hover(f, _point(row, column, measured, columns), _across(index, len(measured.rows)), scale, words)
        for column in columns
        for index, (row, f) in enumerate(zip(measured.rows, figures[column], strict=True))
        if f is not None and f.value is not None
    ]
    title = element("title", measured.name)
    described = element("desc", _says(measured, words, columns))
    plot = stretched(*drawn, down=HEIGHT, height=HEIGHT, class_="plot", x=0, y=TOP, width="100%")
    return element(
        "svg", title, described, *grid(scale), plot, *axis(scale, words), *dots,
        *foot([row.label for row in measured.rows]), class_="graph", role="img", height=TOP + HEIGHT + BOTTOM,
    )  # fmt: skip


def _point(row: Row, column: str, measured: Measured, columns: list[str]) -> str:
    """Name a point: its period, and its line where there are several."""
    return row.label if len(columns) == 1 else f"{dict(measured.columns).get(column, column)}, {row.label}"


def _series(figures: Sequence[Figure | None], look: str, scale: Scale, *, banded: bool) -> list[Markup]:
    """Draw one line, broken where there is nothing to show, over the band of its interval."""
    count = len(figures)
    at: list[_Pair | None] = [
        None if f is None or f.value is None else (_across(index, count), scale.height(f.value) - TOP)
        for index, f in enumerate(figures)
    ]
    drawn = _bands(figures, look, scale) if banded else []
    drawn += [shape("polyline", class_=f"l-{look}", points=points(part)) for part in _unbroken(at)]
    return [*drawn, _dots([pair for pair in at if pair], look)]


def _bands(figures: Sequence[Figure | None], look: str, scale: Scale) -> list[Markup]:
    ends = [
        None if f is None or f.interval is None else (_across(index, len(figures)), f.interval)
        for index, f in enumerate(figures)
    ]
    return [_band(part, look, scale) for part in _unbroken(ends)]


def _band(ends: Sequence[tuple[float, Interval]], look: str, scale: Scale) -> Markup:
    upper = [(x, scale.height(min(each.high, scale.high)) - TOP) for x, each in ends]
    lower = [(x, scale.height(max(each.low, scale.low)) - TOP) for x, each in reversed(ends)]
    return shape("polygon", class_=f"b-{look}", points=points([*upper, *lower]))


def _hover(f: Figure, label: str, across: float, scale: Scale, words: Words) -> Markup:
    """Put an invisible spot over a point, so that the pointer finds its number."""
    said, y = f"{label}: {value(f, words)}", scale.height(f.value or 0)
    return shape("circle", said, class_="spot", cx=percent(across), cy=y, r=9)


def _dots(pairs: Sequence[_Pair], look: str) -> Markup:
    """Draw each dot as a line of no length with round ends: it stays round however the plot is stretched."""
    return shape("path", class_=f"d-{look}", d="".join(f"M{points([pair])}h0" for pair in pairs))


def _unbroken(pairs: Sequence[_Point | None]) -> list[list[_Point]]:
    """Cut a line where a point is missing; a single point is left to its dot."""
    parts: list[list[_Point]] = [[]]
    for pair in pairs:
        if pair is None:
            parts.append([])
        else:
            parts[-1].append(pair)
    return [part for part in parts if len(part) > 1]


def _across(index: int, count: int) -> float:
    """Give where a period stands, in percent of the width; one alone stands in the middle."""
    return LEFT + (99 - LEFT) * (index / (count - 1) if count > 1 else 0.5)


def _unit(measured: Measured, column: str) -> str:
    return next((row.figures[column].unit for row in measured.rows if column in row.figures), Unit.COUNT)


def _place(measured: Measured, column: str) -> int:
    """Order columns by where their unit is met first, so that a panel's columns stand together."""
    units = [_unit(measured, each) for each in measured.charted]
    return units.index(_unit(measured, column))


def _says(measured: Measured, words: Words, columns: Sequence[str] = ()) -> str:
    """Say the first and the last of each line in words."""
    names, first, last = dict(measured.columns), measured.rows[0], measured.rows[-1]
    return "; ".join(
        f"{names.get(column, column)}: {_at(first.figures.get(column), words)} ({first.label}) → "
        f"{_at(last.figures.get(column), words)} ({last.label})"
        for column in columns or measured.charted
    )


def _at(figure: Figure | None, words: Words) -> str:
    return words("no_data") if figure is None else value(figure, words)
