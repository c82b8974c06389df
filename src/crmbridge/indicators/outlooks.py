"""The measures of time and money to come: how long stages keep deals, when deals end, and the weighted forecast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import duckdb
from msgspec import Struct

from crmbridge.engine.text import fill
from crmbridge.indicators.currency import Money
from crmbridge.indicators.database import run
from crmbridge.indicators.forecast import Basis, Cut, Forecast, Outlook, Window, forecast
from crmbridge.indicators.forecast_trend import forecast_trend
from crmbridge.indicators.options import Options
from crmbridge.indicators.parts import Part, part_sql
from crmbridge.indicators.periods import number_of, start_of, written
from crmbridge.indicators.shown import Shown
from crmbridge.indicators.survival import (
    Quantile,
    Span,
    Survival,
    incidence_interval,
    reached_by,
    spans,
    survivals,
)
from crmbridge.languages import about
from crmbridge.model.figures import ChartKind, Column, Curve, Figure, Interval, Measured, Row, Unit
from crmbridge.model.process import Measure
from crmbridge.model.replacing import replace

_WITHIN: Final = (30, 90, 180, 365)  # days
_STAYS: Final = ("median", "p75", "p90")
_ENDS: Final = ("won", "lost")
_VISITS: Final = """
    SELECT
        {part} AS part,
        days_between(visit.entered_at, coalesce(visit.left_at, as_of)) AS days,
        CASE WHEN visit.left_at IS NULL THEN 0 ELSE 1 END AS ending
    FROM state.visits AS visit
    {joined}
    CROSS JOIN moment
    WHERE visit.stage >= 0
"""
# Each deal twice: as one that was meant to be won, and as one that was meant to be lost.
_LIVES: Final = """
    SELECT
        {part} AS part,
        days_between(deal.first_at, coalesce(deal.closed_at, as_of)) AS days,
        CASE WHEN deal.status = 'open' THEN 0 WHEN deal.status = part.meant THEN 1 ELSE 2 END AS ending
    FROM deals AS deal
    CROSS JOIN (VALUES ('won'), ('lost')) AS part (meant)
    {joined}
    CROSS JOIN moment
    WHERE deal.first_at IS NOT NULL AND (deal.status = 'open' OR deal.closed_at IS NOT NULL)
"""
_LEFT_OUT: Final = {  # as in measures.py
    "stage_survival": ("unknown_stages", "no_history"),
    "time_to_close": ("no_close_date", "no_history"),
    "forecast": ("no_stage",),
}
_BY_PERIOD: Final = {  # as in measures.py
    "stage_survival": "period_of_entering",
    "time_to_close": "period_of_beginning",
    "forecast": "period_to_come",
}
OUTLOOKS: Final = tuple(_LEFT_OUT)


class Outlooks(NamedTuple):
    """These measures, and what is expected: by the stage's place in the process, and of all stages with None.

    `before` is what was expected when earlier periods ended, by their numbers.
    """

    measured: tuple[Measured, ...]
    expected: Mapping[int | None, Figure]
    before: Mapping[int | None, Mapping[int, Figure]]


def measure_outlooks(database: duckdb.DuckDBPyConnection, shown: Shown, as_of: datetime, money: Money) -> Outlooks:
    """Compute those of these measures that are shown or watched, over a database that has the views."""
    names = [name for name in shown.options.measures or OUTLOOKS if name in OUTLOOKS]
    is_watched = any(each.measure is Measure.FORECAST for each in shown.process.indicators)
    coming = _coming(as_of, shown.options)
    cut = Cut(by_group=shown.options.segment is not None, windows=tuple(coming.values()))
    found = forecast(database, shown.options.horizon, cut) if is_watched or "forecast" in names else None
    told = _Told(shown, money, run(database, "left_out")[0])
    measured = {"forecast": told.forecast(found, tuple(coming))} if found else {}
    for name in names:
        if name != "forecast":
            measured[name] = told.stage_survival(database) if name == "stage_survival" else told.time_to_close(database)
    expected = {None: told.expected(found.total), **_of_stages(told, found)} if found else {}
    trend = forecast_trend(database, shown.options.horizon) if is_watched and not money.mixed else {}
    before = {
        stage: {period: told.money_of(each.value, each.priced) for period, each in periods.items()}
        for stage, periods in trend.items()
    }
    return Outlooks(tuple(measured[name] for name in names), expected, before)


def _of_stages(told: _Told, found: Forecast) -> dict[int | None, Figure]:
    return {stage: told.expected(each) for stage, each in found.stages.items()}


def _coming(as_of: datetime, options: Options) -> dict[int, Window]:
    """Give the periods to come until the horizon, the present one first, in whole days from now; none where uncut."""
    if options.period is None:
        return {}
    windows: dict[int, Window] = {}
    number, since = number_of(as_of, options.period, options.timezone), 0
    while since < options.horizon:
        ends = (start_of(number + 1, options.period, options.timezone) - as_of) // timedelta(days=1)
        until = min(ends, options.horizon)
        if until > since:
            windows[number] = (since, until)
        number, since = number + 1, until
    return windows


class _Told(Struct, frozen=True):
    """How these measures are told: as what was asked, in which currency, and what they leave out."""

    shown: Shown
    money: Money
    left_out: Mapping[str, int]

    # ── Time ────────────────────────────────────────────────────────────────────────────────────────────

    def stage_survival(self, database: duckdb.DuckDBPyConnection) -> Measured:
        """Tell how long stages keep deals: curves over all, rows by what they are cut into."""
        process = self.shown.process
        selling = {
            str(i): self.shown.stage(stage.id) for i, stage in enumerate(process.stages) if stage.status == "open"
        }
        stays = survivals(database, _VISITS.format(part="visit.stage", joined=""), selling)
        rows = [(Part(stage, None, None), _span(found)) for stage, found in stays.items()]
        if self._is_cut:
            part = part_sql("visit.stage", "visit.entered_at", self.shown.options)
            joined = "LEFT JOIN grouped ON grouped.no = visit.no"
            cut = spans(database, _VISITS.format(part=part, joined=joined))
            told = ((Part.of(text), span) for text, span in cut.items())
            rows = sorted(
                (row for row in told if row[0].what in selling), key=lambda row: (int(row[0].what), row[0].place)
            )
        unreached = any(span.median.days is None for _, span in rows)
        measured = self._measured("stage_survival", ("visits", "open", *_STAYS), tuple(map(self._stay, rows)), "stage")
        said = (self.shown.words.cautions["not_reached"],) if unreached else ()
        return replace(
            measured,
            chart=ChartKind.CURVES if stays else ChartKind.NONE,
            curves=tuple(_of_stage(found.staying, process.stages[int(at)].id) for at, found in stays.items()),
            cautions=(*said, *measured.cautions),
        )

    def _stay(self, row: tuple[Part, Span]) -> Row:
        part, span = row
        figures = {"visits": _count(span.n), "open": _count(span.n - span.events)}
        figures |= {name: _days(getattr(span, name), span.n) for name in _STAYS}
        stage = self.shown.process.stages[int(part.what)].id
        return self._row(part, self.shown.stage(stage), figures, stage=stage)

    def time_to_close(self, database: duckdb.DuckDBPyConnection) -> Measured:
        """Tell when deals are won and lost: curves over all, rows by what they are cut into."""
        words = self.shown.words.words
        ends = survivals(database, _LIVES.format(part="part.meant", joined=""), {end: words[end] for end in _ENDS})
        counts = {Part(end, None, None): (found.reached.events, found.reached.n) for end, found in ends.items()}
        by = {days: reached_by(database, days) for days in _WITHIN}
        if self._is_cut:
            part = part_sql("part.meant", "deal.first_at", self.shown.options)
            cut = spans(database, _LIVES.format(part=part, joined="LEFT JOIN grouped ON grouped.no = deal.no"))
            counts = {Part.of(text): (span.meant, span.n) for text, span in cut.items()}
            by = {days: reached_by(database, days) for days in _WITHIN}
        shares = {days: {Part.of(_whole(text)): share for text, share in found.items()} for days, found in by.items()}
        rows = tuple(
            self._row(
                part,
                words[part.what],
                {
                    "deals": _count(events),
                    **{f"by_{days}": _share(found.get(part), n) for days, found in shares.items()},
                },
            )
            for part, (events, n) in sorted(counts.items(), key=lambda each: (_ENDS.index(each[0].what), each[0].place))
        )
        columns = ("deals", *(f"by_{days}" for days in by))
        return replace(
            self._measured("time_to_close", columns, rows, "end"),
            chart=ChartKind.CURVES if ends else ChartKind.NONE,
            curves=tuple(found.reached for found in ends.values()),
        )

    @property
    def _is_cut(self) -> bool:
        return bool(self.shown.options.segment or self.shown.options.period)

    # ── Money ───────────────────────────────────────────────────────────────────────────────────────────

    def forecast(self, found: Forecast, periods: tuple[int, ...]) -> Measured:
        """Tell what is expected: by stage, or by group, or by the periods to come."""
        columns: tuple[str, ...] = ("deals", "amount", "wins", "expected", "crm")
        rows_are, rows = "stage", tuple(self._at_stage(stage, each) for stage, each in sorted(found.stages.items()))
        options = self.shown.options
        if self._is_cut:
            rows = tuple(self._cut(found, periods))
            rows_are = str(options.period if options.segment is None else options.segment)
            columns = ("wins", "expected") if periods else columns
        beside = found.total.crm is not None and not periods
        measured = self._measured("forecast", columns, rows, rows_are)
        if periods:  # each row has days of its own
            coming = self.shown.words.columns["coming"]
            named = tuple(Column(each.id, coming) if each.id == "expected" else each for each in measured.columns)
            measured = replace(measured, columns=named)
        return replace(
            measured,
            chart=ChartKind.BARS if rows else ChartKind.NONE,
            charted=("expected", "crm") if beside else ("expected",),
            headline=self.expected(found.total) if found.total.deals else None,
            cautions=(
                *((self.shown.words.cautions["not_whole"],) if periods else ()),
                *self._cautions(found),
                *measured.cautions,
            ),
        )

    def _at_stage(self, at: int, found: Outlook) -> Row:
        stage = self.shown.process.stages[at].id
        return Row(label=self.shown.stage(stage), figures=self._outlook(found), stage=stage)

    def _cut(self, found: Forecast, periods: tuple[int, ...]) -> Iterator[Row]:
        for (segment, place), each in sorted(found.parts.items(), key=lambda part: tuple(at or 0 for at in part[0])):
            figures = self._outlook(each)
            if place is not None:
                figures = {name: figures[name] for name in ("wins", "expected")}
            yield self._row(Part("", segment, None if place is None else periods[place]), None, figures)

    def expected(self, found: Outlook) -> Figure:
        """Give what is expected of some deals; of several currencies, which can't be added up, there is no sum."""
        if self.money.mixed:
            return self.money_of(None, 0)
        return self.money_of(found.expected, found.deals - found.without_amount, found.interval)

    def _outlook(self, found: Outlook) -> dict[str, Figure]:
        counted = {"deals": _count(found.deals), "wins": _wins(found), "expected": self.expected(found)}
        if self.money.mixed:
            return counted
        priced = found.deals - found.without_amount
        return {
            **counted,
            "amount": self.money_of(found.amount if priced else None, priced),
            "crm": self.money_of(found.crm, found.crm_deals),
        }

    def money_of(self, value: float | None, n: int, interval: Interval | None = None) -> Figure:
        """Make a figure of what so many deals are worth."""
        return Figure(unit=Unit.MONEY, value=value, n=n, interval=interval, currency=self.money.currency)

    def _cautions(self, found: Forecast) -> list[str]:
        said = [name for name in ("stage", "all") if found.bases[Basis(name)]]
        parts = [self._caution(name, deals=found.bases[Basis(name)]) for name in said]
        if found.bases[Basis.NONE]:
            parts.append(self._caution("none"))
        if found.is_short:
            parts.append(self._caution("short"))
        if found.total.expected is not None and found.total.interval is None and not self.money.mixed:
            parts.append(self._caution("unsure"))
        if self.money.mixed:
            parts.append(self._caution("mixed", currencies=", ".join(self.money.mixed)))
        elif found.total.without_amount:
            parts.append(self._caution("no_amount", deals=found.total.without_amount))
        return parts

    def _caution(self, name: str, **values: object) -> str:
        text = about(values.get("deals"), name, self.shown.words.cautions)
        return fill(text, {key: str(value) for key, value in values.items()})

    # ── Rows ────────────────────────────────────────────────────────────────────────────────────────────

    def _row(self, part: Part, name: str | None, figures: Mapping[str, Figure], stage: str | None = None) -> Row:
        segment, period = self.shown.segment(part.segment), None
        if part.period is not None and self.shown.options.period is not None:
            period = written(part.period, self.shown.options.period)
        of_end = part.what if stage is None and part.what else None
        return Row(
            label=self.shown.label(name, segment, period),
            figures=figures,
            stage=stage,
            segment=of_end if segment is None else self.shown.segments.get(part.segment or 0),
            period=period,
        )

    def _measured(self, measure: str, columns: tuple[str, ...], rows: tuple[Row, ...], rows_are: str) -> Measured:
        words = self.shown.words
        return Measured(
            id=measure,
            name=words.names[measure],
            definition=self.shown.definition(measure, _BY_PERIOD[measure]),
            columns=tuple(Column(each, words.columns[each]) for each in columns),
            rows=rows,
            rows_are=words.words.get(rows_are, rows_are),
            cautions=self.shown.said({each: self.left_out[each] for each in _LEFT_OUT[measure] if self.left_out[each]}),
        )


def _whole(text: str) -> str:
    """Give the text of a part that may be cut into nothing."""
    return text if "," in text else f"{text},,"


def _span(found: Survival) -> Span:
    staying = found.staying
    return Span(staying.n, staying.events, found.reached.events, found.median, found.p75, found.p90)


def _count(number: int) -> Figure:
    return Figure(unit=Unit.COUNT, value=number, n=number)


def _wins(found: Outlook) -> Figure:
    return Figure(unit=Unit.COUNT, value=found.wins, n=found.deals)


def _days(quantile: Quantile, n: int) -> Figure:
    bounds = None
    if quantile.low is not None and quantile.high is not None:
        bounds = Interval(quantile.low, quantile.high)
    return Figure(unit=Unit.DAYS, value=quantile.days, n=n, interval=bounds)


def _share(reached: tuple[float, float] | None, n: int) -> Figure:
    if reached is None:
        return Figure(unit=Unit.SHARE, value=None, n=n)
    return Figure(unit=Unit.SHARE, value=reached[0], n=n, interval=incidence_interval(*reached))


def _of_stage(curve: Curve, stage: str) -> Curve:
    return Curve(label=curve.label, points=curve.points, n=curve.n, events=curve.events, stage=stage)
