"""The figures of a scorecard as plain JSON, which is all that a report is made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypedDict, cast

from crmbridge.engine.text import plain

_LONGEST = 1000  # characters of one text


class FigureFacts(TypedDict):
    """One number; a share has numerator, denominator and interval."""

    unit: str
    value: float | None
    n: int
    numerator: int | None
    denominator: int | None
    interval: list[float] | None


class IndicatorFacts(TypedDict):
    """One of the process's own indicators."""

    id: str
    name: str
    measure: str
    stage: str | None
    why: str | None
    figure: FigureFacts
    definition: str
    target: str | None
    met: bool | None
    comparable: bool


class ConversionFacts(TypedDict):
    """What became of the deals that entered a stage."""

    stage: str
    name: str
    conversion: FigureFacts
    entered: int
    forward: int
    lost: int
    back: int
    elsewhere: int
    open: int


class TimeFacts(TypedDict):
    """How long visits of a stage lasted, in days."""

    stage: str
    name: str
    median: FigureFacts
    p90: FigureFacts
    open: int
    open_median_age: float | None


class SlaFacts(TypedDict):
    """How an SLA was kept."""

    sla: str
    stage: str
    name: str
    attainment: FigureFacts
    running: int
    at_risk: int
    breached: int


class OwnerFacts(TypedDict):
    """The open findings of one owner's deals."""

    owner: str | None
    errors: int
    warnings: int
    infos: int
    deals: int
    oldest: str


class WaivedFacts(TypedDict):
    """The findings that were accepted, and how many of their waivers end within a week."""

    findings: int
    ending: int
    next_end: str | None


class CoverageFacts(TypedDict):
    """How many deals were evaluated."""

    deals: int
    open: int
    won: int
    lost: int
    with_history: int
    since: str | None


class ScorecardFacts(TypedDict):
    """All figures of one moment."""

    process: str
    as_of: str
    language: str
    coverage: CoverageFacts
    indicators: list[IndicatorFacts]
    conversion: list[ConversionFacts]
    win_rate: FigureFacts
    time_in_stage: list[TimeFacts]
    sla: list[SlaFacts]
    findings: list[OwnerFacts]
    waived: WaivedFacts
    definitions: dict[str, str]


class HasFacts(Protocol):
    """What can be rendered: a scorecard, or anything else that gives the facts of one."""

    def facts(self) -> Mapping[str, Any]:
        """Give the figures as plain JSON, in the form of ScorecardFacts."""
        ...


def clean_facts(scorecard: HasFacts) -> ScorecardFacts:
    """Take a scorecard's facts, with every text in them made harmless to show."""
    return cast("ScorecardFacts", _clean(scorecard.facts()))


def _clean(value: Any) -> Any:
    match value:
        case str():
            return plain(value, _LONGEST)
        case Mapping():
            return {key: _clean(item) for key, item in value.items()}
        case list():
            return [_clean(item) for item in value]
        case _:
            return value
