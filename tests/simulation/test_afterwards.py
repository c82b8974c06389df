"""What people do once all is calm."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crmbridge.engine.sync.sameness import altered
from crmbridge.model.values import Money, Value
from crmbridge.testing.simulation.afterwards import shortened


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (Money(Decimal("12.34"), "EUR"), Money(Decimal(12), "EUR")),
        (Decimal("0.25"), Decimal(0)),
        ("Deal 1", "DEAL 1"),
    ],
)
def test_what_a_person_shortens_a_crm_might_have_made(value: Value, short: Value) -> None:
    """Only so can anybody take the one for the other."""
    assert short == shortened(value)
    assert altered(value, short)


@pytest.mark.parametrize("value", [None, True, Decimal(3), Money(Decimal(3), "EUR"), "42", ("a", "b")])
def test_what_can_not_be_shortened_is_left_alone(value: Value) -> None:
    """A value that stays as it is would be no edit."""
    assert shortened(value) is None
