"""Compute the scorecard: run each measure's SQL over the state and put its rows into figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import duckdb
from msgspec import Struct

from crmbridge.indicators import database
from crmbridge.indicators.aimed import figure_of, indicator_figure
from crmbridge.indicators.currency import Money, known_money
from crmbridge.indicators.database import Moment
from crmbridge.indicators.measures import MEASURES, Raw
from crmbridge.indicators.options import Options, Period
from crmbridge.indicators.outlooks import OUTLOOKS, Outlooks, measure_outlooks
from crmbridge.indicators.own import OWN, Cuts, measure_own, own_figure
from crmbridge.indicators.shown import Shown
from crmbridge.indicators.state import query
from crmbridge.indicators.words import Words
from crmbridge.model.figures import (
    Coverage,
    Figure,
    IndicatorFigure,
    Measured,
    Scorecard,
    TrendPoint,
    Unit,
    WaivedFindings,
)
from crmbridge.model.process import Indicator, Measure, Process

_USUAL = Options()
_Business = Mapping[tuple[str, int, int | None], Raw]  # by part, stage, period
_LAST = 1_000_000  # after all stages, segments and periods


def compute(store_url: str, process: Process, as_of: datetime, options: Options = _USUAL) -> Scorecard:
    """Compute all figures from what the last evaluation left in the state.

    `as_of` is when open visits' ages are measured, aware. A state without deals gives a scorecard without data.
    Raises ConfigurationError when there is no state there or the options name what there is not, StateError when the
    state can't be read.
    """
    options = options.checked((*MEASURES, *OUTLOOKS))
    moment, words = Moment(as_of, options), Words.of(options.language, options.horizon)
    lean = not options.own and options.segment is None  # SQL of a team's own may look at single clocks
    begun: list[tuple[Money, Shown, Future[Outlooks]]] = []

    def look_ahead(views: duckdb.DuckDBPyConnection) -> None:
        """Begin with what takes longest, and needs the views alone."""
        money = known_money(views)
        segments = {row["seg"]: row["segment"] for row in database.run(views, "segments")}
        shown = Shown(process=process, options=options, words=words, segments=segments)
        begun.append((money, shown, pool.submit(measure_outlooks, views.cursor(), shown, as_of, money)))

    with (
        ThreadPoolExecutor(1) as pool,
        database.views(store_url, process, moment, lean=lean, counting=look_ahead) as views,
    ):
        ((money, shown, ahead),) = begun
        counted = _Counted.read(views, process, moment)
        outlooks = ahead.result()
        cuts = Cuts(segment=options.segment is not None, period=options.period is not None)
        own = measure_own(views, options.own, words, money.currency, cuts)
    measures = {
        each.id: each for each in (*_measured(shown, counted), *outlooks.measured, *(each.measured for each in own))
    }
    trends = {each.measured.id: each.trend for each in own}
    return Scorecard(
        process=process.name.in_language(options.language),
        as_of=as_of.astimezone(UTC),
        language=options.language,
        coverage=Coverage(**{**counted.coverage, "since": _moment(counted.coverage["since"])}),
        indicators=tuple(
            own_figure(each, measures, options.language, _own_trend(trends[each.plugin or each.id], shown, moment))
            if each.measure in OWN
            else _indicator(each, shown, counted, moment, outlooks)
            for each in process.indicators
        ),
        measures=tuple(measures[name] for name in options.measures or measures),
        currency=money.currency,
        waived=WaivedFindings(**{**counted.waived, "next_end": _moment(counted.waived["next_end"])}),
    )


def _measured(shown: Shown, counted: _Counted) -> Iterator[Measured]:
    for name in shown.options.measures or MEASURES:
        if name in MEASURES:
            yield shown.measured(name, counted.rows(name), counted.total(name), counted.cautions(name))


def _moment(naive: datetime | None) -> datetime | None:
    return None if naive is None else naive.replace(tzinfo=UTC)


# ── What the SQL gives ──────────────────────────────────────────────────────────────────────────────────


class _Counted(Struct, frozen=True):
    """What the SQL of each measure gave.

    A row's `part` says what it is: a row to show, a stage's total, or all together; and the last two by period. `whole`
    is over all time, `shown` are the rows to show, `trends` are by the periods of trends.
    """

    coverage: Raw
    waived: Raw
    currencies: Sequence[str]
    whole: Mapping[str, Sequence[Raw]]
    shown: Mapping[str, Sequence[Raw]]
    trends: Mapping[str, Sequence[Raw]]
    left_out: Mapping[str, int]

    @classmethod
    def read(cls, views: duckdb.DuckDBPyConnection, process: Process, moment: Moment) -> _Counted:
        watched = dict.fromkeys(each.measure.value for each in process.indicators if each.measure in MEASURES)
        shown = [name for name in moment.options.measures or MEASURES if name in MEASURES]
        business = _business_time(views, moment)
        whole = _run_all(views, dict.fromkeys([*shown, *watched]), None, business)
        period = moment.options.period
        cut = [name for name in shown if MEASURES[name].by_period] if period else []
        return cls(
            coverage=database.run(views, "coverage")[0],
            waived=database.run(views, "waived")[0],
            currencies=[row["currency"] for row in database.run(views, "currencies")],
            whole=whole,
            shown={**whole, **_run_all(views, cut, period, business)},
            trends=_run_trends(views, [name for name in watched if name in _TRENDS], moment, whole, business),
            left_out=database.run(views, "left_out")[0],
        )

    def rows(self, name: str) -> list[Raw]:
        """Give a measure's rows to show, in order."""
        rows = [self._priced(name, row) for row in self.shown[name] if row["part"] == "row"]
        if "who" in (rows[0] if rows else {}):
            return rows
        return sorted(rows, key=_place)

    def total(self, name: str, stage: int | None = None) -> Raw:
        """Give what was counted at a stage, or with None over all; an empty row when that is nothing."""
        part = "all" if stage is None else "stage"
        found = (row for row in self.whole[name] if row["part"] == part and row["stage"] == stage)
        return self._priced(name, next(found, {}))

    def trend(self, name: str, stage: int | None) -> dict[int, Raw]:
        """Give what was counted in each period, by its number."""
        part = "trend" if stage is None else "stage_trend"
        return {
            row["period"]: self._priced(name, row)
            for row in self.trends.get(name, ())
            if row["part"] == part and row["stage"] == stage
        }

    def cautions(self, name: str) -> dict[str, str | int]:
        """Give what a reader must know of a measure: keys of the words, each with what goes into the sentence."""
        found: dict[str, str | int] = {}
        if MEASURES[name].is_money and len(self.currencies) > 1:
            found["several_currencies"] = ", ".join(self.currencies)
        if MEASURES[name].rows_are == "stage" and self.left_out["visits"]:
            found["unknown_stages"] = self.left_out["visits"]
        if name in {"win_rate", "cycle_time"} and self.left_out["closed"]:
            found["no_close_date"] = self.left_out["closed"]
        if MEASURES[name].rows_are in {"stage", "deals"} and self.left_out["deals"]:
            found["no_history"] = self.left_out["deals"]
        return found

    def _priced(self, name: str, row: Raw) -> Raw:
        """Say what currency a row is in; amounts of several can't be added up, so there is none then."""
        if not MEASURES[name].is_money:
            return row
        if len(self.currencies) > 1:
            return {**row, "amount": None, "velocity": None}
        return {**row, "currency": self.currencies[0] if self.currencies else None}


def _place(row: Raw) -> tuple[int, int, int]:
    """Put rows in the order of stages, then segments, then periods; what is not known comes last."""
    stage, segment, period = (_LAST if row[each] is None else int(row[each]) for each in ("stage", "seg", "period"))
    return stage, segment, period


def _run_all(
    views: duckdb.DuckDBPyConnection, names: Iterable[str], period: Period | None, business: _Business
) -> dict[str, list[Raw]]:
    names = tuple(names)
    if not names:
        return {}
    database.by_period(views, period)
    of_spells = [name for name in names if name in _OF_SPELLS]
    with ThreadPoolExecutor(1) as pool:  # what nothing of this is made from goes on beside it
        others = pool.submit(_rows_of, views.cursor(), [name for name in names if name not in _OF_SPELLS])
        if of_spells:
            views.execute(query("spells"))
        found = {**_rows_of(views, of_spells), **others.result()}
    return {name: _beside(business, name, found[name]) for name in names}


def _rows_of(views: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[str, list[Raw]]:
    return {name: database.run(views, name) for name in names}


def _run_trends(
    views: duckdb.DuckDBPyConnection,
    names: Iterable[str],
    moment: Moment,
    whole: Mapping[str, Sequence[Raw]],
    business: _Business,
) -> dict[str, Sequence[Raw]]:
    """Run the measures over the periods of trends; some have SQL of their own for it, one knows them all along."""
    names = tuple(names)
    database.by_period(views, moment.trend_period)
    if _OF_OPEN_DEALS & {*names}:
        views.execute(query("stood"))
    own = {name: f"{name}_trend" for name in _OF_OPEN_DEALS | {"time_in_stage"}}
    return {
        name: whole[name] if name in _CUT_BY_ENDS else _beside(business, name, database.run(views, own.get(name, name)))
        for name in names
    }


def _business_time(views: duckdb.DuckDBPyConnection, moment: Moment) -> _Business:
    """Measure finished visits in business time: of the stages aimed at in it, with the SLAs that measure it."""
    database.by_period(views, moment.trend_period)
    return {(row["part"], row["stage"], row["period"]): row for row in database.run(views, "business_time")}


def _beside(business: _Business, name: str, rows: list[Raw]) -> list[Raw]:
    """Put the business time of finished visits beside their time."""
    if name != "time_in_stage":
        return rows
    return [{**row, **business.get((row["part"], row["stage"], row["period"]), {})} for row in rows]


# Measures that say what happened in a period, how things stood at its end, or what became of deals that began in it.
_TRENDS = frozenset(
    {
        "stage_conversion",
        "cohort_conversion",
        "win_rate",
        "time_in_stage",
        "sla_attainment",
        "open_findings",
        "rework",
        "skips",
        "activities",
        "aging",
        "pipeline_coverage",
        "sales_velocity",
    }
)
_OF_SPELLS = frozenset({"time_in_stage", "cycle_time", "aging"})  # made from a table that only one connection sees
_OF_OPEN_DEALS = frozenset({"aging", "pipeline_coverage", "sales_velocity"})  # as they stood at the ends of periods


_CUT_BY_ENDS = frozenset({"open_findings"})  # those whose rows are by the ends of periods already


# ── The process's indicators ────────────────────────────────────────────────────────────────────────────


def _indicator(
    indicator: Indicator, shown: Shown, counted: _Counted, moment: Moment, outlooks: Outlooks
) -> IndicatorFigure:
    stage = shown.process.order(indicator.stage) if indicator.stage else None
    if indicator.measure is Measure.FORECAST:
        expected, before = outlooks.expected.get(stage, _NOT_EXPECTED), outlooks.before.get(stage, {})
        return indicator_figure(indicator, shown, expected, _trend(before, _NOT_EXPECTED, shown, moment))
    figure = figure_of(indicator, shown.process, counted.total(indicator.measure, stage))
    if not counted.coverage["deals"]:  # without deals there are no findings to count, which is not the same as none
        figure = _nothing(figure)
    found = counted.trend(indicator.measure, stage)
    points = {each: figure_of(indicator, shown.process, raw) for each, raw in found.items()}
    missing = figure_of(indicator, shown.process, {})
    return indicator_figure(indicator, shown, figure, _trend(points, missing, shown, moment))


def _trend(points: Mapping[int, Figure], missing: Figure, shown: Shown, moment: Moment) -> tuple[TrendPoint, ...]:
    """Begin with the first period that has a figure."""
    return tuple(
        TrendPoint(shown.period(each, moment.trend_period), points.get(each, missing))
        for each in moment.trend
        if points and each >= min(points)
    )


def _own_trend(found: Mapping[str, Figure], shown: Shown, moment: Moment) -> tuple[TrendPoint, ...]:
    periods = [shown.period(each, moment.trend_period) for each in moment.trend]
    return tuple(TrendPoint(period, found[period]) for period in periods if period in found)


_NOT_EXPECTED = Figure(unit=Unit.MONEY, value=None, n=0)


def _nothing(figure: Figure) -> Figure:
    return Figure(unit=figure.unit, value=None, n=0)
