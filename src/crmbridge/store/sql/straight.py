"""Statements in plain SQL that go straight to the database's driver, and what they ask of many rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Table
from sqlalchemy.engine.interfaces import DBAPICursor

from crmbridge.store.sql import schema
from crmbridge.store.texts import all_storable

T = TypeVar("T")
Columns = Sequence[Column[Any]]
Rows = Iterator[Sequence[Any]]
Fixed = Mapping[str, str | None]
_NOTHING: Fixed = {}

CHUNK = 500  # how many values one IN list holds


def run(connection: Connection, sql: str, values: Sequence[Any]) -> DBAPICursor:
    """Run a statement as the driver takes it. What SQLAlchemy would do around it costs more than the database does."""
    cursor = connection.connection.cursor()
    cursor.execute(sql, values)
    return cursor


def place(connection: Connection) -> str:
    """Give what stands for a value in the driver's SQL."""
    return "%s" if connection.dialect.name == "postgresql" else "?"


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut items into lists short enough for one IN list."""
    everything = list(items)
    for start in range(0, len(everything), CHUNK):
        yield everything[start : start + CHUNK]


def among(column: Column[Any], items: Iterable[T]) -> Iterator[ColumnElement[bool]]:
    """Give one condition per chunk of the values a column may have."""
    return (column.in_(chunk) for chunk in chunks(items))


def rows_among(
    connection: Connection, columns: Columns, column: str, values: Iterable[str], of: Fixed = _NOTHING
) -> Rows:
    """Give rows of a table as they are stored, where a column is one of these values and others have a fixed one.

    It says what `select` with `among` says. SQLAlchemy would look at every value on its way in and out, which costs
    more than the database does. Values are made storable here, as what people type may not be.
    """
    names = ", ".join(_asked(each, connection) for each in columns)
    what = f"SELECT {names} FROM {columns[0].table}"  # noqa: S608  names of ours
    for some in chunks(values):
        yield from run_among(connection, what, column, some, of)


def delete_among(
    connection: Connection, table: Table, column: str, values: Iterable[str], of: Fixed = _NOTHING
) -> None:
    """Take away the rows that `rows_among` would give."""
    for some in chunks(values):
        run_among(connection, f"DELETE FROM {table}", column, some, of)  # noqa: S608  a name of ours


def run_among(connection: Connection, what: str, column: str, values: Sequence[str], of: Fixed) -> Sequence[Any]:
    """Run a statement on the rows where a column is one of these values, at most CHUNK, and others have a fixed one.

    Gives what it reads, if it reads something, in the driver's own rows: SQLAlchemy would make each anew.
    """
    mark = place(connection)
    where = [f"{_quoted(name)} {'IS NULL' if value is None else f'= {mark}'}" for name, value in of.items()]
    where.append(f"{_quoted(column)} IN ({', '.join([mark] * len(values))})")
    given = (*(value for value in of.values() if value is not None), *all_storable(values))
    cursor = run(connection, f"{what} WHERE {' AND '.join(where)}", given)
    return cursor.fetchall() if cursor.description else ()


def _asked(column: Column[Any], connection: Connection) -> str:
    name = _quoted(column.name)
    return in_utf8(name, connection) if isinstance(column.type, schema.Parsed) else name


def in_utf8(name: str, connection: Connection) -> str:
    """Ask for a text as the bytes in which SQLite keeps it; PostgreSQL's driver has it as text only.

    JSON is parsed from bytes. To make text of them first, and bytes of that, costs nearly as much as the parsing.
    """
    return name if connection.dialect.name == "postgresql" else f"CAST({name} AS BLOB)"


_quoted = '"{}"'.format
