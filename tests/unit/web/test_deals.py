"""What can be chosen on the page of held deals."""

from __future__ import annotations

import pytest

from crmbridge.model.findings import Place
from crmbridge.model.records import Status
from crmbridge.services.answers.held_deals import HeldDeal, HeldQuery, Hold
from crmbridge.testing.factories import NOON, make_finding, make_ref
from crmbridge.web.views.deals import rules_of


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (HeldQuery(), [("move", 1), ("diagnosis.scope", 0)]),
        (HeldQuery(rule="diagnosis.scope"), [("move", 1), ("diagnosis.scope", 0)]),
        (HeldQuery(status="closed"), [("diagnosis.scope", 1), ("move", 1)]),
        (HeldQuery(status="all"), [("move", 2), ("diagnosis.scope", 1)]),
        (HeldQuery(status="all", owner="Rita"), [("diagnosis.scope", 0), ("move", 0)]),
    ],
)
def test_a_rule_is_offered_with_the_deals_that_it_would_show(query: HeldQuery, expected: list[tuple[str, int]]) -> None:
    """Beside all else that is looked for; a rule that would show none stays in the list."""
    held = [(Status.OPEN, ["move"]), (Status.WON, ["move", "diagnosis.scope"])]
    deals = [
        HeldDeal(
            deal=make_ref(number),
            name="Rollout",
            owner="Ana",
            place=Place("closing", status),
            amount=None,
            holds=tuple(Hold(make_finding(rule=rule), NOON) for rule in rules),
        )
        for number, (status, rules) in enumerate(held)
    ]

    assert expected == rules_of(deals, query)
