"""Turns HubSpot's texts into typed values and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from crmbridge.errors import RefusedError
from crmbridge.http.replies import tidy
from crmbridge.model.numbers import read_number
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import NativeField
from crmbridge_hubspot.shapes import ShapeError

EXACT_DIGITS = 15  # HubSpot's numbers are doubles; a longer one would lose its tail without a word
SAY_CURRENCY = "set `currency` for the connection"
SAFE_HOUR = time(12)  # a day written at noon is the same day in nearly every viewer's zone

Decoder = Callable[[str], Value]
Raw = Mapping[str, Any]


class Codec(Struct, frozen=True):
    """How one account's values are read and written: days are days in its zone, amounts in its currency.

    Without a currency, amounts that come without one of their own can't be read.
    """

    zone: ZoneInfo
    currency: str | None

    def decoder(self, kind: FieldType) -> Decoder | None:
        """Give what reads a property's text, which must not be empty; None where the text is the value itself.

        What is given raises ValueError for what it can't read. Amounts need their currency: see `money`.
        """
        return self._day if kind is FieldType.DATE else _DECODERS.get(kind)

    def money(self, text: str, currency: str | None) -> Money:
        """Read an amount, in the deal's currency or the account's; raises ValueError."""
        currency = currency or self.currency
        if currency is None:
            raise ValueError(f"neither the deal nor the account says its currency; {SAY_CURRENCY}")
        return Money(read_number(text), currency)

    def _day(self, text: str) -> date:
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text)
        try:
            return moment(text).astimezone(self.zone).date()
        except OverflowError:
            raise ValueError(_beyond(text)) from None

    def encode(self, value: Value, native_type: str) -> str:
        """Write a value for a property of this native type; no value is "". Raises RefusedError."""
        match value:
            case None | bool():
                text = "" if value is None else str(value).lower()
            case Money():
                text = _digits(value.amount)
            case int() | Decimal():
                text = _digits(Decimal(value))
            case datetime():
                text = _iso(value)
            case date():
                at_noon = datetime.combine(value, SAFE_HOUR, self.zone)
                text = _iso(at_noon) if native_type == "datetime" else value.isoformat()
            case tuple():
                text = _joined(value)
            case _:
                text = value
        return text


def moment(text: str) -> datetime:
    """Read a time: ISO 8601 with or without milliseconds, or epoch milliseconds; raises ValueError."""
    try:
        if text[4:5] != "-" and text.lstrip("-").isdecimal():
            return datetime.fromtimestamp(int(text) // 1000, UTC).replace(microsecond=int(text) % 1000 * 1000)
        found = datetime.fromisoformat(text)
        if found.tzinfo is UTC:  # nearly always
            return found
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (OverflowError, OSError):
        raise ValueError(_beyond(text)) from None


def _beyond(text: str) -> str:
    return f"{text[:60]!r} is no time within the years 1 to 9999"


def stamp_in(raw: Raw, modified: str) -> str:
    """Give a record's modification time as HubSpot writes it; raises ShapeError where there is none."""
    text = raw["properties"].get(modified) or raw.get("updatedAt")
    if not isinstance(text, str) or not text:
        raise ShapeError(f"of {tidy(raw['id'], 40)} it does not say when it was changed")
    return text


def changed_at(raw: Raw, modified: str) -> int:
    """Give a record's modification time as epoch milliseconds; raises ShapeError where there is none."""
    try:
        return milliseconds(stamp_in(raw, modified))
    except ValueError as error:
        raise ShapeError(f"{tidy(raw['id'], 40)} was changed at {error}") from None


def milliseconds(text: str) -> int:
    """Read a time as epoch milliseconds, as search filters take it; raises ValueError."""
    found = moment(text)
    return int(found.timestamp()) * 1000 + found.microsecond // 1000


def _flag(text: str) -> bool:
    flag = _FLAGS.get(text)
    if flag is None:
        flag = _FLAGS.get(text.strip().lower())
    if flag is None:
        raise ValueError(f"{text[:60]!r} is neither true nor false")
    return flag


# What a checkbox says, and what options of a dropdown do, in the languages that crmbridge speaks.
_FLAGS = {
    **dict.fromkeys(("true", "yes", "sim", "是"), True),
    **dict.fromkeys(("false", "no", "não", "nao", "否"), False),
}


def flag_option(value: bool, known: NativeField) -> str:  # noqa: FBT001  the value that is written
    """Give the one option of a dropdown that says yes, or no; raises RefusedError where there is none."""
    found = [option for option in known.options if _FLAGS.get(option.strip().lower()) is value]
    if len(found) != 1:
        many = "several options say" if found else "no option says"
        raise RefusedError(f"the deal property {known.name!r} can't be written: {many} {'yes' if value else 'no'}")
    return found[0]


def _choices(text: str) -> Value:
    return tuple(sorted(filter(None, set(text.split(";")))))


_DECODERS: dict[FieldType, Decoder] = {
    FieldType.NUMBER: read_number,
    FieldType.BOOL: _flag,
    FieldType.DATETIME: moment,
    FieldType.CHOICES: _choices,
}


def _joined(options: tuple[str, ...]) -> str:
    """Write what was chosen. A semicolon stands between options, so HubSpot would take one that has it for two."""
    if any(";" in option for option in options):
        raise RefusedError(f"HubSpot has no options with a semicolon, as {tidy('; '.join(options), 60)!r} would be")
    return ";".join(options)


def _digits(number: Decimal) -> str:
    text = f"{number:f}"
    if len(text.replace("-", "").replace(".", "").strip("0")) > EXACT_DIGITS:
        raise RefusedError(f"{text[:60]} has more than the {EXACT_DIGITS} digits that HubSpot keeps exactly")
    return text


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
