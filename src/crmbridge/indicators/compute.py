"""Compute the scorecard: run each measure's SQL over the state and put its rows into figures."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import duckdb

from crmbridge.indicators.scorecard import (
    Coverage,
    Figure,
    FigureUnit,
    IndicatorFigure,
    OwnerFindings,
    Scorecard,
    SlaAttainment,
    StageConversion,
    StageTime,
    WaivedFindings,
    share,
)
from crmbridge.indicators.state import opened, query
from crmbridge.indicators.targets import Target, is_comparable, is_met, read_target
from crmbridge.model.process import Indicator, Measure, Process

Row = Mapping[str, Any]

_MEASURES = tuple(measure.value for measure in Measure)
_HOURS = {"h": 1.0, "m": 1 / 60, "bh": 1.0, "bm": 1 / 60}  # how many hours one of the unit is


def compute(store_url: str, process: Process, as_of: datetime, language: str = "en") -> Scorecard:
    """Compute all figures from what the last evaluation left in the state.

    `as_of` is when open visits' ages are measured, aware. A state without deals gives a scorecard without data.
    Raises ConfigurationError when there is no state there, StateError when it can't be read.
    """
    rows = _Rows.read(store_url, process, as_of)
    words = _definitions(language)
    names = {stage.id: stage.name.in_language(language) for stage in process.stages}
    return Scorecard(
        process=process.name.in_language(language),
        as_of=as_of.astimezone(UTC),
        language=language,
        coverage=_coverage(rows.coverage),
        indicators=tuple(_indicator(each, process, rows, words, language) for each in process.indicators),
        conversion=tuple(_conversion(row, name) for row, name in rows.by_stage(Measure.STAGE_CONVERSION, names)),
        win_rate=_win_rate(rows.at_stage(Measure.WIN_RATE, None)),
        time_in_stage=tuple(_time(row, name) for row, name in rows.by_stage(Measure.TIME_IN_STAGE, names)),
        sla=tuple(_sla(row, names[row["stage"]]) for row in rows.of(Measure.SLA_ATTAINMENT) if row["sla"]),
        findings=tuple(_owner(row) for row in rows.of(Measure.OPEN_FINDINGS) if row["part"] == "owner"),
        waived=WaivedFindings(**{**rows.waived, "next_end": _moment(rows.waived["next_end"])}),
        definitions={measure: words[measure] for measure in _MEASURES},
    )


# ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the SQL of each measure gave."""

    coverage: Row
    waived: Row
    measures: Mapping[str, Sequence[Row]]

    @classmethod
    def read(cls, store_url: str, process: Process, as_of: datetime) -> _Rows:
        with opened(store_url) as database:
            _define(database, process, as_of)
            return cls(
                next(_run(database, "coverage")),
                next(_run(database, "waived")),
                {measure: tuple(_run(database, measure)) for measure in _MEASURES},
            )

    def of(self, measure: Measure) -> Sequence[Row]:
        return self.measures[measure]

    def at_stage(self, measure: Measure, stage: str | None) -> Row:
        """Give a stage's row, or with None the one over all; an empty one when nothing was counted."""
        part = "stage" if stage else "all"
        found = (
            row
            for row in self.of(measure)
            if row["stage"] == stage and row.get("sla") is None and row.get("part", part) == part
        )
        return next(found, {})

    def by_stage(self, measure: Measure, names: Mapping[str, str]) -> Iterator[tuple[Row, str]]:
        """Give each stage's row with the stage's name, in the order of the process."""
        found = {row["stage"]: row for row in self.of(measure)}
        return ((found[stage], name) for stage, name in names.items() if stage in found)


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


def _run(database: duckdb.DuckDBPyConnection, name: str) -> Iterator[Row]:
    result = database.execute(query(name))
    columns = [column[0] for column in result.description or ()]
    for row in result.fetchall():
        yield dict(zip(columns, row, strict=True))


# ── Figures ─────────────────────────────────────────────────────────────────────────────────────────────


def _coverage(row: Row) -> Coverage:
    return Coverage(**{**row, "since": _moment(row["since"])})


def _conversion(row: Row, name: str) -> StageConversion:
    return StageConversion(
        stage=row["stage"],
        name=name,
        conversion=_conversion_share(row),
        **{part: row[part] for part in ("entered", "forward", "lost", "back", "elsewhere", "open")},
    )


def _conversion_share(row: Row) -> Figure:
    return share(row.get("forward", 0), row.get("entered", 0) - row.get("open", 0))


def _win_rate(row: Row) -> Figure:
    return share(row.get("won", 0), row.get("closed", 0))


def _time(row: Row, name: str) -> StageTime:
    return StageTime(
        stage=row["stage"],
        name=name,
        median=Figure(unit=FigureUnit.DAYS, value=row["median_days"], n=row["closed"]),
        p90=Figure(unit=FigureUnit.DAYS, value=row["p90_days"], n=row["closed"]),
        open=row["open"],
        open_median_age=row["open_median_days"],
    )


def _sla(row: Row, name: str) -> SlaAttainment:
    parts = {part: row[part] for part in ("sla", "stage", "running", "at_risk", "breached")}
    return SlaAttainment(**parts, name=name, attainment=_attainment(row))


def _attainment(row: Row) -> Figure:
    return share(row.get("within_goal", 0), row.get("closed", 0))


def _owner(row: Row) -> OwnerFindings:
    parts = {name: row[name] for name in ("owner", "errors", "warnings", "infos", "deals")}
    return OwnerFindings(**parts, oldest=row["oldest"].replace(tzinfo=UTC))


def _moment(naive: datetime | None) -> datetime | None:
    return None if naive is None else naive.replace(tzinfo=UTC)


# ── The process's indicators ────────────────────────────────────────────────────────────────────────────


def _indicator(
    indicator: Indicator, process: Process, rows: _Rows, words: Mapping[str, str], language: str
) -> IndicatorFigure:
    target = read_target(indicator.target)
    figure = _figure(indicator, process, rows, target)
    stage = process.stage(indicator.stage) if indicator.stage else None
    is_business = figure.unit.value.startswith("b")
    return IndicatorFigure(
        id=indicator.id,
        name=indicator.name.in_language(language),
        measure=indicator.measure,
        stage=stage.name.in_language(language) if stage else None,
        why=indicator.why.in_language(language) if indicator.why else None,
        figure=figure,
        definition=words["time_in_stage_business" if is_business else indicator.measure],
        target=indicator.target,
        met=is_met(figure, target),
        comparable=is_comparable(figure, target),
    )


def _figure(indicator: Indicator, process: Process, rows: _Rows, target: Target | None) -> Figure:
    row = rows.at_stage(indicator.measure, indicator.stage)
    match indicator.measure:
        case Measure.STAGE_CONVERSION:
            return _conversion_share(row)
        case Measure.WIN_RATE:
            return _win_rate(row)
        case Measure.SLA_ATTAINMENT:
            return _attainment(row)
        case Measure.OPEN_FINDINGS:
            count = sum(row.get(severity, 0) for severity in ("errors", "warnings", "infos"))
            return Figure(unit=FigureUnit.COUNT, value=count if rows.coverage["deals"] else None, n=count)
        case Measure.TIME_IN_STAGE:
            return _time_figure(row, indicator, process, target)


def _time_figure(row: Row, indicator: Indicator, process: Process, target: Target | None) -> Figure:
    """Give the median in the target's unit; business time only where the stage's SLA measures it."""
    unit = target.unit if target else FigureUnit.DAYS
    days = row.get("median_days")
    if unit in {FigureUnit.HOURS, FigureUnit.MINUTES}:
        return Figure(unit=unit, value=None if days is None else days * 24 / _HOURS[unit], n=row.get("closed", 0))
    hours = _business_unit_hours(unit, indicator.stage, process)
    if hours is None:
        return Figure(unit=FigureUnit.DAYS, value=days, n=row.get("closed", 0))
    seconds = row.get("business_median_seconds")
    return Figure(unit=unit, value=None if seconds is None else seconds / 3600 / hours, n=row.get("business_closed", 0))


def _business_unit_hours(unit: FigureUnit, stage_id: str | None, process: Process) -> float | None:
    """Give how many open hours one of a business unit is in the stage's calendar; None where there is no saying."""
    stage = process.stage(stage_id) if stage_id else None
    calendar = process.calendars.get(stage.sla.calendar) if stage and stage.sla else None
    if calendar is None or not unit.value.startswith("b"):
        return None
    return float(calendar.day_hours) if unit is FigureUnit.BUSINESS_DAYS else _HOURS[unit]


def _definitions(language: str) -> dict[str, str]:
    texts = tomllib.loads(files(__package__).joinpath("definitions.toml").read_text("utf-8"))
    base = language.split("-", maxsplit=1)[0].lower()
    return {name: by_language.get(base, by_language["en"]) for name, by_language in texts.items()}
