"""What the org checks before it stores a row: columns, types, lengths, references, required and unique values."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from crmbridge_salesforce.ids import is_id, to_18
from crmbridge_salesforce.sandbox.answers import ApiError
from crmbridge_salesforce.sandbox.objects import Column, Object

Values = dict[str, Any]
MOST_DIGITS = 18  # of a number, those after the point included


def read_values(one: Object, sent: Mapping[str, Any]) -> Values:
    """Turn a row as it was sent into stored values.

    A value of the wrong form raises ApiError JSON_PARSER_ERROR, which spoils the whole request it stands in; an unknown
    column raises INVALID_FIELD.
    """
    found: Values = {}
    for name, raw in sent.items():
        if name == "attributes":
            continue
        column = one.column(name)
        if column is None:
            raise ApiError("INVALID_FIELD", f"No such column '{name}' on sobject of type {one.name}")
        found[column.name] = _read(column, raw)
    return found


def check_writable(one: Object, values: Values, *, creating: bool) -> None:
    """Refuse columns that the org computes; raises ApiError INVALID_FIELD_FOR_INSERT_UPDATE."""
    letter = "c" if creating else "u"
    wrong = [name for name in values if name != "Id" and letter not in one.columns[name].write]
    if wrong:
        words = "Unable to create/update fields: " + ", ".join(wrong)
        raise ApiError("INVALID_FIELD_FOR_INSERT_UPDATE", words, fields=wrong)


def check_required(one: Object, values: Values, *, creating: bool) -> None:
    """Refuse a row without what it needs; raises ApiError REQUIRED_FIELD_MISSING."""
    needed = [column.name for column in one.columns.values() if column.required]
    missing = [name for name in needed if values.get(name) is None and (creating or name in values)]
    if missing:
        words = f"Required fields are missing: [{', '.join(missing)}]"
        raise ApiError("REQUIRED_FIELD_MISSING", words, fields=missing)


def check_values(one: Object, values: Values, has_row: Callable[[str, str], bool]) -> None:
    """Refuse values that a column can't hold: too long, not among its own, or pointing nowhere."""
    for name, value in values.items():
        column = one.columns[name]
        if column.type == "boolean" and value is None:
            raise ApiError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{name}: a checkbox can't be null", fields=[name])
        if isinstance(value, Decimal) and value.adjusted() >= MOST_DIGITS - column.scale:
            raise ApiError("NUMBER_OUTSIDE_VALID_RANGE", f"{name}: value outside of valid range", fields=[name])
        if isinstance(value, str):
            _check_text(column, value, has_row)


def _check_text(column: Column, value: str, has_row: Callable[[str, str], bool]) -> None:
    name = column.name
    if column.type == "reference":
        if not any(has_row(table, value) for table in column.refers.split(",")):
            raise ApiError("INVALID_CROSS_REFERENCE_KEY", f"invalid cross reference id: {value}", fields=[name])
    elif column.length and len(value) > column.length:
        words = f"{column.label}: data value too large: {value[:80]} (max length={column.length})"
        raise ApiError("STRING_TOO_LONG", words, fields=[name])
    elif column.restricted and value not in column.values:
        words = f"{column.label}: bad value for restricted picklist field: {value}"
        raise ApiError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", words, fields=[name])


def _read(column: Column, raw: Any) -> Any:
    if raw is None or raw == "":
        return None
    reader: Callable[[Any], Any] = _READERS.get(column.type, _text)
    try:
        value = reader(raw)
        # More decimals than the column has are rounded without a word.
        fits = isinstance(value, Decimal) and value.adjusted() < MOST_DIGITS
        return value.quantize(Decimal(1).scaleb(-column.scale), ROUND_HALF_UP) if fits else value
    except (ValueError, TypeError, InvalidOperation):
        words = f"Cannot deserialize instance of {column.type} from value {str(raw)[:80]} or request may be missing it"
        raise ApiError("JSON_PARSER_ERROR", words) from None


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise TypeError
    return raw


def _large(raw: Any) -> str:
    base64.b64decode(_text(raw), validate=True)
    return _text(raw)


def _reference(raw: Any) -> str:
    if not isinstance(raw, str) or not is_id(raw):
        return str(raw)  # refused later, row by row, as a reference that points nowhere
    return to_18(raw)


def _number(raw: Any) -> Decimal:
    if isinstance(raw, bool):
        raise TypeError
    return Decimal(raw)


def _flag(raw: Any) -> bool:
    if str(raw).lower() not in {"true", "false"}:
        raise ValueError
    return str(raw).lower() == "true"


def _day(raw: Any) -> date:
    return datetime.fromisoformat(_text(raw)).date() if "T" in raw else date.fromisoformat(_text(raw))


def _moment(raw: Any) -> datetime:
    moment = datetime.fromisoformat(_text(raw))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "base64": _large,
        "boolean": _flag,
        "currency": _number,
        "date": _day,
        "datetime": _moment,
        "double": _number,
        "id": _reference,
        "int": _number,
        "percent": _number,
        "reference": _reference,
    }
)
