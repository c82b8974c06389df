"""Indicators in words: their aim says the same as what judges them."""

from __future__ import annotations

import pytest

from crmbridge.indicators.targets import is_met, read_target
from crmbridge.manual.indicators import aim, said_indicators
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import words_of
from crmbridge.model.figures import Figure, Unit
from crmbridge.model.process import Indicator, Measure
from crmbridge.testing.factories import make_process

TARGETS = {
    "40%": (Unit.SHARE, 0.9),
    "4": (Unit.COUNT, 9),
    "4x": (Unit.RATIO, 9),
    "4 EUR": (Unit.MONEY, 9),
    "4bd": (Unit.BUSINESS_DAYS, 9),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("measure", Measure)
def test_the_aim_points_where_it_is_judged(measure: Measure, target: str) -> None:
    """*At least* where a larger figure meets the target, *at most* where it does not."""
    unit, value = TARGETS[target]
    figure = Figure(unit=unit, value=value, n=10, numerator=9, denominator=10, currency="EUR")
    counted = unit.value if unit in {Unit.SHARE, Unit.MONEY} else "count"
    own = {Measure.SQL: {"sql": "own.sql", "unit": counted}, Measure.PLUGIN: {"plugin": "own"}}.get(measure, {})
    indicator = Indicator.model_validate({"id": "one", "name": "One", "measure": measure, "target": target, **own})
    said = aim(indicator, Speech(make_process(), words_of("en")))

    assert is_met(figure, read_target(target), measure) is said.startswith("at least")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("25%", "pelo menos 25%"),
        ("0.5%", "pelo menos 0,5%"),
        ("500000 EUR", "pelo menos 500.000 EUR"),
        ("4bh", "no máximo 4 horas úteis"),
    ],
)
def test_amounts_are_written_as_the_language_does(target: str, words: str) -> None:
    """In Portuguese here."""
    indicator = Indicator.model_validate({"id": "one", "name": "One", "measure": "win_rate", "target": target})

    assert words == aim(indicator, Speech(make_process(), words_of("pt")))


def test_warnings_and_quotas_are_said() -> None:
    """Beside the aim."""
    indicator = {
        "id": "x",
        "name": "X",
        "measure": "pipeline_coverage",
        "target": "3x",
        "warn": "3.5x",
        "quota": "9000 EUR",
    }
    (said,) = said_indicators(Speech(make_process(indicators=[indicator]), words_of("en")), {})

    assert "at least 3 ×" == said.aim  # noqa: RUF001  times
    assert ("A warning comes from 3.5 × on.", "Counted against a quota of 9,000 EUR.") == said.notes  # noqa: RUF001  the same


def test_an_indicator_of_the_team_s_own_says_what_counts_it() -> None:
    """The file, shown as text."""
    indicator = {"id": "x", "name": "X", "measure": "sql", "sql": "<b>.sql", "unit": "count"}
    (said,) = said_indicators(Speech(make_process(indicators=[indicator]), words_of("en")), {})

    assert "Counted by a file of our own: <code>&lt;b&gt;.sql</code>." == said.definition
