"""The requests that were sent, counted in a PostgreSQL state: rows of a table that is not logged, by account."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, false, func, or_, select, true, update
from sqlalchemy.exc import SQLAlchemyError

from crmbridge.store.rates import Amount, SharedLedger, Slots, SteadyLedger, Window
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, add_to

_rates = schema.rates


class RateTable(SteadyLedger):
    """The ledger in a table. When the server can't be asked, this process counts alone."""

    FAULTS = (*SteadyLedger.FAULTS, SQLAlchemyError)


def rates_in(database: Database) -> RateTable:
    """Give the ledger in a PostgreSQL state, in transactions that wait only for those of the same account."""

    @contextlib.contextmanager
    def begin(account: str) -> Iterator[Slots]:
        with database.write_aside() as connection:
            lock = func.pg_advisory_xact_lock(func.hashtext(f"crmbridge.rates {account}"))
            connection.execute(select(func.set_config("synchronous_commit", "off", true()), lock))
            yield _TableSlots(connection, account)

    return RateTable(SharedLedger(begin), f"The count of requests in {database.where}")


class _TableSlots:
    def __init__(self, connection: Connection, account: str) -> None:
        self._connection = connection
        self._account = account

    def totals(self, windows: Mapping[str, Window]) -> Mapping[str, int]:
        within = [self._of(rate) & _rates.c.slot.between(*window) for rate, window in windows.items()]
        query = select(_rates.c.rate, func.sum(_rates.c.amount)).where(or_(false(), *within)).group_by(_rates.c.rate)
        return {rate: int(total) for rate, total in self._run(query)}

    def each(self, rate: str, first: int, last: int) -> dict[int, int]:
        query = select(_rates.c.slot, _rates.c.amount)
        rows = self._run(query.where(self._of(rate), _rates.c.slot.between(first, last)))
        return {row.slot: row.amount for row in rows}

    def add(self, amounts: Sequence[Amount]) -> None:
        for each in amounts:
            add_to(self._connection, _rates, {"account": self._account, **each._asdict()})

    def subtract(self, amounts: Sequence[Amount]) -> None:
        for rate, slot, amount in amounts:
            here = and_(self._of(rate), _rates.c.slot == slot)
            self._run(update(_rates).where(here).values(amount=func.greatest(_rates.c.amount - amount, 0)))

    def keep(self, rate: str, first: int, last: int) -> None:
        self._run(delete(_rates).where(self._of(rate), ~_rates.c.slot.between(first, last)))

    def _of(self, rate: str) -> Any:
        return and_(_rates.c.account == self._account, _rates.c.rate == rate)

    def _run(self, statement: Any) -> Any:
        return self._connection.execute(statement)
