"""The few values that people type in these histories, and what CRMs make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from crmbridge.model.values import Money, Value

Form = Callable[[Value], Value]


class Pool(NamedTuple):
    """A kind of field: what people type there, and what CRMs may make of any of it."""

    name: str
    values: Sequence[Value]
    forms: Sequence[Form]


def _as_it_is(value: Value) -> Value:
    return value


def _rounded(value: Value) -> Value:
    return value.quantize(Decimal("0.01")) if isinstance(value, Decimal) else value


def _whole(value: Value) -> Value:
    return value.quantize(Decimal(1), rounding=ROUND_DOWN) if isinstance(value, Decimal) else value


def _cents(value: Value) -> Value:
    return Money(value.amount.quantize(Decimal("0.01")), value.currency) if isinstance(value, Money) else value


def _no_zero(value: Value) -> Value:
    return None if isinstance(value, Money) and not value.amount else value


def _lower(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(sorted({item.lower() for item in value}))
    return value.lower() if isinstance(value, str) else value


def _trimmed(value: Value) -> Value:
    return " ".join(value.split()) or None if isinstance(value, str) else value


def _cut(value: Value) -> Value:
    return value[:24] if isinstance(value, str) else value


def _decomposed(value: Value) -> Value:
    return value.replace("\u00fc", "u\u0308") if isinstance(value, str) else value


def _by_the_minute(value: Value) -> Value:
    return value.replace(second=0, microsecond=0) if isinstance(value, datetime) else value


def _by_the_day(value: Value) -> Value:
    return value.date() if isinstance(value, datetime) else value


_NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
_LONG = "Roll-out of the new line in Z\u00fcrich"
POOLS = (
    Pool("plain", (None, "", "p", "q", "r"), (_as_it_is,)),
    Pool(
        "text",
        (None, " ", "Acme", " Acme", "acme", "Acme  AG", "Acme AG", "acme ag", _LONG, _LONG[:24], _LONG.lower()),
        (_as_it_is, _as_it_is, _lower, _trimmed, _cut, _decomposed),
    ),
    Pool(
        "number",
        (None, Decimal("0.333333"), Decimal("0.334444"), Decimal("0.33"), Decimal("0.3"), Decimal(0), Decimal(7)),
        (_as_it_is, _rounded, _whole),
    ),
    Pool(
        "money",
        (
            None,
            *(Money(Decimal(text), "EUR") for text in ("10.005", "10.00", "10", "7", "0")),
            Money(Decimal(10), "USD"),
        ),
        (_as_it_is, _cents, _no_zero),
    ),
    Pool(
        "moment",
        (
            None,
            _NOON,
            _NOON.replace(second=30),
            _NOON.replace(microsecond=5000),
            _NOON.replace(hour=0),
            date(2026, 6, 10),
            date(2026, 6, 11),
        ),
        (_as_it_is, _by_the_minute, _by_the_day),
    ),
    Pool(
        "set",
        (None, ("m",), ("n",), ("m", "n"), ("n", "p"), ("m", "n", "p"), ("q",), ("m", "q")),
        (_as_it_is,),
    ),
)
