"""Text from a file, made fit to be shown in a terminal: harmless, aligned and not too long."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

TAB = "    "
WIDEST = 100  # columns of a source line that are shown
BEFORE = 60  # of them before the place that matters
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, direction marks, line separators


class Excerpt(NamedTuple):
    """A source line cut to what matters, and the carets that go under it."""

    line: str
    carets: str


def harmless(text: str) -> str:
    """Replace control and direction characters, which could forge or hide output, by a visible mark."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(char) in _HARMFUL else char for char in text)


def columns(text: str) -> int:
    """Count the terminal columns that a text takes: wide characters take two, combining ones none."""
    return sum(_columns_of(char) for char in text)


def shorten(text: str, longest: int) -> str:
    """Cut a text in the middle of a sentence when it would fill the screen."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def excerpt(line: str, col: int, width: int) -> Excerpt:
    """Cut a line around a place (column from 1, both in characters) and draw the carets under it."""
    start = min(max(col - 1, 0), len(line))
    first = max(start - BEFORE, 0) if columns(line[: start + WIDEST]) > WIDEST else 0
    before, marked, after = line[first:start], line[start : start + width], line[start + width : first + WIDEST]
    marked = marked[: max(WIDEST - len(before), 1)]
    lead = "…" if first else ""
    tail = "…" if len(line) > max(first + WIDEST, start + len(marked)) else ""
    shown = [_shown(part) for part in (before, marked, after)]
    carets = " " * columns(lead + shown[0]) + "^" * max(columns(shown[1]), 1)
    return Excerpt(lead + "".join(shown) + tail, carets)


def _shown(text: str) -> str:
    return harmless(text.replace("\t", TAB))


def _columns_of(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
