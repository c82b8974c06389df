"""What is asked of the indicators: in which language, by what, over which periods."""

from __future__ import annotations

from dataclasses import dataclass

from crmbridge.indicators.currency import Rates
from crmbridge.indicators.own import OwnMeasure


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How figures are to be computed. A language that there are no words in gives English."""

    language: str = "en"
    rates: Rates | None = None  # what money of other currencies is worth; not needed while all is of one
    own: tuple[OwnMeasure, ...] = ()  # measures of the team and of plugins
