"""JSON in which numbers keep every digit."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.http import dump_json, load_json

DIGITS = 10**40  # beyond any amount, within what is read and written
DECIMALS = st.decimals(-DIGITS, DIGITS, allow_nan=False, allow_infinity=False, places=9)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-DIGITS, DIGITS) | TEXT | DECIMALS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    """Any value of these kinds survives, digit for digit."""
    assert value == load_json(dump_json(value))


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    """It has no form in UTF-8, and must not keep the rest of the text from being sent."""
    assert "a\ufffd" in load_json(dump_json("a\ud800")).replace("\ufffd\ufffd\ufffd", "\ufffd")


@pytest.mark.parametrize("digits", ["0.1", "12345678901234567890123456789012345678.90", "1000", "-0.000000001"])
def test_a_decimal_is_written_as_it_is(digits: str) -> None:
    """No digit is lost, and no exponent appears."""
    assert digits.encode() == dump_json(Decimal(digits))


def test_text_that_looks_like_a_number_stays_text() -> None:
    """Only Decimals come out bare."""
    assert b'{"a":"1.5","b":1.5}' == dump_json({"a": "1.5", "b": Decimal("1.5")})


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "", "{", "<html>"])
def test_what_is_not_json_is_refused(text: str) -> None:
    """NaN and infinity are no JSON, whatever Python's reader thinks."""
    with pytest.raises(ValueError, match=r"."):
        load_json(text)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("-Infinity"), float("nan"), object()])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    """Nothing is written in its place."""
    with pytest.raises((TypeError, ValueError), match=r"JSON|no number"):
        dump_json([value])


ENDLESS = ["1e30000000", "1E30000000", "1e-30000000", "0e30000000", "1e99999999999999999999", "1e60", "1e-61", "-1e60"]


@pytest.mark.parametrize("number", [*ENDLESS, "9" * 61, "0." + "1" * 61, "1." + "0" * 61, "9" * 61 + ".5"])
def test_a_number_of_endless_digits_is_refused(number: str) -> None:
    """A few characters would fill the memory of whoever shows it."""
    with pytest.raises(ValueError, match="digits"):
        load_json(f'{{"amount": {number}}}')


@given(st.integers(0, 40), st.sampled_from(["", "-"]))
def test_too_many_digits_are_found_wherever_they_stand(before: int, sign: str) -> None:
    """Not every byte is looked at, and none of them can hide."""
    text = f'["{"x" * before}", {sign}{"7" * 61}]'.encode()

    with pytest.raises(ValueError, match="digits"):
        load_json(text)


@pytest.mark.parametrize("number", ["1e59", "1e-60", "9" * 60, "-" + "9" * 60, "0." + "9" * 60, "0"])
def test_sixty_digits_on_either_side_are_read(number: str) -> None:
    """No CRM keeps that many; the bounds are ours."""
    assert Decimal(number) == load_json(number)


@pytest.mark.parametrize("digits", ["1e30000000", "1e-30000000", "0e30000000", "1e60", "1e-61"])
def test_a_number_of_endless_digits_is_not_written(digits: str) -> None:
    """What could not be read back is not sent."""
    with pytest.raises(ValueError, match="digits"):
        dump_json({"amount": Decimal(digits)})


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000])
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    """It is unreadable like any other text that is no JSON."""
    with pytest.raises(ValueError, match="nested"):
        load_json(text)


@given(VALUES)
def test_the_quick_way_reads_what_the_careful_way_does(value: object) -> None:
    """Bytes are read by msgspec, text by the standard library: number for number, type for type."""
    text = dump_json(value)

    assert repr(load_json(text.decode())) == repr(load_json(text))


WRITTEN = st.from_regex(r"\A-?(0|[1-9][0-9]{0,70})(\.[0-9]{1,70})?([eE][+-]?[0-9]{1,3})?\Z")


@given(WRITTEN)
def test_any_number_is_read_alike_or_refused_alike(number: str) -> None:
    """However a number is written, the quick way gives the careful one's digits or leaves it to that."""
    assert _read(f"[{number}]") == _read(f"[{number}]".encode())


def _read(text: str | bytes) -> str:
    try:
        return repr(load_json(text))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    "text",
    [
        b'"\\ud800"',
        "\ufeff[1]".encode(),
        '{"a": 1.50}'.encode("utf-16"),
        b"[1.0, 1e5, -0, -0.0, 1E+2]",
        b'{"a": 1, "a": 2}',
        b'"\\u0000"',
        ('"' + "7" * 80 + '"').encode(),
        b"[" + b"9" * 60 + b"]",
    ],
)
def test_what_only_the_careful_way_reads_is_read_too(text: bytes) -> None:
    """What msgspec is strict about, or has no limit for, comes out as the standard library reads it."""
    assert repr(load_json(text.decode(json.detect_encoding(text)).removeprefix("\ufeff"))) == repr(load_json(text))
