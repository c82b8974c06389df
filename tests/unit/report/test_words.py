"""Numbers are written as a language writes them, and say no more than is known."""

from __future__ import annotations

import pytest

from crmbridge.model.figures import Unit
from crmbridge.report.words import words_of


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0%"), (0.001, "1%"), (0.5, "50%"), (0.999, "99%"), (1, "100%"), (None, "–")],  # noqa: RUF001
)
def test_what_is_not_all_does_not_read_all(share: float | None, expected: str) -> None:
    """A share that is nearly all or nearly nothing is not rounded to it."""
    assert expected == words_of("en").percent(share)


@pytest.mark.parametrize(
    ("language", "value", "unit", "currency", "expected"),
    [
        ("en", -5, Unit.COUNT, None, "−5"),  # noqa: RUF001  the sign
        ("en", -0.04, Unit.DAYS, None, "0.0 days"),
        ("en", 1234.5, Unit.MONEY, "USD", "$1,234"),
        ("en", -0.4, Unit.MONEY, "USD", "$0"),
        ("pt", 1234.5, Unit.MONEY, "BRL", "R$\u00a01.234"),
        ("zh", 1234.5, Unit.MONEY, "CNY", "¥1,234"),
        ("zh", 1234.5, Unit.MONEY, "USD", "US$1,234"),
        ("en", -1234.5, Unit.MONEY, "CHF", "−CHF\u00a01,234"),  # noqa: RUF001  the sign
        ("en", 3.24, Unit.RATIO, None, "3.2×"),  # noqa: RUF001  times
        ("pt", 3.24, Unit.RATIO, None, "3,2×"),  # noqa: RUF001  times
        ("en", 900, Unit.MONEY_A_DAY, "EUR", "€900 a day"),
        ("en", 132.4, Unit.DAYS, None, "132 days"),
        ("en", 2.5, Unit.BUSINESS_HOURS, None, "2.5 business hours"),
    ],
)
def test_amounts_have_their_unit_and_currency(
    language: str, value: float, unit: str, currency: str | None, expected: str
) -> None:
    """Signs, separators, currencies and units are the language's own."""
    assert expected == words_of(language).amount(value, unit, currency)


@pytest.mark.parametrize(
    ("language", "value", "expected"),
    [
        ("en", 1250, "€1.2k"),
        ("en", 2_000_000, "€2m"),
        ("en", 0, "€0"),
        ("pt", 1_500_000, "€\u00a01,5 mi"),
        ("zh", 35_000, "€3.5万"),
        ("zh", 9_000, "€9,000"),
    ],
)
def test_edges_of_charts_are_short(language: str, value: float, expected: str) -> None:
    """Thousands and millions are words of the language; Chinese counts in ten thousands."""
    assert expected == words_of(language).short(value, Unit.MONEY, "EUR")
