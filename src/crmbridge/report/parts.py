"""What a report consists of before it is HTML or Markdown: cards, tables, drawings, with words and numbers in place."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup
from msgspec import Struct


class Card(Struct, frozen=True, kw_only=True):
    """One thing at the top that needs attention. `tone` is good, warn, bad or plain; `link` is a section's id."""

    tone: str
    value: str
    label: str
    detail: str
    link: str = ""


class Cell(NamedTuple):
    """A table cell. `note` stands small beneath it; `tone` is good, bad, caution or nothing."""

    text: str
    note: str = ""
    tone: str = ""


class Table(Struct, frozen=True, kw_only=True):
    """Rows of cells; the first column names the row, the others are numbers. `more` says what was left out.

    `heads` has for each row what its name begins with, where many of them begin alike.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    more: str = ""
    heads: tuple[str, ...] = ()

    def runs(self) -> list[tuple[str, list[tuple[Cell, ...]]]]:
        """Give the rows under what their names begin with, which is said once; without heads all under none."""
        if not self.heads:
            return [("", list(self.rows))]
        runs: dict[str, list[tuple[Cell, ...]]] = {}
        for head, (name, *cells) in zip(self.heads, self.rows, strict=True):
            runs.setdefault(head, []).append((_below(head, name), *cells))
        return list(runs.items())


def _below(head: str, name: Cell) -> Cell:
    return name._replace(text=name.text.removeprefix(head).lstrip(" ·"))


class Key(NamedTuple):
    """A line of a legend: how something looks, and what it stands for."""

    look: str
    word: str


class Drawing(Struct, frozen=True, kw_only=True):
    """A chart: what is shown, what its looks mean, and the sentence that stands for it where it can't be seen.

    `is_table` tells a chart that is a table itself, which needs no other beside it.
    """

    body: Markup
    says: str
    keys: tuple[Key, ...] = ()
    is_table: bool = False


class Tile(Struct, frozen=True, kw_only=True):
    """An indicator: its figure, what it is aimed at, and how it went."""

    name: str
    where: str  # the stage, where it is about one
    value: str
    unit: str  # in words, where it is not part of the number
    target: str
    state: Cell  # against the target
    counted_from: str
    caution: str
    definition: str
    why: str
    line: Markup | None  # how it went
    history: tuple[tuple[str, str], ...]  # the same in words: periods with their figures

    @property
    def said(self) -> str:
        """Say how it went."""
        return "; ".join(f"{period}: {was}" for period, was in self.history)


class Section(Struct, frozen=True, kw_only=True):
    """A part of the report: a definition, a chart, and a table that says the same to who can't see it."""

    id: str
    title: str
    group: str
    table: Table
    definition: str = ""
    headline: Cell | None = None
    drawing: Drawing | None = None
    cautions: tuple[str, ...] = ()
