"""Compute the scorecard: run each measure's SQL over the state and put its rows into figures."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

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
from crmbridge.indicators.periods import written
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
_TURN, _USUAL_TURN = 1e-4, 5e-3  # seconds; the latter is Python's own
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
        _short_turns(),
        ThreadPoolExecutor(1) as pool,
        database.views(store_url, process, moment, lean=lean, counting=look_ahead) as views,
    ):
        ((money, shown, ahead),) = begun
        counted = _Counted.read(views, process, moment, pool)
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
            own_figure(each, measures, options.language, _own_trend(trends[each.plugin or each.id], moment))
            if each.measure in OWN
            else _indicator(each, shown, counted, moment, outlooks)
            for each in process.indicators
        ),
        measures=tuple(measures[name] for name in options.measures or measures),
        currency=money.currency,
        waived=WaivedFindings(**{**counted.waived, "next_end": _moment(counted.waived["next_end"])}),
    )


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads take short turns with Python meanwhile.

    A thread that only hands DuckDB its next question would wait for a whole turn of one that works in Python, at each
    step on the way, while a core has nothing to do.
    """
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(_USUAL_TURN)  # not what it was before: another scorecard may be under way in this process


def _measured(shown: Shown, counted: _Counted) -> Iterator[Measured]:
    for name in shown.options.measures or MEASURES:
        if name in MEASURES:
            yield shown.measured(name, counted.rows(name), counted.total(name), counted.cautions(name))


def _moment(naive: datetime | None) -> datetime | None:
    return None if naive is None else naive.replace(tzinfo=UTC)


# ── What the SQL gives ──────────────────────────────────────────────────────────────────────────────────

_Rows = Mapping[str, Sequence[Raw]]  # by measure


class _Wanted(NamedTuple):
    """The measures to run: over all time, by the periods of the report, and by those of trends."""

    whole: tuple[str, ...]
    cut: tuple[str, ...]
    trends: tuple[str, ...]

    @classmethod
    def of(cls, process: Process, options: Options) -> _Wanted:
        watched = dict.fromkeys(each.measure.value for each in process.indicators if each.measure in MEASURES)
        shown = [name for name in options.measures or MEASURES if name in MEASURES]
        cut = [name for name in shown if MEASURES[name].by_period] if options.period else []
        trends = [name for name in watched if MEASURES[name].trend]
        return cls(tuple(dict.fromkeys([*shown, *watched])), tuple(cut), tuple(trends))

    def apart(self) -> tuple[_Wanted, _Wanted]:
        """Give those that are made from tables of their own, which takes longest, and the others."""
        made, others = (
            _Wanted(*(tuple(name for name in names if bool(MEASURES[name].made) is is_made) for names in self))
            for is_made in (True, False)
        )
        return made, others


class _Found(NamedTuple):
    """What they gave."""

    whole: _Rows
    cut: _Rows
    trends: _Rows

    def __or__(self, other: _Found) -> _Found:
        return _Found(*({**mine, **others} for mine, others in zip(self, other, strict=True)))


class _Counted(Struct, frozen=True):
    """What the SQL of each measure gave.

    A row's `part` says what it is: a row to show, a stage's total, or all together; and the last two by period. `whole`
    is over all time, `shown` are the rows to show, `trends` are by the periods of trends.
    """

    coverage: Raw
    waived: Raw
    currencies: Sequence[str]
    whole: _Rows
    shown: _Rows
    trends: _Rows
    left_out: Mapping[str, int]

    @classmethod
    def read(
        cls, views: duckdb.DuckDBPyConnection, process: Process, moment: Moment, pool: ThreadPoolExecutor
    ) -> _Counted:
        """Run what is wanted: first what takes longest, and then the others, if `pool` is still at other things."""
        made, others = _Wanted.of(process, moment.options).apart()
        beside = pool.submit(_run, views.cursor(), others, moment)
        business = _business_time(views, moment)
        found = _run(views, made, moment)
        found |= _run(views, others, moment) if beside.cancel() else beside.result()
        whole = _beside(business, found.whole)
        return cls(
            coverage=database.run(views, "coverage")[0],
            waived=database.run(views, "waived")[0],
            currencies=[row["currency"] for row in database.run(views, "currencies")],
            whole=whole,
            shown={**whole, **_beside(business, found.cut)},
            trends=_beside(business, found.trends),
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
        if untold := self.total(name).get("untold"):
            found["untold"] = untold
        found |= {each: self.left_out[each] for each in MEASURES[name].left_out if self.left_out[each]}
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


def _run(views: duckdb.DuckDBPyConnection, wanted: _Wanted, moment: Moment) -> _Found:
    whole = _run_by(views, wanted.whole, None)
    return _Found(
        whole, _run_by(views, wanted.cut, moment.options.period), _run_trends(views, wanted.trends, moment, whole)
    )


def _run_by(views: duckdb.DuckDBPyConnection, names: Sequence[str], period: Period | None) -> dict[str, list[Raw]]:
    if not names:
        return {}
    database.by_period(views, period)
    if any("spells" in MEASURES[name].made for name in names):
        views.execute(query("spells"))
    return {name: database.run(views, name) for name in names}


def _run_trends(views: duckdb.DuckDBPyConnection, names: Iterable[str], moment: Moment, whole: _Rows) -> _Rows:
    """Run the measures over the periods of trends."""
    names = tuple(names)
    database.by_period(views, moment.trend_period)
    if any("stood" in MEASURES[name].made for name in names):
        views.execute(query("stood"))
    return {name: whole[name] if MEASURES[name].trend == "ends" else _run_trend(views, name) for name in names}


def _run_trend(views: duckdb.DuckDBPyConnection, name: str) -> list[Raw]:
    return database.run(views, f"{name}_trend" if MEASURES[name].trend == "apart" else name)


def _business_time(views: duckdb.DuckDBPyConnection, moment: Moment) -> _Business:
    """Measure finished visits in business time: of the stages aimed at in it, with the SLAs that measure it."""
    database.by_period(views, moment.trend_period)
    return {(row["part"], row["stage"], row["period"]): row for row in database.run(views, "business_time")}


def _beside(business: _Business, found: _Rows) -> _Rows:
    """Put the business time of finished visits beside their time."""
    name = "time_in_stage"
    if name not in found:
        return found
    rows = [{**row, **business.get((row["part"], row["stage"], row["period"]), {})} for row in found[name]]
    return {**found, name: rows}


# ── The process's indicators ────────────────────────────────────────────────────────────────────────────


def _indicator(
    indicator: Indicator, shown: Shown, counted: _Counted, moment: Moment, outlooks: Outlooks
) -> IndicatorFigure:
    stage = shown.process.order(indicator.stage) if indicator.stage else None
    if indicator.measure is Measure.FORECAST:
        expected, before = outlooks.expected.get(stage, _NOT_EXPECTED), outlooks.before.get(stage, {})
        return indicator_figure(indicator, shown, expected, _trend(before, _NOT_EXPECTED, moment))
    figure = figure_of(indicator, shown.process, counted.total(indicator.measure, stage))
    if not counted.coverage["deals"]:  # without deals there are no findings to count, which is not the same as none
        figure = _nothing(figure)
    found = counted.trend(indicator.measure, stage)
    points = {each: figure_of(indicator, shown.process, raw) for each, raw in found.items()}
    missing = figure_of(indicator, shown.process, {})
    return indicator_figure(indicator, shown, figure, _trend(points, missing, moment))


def _trend(points: Mapping[int, Figure], missing: Figure, moment: Moment) -> tuple[TrendPoint, ...]:
    """Begin with the first period that has a figure."""
    return tuple(
        TrendPoint(written(each, moment.trend_period), points.get(each, missing))
        for each in moment.trend
        if points and each >= min(points)
    )


def _own_trend(found: Mapping[str, Figure], moment: Moment) -> tuple[TrendPoint, ...]:
    periods = [written(each, moment.trend_period) for each in moment.trend]
    return tuple(TrendPoint(period, found[period]) for period in periods if period in found)


_NOT_EXPECTED = Figure(unit=Unit.MONEY, value=None, n=0)


def _nothing(figure: Figure) -> Figure:
    return Figure(unit=figure.unit, value=None, n=0)
