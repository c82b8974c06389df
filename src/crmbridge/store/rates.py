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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, TypeVar

from crmbridge.engine.pacing import SLOTS, counting, kept, slot_of, wait_for
from crmbridge.errors import LockedError, StateError
from crmbridge.ledger import LocalLedger
from crmbridge.ports import Rate, RateLedger

BUSY_SECONDS = 10
_TABLE = """
    CREATE TABLE IF NOT EXISTS rates (
        account TEXT NOT NULL, rate TEXT NOT NULL, slot INTEGER NOT NULL, amount INTEGER NOT NULL,
        PRIMARY KEY (account, rate, slot)
    ) WITHOUT ROWID
"""
# In this order: making a file in the journal mode would wait for the disk, and all first requests for that.
_PRAGMAS = ("PRAGMA synchronous = OFF", "PRAGMA journal_mode = WAL")
_OF = "account = ? AND rate = ?"
_LESS = f"UPDATE rates SET amount = max(amount - ?, 0) WHERE {_OF} AND slot = ?"  # noqa: S608  our own words

T = TypeVar("T")
log = logging.getLogger(__name__)


Window = tuple[int, int]  # the first and the last slot that count


class Amount(NamedTuple):
    """So much of a rate, counted in a slot."""

    rate: str
    slot: int
    amount: int


class Slots(Protocol):
    """The slots of one account within one transaction. `first` and `last` are the ones that count.

    Few statements count here more than short ones: at each, the thread may lose its turn to one that computes.
    """

    def totals(self, windows: Mapping[str, Window]) -> Mapping[str, int]:
        """Sum what counts of each rate; a rate of which nothing does is left out."""
        ...

    def each(self, rate: str, first: int, last: int) -> dict[int, int]:
        """Give what counts, slot by slot."""
        ...

    def add(self, amounts: Sequence[Amount]) -> None:
        """Count amounts."""
        ...

    def subtract(self, amounts: Sequence[Amount]) -> None:
        """Count amounts no longer, as far as their slots still hold them."""
        ...

    def keep(self, rate: str, first: int, last: int) -> None:
        """Forget what does not count."""
        ...


Begin = Callable[[str], AbstractContextManager[Slots]]


class SharedLedger:
    """Counts in slots that processes share; `begin` opens them for one account at a time."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._tidied: dict[tuple[str, str], int] = {}

    def take(self, account: str, rates: Sequence[Rate], amounts: Sequence[int], now: datetime) -> float:
        """Take an amount of each rate at once and give 0; or take nothing and give the seconds until it may fit."""
        with self._begin(account) as slots:
            wanted = list(zip(rates, amounts, strict=True))
            totals = slots.totals({rate.key: counting(rate.seconds, now) for rate in rates})
            full = [
                each
                for each in wanted
                if totals.get(each[0].key, 0) + min(each[1], each[0].requests) > each[0].requests
            ]
            if full:
                return max(_wait(slots, rate, amount, now) for rate, amount in full)
            self._tidy(slots, account, rates, now)
            slots.add(_in_slots(rates, amounts, now))
            return 0.0

    def settle(
        self, account: str, rates: Sequence[Rate], amounts: Sequence[int], taken_at: datetime, now: datetime
    ) -> tuple[int, ...]:
        """Count what was taken from now on instead of from then, and give what counts now, by all processes."""
        before, after = (_in_slots(rates, amounts, at) for at in (taken_at, now))
        moved = [place for place, one in enumerate(before) if one != after[place]]  # of a day's rate hardly any do
        with self._begin(account) as slots:
            slots.subtract([before[place] for place in moved])
            slots.add([after[place] for place in moved])
            totals = slots.totals({rate.key: counting(rate.seconds, now) for rate in rates})
        return tuple(totals.get(rate.key, 0) for rate in rates)

    def used(self, account: str, rate: Rate, now: datetime) -> int:
        """Give how much of a rate counts now, by all processes."""
        with self._begin(account) as slots:
            return slots.totals({rate.key: counting(rate.seconds, now)}).get(rate.key, 0)

    def _tidy(self, slots: Slots, account: str, rates: Sequence[Rate], now: datetime) -> None:
        """Forget what does not count, now and then: it does no harm, and forgetting it is a statement of its own."""
        for rate in rates:
            tenth = slot_of(rate.seconds, now) * 10 // SLOTS
            if self._tidied.get((account, rate.key)) != tenth:
                self._tidied[account, rate.key] = tenth
                slots.keep(rate.key, *kept(rate.seconds, now))


def _in_slots(rates: Sequence[Rate], amounts: Sequence[int], at: datetime) -> list[Amount]:
    return [Amount(rate.key, slot_of(rate.seconds, at), amount) for rate, amount in zip(rates, amounts, strict=True)]


def _wait(slots: Slots, rate: Rate, amount: int, now: datetime) -> float:
    counted = slots.each(rate.key, *counting(rate.seconds, now))
    return wait_for(counted, rate.requests, amount, rate.seconds, now)


class SteadyLedger:
    """A ledger whose calls never fail: when what is shared can't be used, this process counts alone from then on.

    A write that was answered must not end as one that failed, only because it could not be counted.
    """

    FAULTS: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error, OSError, StateError, LockedError)

    def __init__(self, shared: RateLedger, where: str) -> None:
        self._shared = shared
        self._where = where
        self._alone: LocalLedger | None = None
        self._turn = threading.Lock()

    def take(self, account: str, rates: Sequence[Rate], amounts: Sequence[int], now: datetime) -> float:
        """Take an amount of each rate at once and give 0; or take nothing and give the seconds until it may fit."""
        return self._try(lambda ledger: ledger.take(account, rates, amounts, now))

    def settle(
        self, account: str, rates: Sequence[Rate], amounts: Sequence[int], taken_at: datetime, now: datetime
    ) -> tuple[int, ...]:
        """Count what was taken from now on instead of from then, and give what counts now, by all processes."""
        return self._try(lambda ledger: ledger.settle(account, rates, amounts, taken_at, now))

    def used(self, account: str, rate: Rate, now: datetime) -> int:
        """Give how much of a rate counts now, by all processes."""
        return self._try(lambda ledger: ledger.used(account, rate, now))

    def _try(self, call: Callable[[RateLedger], T]) -> T:
        for again in (True, False):
            if self._alone is not None:
                break
            try:
                return call(self._shared)
            except self.FAULTS as error:
                with self._turn:
                    if not self._mend(error, again=again) and self._alone is None:
                        why = getattr(error, "message", error)
                        log.warning("%s can't be used (%s); this process counts its requests alone", self._where, why)
                        self._alone = LocalLedger()
        return call(self._alone or LocalLedger())

    def _mend(self, _error: Exception, *, again: bool) -> bool:  # noqa: ARG002  for ledgers that can
        """Tell whether it is worth trying once more."""
        return False


# ── In a file of its own, beside a SQLite state ─────────────────────────────────────────────────────────


class RateFile(SteadyLedger):
    """The ledger in a file. What goes wrong with it ends no run: it is made anew, or this process counts alone."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(f"{state.stem}.rates.db")
        self._connection: sqlite3.Connection | None = None
        super().__init__(SharedLedger(self._begin), str(self.path))

    def close(self) -> None:
        """Give the file back."""
        with self._turn:
            self._drop()

    def _mend(self, error: Exception, *, again: bool) -> bool:
        """Take a damaged file away, once."""
        self._drop()
        if not again or not getattr(error, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return False
        try:
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError:  # it is somebody else's
            return False
        return True

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


@lru_cache
def _summing(rates: int) -> str:
    one = f"SELECT rate, sum(amount) FROM rates WHERE {_OF} AND slot BETWEEN ? AND ? GROUP BY rate"  # noqa: S608  our own words
    return " UNION ALL ".join([one] * rates)


@lru_cache
def _adding(rows: int) -> str:
    values = ", ".join(["(?, ?, ?, ?)"] * rows)
    return f"INSERT INTO rates VALUES {values} ON CONFLICT DO UPDATE SET amount = amount + excluded.amount"  # noqa: S608  our own words


class _FileSlots:
    def __init__(self, connection: sqlite3.Connection, account: str) -> None:
        self._run = connection.execute
        self._account = account

    def totals(self, windows: Mapping[str, Window]) -> Mapping[str, int]:
        values = [value for rate, window in windows.items() for value in (self._account, rate, *window)]
        return dict(self._run(_summing(len(windows)), values)) if windows else {}

    def each(self, rate: str, first: int, last: int) -> dict[int, int]:
        query = f"SELECT slot, amount FROM rates WHERE {_OF} AND slot BETWEEN ? AND ?"  # noqa: S608  our own words
        return dict(self._run(query, (self._account, rate, first, last)))

    def add(self, amounts: Sequence[Amount]) -> None:
        if amounts:
            self._run(_adding(len(amounts)), [value for each in amounts for value in (self._account, *each)])

    def subtract(self, amounts: Sequence[Amount]) -> None:
        for rate, slot, amount in amounts:
            self._run(_LESS, (amount, self._account, rate, slot))

    def keep(self, rate: str, first: int, last: int) -> None:
        for outside, bound in (("<", first), (">", last)):
            self._run(f"DELETE FROM rates WHERE {_OF} AND slot {outside} ?", (self._account, rate, bound))  # noqa: S608  our own words
