"""A PostgreSQL state as streams of Arrow, read in one transaction that sees it as it was at one moment.

The server writes rows as CSV (COPY TO), which goes to a file as it comes and from there to DuckDB: no row is made in
Python, and no more than a piece of one table is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import duckdb
import psycopg
from msgspec import Struct
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from crmbridge.errors import ConfigurationError, StateError
from crmbridge.indicators.tables import Dialect, Table, quoted

_READ = ("places", "records", "visits", "sla_clocks", "findings")
_SIZE = "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) FROM unnest(%s::text[]) AS name"
# pg_type.dat of PostgreSQL's sources: int8, int4 and float8. What else is picked is text.
_TYPES = {20: "BIGINT", 23: "INTEGER", 701: "DOUBLE"}
# A NUL and half a surrogate pair, which JSON can write and PostgreSQL can't read. An escaped backslash, and a pair,
# are found first and stay.
_UNREADABLE = r"(\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|\\u(?:0000|[dD][89a-fA-F]..)"
_CSV = (
    "auto_detect=false, header=false, delim=',', quote='\"', escape='\"', nullstr='\\N', allow_quoted_nulls=false, "
    "max_line_size=33554432"
)


class _Postgresql:
    """SQL as PostgreSQL speaks it ("JSON Functions and Operators", postgresql.org)."""

    def value(self, *path: str) -> str:
        *before, last = map(quoted, path)
        found = f"{' -> '.join([_FIELDS, *before])} ->> {last}"
        kind = f"json_typeof({' -> '.join([_FIELDS, *before, last])})"
        return f"CASE {kind} WHEN 'boolean' THEN CASE {found} WHEN 'true' THEN '1' ELSE '0' END ELSE {found} END"

    def flag(self, *path: str) -> str:
        return f"CASE {self.value(*path)} WHEN '1' THEN 1 ELSE 0 END"

    def holds(self, text: str) -> str:
        return f"strpos(fields, {quoted(text)}) > 0"

    def wide(self, column: str) -> str:
        return f"{column}::bigint"


_FIELDS = (
    rf"(CASE WHEN strpos(fields, '\u0000') > 0 OR strpos(fields, '\ud') > 0 "
    rf"THEN regexp_replace(fields, '{_UNREADABLE}', '\1', 'g') ELSE fields END)::json"
)


class PostgresqlState(Struct, frozen=True):
    """What `crmbridge.indicators.state` reads: see `Source` there. `folder` is where tables lie on their way."""

    server: psycopg.Connection[tuple[Any, ...]]
    folder: Path
    readers: ClassVar[int] = 1
    dialect: ClassVar[Dialect] = _Postgresql()

    @property
    def megabytes(self) -> float:
        """Give how large the tables are that are read."""
        row = self.server.execute(_SIZE, [list(_READ)]).fetchone()
        return float(row[0]) / 1e6 if row else 0.0

    def connections(self) -> list[str]:
        """Give the connections that have evaluated deals, in order."""
        return sorted(str(name) for (name,) in self.server.execute("SELECT DISTINCT connection FROM places"))

    def parts(self, table: Table) -> Sequence[Callable[[], AbstractContextManager[object]]]:
        """Give what opens the one stream of a table's rows."""
        return [partial(_stream, self.server, self.folder, table)]


@contextmanager
def postgresql_state(url: str) -> Iterator[PostgresqlState]:
    """Open a state on a server for reading; StateError comes of it when it, or what is done with it, shows none."""
    try:
        parts = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(f"The store can't be opened: {error}.") from error
    engine = create_engine(parts.set(drivername="postgresql+psycopg"), hide_parameters=True)
    seen = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    try:
        with seen.connect() as connection, TemporaryDirectory(prefix="crmbridge-") as folder:
            server: Any = connection.connection.driver_connection
            yield PostgresqlState(server, Path(folder))
    except (SQLAlchemyError, psycopg.Error, duckdb.Error) as error:
        where, why = parts.set(query={}).render_as_string(), getattr(error, "orig", None) or error
        raise StateError(
            f"The state {where} can't be read for the indicators: {str(why).partition(chr(10))[0]}",
            advice="Run `crmbridge pull`, which brings the state up to date; if it stays, see whether the server runs.",
        ) from error
    finally:
        engine.dispose()


@contextmanager
def _stream(server: psycopg.Connection[tuple[Any, ...]], folder: Path, table: Table) -> Iterator[object]:
    picked = f"SELECT {table.picked} FROM {table.source} WHERE {table.only}"  # noqa: S608  names from tables.py
    path = folder / f"{table.name}.csv"
    columns = _columns(server, picked)
    _copy(server, picked, path)
    with duckdb.connect() as desk:
        desk.execute("SET threads = 1")
        yield _Rows(desk.sql(f"SELECT * FROM read_csv({quoted(str(path))}, columns={columns}, {_CSV})"))  # noqa: S608  the same
    path.unlink()


def _columns(server: psycopg.Connection[tuple[Any, ...]], picked: str) -> str:
    """Give the names and types of columns, as DuckDB is told them."""
    with server.cursor() as cursor:
        cursor.execute(f"{picked} LIMIT 0".encode())
        known = [(each.name, _TYPES.get(each.type_code, "VARCHAR")) for each in cursor.description or ()]
    return "{" + ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in known) + "}"


def _copy(server: psycopg.Connection[tuple[Any, ...]], picked: str, path: Path) -> None:
    # All is quoted, so that a text is never taken for NULL.
    statement = f"COPY ({picked}) TO STDOUT (FORMAT csv, NULL '\\N', FORCE_QUOTE *, ENCODING 'UTF8')"
    with path.open("xb") as file, server.cursor() as cursor, cursor.copy(statement.encode()) as rows:
        for piece in rows:
            file.write(piece)


class _Rows(Struct, frozen=True):
    """Rows of one DuckDB for another one, which takes nobody's relations but its own."""

    of: duckdb.DuckDBPyRelation

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.of.__arrow_c_stream__(requested_schema)
