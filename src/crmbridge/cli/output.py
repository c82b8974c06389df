"""Everything people see: lines that are cleaned, aligned, and coloured only at a terminal."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TextIO

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.revealed import strike

ELLIPSIS = "…"
GAP = 2  # columns between two cells
NARROW = 40  # columns; with fewer left, a row's last cell goes below the others
# Colours and cursor moves go whole. Of any other sequence only the escape goes and its text stays, as where it ends is
# for the sender to say: nothing may hide what stands beside it.
_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[@-~]")
_PIECES = re.compile(r"[^ 、。，；：]*(?:[ 、。，；：]+|$)")  # noqa: RUF001  Chinese has no spaces to break lines at
_JOINERS = "\u200c\u200d"  # they belong to words and emoji, and change no order


class Tone(StrEnum):
    """How a piece of text is coloured, named by what it means. The value is the terminal's code."""

    STRONG = "1"
    DIM = "2"
    GOOD = "32"
    WARN = "33"
    BAD = "31"


class Tinted(Struct, frozen=True):
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


def screen_width() -> int | None:
    """Give the width of the terminal that results go to; None where they go elsewhere, and lines stay whole."""
    import shutil  # noqa: PLC0415  with what it needs, a tenth of the time that --help takes

    return shutil.get_terminal_size((100, 24)).columns if is_terminal(sys.stdout) else None


def table(
    rows: Iterable[Sequence[Part]], *, heads: Sequence[str] = (), indent: int = 0, most: int = 60, longest: int = 400
) -> Iterator[Line]:
    """Align rows in columns. A cell is cut to `most` columns; the last to `longest`, and is wrapped at a terminal."""
    cells = [[_fitted(cell, longest if i == len(row) - 1 else most) for i, cell in enumerate(row)] for row in rows]
    if heads and cells:
        cells.insert(0, [dim(head) for head in heads])
    count = max(map(len, cells), default=0)
    widths = [max((width(_text(row[i])) for row in cells if i < len(row) - 1), default=0) for i in range(count)]
    columns = screen_width()
    for row in cells:
        before: list[Part] = [" " * indent]
        for i, cell in enumerate(row[:-1]):
            before += [cell, " " * (widths[i] - width(_text(cell)) + GAP)]
        yield from _wrapped(before, row[-1] if row else "", columns, indent)


def _wrapped(before: list[Part], last: Part, columns: int | None, indent: int) -> Iterator[Line]:
    """Put a row's last cell behind the others, in lines of its own width; below them where too little is left."""
    used = sum(width(_text(part)) for part in before)
    if columns is None or used + width(_text(last)) <= columns:
        yield [*before, last]
        return
    if columns - used < NARROW:
        if any(_text(part).strip() for part in before):
            yield from _flowed(before[1:], columns, indent)
        before, used = [], indent + 4
    for number, text in enumerate(_lines_of(_text(last), max(columns - used, NARROW))):
        lead: list[Part] = before if before and number == 0 else [" " * used]
        yield [*lead, Tinted(text, last.tone) if isinstance(last, Tinted) else text]


def _flowed(cells: list[Part], columns: int, indent: int) -> Iterator[Line]:
    """Put cells, each with the gap behind it, into one line, or into several where they are wider than the screen."""
    line: list[Part] = [" " * indent]
    used = indent
    for cell, gap in zip(cells[::2], cells[1::2], strict=True):
        if len(line) > 1 and used + width(_text(cell)) > columns:
            yield line[:-1]
            line, used = [" " * (indent + 4)], indent + 4
        line += [cell, gap]
        used += width(_text(cell)) + width(_text(gap))
    yield line[:-1]


def _lines_of(text: str, columns: int) -> Iterator[str]:
    """Break text between words so that each line fits; a word that is longer than a line stays whole."""
    line = ""
    for piece in _PIECES.findall(text):
        if line and width(line) + width(piece.rstrip(" ")) > columns:
            yield line.rstrip(" ")
            line = piece
        else:
            line += piece
    yield line.rstrip(" ")


def _fitted(cell: Part, longest: int) -> Part:
    return Tinted(cut(cell.text, longest), cell.tone) if isinstance(cell, Tinted) else cut(cell, longest)


def _text(part: Part) -> str:
    return part.text if isinstance(part, Tinted) else part


def plural(count: int, one: str, many: str | None = None) -> str:
    """Count things in words: `1 deal`, `2 deals`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


class Screen:
    """One output stream; None is one that was closed before we began.

    A reader that went away, or closed the terminal, costs nothing: what is left to say is then dropped.
    """

    def __init__(self, stream: TextIO | None, *, colour: bool) -> None:
        self._stream = stream
        self._colour = colour and wants_colour(stream)

    def show(self, lines: Iterable[Line]) -> None:
        """Write lines."""
        self.write("".join(f"{self._paint(line)}\n" for line in lines))

    def write(self, text: str) -> None:
        """Write text as it is, without the secrets that it may hold, in whatever characters the stream has.

        Raises ConfigurationError when the place it goes to can't take it, such as a disk that is full.
        """
        if self._stream is None:
            return
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        fit = strike(text).encode(encoding, "replace").decode(encoding)
        try:
            self._stream.write(fit)
            self._stream.flush()
        except OSError as error:
            unread = _is_unread(self._stream, error)
            drop(self._stream)
            if unread:
                return
            message = f"The output can't be written: {error.strerror or error}"
            raise ConfigurationError(
                message, advice="What the command did stands; `crmbridge history` has it."
            ) from None

    def _paint(self, line: Line) -> str:
        parts = [line] if isinstance(line, str | Tinted) else line
        return "".join(self._painted(part) for part in parts).rstrip()

    def _painted(self, part: Part) -> str:
        text = clean(_text(part))
        if self._colour and text and isinstance(part, Tinted):
            return f"\x1b[{part.tone.value}m{text}\x1b[0m"
        return text


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether somebody sits at the other end of a stream."""
    return stream is not None and stream.isatty()


def wants_colour(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal that shows colours, and its user didn't ask for none (NO_COLOR)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _is_unread(stream: TextIO, error: OSError) -> bool:
    """Tell whether a pipe's reader went away, or a terminal was closed: the system then calls it none any more."""
    closed = error.errno == errno.EIO and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    return closed or isinstance(error, BrokenPipeError)


def drop(stream: TextIO) -> None:
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
