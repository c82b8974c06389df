"""The values a record's field can hold, and their one JSON form."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, assert_never

import msgspec
from msgspec import Struct


class FieldType(StrEnum):
    """What kind of value a field holds."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    CHOICES = "choices"
    USER = "user"


class Money(Struct, frozen=True):
    """An amount in one currency (ISO 4217 code). Amount and currency travel together, so a merge can't mix them."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        """Show the amount with its thousands grouped, then the currency."""
        return f"{self.amount:,f} {self.currency}"


# None means the CRM holds no value. A tuple is a set of choices or ids, kept in sorted order.
Value = str | bool | int | Decimal | date | datetime | Money | tuple[str, ...] | None
Fields = Mapping[str, Value]


def to_json(value: Value) -> Any:
    """Turn a value into plain JSON; what JSON has no form for becomes a one-key object naming its type."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return {"decimal": str(value)}
        case datetime():
            return {"datetime": iso(value)}
        case date():
            return {"date": value.isoformat()}
        case Money():
            return {"money": [str(value.amount), value.currency]}
        case tuple():
            return {"set": list(value)}
        case _:  # a float, say: better an error than a value that turns into nothing
            assert_never(value)


def from_json(data: Any) -> Value:
    """Read back what `to_json` wrote; raises ValueError for anything else."""
    match data:
        case None | bool() | int() | str():
            return data
        case {"decimal": str(text)}:
            return _decimal(text)
        case {"datetime": str(text)}:
            return parse_iso(text)
        case {"date": str(text)}:
            return date.fromisoformat(text)
        case {"money": [str(amount), str(currency)]}:
            return Money(_decimal(amount), currency)
        case {"set": list(items)}:
            return tuple(str(item) for item in items)
        case _:
            raise ValueError(f"not a stored value: {data!r}")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"not a number: {text!r}") from error


def fields_to_json(fields: Fields) -> dict[str, Any]:
    """Turn a record's fields into plain JSON, names in order."""
    return {name: to_json(fields[name]) for name in sorted(fields)}


def fields_to_text(fields: Fields) -> str:
    """Write a record's fields as compact JSON, names in order: what `fields_to_json` gives, at a third of the cost.

    A pull writes millions of values, and building dictionaries only to take them apart again was its largest part.
    """
    if isinstance(fields, StoredFields):
        return fields.text if isinstance(fields.text, str) else fields.text.decode()
    try:
        return fields_to_utf8(fields)
    except UnicodeEncodeError:  # half a surrogate pair, which only ASCII can hold
        return json.dumps(fields_to_json(fields), separators=(",", ":"))


def fields_to_utf8(fields: Fields) -> str:
    """Write fields as `fields_to_text` does; raises UnicodeEncodeError where one holds half a surrogate pair."""
    plain = {name: tag(value) if (tag := _TAGS[type(value)]) else value for name, value in fields.items()}
    return write_sorted(plain).decode()


class _Tags(dict[type, Callable[[Any], Any] | None]):
    """By type what `to_json` does, but for what msgspec itself writes as text; None: the value as it is."""

    def __missing__(self, _key: type) -> Callable[[Any], Any]:
        return to_json


write_sorted = msgspec.json.Encoder(order="sorted").encode
NOTHING_WRITTEN = msgspec.Raw(b"null")  # what a field that is missing stands for, as it is written
_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_TAGS = _Tags(
    {
        **dict.fromkeys((str, bool, int, type(None))),
        Decimal: lambda value: {"decimal": value},
        date: lambda value: {"date": value},
        datetime: lambda value: {"datetime": value if value.tzinfo is UTC else iso(value)},
        Money: lambda value: {"money": (str(value.amount), value.currency)},
        tuple: lambda value: {"set": value},
    }
)


def fields_from_json(data: Mapping[str, Any]) -> dict[str, Value]:
    """Read back what `fields_to_json` wrote."""
    return {name: from_json(value) for name, value in data.items()}


class StoredFields(Mapping[str, Value]):
    """Fields as they are stored, each read when somebody asks for it: of fifty, most uses look at a few.

    `text` is what `fields_to_text` wrote, maybe in UTF-8, `written` has each field's JSON: as text, or what that stands
    for.
    """

    __slots__ = ("text", "written")

    text: str | bytes
    written: Mapping[str, Any]

    def __init__(self, text: str | bytes) -> None:
        self.text = text

    def __getattr__(self, name: str) -> Any:
        """Cut the text in fields when that is asked for first; who reads it as a whole never asks."""
        if name != "written":
            raise AttributeError(name)
        self.written = _fields_of(self.text)
        return self.written

    def __getitem__(self, name: str) -> Value:
        """Give one value; raises KeyError where there is none."""
        return value_of(self.written[name])

    def get(self, name: str, default: Any = None, /) -> Any:
        """Give one value, or the default where there is none."""
        return value_of(self.written[name]) if name in self.written else default

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self.written)

    def __len__(self) -> int:
        """Count the fields."""
        return len(self.written)

    def __bool__(self) -> bool:
        """Tell whether there are any, without cutting the text."""
        return len(self.text) > len("{}")

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a field."""
        return name in self.written

    def __repr__(self) -> str:
        """Show what a dictionary of the same values would."""
        return repr(dict(self))


class WrittenFields(StoredFields):
    """Fields that were written before they were stored; `known` are the values of some, None where there is none."""

    __slots__ = ("known",)

    known: Mapping[str, Value]

    def __init__(self, text: str, known: Mapping[str, Value]) -> None:
        super().__init__(text)
        self.known = known

    def get(self, name: str, default: Any = None, /) -> Any:
        """Give one value, or the default where there is none; of those that are known without a look at the text."""
        if default is None and name in self.known:
            return self.known[name]
        return super().get(name, default)


def reading(fields: Fields) -> Callable[[str], Any]:
    """Give what gives a field's value, None where there is none, for those who ask for several.

    A value may come as it is stored: what is a dictionary stands for what `untagged` makes of it.
    """
    if type(fields) is dict or not isinstance(fields, StoredFields):
        return fields.get
    held: Callable[[str], Any] = _read(fields.text).get
    return held


def value_of(written: Any) -> Value:
    """Read a value that is given as it is held: as text, or as what that stands for."""
    data = _read(written) if type(written) is msgspec.Raw else written
    found: Value = untagged(data) if type(data) is dict else data
    return found


def untagged(data: dict[str, Any]) -> Value:
    """Give the value that a one-key object, which `to_json` wrote, stands for."""
    ((tag, content),) = data.items()
    return _UNTAG[tag](content)


def _read(written: msgspec.Raw | str | bytes) -> Any:
    try:
        return msgspec.json.decode(written)
    except (msgspec.DecodeError, UnicodeEncodeError):  # a number that it finds too long, or half a surrogate pair
        return json.loads(written if isinstance(written, str) else bytes(written))


def _fields_of(text: str | bytes) -> Mapping[str, Any]:
    try:
        return _split(text)
    except (msgspec.DecodeError, UnicodeEncodeError):  # half a surrogate pair
        found: Mapping[str, Any] = json.loads(text)
        return found


def fields_from_text(text: str | bytes) -> StoredFields:
    """Read back what `fields_to_text` wrote, as text or in UTF-8, which is parsed faster."""
    return StoredFields(text)


def read_at_once(text: str) -> dict[str, Value]:
    """Read all of what `fields_to_text` wrote: of few fields, all of which are looked at."""
    return {name: untagged(each) if type(each) is dict else each for name, each in _read(text).items()}


def as_written(fields: Fields) -> Mapping[str, Any]:
    """Give fields as they are held. What is equal there says the same; what is not may still do so."""
    return fields.written if isinstance(fields, StoredFields) else fields


def is_empty(value: Value) -> bool:
    """Tell whether a field counts as not filled in: no value, blank text or an empty set."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, tuple) and not value)


def folded(value: Value) -> str:
    """Even a value out, so that it compares however it was typed; what is empty is no text."""
    return "" if is_empty(value) else " ".join(unicodedata.normalize("NFC", show(value)).casefold().split())


def iso(moment: datetime) -> str:
    """Write an aware time as UTC with a Z, microseconds only where there are any."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError("a time without a zone can't be stored")
        moment = moment.astimezone(UTC)
    if type(moment) is datetime:
        return str(msgspec.to_builtins(moment))  # the same text in an eighth of the time
    return moment.isoformat()[:-6] + "Z"


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 time that carries its zone, as UTC; raises ValueError when the zone is missing."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return moment.astimezone(UTC)


_UNTAG: Mapping[str, Callable[[Any], Value]] = {  # by tag what `from_json` does, at a fifth of the cost
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": parse_iso,
    "money": lambda data: Money(Decimal(data[0]), data[1]),
    "set": tuple,
}


def show(value: Value) -> str:
    """Show a value to a person, in a plan or an explanation."""
    match value:
        case None | "":
            return "(empty)"
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:,f}"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        case tuple():
            return ", ".join(value) if value else "(empty)"
        case _:
            return str(value)
