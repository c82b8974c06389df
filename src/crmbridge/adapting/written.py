"""Fields written a column at a time: of a page of records, what `fields_to_text` gives for each, at half its cost.

An adapter that knows what kind of value a field has reads that field of all records of a page at once, and hands the
records over with their fields as they are stored: reading and writing are then a few calls for a whole column, where
each value would cost several. A page with a value that is not as usual is cut in halves, and what is left of those is
read one by one, which also says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from types import MappingProxyType
from typing import Any, TypeVar, overload

import msgspec

from crmbridge.model.numbers import MOST_DIGITS, plain_number
from crmbridge.model.values import FieldType, Value, WrittenFields, fields_to_utf8

Pieces = Sequence[str]  # of each record the field's name and value with a comma behind; "" where it has no such field
Write = Callable[[str, Sequence[Any]], Pieces]
UNUSUAL = (KeyError, TypeError, ValueError, ArithmeticError)  # what reading and writing at once may raise
KNOWN = ("name", "amount", "owner", "close_date")  # fields that the table of records has columns of its own for
FEWEST = 12  # records that are worth columns
BETWEEN = "\0"  # stands between texts that are written together
BETWEEN_WRITTEN = "\\u0000"  # as it is written

# Numbers, one a line, without an exponent: Decimal writes one where there are more places than these.
_PLAIN = re.compile(rf"(?:-?(?:0|[1-9][0-9]{{0,{MOST_DIGITS - 1}}}+)(?:\.[0-9]{{1,6}})?+\n)*+")

R = TypeVar("R")
Row = TypeVar("Row")
_write = msgspec.json.Encoder().encode


def read_at_once(rows: Sequence[Row], together: Callable[[Sequence[Row]], list[R]], one: Callable[[Row], R]) -> list[R]:
    """Read rows together; where that raises one of UNUSUAL, each half of them, and few rows one by one."""
    if len(rows) < FEWEST:
        return [one(row) for row in rows]
    try:
        return together(rows)
    except UNUSUAL:
        half = len(rows) // 2
        return read_at_once(rows[:half], together, one) + read_at_once(rows[half:], together, one)


class Framed(Sequence[str]):
    """Pieces that begin and end alike, not put together until the whole record is."""

    def __init__(self, head: str, texts: Sequence[str], tail: str) -> None:
        self.head, self.texts, self.tail = head, texts, tail

    def __len__(self) -> int:
        """Count the pieces."""
        return len(self.texts)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Framed: ...

    def __getitem__(self, place: int | slice) -> str | Framed:
        """Give one piece, or several."""
        if isinstance(place, slice):
            return Framed(self.head, self.texts[place], self.tail)
        return f"{self.head}{self.texts[place]}{self.tail}"

    def __iter__(self) -> Iterator[str]:
        """Go through the pieces."""
        return map("".join, zip(repeat(self.head), self.texts, repeat(self.tail)))


def put_together(columns: Sequence[Pieces], known: Mapping[str, Sequence[Value]]) -> list[WrittenFields]:
    """Make the fields of each record of columns in the order of their names; `known` are some of the values, too."""
    rows = map("".join, zip(*_parts(columns), strict=True))
    return [
        WrittenFields(f"{{{row[:-1]}}}", dict(zip(known, values, strict=True)))
        for row, values in zip(rows, zip(*known.values(), strict=True), strict=True)
    ]


def _parts(columns: Sequence[Pieces]) -> Iterator[Iterable[str]]:
    """Give what records are made of, a part of all of them at a time. What all have between two values is one part."""
    between = ""
    for column in columns:
        if isinstance(column, Framed):
            yield repeat(between + column.head, len(column))
            yield column.texts
            between = column.tail
        else:
            yield repeat(between, len(column))
            yield column
            between = ""
    yield repeat(between, len(columns[-1]))


def spread(column: Sequence[R], filled: Sequence[Any], empty: R) -> Sequence[R]:
    """Give each record its place: `column` has those of which `filled` is true, `empty` is for the others."""
    if len(column) == len(filled):
        return column
    following = iter(column).__next__
    return [following() if each else empty for each in filled]


def without_value(name: str) -> str:
    """Write a field that is there and has no value."""
    return f"{quoted(name)}:null,"


def quoted(text: str) -> str:
    """Write a text as `fields_to_text` does."""
    return _write(text).decode()


def write_texts(name: str, values: Sequence[str]) -> Pieces:
    """Write texts."""
    if not values:
        return ()
    written = _write(BETWEEN.join(values))
    texts = values
    if written.count(b"\\") != len(values) - 1:  # not only what stands between them was escaped
        texts = written[1:-1].decode().split(BETWEEN_WRITTEN)
    if len(texts) != len(values):  # it stands in them, too, or what it is written as does
        texts = [quoted(value)[1:-1] for value in values]
    return Framed(f'{quoted(name)}:"', texts, '",')


def write_any(name: str, values: Sequence[Value]) -> Pieces:
    """Write values of whatever kind, and None as one that is there."""
    return [f"{fields_to_utf8({name: value})[1:-1]}," for value in values]


def numbers_in(texts: Sequence[str]) -> Sequence[str | Decimal]:
    """Read numbers for the writers; where all stand there just as Decimal writes them, they need not be read for that.

    Raises ValueError or ArithmeticError for what is no number, or has too many digits.
    """
    lines = "\n".join((*texts, ""))
    if _PLAIN.fullmatch(lines) and lines.count("\n") == len(texts):
        return texts
    numbers = [*map(plain_number, texts)]
    if not all(map(Decimal.is_finite, numbers)):
        raise ValueError("not a number")
    return numbers


def write_amounts(name: str, amounts: Sequence[Decimal | str], currencies: Sequence[str]) -> Pieces:
    """Write amounts of money, each in its currency; an amount may be the text that Decimal writes of it."""
    if len({*currencies}) == 1:
        return Framed(f'{quoted(name)}:{{"money":["', _unquoted(amounts), f'",{quoted(currencies[0])}]}},')
    pairs = zip(amounts, currencies, strict=True)
    return [f'{quoted(name)}:{{"money":["{amount}",{quoted(currency)}]}},' for amount, currency in pairs]


def _write_sets(name: str, values: Sequence[tuple[str, ...]]) -> Pieces:
    texts = _write(values)[2:-2].decode().split("],[") if values else []
    if len(texts) != len(values):  # some have texts that look like several sets
        texts = [_write(value)[1:-1].decode() for value in values]
    return Framed(f'{quoted(name)}:{{"set":[', texts, "]},")


def write_plain(name: str, values: Sequence[bool | int]) -> Pieces:
    """Write yes-or-nos, or whole numbers that count something."""
    return Framed(f"{quoted(name)}:", _write(values)[1:-1].decode().split(","), ",") if values else ()


def _tagged(tag: str) -> Write:
    """Make what writes values that msgspec writes as texts with nothing in them that must be escaped."""
    return lambda name, values: Framed(f'{quoted(name)}:{{"{tag}":"', _unquoted(values), '"},') if values else ()


def _unquoted(values: Sequence[Any]) -> Sequence[str]:
    """Write such values; what is a text already is left as it is."""
    return values if isinstance(values[0], str) else _write(values)[2:-2].decode().split('","')


# By type what writes values of it that are there. Times are in UTC. Amounts come with their currencies. A number may be
# the text that Decimal writes of it.
WRITERS: Mapping[FieldType, Write] = MappingProxyType(
    {
        FieldType.TEXT: write_texts,
        FieldType.CHOICE: write_texts,
        FieldType.USER: write_texts,
        FieldType.NUMBER: _tagged("decimal"),
        FieldType.BOOL: write_plain,
        FieldType.DATE: _tagged("date"),
        FieldType.DATETIME: _tagged("datetime"),
        FieldType.CHOICES: _write_sets,
    }
)
