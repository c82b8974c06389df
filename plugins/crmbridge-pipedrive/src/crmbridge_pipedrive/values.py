"""Pipedrive's field values as ours, and back: times, dates, amounts, options, people, addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from crmbridge.model.numbers import read_number
from crmbridge.model.values import FieldType, Money, Value, iso

YES = frozenset({"yes", "true", "1", "sim", "是"})
NO = frozenset({"no", "false", "0", "não", "nao", "否"})

# Pipedrive's field types as ours; the ones that are missing here are not read.
TYPES: Mapping[str, FieldType] = {
    "varchar": FieldType.TEXT,
    "varchar_auto": FieldType.TEXT,
    "text": FieldType.TEXT,
    "phone": FieldType.TEXT,
    "address": FieldType.TEXT,
    "time": FieldType.TEXT,
    "org": FieldType.TEXT,
    "people": FieldType.TEXT,
    "double": FieldType.NUMBER,
    "int": FieldType.NUMBER,
    "monetary": FieldType.MONEY,
    "enum": FieldType.CHOICE,
    "set": FieldType.CHOICES,
    "user": FieldType.USER,
    "date": FieldType.DATE,
    "boolean": FieldType.BOOL,
}


class FieldDefinition(Struct, frozen=True, kw_only=True):
    """A deal field of the account. `options` are (id, label) in the account's order; labels need not be unique."""

    code: str
    label: str
    native_type: str
    options: tuple[tuple[str, str], ...] = ()
    custom: bool = False
    optional: bool = False  # only sent when asked for

    @property
    def type(self) -> FieldType | None:
        """Give our type for it. Pipedrive has no yes/no field, so an option field of a yes and a no counts as one."""
        kind = TYPES.get(self.native_type)
        if kind is FieldType.CHOICE and len(self.options) == 2 and {truth(o[1]) for o in self.options} == {True, False}:
            return FieldType.BOOL
        return kind


def truth(text: str) -> bool | None:
    """Read a yes or a no, in the languages that crmbridge speaks."""
    word = text.strip().casefold()
    return True if word in YES else False if word in NO else None


def moment(value: Any) -> datetime | None:
    """Read a time, RFC 3339 (v2) or `YYYY-MM-DD HH:MM:SS` in UTC without saying so (v1); None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        if value.endswith("Z"):  # the usual form; there are several in every row
            return datetime.fromisoformat(value)
        read = datetime.fromisoformat(value.strip().replace(" ", "T"))
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def query_time(at: datetime) -> str:
    """Write a time for a query: whole seconds with a Z; anything finer, or a space, is refused by v2."""
    return iso(at.replace(microsecond=0))


def decimal(value: Any) -> Decimal:
    """Read a number; raises ValueError when it is none."""
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("not a number")  # noqa: TRY004  callers ask only whether it can be read
    return read_number(str(value))


def currency_of(own: Any, usual: str | None) -> str:
    """Give an amount's own currency, else the connection's; raises ValueError when neither is said."""
    if isinstance(own, str) and own:
        return own
    if usual is None:
        raise ValueError("the amount has no currency; set `currency` for the connection")
    return usual


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────

# Options by their ids, as numbers and as texts; empty for a field that has none.
Labels = Mapping[Any, str]
Decode = Callable[[Any], Value]


def decode(raw: Any, definition: FieldDefinition, kind: FieldType, currency: str | None) -> Value:
    """Read a field's value as the kind the process declares; raises ValueError saying what is wrong with it."""
    return None if raw is None or raw == "" else decoder(definition, kind, currency)(raw)


def decoder(definition: FieldDefinition, kind: FieldType, currency: str | None) -> Decode:
    """Make what reads a field's filled-in values; it raises ValueError for one that can't be read."""
    labels: dict[Any, str] = dict(definition.options)
    labels |= {int(option): label for option, label in definition.options if option.isdecimal()}
    if kind is FieldType.TEXT and not labels:
        return _plain_text
    if kind is FieldType.DATE:
        return _date
    if kind is FieldType.NUMBER:
        return _number
    read = _DECODE[kind]
    return lambda raw: read(raw, labels, currency)


def _text(raw: Any, labels: Labels, _currency: str | None) -> str:
    return _choice(raw, labels, "")


def _plain_text(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    match raw:
        case bool():
            return "yes" if raw else "no"
        case int() | Decimal():
            return f"{raw:f}" if isinstance(raw, Decimal) else str(raw)
        case {"value": str() | int() as value}:  # addresses, and times in newer notes on the API
            return str(value)
        case _:
            raise ValueError("not a text")


def _number(raw: Any) -> Decimal:
    return decimal(raw.get("value") if isinstance(raw, dict) else raw)


def _money(raw: Any, _labels: Labels, currency: str | None) -> Money:
    own = raw.get("currency") if isinstance(raw, dict) else None
    return Money(_number(raw), currency_of(own, currency))


def _bool(raw: Any, labels: Labels, _currency: str | None) -> bool:
    if isinstance(raw, bool):
        return raw
    said = truth(_choice(raw, labels, "") if labels else str(raw))
    if said is None:
        raise ValueError("neither yes nor no")
    return said


def _date(raw: Any) -> date:
    text = raw.get("value") if isinstance(raw, dict) else raw
    if not isinstance(text, str):
        raise ValueError("not a date")  # noqa: TRY004  callers ask only whether it can be read
    return _day_of(text[:LONGEST_TIME])


@lru_cache(maxsize=4096)
def _day_of(text: str) -> date:
    """Read a day once; deals share few of them."""
    if not _DAY.match(text):
        raise ValueError("not a date")
    return date.fromisoformat(text[:10])


def _datetime(raw: Any, _labels: Labels, _currency: str | None) -> datetime:
    read = moment(raw)
    if read is None:
        raise ValueError("not a time")
    return read


def _choice(raw: Any, labels: Labels, _currency: str | None) -> str:
    """Read an option by its id; with labels asked for, options come as objects of id and label."""
    option = raw.get("id") if isinstance(raw, dict) else raw
    label = labels.get(option) if isinstance(option, int | str) and not isinstance(option, bool) else None
    if label is not None:
        return label
    if labels:
        raise ValueError(f"option {option!r} is not among the field's options; it may have been deleted")
    return str(option)


def _choices(raw: Any, labels: Labels, currency: str | None) -> tuple[str, ...]:
    items = raw if isinstance(raw, list) else str(raw).split(",")
    return tuple(sorted({_choice(item, labels, currency) for item in items}))


def _user(raw: Any, _labels: Labels, _currency: str | None) -> str:
    user = raw.get("id") if isinstance(raw, dict) else raw
    if isinstance(user, int) and not isinstance(user, bool):
        return str(user)
    raise ValueError("not a user's id")


LONGEST_TIME = 40  # characters that a date may come with
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DECODE: Mapping[FieldType, Callable[[Any, Labels, str | None], Value]] = {
    FieldType.TEXT: _text,
    FieldType.MONEY: _money,
    FieldType.BOOL: _bool,
    FieldType.DATETIME: _datetime,
    FieldType.CHOICE: _choice,
    FieldType.CHOICES: _choices,
    FieldType.USER: _user,
}


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────


def encode(value: Value, definition: FieldDefinition, currency: str | None) -> Any:
    """Write a value in the form that v2 takes for this field; raises ValueError when the field can't hold it.

    Nothing, and an empty set, is null: an empty list is refused ("Custom fields", API v2).
    """
    if value is None or value == ():
        return None
    write = _ENCODE.get(definition.native_type)
    if write is None:
        raise ValueError(f"crmbridge does not write fields of the type {definition.native_type!r}")
    return write(value, definition, currency)


def _plain(value: Value, _definition: FieldDefinition, _currency: str | None) -> str:
    match value:
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case int() | Decimal():
            return f"{value:f}"
        case _:
            raise ValueError("not a text")


def _figure(value: Value, _definition: FieldDefinition, _currency: str | None) -> Decimal:
    return decimal(value)


def _amount(value: Value, _definition: FieldDefinition, currency: str | None) -> dict[str, Any]:
    if isinstance(value, Money):
        return {"value": value.amount, "currency": value.currency}
    return {"value": decimal(value), "currency": currency_of(None, currency)}


def _option(value: Value, definition: FieldDefinition, _currency: str | None) -> Any:
    if isinstance(value, bool):
        found = [option for option, label in definition.options if truth(label) is value]
    else:
        found = [option for option, label in definition.options if label == value]
        found = found or [o for o, label in definition.options if label.casefold() == str(value).strip().casefold()]
    if len(found) != 1:
        raise ValueError("no option has this name" if not found else "several options have this name")
    return int(found[0]) if found[0].isdecimal() else found[0]


def _options(value: Value, definition: FieldDefinition, currency: str | None) -> list[Any]:
    items = value if isinstance(value, tuple) else (value,)
    return [_option(item, definition, currency) for item in items]


def _day(value: Value, _definition: FieldDefinition, _currency: str | None) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).date().isoformat()
        case date():
            return value.isoformat()
        case str() if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return value
        case _:
            raise ValueError("not a date")


def _id(value: Value, _definition: FieldDefinition, _currency: str | None) -> int:
    if not isinstance(value, str) or not value.isdecimal():
        raise ValueError("not an id")
    return int(value)


def _address(value: Value, definition: FieldDefinition, currency: str | None) -> dict[str, Any]:
    return {"value": _plain(value, definition, currency)}


def _flag(value: Value, _definition: FieldDefinition, _currency: str | None) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither yes nor no")  # noqa: TRY004  callers ask only whether the field can hold it
    return value


_ENCODE: Mapping[str, Callable[[Value, FieldDefinition, str | None], Any]] = {
    "varchar": _plain,
    "varchar_auto": _plain,
    "text": _plain,
    "phone": _plain,
    "time": _plain,
    "address": _address,
    "double": _figure,
    "int": _figure,
    "monetary": _amount,
    "enum": _option,
    "set": _options,
    "user": _id,
    "org": _id,
    "people": _id,
    "date": _day,
    "boolean": _flag,
}
