"""Draw rows of bars: side by side, stacked, or narrowing as a funnel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from crmbridge.model.figures import ChartKind, Figure, Measured, Row, Unit
from crmbridge.report.charts.elements import element, points, shape, stretched
from crmbridge.report.charts.looks import looks
from crmbridge.report.parts import Drawing, Key
from crmbridge.report.wording import counted_from, is_small, value
from crmbridge.report.words import Words
from crmbridge.words import NOTHING

MOST_ROWS = 30  # of a chart; the table has more


def bars(measured: Measured, words: Words) -> Drawing | None:
    """Draw one bar a row and charted column, each unit on a scale of its own. A figure has its interval on it."""
    rows, columns = measured.rows[:MOST_ROWS], measured.charted
    full = {column: _full(measured, column) for column in columns}
    looking = dict(zip(columns, looks(columns), strict=True))
    lines = [
        _line(row, [_lane(row, column, looking[column], full[column], words) for column in columns], measured, words)
        for row in rows
    ]
    has_interval = any(figure.interval for row in rows for figure in _figures(row, columns))
    keys = [Key(looking[column], name) for column, name in _names(measured).items()] if len(columns) > 1 else []
    keys += [Key("span", words("interval"))] if has_interval else []
    return _drawing(measured, lines, keys, words)


def stacked(measured: Measured, words: Words) -> Drawing | None:
    """Draw the charted columns of each row side by side in one bar; the longest row fills the width.

    Where a row's number is a share, its bar is the whole that it is a share of, so that parts can be compared.
    """
    rows = measured.rows[:MOST_ROWS]
    longest = max((_whole(row, measured) for row in rows), default=0.0)
    lines = []
    for row in rows:
        of = _whole(row, measured) if _is_share(_leading(row, measured)) else longest
        lines.append(_line(row, [_parts(row, measured, of, words)], measured, words, of=measured.charted))
    return _drawing(measured, lines, _keys(measured, measured.charted), words)


def funnel(measured: Measured, words: Words) -> Drawing | None:
    """Draw the first charted column of each row as a bar in the middle, which narrows to the next; others are parts."""
    rows, (main, *parts) = measured.rows[:MOST_ROWS], measured.charted
    widths = [max(0.0, row.value(main)) for row in rows]
    most = max(widths, default=0.0) or 1.0
    lines = []
    for index, row in enumerate(rows):
        width = 100 * widths[index] / most
        after = 100 * widths[index + 1] / most if index + 1 < len(rows) else None
        lines.append(_line(row, [_step(row, main, parts, (width, after), words)], measured, words))
    keys = (*_keys(measured, parts), Key("base", words("rest"))) if parts else ()
    return _drawing(measured, lines, keys, words, kind=" funnel")


def _step(row: Row, main: str, parts: Sequence[str], widths: tuple[float, float | None], words: Words) -> Markup:
    """Draw one step of a funnel: the bar, its parts from the left, and the slope to the next."""
    width, after = widths
    left = (100 - width) / 2
    drawn = [shape("rect", _said(row, main, words), class_="base", x=left, width=width, height=30)]
    whole, start = row.value(main), left
    for part, look in zip(parts, looks(parts), strict=True):
        share = width * row.value(part) / whole if whole > 0 else 0.0
        share = min(share, left + width - start)
        if share > 0:
            drawn.append(shape("rect", _said(row, part, words), class_=f"f-{look}", x=start, width=share, height=30))
        start += share
    if after is not None:
        slope = [(left, 31.0), (left + width, 31.0), (50 + after / 2, 44.0), (50 - after / 2, 44.0)]
        drawn.append(shape("polygon", class_="slope", points=points(slope)))
    return stretched(*drawn, down=44)


def _lane(row: Row, column: str, look: str, full: tuple[float, float], words: Words) -> Markup:
    """Draw one bar on its track, which is the drawing's own ground."""
    figure = row.figures.get(column)
    if figure is None or figure.value is None:
        return stretched(down=10)
    low, high = full
    zero, at = (100 * (min(max(each, low), high) - low) / (high - low) for each in (0.0, figure.value))
    said, start, width = _said(row, column, words), min(zero, at), abs(at - zero)
    drawn = [shape("rect", said, class_=f"f-{look}", x=start, width=width, height=10)]
    if figure.interval:
        drawn.append(_whisker(*(100 * (end - low) / (high - low) for end in figure.interval)))
    return stretched(*drawn, down=10)


def _whisker(low: float, high: float) -> Markup:
    low, high = max(0.0, low), min(100.0, high)
    lines = ([(low, 5.0), (high, 5.0)], [(low, 2.5), (low, 7.5)], [(high, 2.5), (high, 7.5)])
    return shape("path", class_="whisker", d="".join(f"M{points(line)}" for line in lines))


def _parts(row: Row, measured: Measured, most: float, words: Words) -> Markup:
    drawn, start = list[Markup](), 0.0
    for column, look in zip(measured.charted, looks(measured.charted), strict=True):
        width = 100 * max(0.0, row.value(column)) / most if most else 0.0
        if width:
            said = f"{_names(measured).get(column, column)}: {_said(row, column, words)}"
            drawn.append(shape("rect", said, class_=f"f-{look}", x=start, width=width, height=10))
        start += width
    return stretched(*drawn, down=10)


def _line(row: Row, lanes: Sequence[Markup], measured: Measured, words: Words, *, of: Sequence[str] = ()) -> Markup:
    """Write a row: its name, its bars, and the number they show."""
    reading, detail = _reading(row, measured, words, of)
    leading = _leading(row, measured) if of else None
    shown = [*_figures(row, measured.charted), *([leading] if leading else [])]
    badge = element("span", words("small_n"), class_="badge") if any(map(is_small, shown)) else ""
    notes = element("small", detail, " " if detail and badge else "", badge) if detail or badge else ""
    return element(
        "div",
        element("span", row.label, class_="name"),
        element("span", *lanes, class_="lanes"),
        element("span", element("b", reading), " " if notes else "", notes, class_="reading"),
        class_="bar",
    )


def _reading(row: Row, measured: Measured, words: Words, of: Sequence[str]) -> tuple[str, str]:
    """Give the number of a row and what it is counted from: of parts their share or sum, else the main figure."""
    leading = _leading(row, measured) if of else None
    if leading and _is_share(leading):
        return value(leading, words), counted_from(leading, words) if leading.denominator else ""
    if of and all(figure.unit is Unit.COUNT for figure in _figures(row, of)):
        return words.number(_whole(row, measured)), ""
    main = row.figures.get(measured.charted[0])
    if main is None:
        return NOTHING, ""
    if measured.chart is ChartKind.FUNNEL:
        share = next((f for f in row.figures.values() if f.unit is Unit.SHARE and f.value is not None), None)
        return value(main, words), value(share, words) + " " + words("onward") if share else ""
    detail = counted_from(main, words)
    return value(main, words), "" if detail == NOTHING else detail


def _drawing(
    measured: Measured, lines: Sequence[Markup], keys: Iterable[Key], words: Words, kind: str = ""
) -> Drawing | None:
    if not lines:
        return None
    said = "; ".join(f"{row.label}: {_said(row, measured.charted[0], words)}" for row in measured.rows[:MOST_ROWS])
    label = f"{measured.name}. {said}"
    body = element("div", *lines, class_=f"bars{kind}", role="img", **{"aria-label": label})
    return Drawing(body=body, says=said, keys=tuple(keys))


def _keys(measured: Measured, columns: Sequence[str]) -> tuple[Key, ...]:
    names = _names(measured)
    return tuple(Key(look, names.get(column, column)) for column, look in zip(columns, looks(columns), strict=True))


def _names(measured: Measured) -> dict[str, str]:
    names = dict(measured.columns)
    return {column: names.get(column, column) for column in measured.charted}


def _full(measured: Measured, column: str) -> tuple[float, float]:
    """Give what the ends of a track stand for: all for shares, else the least and most of all figures of that unit."""
    unit = next((row.figures[column].unit for row in measured.rows if column in row.figures), Unit.COUNT)
    if unit is Unit.SHARE:
        return 0.0, 1.0
    of_unit = [
        end
        for row in measured.rows[:MOST_ROWS]
        for figure in _figures(row, measured.charted)
        if figure.unit is unit and figure.value is not None
        for end in (figure.value, *(figure.interval or ()))
    ]
    low, high = min([0.0, *of_unit]), max([0.0, *of_unit])
    return (low, high) if high > low else (0.0, 1.0)


def _figures(row: Row, columns: Sequence[str]) -> list[Figure]:
    return [row.figures[column] for column in columns if column in row.figures]


def _leading(row: Row, measured: Measured) -> Figure | None:
    """Give the figure that a measure leads with, where that is not itself a part: what its parts are of."""
    first = measured.columns[0].id if measured.columns else ""
    return None if first in measured.charted else row.figures.get(first)


def _is_share(figure: Figure | None) -> bool:
    return figure is not None and figure.unit is Unit.SHARE


def _whole(row: Row, measured: Measured) -> float:
    """Give how much a row is in all. Some may be in no part, such as open deals of a stage nobody has left yet."""
    leading, total = _leading(row, measured), _total(row, measured.charted)
    if leading is None:
        return total
    whole = leading.denominator if leading.unit is Unit.SHARE else leading.value if leading.unit is Unit.COUNT else None
    return max(total, whole or 0.0)


def _total(row: Row, columns: Sequence[str]) -> float:
    return sum(max(0.0, row.value(column)) for column in columns)


def _said(row: Row, column: str, words: Words) -> str:
    figure = row.figures.get(column)
    return NOTHING if figure is None else value(figure, words)
