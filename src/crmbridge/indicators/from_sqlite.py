"""A SQLite state as streams of Arrow, read by several readers that all see it as it was at one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import ClassVar

import adbc_driver_manager as adbc
import adbc_driver_sqlite
import duckdb
from msgspec import Struct

from crmbridge.errors import StateError
from crmbridge.indicators.tables import Dialect, Table, Turn, quoted

READERS = 2  # that read the state side by side
_BATCH_ROWS = 8192
_SPLIT_ROWS = 50_000  # a table with fewer rows is read by one reader
_BEGINS = "SELECT 1 FROM places LIMIT 1"  # a transaction begins with the first thing that is read
# One after the other by the key; SELECT DISTINCT would read all of it.
_CONNECTIONS = (
    "WITH RECURSIVE known (name) AS (SELECT min(connection) FROM places UNION ALL "
    "SELECT (SELECT min(connection) FROM places WHERE connection > name) FROM known WHERE name IS NOT NULL) "
    "SELECT name FROM known WHERE name IS NOT NULL"
)
_TRIES = 5  # to see the same moment with all readers, while others write


class _Sqlite:
    """SQL as SQLite speaks it ("JSON Functions And Operators", sqlite.org)."""

    def value(self, *path: str) -> str:
        at = ".".join(["$", *(quoted(name, '"') for name in path)])
        return f"json_extract(fields, {quoted(at)})"

    def flag(self, *path: str) -> str:
        return f"coalesce({self.value(*path)}, 0)"

    def holds(self, text: str) -> str:
        return f"instr(fields, {quoted(text)})"

    def wide(self, column: str) -> str:
        return column


class SqliteState(Struct, frozen=True):
    """What `crmbridge.indicators.state` reads: see `Source` there."""

    path: Path
    asked: sqlite3.Connection  # for what is a row or two, which would take Arrow longer
    readers: int
    free: SimpleQueue[adbc.AdbcConnection]  # readers that nobody reads with
    dialect: ClassVar[Dialect] = _Sqlite()

    @property
    def megabytes(self) -> float:
        """Give how large the state is."""
        return self.path.stat().st_size / 1e6

    def connections(self) -> list[str]:
        """Give the connections that have evaluated deals, in order."""
        return [name for (name,) in self.asked.execute(_CONNECTIONS)]

    def parts(self, table: Table) -> Sequence[Callable[[], AbstractContextManager[object]]]:
        """Give what opens the streams of a table's rows, of a large one as many as there are readers.

        What is read last is read by one: other things are made beside it, and would have no core left.
        """
        (rows,) = self.asked.execute(f"SELECT coalesce(max(rowid), 0) FROM {table.source}").fetchone()  # noqa: S608  names from tables.py
        if rows <= _SPLIT_ROWS or table.turn is Turn.LAST:
            return [partial(self._stream, table, "TRUE")]
        ends = [rows * number // self.readers for number in range(self.readers + 1)]
        return [partial(self._stream, table, f"rowid > {low} AND rowid <= {high}") for low, high in pairwise(ends)]

    @contextmanager
    def _stream(self, table: Table, where: str) -> Iterator[object]:
        reader = self.free.get()
        try:
            with adbc.AdbcStatement(reader) as statement:
                statement.set_options(**{"adbc.sqlite.query.batch_rows": _BATCH_ROWS})
                statement.set_sql_query(f"SELECT {table.picked} FROM {table.source} WHERE {where} AND {table.only}")  # noqa: S608  names from tables.py
                stream, _ = statement.execute_query()
                yield stream
        finally:
            self.free.put(reader)


@contextmanager
def sqlite_state(path: Path) -> Iterator[SqliteState]:
    """Open a state file for reading; StateError comes of it when it, or what is done with it, shows that it is none."""
    try:
        with ExitStack() as stack:
            yield _of_one_moment(stack, path)
    except (adbc.Error, duckdb.Error, sqlite3.Error) as error:
        raise StateError(
            f"The state {path} can't be read for the indicators: {str(error).splitlines()[0]}",
            advice="Run `crmbridge pull`, which brings the state up to date; if it stays, restore a backup.",
        ) from error


def _of_one_moment(stack: ExitStack, path: Path) -> SqliteState:
    """Open connections that see the same state: if something was committed while they began, they begin again."""
    watch = _connection(stack, path)
    for _ in range(_TRIES):
        before = _version(watch)
        asked, readers = _asked(stack, path), [_reader(stack, path) for _ in range(READERS)]
        if _version(watch) == before:
            return _state(path, asked, readers)
    return _state(path, asked, readers[:1])  # a connection that is new since `asked` began is left out


def _state(path: Path, asked: sqlite3.Connection, readers: Sequence[adbc.AdbcConnection]) -> SqliteState:
    free: SimpleQueue[adbc.AdbcConnection] = SimpleQueue()
    for reader in readers:
        free.put(reader)
    return SqliteState(path, asked, len(readers), free)


def _connection(stack: ExitStack, path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    stack.callback(connection.close)
    return connection


def _version(watch: sqlite3.Connection) -> int:
    """Give a number that changes whenever another connection commits ("PRAGMA data_version", sqlite.org)."""
    (version,) = watch.execute("PRAGMA data_version").fetchone()
    return int(version)


def _asked(stack: ExitStack, path: Path) -> sqlite3.Connection:
    connection = _connection(stack, path)
    connection.execute("BEGIN")
    connection.execute(_BEGINS).fetchall()
    return connection


def _reader(stack: ExitStack, path: Path) -> adbc.AdbcConnection:
    source = stack.enter_context(adbc_driver_sqlite.connect(f"{path.as_uri()}?mode=ro"))
    reader: adbc.AdbcConnection = stack.enter_context(adbc.AdbcConnection(source))
    reader.set_autocommit(False)  # one transaction, so that all tables are of one moment
    with adbc.AdbcStatement(reader) as statement:
        statement.set_sql_query(_BEGINS)
        stream, _ = statement.execute_query()
        stream.release()
    return reader
