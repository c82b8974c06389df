"""HubSpot's texts become typed values and go back without loss."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.errors import RefusedError
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_hubspot.values import Codec, milliseconds, moment

CODEC = Codec(ZoneInfo("America/Sao_Paulo"), "EUR")


def decode(text: str, kind: FieldType) -> Value:
    """Read a text as a property of a kind."""
    if kind is FieldType.MONEY:
        return CODEC.money(text, None)
    decoder = CODEC.decoder(kind)
    return text if decoder is None else decoder(text)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1500.50", FieldType.MONEY, Money(Decimal("1500.50"), "EUR")),
        ("1.2000000000000002", FieldType.NUMBER, Decimal("1.2000000000000002")),
        ("true", FieldType.BOOL, True),
        ("No", FieldType.BOOL, False),  # of a dropdown, which people make as a checkbox can't say "not asked yet"
        ("Sim", FieldType.BOOL, True),
        ("2024-02-29", FieldType.DATE, date(2024, 2, 29)),
        ("2023-01-15T05:00:00Z", FieldType.DATETIME, datetime(2023, 1, 15, 5, tzinfo=UTC)),
        ("2023-01-15T05:00:00.123Z", FieldType.DATETIME, datetime(2023, 1, 15, 5, 0, 0, 123000, tzinfo=UTC)),
        ("print;food;print", FieldType.CHOICES, ("food", "print")),
    ],
)
def test_texts_are_read(text: str, kind: FieldType, expected: Value) -> None:
    """Every value comes as text, and becomes what its type says."""
    assert expected == decode(text, kind)


def test_the_text_false_is_false() -> None:
    """Booleans are texts; "false" became true in published records (airbyte source-hubspot, expected_records)."""
    assert False is decode("false", FieldType.BOOL)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("1,5", FieldType.MONEY), ("NaN", FieldType.NUMBER), ("perhaps", FieldType.BOOL), ("soon", FieldType.DATE)],
)
def test_what_cannot_be_read_is_said(text: str, kind: FieldType) -> None:
    """A value that makes no sense is an error of that value."""
    with pytest.raises(ValueError, match=r"."):
        decode(text, kind)


def test_a_close_date_is_the_day_in_the_accounts_zone() -> None:
    """People pick a day in their own zone, and HubSpot stores its midnight in UTC ("Deals" guide)."""
    assert date(2026, 3, 31) == decode("2026-04-01T02:30:00Z", FieldType.DATE)


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_a_day_survives_a_datetime_property(day: date) -> None:
    """A day written into a datetime property is read as the same day."""
    assert day == decode(CODEC.encode(day, "datetime"), FieldType.DATE)


@given(st.decimals(-(10**12), 10**12, places=2))
def test_amounts_survive(amount: Decimal) -> None:
    """Cents are never lost or made."""
    assert Money(amount, "EUR") == decode(CODEC.encode(Money(amount, "EUR"), "number"), FieldType.MONEY)


@pytest.mark.parametrize("digits", ["1234567890123456", "0.1234567890123456", "12345678901234.25"])
def test_a_number_that_a_double_bends_is_refused(digits: str) -> None:
    """A longer number would come back changed, without a word."""
    with pytest.raises(RefusedError, match="digits"):
        CODEC.encode(Money(Decimal(digits), "EUR"), "number")


def test_an_option_with_a_semicolon_is_refused() -> None:
    """HubSpot would take it for two, and one that begins with it for an addition ("Properties" guide)."""
    for options in (("food", "print;steel"), (";food",)):
        with pytest.raises(RefusedError, match="semicolon"):
            CODEC.encode(options, "enumeration")
    assert "food;print" == CODEC.encode(("food", "print"), "enumeration")


def test_times_are_read_as_milliseconds() -> None:
    """Search filters take epoch milliseconds, and replies give ISO times or, seldom, milliseconds."""
    assert 1645123459679 == milliseconds("2022-02-17T18:44:19.679Z") == milliseconds("1645123459679")
    assert moment("2022-02-17T18:44:19.679Z") == moment("1645123459679")
