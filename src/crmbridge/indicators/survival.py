"""Survival curves of what may not be over yet: Kaplan-Meier, and Aalen-Johansen where it can end in two ways.

An open deal is not one without an end, nor one that ends today: it lasts at least as long as it has. Both estimators
count it as such (it is censored), so neither a stage full of new deals nor one full of old ones bends the curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, sqrt
from typing import Any, Final, NamedTuple

import duckdb

from crmbridge.indicators.state import query
from crmbridge.model.figures import Curve, CurvePoint, Interval

MANY: Final = 100_000  # spells; with more, times are counted in whole hours, rounded up, which no chart shows
_STEPS: Final = 200  # a curve is given by at most so many steps: the first that passes each half of a percent
_Z95: Final = 1.959963984540054  # the normal quantile that leaves 2.5 % on each side
_QUANTILES: Final = (0.5, 0.75, 0.9)
_EXACT: Final = 1e-12  # what a product of floats may miss a half by


class Quantile(NamedTuple):
    """The days after which a share is over. None: so many are not over yet that it is not reached."""

    days: float | None
    low: float | None = None
    high: float | None = None


class Span(NamedTuple):
    """How long the spells of one part lasted: how many there are, those that are over, and when how many were."""

    n: int
    events: int
    meant: int  # of the events, those that ended as meant
    median: Quantile
    p75: Quantile
    p90: Quantile


class Survival(NamedTuple):
    """What became of the spells of one part. `median`, `p75` and `p90` are when half, 75 % and 90 % are over."""

    staying: Curve  # not over yet
    reached: Curve  # ended as meant
    median: Quantile
    p75: Quantile
    p90: Quantile


def survivals(database: duckdb.DuckDBPyConnection, spells: str, names: Mapping[str, str]) -> dict[str, Survival]:
    """Compute the curves of each part that `names` gives a label, in that order; a part without spells is left out.

    `spells` is a query of ours with the columns `part`, `days` (not negative) and `ending`: 0 not over yet, 1 ended as
    meant, 2 ended otherwise. Where all endings are alike, `reached` is one minus `staying`.
    """
    of = _measured(database, spells)
    quantiles = {share: _quantiles(database, share) for share in _QUANTILES}
    staying, reached = _staying(database), _reached(database)
    never = Quantile(None)
    return {
        part: Survival(
            Curve(label=label, points=_points(staying.get(part, ()), 1.0), n=of[part][0], events=of[part][1]),
            Curve(label=label, points=_points(reached.get(part, ()), 0.0), n=of[part][0], events=of[part][2]),
            *(quantiles[share].get(part, never) for share in _QUANTILES),
        )
        for part, label in names.items()
        if part in of
    }


def spans(database: duckdb.DuckDBPyConnection, spells: str) -> dict[str, Span]:
    """Compute how long spells last, of each part that there is; `spells` is as for `survivals`."""
    of = _measured(database, spells)
    quantiles = [_quantiles(database, share) for share in _QUANTILES]
    never = Quantile(None)
    return {part: Span(*counts, *(found.get(part, never) for found in quantiles)) for part, counts in of.items()}


def reached_by(database: duckdb.DuckDBPyConnection, days: int) -> dict[str, tuple[float, float] | None]:
    """Give each part's share and variance after so many days; None where nothing was followed for so long.

    The parts are those of which spells were last computed.
    """
    rows = database.execute(
        "SELECT followed.part, most >= $days OR share.nothing_left, share.reached, share.variance "
        "FROM (SELECT part, max(days) AS most FROM lives GROUP BY part) AS followed LEFT JOIN ("
        "SELECT part, arg_max(reached, days) FILTER (days <= $days) AS reached, min(staying) = 0 AS nothing_left, "
        "arg_max(variance, days) FILTER (days <= $days) AS variance FROM steps GROUP BY part"
        ") AS share USING (part)",
        {"days": days},
    ).fetchall()
    return {part: (reached or 0.0, variance or 0.0) if known else None for part, known, reached, variance in rows}


def _measured(database: duckdb.DuckDBPyConnection, spells: str) -> dict[str, tuple[int, int, int]]:
    """Fill `steps`; give how many spells each part has, how many are over, and how many ended as meant."""
    _gather(database, spells)
    database.execute(query("survival"))
    counts = database.execute(
        "SELECT part, sum(n)::BIGINT, coalesce(sum(n) FILTER (WHERE ending <> 0), 0)::BIGINT, "
        "coalesce(sum(n) FILTER (WHERE ending = 1), 0)::BIGINT FROM lives GROUP BY part"
    ).fetchall()
    return {part: (n, over, meant) for part, n, over, meant in counts}


def _gather(database: duckdb.DuckDBPyConnection, spells: str) -> None:
    """Count spells by how long they were, which leaves few rows of many."""
    ((count,),) = database.execute(f"SELECT count(*) FROM ({spells})").fetchall()  # noqa: S608  a query of ours
    days = "ceil(days * 24) / 24" if count > MANY else "days"
    counted = f"SELECT part, {days} AS days, ending, count(*) AS n FROM ({spells}) GROUP BY ALL"  # noqa: S608  the same
    texts = f"SELECT * REPLACE (part::VARCHAR AS part) FROM ({counted})"  # noqa: S608  the same
    database.execute(f"CREATE OR REPLACE TEMP TABLE lives AS {texts}")


def incidence_interval(reached: float, variance: float) -> Interval:
    """Give the interval at 95 % of an Aalen-Johansen share, on the scale of log(-log); of none or all, a point."""
    if not 0 < reached < 1 or variance <= 0:
        return Interval(reached, reached)
    depth = log(reached)
    half = min(_Z95 * sqrt(variance) / (reached * abs(depth)), 700.0)  # beyond it exp() overflows; 0 and 1 by then
    return Interval(exp(depth * exp(half)), exp(depth * exp(-half)))


# ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────

_Rows = dict[str, list[CurvePoint]]


def _staying(database: duckdb.DuckDBPyConnection) -> _Rows:
    rows: _Rows = {}
    for part, days, share, low, high in _thinned(database, "staying, stays_low, stays_high", "staying"):
        points = rows.setdefault(part, [])
        before = points[-1].high if points else 1.0
        points.append(CurvePoint(days, share, low, before if high is None else high))
    return rows


def _reached(database: duckdb.DuckDBPyConnection) -> _Rows:
    rows: _Rows = {}
    for part, days, share, variance in _thinned(database, "reached, variance", "reached"):
        rows.setdefault(part, []).append(CurvePoint(days, share, *incidence_interval(share, variance)))
    return rows


def _thinned(database: duckdb.DuckDBPyConnection, columns: str, share: str) -> list[tuple[Any, ...]]:
    """Give the steps at which a share comes to another half of a percent, and the last of each part."""
    bucket = f"floor({share} * {_STEPS})"
    return database.execute(
        f"SELECT part, days, {columns} FROM steps "  # noqa: S608  names from above
        "WINDOW by_days AS (PARTITION BY part ORDER BY days) "
        f"QUALIFY {bucket} IS DISTINCT FROM lag({bucket}) OVER by_days OR lead(days) OVER by_days IS NULL "
        f"OR count(*) OVER (PARTITION BY part) <= {_STEPS} ORDER BY part, days"
    ).fetchall()


def _points(steps: list[CurvePoint] | tuple[()], start: float) -> tuple[CurvePoint, ...]:
    return (CurvePoint(0.0, start, start, start), *steps)


def _quantiles(database: duckdb.DuckDBPyConnection, over: float) -> dict[str, Quantile]:
    """Give when so many are over, with the times at which the curve's bounds pass the same share."""
    left = 1 - over + _EXACT
    rows = database.execute(
        "SELECT part, min(days) FILTER (WHERE staying <= $left), min(days) FILTER (WHERE stays_low <= $left), "
        "min(days) FILTER (WHERE stays_high <= $left) FROM steps GROUP BY part",
        {"left": left},
    ).fetchall()
    return {part: Quantile(*times) for part, *times in rows}
