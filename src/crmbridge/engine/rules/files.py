"""Which of a deal's files count for a rule: what an adapter tells of them, never what stands in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from crmbridge.engine.expr.runtime import amount
from crmbridge.engine.rules.activities import lies_in
from crmbridge.engine.rules.case import Case, quote
from crmbridge.engine.text import plain
from crmbridge.model.checks import FileRule
from crmbridge.model.findings import Judgement
from crmbridge.model.records import Record
from crmbridge.model.values import Value

FILES = "files"  # what is missing where a file is; no field has this name
UNREAD = "reading_files"  # and where nobody can tell
MOST_SHOWN = 3  # files that a message names
MOST_SEEN = 20  # and those that an explanation lists
LONGEST_NAME = 1_000  # characters that are compared; no CRM keeps so many
_RUNS = re.compile(r"\*+")


class Found(NamedTuple):
    """What looking for files came to."""

    judgement: Judgement
    message: str
    seen: Sequence[str] | None  # the names of all files on the deal; None where nobody can tell
    passed: int = 0  # how many fit

    @property
    def lacks(self) -> str | None:
        """Name what is missing; None where nothing is."""
        if self.judgement is Judgement.PASS:
            return None
        return FILES if self.judgement is Judgement.FAIL else UNREAD

    @property
    def value(self) -> Value:
        """Give the names as the value that was looked at."""
        return None if self.seen is None else tuple(self.seen)


def look_for(wanted: FileRule, case: Case) -> Found:
    """Look for the files that a rule asks for, and say which there are."""
    files = case.beside.files
    if files is None:
        why = case.beside.no_files or "Files are not pulled from this CRM"
        return Found(Judgement.UNKNOWN, f"{why}, so this can't be decided.", None)
    fitting = [each for each in files if fits(each, wanted, case)]
    seen = [quote(each.fields.get("name")) for each in files[:MOST_SEEN]]
    if len(fitting) >= wanted.at_least:
        return Found(Judgement.PASS, f"Attached: {_named(fitting)}.", seen, len(fitting))
    if wanted.at_least == 1:
        message = f"No {in_words(wanted)} is attached."
    else:
        message = f"{len(fitting)} of the {wanted.at_least} {in_words(wanted)} that it needs are attached."
    return Found(Judgement.FAIL, message, seen, len(fitting))


def fits(file: Record, wanted: FileRule, case: Case) -> bool:
    """Tell whether a file is one of those that a rule asks for."""
    return (
        (wanted.name is None or _has_name(file, wanted.name))
        and (wanted.kind is None or _has_kind(file, wanted.kind))
        and (not wanted.in_stage or lies_in(file, case.visit))
    )


def in_words(wanted: FileRule) -> str:
    """Say what is looked for, such as "file named *proposal* (pdf or docx)"."""
    file = "file" if wanted.at_least == 1 else "files"
    name = f" named {' or '.join(map(plain, wanted.name))}" if wanted.name else ""
    kind = f" ({' or '.join(map(plain, wanted.kind))})" if wanted.kind else ""
    return f"{'new ' if wanted.in_stage else ''}{file}{name}{kind}"


def is_like(name: str, pattern: str) -> bool:
    """Tell whether a whole name is what a pattern says: `*` stands for anything, `?` for one character, case aside.

    It takes at most the product of both lengths, whatever stands in them: no way is tried twice.
    """
    first, *others = _RUNS.split(_alike(pattern))
    text = _alike(name[:LONGEST_NAME])
    if not others:
        return len(text) == len(first) and _is_at(text, 0, first)
    *middle, last = others
    end = len(text) - len(last)
    if end < len(first) or not _is_at(text, 0, first) or not _is_at(text, end, last):
        return False
    at = len(first)
    for piece in middle:
        found = _first(text, piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


@lru_cache(maxsize=1024)
def _alike(text: str) -> str:
    """Give what is the same for texts that look the same: a Mac writes an accent as a sign of its own."""
    return text.casefold() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


def _first(text: str, piece: str, start: int, end: int) -> int:
    """Find the first place of a piece between two others, -1 where there is none."""
    if "?" not in piece:
        return text.find(piece, start, end)
    last = end - len(piece)
    return next((at for at in range(start, last + 1) if _is_at(text, at, piece)), -1)


def _is_at(text: str, at: int, piece: str) -> bool:
    if "?" not in piece:
        return text.startswith(piece, at)
    there = text[at : at + len(piece)]
    return len(there) == len(piece) and all(want in {"?", sign} for want, sign in zip(piece, there, strict=True))


def _has_name(file: Record, patterns: Iterable[str]) -> bool:
    name = str(file.fields.get("name") or "").strip()
    return any(is_like(name, pattern.strip()) for pattern in patterns)


def _has_kind(file: Record, kinds: Iterable[str]) -> bool:
    kind = str(file.fields.get("type") or "").casefold()
    return kind in {each.strip().removeprefix(".").casefold() for each in kinds}


def _named(files: Sequence[Record]) -> str:
    names = [_told(each) for each in files[:MOST_SHOWN]]
    more = len(files) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _told(file: Record) -> str:
    name, size = quote(file.fields.get("name")), amount(file.fields.get("size"))
    return f"{name} ({_in_units(size)})" if size is not None and 0 <= size < 10**15 else name


def _in_units(size: Decimal | int) -> str:
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_:
            return f"{Decimal(size) / bytes_:.1f} {unit}"
    return f"{size:f} byte{'' if size == 1 else 's'}"
