"""A team's own indicators: what an SQL file beside the process counts, or one that a plugin offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, Final, NamedTuple

import duckdb
from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.indicators import counting
from crmbridge.indicators.asking import Answer, ask
from crmbridge.indicators.targets import held_against
from crmbridge.indicators.words import Words
from crmbridge.model.figures import ChartKind, Column, Figure, IndicatorFigure, Measured, Row, TrendPoint, Unit
from crmbridge.model.process import Indicator, Measure

OWN: Final = frozenset({Measure.SQL, Measure.PLUGIN})
MOST_ROWS: Final = 1000
_TOLD: Final = {"value", "n", "numerator", "denominator", "label", "stage", "segment", "period"}
_SHAPE: Final = (
    "Give the columns value, or numerator and denominator for a share; and n, label, stage, segment or "
    "period if you like."
)


class OwnMeasure(Struct, frozen=True, kw_only=True):
    """A measure that is not ours. `place` is the file that its SQL stands in, or the plugin, for messages.

    The SQL gives rows with a `label`, and one without for all together; or that one alone. Rows that have a `segment`
    or a `period` instead of a label are shown where the report is cut by such; by period alone, they are the trend.
    """

    id: str
    name: str
    definition: str
    unit: Unit
    sql: str
    place: str


def definition_of(sql: str, name: str) -> str:
    """Give the comment that an SQL file starts with as its definition; its name where it has none."""
    lines = []
    for line in sql.strip().splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(part for part in lines if part) or name


class Cuts(NamedTuple):
    """What a report is cut by."""

    segment: bool = False
    period: bool = False


_UNCUT: Final = Cuts()


class OwnFound(NamedTuple):
    """What one measure gave, and its figures by period: `2026-11`, `2026-Q4` or `2026`, as the report is cut."""

    measured: Measured
    trend: Mapping[str, Figure]


def measure_own(
    database: duckdb.DuckDBPyConnection,
    measures: Sequence[OwnMeasure],
    words: Words,
    currency: str | None,
    cuts: Cuts = _UNCUT,
) -> tuple[OwnFound, ...]:
    """Compute each measure over a database that has the views; raises ConfigurationError for SQL that is wrong."""
    return tuple(_found(database, measure, words, currency, cuts) for measure in measures)


def own_figure(
    indicator: Indicator, found: Mapping[str, Measured], language: str, trend: tuple[TrendPoint, ...] = ()
) -> IndicatorFigure:
    """Hold an indicator of the process against its target, its figure being that of a measure of its own."""
    measured = found[indicator.plugin or indicator.id]
    figure = measured.headline or Figure(unit=Unit(indicator.unit or Unit.COUNT), value=None, n=0)
    definition = measured.definition
    return held_against(indicator, figure, language=language, definition=definition, trend=trend)


def _found(
    database: duckdb.DuckDBPyConnection, measure: OwnMeasure, words: Words, currency: str | None, cuts: Cuts
) -> OwnFound:
    answer = ask(database, measure.sql, measure.place, most=MOST_ROWS)
    _check(answer, measure)
    made = [(raw, _figure(raw, measure, currency)) for raw in answer.records()]
    rows = tuple(_row(raw, figure) for raw, figure in made if _is_shown(raw, cuts))
    measured = Measured(
        id=measure.id,
        name=measure.name,
        definition=measure.definition,
        columns=(Column("value", words.columns["value"]),),
        rows=rows,
        rows_are=words.words["row"],
        chart=ChartKind.BARS if rows else ChartKind.NONE,
        charted=("value",) if rows else (),
        headline=next((figure for raw, figure in made if _is_total(raw)), None),
    )
    return OwnFound(measured, {str(raw["period"]): figure for raw, figure in made if _cut_by(raw) == (False, True)})


def _row(raw: Mapping[str, Any], figure: Figure) -> Row:
    told = {name: None if raw.get(name) is None else str(raw[name]) for name in ("stage", "segment", "period")}
    label = raw.get("label")
    if label is None:
        label = " · ".join(part for part in (told["segment"], told["period"]) if part)
    return Row(label=str(label), figures={"value": figure}, **told)


def _cut_by(raw: Mapping[str, Any]) -> Cuts | None:
    """Say what a row without a label is cut by; None for one that has one."""
    if raw.get("label") is not None:
        return None
    return Cuts(raw.get("segment") is not None, raw.get("period") is not None)


def _is_total(raw: Mapping[str, Any]) -> bool:
    return _cut_by(raw) == _UNCUT


def _is_shown(raw: Mapping[str, Any], cuts: Cuts) -> bool:
    """Tell whether a row is shown: each with a label is, the others where the report is cut as they are."""
    cut = _cut_by(raw)
    return cut is None or (cut != _UNCUT and cut == cuts)


def _check(answer: Answer, measure: OwnMeasure) -> None:
    columns = set(answer.columns)
    if unknown := sorted(columns - _TOLD):
        raise ConfigurationError(f"{measure.place}: nothing is done with the column {unknown[0]!r}", advice=_SHAPE)
    if not ("value" in columns or {"numerator", "denominator"} <= columns):
        raise ConfigurationError(f"{measure.place}: there is no column value", advice=_SHAPE)
    if answer.more:
        raise ConfigurationError(f"{measure.place}: this gives more than {MOST_ROWS:,} rows", advice="Group them.")
    totals = [raw for raw in answer.records() if _is_total(raw)]
    # Where deals are not grouped, `segment` is NULL, and all of them are one more group.
    if any(raw != totals[0] or "segment" not in columns for raw in totals[1:]):
        raise ConfigurationError(
            f"{measure.place}: two rows have no label, segment or period",
            advice="One row alone may have none; name deals without one, as in coalesce(segment, 'none').",
        )


def _figure(raw: Mapping[str, Any], measure: OwnMeasure, currency: str | None) -> Figure:
    parts = raw.get("numerator"), raw.get("denominator")
    share = _share(*parts) if measure.unit is Unit.SHARE and "value" not in raw else None
    if share is not None:
        return share
    value = _number(raw.get("value"), measure)
    if "value" not in raw and None not in parts:
        numerator, denominator = (_number(part, measure) or 0.0 for part in parts)
        value = numerator / denominator if denominator else None
    return Figure(
        unit=measure.unit,
        value=value,
        n=int(_number(raw.get("n"), measure) or _number(parts[1], measure) or 0),
        numerator=_number(parts[0], measure),
        denominator=_number(parts[1], measure),
        currency=currency if measure.unit is Unit.MONEY else None,
    )


def _share(numerator: object, denominator: object) -> Figure | None:
    """Give the share that a count is of another; None where it is no part of it, as with 120 % of a quota."""
    if not (isinstance(numerator, int) and isinstance(denominator, int)):
        return None
    return counting.share(numerator, denominator) if 0 <= numerator <= denominator else None


def _number(value: object, measure: OwnMeasure) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ConfigurationError(
            f"{measure.place}: {type(value).__name__} is no number", advice="Cast it in the SQL, as in x::DOUBLE."
        )
    return float(value) if isfinite(value) else None
