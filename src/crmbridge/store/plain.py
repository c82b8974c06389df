"""Transactions on a SQLite state for statements in plain SQL, without SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from crmbridge.errors import CrmbridgeError, LockedError
from crmbridge.store import sqlite
from crmbridge.store.holding import HeldLease, Hold, taken_over
from crmbridge.store.texts import moment_text
from crmbridge.store.version import VERSION

FEW: Final = 500  # values that one statement asks for
AT_ONCE: Final = 100  # rows that one statement holds: Python's other threads go on while the database takes them in

ALL_LINKS: Final = "SELECT link, connection, kind, id FROM links"
NEXT_MARK: Final = "UPDATE marks SET mark = mark + 1 RETURNING mark"
HELD: Final = "SELECT 1 FROM lease WHERE token = ?"
# Never earlier than it is: another thread may have come by with a later time.
_RENEWED = "UPDATE lease SET expires_at = max(expires_at, ?) WHERE token = ?"


class PlainState:
    """A state in SQLite. Threads may share it."""

    def __init__(self, path: Path, hold: Hold) -> None:
        self._path = path
        self.hold = hold
        self._plainly = _Plainly(str(path))
        self._idle: deque[sqlite3.Connection] = deque()  # kept for the next transaction

    def is_up_to_date(self) -> bool:
        """Tell whether there is a state that is as this version makes it; False, too, where that can't be found out."""
        with suppress(CrmbridgeError, sqlite3.Error):
            return self.rows("SELECT version_num FROM alembic_version") == [(VERSION,)]
        return False

    def must_be_there(self) -> None:
        """Raise StateError for a file that was taken away: opened anew by its name, it would be made anew."""
        if not self._path.exists():
            with self._plainly:
                sqlite.connect(self._path).close()

    def rows(self, sql: str, values: Sequence[str] = ()) -> list[Any]:
        """Read by one statement. What it gives is of one moment by itself, so it needs no transaction around it."""
        with self._plainly:
            connection = self._connection()
            try:
                found = connection.execute(sql, values).fetchall()
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
            return found

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """Read in one transaction: everything seen in it is of one moment."""
        return self._transaction("BEGIN")

    @contextmanager
    def write(self, at: datetime | None = None) -> Iterator[sqlite3.Connection]:
        """Write in one transaction: all of it is saved, or nothing. With a time, the lease held is renewed.

        Raises LockedError, saving nothing, when another run took the lease over because it had expired.
        """
        with self.write_freely() as connection:
            if self.hold.lease is not None:
                self._keep(connection, self.hold.lease, at)
            yield connection

    @contextmanager
    def write_freely(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction without asking for the lease; for taking it and giving it back."""
        # An immediate transaction waits for its turn at once: one that turns into a write can fail halfway.
        with self.hold.turn, self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection
            for call in sqlite.BEFORE_COMMITS:
                call()

    def taken_over(self) -> LockedError:
        """Make the error for a lease that another run took over."""
        return taken_over(self._path)

    def close(self) -> None:
        """Give back all connections."""
        while self._idle:
            self._idle.pop().close()

    def _keep(self, connection: sqlite3.Connection, held: HeldLease, at: datetime | None) -> None:
        if at is None:
            is_held = connection.execute(HELD, (held.token,)).fetchone() is not None
        else:
            is_held = connection.execute(_RENEWED, (moment_text(at + held.lasts), held.token)).rowcount > 0
        if not is_held:
            raise self.taken_over()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._plainly:
            connection = self._connection()
            try:
                connection.execute(begin)
                yield connection
                connection.commit()
            except BaseException:
                connection.close()  # which takes back what was not committed
                raise
            self._idle.append(connection)

    def _connection(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return sqlite.connect(self._path)


class _Plainly(NamedTuple):
    """Tells errors of SQLite in plain words."""

    where: str

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, sqlite3.Error) and (meant := sqlite.trouble(error, self.where)) is not None:
            raise meant from error


def marks(values: Sized) -> str:
    """Write the places of a statement's values, in brackets."""
    return f"({', '.join('?' * len(values))})"
