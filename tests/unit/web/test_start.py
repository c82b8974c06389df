"""Totals say what they are a part of."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from crmbridge.model.figures import Figure, TrendPoint
from crmbridge.model.findings import Place
from crmbridge.model.records import Status
from crmbridge.report.words import words_of as report_words_of
from crmbridge.services.answers.held_deals import HeldDeal, Hold
from crmbridge.services.answers.overview import Overview
from crmbridge.testing.factories import NOON, make_finding, make_ref
from crmbridge.testing.figures import make_count, make_days, make_indicator_figure, make_share
from crmbridge.web.views.start import moved, totals
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


NEWEST = {
    "win_rate": "2026-10: 20% · down · from 50% in 2026-09",
    "time_in_stage": "2026-10: 4.0 days · up · from 2.0 days in 2026-09",
}


@pytest.mark.parametrize(
    ("measure", "before", "last", "now", "expected"),
    [
        ("open_findings", make_count(3), make_count(4), make_count(9), "up · from 4 in 2026-10"),
        ("aging", make_share(1, 9), make_share(170, 1000), make_share(174, 1000), "unchanged · from 17% in 2026-10"),
        ("win_rate", make_share(5, 10), make_share(2, 10), make_share(4, 10), NEWEST["win_rate"]),
        ("time_in_stage", make_days(2, 20), make_days(4, 20), make_days(1), NEWEST["time_in_stage"]),
        ("time_in_stage", make_days(None, 0), make_days(4, 20), make_days(1, 99), ""),
    ],
)  # fmt: skip
def test_only_what_can_be_compared_is(measure: str, before: Figure, last: Figure, now: Figure, expected: str) -> None:
    """How deals stand now is held against how they stood; what is over all time, against nothing of one month."""
    trend = (TrendPoint("2026-09", before), TrendPoint("2026-10", last))
    one = make_indicator_figure(measure=measure, figure=now, trend=trend)

    assert expected == moved(one, words_of("en", ZoneInfo("UTC")), report_words_of("en"))
