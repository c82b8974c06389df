"""Whole columns of cells at a time: what `values` does with one cell, at a fraction of the cost.

A big pull has millions of cells, and a call for each would be most of its time. So the forms that cells usually have
are dealt with in one go; a column with any other is gone through cell by cell, by the functions of `values`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

from crmbridge.model.values import Money, Value
from crmbridge_salesforce import values
from crmbridge_salesforce.ids import SHORT, to_18
from crmbridge_salesforce.values import NO_CURRENCY, UTC_ENDS, Cell, Decoder, read_moment

Tidier: TypeAlias = Callable[[Sequence[Cell]], Sequence[Cell]]
Reader: TypeAlias = Callable[[Sequence[Cell]], Sequence[Value]]

# Numbers, one a line: in the form that we keep, and as they usually come, which is that or with `.0` at the end.
_WHOLE, _PART = r"-?(?:[1-9][0-9]*+|0)", r"[0-9]*+(?<=[1-9])"
_KEPT = re.compile(rf"(?:{_WHOLE}(?:\.{_PART})?+\n|\n)*+")
_USUAL = re.compile(rf"(?:{_WHOLE}(?:\.(?:0(?=\n)|{_PART}))?+\n|\n)*+")
_TICKS: Mapping[Cell, bool | None] = MappingProxyType({"": None, "true": True, "false": False})


def tidier(column_type: str) -> Tidier | None:
    """Give what brings a column into one form, where several APIs write it differently."""
    one = values.tidier(column_type)
    return None if one is None else TIDIERS[one]


def reader(one: Decoder | None) -> Reader:
    """Give what reads a column as `one` reads its cells, with None for the empty ones.

    It raises ValueError when there is one that can't be read.
    """
    if one is None:
        return _texts
    return READERS.get(one) or (lambda cells: [one(cell) if cell else None for cell in cells])


def amounts(cells: Sequence[Cell], currencies: Sequence[str | None]) -> list[Value]:
    """Read a column of amounts, as `money` does; raises ValueError when one can't be read, or has no currency."""
    pairs = list(zip(_numbers(cells), currencies, strict=True))
    if None in currencies and any(currency is None and number is not None for number, currency in pairs):
        raise ValueError(NO_CURRENCY)
    return [None if number is None else Money(number, currency or "") for number, currency in pairs]


def ids(cells: Sequence[Cell]) -> list[str]:
    """Write a column of ids in their 18-character form, as `to_18` does."""
    return [to_18(cell) if len(cell) == SHORT else cell for cell in cells]


def moments(cells: Sequence[Cell]) -> list[datetime | None]:
    """Read a column of times, as `read_moment` does; raises ValueError when one can't be read."""
    parse = datetime.fromisoformat
    return [
        (parse(f"{cell[:19]}+00:00") if cell[19:] in UTC_ENDS else read_moment(cell)) if cell else None
        for cell in cells
    ]


def _are(form: re.Pattern[str], cells: Sequence[Cell]) -> str | None:
    """Give the cells as lines, where all have a form."""
    lines = "\n".join((*cells, ""))
    return lines if form.fullmatch(lines) and lines.count("\n") == len(cells) else None


def _tidy_numbers(cells: Sequence[Cell]) -> Sequence[Cell]:
    if (lines := _are(_USUAL, cells)) is None:
        return [values.one_number(cell) for cell in cells]
    return lines.replace(".0\n", "\n").split("\n")[:-1]


def _tidy_moments(cells: Sequence[Cell]) -> Sequence[Cell]:
    return [f"{cell[:19]}Z" if cell[19:] in UTC_ENDS else cell for cell in cells]


def _numbers(cells: Sequence[Cell]) -> list[Decimal | None]:
    number_of = Decimal if _are(_KEPT, cells) is not None else values.number_of
    return [number_of(cell) if cell else None for cell in cells]


def _ticks(cells: Sequence[Cell]) -> list[bool | None]:
    try:
        return list(map(_TICKS.__getitem__, cells))
    except KeyError:
        return [values.tick_of(cell) if cell else None for cell in cells]


def _days(cells: Sequence[Cell]) -> list[date | None]:
    try:
        return [date.fromisoformat(cell) if cell else None for cell in cells]
    except ValueError:  # times among them, or something that is neither
        return [values.day_of(cell) if cell else None for cell in cells]


def _choices(cells: Sequence[Cell]) -> list[tuple[str, ...] | None]:
    return [tuple(sorted(filter(None, cell.split(";")))) if cell else None for cell in cells]


def _ids(cells: Sequence[Cell]) -> list[str | None]:
    return [cell or None for cell in ids(cells)]


def _texts(cells: Sequence[Cell]) -> list[str | None]:
    return [cell or None for cell in cells]


# What goes through a column as each of these goes through its cells.
TIDIERS: Mapping[Callable[[Cell], Cell], Tidier] = MappingProxyType(
    {values.one_number: _tidy_numbers, values.one_moment: _tidy_moments}
)
READERS: Mapping[Decoder, Reader] = MappingProxyType(
    {
        values.number_of: _numbers,
        values.tick_of: _ticks,
        values.day_of: _days,
        values.read_moment: moments,
        values.choices_of: _choices,
        to_18: _ids,
    }
)
