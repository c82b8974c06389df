"""Values as Tryton's JSON has them, and as crmbridge does. Times are UTC on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import UnionType
from typing import Any

from crmbridge.errors import RefusedError
from crmbridge.model.values import FieldType, Money, Value

DAY = ("year", "month", "day")
MOMENT = (*DAY, "hour", "minute", "second", "microsecond")
TYPES: Mapping[str, FieldType] = {
    **dict.fromkeys(("char", "text"), FieldType.TEXT),
    **dict.fromkeys(("numeric", "float", "integer"), FieldType.NUMBER),
    "boolean": FieldType.BOOL,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "timestamp": FieldType.DATETIME,
    "selection": FieldType.CHOICE,
    "multiselection": FieldType.CHOICES,
}

READ: Mapping[FieldType, tuple[type | UnionType, Callable[[Any], Value]]] = {
    FieldType.TEXT: (str, str),
    FieldType.CHOICE: (str, str),
    FieldType.NUMBER: (int | Decimal, Decimal),
    FieldType.MONEY: (Decimal, Decimal),
    FieldType.BOOL: (int, bool),  # on SQLite it is a number
    FieldType.DATE: (date, lambda day: day),
    FieldType.DATETIME: (datetime, lambda moment: moment),
    FieldType.CHOICES: (list, lambda items: tuple(sorted(map(str, items)))),
    FieldType.USER: (int, str),
}


def plain(data: Any) -> Any:
    """Turn an answer's JSON into values."""
    match data:
        case {"__class__": "Decimal", "decimal": str(text)}:
            return Decimal(text)
        case {"__class__": "date"}:
            return date(*(data[part] for part in DAY))
        case {"__class__": "datetime"}:
            return datetime(**{part: data[part] for part in MOMENT}, tzinfo=UTC)
        case dict():
            return {name: plain(value) for name, value in data.items()}
        case list():
            return [plain(value) for value in data]
    return data


def tagged(data: Any) -> Any:
    """Turn values into a call's JSON."""
    match data:
        case Decimal():
            return {"__class__": "Decimal", "decimal": f"{data:f}"}
        case datetime():
            return {"__class__": "datetime", **{part: getattr(data, part) for part in MOMENT}}
        case date():
            return {"__class__": "date", **{part: getattr(data, part) for part in DAY}}
        case dict():
            return {name: tagged(value) for name, value in data.items()}
        case list() | tuple():
            return [tagged(value) for value in data]
    return data


def read_value(value: Any, kind: FieldType, currency: str) -> Value:
    """Read a field that a company has of its own; raises ValueError when it is not of that kind."""
    form, read = READ[kind]
    if value is None:
        return None
    if not isinstance(value, form) or (isinstance(value, bool) and kind is not FieldType.BOOL):
        raise ValueError(f"{value!r:.80} is no {kind}")
    found = read(value)
    return Money(found, currency) if kind is FieldType.MONEY and isinstance(found, Decimal) else found


def write_value(value: Value, kind: FieldType, currency: str) -> Any:
    """Write such a field; raises RefusedError for what Tryton can't hold: no yes-or-no is empty there."""
    if kind is FieldType.BOOL and value is None:
        raise RefusedError("a yes-or-no of Tryton's can't be empty")
    if isinstance(value, Money):
        if value.currency != currency:
            raise RefusedError(f"the deal is kept in {currency}, not in {value.currency}")
        return value.amount
    return native_id(value) if kind is FieldType.USER and value is not None else value


def native_id(value: Value) -> int:
    """Read a record's id."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 19:
        return int(value)
    raise RefusedError(f"{value!r:.80} is no id of Tryton's")
