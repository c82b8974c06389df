"""The measures of time and money to come: how long stages keep deals, when deals end, and the weighted forecast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import duckdb

from crmbridge.engine.text import fill
from crmbridge.indicators.currency import Money
from crmbridge.indicators.forecast import Basis, Forecast, Outlook, forecast
from crmbridge.indicators.options import Options
from crmbridge.indicators.survival import Quantile, Survival, incidence_interval, survivals
from crmbridge.indicators.words import Words
from crmbridge.model.figures import ChartKind, Column, Curve, Figure, Interval, Measured, Row, Unit
from crmbridge.model.process import Process

_WITHIN: Final = (30, 90, 180, 365)  # days
_STAYS: Final = ("median", "p75", "p90")
_VISITS: Final = """
    SELECT
        stage AS part,
        days_between(entered_at, coalesce(left_at, as_of)) AS days,
        CASE WHEN left_at IS NULL THEN 0 ELSE 1 END AS ending
    FROM state.visits
    CROSS JOIN moment
    WHERE stage >= 0
"""
# Each deal twice: as one that was meant to be won, and as one that was meant to be lost.
_LIVES: Final = """
    SELECT
        part.meant AS part,
        days_between(deal.first_at, coalesce(deal.closed_at, as_of)) AS days,
        CASE WHEN deal.status = 'open' THEN 0 WHEN deal.status = part.meant THEN 1 ELSE 2 END AS ending
    FROM deals AS deal
    CROSS JOIN (VALUES ('won'), ('lost')) AS part (meant)
    CROSS JOIN moment
    WHERE deal.first_at IS NOT NULL AND (deal.status = 'open' OR deal.closed_at IS NOT NULL)
"""
OUTLOOKS: Final = ("stage_survival", "time_to_close", "forecast")


def measure_outlooks(
    database: duckdb.DuckDBPyConnection, process: Process, options: Options, money: Money
) -> tuple[Measured, ...]:
    """Compute those of these measures that are asked for, over a database that has the views."""
    return tuple(_outlooks(database, process, options, money))


def _outlooks(
    database: duckdb.DuckDBPyConnection, process: Process, options: Options, money: Money
) -> Iterator[Measured]:
    names = [stage.name.in_language(options.language) for stage in process.stages]
    ids = [stage.id for stage in process.stages]
    shown = _Shown(Words.of(options.language), dict(zip(ids, names, strict=True)), money)
    for name in options.measures or OUTLOOKS:
        match name:
            case "stage_survival":
                selling = {str(i): names[i] for i, stage in enumerate(process.stages) if stage.status == "open"}
                stays = survivals(database, _VISITS, selling)
                yield shown.stage_survival({ids[int(part)]: found for part, found in stays.items()})
            case "time_to_close":
                ends = survivals(database, _LIVES, {end: shown.words.words[end] for end in ("won", "lost")})
                yield shown.time_to_close(ends, {days: _reached_by(database, days) for days in _WITHIN})
            case "forecast":
                yield shown.forecast(forecast(database), ids)


def _reached_by(database: duckdb.DuckDBPyConnection, days: int) -> dict[str, tuple[float, float] | None]:
    """Give each part's share and variance after so many days; None where nothing was followed for so long."""
    rows = database.execute(
        "SELECT followed.part, most >= $days OR share.nothing_left, share.reached, share.variance "
        "FROM (SELECT part, max(days) AS most FROM lives GROUP BY part) AS followed LEFT JOIN ("
        "SELECT part, arg_max(reached, days) FILTER (days <= $days) AS reached, min(staying) = 0 AS nothing_left, "
        "arg_max(variance, days) FILTER (days <= $days) AS variance FROM steps GROUP BY part"
        ") AS share USING (part)",
        {"days": days},
    ).fetchall()
    return {part: (reached or 0.0, variance or 0.0) if known else None for part, known, reached, variance in rows}


@dataclass(frozen=True, slots=True)
class _Shown:
    """How these measures are shown: in which words, for which stages, in which currency."""

    words: Words
    stages: Mapping[str, str]  # names by id, in the order of the process
    money: Money

    def stage_survival(self, stays: Mapping[str, Survival]) -> Measured:
        rows = []
        for stage, found in stays.items():
            figures = {"visits": _count(found.staying.n), "open": _count(found.staying.n - found.staying.events)}
            figures |= {name: _days(getattr(found, name), found.staying.n) for name in _STAYS}
            rows.append(Row(label=self.stages[stage], figures=figures, stage=stage))
        unreached = any(found.median.days is None for found in stays.values())
        return replace(
            self._measured("stage_survival", ("visits", "open", *_STAYS), tuple(rows), "stage", ChartKind.CURVES),
            curves=tuple(_of_stage(found.staying, stage) for stage, found in stays.items()),
            cautions=(self.words.cautions["not_reached"],) if unreached else (),
        )

    def time_to_close(
        self, ends: Mapping[str, Survival], by: Mapping[int, Mapping[str, tuple[float, float] | None]]
    ) -> Measured:
        rows = tuple(
            Row(
                label=found.reached.label,
                figures={
                    "deals": _count(found.reached.events),
                    **{f"by_{days}": _share(shares.get(end), found.reached.n) for days, shares in by.items()},
                },
                segment=end,
            )
            for end, found in ends.items()
        )
        columns = ("deals", *(f"by_{days}" for days in by))
        curves = tuple(found.reached for found in ends.values())
        return replace(self._measured("time_to_close", columns, rows, "end", ChartKind.CURVES), curves=curves)

    def forecast(self, found: Forecast, ids: Sequence[str]) -> Measured:
        rows = tuple(
            Row(label=self.stages[ids[stage]], figures=self._outlook(each), stage=ids[stage])
            for stage, each in sorted(found.stages.items())
        )
        columns = ("deals", "amount", "wins", "expected", "crm")
        return replace(
            self._measured("forecast", columns, rows, "stage", ChartKind.BARS),
            charted=("expected", "crm") if found.total.crm is not None else ("expected",),
            headline=self._outlook(found.total)["expected"] if found.total.deals else None,
            cautions=tuple(self._cautions(found)),
        )

    def _outlook(self, found: Outlook) -> dict[str, Figure]:
        if self.money.mixed:  # what can't be added up has no sum
            return {"deals": _count(found.deals), "wins": _wins(found), "expected": self._money(None, 0)}
        priced = found.deals - found.without_amount
        return {
            "deals": _count(found.deals),
            "amount": self._money(found.amount if priced else None, priced),
            "wins": _wins(found),
            "expected": self._money(found.expected, priced, found.interval),
            "crm": self._money(found.crm, found.crm_deals),
        }

    def _money(self, value: float | None, n: int, interval: Interval | None = None) -> Figure:
        return Figure(unit=Unit.MONEY, value=value, n=n, interval=interval, currency=self.money.currency)

    def _cautions(self, found: Forecast) -> list[str]:
        said = [name for name in ("stage", "all") if found.bases[Basis(name)]]
        parts = [self._caution(name, deals=found.bases[Basis(name)]) for name in said]
        if found.bases[Basis.NONE]:
            parts.append(self._caution("none"))
        if found.is_short:
            parts.append(self._caution("short"))
        if self.money.mixed:
            parts.append(self._caution("mixed", currencies=", ".join(self.money.mixed)))
        elif found.total.without_amount:
            parts.append(self._caution("no_amount", deals=found.total.without_amount))
        return parts

    def _caution(self, name: str, **values: object) -> str:
        return fill(self.words.cautions[name], {key: str(value) for key, value in values.items()})

    def _measured(
        self, measure: str, columns: tuple[str, ...], rows: tuple[Row, ...], rows_are: str, chart: ChartKind
    ) -> Measured:
        return Measured(
            id=measure,
            name=self.words.names[measure],
            definition=self.words.definitions[measure],
            columns=tuple(Column(each, self.words.columns[each]) for each in columns),
            rows=rows,
            rows_are=self.words.words[rows_are],
            chart=chart if rows else ChartKind.NONE,
        )


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
