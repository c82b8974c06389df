"""Single values between an org's columns and the model: decoded by what is asked for, encoded by what the column is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.http.replies import UNREADABLE, tidy
from crmbridge.model.values import FieldType, Money, Value, is_empty, iso, parse_iso
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.schema import NO, YES, Column

NO_CURRENCY = "the org does not say which currency its amounts are in; set `currency` for the connection"


# Ends of a time in UTC: as JSON answers have it, as CSV has it, and as we keep it.
UTC_ENDS = frozenset({".000+0000", ".000Z", "Z", "+0000"})
_NUMBERS = frozenset({"currency", "double", "int", "long", "percent"})
COMPOUNDS = frozenset({"address", "location", "complexvalue"})
_PLAIN = re.compile(r"-?[1-9][0-9]*(?:\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*|0")
_SHORTEST = re.compile(r"-?[1-9][0-9]*(?:\.[0-9]*[1-9])?|-?0\.[0-9]*[1-9]|0")
COMPOUND = "\0compound"  # stands for a value that is several

Cell = str  # one column of one row; empty for null. The same value gives the same cell, by whichever API it came
Decoder = Callable[[Cell], Value]


def cell_of(raw: Any) -> Cell:
    """Write a value of a JSON row as the cell that it would be in CSV."""
    match raw:
        case None:
            return ""
        case bool():
            return "true" if raw else "false"
        case Decimal():
            return f"{raw:f}"
        case dict() | list():
            return COMPOUND
        case _:
            return str(raw)


def tidier(column_type: str) -> Callable[[Cell], Cell] | None:
    """Give what brings the cells of a column into one form, where several APIs write it differently."""
    if column_type in _NUMBERS:
        return one_number
    return one_moment if column_type == "datetime" else None


def one_number(cell: Cell) -> Cell:
    """Write a number without an exponent and without zeros at its end; what is no number stays."""
    if _PLAIN.fullmatch(cell):
        return cell.rstrip("0").rstrip(".") if "." in cell else cell
    try:
        return f"{number_of(cell):f}" if cell else ""
    except ValueError:
        return cell


def one_moment(cell: Cell) -> Cell:
    """Write a time in UTC in one way; what is no such time stays."""
    return f"{cell[:19]}Z" if cell[19:] in UTC_ENDS else cell


def decoder(kind: FieldType) -> Decoder | None:
    """Give what reads a cell that is not empty as a type other than money; None where the cell is the value.

    A decoder raises ValueError in words for a person when the cell isn't one. A checkbox is never empty, so unticked
    reads as false.
    """
    return _DECODERS[kind]


def money(cell: Cell, currency: str | None) -> Money:
    """Read an amount; raises ValueError when it is none, or nobody says its currency."""
    if currency is None:
        raise ValueError(NO_CURRENCY)
    return Money(number_of(cell), currency)


def decode(raw: Any, kind: FieldType, currency: str | None) -> Value:
    """Read a single value as a type; raises ValueError in words for a person when it isn't one."""
    cell = cell_of(raw)
    if not cell:
        return None
    if cell == COMPOUND:
        raise ValueError("holds a compound value")
    if kind is FieldType.MONEY:
        return money(cell, currency)
    read = decoder(kind)
    return read(cell) if read else cell


def number_of(cell: Cell) -> Decimal:
    """Read a number; raises ValueError when it is none."""
    try:
        number = Decimal(cell)
        if _SHORTEST.fullmatch(cell):
            return number
        if not number.is_finite():
            raise ValueError(f"holds {cell[:40]!r}, which is no number")
        # 1200.0 and 1200 are one number and should be written one way.
        return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()
    except InvalidOperation:
        raise ValueError(f"holds {cell[:40]!r}, which is no number") from None


def tick_of(cell: Cell) -> bool:
    """Read a checkbox, or a picklist that says yes or no; raises ValueError for other words."""
    word = cell.strip().lower()
    if word not in YES | NO:
        raise ValueError(f"holds {cell[:40]!r}, which is neither yes nor no")
    return word in YES


class NoTimeError(RetryLaterError, ValueError):
    """A time that can't be read: a problem of its field, or, where no field holds it, of the whole answer."""


def read_moment(raw: Any) -> datetime:
    """Read a dateTime (`2026-11-23T06:00:00.000+0000`), or a date as its midnight in UTC; raises NoTimeError."""
    text = str(raw)
    try:
        if text[19:] in UTC_ENDS:
            return datetime.fromisoformat(f"{text[:19]}+00:00")
        return parse_iso(text) if "T" in text else datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise NoTimeError(f"holds {text[:40]!r}, which is no time", advice=UNREADABLE) from None


def day_of(cell: Cell) -> date:
    """Read a date, or the day of a time in UTC; raises ValueError when it is neither."""
    return read_moment(cell).date()


def choices_of(cell: Cell) -> tuple[str, ...]:
    """Read what was chosen from a picklist, in order."""
    return tuple(sorted(part for part in cell.split(";") if part))


_DECODERS: Mapping[FieldType, Decoder | None] = MappingProxyType(
    {
        FieldType.TEXT: None,
        FieldType.CHOICE: None,
        FieldType.NUMBER: number_of,
        FieldType.BOOL: tick_of,
        FieldType.DATE: day_of,
        FieldType.DATETIME: read_moment,
        FieldType.CHOICES: choices_of,
        FieldType.USER: to_18,
    }
)


def encode(column: Column, value: Value) -> Any:
    """Write a value for a column as plain JSON; raises RefusedError when the column can't hold it.

    An empty value clears the column by null. A checkbox can't be cleared: it is unticked.
    """
    if is_empty(value):
        return False if column.type == "boolean" else None
    encoder = _ENCODERS.get(column.type)
    return encoder(column, value) if encoder else _as_text(value)


def _refuse(column: Column, value: Value, what: str) -> RefusedError:
    return RefusedError(f"{column.name} holds {what}; {tidy(str(value), 60)!r} can't be written there")


def _as_bool(column: Column, value: Value) -> bool:
    if not isinstance(value, bool):
        raise _refuse(column, value, "a checkbox")
    return value


def _as_number(column: Column, value: Value) -> int | Decimal:
    number = value.amount if isinstance(value, Money) else value
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise _refuse(column, value, "a number")
    if column.precision and not _fits(Decimal(number), column):
        # The org would round it and say nothing.
        raise _refuse(column, value, f"numbers of {column.precision} digits, {column.scale} of them after the point")
    return number


def _fits(number: Decimal, column: Column) -> bool:
    try:
        exact = number == number.quantize(Decimal(1).scaleb(-column.scale))
    except InvalidOperation:
        return False
    return exact and number.adjusted() < column.precision - column.scale


def _as_date(column: Column, value: Value) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).date().isoformat()
    if not isinstance(value, date):
        raise _refuse(column, value, "a date")
    return value.isoformat()


def _as_moment(column: Column, value: Value) -> str:
    if isinstance(value, datetime):
        return iso(value.replace(microsecond=0))
    if not isinstance(value, date):
        raise _refuse(column, value, "a time")
    return iso(datetime.combine(value, time(), UTC))


def _as_option(column: Column, value: Value) -> str:
    """Find the option for a value by what is stored, if need be in another case.

    An unrestricted picklist takes any other text, but none that is the label of an option: whoever wrote that means the
    option, whose value would then come back as somebody's edit.
    """
    active = [option for option in column.options if option.active]
    if isinstance(value, bool):
        wanted = YES if value else NO
        matches = [option.value for option in active if option.value.lower() in wanted]
    else:
        text = _as_text(value)
        matches = [o.value for o in active if o.value == text]
        matches = matches or [o.value for o in active if o.value.casefold() == text.casefold()]
        if not matches and (meant := [o.value for o in active if o.label == text]):
            raise _refuse(column, value, f"{tidy(meant[0], 60)!r} for what people see under that label")
        matches = matches or ([] if column.restricted else [text])
    if not matches:
        raise _refuse(column, value, "one of: " + ", ".join(option.value for option in active))
    return matches[0]


def _as_options(column: Column, value: Value) -> str:
    chosen = value if isinstance(value, tuple) else (_as_text(value),)
    options = [_as_option(column, item) for item in chosen]
    if any(";" in option for option in options):  # it stands between options: the org would take one for two
        raise _refuse(column, value, "options without a semicolon")
    return ";".join(options)


def _as_text(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case tuple():
            return "; ".join(value)
        case _:
            return str(value)


_ENCODERS: Mapping[str, Callable[[Column, Value], Any]] = MappingProxyType(
    {
        "boolean": _as_bool,
        "currency": _as_number,
        "double": _as_number,
        "int": _as_number,
        "long": _as_number,
        "percent": _as_number,
        "date": _as_date,
        "datetime": _as_moment,
        "multipicklist": _as_options,
        "picklist": _as_option,
    }
)
