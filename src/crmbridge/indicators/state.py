"""Read what indicators need from a SQLite state into DuckDB, as it was at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import adbc_driver_manager as adbc
import adbc_driver_sqlite
import duckdb
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from crmbridge.errors import ConfigurationError, StateError

MEMORY = "512MB"  # beyond it, DuckDB writes to a temporary folder
_BATCH_ROWS = 8192

# The tables and columns that the views are over, with their DuckDB types.
_TABLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "places": {"connection": "VARCHAR", "deal": "VARCHAR", "stage": "VARCHAR", "status": "VARCHAR"},
        "records": {
            "connection": "VARCHAR",
            "kind": "VARCHAR",
            "id": "VARCHAR",
            "name": "VARCHAR",
            "amount": "VARCHAR",
            "currency": "VARCHAR",
            "owner": "VARCHAR",
            "close_date": "DATE",
            "created_at": "TIMESTAMP",
        },
        "visits": {
            "connection": "VARCHAR",
            "deal": "VARCHAR",
            "stage": "VARCHAR",
            "number": "BIGINT",
            "entered_at": "TIMESTAMP",
            "left_at": "TIMESTAMP",
            "to_stage": "VARCHAR",
            "to_status": "VARCHAR",
        },
        "findings": {
            "id": "VARCHAR",
            "connection": "VARCHAR",
            "deal": "VARCHAR",
            "rule": "VARCHAR",
            "kind": "VARCHAR",
            "stage": "VARCHAR",
            "severity": "VARCHAR",
            "since": "TIMESTAMP",
            "opened_at": "TIMESTAMP",
            "cleared_at": "TIMESTAMP",
            "waived_by": "VARCHAR",
            "waived_until": "TIMESTAMP",
        },
        "sla_clocks": {
            "connection": "VARCHAR",
            "deal": "VARCHAR",
            "stage": "VARCHAR",
            "number": "BIGINT",
            "sla": "VARCHAR",
            "calendar": "VARCHAR",
            "goal_seconds": "DOUBLE",
            "elapsed_seconds": "DOUBLE",
            "due_at": "TIMESTAMP",
            "state": "VARCHAR",
            "running": "BOOLEAN",
        },
    }
)
_ONLY = MappingProxyType({"records": " WHERE kind IN ('deal', 'user')"})


@contextmanager
def opened(store_url: str, writes: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB that holds the state's tables in its schema `state`.

    All tables are read in one transaction, in batches; the database is gone on exit. Raises ConfigurationError when
    the URL is not of a SQLite file that is there, StateError when the file is not a state. `writes` is the one file
    that the database may write, an absolute path; it reaches no other, and no network.
    """
    path = _path(store_url)
    with TemporaryDirectory(prefix="crmbridge-") as folder:
        database = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": folder})
        try:
            _load(database, path)
            if writes is not None:  # DuckDB takes no more exceptions once access is off
                database.execute("SET allowed_paths = [?]", [str(writes)])
            database.execute("SET enable_external_access = false")
            yield database
        finally:
            database.close()


def query(name: str) -> str:
    """Give the SQL of one measure, or of the views."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text("utf-8")


def _path(store_url: str) -> Path:
    try:
        url = make_url(store_url)
    except ArgumentError:
        raise ConfigurationError("The `store` setting is not a URL.", advice=_URL_ADVICE) from None
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        raise ConfigurationError("Indicators are read from a SQLite state file only.", advice=_URL_ADVICE)
    path = Path(str(url.database)).resolve()
    if not path.is_file():
        raise ConfigurationError(f"There is no state at {path}.", advice="Run `crmbridge pull` first.")
    return path


def _load(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    database.execute("CREATE SCHEMA state")
    try:
        with adbc_driver_sqlite.connect(f"{path.as_uri()}?mode=ro") as source, adbc.AdbcConnection(source) as reader:
            reader.set_autocommit(False)  # one transaction, so that all tables are of one moment
            for table, columns in _TABLES.items():
                _copy(database, reader, table, columns)
            _copy_probabilities(database, reader)
    except (adbc.Error, duckdb.Error) as error:
        raise StateError(
            f"The state {path} can't be read for the indicators: {str(error).splitlines()[0]}",
            advice="Run `crmbridge pull`, which brings the state up to date; if it stays, restore a backup.",
        ) from error


def _copy(
    database: duckdb.DuckDBPyConnection, reader: adbc.AdbcConnection, table: str, columns: Mapping[str, str]
) -> None:
    # The driver takes a column's type from its first batch, so a column that starts with NULLs would fail later:
    # an empty text stands for NULL on the way.
    texts = {name for name, kind in columns.items() if kind in {"VARCHAR", "DATE", "TIMESTAMP"}}
    picked = ", ".join(f"coalesce({name}, '') AS {name}" if name in texts else name for name in columns)
    typed = ", ".join(
        f"nullif({name}::VARCHAR, '')::{kind} AS {name}" if name in texts else f"{name}::{kind} AS {name}"
        for name, kind in columns.items()
    )
    with adbc.AdbcStatement(reader) as statement:
        statement.set_options(**{"adbc.sqlite.query.batch_rows": _BATCH_ROWS})
        statement.set_sql_query(f"SELECT {picked} FROM {table}{_ONLY.get(table, '')}")  # noqa: S608  names from above
        stream, _ = statement.execute_query()
        database.register("stream", stream)
        database.execute(f"CREATE TABLE state.{table} AS SELECT {typed} FROM stream")  # noqa: S608  names from above
        database.unregister("stream")


def _copy_probabilities(database: duckdb.DuckDBPyConnection, reader: adbc.AdbcConnection) -> None:
    """Copy what deals have in a field `probability`, where one is mapped: few do, and `fields` is not read else."""
    with adbc.AdbcStatement(reader) as statement:
        statement.set_sql_query(
            "SELECT connection, id AS deal, CAST(coalesce(json_extract(fields, '$.probability.decimal'), "
            "json_extract(fields, '$.probability'), '') AS TEXT) AS probability "
            "FROM records WHERE kind = 'deal' AND instr(fields, '\"probability\":')"
        )
        stream, _ = statement.execute_query()
        database.register("stream", stream)
        database.execute(
            "CREATE TABLE state.probabilities AS "
            "SELECT connection::VARCHAR AS connection, deal::VARCHAR AS deal, "
            "probability::VARCHAR AS probability FROM stream"
        )
        database.unregister("stream")


_URL_ADVICE = "Write `store` as sqlite:///path/to/state.db."
