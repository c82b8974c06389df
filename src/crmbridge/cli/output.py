"""Everything people see: lines that are cleaned, aligned, and coloured only at a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

from crmbridge.revealed import strike

ELLIPSIS = "…"
GAP = 2  # columns between two cells
# What starts a longer sequence (a title, a link) goes too, but its text stays: nothing may hide what is beside it.
_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]")
_JOINERS = "\u200c\u200d"  # they belong to words and emoji, and change no order


class Tone(StrEnum):
    """How a piece of text is coloured, named by what it means. The value is the terminal's code."""

    STRONG = "1"
    DIM = "2"
    GOOD = "32"
    WARN = "33"
    BAD = "31"


@dataclass(frozen=True, slots=True)
class Tinted:
    """A piece of text with a tone."""

    text: str
    tone: Tone


Part = str | Tinted
Line = Part | Sequence[Part]


def strong(text: str) -> Tinted:
    """Make text stand out."""
    return Tinted(text, Tone.STRONG)


def dim(text: str) -> Tinted:
    """Let text stand back."""
    return Tinted(text, Tone.DIM)


def clean(text: str) -> str:
    """Take out what could drive a terminal, forge a line or turn text around; one line comes back."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_clean, _SEQUENCE.sub("", text)))


def _clean(char: str) -> str:
    category = unicodedata.category(char)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if category in {"Cf", "Cs", "Co", "Cn"} and char not in _JOINERS else char


def cut(text: str, columns: int) -> str:
    """Give text as one clean line of at most so many columns."""
    text = " ".join(clean(text[: 8 * columns]).split())
    if width(text) <= columns:
        return text
    kept = ""
    for char in text:
        if width(kept + char) >= columns:
            break
        kept += char
    return kept.rstrip() + ELLIPSIS


def width(text: str) -> int:
    """Count the terminal columns that a text takes: wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def screen_width() -> int:
    """Give the terminal's width; a hundred columns where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def table(
    rows: Iterable[Sequence[Part]], *, heads: Sequence[str] = (), indent: int = 0, most: int = 60
) -> Iterator[Line]:
    """Align rows in columns. A cell is cut to `most` columns; the last one may be longer."""
    cells = [[_fitted(cell, most, last=i == len(row) - 1) for i, cell in enumerate(row)] for row in rows]
    if heads and cells:
        cells.insert(0, [dim(head) for head in heads])
    count = max(map(len, cells), default=0)
    widths = [max((width(_text(row[i])) for row in cells if i < len(row) - 1), default=0) for i in range(count)]
    for row in cells:
        parts: list[Part] = [" " * indent]
        for i, cell in enumerate(row):
            parts.append(cell)
            if i < len(row) - 1:
                parts.append(" " * (widths[i] - width(_text(cell)) + GAP))
        yield parts


def _fitted(cell: Part, most: int, *, last: bool) -> Part:
    longest = 400 if last else most
    return Tinted(cut(cell.text, longest), cell.tone) if isinstance(cell, Tinted) else cut(cell, longest)


def _text(part: Part) -> str:
    return part.text if isinstance(part, Tinted) else part


def plural(count: int, one: str, many: str | None = None) -> str:
    """Count things in words: `1 deal`, `2 deals`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


class Screen:
    """One output stream. A reader that went away costs nothing: what is left to say is then dropped."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._stream = stream
        self._colour = colour and wants_colour(stream)

    def show(self, lines: Iterable[Line]) -> None:
        """Write lines."""
        self.write("".join(f"{self._paint(line)}\n" for line in lines))

    def write(self, text: str) -> None:
        """Write text as it is, without the secrets that it may hold, in whatever characters the stream has."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        fit = strike(text).encode(encoding, "replace").decode(encoding)
        try:
            self._stream.write(fit)
            self._stream.flush()
        except BrokenPipeError:
            _drop(self._stream)

    def _paint(self, line: Line) -> str:
        parts = [line] if isinstance(line, str | Tinted) else line
        return "".join(self._painted(part) for part in parts).rstrip()

    def _painted(self, part: Part) -> str:
        text = clean(_text(part))
        if self._colour and text and isinstance(part, Tinted):
            return f"\x1b[{part.tone.value}m{text}\x1b[0m"
        return text


def wants_colour(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that shows colours, and its user didn't ask for none (NO_COLOR)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _drop(stream: TextIO) -> None:
    """Point a stream whose reader is gone to nowhere, so that neither we nor Python's own exit trip over it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def out(*, colour: bool = True) -> Screen:
    """Give the screen for results."""
    return Screen(sys.stdout, colour=colour)


def err(*, colour: bool = True) -> Screen:
    """Give the screen for messages."""
    return Screen(sys.stderr, colour=colour)
