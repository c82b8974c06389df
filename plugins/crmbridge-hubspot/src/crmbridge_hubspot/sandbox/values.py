"""How the sandbox takes property values: everything is kept as text, and what HubSpot refuses is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmbridge_hubspot.sandbox.properties import Property
from crmbridge_hubspot.sandbox.replies import stamp

LONGEST_TEXT = 65_536
EXACT_DIGITS = 15  # what a double holds for sure; longer numbers lose their tail
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadValueError(Exception):
    """A value that the property does not take: the code and the sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def take(prop: Property, value: Any, before: str) -> str:
    """Turn a value from a request into what is stored; "" clears, null need not. Raises BadValueError."""
    text = _as_text(value)
    if text == "":
        return ""
    taker = _TAKERS.get(prop.type, _take_string)
    return taker(prop, text, before)


def _as_text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return str(value)
        case str():
            return value
        case _:
            raise BadValueError("INVALID_VALUE", "A property value is a string, a number or a boolean")


def _take_string(_prop: Property, text: str, _before: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise BadValueError("INVALID_STRING", f"The string is longer than {LONGEST_TEXT} characters")
    return text.replace("\x00", "")


def _take_number(_prop: Property, text: str, _before: str) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise BadValueError("INVALID_LONG", f"{text[:40]} was not a valid number.")
    digits = re.sub(r"\D", "", text).lstrip("0")
    return text if len(digits) <= EXACT_DIGITS else f"{float(text):.17g}"


def _take_bool(_prop: Property, text: str, _before: str) -> str:
    if text not in {"true", "false"}:
        raise BadValueError("INVALID_OPTION", f"{text[:40]} was not one of the allowed options: [true, false]")
    return text


def _take_option(prop: Property, text: str, before: str) -> str:
    if prop.owner:  # owners are checked against the account, where they are known
        return text
    if prop.field_type != "checkbox":
        _check_options(prop, [text])
        return text
    chosen = [part for part in text.split(";") if part]
    _check_options(prop, chosen)
    kept = before.split(";") if text.startswith(";") and before else []
    return ";".join(dict.fromkeys([*kept, *chosen]))


def _check_options(prop: Property, chosen: list[str]) -> None:
    wrong = [part for part in chosen if part not in prop.options]
    if wrong:
        allowed = ", ".join(prop.options)
        raise BadValueError("INVALID_OPTION", f"{wrong[0][:40]} was not one of the allowed options: [{allowed}]")


def _take_date(_prop: Property, text: str, _before: str) -> str:
    if re.fullmatch(r"-?\d{6,15}", text):
        moment = _from_epoch(text)
        if moment.time() != datetime.min.time():
            raise BadValueError("INVALID_DATE", f"{text} is at {moment:%H:%M:%S} UTC, not midnight!")
        return moment.date().isoformat()
    try:
        return date.fromisoformat(text[:10]).isoformat() if len(text) == 10 else _midnight(text)
    except ValueError:
        raise BadValueError("INVALID_DATE", f"{text[:40]} was not a valid date.") from None


def _midnight(text: str) -> str:
    moment = _moment(text)
    if moment.time() != datetime.min.time():
        raise ValueError(text)
    return moment.date().isoformat()


def _take_datetime(_prop: Property, text: str, _before: str) -> str:
    try:
        return stamp(_from_epoch(text) if re.fullmatch(r"-?\d{1,15}", text) else _moment(text))
    except ValueError:
        raise BadValueError("INVALID_DATE", f"{text[:40]} was not a valid date.") from None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _from_epoch(text: str) -> datetime:
    return EPOCH + timedelta(milliseconds=int(text))


_TAKERS: dict[str, Callable[[Property, str, str], str]] = {
    "number": _take_number,
    "bool": _take_bool,
    "enumeration": _take_option,
    "date": _take_date,
    "datetime": _take_datetime,
}


PropertyRules = dict[str, str]  # an account's own rules for one property: rule type -> argument
# What each type of rule looks at in a value, and what it says where it does not hold ("Property validations").
LIMITS: dict[str, Callable[[str, Decimal], bool]] = {
    "MIN_NUMBER": lambda text, limit: Decimal(text) >= limit,
    "MAX_NUMBER": lambda text, limit: Decimal(text) <= limit,
    "MIN_LENGTH": lambda text, limit: len(text) >= limit,
    "MAX_LENGTH": lambda text, limit: len(text) <= limit,
}


def hold(rules: PropertyRules, text: str) -> None:
    """Hold a value that is not empty against an account's own rules. Raises BadValueError."""
    broken = [kind for kind, limit in rules.items() if text and not LIMITS[kind](text, Decimal(limit))]
    if broken:
        raise BadValueError(f"INVALID_{broken[0]}", f"{text[:40]} is not allowed by the rule {broken[0]}")


def sort_value(prop: Property, text: str) -> Any:
    """Give what a value is compared by in a search: numbers as numbers, times as times, text without its case."""
    if prop.type == "number":
        return Decimal(text)
    if prop.type in {"datetime", "date"}:
        return _from_epoch(text) if re.fullmatch(r"-?\d{1,15}", text) else _moment(text)
    return text if prop.type == "enumeration" else text.lower()
