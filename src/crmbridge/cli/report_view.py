"""Show a report at a terminal: what needs attention, the indicators, then each measure with bars of block characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import Line, Part, Tinted, Tone, dim, screen_width, strong, table
from crmbridge.report.attention import cards
from crmbridge.report.sections import anchor, indicator_table, sections, where
from crmbridge.report.wording import against_target, counted_from, small, target, value
from crmbridge.report.words import NOTHING, Words, words_of

if TYPE_CHECKING:
    from crmbridge.model.figures import Figure, IndicatorFigure, Measured, Row, Scorecard
    from crmbridge.ports import Document
    from crmbridge.report.parts import Cell, Table

BAR = 20  # columns of a full bar
MOST = 28  # columns of a cell
WIDE = 100  # from here on a table has its notes beside its numbers
_EIGHTHS = " ▏▎▍▌▋▊▉"
_BLOCKS = " ▁▂▃▄▅▆▇█"
_TONES = {"good": Tone.GOOD, "bad": Tone.BAD, "warn": Tone.WARN, "caution": Tone.WARN, "none": Tone.DIM}


def report_lines(document: Document, language: str) -> Iterator[Line]:
    """Show a report's scorecard, as wide as the terminal is."""
    card, words = document.scorecard, words_of(language)
    if card is None:
        yield from document.markdown.splitlines()
        return
    yield strong(document.title)
    yield dim(f"{card.process} · {words('as_of', when=words.minute(card.as_of))}")
    if not card.coverage.deals:
        yield ""
        yield f"{words('no_data')}. {words('no_data_why')}"
        return
    yield from _headed(words("attention"), _attention(card, words))
    if card.indicators:
        yield from _headed(words("indicators"), _indicators(card, words))
    yield from _measures(card, document.facts.get("run") or {}, words)


def _headed(title: str, lines: Iterator[Line]) -> Iterator[Line]:
    yield ""
    yield strong(title)
    yield from lines


def _attention(card: Scorecard, words: Words) -> Iterator[Line]:
    rows: list[list[Part]] = [
        [_toned(each.value, each.tone), each.label, dim(each.detail)] for each in cards(card, words)
    ]
    yield from table(rows, indent=2, most=40)


def _indicators(card: Scorecard, words: Words) -> Iterator[Line]:
    laid_out = indicator_table(card, words)
    rows = [_indicator(each, words) for each in card.indicators]
    heads = [*laid_out.columns[:4], words("trend"), laid_out.columns[4]]
    yield from table(rows, heads=heads, indent=2, most=MOST)


def _indicator(each: IndicatorFigure, words: Words) -> list[Part]:
    state = against_target(each, words)
    name = f"{each.name} ({where(each)})" if where(each) else each.name
    notes = [counted_from(each.figure, words), small(each.figure, words)]
    return [
        name,
        strong(value(each.figure, words)),
        target(each, words),
        _toned(state.text, state.tone),
        spark([*(point.figure.value for point in each.trend), each.figure.value]),
        dim(", ".join(note for note in notes if note and note != NOTHING)),
    ]


def _measures(card: Scorecard, run: Mapping[str, Any], words: Words) -> Iterator[Line]:
    """Show each section; those of measures have bars."""
    measures = {anchor(each, index): each for index, each in enumerate(card.measures)}
    for section in sections(card, run, words):
        measured = measures.get(section.id)
        lines = _table(section.table, measured, words)
        yield from _headed(section.title, lines)
        if section.headline is not None:
            yield [f"  {section.headline.text} ", dim(section.headline.note)]
        for text in (section.definition, *section.cautions):
            yield from table([[dim(text)]], indent=2) if text else ()


def _table(shown: Table, measured: Measured | None, words: Words) -> Iterator[Line]:
    """Show the rows, as many columns as fit; a bar for the main figure stands behind them."""
    width = screen_width() or WIDE
    column = measured.charted[0] if measured and measured.charted and measured.rows else None
    full = _full(measured, column) if measured and column else 0.0
    room = width - 2 - (BAR if full else 0)
    count = _fitting(shown, room)
    rows: list[list[Part]] = []
    for index, cells in enumerate(shown.rows):
        row: list[Part] = [_cell(cell) for cell in cells[:count]]
        if measured and column and full:
            row.append(bar(_amount(measured.rows[index], column) / full))
        rows.append(row)
    yield from table(rows, heads=[*shown.columns[:count], ""] if full else shown.columns[:count], indent=2, most=MOST)
    left = len(shown.columns) - count
    if left:
        yield dim("  " + words("more_columns", names=words("comma").join(shown.columns[count:])))
    if shown.more:
        yield dim(f"  {shown.more}")


def _fitting(shown: Table, room: int) -> int:
    """Count the columns that fit beside each other."""
    used = 0
    for index, head in enumerate(shown.columns):
        longest = max((len(row[index].text) for row in shown.rows), default=0)
        used += min(MOST, max(len(head), longest)) + 2
        if used > room and index > 1:
            return index
    return len(shown.columns)


def _cell(cell: Cell) -> Part:
    return _toned(cell.text, cell.tone)


def bar(share: float) -> str:
    """Draw a share as a bar of block characters, to an eighth of a column."""
    eighths = round(max(0.0, min(1.0, share)) * BAR * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")) or ("▏" if share > 0 else "")


def spark(values: list[float | None]) -> str:
    """Draw how a figure went, a character a period; a gap where nothing was counted."""
    known = [each for each in values if each is not None]
    if len(known) < 2:
        return ""
    low, room = min(known), (max(known) - min(known)) or 1.0
    return "".join(" " if each is None else _BLOCKS[1 + round(7 * (each - low) / room)] for each in values)


def _full(measured: Measured, column: str) -> float:
    """Give what a full bar stands for: all for shares, else the most."""
    figures = [row.figures[column] for row in measured.rows if column in row.figures]
    if figures and figures[0].unit == "share":
        return 1.0
    return max((figure.value or 0.0 for figure in figures), default=0.0)


def _amount(row: Row, column: str) -> float:
    figure: Figure | None = row.figures.get(column)
    return 0.0 if figure is None or figure.value is None else figure.value


def _toned(text: str, tone: str) -> Part:
    return Tinted(text, _TONES[tone]) if tone in _TONES else text
