"""Make every text of a scorecard harmless to show, once, before any form is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from crmbridge.engine.text import plain

LONGEST = 1000  # characters of one text
T = TypeVar("T")


def cleaned(value: T) -> T:
    """Give a scorecard, or a part of one, with its texts as single lines without control and direction characters."""
    made: T = _cleaned(value)
    return made


def _cleaned(value: Any) -> Any:  # noqa: PLR0911  one for each kind of value
    match value:
        case None | bool() | int() | float() | StrEnum() | datetime():
            return value
        case str():
            return plain(value, LONGEST)
        case Mapping():
            return {_cleaned(key): _cleaned(item) for key, item in value.items()}
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(_cleaned, value))
        case tuple() | list():
            return type(value)(map(_cleaned, value))
        case Struct():
            return replace(value, **{name: _cleaned(getattr(value, name)) for name in value.__struct_fields__})
        case _:
            return value
