"""Lay a scorecard out as sections: a chart, and the table that says the same, in one language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crmbridge.model.figures import Curve, Figure, IndicatorFigure, Measured, Row, Scorecard, Unit
from crmbridge.report.charts import draw
from crmbridge.report.charts.curves import half
from crmbridge.report.parts import Cell, Section, Table
from crmbridge.report.wording import against_target, cautions, counted_from, interval, small, target, value
from crmbridge.report.words import Words
from crmbridge.words import NOTHING

RUN_COUNTS = ("found", "planned", "applied", "refused", "failed", "stale", "unknown")
MOST_ROWS = 100  # of a table that people read; the JSON and the CSV have all
GROUPS = ("flow", "time", "discipline", "money", "work", "more")  # in the order of the report
_GROUP_OF = (
    (r"conversion|cohort|win_rate|velocity|rework|skip", "flow"),
    (r"time_in|time_to|cycle|aging|survival|stay", "time"),
    (r"sla|finding|conforming|history", "discipline"),
    (r"forecast|coverage|amount|pipeline|money", "money"),
    (r"activit", "work"),
)
_ANCHOR = re.compile(r"[a-z][a-z0-9_-]{0,60}")


def sections(scorecard: Scorecard, run: Mapping[str, Any] | None, words: Words) -> tuple[Section, ...]:
    """Lay out every measure that has something to say, group by group, and then what the run did."""
    if not scorecard.coverage.deals:
        found = []
    else:
        found = [_section(each, index, words) for index, each in enumerate(scorecard.measures) if _has_content(each)]
    ordered = sorted(found, key=lambda section: GROUPS.index(section.group))
    done = _run(run, words)
    return (*ordered, done) if done else tuple(ordered)


def anchor(measured: Measured, index: int) -> str:
    """Give a section's id: the measure's where that can be one, else its number."""
    own = measured.id.lower()
    return own.replace("_", "-") if _ANCHOR.fullmatch(own) else f"measure-{index + 1}"


def indicator_table(scorecard: Scorecard, words: Words) -> Table:
    """Set the indicators out with targets, denominators and intervals."""
    columns = ("indicator", "now", "target", "against_target", "counted_from", "interval")
    rows = [_indicator_row(each, words) for each in scorecard.indicators]
    return Table(caption=words("indicators"), columns=tuple(map(words, columns)), rows=tuple(rows))


def measure_table(measured: Measured, words: Words) -> Table:
    """Set a measure's rows out; one that has only curves, its curves."""
    if not measured.rows:
        return _curve_table(measured, words)
    names = tuple(column.name for column in measured.columns)
    shown = measured.rows[:MOST_ROWS]
    rows = tuple(_measure_row(row, measured, words) for row in shown)
    left = len(measured.rows) - len(rows)
    more = words.counted("more_rows", left) if left else ""
    columns = (measured.rows_are, *names)
    return Table(caption=measured.name, columns=columns, rows=rows, more=more, heads=_heads(shown))


def where(each: IndicatorFigure) -> str:
    """Name the stage that an indicator is about, unless its own name does."""
    return each.stage if each.stage and each.stage.casefold() not in each.name.casefold() else ""


def figure_cell(figure: Figure | None, words: Words) -> Cell:
    """Put a figure into a cell, with what it is counted from and its interval beneath it."""
    if figure is None:
        return Cell(NOTHING)
    if figure.value is None:
        return Cell(words("no_data"), tone="none")
    notes = [counted_from(figure, words), interval(figure, words), small(figure, words)]
    kept = [note.replace(" ", "\u00a0") for note in notes if note and note != NOTHING]  # broken between them only
    return Cell(value(figure, words), ", ".join(kept))


def run_counts(run: Mapping[str, Any] | None) -> dict[str, int]:
    """Pick the counts that the report shows from a run's summary; anything else in it is left out."""
    return {name: run[name] for name in RUN_COUNTS if name in run and type(run[name]) is int} if run else {}


def _has_content(measured: Measured) -> bool:
    return bool(measured.rows or measured.curves or measured.cautions or measured.headline)


def _section(measured: Measured, index: int, words: Words) -> Section:
    return Section(
        id=anchor(measured, index),
        title=measured.name,
        group=_group(measured.id),
        definition=measured.definition,
        headline=None if measured.headline is None else figure_cell(measured.headline, words),
        drawing=draw(measured, words),
        table=measure_table(measured, words),
        cautions=(*measured.cautions, *cautions(_figures(measured), words)),
    )


def _group(measure_id: str) -> str:
    return next((group for pattern, group in _GROUP_OF if re.search(pattern, measure_id)), "more")


def _figures(measured: Measured) -> Iterator[Figure]:
    if measured.headline is not None:
        yield measured.headline
    for row in measured.rows:
        yield from row.figures.values()


def _indicator_row(each: IndicatorFigure, words: Words) -> tuple[Cell, ...]:
    where = "" if each.stage is None else f"{each.stage}. "
    return (
        Cell(each.name, f"{where}{each.definition}"),
        Cell(value(each.figure, words), small(each.figure, words)),
        Cell(target(each, words)),
        against_target(each, words),
        Cell(counted_from(each.figure, words)),
        Cell(interval(each.figure, words)),
    )


def _measure_row(row: Row, measured: Measured, words: Words) -> tuple[Cell, ...]:
    return (Cell(row.label), *(figure_cell(row.figures.get(column.id), words) for column in measured.columns))


def _heads(rows: Sequence[Row]) -> tuple[str, ...]:
    """Give what stands before each row's period, else its segment; nothing where few rows have the same."""
    heads = tuple(row.label.removesuffix(row.period or row.segment or row.label).rstrip(" ·") for row in rows)
    return heads if all(heads) and 2 * len(set(heads)) <= len(rows) else ()


def _curve_table(measured: Measured, words: Words) -> Table:
    columns = (measured.rows_are, *map(words, ("cases", "over", "half", "at_end")))
    rows = tuple(_curve_row(curve, words) for curve in measured.curves[:MOST_ROWS])
    return Table(caption=measured.name, columns=columns, rows=rows)


def _curve_row(curve: Curve, words: Words) -> tuple[Cell, ...]:
    days, end = half(curve) if curve.points else None, curve.points[-1] if curve.points else None
    last = NOTHING if end is None else words.percent(end.share)
    note = "" if end is None else words.amount(end.days, Unit.DAYS)
    middle = NOTHING if days is None else words.amount(days, Unit.DAYS)
    counts = (Cell(words.number(curve.n)), Cell(words.number(curve.events)))
    return (Cell(curve.label), *counts, Cell(middle), Cell(last, note))


def _run(run: Mapping[str, Any] | None, words: Words) -> Section | None:
    counts = run_counts(run)
    if not counts:
        return None
    rows = tuple((Cell(words(f"run_{name}")), Cell(words.number(count))) for name, count in counts.items())
    table = Table(caption=words("run"), columns=(words("what"), words("count")), rows=rows)
    return Section(id="run", title=words("run"), group="more", table=table)
