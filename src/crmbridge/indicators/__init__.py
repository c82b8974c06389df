"""Indicators: SQL per number, run by DuckDB over the store."""

from crmbridge.indicators.compute import compute
from crmbridge.indicators.scorecard import (
    Coverage,
    Figure,
    FigureUnit,
    IndicatorFigure,
    Interval,
    OwnerFindings,
    Scorecard,
    SlaAttainment,
    StageConversion,
    StageTime,
    WaivedFindings,
)

__all__ = [
    "Coverage",
    "Figure",
    "FigureUnit",
    "IndicatorFigure",
    "Interval",
    "OwnerFindings",
    "Scorecard",
    "SlaAttainment",
    "StageConversion",
    "StageTime",
    "WaivedFindings",
    "compute",
]
