"""Read what indicators need from a SQLite state into DuckDB, as it was at one moment."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import unquote

import adbc_driver_manager as adbc
import adbc_driver_sqlite
import duckdb

from crmbridge.errors import ConfigurationError, StateError
from crmbridge.indicators.tables import Table, tables

MEMORY = (220, 900)  # MB at least and at most; beyond it, DuckDB writes to a temporary folder
_OF_STATE = 0.23  # of the state file's size, in between: about twice what is taken from it
READERS = 2  # that read the state side by side
_BATCH_ROWS = 8192
_SPLIT_ROWS = 50_000  # a table with fewer rows is read by one reader
# As SQLAlchemy reads one, whose import takes longer than much of what is done here.
_URL = re.compile(r"(?P<backend>\w+)(?:\+\w+)?://[^/?]*(?:/(?P<database>[^?]*))?")
_TRIES = 5  # to see the same moment with all readers, while others write


@contextmanager
def opened(
    store_url: str, stages: Sequence[str], field: str | None = None, writes: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB database that holds the tables of `tables`, and no way out of it.

    `stages` are the ids of the process's stages in order; `field` is a field of deals that they are grouped by;
    `writes` is the one file that the database may write, an absolute path. Raises ConfigurationError when there is no
    state there, StateError for a file that is not a state.
    """
    path = _path(store_url)
    with TemporaryDirectory(prefix="crmbridge-") as folder:
        database = duckdb.connect(config={"memory_limit": _memory(path), "temp_directory": folder, "threads": READERS})
        try:
            database.execute("SET preserve_insertion_order = false")
            _load(database, path, stages, field)
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
    url = _URL.match(store_url)
    if url is None:
        raise ConfigurationError("The `store` setting is not a URL.", advice=_URL_ADVICE)
    database = unquote(url["database"] or "")
    if url["backend"] != "sqlite" or database in {"", ":memory:"}:
        raise ConfigurationError("Indicators are read from a SQLite state file only.", advice=_URL_ADVICE)
    path = Path(database).resolve()
    if not path.is_file():
        raise ConfigurationError(f"There is no state at {path}.", advice="Run `crmbridge pull` first.")
    return path


def _memory(path: Path) -> str:
    """Give DuckDB what it needs to be fast: it takes far more where it may, for little."""
    least, most = MEMORY
    return f"{min(max(least, int(path.stat().st_size / 1e6 * _OF_STATE)), most)}MB"


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────


def _load(database: duckdb.DuckDBPyConnection, path: Path, stages: Sequence[str], field: str | None) -> None:
    database.execute("CREATE SCHEMA state")
    try:
        with ExitStack() as stack:
            readers = _of_one_moment(stack, path)
            connections = _connections(readers[0])
            database.execute("CREATE TABLE connections (id VARCHAR, ordinal TINYINT)")
            for ordinal, name in enumerate(connections):
                database.execute("INSERT INTO connections VALUES (?, ?)", [name, ordinal])
            # DuckDB takes a stream of unknown length for a short one and would keep all of it to look deals up in.
            database.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
            for table in tables(stages, connections, field):
                database.execute(f"CREATE TABLE state.{table.name} ({table.types})")
                _copy(database, readers, table)
            database.execute("RESET disabled_optimizers")
    except (adbc.Error, duckdb.Error, sqlite3.Error) as error:
        raise StateError(
            f"The state {path} can't be read for the indicators: {str(error).splitlines()[0]}",
            advice="Run `crmbridge pull`, which brings the state up to date; if it stays, restore a backup.",
        ) from error


def _of_one_moment(stack: ExitStack, path: Path) -> list[adbc.AdbcConnection]:
    """Open readers that see the same state: if something was committed while they began, they begin again."""
    watch = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    stack.callback(watch.close)
    for _ in range(_TRIES):
        before = _version(watch)
        readers = [_reader(stack, path) for _ in range(READERS)]
        if _version(watch) == before:
            return readers
    return readers[:1]


def _version(watch: sqlite3.Connection) -> int:
    """Give a number that changes whenever another connection commits ("PRAGMA data_version", sqlite.org)."""
    (version,) = watch.execute("PRAGMA data_version").fetchone()
    return int(version)


def _reader(stack: ExitStack, path: Path) -> adbc.AdbcConnection:
    source = stack.enter_context(adbc_driver_sqlite.connect(f"{path.as_uri()}?mode=ro"))
    reader: adbc.AdbcConnection = stack.enter_context(adbc.AdbcConnection(source))
    reader.set_autocommit(False)  # one transaction, so that all tables are of one moment
    _rows(reader, "SELECT count(*) AS n FROM places LIMIT 1")  # it begins with the first thing that is read
    return reader


def _connections(reader: adbc.AdbcConnection) -> list[str]:
    return sorted(str(name) for (name,) in _rows(reader, "SELECT DISTINCT connection FROM places"))


def _rows(reader: adbc.AdbcConnection, sql: str) -> list[tuple[object, ...]]:
    with adbc.AdbcStatement(reader) as statement:
        statement.set_sql_query(sql)
        stream, _ = statement.execute_query()
        with duckdb.connect() as desk:
            return desk.from_arrow(stream).fetchall()


class _Part(NamedTuple):
    """Rows of a table that one reader reads."""

    reader: adbc.AdbcConnection
    where: str
    name: str


def _copy(database: duckdb.DuckDBPyConnection, readers: Sequence[adbc.AdbcConnection], table: Table) -> None:
    """Copy a table, a large one with all readers at once."""
    parts = _parts(readers, table)
    with ThreadPoolExecutor(len(parts)) as pool:
        for done in [pool.submit(_copy_part, database.cursor(), table, part) for part in parts]:
            done.result()


def _parts(readers: Sequence[adbc.AdbcConnection], table: Table) -> list[_Part]:
    ((most,),) = _rows(readers[0], f"SELECT coalesce(max(rowid), 0) AS n FROM {table.source}")  # noqa: S608  names from tables.py
    rows = int(str(most))
    count = len(readers) if rows > _SPLIT_ROWS else 1
    ends = [rows * number // count for number in range(count + 1)]
    between = [f"rowid > {low} AND rowid <= {high}" for low, high in pairwise(ends)]
    return [
        _Part(reader, where if count > 1 else "TRUE", f"stream_{number}")
        for number, (reader, where) in enumerate(zip(readers, between, strict=False))
    ]


def _copy_part(cursor: duckdb.DuckDBPyConnection, table: Table, part: _Part) -> None:
    with adbc.AdbcStatement(part.reader) as statement:
        statement.set_options(**{"adbc.sqlite.query.batch_rows": _BATCH_ROWS})
        statement.set_sql_query(f"SELECT {table.picked} FROM {table.source} WHERE {part.where} AND {table.only}")  # noqa: S608  names from tables.py
        stream, _ = statement.execute_query()
        cursor.register(part.name, stream)
        cursor.execute(f"INSERT INTO state.{table.name} SELECT {table.typed} FROM {part.name} AS one {table.joined}")  # noqa: S608  names from tables.py
        cursor.unregister(part.name)


_URL_ADVICE = "Write `store` as sqlite:///path/to/state.db."
