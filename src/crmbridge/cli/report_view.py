"""Show a report at a terminal: what needs attention, the indicators, then each measure with bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import GAP, Line, Part, Tinted, Tone, cut, dim, screen_width, strong, table, width
from crmbridge.report.attention import cards
from crmbridge.report.sections import anchor, indicator_table, sections, where
from crmbridge.report.tiles import course
from crmbridge.report.wording import against_target, counted_from, small, target, value
from crmbridge.report.words import Words, words_of
from crmbridge.words import NOTHING

if TYPE_CHECKING:
    from crmbridge.model.figures import IndicatorFigure, Measured, Row, Scorecard
    from crmbridge.ports import Document
    from crmbridge.report.parts import Cell, Section, Table

BAR = 20  # columns of a full bar
MOST = 28  # columns of a cell
PERIOD = 7  # columns of a month or a quarter
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
    """Show a row an indicator; a narrow terminal has the target in brackets, and no trend."""
    is_wide, has_trend = (screen_width() or WIDE) >= WIDE, any(each.trend for each in card.indicators)
    name, now, aim, state, base, _ = indicator_table(card, words).columns
    heads = [name, now, *([aim] if is_wide else []), state, *([words("trend")] if is_wide and has_trend else []), base]
    rows = []
    for each in card.indicators:
        cells = _indicator(each, words, is_wide=is_wide)
        rows.append(cells if is_wide and has_trend else [*cells[:-2], cells[-1]])
    yield from table(rows, heads=heads, indent=2, most=MOST)


def _indicator(each: IndicatorFigure, words: Words, *, is_wide: bool) -> list[Part]:
    state, aim = against_target(each, words), target(each, words)
    name = f"{each.name} ({where(each)})" if where(each) else each.name
    notes = [counted_from(each.figure, words), small(each.figure, words)]
    aimed: list[Part] = [aim, _toned(state.text, state.tone)]
    if not is_wide:
        aimed = [_toned(f"{state.text} ({aim})" if each.target else state.text, state.tone)]
    return [
        name,
        strong(value(each.figure, words)),
        *aimed,
        spark([point.figure.value for point in course(each, words)]),
        dim(", ".join(note for note in notes if note and note != NOTHING)),
    ]


def _measures(card: Scorecard, run: Mapping[str, Any], words: Words) -> Iterator[Line]:
    """Show each section; those of measures have bars."""
    measures = {anchor(each, index): each for index, each in enumerate(card.measures)}
    for section in sections(card, run, words):
        measured = measures.get(section.id)
        yield from ("", _title(section))
        yield from _table(section.table, measured, words)
        for text in (section.definition, *section.cautions):
            yield from table([[dim(text)]], indent=2) if text else ()


def _title(section: Section) -> Line:
    """Name a section, with its figure over all beside it."""
    if section.headline is None:
        return strong(section.title)
    note = f"  {section.headline.note}" if section.headline.note else ""
    return [strong(f"{section.title}  {section.headline.text}"), dim(note)]


def _table(shown: Table, measured: Measured | None, words: Words) -> Iterator[Line]:
    """Show the rows, as many columns as fit; a bar for the main figure stands behind them."""
    columns = _drawn(measured) if measured is not None and measured.rows else ()
    full = _full(measured, columns) if measured is not None and columns else 0.0
    room = (screen_width() or WIDE) - 2 - (BAR if full else 0)
    label = max(MOST, room - GAP - sum(_widths(shown, MOST)[1:2]))
    count = _fitting(_widths(shown, label), room)
    rows: list[list[Part]] = []
    for index, cells in enumerate(shown.rows):
        row: list[Part] = [shortened(cells[0].text, label), *(_cell(cell) for cell in cells[1:count])]
        if measured is not None and full:
            row.append(bar(_amount(measured.rows[index], columns) / full))
        rows.append(row)
    yield from table(rows, heads=[*shown.columns[:count], ""] if full else shown.columns[:count], indent=2, most=label)
    left = len(shown.columns) - count
    if left:
        unseen = words("more_columns", names=words("comma").join(shown.columns[count:]))
        yield from table([[dim(unseen)]], indent=2)
    if shown.more:
        yield from table([[dim(shown.more)]], indent=2)


def _widths(shown: Table, label: int) -> list[int]:
    """Give how wide each column is with the gap behind it: the labels at most so wide, other cells at most `MOST`."""
    longest = [max(map(width, (head, *(row[i].text for row in shown.rows)))) for i, head in enumerate(shown.columns)]
    return [min(MOST if index else label, each) + GAP for index, each in enumerate(longest)]


def _fitting(widths: Sequence[int], room: int) -> int:
    """Count the columns that fit beside each other; the labels and one figure always do."""
    used = [*accumulate(widths)]
    return max(min(2, len(used)), sum(each <= room for each in used))


def shortened(label: str, columns: int) -> str:
    """Cut the longest parts of a label that is too wide: rows differ in any part, and most often in the period."""
    *others, last = label.split(" · ")
    short = label
    for most in range(columns, 3, -1):
        if width(short) <= columns:
            break
        short = " · ".join([*(cut(part, most) for part in others), cut(last, max(most, PERIOD))])
    return short


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


def _drawn(measured: Measured) -> tuple[str, ...]:
    """Give the columns that a row's bar is made of: the main one; of parts what they are of, else all of them."""
    if measured.chart != "stacked":
        return measured.charted[:1]
    leading = measured.columns[0].id
    return measured.charted if leading in measured.charted else (leading,)


def _full(measured: Measured, columns: tuple[str, ...]) -> float:
    """Give what a full bar stands for: all for shares, else the most."""
    if any(row.figures[column].unit == "share" for row in measured.rows for column in columns if column in row.figures):
        return 1.0
    return max(_amount(row, columns) for row in measured.rows)


def _amount(row: Row, columns: tuple[str, ...]) -> float:
    figures = [row.figures[column] for column in columns if column in row.figures]
    return sum(figure.value or 0.0 for figure in figures)


def _toned(text: str, tone: str) -> Part:
    return Tinted(text, _TONES[tone]) if tone in _TONES else text
