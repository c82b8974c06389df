"""A scorecard as plain JSON, in the form that docs/reference/report.md describes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from crmbridge.model.figures import Scorecard
from crmbridge.model.values import iso

FORM = 2  # raised when a key changes its meaning or goes away; new keys may come at any time


def facts_of(scorecard: Scorecard) -> dict[str, Any]:
    """Give all figures as JSON: times in ISO 8601 (UTC), floats to 6 decimals, an interval as low and high."""
    return {"form": FORM, **_plain(scorecard)}


def _plain(value: Any) -> Any:  # noqa: PLR0911  one for each kind of value
    match value:
        case datetime():
            return iso(value)
        case float():
            return round(value, 6)
        case StrEnum():
            return value.value
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case tuple() if hasattr(value, "_fields"):
            return {name: _plain(item) for name, item in zip(value._fields, value, strict=True)}
        case tuple() | list():
            return [_plain(item) for item in value]
        case Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case _:
            return value
