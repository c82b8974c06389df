"""Where a character of a YAML scalar's value stands in the file: within quotes, escapes and blocks of lines."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from crmbridge.files.yaml_nodes import Span

_PROPERTIES = re.compile(r"(?:[&!]\S*[ \t]+)*")  # an anchor or a tag before the value
_BLOCK_HEADER = re.compile(r"[|>][^\r\n]*")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|\r\n|.)", re.DOTALL)
_BLANK = frozenset(" \t\r\n\x85\u2028\u2029")
_BLANK_ESCAPES = frozenset("tnrNLP \t\r\n")


def place_within(text: str, scalar: Span, value: str, inner: tuple[int, int]) -> Span:
    """Place a piece of a scalar's value in the file's text; `scalar` is where the scalar stands there.

    Lines are folded and indentation taken away in so many ways that blanks are not counted: the characters that are
    none stand in the same order in both.
    """
    start, _ = _position(text, scalar, value, inner[0])
    _, end = _position(text, scalar, value, max(inner[1] - 1, inner[0]))
    return Span(start, max(end, start + 1) if inner[1] > inner[0] else start)


def _position(text: str, scalar: Span, value: str, index: int) -> tuple[int, int]:
    """Give where a character of the value begins and ends; a blank stands behind what is before it."""
    blank = _is_blank(value, index)
    count = sum(char not in _BLANK for char in value[:index]) - blank
    at, after = next(itertools.islice(_characters(text, scalar), max(count, 0), None), (scalar.start, scalar.start))
    if not blank:
        return at, after
    behind = min(after + index - len(value[:index].rstrip("".join(_BLANK))), scalar.end) if count >= 0 else at
    return behind, behind + 1


def _is_blank(value: str, index: int) -> bool:
    return index >= len(value) or value[index] in _BLANK


def _characters(text: str, scalar: Span) -> Iterator[tuple[int, int]]:
    """Give where each character that is no blank begins and ends in the text."""
    properties = _PROPERTIES.match(text, scalar.start, scalar.end)
    at = properties.end() if properties else scalar.start
    quote = text[at : at + 1]
    if quote in {"|", ">"} and (header := _BLOCK_HEADER.match(text, at)):
        at = header.end()
    quoted = quote if quote in {"'", '"'} else ""
    at, end = (at + 1, scalar.end - 1) if quoted else (at, scalar.end)
    while at < end:
        after = _after(text, at, quoted)
        if not _stands_for_blank(text, at, after):
            yield at, after
        at = after


def _after(text: str, at: int, quoted: str) -> int:
    if quoted == "'" and text.startswith("''", at):
        return at + 2
    if quoted == '"' and (escape := _ESCAPE.match(text, at)):
        return escape.end()
    return at + 1


def _stands_for_blank(text: str, at: int, after: int) -> bool:
    if text[at] != "\\" or after == at + 1:
        return text[at] in _BLANK
    if text[at + 1] in "xuU":
        return chr(int(text[at + 2 : after], 16)) in _BLANK
    return text[at + 1] in _BLANK_ESCAPES
