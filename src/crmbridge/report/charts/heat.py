"""Draw a heat map: a table whose cells are darker for more. It is its own table for who can't see it."""

from __future__ import annotations

from markupsafe import Markup

from crmbridge.model.figures import Column, Figure, Measured, Row
from crmbridge.report.charts.elements import element
from crmbridge.report.parts import Drawing, Key
from crmbridge.report.wording import is_small, value
from crmbridge.report.words import Words
from crmbridge.words import NOTHING

STEPS = 5  # of darkness, beside none
MOST_ROWS = 60
_Spans = dict[str, tuple[float, float]]
FEW = "*"  # marks a cell that rests on few cases


def heat(measured: Measured, words: Words) -> Drawing | None:
    """Draw rows by charted columns. The darkest cell is the most of its unit, the palest nothing, or the least."""
    rows = measured.rows[:MOST_ROWS]
    names = dict(measured.columns)
    columns = [Column(each, names.get(each, each)) for each in measured.charted or tuple(names)]
    if not rows or not columns:
        return None
    spans = _spans(measured, columns)
    corner = element("th", measured.rows_are, scope="col") if measured.rows_are else element("td")
    head = element("tr", corner, *(_head(each) for each in columns))
    body = [_line(row, columns, spans, words) for row in rows]
    table = element(
        "table", element("caption", measured.name), element("thead", head), element("tbody", *body), class_="heat"
    )
    # A table that is wider than the screen is moved by keyboard, too.
    scroll = element("div", table, class_="scroll", tabindex=0, role="group", **{"aria-label": measured.name})
    few = any(is_small(figure) for row in rows for figure in row.figures.values())
    keys = [Key("h1", words("less")), Key("h3", "…"), Key("h5", words("more"))]
    keys += [Key("few", f"{FEW} {words('small_n')}")] if few else []
    return Drawing(body=scroll, says="", keys=tuple(keys), is_table=len(columns) == len(measured.columns))


def step(share: float) -> int:
    """Give how dark a cell is, 0 for nothing, for its share of the most."""
    return 0 if share <= 0 else min(STEPS, 1 + int(share * STEPS * 0.9999))


def _head(column: Column) -> Markup:
    return element("th", column.name, scope="col")


def _line(row: Row, columns: list[Column], spans: _Spans, words: Words) -> Markup:
    cells = [_cell(row.figures.get(column.id), spans, words) for column in columns]
    return element("tr", element("th", row.label, scope="row"), *cells)


def _cell(figure: Figure | None, spans: _Spans, words: Words) -> Markup:
    if figure is None or figure.value is None:
        return element("td", NOTHING, class_="h0")
    low, high = spans[figure.unit]
    shade = step((figure.value - low) / (high - low)) if high > low else 0
    if low and figure.value > 0:  # only nothing is blank
        shade = max(1, shade)
    return element("td", value(figure, words) + (FEW if is_small(figure) else ""), class_=f"h{shade}")


def _spans(measured: Measured, columns: list[Column]) -> _Spans:
    """Give what is palest and darkest of each unit: from nothing on, unless the least is more than half of the most.

    Rates of 80 to 100 % would all look alike from nothing on. What rests on few cases does not make the others alike.
    """
    of_unit: dict[str, list[Figure]] = {}
    for row in measured.rows[:MOST_ROWS]:
        for column in columns:
            figure = row.figures.get(column.id)
            if figure is not None and figure.value is not None:
                of_unit.setdefault(figure.unit, []).append(figure)
    return {unit: _span(figures) for unit, figures in of_unit.items()}


def _span(figures: list[Figure]) -> tuple[float, float]:
    high = max(figure.value or 0.0 for figure in figures)
    low = min((figure.value or 0.0 for figure in figures if not is_small(figure)), default=0.0)
    return (low, high) if high / 2 < low < high else (0.0, high)
