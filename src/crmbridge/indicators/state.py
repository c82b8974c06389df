"""Fill a DuckDB with what indicators need of a state, as it was at one moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol
from urllib.parse import unquote

import duckdb

from crmbridge.errors import ConfigurationError
from crmbridge.indicators.from_sqlite import READERS, sqlite_state
from crmbridge.indicators.tables import NONE, Dialect, Lean, Table, Turn, tables

MEMORY = (220, 900)  # MB at least and at most; beyond it, DuckDB writes to a temporary folder
_OF_STATE = 0.23  # of the state's size, in between: about twice what is taken from it
# As SQLAlchemy reads one, whose import takes longer than much of what is done here.
_URL = re.compile(r"(?P<backend>\w+)(?:\+\w+)?://[^/?]*(?:/(?P<database>[^?]*))?")

Part = Callable[[], AbstractContextManager[object]]


class Source(Protocol):
    """A state that is read as it was at one moment, whatever database it is in.

    - `megabytes`: how large it is, from which follows what DuckDB may take.
    - `dialect`: how its database is asked.
    - `connections`: the ids of those that have evaluated deals, in order.
    - `readers`: how many parts may be read side by side.
    - `parts`: what opens the streams of a table's rows, `picked` in its words. A stream is anything of Arrow that
      DuckDB takes (`__arrow_c_stream__`).
    """

    @property
    def megabytes(self) -> float: ...  # noqa: D102  said above

    @property
    def dialect(self) -> Dialect: ...  # noqa: D102  said above

    def connections(self) -> list[str]: ...  # noqa: D102  said above

    @property
    def readers(self) -> int: ...  # noqa: D102  said above

    def parts(self, table: Table) -> Sequence[Part]: ...  # noqa: D102  said above


def _nothing(_database: duckdb.DuckDBPyConnection) -> None:
    """Do nothing beside the reading."""


class Beside(NamedTuple):
    """What is done while tables are read, and over before the database is given.

    `prepare` needs no rows; `meanwhile` is done while those tables are read that nothing else is made from.
    """

    prepare: Callable[[duckdb.DuckDBPyConnection], None] = _nothing
    meanwhile: Callable[[duckdb.DuckDBPyConnection], None] = _nothing


@contextmanager
def opened(
    store_url: str,
    stages: Sequence[str],
    field: str | None = None,
    writes: Path | None = None,
    *,
    lean: Lean | None = None,
    beside: Beside | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB database that holds the tables of `tables`, and no way out of it.

    `stages` are the ids of the process's stages in order; `field` is a field of deals that they are grouped by;
    `writes` is the one file that the database may write, an absolute path; `lean` counts clocks instead of keeping
    them, see `tables`. Raises ConfigurationError when there is no state there, StateError for one that is none.
    """
    with TemporaryDirectory(prefix="crmbridge-") as folder:
        # Where all SQL is ours, the next thing goes on beside it: each is done by one core, which costs less in all.
        threads = 1 if lean else READERS
        database = duckdb.connect(config={"temp_directory": folder, "threads": threads})
        try:
            database.execute("SET preserve_insertion_order = false")
            with _source(store_url) as source:
                database.execute(f"SET memory_limit = '{_memory(source.megabytes)}'")
                connections = source.connections()
                wanted = tables(stages, connections, field, source.dialect, lean)
                _load(database, source, connections, wanted, beside or Beside())
            if writes is not None:  # DuckDB takes no more exceptions once access is off
                database.execute("SET allowed_paths = [?]", [str(writes)])
            database.execute("SET enable_external_access = false")
            database.execute("SET lock_configuration = true")  # some settings can be changed by a SELECT
            yield database
        finally:
            database.close()


def query(name: str) -> str:
    """Give the SQL of one measure, or of the views."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text("utf-8")


def _source(store_url: str) -> AbstractContextManager[Source]:
    """Say how a state is read, by where it is."""
    url = _URL.match(store_url)
    if url is None:
        raise ConfigurationError("The `store` setting is not a URL.", advice=_URL_ADVICE)
    if url["backend"] in {"postgresql", "postgres"}:
        try:
            from crmbridge.indicators.from_postgresql import postgresql_state  # noqa: PLC0415  only for a server
        except ModuleNotFoundError as error:
            advice = "pip install 'crmbridge[postgresql]', which brings psycopg."
            raise ConfigurationError(f"The store can't be opened: {error}.", advice=advice) from error
        return postgresql_state(store_url)
    return sqlite_state(_path(url["backend"], unquote(url["database"] or "")))


def _path(backend: str, database: str) -> Path:
    if backend != "sqlite" or database in {"", ":memory:"}:
        raise ConfigurationError("Indicators are read from a state in SQLite or PostgreSQL.", advice=_URL_ADVICE)
    path = Path(database).resolve()
    if not path.is_file():
        raise ConfigurationError(f"There is no state at {path}.", advice="Run `crmbridge pull` first.")
    return path


def _memory(megabytes: float) -> str:
    """Give DuckDB what it needs to be fast: it takes far more where it may, for little."""
    least, most = MEMORY
    return f"{min(max(least, int(megabytes * _OF_STATE)), most)}MB"


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────


def _load(
    database: duckdb.DuckDBPyConnection,
    source: Source,
    connections: Sequence[str],
    wanted: Sequence[Table],
    beside: Beside,
) -> None:
    database.execute("CREATE SCHEMA state")
    database.execute("CREATE TABLE connections (id VARCHAR, ordinal TINYINT)")
    for ordinal, name in enumerate(connections):
        database.execute("INSERT INTO connections VALUES (?, ?)", [name, ordinal])
    for table in wanted:
        database.execute(f"CREATE TABLE state.{table.name} ({table.types})")
    read = [table for table in wanted if table.only != NONE]
    # DuckDB takes a stream of unknown length for a short one and would keep all of it to look deals up in.
    database.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    with ThreadPoolExecutor(source.readers) as pool:
        begin = partial(_copies, pool, database, source, read)
        _finish(begin(Turn.FIRST))
        middle, last = begin(Turn.MIDDLE), begin(Turn.LAST)
        beside.prepare(database.cursor())
        _finish(middle)
        database.execute("RESET disabled_optimizers")
        beside.meanwhile(database.cursor())
        _finish(last)


def _copies(
    pool: ThreadPoolExecutor, database: duckdb.DuckDBPyConnection, source: Source, read: Sequence[Table], turn: Turn
) -> list[Future[None]]:
    """Begin to copy the tables of a turn, in their order: each part of one as soon as a reader is free."""
    parts = ((table, part) for table in read if table.turn is turn for part in source.parts(table))
    return [pool.submit(_copy_part, database.cursor(), *each) for each in parts]


def _finish(copies: Sequence[Future[None]]) -> None:
    for done in copies:
        done.result()


def _copy_part(cursor: duckdb.DuckDBPyConnection, table: Table, part: Part) -> None:
    with part() as stream:
        cursor.register("stream", stream)
        rows = f"SELECT {table.typed} FROM stream AS one {table.joined} {table.grouped}"  # noqa: S608  names from tables.py
        cursor.execute(f"INSERT INTO state.{table.name} {rows}")
        cursor.unregister("stream")


_URL_ADVICE = "Write `store` as sqlite:///path/to/state.db, or as postgresql://user@host/database."
