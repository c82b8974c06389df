"""What a plain YAML scalar stands for, by the core schema of YAML 1.2: `no` is text, `12:30` is text."""

from __future__ import annotations

import re
from decimal import Decimal

Scalar = str | bool | int | Decimal | None

CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
LONGEST_NUMBER = 40  # characters; longer ones are ids without quotes, or an attack
LARGEST_EXPONENT = 40  # Decimal would take 1e999999999 and spell it out when it is shown

_DECIMAL_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_NUMBER_STARTS = frozenset("+-.0123456789")


def resolve(text: str) -> Scalar:
    """Give the value of a plain scalar; non-integers become Decimal. Raises ValueError for an unusable number."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    return _number(text) if text[0] in _NUMBER_STARTS else text


def has_leading_zero(text: str) -> bool:
    """Tell whether a plain scalar is a whole number that loses zeros when it is read, such as 0123."""
    return _LEADING_ZERO.fullmatch(text) is not None


def _number(text: str) -> str | int | Decimal:
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is no number that can be used here")
    if _BASED.fullmatch(text):
        _refuse_long(text)
        return int(text, 0)
    if not _FLOAT.fullmatch(text):
        return text
    _refuse_long(text)
    return int(text) if _DECIMAL_INT.fullmatch(text) else _fraction(text)


def _fraction(text: str) -> Decimal:
    number = Decimal(text)
    if abs(number.adjusted()) > LARGEST_EXPONENT:
        raise ValueError(f"{text} is too large or too small a number")
    return number


def _refuse_long(text: str) -> None:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} characters is too long")
