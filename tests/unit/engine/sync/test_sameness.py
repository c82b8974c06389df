"""When two values say the same, and what a CRM may have made of one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.sync.sameness import altered, canonical, same
from crmbridge.model.values import Money, Value

EAST = timezone(timedelta(hours=2))
MIDNIGHT = datetime(2026, 6, 10, tzinfo=UTC)
EUROS = Money(Decimal(100), "EUR")

TEXTS = st.sampled_from(["", " ", "a", "a ", "A", "Zo\u00eb", "Zoe\u0308", "l\r\nm", "l\nm", "1", "NaN"])
NUMBERS = st.sampled_from([0, 1, Decimal(1), Decimal("1.0"), Decimal("NaN"), Decimal("-0"), Decimal("1E+1"), 10])
MONEY = st.builds(Money, st.sampled_from([Decimal(1), Decimal("1.00")]), st.sampled_from(["EUR", "USD"]))
MOMENTS = st.sampled_from([MIDNIGHT, MIDNIGHT.astimezone(EAST), MIDNIGHT + timedelta(seconds=1), date(2026, 6, 10)])
SETS = st.sampled_from([(), ("a",), ("a", "b"), ("b", "a"), ("a ", "b")])
VALUES = st.one_of(st.none(), st.booleans(), TEXTS, NUMBERS, MONEY, MOMENTS, SETS)


class Colour(StrEnum):
    """A type of text that a plugin may have."""

    RED = "red"


@given(VALUES, VALUES, VALUES)
def test_being_the_same_is_an_equivalence(one: Value, two: Value, three: Value) -> None:
    """Each value is the same as itself, both ways round, and what is the same as a third is the same."""
    assert same(one, one)
    assert same(one, two) == same(two, one)
    assert same(one, two) == (canonical(one) == canonical(two))
    assert same(one, two) or one != two
    if same(one, two) and same(two, three):
        assert same(one, three)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        (None, " \n"),
        (None, ()),
        ("Zo\u00eb", "Zoe\u0308"),
        ("one\r\ntwo", "one\ntwo "),
        (1, Decimal("1.00")),
        (EUROS, Money(Decimal("100.00"), "EUR")),
        (MIDNIGHT, date(2026, 6, 10)),
        (MIDNIGHT, MIDNIGHT.astimezone(EAST)),
        (("a", "b"), ("b", "a")),
        (Decimal("NaN"), Decimal("NaN")),
        (True, 1),
        (0, False),
        ("one\rtwo", "one\ntwo"),
        (("Zo\u00eb",), ("Zoe\u0308",)),
        (Colour.RED, "red"),
    ],
)
def test_what_says_the_same(one: Value, other: Value) -> None:
    """Ways of writing one value."""
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme", "Acme"),
        ("a b", "a  b"),
        (0, None),
        (False, None),
        (1, "1"),
        (EUROS, Money(Decimal(100), "USD")),
        (EUROS, Decimal(100)),
        (MIDNIGHT + timedelta(hours=1), date(2026, 6, 10)),
        (MIDNIGHT + timedelta(seconds=1), MIDNIGHT),
        (("a",), ("a", "b")),
        (Decimal("1.001"), Decimal("1.00")),
    ],
)
def test_what_says_something_else(one: Value, other: Value) -> None:
    """Values that look alike, and are not."""
    assert not same(one, other)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (Decimal("1.26"), Decimal("1.3")),
        (Decimal("1.26"), Decimal("1.2")),
        (Decimal("1.5"), 2),
        (Decimal("1.46"), Decimal("1.50")),  # rounded, and shown with more places
        (Money(Decimal("9.999"), "EUR"), Money(Decimal(10), "EUR")),
        (
            Money(Decimal("12345678901234567890123456789.5"), "EUR"),
            Money(Decimal(12345678901234567890123456789), "EUR"),
        ),
        ("a name that is too long for it", "a name that is too lo"),
        ("a name that is too long for it", "A name that is too l"),
        ("Acme  Ltd", "acme ltd"),
        ("acme ltd", "ACME LTD"),
        (MIDNIGHT + timedelta(seconds=31), MIDNIGHT),
        (MIDNIGHT + timedelta(microseconds=1500), MIDNIGHT + timedelta(microseconds=1000)),
        (MIDNIGHT + timedelta(seconds=31.5), MIDNIGHT + timedelta(seconds=32)),
        (MIDNIGHT + timedelta(hours=5), date(2026, 6, 10)),
        ((MIDNIGHT + timedelta(hours=5)).astimezone(timezone(timedelta(hours=-8))), date(2026, 6, 10)),
        (("A", "b"), ("b", "a")),
        (("a", "b"), ("B", "A")),
        (Money(Decimal("0.00"), "EUR"), None),
    ],
)
def test_what_a_crm_may_make_of_a_value(written: Value, seen: Value) -> None:
    """It keeps less, and nobody edited it; the other way round it has more than it was given."""
    assert altered(written, seen)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (Decimal("1.26"), Decimal("1.4")),
        (Decimal("1.2"), Decimal("1.26")),
        (2, 3),
        (Decimal("Infinity"), Decimal(1)),
        (Decimal("1.5"), Decimal("Infinity")),
        (Decimal("1.5"), Decimal("NaN")),
        (True, 0),
        (Decimal("0.7"), True),
        (EUROS, Money(Decimal(101), "EUR")),
        (Money(Decimal("9.999"), "EUR"), Money(Decimal(10), "USD")),
        ("a short name", "a short"),
        ("a name that is too long for it", "a name that is too "),
        ("a name that is too long for it", "another that is long as well"),
        ("a name", None),
        (EUROS, None),
        (Decimal(0), None),
        (None, Money(Decimal(0), "EUR")),
        (MIDNIGHT, MIDNIGHT + timedelta(minutes=1)),
        (MIDNIGHT + timedelta(seconds=30), MIDNIGHT + timedelta(seconds=31)),
        (MIDNIGHT + timedelta(microseconds=1500), MIDNIGHT + timedelta(microseconds=1400)),
        (MIDNIGHT + timedelta(hours=5), date(2026, 6, 11)),
        (("a", "b"), ("a",)),
        ("1", 1),
    ],
)
def test_what_a_person_did(written: Value, seen: Value) -> None:
    """No CRM makes this of what it is given."""
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


LINES = st.text(st.sampled_from("ab \r\n\t\x1c\u00e9"), max_size=6)
RETOLD = st.sampled_from(
    [
        lambda text: text.replace("\r", "\n"),
        lambda text: text.replace("\r\n", "\n"),
        str.strip,
        lambda text: f" {text}\n",
    ]
)


@given(one=LINES, retold=RETOLD, other=LINES)
def test_texts_say_the_same_if_their_canonical_form_is_one(one: str, retold: Callable[[str], str], other: str) -> None:
    """Also those that are compared without it."""
    assert same(one, retold(one)) == (canonical(one) == canonical(retold(one)))
    assert same(one, other) == (canonical(one) == canonical(other))
