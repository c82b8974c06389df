"""One currency for all amounts of a deal: which of them writing one would change."""

from decimal import Decimal

import pytest

from crmbridge.adapting import turned_amounts
from crmbridge.model.values import Money, Value


def euros(amount: int) -> Money:
    return Money(Decimal(amount), "EUR")


def dollars(amount: int) -> Money:
    return Money(Decimal(amount), "USD")


@pytest.mark.parametrize(
    ("after", "held"),
    [
        ({"amount": euros(1), "list_price": euros(2)}, {"amount": dollars(1), "list_price": dollars(2)}),
        ({"amount": euros(1)}, {"amount": dollars(1), "list_price": euros(2)}),
        ({"amount": euros(1)}, {"amount": dollars(1), "list_price": None, "discount": Decimal(3)}),
        ({"amount": euros(1)}, {"list_price": dollars(0)}),
        ({"amount": euros(1), "list_price": None}, {"amount": dollars(1), "list_price": dollars(2)}),
        ({"name": "New"}, {"amount": dollars(1), "list_price": euros(2)}),
    ],
)
def test_amounts_of_one_currency_can_be_written(after: dict[str, Value], held: dict[str, Value]) -> None:
    """All of them at once, or one that is in the currency of those that stay; nothing is in no currency."""
    assert turned_amounts(after, held) == ""


@pytest.mark.parametrize(
    ("after", "held", "said"),
    [
        ({"amount": euros(1), "list_price": dollars(2)}, {}, "EUR and USD"),
        (
            {"amount": euros(1)},
            {"amount": dollars(1), "list_price": dollars(2)},
            "list_price of 2 USD would become EUR",
        ),
    ],
)
def test_an_amount_that_would_change_the_others_is_told(
    after: dict[str, Value], held: dict[str, Value], said: str
) -> None:
    """With the one that would be wrong."""
    assert said in turned_amounts(after, held)
