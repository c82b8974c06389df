"""Where the state of a play lies, and who has it open: a SQLite file, or a database of a PostgreSQL server."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Engine, MetaData, NullPool, create_engine

from crmbridge.ledger import LocalLedger
from crmbridge.store import open_store

OFTEN = ("records", "links", "backlog", "waiting", "findings", "journal", "runs")  # parts that runs ask all the time


class Place(Protocol):
    """Where a state lies."""

    @property
    def url(self) -> str:
        """The address by which a store opens it."""

    def empty(self) -> None:
        """Let it hold what a state holds when nothing has ever happened."""

    def keep(self) -> Callable[[], None]:
        """Make a backup of what it holds now, and give what puts that back."""

    def watch(self) -> contextlib.AbstractContextManager[Watch]:
        """Look at it until the block ends."""


class Watch(Protocol):
    """Sees whether anybody changes a state."""

    def seen(self) -> object:
        """Give what is another thing once anybody has changed the state."""


class File:
    """A state in a SQLite file, which is made."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path
        open_store(self.url).close()
        self.empty = self.keep()

    def keep(self) -> Callable[[], None]:
        """Copy the file into memory."""
        kept = sqlite3.connect(":memory:")
        with contextlib.closing(sqlite3.connect(self._path)) as file:
            file.backup(kept)
        return partial(self._put_back, kept)

    def _put_back(self, kept: sqlite3.Connection) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as file:
            kept.backup(file)

    @contextlib.contextmanager
    def watch(self) -> Iterator[Watch]:
        """Ask SQLite, which counts the changes."""
        with contextlib.closing(sqlite3.connect(self._path)) as file:
            yield _FileWatch(file)


class _FileWatch:
    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def seen(self) -> object:
        return self._file.execute("PRAGMA data_version").fetchone()


class Server:
    """A state on a PostgreSQL server whose database holds an empty one: each play has a copy of it to itself."""

    def __init__(self, server: URL) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self.empty()

    def empty(self) -> None:
        """Go on with a new database, as nothing may be taken out of a journal."""
        self._played = self._copy(self._server)

    def keep(self) -> Callable[[], None]:
        """Copy the database; what is put back is a copy of that, for the same reason."""
        kept = self._copy(self._played)
        return partial(self._put_back, kept)

    def _put_back(self, kept: URL) -> None:
        self._played = self._copy(kept)

    def _copy(self, url: URL) -> URL:
        name = f"play_{next(self._numbers)}"
        engine = create_engine(self._server.set(database="template1"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE {name} TEMPLATE "{url.database}"')
        return self._server.set(database=name)

    @property
    def url(self) -> str:
        """The address of the database that is played with."""
        return self._played.render_as_string(hide_password=False)

    @contextlib.contextmanager
    def watch(self) -> Iterator[Watch]:
        """Compare all that it holds."""
        engine = create_engine(self._played, poolclass=NullPool)
        tables = MetaData()
        tables.reflect(engine)
        yield _ServerWatch(engine, tables)


class _ServerWatch:
    def __init__(self, engine: Engine, tables: MetaData) -> None:
        self._engine = engine
        self._tables = tables.sorted_tables

    def seen(self) -> object:
        with self._engine.connect() as connection:
            return [sorted(map(repr, connection.execute(table.select()))) for table in self._tables]


class State:
    """The state in its place, as one process after the other has it open; `beside` opens it for one that is there, too.

    Requests are counted in memory: how several processes share that is proved elsewhere.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._begin()

    def open(self) -> None:
        """Open it as a new process does."""
        self._store.close()
        self._begin()

    def _begin(self) -> None:
        self._store = open_store(self._place.url)
        self.rates = LocalLedger()
        for part in OFTEN:  # not looked for each time
            setattr(self, part, getattr(self._store, part))

    @contextlib.contextmanager
    def beside(self) -> Iterator[State]:
        """Have it open in another process as well, until the block ends."""
        other = State(self._place)
        try:
            yield other
        finally:
            other.end()

    def begin_anew(self) -> None:
        """Let it hold nothing that ever happened."""
        before = self._place.url
        self._place.empty()
        self.rates = LocalLedger()
        if before != self._place.url:  # else what is open is as good, and knows what it has compiled
            self.open()

    def keep(self) -> Callable[[], None]:
        """Make a backup of it, and give what puts that back; nothing of it may be at work then."""
        self._store.close()  # or a server makes no copy
        put_back = self._place.keep()
        self.open()

        def restore() -> None:
            self._store.close()
            put_back()
            self.open()

        return restore

    def watch(self) -> contextlib.AbstractContextManager[Watch]:
        """See whether anybody changes it, until the block ends."""
        return self._place.watch()

    def close(self) -> None:
        """Leave it open for the next process, which is this one."""

    def end(self) -> None:
        """Close it for good."""
        self._store.close()

    def __getattr__(self, part: str) -> Any:
        """Give a part of the store."""
        return getattr(self._store, part)
