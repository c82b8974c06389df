"""The requests that were sent, counted for all processes of a project.

Requests are taken and settled some hundred times a second, and none may wait for a page that is being saved. So with
SQLite they are counted in a file of their own beside the state, which no commit of the state locks and no commit of
its own waits for the disk: after a power cut it may be empty or damaged, is made anew, and nothing was lost but the
counts of the last window. In PostgreSQL they are rows of a table that is not logged, one account at a time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, and_, delete, func, select, text, update

from crmbridge.engine.pacing import counting, slot_of, wait_for
from crmbridge.ledger import LocalLedger
from crmbridge.ports import Rate, RateLedger
from crmbridge.store import schema
from crmbridge.store.database import Database, add_to

BUSY_SECONDS = 10
_TABLE = """
    CREATE TABLE IF NOT EXISTS rates (
        account TEXT NOT NULL, rate TEXT NOT NULL, slot INTEGER NOT NULL, amount INTEGER NOT NULL,
        PRIMARY KEY (account, rate, slot)
    ) WITHOUT ROWID
"""
_PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF")
_OF = "account = ? AND rate = ?"
_rates = schema.rates

T = TypeVar("T")
log = logging.getLogger(__name__)


class Slots(Protocol):
    """The slots of one account within one transaction. `first` and `last` are the ones that count."""

    def total(self, rate: str, first: int, last: int) -> int:
        """Sum what counts."""
        ...

    def each(self, rate: str, first: int, last: int) -> dict[int, int]:
        """Give what counts, slot by slot."""
        ...

    def add(self, rate: str, slot: int, amount: int) -> None:
        """Count an amount in a slot."""
        ...

    def subtract(self, rate: str, slot: int, amount: int) -> None:
        """Count an amount no longer, as far as the slot still holds it."""
        ...

    def keep(self, rate: str, first: int, last: int) -> None:
        """Forget what does not count."""
        ...


Begin = Callable[[str], AbstractContextManager[Slots]]


class SharedLedger:
    """Counts in slots that processes share; `begin` opens them for one account at a time."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def take(self, account: str, rates: Sequence[Rate], amounts: Sequence[int], now: datetime) -> float:
        """Take an amount of each rate at once and give 0; or take nothing and give the seconds until it may fit."""
        with self._begin(account) as slots:
            wanted = list(zip(rates, amounts, strict=True))
            wait = max((_wait(slots, rate, amount, now) for rate, amount in wanted), default=0.0)
            if wait > 0:
                return wait
            for rate, amount in wanted:
                slots.keep(rate.key, *counting(rate.seconds, now))
                slots.add(rate.key, slot_of(rate.seconds, now), amount)
            return 0.0

    def settle(
        self, account: str, rates: Sequence[Rate], amounts: Sequence[int], taken_at: datetime, now: datetime
    ) -> None:
        """Count what was taken from now on instead of from then."""
        with self._begin(account) as slots:
            for rate, amount in zip(rates, amounts, strict=True):
                before, after = slot_of(rate.seconds, taken_at), slot_of(rate.seconds, now)
                if before != after:
                    slots.subtract(rate.key, before, amount)
                    slots.add(rate.key, after, amount)

    def used(self, account: str, rate: Rate, now: datetime) -> int:
        """Give how much of a rate counts now, by all processes."""
        with self._begin(account) as slots:
            return slots.total(rate.key, *counting(rate.seconds, now))


def _wait(slots: Slots, rate: Rate, amount: int, now: datetime) -> float:
    window = counting(rate.seconds, now)
    if slots.total(rate.key, *window) + min(amount, rate.requests) <= rate.requests:
        return 0.0
    return wait_for(slots.each(rate.key, *window), rate.requests, amount, rate.seconds, now)


# ── In a file of its own, beside a SQLite state ─────────────────────────────────────────────────────────


class RateFile:
    """The ledger in a file. What goes wrong with it ends no run: it is made anew, or this process counts alone."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(f"{state.stem}.rates.db")
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._shared = SharedLedger(self._begin)
        self._alone: LocalLedger | None = None

    def take(self, account: str, rates: Sequence[Rate], amounts: Sequence[int], now: datetime) -> float:
        """Take an amount of each rate at once and give 0; or take nothing and give the seconds until it may fit."""
        return self._try(lambda ledger: ledger.take(account, rates, amounts, now))

    def settle(
        self, account: str, rates: Sequence[Rate], amounts: Sequence[int], taken_at: datetime, now: datetime
    ) -> None:
        """Count what was taken from now on instead of from then."""
        self._try(lambda ledger: ledger.settle(account, rates, amounts, taken_at, now))

    def used(self, account: str, rate: Rate, now: datetime) -> int:
        """Give how much of a rate counts now, by all processes."""
        return self._try(lambda ledger: ledger.used(account, rate, now))

    def close(self) -> None:
        """Give the file back."""
        with self._turn:
            self._drop()

    def _try(self, call: Callable[[RateLedger], T]) -> T:
        for again in (True, False):
            if self._alone is not None:
                break
            try:
                return call(self._shared)
            except (sqlite3.Error, OSError) as error:
                self._recover(error, again=again)
        return call(self._alone or LocalLedger())

    def _recover(self, error: Exception, *, again: bool) -> None:
        """Take a damaged file away, once; with any other trouble, count for this process alone from now on."""
        with self._turn:
            self._drop()
            if again and getattr(error, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
                for suffix in ("", "-wal", "-shm"):
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            elif self._alone is None:
                log.warning("%s can't be used (%s); this process counts its requests alone", self.path, error)
                self._alone = LocalLedger()

    @contextlib.contextmanager
    def _begin(self, account: str) -> Iterator[Slots]:
        with self._turn:
            connection = self._connection = self._connection or _open(self.path)
            connection.execute("BEGIN IMMEDIATE")  # the next process waits here
            try:
                yield _FileSlots(connection, account)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite would let others of this machine read it
    opened = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        for statement in (*_PRAGMAS, _TABLE):
            opened.execute(statement)
    except BaseException:
        opened.close()
        raise
    return opened


class _FileSlots:
    def __init__(self, connection: sqlite3.Connection, account: str) -> None:
        self._run = connection.execute
        self._account = account

    def total(self, rate: str, first: int, last: int) -> int:
        query = f"SELECT coalesce(sum(amount), 0) FROM rates WHERE {_OF} AND slot BETWEEN ? AND ?"  # noqa: S608  our own words
        return int(self._run(query, (self._account, rate, first, last)).fetchone()[0])

    def each(self, rate: str, first: int, last: int) -> dict[int, int]:
        query = f"SELECT slot, amount FROM rates WHERE {_OF} AND slot BETWEEN ? AND ?"  # noqa: S608  our own words
        return dict(self._run(query, (self._account, rate, first, last)))

    def add(self, rate: str, slot: int, amount: int) -> None:
        row = "INSERT INTO rates VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount"
        self._run(row, (self._account, rate, slot, amount))

    def subtract(self, rate: str, slot: int, amount: int) -> None:
        where = (self._account, rate, slot)
        self._run(f"UPDATE rates SET amount = amount - ? WHERE {_OF} AND slot = ?", (amount, *where))  # noqa: S608  our own words
        self._run(f"DELETE FROM rates WHERE {_OF} AND slot = ? AND amount <= 0", where)  # noqa: S608  our own words

    def keep(self, rate: str, first: int, last: int) -> None:
        for outside, bound in (("<", first), (">", last)):
            self._run(f"DELETE FROM rates WHERE {_OF} AND slot {outside} ?", (self._account, rate, bound))  # noqa: S608  our own words


# ── In PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────


def rates_in(database: Database) -> SharedLedger:
    """Give the ledger in a PostgreSQL state, in transactions that wait only for those of the same account."""

    @contextlib.contextmanager
    def begin(account: str) -> Iterator[Slots]:
        with database.write_aside() as connection:
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"crmbridge.rates {account}"))))
            yield _TableSlots(connection, account)

    return SharedLedger(begin)


class _TableSlots:
    def __init__(self, connection: Connection, account: str) -> None:
        self._connection = connection
        self._account = account

    def total(self, rate: str, first: int, last: int) -> int:
        query = select(func.coalesce(func.sum(_rates.c.amount), 0))
        return int(self._run(query.where(self._of(rate), _rates.c.slot.between(first, last))).scalar_one())

    def each(self, rate: str, first: int, last: int) -> dict[int, int]:
        query = select(_rates.c.slot, _rates.c.amount)
        rows = self._run(query.where(self._of(rate), _rates.c.slot.between(first, last)))
        return {row.slot: row.amount for row in rows}

    def add(self, rate: str, slot: int, amount: int) -> None:
        add_to(self._connection, _rates, {"account": self._account, "rate": rate, "slot": slot, "amount": amount})

    def subtract(self, rate: str, slot: int, amount: int) -> None:
        here = and_(self._of(rate), _rates.c.slot == slot)
        self._run(update(_rates).where(here).values(amount=_rates.c.amount - amount))
        self._run(delete(_rates).where(here, _rates.c.amount <= 0))

    def keep(self, rate: str, first: int, last: int) -> None:
        self._run(delete(_rates).where(self._of(rate), ~_rates.c.slot.between(first, last)))

    def _of(self, rate: str) -> Any:
        return and_(_rates.c.account == self._account, _rates.c.rate == rate)

    def _run(self, statement: Any) -> Any:
        return self._connection.execute(statement)
