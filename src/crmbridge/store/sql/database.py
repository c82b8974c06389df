"""The database under the state: opening it, transactions, upserts, and errors in plain words."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    case,
    func,
    inspect,
    or_,
    select,
)
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from crmbridge.errors import ConfigurationError, StateError
from crmbridge.model.records import Ref
from crmbridge.store import sqlite
from crmbridge.store.holding import HeldLease, Hold, taken_over
from crmbridge.store.plain import AT_ONCE, NEXT_MARK
from crmbridge.store.refs import by_kind
from crmbridge.store.sql import fresh, postgresql
from crmbridge.store.sql.straight import chunks, place, run, run_among
from crmbridge.store.texts import moment_text
from crmbridge.store.version import VERSION

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert

T = TypeVar("T")
Row = dict[str, Any]

_URL_ADVICE = "Write `store` as sqlite:///path/to/state.db, or as postgresql://user@host/database."


class Database:
    """One open state database. `where` is what messages call it; it holds no password."""

    def __init__(self, engine: Engine, where: str, hold: Hold | None = None) -> None:
        self.where = where
        self.hold = hold or Hold()
        self._engine = engine
        self._reader = postgresql.reading(engine) if engine.dialect.name == "postgresql" else engine
        self._writer = engine.execution_options(**{sqlite.WRITES: True})
        self._kept = [sqlite.Transactions(each) for each in (self._reader, self._writer)] if self.file else []
        self._reading, self._writing = (each.begin for each in self._kept or (self._reader, self._writer))

    @classmethod
    def open(cls, url: str, hold: Hold | None = None) -> Self:
        """Open a state, making it or bringing it up to date first."""
        opened = cls(*_connect(url), hold)
        try:
            opened._bring_up_to_date()
        except BaseException:
            opened.close()
            raise
        return opened

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read in one transaction: everything seen in it is of one moment."""
        with self._plainly(), self._reading() as connection:
            yield connection

    @contextmanager
    def write(self, at: datetime | None = None) -> Iterator[Connection]:
        """Write in one transaction: all of it is saved, or nothing. With a time, the lease held is renewed.

        Raises LockedError, saving nothing, when another run took the lease over because it had expired.
        """
        with self.write_freely() as connection:
            if self.hold.lease is not None:
                self._keep(connection, self.hold.lease, at)
            yield connection

    @contextmanager
    def write_freely(self) -> Iterator[Connection]:
        """Write in one transaction without asking for the lease; for taking it and giving it back."""
        with self.hold.turn, self._plainly(), self._writing() as connection:
            yield connection

    @contextmanager
    def write_aside(self) -> Iterator[Connection]:
        """Write in one transaction that waits for no other of this process; not for SQLite, which has one writer."""
        with self._plainly(), self._writer.begin() as connection:
            yield connection

    @property
    def file(self) -> Path | None:
        """The state's file; None where a server keeps it."""
        return Path(self.where) if self._engine.dialect.name == "sqlite" else None

    def close(self) -> None:
        """Give back all connections."""
        for each in self._kept:
            each.close()
        self._engine.dispose()

    def _keep(self, connection: Connection, held: HeldLease, at: datetime | None) -> None:
        mark = place(connection)
        if at is None:
            done = run(connection, _HELD.format(mark), (held.token,))
        else:
            until = moment_text(at + held.lasts)
            done = run(connection, _RENEWED.format(mark), (until, until, held.token))
        if done.rowcount == 0:
            raise taken_over(self.where)

    def _bring_up_to_date(self) -> None:
        with self.read() as connection:
            if self.file is None:
                postgresql.must_hold_any_text(connection, self.where)
            found = _version(connection, self.where)
        if found == VERSION:
            return
        if found and (not found.isdecimal() or found > VERSION):
            raise StateError(
                f"The state {self.where} was written by a newer crmbridge (schema {found}, this one knows {VERSION}).",
                advice="Use the newer crmbridge, or restore a backup from before it.",
            )
        with self.write() as connection:
            if self.file is None:
                postgresql.take_turn(connection)
            _take_steps(connection, self.where)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, self._engine.dialect.loaded_dbapi.Error) as error:
            tell = postgresql.trouble if self._engine.dialect.name == "postgresql" else sqlite.trouble
            meant = tell(cause, self.where) if (cause := getattr(error, "orig", error)) else None
            if meant is None:
                raise
            raise meant from error


_HELD = "UPDATE lease SET expires_at = expires_at WHERE token = {0}"
# Never earlier than it is: another thread may have come by with a later time.
_RENEWED = "UPDATE lease SET expires_at = CASE WHEN expires_at < {0} THEN {0} ELSE expires_at END WHERE token = {0}"


def _connect(url: str) -> tuple[Engine, str]:
    try:
        parts, shown = postgresql.parts_of(url)
        if parts.get_backend_name() != "sqlite":
            return postgresql.engine(parts), shown
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigurationError(f"The store can't be opened: {error}.", advice=_URL_ADVICE) from error
    except ModuleNotFoundError as error:
        raise postgresql.not_installed(error) from error
    if not parts.database or parts.database == ":memory:":
        raise ConfigurationError("The store names no file.", advice=_URL_ADVICE)
    path = Path(parts.database).expanduser()
    sqlite.create(path)
    return sqlite.engine(path), str(path)


def _take_steps(connection: Connection, where: str) -> None:
    """Make a state of an empty database, or take the steps that an older one needs."""
    if _version(connection, where) is None:  # asked again: another process may have been first
        fresh.make(connection)
        return
    from crmbridge.store.migrations import upgrade  # noqa: PLC0415  alembic is slow to import and rarely needed

    upgrade(connection)


def _version(connection: Connection, where: str) -> str | None:
    """Give the schema's version, empty where it should be noted and isn't; None for a database with nothing in it."""
    names = inspect(connection).get_table_names()
    if fresh.stamp.name in names:
        found = connection.execute(select(fresh.stamp.c.version_num)).scalar()
        return "" if found is None else str(found)
    if names:
        raise sqlite.damaged(where, "it is a database of something else")
    return None


class Marked(Struct, frozen=True):
    """A column that a replaced row keeps as it was, unless one of the compared columns changed."""

    name: str
    compared: tuple[str, ...]


def upsert(
    connection: Connection,
    into: Table,
    rows: Sequence[Mapping[str, Any]],
    only: ColumnElement[bool] | None = None,
    *,
    keep: tuple[str, ...] = (),
    marked: Marked | None = None,
) -> None:
    """Insert rows, or replace the ones with the same primary key: all columns that the rows name, nothing else.

    All rows name the same columns. With `only`, a row is replaced only where this holds for it. The columns in
    `keep` keep their value where the new one is NULL.
    """
    if rows:
        make = _kept_upserting if only is None else _upserting
        connection.execute(
            make(connection.dialect.name, into, tuple(rows[0]), only, keep=keep, marked=marked), list(rows)
        )


def _upserting(
    dialect: str,
    into: Table,
    names: Sequence[str],
    only: ColumnElement[bool] | None = None,
    *,
    keep: Collection[str] = (),
    marked: Marked | None = None,
) -> Insert | PostgresqlInsert:
    statement = _insert(dialect, into)
    keys = [column.name for column in into.primary_key]
    changed: dict[str, Any] = {name: statement.excluded[name] for name in names if name not in keys}
    if not changed:
        return statement.on_conflict_do_nothing(index_elements=keys)
    changed |= {name: func.coalesce(changed[name], into.c[name]) for name in keep}
    if marked is not None:
        differs = or_(*(into.c[name].is_distinct_from(changed[name]) for name in marked.compared))
        changed[marked.name] = case((differs, changed[marked.name]), else_=into.c[marked.name])
    return statement.on_conflict_do_update(index_elements=keys, set_=changed, where=only)


_kept_upserting = functools.cache(_upserting)  # made anew, each would leave a ring of objects to the collector


def upsert_written(
    connection: Connection,
    into: Table,
    rows: Sequence[tuple[Any, ...]],
    newest: str | None = None,
    marked: Marked | None = None,
) -> int:
    """Insert or replace whole rows whose values are, column by column, as they are stored; give how many were left out.

    Rows that are all key stay as they are. Where `newest` names a column, a row that by it is older than the one held
    is left out. SQLAlchemy would look at every value on its way, which costs more than the database does. The table's
    column types play no part here, so its twin made by `schema.as_written` is not needed.
    """
    # Ids that differ only in what no database keeps are one key, and one statement may write a key only once.
    unique = list(dict(zip(map(itemgetter(slice(len(into.primary_key))), rows), rows, strict=True)).values())
    saved = 0
    for start in range(0, len(unique), AT_ONCE):
        some = unique[start : start + AT_ONCE]
        sql = _upsert_sql(connection.dialect.name, into, newest, marked, len(some))
        saved += run(connection, sql, tuple(chain.from_iterable(some))).rowcount
    return len(unique) - saved


def insert_written(
    connection: Connection, into: Table, rows: Sequence[tuple[Any, ...]], names: Sequence[str] = ()
) -> None:
    """Insert whole rows, or the columns named, each of another primary key, whose values are as they are stored."""
    mark, columns = place(connection), names or into.columns.keys()
    values = f"({', '.join([mark] * len(columns))})"
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        sql = f"INSERT INTO {into} ({', '.join(columns)}) VALUES {', '.join([values] * len(some))}"  # noqa: S608  a name of ours
        run(connection, sql, tuple(chain.from_iterable(some)))


@functools.lru_cache(maxsize=10 * AT_ONCE)
def _upsert_sql(dialect: str, into: Table, newest: str | None, marked: Marked | None, rows: int) -> str:
    names = [column.name for column in into.columns]
    only = None
    if newest is not None:
        held: ColumnElement[Any] = into.c[newest]
        new: ColumnElement[Any] = sql_column(f"excluded.{newest}", is_literal=True)
        only = or_(held.is_(None), held <= new)
    statement = _upserting(dialect, into, names, only, marked=marked)
    sql = str(statement.compile(dialect=_positional(dialect), column_keys=names))
    head, values, tail = re.split(r"(?<= VALUES )|(?= ON CONFLICT )", sql, maxsplit=2)
    return head + ", ".join([values] * rows) + tail


def next_mark(connection: Connection) -> int:
    """Take the next mark; nobody else gets one until this transaction is over, so they are committed in order."""
    ((mark,),) = run(connection, NEXT_MARK, ()).fetchall()
    return int(mark)


def give_mark(connection: Connection, refs: Iterable[Ref], mark: int) -> None:
    """Give records a mark."""
    for of, kind, ids in by_kind(refs):
        for some in chunks(ids):
            fixed = {"connection": of, "kind": kind.value}
            run_among(connection, f"UPDATE records SET mark = {mark:d}", "id", some, fixed)  # noqa: S608  a number


def _positional(name: str) -> Dialect:
    """Give a dialect whose parameters stand in the order of the columns."""
    if name == "postgresql":
        from sqlalchemy.dialects.postgresql.psycopg import dialect  # noqa: PLC0415  only where there is a server

        return cast("Callable[..., Dialect]", dialect)(paramstyle="format")
    return sqlite_dialect(paramstyle="qmark")


def insert_new(connection: Connection, into: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless there is one with its primary key; tell whether it was new."""
    statement = _insert(connection.dialect.name, into).on_conflict_do_nothing().returning(*into.primary_key)
    return connection.execute(statement, dict(row)).first() is not None


def add_to(connection: Connection, into: Table, row: Mapping[str, Any]) -> None:
    """Insert a row, or add its `amount` to the one with the same primary key."""
    statement = _insert(connection.dialect.name, into)
    keys = [column.name for column in into.primary_key]
    more = {"amount": into.c.amount + statement.excluded.amount}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=more), dict(row))


def _insert(dialect: str, into: Table) -> Insert | PostgresqlInsert:
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415  takes a tenth of a second to import

        return insert(into)
    return sqlite_insert(into)
