"""What says the same, whatever it is written as, and what a CRM may have made of a value."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.sameness import altered, canonical, same
from crmbridge.model.values import Money, Value

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=2))


def euros(text: str, currency: str = "EUR") -> Money:
    return Money(Decimal(text), currency)


class Colour(StrEnum):
    """A type of text that a plugin may have."""

    RED = "red"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (euros("1.50"), euros("1.5")),
        (euros("1E+2"), euros("100.00")),
        (3, Decimal("3.0")),
        (Decimal("-0"), 0),
        (Decimal("NaN"), Decimal("NaN")),
        (True, 1),
        (date(2026, 6, 10), datetime(2026, 6, 10, tzinfo=UTC)),
        (datetime(2026, 6, 10, 14, tzinfo=EAST), NOON),
        (("b", "a", "a"), ("a", "b")),
        ("Zu\u0308rich", "Z\u00fcrich"),
        (("Zu\u0308rich",), ("Z\u00fcrich",)),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("  Acme ", "Acme"),
        (None, ""),
        (None, " \n"),
        (None, ()),
        (Colour.RED, "red"),
    ],
)
def test_what_says_the_same_is_the_same(one: Value, other: Value) -> None:
    """How a CRM writes a value is no news."""
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (euros("10"), euros("10", "USD")),
        (euros("10"), Decimal(10)),
        (euros("10.01"), euros("10.02")),
        ("Acme", "ACME"),
        ("a b", "a  b"),
        ("10", 10),
        (0, None),
        (False, None),
        (date(2026, 6, 10), NOON),
        (date(2026, 6, 10), datetime(2026, 6, 10, tzinfo=EAST)),
        (("a",), ("a", "b")),
        (("a",), "a"),
        ("2026-06-10", date(2026, 6, 10)),
        (Decimal("NaN"), None),
    ],
)
def test_what_says_something_else_is_not_the_same(one: Value, other: Value) -> None:
    """An edit is not missed because the two look alike."""
    assert not same(one, other)
    assert not same(other, one)


NUMBERS = st.one_of(st.integers(-3, 3), st.decimals(-3, 3, places=1), st.just(Decimal("NaN")), st.booleans())
TEXTS = st.sampled_from(["", " ", "a", "A", " a", "a\r\n", "u\u0308", "\u00fc", "1", "2026-06-10"])
VALUES = st.one_of(
    st.none(),
    NUMBERS,
    TEXTS,
    st.builds(Money, st.sampled_from([Decimal(1), Decimal("1.0"), Decimal(2)]), st.sampled_from(["EUR", "USD"])),
    st.sampled_from([date(2026, 6, 10), date(2026, 6, 11)]),
    st.sampled_from([NOON, NOON.astimezone(EAST), datetime(2026, 6, 10, tzinfo=UTC), NOON + timedelta(seconds=1)]),
    st.lists(TEXTS, max_size=3).map(tuple),
)


@given(VALUES, VALUES, VALUES)
def test_being_the_same_is_an_equivalence(one: Value, two: Value, three: Value) -> None:
    """A value is the same as itself, the other way round as well, and so is what is the same as the same."""
    assert same(one, one)
    assert same(one, two) == same(two, one) == (canonical(one) == canonical(two))
    assert not (same(one, two) and same(two, three)) or same(one, three)
    assert same(one, two) or one != two


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (Decimal("0.333333"), Decimal("0.33")),
        (Decimal("0.5"), 1),
        (Decimal("0.5"), 0),
        (euros("10.005"), euros("10.01")),
        (euros("12345678901234567890123456789.5"), euros("12345678901234567890123456789")),
        (" Acme  GmbH", "Acme GmbH"),
        ("Sales@Acme.example", "sales@acme.example"),
        ("A text that is longer than the field", "A text that is longer"),
        (NOON + timedelta(seconds=30, milliseconds=5), NOON + timedelta(seconds=30)),
        (NOON + timedelta(seconds=30), NOON),
        (NOON, date(2026, 6, 10)),
        (("Red", "blue"), ("red", "Blue")),
    ],
)
def test_what_a_crm_may_have_made_of_a_value(written: Value, seen: Value) -> None:
    """It rounds, trims, cuts, changes the case, or keeps a time less exactly."""
    assert altered(written, seen)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (Decimal("10.04"), Decimal("10.2")),
        (Decimal("10.0"), Decimal("10.04")),
        (Decimal(10), Decimal(11)),
        (Decimal("Infinity"), Decimal(1)),
        (True, 0),
        (euros("10.005"), euros("10.01", "USD")),
        (euros("10.5"), Decimal(10)),
        ("Acme GmbH", "Acme"),
        ("Acme", "Acme GmbH"),
        ("Acme GmbH", "Bcme GmbH"),
        ("Acme", None),
        (None, "Acme"),
        (NOON, NOON + timedelta(minutes=2)),
        (NOON, NOON + timedelta(microseconds=1)),
        (NOON, date(2026, 6, 11)),
        (date(2026, 6, 10), date(2026, 6, 11)),
        (("red", "blue"), ("red",)),
    ],
)
def test_what_no_crm_makes_of_a_value_is_an_edit(written: Value, seen: Value) -> None:
    """More digits, other words, another currency, nothing at all: that was a person."""
    assert not altered(written, seen)


@given(VALUES, VALUES)
def test_any_two_values_can_be_compared(one: Value, two: Value) -> None:
    """No pair of kinds stops a plan."""
    assert altered(one, two) in {True, False}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.integers(0, 5))
def test_every_rounding_is_known_as_one(number: Decimal, places: int) -> None:
    """Whichever way a CRM rounds, and to however many places."""
    step = Decimal(1).scaleb(-places)
    for way in ("ROUND_HALF_UP", "ROUND_HALF_EVEN", "ROUND_DOWN", "ROUND_CEILING", "ROUND_FLOOR"):
        try:
            seen = number.quantize(step, rounding=way)
        except ArithmeticError:
            continue

        assert same(number, seen) or altered(number, seen)
