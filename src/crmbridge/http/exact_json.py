"""JSON that keeps decimal numbers exact in both directions; amounts of money never pass through a float."""

from __future__ import annotations

import json
import re
import secrets
from decimal import Decimal
from typing import Any


def load_json(text: str | bytes) -> Any:
    """Read JSON with numbers that have a fraction or exponent as Decimal; raises ValueError when it is none."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def dump_json(data: Any) -> bytes:
    """Write JSON with every Decimal as a plain number, digit for digit; NaN and infinity are refused."""
    # The json module can't write a Decimal. Each one goes in as a text that nobody can guess and comes out bare.
    mark = secrets.token_hex(16)
    numbers: list[str] = []

    def encode(value: Any) -> str:
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TypeError(f"{type(value).__name__} has no JSON form")
        numbers.append(f"{value:f}")
        return f"{mark}{len(numbers) - 1}."

    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=encode)
    if numbers:
        text = re.sub(f'"{mark}(\\d+)\\."', lambda match: numbers[int(match[1])], text)
    # A lone surrogate can't be written as UTF-8, and no CRM stores one: it becomes the replacement character.
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
