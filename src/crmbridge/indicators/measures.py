"""The measures: which columns each has, how its rows become figures, and what it looks best as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from crmbridge.indicators import counting
from crmbridge.model.figures import ChartKind, Figure, Unit

Raw = Mapping[str, Any]  # a row as the SQL gives it; one that is empty stands for nothing counted
Make = Callable[[Raw], Figure]


class Spec(Struct, frozen=True, kw_only=True):
    """How a measure is counted and shown. `columns` are in the order to show; `main` is an indicator's figure.

    `rows_are` is what a row is about beside its segment and period, a key of the words in definitions.toml. Rows by the
    periods of a trend come from the measure's own SQL, cut by them (`cut`); from SQL that is apart, in NAME_trend.sql
    (`apart`); or they are there already, as its rows are by the ends of periods (`ends`). `made` are the tables that
    its SQL, or that of its trend, is over: they are made for it, and only one connection sees them. `left_out` is what
    a reader must know that it does not count, or counts all the same: columns of left_out.sql.
    """

    columns: Mapping[str, Make]
    main: Make
    rows_are: str = "stage"
    chart: ChartKind = ChartKind.NONE
    charted: tuple[str, ...] = ()
    by_period: str | None = None  # the word that says in which period something counts; None: no periods cut its rows
    is_money: bool = False  # whether it makes no sense over several currencies
    trend: Literal["cut", "apart", "ends"] | None = None  # None: it has no trend
    made: tuple[Literal["spells", "stood"], ...] = ()
    left_out: tuple[str, ...] = ()


def _share(numerator: str, denominator: str) -> Make:
    return lambda raw: counting.share(int(raw.get(numerator) or 0), int(raw.get(denominator) or 0))


def _count(name: str) -> Make:
    return lambda raw: counting.count(int(raw.get(name) or 0))


def _counts(*names: str) -> dict[str, Make]:
    return {name: _count(name) for name in names}


def _days(name: str, cases: str) -> Make:
    return lambda raw: counting.days(raw.get(name), int(raw.get(cases) or 0))


def _money(name: str, cases: str, unit: Unit = Unit.MONEY) -> Make:
    return lambda raw: Figure(unit=unit, value=raw.get(name), n=int(raw.get(cases) or 0), currency=raw.get("currency"))


_MEASURES: dict[str, Spec] = {
    "stage_conversion": Spec(
        columns={
            "conversion": _share("forward", "left"),
            **_counts("entered", "forward", "lost", "back", "elsewhere", "open"),
        },
        main=_share("forward", "left"),
        chart=ChartKind.FUNNEL,
        charted=("entered", "forward"),
        trend="cut",
        left_out=("unknown_stages", "no_history"),
        by_period="period_of_leaving",
    ),
    "cohort_conversion": Spec(
        columns={
            "reached_or_beyond": _share("reached_next", "reached"),
            "strict": _share("entered_next", "entered"),
            "direct": _share("straight", "entered"),
            **_counts("reached", "entered", "open"),
        },
        main=_share("reached_next", "reached"),
        chart=ChartKind.BARS,
        charted=("reached_or_beyond", "strict", "direct"),
        trend="cut",
        left_out=("unknown_stages", "no_history"),
        by_period="period_of_beginning",
    ),
    "win_rate": Spec(
        columns={"win_rate": _share("won", "closed"), **_counts("won", "lost")},
        main=_share("won", "closed"),
        rows_are="deals",
        chart=ChartKind.BARS,
        charted=("win_rate",),
        trend="cut",
        left_out=("no_close_date", "never_sold"),
        by_period="period_of_closing",
    ),
    "win_rate_by_cohort": Spec(
        columns={"win_rate": _share("won", "deals"), **_counts("won", "lost", "open")},
        main=_share("won", "deals"),
        rows_are="deals",
        chart=ChartKind.STACKED,
        charted=("won", "lost", "open"),
        left_out=("no_history",),
        by_period="period_of_beginning",
    ),
    "time_in_stage": Spec(
        columns={
            "median": _days("median_days", "visits"),
            "p90": _days("p90_days", "visits"),
            **_counts("closed", "open"),
            "open_median_age": _days("open_median_days", "open"),
        },
        main=_days("median_days", "visits"),
        chart=ChartKind.BARS,
        charted=("median", "p90"),
        trend="apart",
        made=("spells",),
        left_out=("unknown_stages", "no_history"),
        by_period="period_of_entering",
    ),
    "cycle_time": Spec(
        columns={
            "median": _days("median_days", "deals"),
            "p90": _days("p90_days", "deals"),
            "won_median": _days("won_median_days", "won"),
            **_counts("closed", "open"),
        },
        main=_days("median_days", "deals"),
        rows_are="deals",
        chart=ChartKind.BARS,
        charted=("median", "p90"),
        made=("spells",),
        left_out=("no_close_date", "no_history"),
        by_period="period_of_beginning",
    ),
    "aging": Spec(
        columns={
            **_counts("open", "usual", "slow", "old"),
            "old_share": _share("old", "told"),
            "median_age": _days("median_age_days", "open"),
        },
        main=_share("old", "told"),
        chart=ChartKind.STACKED,
        charted=("usual", "slow", "old"),
        trend="apart",
        made=("spells", "stood"),
        left_out=("unknown_stages", "no_stage"),
    ),
    "sla_attainment": Spec(
        columns={"attainment": _share("within_goal", "closed"), **_counts("running", "at_risk", "breached")},
        main=_share("within_goal", "closed"),
        rows_are="sla",
        chart=ChartKind.BARS,
        charted=("attainment",),
        trend="cut",
        by_period="period_of_stopping",
    ),
    "open_findings": Spec(
        columns={**_counts("errors", "warnings", "infos", "deals"), "oldest": _days("oldest_days", "total")},
        main=_count("total"),
        rows_are="owner",
        chart=ChartKind.STACKED,
        charted=("errors", "warnings", "infos"),
        trend="ends",
    ),
    "findings_by_stage": Spec(
        columns=_counts("errors", "warnings", "infos", "deals"),
        main=_count("total"),
        chart=ChartKind.STACKED,
        charted=("errors", "warnings", "infos"),
    ),
    "rework": Spec(
        columns={"rework": _share("found", "cases"), "back": _count("found"), **_counts("again")},
        main=_share("found", "cases"),
        chart=ChartKind.BARS,
        charted=("rework",),
        trend="cut",
        left_out=("unknown_stages", "no_history"),
        by_period="period_of_leaving",
    ),
    "skips": Spec(
        columns={"skipped": _share("found", "cases"), "passed_over": _count("found")},
        main=_share("found", "cases"),
        chart=ChartKind.BARS,
        charted=("skipped",),
        trend="cut",
        left_out=("unknown_stages", "no_history"),
        by_period="period_of_leaving",
    ),
    "conforming": Spec(
        columns={
            "conforming": _share("conforming", "deals"),
            **_counts("reworked"),
            "skipped_deals": _count("skipped"),
        },
        main=_share("conforming", "deals"),
        rows_are="deals",
        chart=ChartKind.BARS,
        charted=("conforming",),
        left_out=("no_history",),
        by_period="period_of_beginning",
    ),
    "pipeline_coverage": Spec(
        columns={"amount": _money("amount", "priced"), **_counts("deals", "priced")},
        main=_money("amount", "priced"),
        chart=ChartKind.BARS,
        charted=("amount",),
        is_money=True,
        trend="apart",
        made=("stood",),
        left_out=("no_stage",),
    ),
    "sales_velocity": Spec(
        columns={
            "velocity": _money("velocity", "won", Unit.MONEY_A_DAY),
            "open_deals": _count("open"),
            "win_rate": _share("won", "closed"),
            "average_won": _money("amount", "priced"),
            "average_cycle": _days("days", "timed"),
        },
        main=_money("velocity", "won", Unit.MONEY_A_DAY),
        rows_are="deals",
        is_money=True,
        trend="apart",
        made=("stood",),
        left_out=("no_close_date", "no_stage", "never_sold"),
    ),
    "activities": Spec(
        columns=_counts("activities", "done", "to_do", "deals"),
        main=_count("done"),
        rows_are="activity",
        chart=ChartKind.STACKED,
        charted=("done", "to_do"),
        trend="cut",
        by_period="period_of_happening",
    ),
}
MEASURES: Mapping[str, Spec] = MappingProxyType(_MEASURES)
