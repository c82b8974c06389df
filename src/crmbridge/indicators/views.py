"""Make the views that every measure is written over, for one process and one moment."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb

from crmbridge.indicators.currency import Money, Rates, define_money
from crmbridge.indicators.state import query
from crmbridge.model.process import Process


def define_views(
    database: duckdb.DuckDBPyConnection, process: Process, as_of: datetime, rates: Rates | None = None
) -> Money:
    """Make the views over a database that holds the state's tables, and say which currency money is in.

    `as_of` is when open visits' ages are measured, aware. Raises ConfigurationError for a rate that is missing.
    """
    database.execute("CREATE TABLE stages (id VARCHAR, ordinal INTEGER, status VARCHAR)")
    database.executemany(
        "INSERT INTO stages VALUES (?, ?, ?)",
        [(stage.id, ordinal, stage.status) for ordinal, stage in enumerate(process.stages)],
    )
    database.execute(
        "CREATE TABLE moment AS SELECT ?::TIMESTAMP AS as_of", [as_of.astimezone(UTC).replace(tzinfo=None)]
    )
    database.execute(query("views"))
    money = define_money(database, rates)
    database.execute(query("chances"))
    return money
