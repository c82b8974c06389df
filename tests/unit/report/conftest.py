"""A scorecard whose every part can be overridden."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crmbridge.indicators import (
    Coverage,
    Figure,
    FigureUnit,
    IndicatorFigure,
    OwnerFindings,
    Scorecard,
    SlaAttainment,
    StageConversion,
    StageTime,
)
from crmbridge.indicators.scorecard import share
from crmbridge.model.process import Measure
from crmbridge.testing.factories import NOON

MakeScorecard = Callable[..., Scorecard]


def _indicator(**overrides: Any) -> IndicatorFigure:
    usual: dict[str, Any] = {
        "id": "wins",
        "name": "Deals won",
        "measure": Measure.WIN_RATE,
        "stage": None,
        "why": None,
        "figure": share(9, 40),
        "definition": "Won of closed.",
        "target": "25%",
        "met": False,
        "comparable": True,
    }
    return IndicatorFigure(**{**usual, **overrides})


def _days(value: float | None, n: int) -> Figure:
    return Figure(unit=FigureUnit.DAYS, value=value, n=n)


@pytest.fixture
def make_indicator() -> Callable[..., IndicatorFigure]:
    """Give a function that makes an indicator's figure: a win rate of 9 in 40."""
    return _indicator


@pytest.fixture
def make_scorecard() -> MakeScorecard:
    """Give a function that makes a scorecard of 120 deals."""
    stage = {"stage": "qualification", "name": "Qualification"}
    usual: dict[str, Any] = {
        "process": "Selling",
        "as_of": NOON,
        "language": "en",
        "coverage": Coverage(deals=120, open=80, won=9, lost=31, with_history=118, since=NOON - timedelta(days=90)),
        "indicators": (_indicator(),),
        "conversion": (
            StageConversion(
                **stage, conversion=share(60, 90), entered=100, forward=60, lost=25, back=4, elsewhere=1, open=10
            ),
        ),
        "win_rate": share(9, 40),
        "time_in_stage": (
            StageTime(**stage, median=_days(4.25, 90), p90=_days(12.5, 90), open=10, open_median_age=6.0),
        ),
        "sla": (
            SlaAttainment(
                sla="qualification.sla",
                **stage,
                attainment=share(70, 90),
                running=10,
                at_risk=2,
                breached=3,
            ),
        ),
        "findings": (
            OwnerFindings(owner="Rita Prado", errors=3, warnings=4, infos=1, deals=5, oldest=NOON - timedelta(days=8)),
        ),
        "definitions": {str(measure): f"What {measure} is." for measure in Measure},
    }
    return lambda **overrides: Scorecard(**{**usual, **overrides})
