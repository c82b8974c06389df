"""Turn rows that stand for a stage or segment in a period into what can be read: lines over periods, or a heat map."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Final

from crmbridge.model.figures import ChartKind, Column, Figure, Measured, Row, Unit
from crmbridge.model.replacing import replace

MOST_LINES = 5  # beside each other in one plot
MOST_ACROSS = 8  # segments beside each other, before they go down
_OWN_FORM = {ChartKind.NONE, ChartKind.LINES, ChartKind.CURVES, ChartKind.HEAT}
_PERIOD: Final = re.compile(r"(\d{4})(?:-(Q?)(\d{1,2}))?")  # 2026, 2026-Q4 or 2026-11
_MOST_PERIODS: Final = 1200
_Key = Callable[[Row], str]


def pivoted(measured: Measured) -> Measured:
    """Give a measure with its periods, or its segments in each stage, side by side; others as they are.

    Only the main figure is drawn then; the table beside the chart has all.
    """
    if measured.chart in _OWN_FORM or not measured.charted or not measured.rows:
        return measured
    if all(row.period for row in measured.rows):
        series = list(dict.fromkeys(map(_without_period, measured.rows)))
        if len(series) <= MOST_LINES:
            return _lines(measured)
        return _heat(measured, _without_period, lambda row: row.period or "")
    if all(row.segment and row.stage for row in measured.rows):
        return _by_segment(measured)
    return measured


def evenly(measured: Measured) -> Measured:
    """Give rows by periods with those between them that nothing happened in, so that equal widths are equal times."""
    if not measured.rows:
        return measured
    by_period = {_period(row): row for row in measured.rows}
    first, last = measured.rows[0], measured.rows[-1]
    whole = list(takewhile(lambda period: period < _period(last), _from(_period(first))))
    if len(by_period) != len(measured.rows) or not set(by_period) <= {*whole, _period(last)}:
        return measured  # of a team's own SQL, whose periods may be written in any way
    head = _without_period(first)
    empty = {period: Row(label=f"{head} · {period}" if head else period, figures={}) for period in whole}
    return replace(measured, rows=(*({**empty, **by_period}[period] for period in whole), last))


def _period(row: Row) -> str:
    return row.period or row.label


def _from(period: str) -> Iterator[str]:
    """Give a period and those that follow it; nothing of what is none."""
    found = _PERIOD.fullmatch(period)
    if found is None:
        return
    year, quarter, part = int(found[1]), found[2], int(found[3] or 1)
    in_year = 1 if quarter is None else 4 if quarter else 12
    for number in range(year * in_year + part - 1, year * in_year + part - 1 + _MOST_PERIODS):
        at, rest = divmod(number, in_year)
        yield f"{at:04}" if quarter is None else f"{at:04}-Q{rest + 1}" if quarter else f"{at:04}-{rest + 1:02}"


def _by_segment(measured: Measured) -> Measured:
    """Set stages against segments; what there is more of goes down, as a page is long and not wide."""
    stages = list(dict.fromkeys(map(_without_segment, measured.rows)))
    segments = {row.segment or "" for row in measured.rows}
    if len(segments) <= max(len(stages), MOST_ACROSS):
        return _heat(measured, _without_segment, lambda row: row.segment or "")
    by_name = replace(measured, rows=tuple(sorted(measured.rows, key=lambda row: row.segment or "")), rows_are="")
    return _drawn(by_name, _crossed(by_name, lambda row: row.segment or "", _without_segment), ChartKind.HEAT, stages)


def _main(measured: Measured) -> str:
    """Give the figure that says most by itself: of counts that are parts of each other it is their share."""
    if measured.chart in {ChartKind.FUNNEL, ChartKind.STACKED}:
        figures = measured.rows[0].figures
        shares = [each.id for each in measured.columns if each.id in figures and figures[each.id].unit is Unit.SHARE]
        return shares[0] if shares else measured.charted[0]
    return measured.charted[0]


def _lines(measured: Measured) -> Measured:
    """Make each series a column and each period a row."""
    rows = _crossed(measured, lambda row: row.period or "", _without_period)
    return _drawn(measured, sorted(rows, key=lambda row: row.label), ChartKind.LINES)


def _heat(measured: Measured, down: _Key, across: _Key) -> Measured:
    columns = sorted(dict.fromkeys(map(across, measured.rows)))
    return _drawn(measured, _crossed(measured, down, across), ChartKind.HEAT, columns)


def _crossed(measured: Measured, down: _Key, across: _Key) -> list[Row]:
    main, figures = _main(measured), dict[str, dict[str, Figure]]()
    for row in measured.rows:
        line = figures.setdefault(down(row), {})
        if main in row.figures:
            line[across(row)] = row.figures[main]
    return [Row(label=label, figures=line) for label, line in figures.items()]


def _drawn(measured: Measured, rows: list[Row], chart: ChartKind, columns: list[str] | None = None) -> Measured:
    ids = columns or list(dict.fromkeys(column for row in rows for column in row.figures))
    names = dict(measured.columns)
    title = f"{measured.name}: {names.get(_main(measured), '')}"
    return replace(
        measured,
        name=title,
        rows=tuple(rows),
        columns=tuple(Column(each, each) for each in ids),
        charted=tuple(ids),
        chart=chart,
    )


def _without_period(row: Row) -> str:
    return row.label.removesuffix(row.period or "").rstrip(" ·")


def _without_segment(row: Row) -> str:
    return row.label.removesuffix(row.segment or "").rstrip(" ·")
