"""JSON that keeps decimal numbers exact in both directions; amounts of money never pass through a float."""

from __future__ import annotations

import json
import re
import secrets
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from crmbridge.model.numbers import MOST_DIGITS, TOO_LONG, bounded, plain_number


def load_json(text: str | bytes) -> Any:
    """Read JSON with numbers that have a fraction or exponent as Decimal.

    Raises ValueError when it is none, is nested too deep, or has a number with too many digits (MOST_DIGITS).
    """
    if isinstance(text, bytes) and not _has_many_digits(text):
        try:
            return _quick(text)
        except (ValueError, ArithmeticError, RecursionError):  # half a surrogate pair, say, which is JSON all the same
            pass
    try:
        return json.loads(text, parse_float=_decimal, parse_int=_whole, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None


def dump_json(data: Any) -> bytes:
    """Write JSON with every Decimal as a plain number, digit for digit.

    Raises ValueError for NaN, infinity, and a Decimal of more digits than `load_json` reads.
    """
    # The json module can't write a Decimal. Each one goes in as a text that nobody can guess and comes out bare.
    numbers: list[str] = []

    def encode(value: Any) -> str:
        if not isinstance(value, Decimal):
            raise TypeError(f"{type(value).__name__} has no JSON form")
        numbers.append(f"{bounded(value):f}")
        return f"{_MARK}{len(numbers) - 1}."

    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=encode)
    if numbers:
        text = _MARKED.sub(lambda match: numbers[int(match[1])], text)
    # A lone surrogate can't be written as UTF-8, and no CRM stores one: it becomes the replacement character.
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()


_MARK = secrets.token_hex(16)  # of this process: to make one for each text, and an expression that finds it, takes long
_MARKED = re.compile(f'"{_MARK}(\\d+)\\."')


def _decimal(text: str) -> Decimal:
    if len(text) < MOST_DIGITS and "e" not in text and "E" not in text:  # the usual case needs no look at its digits
        return Decimal(text)
    try:
        return bounded(Decimal(text))
    except InvalidOperation:  # the exponent is beyond what Decimal holds
        raise ValueError(TOO_LONG) from None


# msgspec reads the same in less than half the time, but knows no limit for whole numbers: what has that many digits in
# a row, in a text even, is read by the careful way behind it.
_quick = msgspec.json.Decoder(float_hook=plain_number).decode
_MANY = b"0" * (MOST_DIGITS + 1)
STEP = 8  # so many that few texts have as many digits in a row as `_SOME` spans, and all that have too many do
_SOME = b"0" * ((MOST_DIGITS + 1) // STEP)
_DIGITS = bytes(ord("0" if chr(code).isdecimal() and code < 128 else " ") for code in range(256))


def _has_many_digits(text: bytes) -> bool:
    """Tell whether there are too many digits in a row; only some are looked at, unless all of these in a row are."""
    return _SOME in text[::STEP].translate(_DIGITS) and _MANY in text.translate(_DIGITS)


def _whole(text: str) -> int:
    if len(text.removeprefix("-")) > MOST_DIGITS:
        raise ValueError(TOO_LONG)
    return int(text)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
