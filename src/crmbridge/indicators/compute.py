"""Compute the scorecard: run each measure's SQL over the state and put its rows into figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from crmbridge.indicators.measures import SPECS, Raw
from crmbridge.indicators.options import Options
from crmbridge.indicators.state import opened, query
from crmbridge.indicators.targets import Target, is_comparable, is_met, read_target
from crmbridge.indicators.words import Words
from crmbridge.model.figures import (
    Column,
    Coverage,
    Figure,
    IndicatorFigure,
    Measured,
    Row,
    Scorecard,
    Unit,
    WaivedFindings,
)
from crmbridge.model.process import Indicator, Measure, Process

_HOURS = {Unit.HOURS: 1.0, Unit.MINUTES: 1 / 60, Unit.BUSINESS_HOURS: 1.0, Unit.BUSINESS_MINUTES: 1 / 60}
_USUAL = Options()


def compute(store_url: str, process: Process, as_of: datetime, options: Options = _USUAL) -> Scorecard:
    """Compute all figures from what the last evaluation left in the state.

    `as_of` is when open visits' ages are measured, aware. A state without deals gives a scorecard without data.
    Raises ConfigurationError when there is no state there, StateError when it can't be read.
    """
    counted = _Counted.read(store_url, process, as_of)
    shown = _Shown(process, options.language, Words.of(options.language))
    return Scorecard(
        process=process.name.in_language(options.language),
        as_of=as_of.astimezone(UTC),
        language=options.language,
        coverage=Coverage(**{**counted.coverage, "since": _moment(counted.coverage["since"])}),
        indicators=tuple(shown.indicator(each, counted) for each in process.indicators),
        measures=tuple(shown.measured(measure, counted) for measure in SPECS),
        waived=WaivedFindings(**{**counted.waived, "next_end": _moment(counted.waived["next_end"])}),
    )


def _moment(naive: datetime | None) -> datetime | None:
    return None if naive is None else naive.replace(tzinfo=UTC)


# ── What the SQL gives ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the SQL of each measure gave. A row's `part` says what it is: a row to show, a stage's total, or of all."""

    coverage: Raw
    waived: Raw
    measures: Mapping[Measure, Sequence[Raw]]

    @classmethod
    def read(cls, store_url: str, process: Process, as_of: datetime) -> _Counted:
        with opened(store_url) as database:
            _define(database, process, as_of)
            return cls(
                next(_run(database, "coverage")),
                next(_run(database, "waived")),
                {measure: tuple(_run(database, measure)) for measure in SPECS},
            )

    def rows(self, measure: Measure, stages: Sequence[str]) -> list[Raw]:
        """Give the rows to show: a measure's own, else its stages in the order of the process."""
        found = [row for row in self.measures[measure] if row["part"] == SPECS[measure].part]
        return sorted(found, key=lambda row: stages.index(row["stage"])) if SPECS[measure].part == "stage" else found

    def total(self, measure: Measure, stage: str | None = None) -> Raw:
        """Give what was counted at a stage, or with None over all; an empty row when that is nothing."""
        part = "stage" if stage else "all"
        return next((row for row in self.measures[measure] if row["part"] == part and row["stage"] == stage), {})


def _define(database: duckdb.DuckDBPyConnection, process: Process, as_of: datetime) -> None:
    database.execute("CREATE TABLE stages (id VARCHAR, ordinal INTEGER, status VARCHAR)")
    database.executemany(
        "INSERT INTO stages VALUES (?, ?, ?)",
        [(stage.id, ordinal, stage.status) for ordinal, stage in enumerate(process.stages)],
    )
    database.execute(
        "CREATE TABLE moment AS SELECT ?::TIMESTAMP AS as_of", [as_of.astimezone(UTC).replace(tzinfo=None)]
    )
    database.execute(query("views"))


def _run(database: duckdb.DuckDBPyConnection, name: str) -> Iterator[Raw]:
    result = database.execute(query(name))
    columns = [column[0] for column in result.description or ()]
    for row in result.fetchall():
        yield dict(zip(columns, row, strict=True))


# ── What is shown of it ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Shown:
    """How figures are shown: for which process, in which words."""

    process: Process
    language: str
    words: Words

    def measured(self, measure: Measure, counted: _Counted) -> Measured:
        """Put a measure's rows into figures."""
        spec, total = SPECS[measure], counted.total(measure)
        return Measured(
            id=measure,
            name=self.words.names[measure],
            definition=self.words.definitions[measure],
            columns=tuple(Column(each, self.words.columns[each]) for each in spec.columns),
            rows=tuple(
                Row(
                    label=self._label(raw, spec.rows_are),
                    figures={name: make(raw) for name, make in spec.columns.items()},
                    stage=raw["stage"],
                    segment=raw.get("segment"),
                )
                for raw in counted.rows(measure, [stage.id for stage in self.process.stages])
            ),
            rows_are=self.words.words[spec.rows_are],
            chart=spec.chart,
            charted=spec.charted,
            headline=spec.main(total) if total else None,
        )

    def _label(self, raw: Raw, rows_are: str) -> str:
        """Say in words what a row is about."""
        if rows_are == "owner":
            return raw["segment"] or self.words.words["nobody"]
        if rows_are == "deals":
            return self.words.words["all_deals"]
        return self._stage(raw["stage"]) + (f" · {raw['sla']}" if rows_are == "sla" else "")

    def _stage(self, stage_id: str) -> str:
        stage = self.process.stage(stage_id)
        return stage.name.in_language(self.language) if stage else stage_id

    def indicator(self, indicator: Indicator, counted: _Counted) -> IndicatorFigure:
        """Give the figure of one of the process's own indicators, held against its target."""
        target = read_target(indicator.target)
        figure = self._figure(indicator, counted, target)
        is_business = figure.unit.value.startswith("b")
        return IndicatorFigure(
            id=indicator.id,
            name=indicator.name.in_language(self.language),
            measure=indicator.measure,
            stage=self._stage(indicator.stage) if indicator.stage else None,
            why=indicator.why.in_language(self.language) if indicator.why else None,
            figure=figure,
            definition=self.words.definitions["time_in_stage_business" if is_business else indicator.measure],
            target=indicator.target,
            met=is_met(figure, target),
            comparable=is_comparable(figure, target),
        )

    def _figure(self, indicator: Indicator, counted: _Counted, target: Target | None) -> Figure:
        raw = counted.total(indicator.measure, indicator.stage)
        if indicator.measure is Measure.TIME_IN_STAGE:
            return _time_figure(raw, indicator, self.process, target)
        figure = SPECS[indicator.measure].main(raw)
        # Without deals there are no findings to count, which is not the same as none.
        return figure if counted.coverage["deals"] else Figure(unit=figure.unit, value=None, n=0)


def _time_figure(raw: Raw, indicator: Indicator, process: Process, target: Target | None) -> Figure:
    """Give the median in the target's unit; business time only where the stage's SLA measures it."""
    unit = target.unit if target else Unit.DAYS
    days = raw.get("median_days")
    if unit in {Unit.HOURS, Unit.MINUTES}:
        return Figure(unit=unit, value=None if days is None else days * 24 / _HOURS[unit], n=raw.get("closed", 0))
    hours = _business_unit_hours(unit, indicator.stage, process)
    if hours is None:
        return Figure(unit=Unit.DAYS, value=days, n=raw.get("closed", 0))
    seconds = raw.get("business_median_seconds")
    return Figure(unit=unit, value=None if seconds is None else seconds / 3600 / hours, n=raw.get("business_closed", 0))


def _business_unit_hours(unit: Unit, stage_id: str | None, process: Process) -> float | None:
    """Give how many open hours one of a business unit is in the stage's calendar; None where there is no saying."""
    stage = process.stage(stage_id) if stage_id else None
    calendar = process.calendars.get(stage.sla.calendar) if stage and stage.sla else None
    if calendar is None or not unit.value.startswith("b"):
        return None
    return float(calendar.day_hours) if unit is Unit.BUSINESS_DAYS else _HOURS[unit]
