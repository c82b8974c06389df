"""Numbers and times in the JSON of servers that mark them by their class, as `{"__class__": "Decimal", ...}`.

JSON has no form for them. Such servers write what the class is made with beside its name; for `JsonRpc.pack` and
`unpack`, and for `rewrite`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

_MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def mark(value: Any) -> Any:
    """Mark a number or a time; other values are given back. Times are UTC."""
    match value:
        case Decimal():
            return {"__class__": "Decimal", "decimal": f"{value:f}"}
        case datetime():
            return {"__class__": "datetime", **{part: getattr(value.astimezone(UTC), part) for part in _MOMENT}}
        case date():
            return {"__class__": "date", **{part: getattr(value, part) for part in _MOMENT[:3]}}
    return value


def unmark(value: Any) -> Any:
    """Read what is marked; other values, also of other classes, are given back."""
    match value:
        case {"__class__": "Decimal", "decimal": str(text)}:
            return Decimal(text)
        case {"__class__": "date", "year": year, "month": month, "day": day}:
            return date(year, month, day)
        case {"__class__": "datetime"}:
            return datetime(**{part: value[part] for part in _MOMENT}, tzinfo=UTC)
    return value
