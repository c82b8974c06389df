"""Which way an indicator is aimed: at least its target, or at most. What judges it and what shows it both ask here.

And whether it can be held against its past.
"""

from __future__ import annotations

from typing import Final

from crmbridge.model.figures import Unit
from crmbridge.model.process import Measure

_FEW: Final = frozenset({Measure.AGING, Measure.REWORK, Measure.SKIPS})  # of these there should be little, shares too
_MUCH: Final = frozenset(
    {Measure.ACTIVITIES, Measure.PIPELINE_COVERAGE, Measure.SALES_VELOCITY, Measure.FORECAST}
)  # and of these much
_REACHED: Final = frozenset({Unit.SHARE, Unit.MONEY, Unit.MONEY_A_DAY})
_OF_NOW: Final = frozenset({Measure.AGING, Measure.OPEN_FINDINGS, Measure.PIPELINE_COVERAGE, Measure.FORECAST})


def is_of_now(measure: str) -> bool:
    """Tell whether a figure is of how deals stand, so that its trend says how they stood before.

    Other figures are over all time, and their trend is of what happened in each period: those two can't be compared.
    """
    return measure in _OF_NOW


def must_reach(measure: str | None, unit: Unit) -> bool:
    """Tell whether a figure must reach its target; else it must not exceed it.

    Shares and money must reach it, counts and times must not exceed it; of some measures there should be little, of
    others much, whatever they are counted in.
    """
    return measure in _MUCH or (unit in _REACHED and measure not in _FEW)
