"""Everything that only SQLite needs: making the file, connecting, starting transactions, reading its errors."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from crmbridge.errors import CrmbridgeError, LockedError, StateError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 10  # how long a write waits for another process's write
PAGE = 8192  # bytes: of a deal with fifty fields, a smaller page holds one and leaves the rest of itself empty
WRITES = "crmbridge_writes"  # the execution option of transactions that write
BEFORE_COMMITS: Final[
    list[Callable[[], None]]
] = []  # called where something is about to be written; for the simulation

# FULL makes every commit wait for the disk: an intent that was committed survives a power cut.
_PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL")

_FULL = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_TOOBIG", "SQLITE_NOMEM")
_DENIED = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_ERROR", "SQLITE_SCHEMA")


def connect(path: Path) -> sqlite3.Connection:
    """Connect to an existing file. Threads may share the connection, one after the other."""
    # mode=rw: a file that was taken away is an error, never silently a new and empty state.
    uri = f"{path.absolute().as_uri()}?mode=rw"
    opened = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            opened.execute(pragma)
    except BaseException:
        opened.close()
        raise
    return opened


@functools.lru_cache(maxsize=8)  # what was compiled once is not compiled again for a state that is opened again
def engine(path: Path) -> Engine:
    """Give the engine on an existing file. Threads and stores may share it, as it keeps no connection itself."""
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415  a quiet run does without it

    return create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool, hide_parameters=True)


class Transactions:
    """Transactions on connections that are kept for the next one.

    A pool of SQLAlchemy would keep the driver's connections only. To make its own anew each time costs more than most
    of what is read in a transaction, and so does its way to begin and to commit: both are told the driver here.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._options = engine.get_execution_options()
        self._writes = self._options.get(WRITES, False)
        self._idle: deque[Connection] = deque()  # threads may share it

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Begin a transaction, which is committed at the block's end, or taken back after an error."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._engine.connect()
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        try:
            # A deferred transaction that turns into a write can fail halfway; an immediate one waits for its turn.
            driver.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN")
            yield connection
            for call in BEFORE_COMMITS if self._writes else ():
                call()
            driver.commit()
        except BaseException:
            connection.close()  # which takes back what was not committed
            raise
        if connection.get_execution_options() == self._options:
            self._idle.append(connection)
        else:  # options that one transaction set are not for the next
            connection.close()

    def close(self) -> None:
        """Give back what is kept."""
        while self._idle:
            self._idle.pop().close()


def create(path: Path) -> None:
    """Make a state file, if there is none, that only its owner can read; it shows up once all is in it.

    When two processes make it at the same time, one file wins and both go on with that one.
    """
    try:
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        os.close(handle)
    except OSError as error:
        raise _denied(path, error.strerror or str(error)) from error
    draft = Path(name)
    try:
        _fill(draft)
        _show(draft, path)
    except (OSError, sqlite3.Error) as error:
        raise (trouble(error, str(path)) or _denied(path, str(error))) from error
    finally:
        for suffix in ("", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _fill(draft: Path) -> None:
    with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE}")  # the file remembers both
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in new_state():
            connection.execute(statement)
        connection.execute("COMMIT")


def new_state() -> list[str]:
    """Give the statements that make a state of a database with nothing in it.

    They stand in plain SQL, so that the first run shows something before SQLAlchemy is loaded; a test holds them equal
    to what the migrations lead to.
    """
    return Path(__file__).with_name("new.sql").read_text("utf-8").split("\n\n")


def _show(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not path.exists():
            draft.replace(path)


def trouble(error: BaseException, where: str) -> CrmbridgeError | None:
    """Say what an error of SQLite means for a person; None when it means a bug in crmbridge."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(_FULL):
        return StateError(
            f"The state {where} could not be written: {error}. Nothing of the last step was saved.",
            advice="Free some disk space and run it again.",
        )
    if name.startswith(_DENIED):
        return _denied(where, str(error))
    if name.startswith(_BUSY):
        return LockedError(
            f"Another process has been writing to the state {where} for more than {BUSY_SECONDS} seconds.",
            advice="Wait until it is done and run it again.",
        )
    if name.startswith(_DAMAGED):
        return damaged(where, str(error))
    return None


def damaged(where: object, why: str) -> StateError:
    """Make the error for a file that can't be read as a state."""
    return StateError(
        f"The state {where} can't be read: {why}.",
        advice="Restore it from a backup, or move the file away; the next run then pulls everything again.",
    )


def _denied(where: object, why: str) -> StateError:
    return StateError(
        f"The state {where} can't be opened for writing: {why}.",
        advice="Check the path in `store` and who may write to the file and its folder.",
    )
