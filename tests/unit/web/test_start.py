"""Tiles of indicators say whether a target is a least or a most, and totals what they are a part of."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from crmbridge.model.figures import Figure, IndicatorFigure, Unit
from crmbridge.model.findings import Place
from crmbridge.model.records import Status
from crmbridge.services.answers.held_deals import HeldDeal, Hold
from crmbridge.services.answers.overview import Overview
from crmbridge.testing.factories import NOON, make_finding, make_ref
from crmbridge.web.views.start import tile, totals
from crmbridge.web.words import words_of


@pytest.mark.parametrize(
    ("measure", "unit", "target", "language", "expected"),
    [
        ("win_rate", Unit.SHARE, "25%", "en", "Target at least 25%"),
        ("win_rate", Unit.SHARE, "25%", "pt", "Meta no mínimo 25%"),
        ("win_rate", Unit.SHARE, "25%", "zh", "目标 不低于 25%"),
        ("rework", Unit.SHARE, "10%", "en", "Target at most 10%"),
        ("time_in_stage", Unit.BUSINESS_DAYS, "1bd", "en", "Target at most 1 business day"),
        ("time_in_stage", Unit.BUSINESS_DAYS, "5bd", "zh", "目标 不超过 5 个工作日"),
        ("open_findings", Unit.COUNT, "0", "en", "Target 0"),
        ("win_rate", Unit.SHARE, "as agreed", "en", "Target as agreed"),
    ],
)
def test_a_target_says_which_way_it_is_meant(
    measure: str, unit: Unit, target: str, language: str, expected: str
) -> None:
    """As the report does; one that can't be compared stays as it stands in the file."""
    figure = Figure(value=0.2, n=50, unit=unit)
    one = IndicatorFigure(
        id="own",
        name="Own",
        measure=measure,
        figure=figure,
        target=target,
        met=None,
        definition="",
        comparable=target != "as agreed",
    )

    assert expected == tile(one, words_of(language, ZoneInfo("UTC"))).target


@pytest.mark.parametrize(
    ("met", "near", "expected"),
    [
        (None, None, ("plain", "")),
        (True, False, ("good", "met")),
        (True, None, ("good", "met")),
        (True, True, ("warn", "met, but close")),
        (False, False, ("bad", "missed")),
    ],
)
def test_a_target_that_is_just_met_is_marked(*, met: bool | None, near: bool | None, expected: tuple[str, str]) -> None:
    """As in the report."""
    figure = Figure(value=0.2, n=50, unit=Unit.SHARE)
    one = IndicatorFigure(
        id="own", name="Own", measure="win_rate", figure=figure, target="25%", met=met, near=near, definition=""
    )
    found = tile(one, words_of("en", ZoneInfo("UTC")))

    assert expected == (found.tone, found.verdict)


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
