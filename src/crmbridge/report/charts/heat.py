"""Draw a heat map: a table whose cells are darker for more. It is its own table for who can't see it."""

from __future__ import annotations

from markupsafe import Markup

from crmbridge.model.figures import Column, Figure, Measured, Row
from crmbridge.report.charts.elements import element
from crmbridge.report.parts import Drawing, Key
from crmbridge.report.wording import is_small, value
from crmbridge.report.words import NOTHING, Words

STEPS = 5  # of darkness, beside none
MOST_ROWS = 60
FEW = "*"  # marks a cell that rests on few cases


def heat(measured: Measured, words: Words) -> Drawing | None:
    """Draw rows by charted columns. The darkest cell is the most of its unit."""
    rows = measured.rows[:MOST_ROWS]
    names = dict(measured.columns)
    columns = [Column(each, names.get(each, each)) for each in measured.charted or tuple(names)]
    if not rows or not columns:
        return None
    most = _most(measured, columns)
    head = element("tr", element("th", measured.rows_are, scope="col"), *(_head(each) for each in columns))
    body = [_line(row, columns, most, words) for row in rows]
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


def _line(row: Row, columns: list[Column], most: dict[str, float], words: Words) -> Markup:
    cells = [_cell(row.figures.get(column.id), most, words) for column in columns]
    return element("tr", element("th", row.label, scope="row"), *cells)


def _cell(figure: Figure | None, most: dict[str, float], words: Words) -> Markup:
    if figure is None or figure.value is None:
        return element("td", NOTHING, class_="h0")
    shade = step(figure.value / most[figure.unit]) if most[figure.unit] else 0
    return element("td", value(figure, words) + (FEW if is_small(figure) else ""), class_=f"h{shade}")


def _most(measured: Measured, columns: list[Column]) -> dict[str, float]:
    most: dict[str, float] = {}
    for row in measured.rows[:MOST_ROWS]:
        for column in columns:
            figure = row.figures.get(column.id)
            if figure is not None:
                most[figure.unit] = max(most.get(figure.unit, 0.0), figure.value or 0.0)
    return most
