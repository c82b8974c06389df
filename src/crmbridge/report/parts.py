"""What a report consists of before it is HTML or Markdown: cards, tables, bars, with all words and numbers in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One thing at the top that needs attention. `tone` is good, warn or bad."""

    tone: str
    value: str
    label: str
    detail: str


class Cell(NamedTuple):
    """A table cell. `note` stands small beneath it; `tone` is good, bad, caution or nothing."""

    text: str
    note: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells; the first column names the row, the others are numbers."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Segment(NamedTuple):
    """Part of a bar, in percent of its full width. `kind` is how it looks."""

    kind: str
    start: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row of a chart: a label, bars one above the other, and the number they show."""

    label: str
    value: str
    detail: str
    lanes: tuple[tuple[Segment, ...], ...]
    caution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars with what their looks mean."""

    legend: tuple[tuple[str, str], ...]  # (kind, word)
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report: a definition, a chart, and a table that says the same to who can't see it."""

    id: str
    title: str
    table: Table
    definition: str = ""
    chart: Chart | None = None
    cautions: tuple[str, ...] = field(default=())


def stacked(kinds: Sequence[str], counts: Sequence[float], full: float) -> tuple[Segment, ...]:
    """Put counts side by side in one bar, of which `full` is the whole width; empty parts are left out."""
    segments = []
    start = 0.0
    for kind, count in zip(kinds, counts, strict=True):
        width = 100 * count / full if full else 0.0
        if width:
            segments.append(Segment(kind, start, width))
        start += width
    return tuple(segments)
