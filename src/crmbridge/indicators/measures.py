"""The measures: which columns each has, how its rows become figures, and what it looks best as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crmbridge.indicators import counting
from crmbridge.model.figures import ChartKind, Figure
from crmbridge.model.process import Measure

Raw = Mapping[str, Any]  # a row as the SQL gives it; one that is empty stands for nothing counted
Make = Callable[[Raw], Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How a measure is shown. `columns` are in the order to show; `main` is an indicator's figure."""

    columns: Mapping[str, Make]
    main: Make
    part: str = "stage"  # which of the rows of its SQL are shown
    rows_are: str = "stage"  # a key of the words in definitions.toml
    chart: ChartKind = ChartKind.NONE
    charted: tuple[str, ...] = ()


def _share(numerator: str, denominator: str) -> Make:
    return lambda raw: counting.share(raw.get(numerator, 0), raw.get(denominator, 0))


def _count(name: str) -> Make:
    return lambda raw: counting.count(raw.get(name, 0))


def _counts(*names: str) -> dict[str, Make]:
    return {name: _count(name) for name in names}


def _days(name: str, cases: str) -> Make:
    return lambda raw: counting.days(raw.get(name), raw.get(cases, 0))


SPECS: Mapping[Measure, Spec] = {
    Measure.STAGE_CONVERSION: Spec(
        columns={
            "conversion": _share("forward", "left"),
            **_counts("entered", "forward", "lost", "back", "elsewhere", "open"),
        },
        main=_share("forward", "left"),
        chart=ChartKind.FUNNEL,
        charted=("entered", "forward"),
    ),
    Measure.WIN_RATE: Spec(
        columns={"win_rate": _share("won", "closed"), **_counts("won", "lost")},
        main=_share("won", "closed"),
        part="all",
        rows_are="deals",
    ),
    Measure.TIME_IN_STAGE: Spec(
        columns={
            "median": _days("median_days", "closed"),
            "p90": _days("p90_days", "closed"),
            **_counts("open"),
            "open_median_age": _days("open_median_days", "open"),
        },
        main=_days("median_days", "closed"),
        chart=ChartKind.BARS,
        charted=("median", "p90"),
    ),
    Measure.SLA_ATTAINMENT: Spec(
        columns={"attainment": _share("within_goal", "closed"), **_counts("running", "at_risk", "breached")},
        main=_share("within_goal", "closed"),
        part="row",
        rows_are="sla",
        chart=ChartKind.BARS,
        charted=("attainment",),
    ),
    Measure.OPEN_FINDINGS: Spec(
        columns={
            **_counts("errors", "warnings", "infos", "deals"),
            "oldest": _days("oldest_days", "total"),
        },
        main=_count("total"),
        part="row",
        rows_are="owner",
        chart=ChartKind.STACKED,
        charted=("errors", "warnings", "infos"),
    ),
}
