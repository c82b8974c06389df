"""At a narrow terminal, commands say the same as elsewhere, in more lines."""

from __future__ import annotations

import re

from tests.integration.shop import Shop

from crmbridge.cli.output import width

LOOKING = [
    ("doctor",),
    ("plan", "--no-pull"),
    ("findings",),
    ("conflicts",),
    ("links",),
    ("explain", "Rollout"),
    ("connections", "describe", "north"),
    ("report",),
]


def test_every_command_says_at_a_narrow_terminal_what_it_says_elsewhere(shop: Shop) -> None:
    """It ends in the same way: a row that takes several lines there is one row all the same."""
    shop.call("plan")

    for args in LOOKING:
        said = shop.look(40, *args)
        assert shop.call(*args).code == said.code, f"{args}: {said.out}{said.err}"
        assert "bug" not in said.err


def test_doctor_wraps_its_advice_below_what_it_is_about(shop: Shop) -> None:
    """An account with a long list of stages is told whole, in lines that fit."""
    said = shop.look(80, "doctor")

    assert {True} == {width(line) <= 80 for line in re.sub(r"\x1b\[\d*m", "", said.out).split("\n")}
    assert "ok" in said.out
