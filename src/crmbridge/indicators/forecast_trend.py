"""The forecast as it would have been made when earlier periods ended: from what was known then, at amounts of now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb

from crmbridge.indicators.forecast import Deal, chances
from crmbridge.indicators.state import query

_STOOD = "SELECT period, until, stage, age_days, value FROM stood JOIN period_ends USING (period) ORDER BY period, no"


class Expected(NamedTuple):
    """What some deals were expected to bring, None where nothing tells, and how many of them have an amount."""

    value: float | None
    priced: int


Trend = Mapping[int | None, Mapping[int, Expected]]  # by stage, None for all, and by the period's number


def forecast_trend(database: duckdb.DuckDBPyConnection, horizon: int) -> Trend:
    """Forecast the deals that were open when each period of trends ended; after `forecast`, over the same database.

    A period at whose end there was no history, or one shorter than the horizon, is left out: chances would be too low.
    """
    database.execute(query("stood"))
    database.execute(query("forecast_trend"))
    stood: dict[tuple[int, Any], list[Deal]] = defaultdict(list)
    for period, until, *deal in database.execute(_STOOD).fetchall():
        stood[period, until].append(Deal(*deal))
    found: dict[int | None, dict[int, Expected]] = defaultdict(dict)
    for (period, until), deals in stood.items():
        database.execute("UPDATE known SET until = $until", {"until": until})
        won = chances(database, deals, horizon)
        for stage, expected in _by_stage(deals, won).items() if won is not None else ():
            if expected.value is not None:
                found[stage][period] = expected
    return found


def _by_stage(deals: Sequence[Deal], won: Sequence[float | None]) -> dict[int | None, Expected]:
    parts: dict[int | None, list[tuple[Deal, float | None]]] = defaultdict(list)
    for deal, chance in zip(deals, won, strict=True):
        parts[None].append((deal, chance))
        parts[deal.stage].append((deal, chance))
    return {stage: _expected(part) for stage, part in parts.items()}


def _expected(part: Iterable[tuple[Deal, float | None]]) -> Expected:
    priced = [(deal.amount, chance) for deal, chance in part if deal.amount is not None]
    sums = [amount * chance for amount, chance in priced if chance is not None]
    return Expected(sum(sums) if sums else None, len(priced))
