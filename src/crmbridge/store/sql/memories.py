"""What the adapters keep between runs, one mapping of text for each connection."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, select

from crmbridge.clock import SystemClock
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, upsert

_memory = schema.memory
_VALUE = select(_memory.c.value).where(_memory.c.connection == bindparam("of"), _memory.c.name == bindparam("called"))


class SqlMemory(MutableMapping[str, str]):
    """What one connection's adapter keeps, in SQL. Each call is a transaction of its own."""

    def __init__(self, database: Database, connection: str) -> None:
        self._database = database
        self._connection = connection

    def __getitem__(self, name: str) -> str:
        with self._database.read() as open_:
            row = open_.execute(_VALUE, {"of": self._connection, "called": name}).first()
        if row is None:
            raise KeyError(name)
        return str(row.value)

    def __setitem__(self, name: str, value: str) -> None:
        # `saved_at` is for people who look into the state; nothing is decided by it.
        row = {"connection": self._connection, "name": name, "value": value, "saved_at": SystemClock().now()}
        with self._database.write() as open_:
            upsert(open_, _memory, [row])

    def __delitem__(self, name: str) -> None:
        with self._database.write() as open_:
            if open_.execute(delete(_memory).where(self._is(name))).rowcount == 0:
                raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        query = select(_memory.c.name).where(_memory.c.connection == self._connection).order_by(_memory.c.name)
        with self._database.read() as open_:
            return iter([str(row.name) for row in open_.execute(query)])

    def __len__(self) -> int:
        query = select(func.count()).select_from(_memory).where(_memory.c.connection == self._connection)
        with self._database.read() as open_:
            return int(open_.execute(query).scalar_one())

    def _is(self, name: str) -> ColumnElement[bool]:
        return and_(_memory.c.connection == self._connection, _memory.c.name == name)
