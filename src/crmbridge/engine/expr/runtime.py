"""What compiled rules call while they run. None is unknown; nothing here raises or takes long, whatever a CRM sends."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmbridge.engine.expr.limits import DIGITS, LONGEST_LIST, LONGEST_MATCHED, LONGEST_TEXT
from crmbridge.engine.expr.patterns import Pattern
from crmbridge.engine.time.moments import Moment
from crmbridge.model.values import Money, Value

# Nothing is trapped: what can't be calculated comes out as not finite, and is unknown then.
_CONTEXT = decimal.Context(prec=DIGITS, traps=[], Emax=999_999, Emin=-999_999)
OPERATIONS: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": _CONTEXT.add,
    "-": _CONTEXT.subtract,
    "*": _CONTEXT.multiply,
    "/": _CONTEXT.divide,
    "%": _CONTEXT.remainder,
}


def number(value: Value) -> Decimal | None:
    """Give a finite number; None for anything that is none."""
    if type(value) is Decimal:  # the usual case
        return value if value.is_finite() else None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    if isinstance(value, int):
        return Decimal(value)
    return value if value.is_finite() else None


def amount(value: Value) -> Decimal | None:
    """Give a number, or the amount of money."""
    return number(value.amount if isinstance(value, Money) else value)


def money(value: Value) -> Money | Decimal | None:
    """Give money with a finite amount, or a number of which no currency is known."""
    if isinstance(value, Money):
        return value if number(value.amount) is not None else None
    return number(value)


def text(value: Value) -> str | None:
    """Give a text that is not blank."""
    return value if isinstance(value, str) and value and not value.isspace() else None


def day(value: Value, at: Moment) -> date | None:
    """Give a date, or the day of a moment."""
    if isinstance(value, datetime):
        try:
            return at.day(value) if value.tzinfo is not None else None
        except OverflowError:
            return None
    return value if isinstance(value, date) else None


def instant(value: Value, at: Moment) -> datetime | None:
    """Give a moment, or the one at which a date begins."""
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else None
    try:
        return at.beginning(value) if isinstance(value, date) else None
    except OverflowError:
        return None


def texts(value: Value) -> tuple[str, ...] | None:
    """Give a set of choices; one alone is a set, too."""
    if isinstance(value, str):
        value = (value,) if text(value) else None
    return value if isinstance(value, tuple) else None


def short_list(items: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """Give a list that is short enough to go through."""
    return items if items is not None and len(items) <= LONGEST_LIST else None


def negative(value: Any) -> Any:
    """Give a number, amount or duration with the other sign."""
    return Money(-value.amount, value.currency) if isinstance(value, Money) else -value


def join(_op: str, left: str, right: str) -> str | None:
    """Join two texts; None when that would be too long."""
    return left + right if len(left) + len(right) <= LONGEST_TEXT else None


def move(op: str, left: Any, right: Any) -> Any:
    """Calculate with dates, moments and durations; None for what no calendar has."""
    try:
        if type(left) is timedelta and isinstance(right, date):
            left, right = right, left
        if type(left) is date and isinstance(right, timedelta) and right % timedelta(1):
            return None  # a date moves by whole days
        return left + right if op == "+" else left - right
    except OverflowError:
        return None


def match(pattern: Pattern, where: str) -> bool | None:
    """Hold a text against a regular expression; None when it is too long."""
    return pattern.found_in(where) if len(where) <= LONGEST_MATCHED else None


def choices(value: Value) -> tuple[str, ...]:
    """Give what a value is when it is held against words that are listed."""
    match value:
        case tuple():
            return value
        case bool():
            return ("yes", "true") if value else ("no", "false")
        case Money():
            return (str(value.amount),)
        case _:
            return (str(value),)
