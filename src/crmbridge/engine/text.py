"""Make text that came from a CRM harmless to show, and fill the few names that message templates know."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

_JOINERS = "\u200c\u200d"  # they belong to words and emoji, and change no order
# What a spreadsheet would take for a formula; full-width forms count, as some programs turn them into the others.
_FORMULA = re.compile(r"\s*[=+\-@|%\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*([eE][+-]?\d+)?%?")
# Where a comma is for decimals, Excel takes a semicolon for the end of a cell, quotes or not: what follows begins one.
_NEXT = re.compile(rf";(?={_FORMULA.pattern})(?!\s*{_NUMBER.pattern}\s*(?:;|$))")
_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


def plain(text: str, limit: int = 200) -> str:
    """Give text as one line without control and direction characters, cut to `limit` characters."""
    kept = text[: 4 * limit]
    if not kept.isprintable():  # most texts are, and then there is nothing to leave out
        kept = "".join(_kept(character) for character in kept)
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run; a number written as text, such as -5, stays one."""
    guarded = f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
    return _NEXT.sub(";'", guarded) if ";" in guarded else guarded


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace `{name}` by its value where the name is known; anything else stays, values are not looked into."""
    literals = _cut(template)
    names = literals[1::2]
    filled = [*literals]
    filled[1::2] = [values.get(name, f"{{{name}}}") for name in names]
    return "".join(filled)


@lru_cache(maxsize=4096)
def _cut(template: str) -> tuple[str, ...]:
    """Cut a template into text and names, in turn."""
    return tuple(_PLACEHOLDER.split(template))


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if category in {"Cf", "Cs"} and character not in _JOINERS else character
