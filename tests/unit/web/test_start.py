"""Totals say what they are a part of."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from crmbridge.model.findings import Place
from crmbridge.model.records import Status
from crmbridge.services.answers.held_deals import HeldDeal, Hold
from crmbridge.services.answers.overview import Overview
from crmbridge.testing.factories import NOON, make_finding, make_ref
from crmbridge.web.views.start import totals
from crmbridge.web.words import words_of


def test_of_the_open_deals_only_open_ones_are_held() -> None:
    """One that was won against a rule is held as well, and is no part of them."""
    seen = Overview(
        now=NOON,
        last=None,
        running=None,
        waiting={},
        unknown=0,
        ending=(),
        old=(),
        pulled={},
        open_deals=4,
        findings={},
    )
    held = [
        HeldDeal(
            deal=make_ref(number),
            name="Rollout",
            owner="",
            place=Place("closing", status),
            amount=None,
            holds=(Hold(make_finding(), NOON),),
        )
        for number, status in enumerate((Status.OPEN, Status.WON, Status.WON))
    ]

    (card,) = (one for one in totals(seen, held, words_of("en", ZoneInfo("UTC"))) if one.href == "/deals")
    assert ("3", "25% of the open deals") == (card.value, card.detail)
