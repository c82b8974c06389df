"""Whole columns of cells at a time: what `values` does with one cell, at a fraction of the cost.

A big pull has millions of cells, and a call for each would be most of its time. So the forms that cells usually have
are dealt with in one go; a column with any other is gone through cell by cell, by the functions of `values`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from crmbridge.adapting import WRITERS, Pieces, spread, without_value, write_amounts, write_any
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_salesforce import values
from crmbridge_salesforce.ids import SHORT, to_18
from crmbridge_salesforce.values import NO_CURRENCY, UTC_ENDS, Cell, Decoder, read_moment

Tidier: TypeAlias = Callable[[Sequence[Cell]], Sequence[Cell]]
Reader: TypeAlias = Callable[[Sequence[Cell]], Sequence[Any]]

# Numbers, one a line: in the form that we keep, as far as Decimal writes it so, too, which has an exponent for what is
# smaller; and as they usually come, which is the form that we keep or with `.0` at the end.
_WHOLE, _PART = r"-?(?:[1-9][0-9]*+|0)", r"[0-9]*+(?<=[1-9])"
_KEPT = re.compile(rf"(?:{_WHOLE}(?:\.[0-9]{{1,6}}+(?<=[1-9]))?+\n)*+")
_USUAL = re.compile(rf"(?:{_WHOLE}(?:\.(?:0(?=\n)|{_PART}))?+\n|\n)*+")
_TICKS: Mapping[Cell, bool] = MappingProxyType({"true": True, "false": False})


def tidier(column_type: str) -> Tidier | None:
    """Give what brings a column into one form, where several APIs write it differently."""
    one = values.tidier(column_type)
    return None if one is None else TIDIERS[one]


class Field(NamedTuple):
    """A field that a column holds."""

    name: str
    kind: FieldType
    read: Decoder | None  # of one cell that is not empty; None: the cell is the value


class Written(NamedTuple):
    """A field of several rows: as it is stored, and, where somebody needs them, the values."""

    pieces: Pieces
    values: Callable[[], Sequence[Value]]


def written(field: Field, cells: Sequence[Cell]) -> Written:
    """Read and write a column as `field.read` does with its cells; the empty ones hold nothing.

    Raises ValueError when there is one that can't be read.
    """
    filled = [cell for cell in cells if cell]
    if field.read in (None, *READERS):
        found = READERS[field.read](filled) if field.read else filled
        pieces = WRITERS[field.kind](field.name, found)
    else:
        found = [field.read(cell) for cell in filled] if field.read else filled
        pieces = write_any(field.name, found)
    values = partial(_values, found, cells, Decimal if field.kind is FieldType.NUMBER else None)
    return Written(spread(pieces, cells, without_value(field.name)), values)


def written_amounts(name: str, cells: Sequence[Cell], currencies: Sequence[str | None]) -> Written:
    """Read and write a column of amounts, as `money` reads each.

    Raises ValueError when one can't be read, or has no currency.
    """
    numbers = _numbers([cell for cell in cells if cell])
    codes = [currency for currency, cell in zip(currencies, cells, strict=True) if cell]
    said = [code for code in codes if code is not None]
    if len(said) < len(codes):
        raise ValueError(NO_CURRENCY)
    pieces = spread(write_amounts(name, numbers, said) if said else (), cells, without_value(name))
    return Written(pieces, lambda: _values([*map(Money, map(Decimal, numbers), said)], cells))


def _values(found: Sequence[Any], cells: Sequence[Cell], make: Callable[[Any], Value] | None = None) -> Sequence[Value]:
    return spread([*map(make, found)] if make else found, cells, None)


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


def _numbers(cells: Sequence[Cell]) -> Sequence[Cell | Decimal]:
    """Read numbers; those that stand there just as they are written need not be read for that."""
    return cells if _are(_KEPT, cells) is not None else [values.number_of(cell) for cell in cells]


def _ticks(cells: Sequence[Cell]) -> list[bool]:
    try:
        return [*map(_TICKS.__getitem__, cells)]
    except KeyError:
        return [*map(values.tick_of, cells)]


def _days(cells: Sequence[Cell]) -> list[date]:
    try:
        return [*map(date.fromisoformat, cells)]
    except ValueError:  # times among them, or something that is neither
        return [*map(values.day_of, cells)]


def _choices(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    return [tuple(sorted(filter(None, cell.split(";")))) for cell in cells]


# What goes through a column as each of these goes through its cells; readers of the cells that are not empty.
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
        to_18: ids,
    }
)
