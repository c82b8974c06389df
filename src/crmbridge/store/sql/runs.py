"""Runs, and the lease that keeps two of them apart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from crmbridge.errors import CrmbridgeError, StateError
from crmbridge.ports import Run
from crmbridge.store.holding import HeldLease, is_left_behind, new_lease, taken, taken_over
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, upsert

_runs, _lease = schema.runs, schema.lease


class SqlRuns:
    """Runs and the lease, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, run: Run) -> None:
        """Note that a run began; raises StateError when there is one of that id."""
        row = {
            "id": run.id,
            "command": run.command,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "exit_code": run.exit_code,
            "summary": dict(run.summary),
        }
        with self._database.write() as open_:
            if open_.execute(select(_runs.c.seq).where(_runs.c.id == run.id)).first():
                raise StateError(
                    f"The run {run.id} was started before.", advice="Start each run with an id of its own."
                )
            open_.execute(insert(_runs), row)

    def finish(self, run: str, at: datetime, exit_code: int, summary: Mapping[str, Any]) -> None:
        """Note how a run ended; raises StateError for a run that was not started."""
        change = update(_runs).where(_runs.c.id == run)
        with self._database.write() as open_:
            done = open_.execute(change.values(finished_at=at, exit_code=exit_code, summary=dict(summary)))
            if done.rowcount == 0:
                raise StateError(f"The run {run} was never started.", advice="Start a run before it is finished.")

    def runs(self, limit: int, begins: str = "") -> tuple[Run, ...]:
        """Give the newest runs whose ids begin with a text, newest first, whatever the clock said of each."""
        query = select(_runs).order_by(_runs.c.seq.desc()).limit(limit)
        if begins:
            query = query.where(_runs.c.id >= begins, _runs.c.id <= f"{begins}\U0010ffff")
        with self._database.read() as open_:
            return tuple(map(_run, open_.execute(query)))

    def last(self, command: str, now: datetime) -> Run | None:
        """Give the newest finished run of a command; not one that a wrong clock put into the future."""
        query = select(_runs).where(
            _runs.c.command == command, _runs.c.finished_at.is_not(None), _runs.c.started_at <= now
        )
        with self._database.read() as open_:
            row = open_.execute(query.order_by(_runs.c.started_at.desc(), _runs.c.seq.desc()).limit(1)).first()
            return _run(row) if row else None

    @contextlib.contextmanager
    def lease(self, holder: str, now: datetime, lasts: timedelta) -> Iterator[None]:
        """Hold the state for writing; raises LockedError while another run's lease has not expired.

        The lease of a process of this machine that is gone counts as expired, and so does one that lasts for more than
        twice as long as this one would: a wrong clock took it.
        """
        held = new_lease(lasts)
        with self._database.write_freely() as open_:
            _take(open_, held, holder, now)
        self._database.hold.lease = held
        try:
            yield
        except BaseException:
            with contextlib.suppress(CrmbridgeError):  # what went wrong inside matters more
                self._release(held)
            raise
        self._release(held)

    def holder(self, now: datetime) -> str:
        """Name the holder of a lease that has not expired; empty where nobody holds the state."""
        with self._database.read() as open_:
            found = open_.execute(select(_lease).where(_lease.c.expires_at > now)).first()
        return str(found.holder) if found and not is_left_behind(found.token) else ""

    def renew(self, now: datetime) -> None:
        """Extend the lease that is held; raises LockedError when it was taken over. Any thread may do so."""
        with self._database.write(now):
            pass  # opening it for writing at a time is what renews

    def must_hold(self) -> None:
        """Raise LockedError when the lease that is held was taken over. Any thread may ask."""
        held = self._database.hold.lease
        if held is None:
            return
        with self._database.read() as open_:
            found = open_.execute(select(_lease.c.one).where(_lease.c.token == held.token)).first()
        if found is None:
            raise taken_over(self._database.where)

    def _release(self, held: HeldLease) -> None:
        if self._database.hold.lease is held:
            self._database.hold.lease = None
        with self._database.write_freely() as open_:
            open_.execute(delete(_lease).where(_lease.c.token == held.token))


def _take(open_: Connection, held: HeldLease, holder: str, now: datetime) -> None:
    """Take the lease if it is free, in one statement: of two processes that try, one succeeds."""
    row = {"one": 1, "token": held.token, "holder": holder, "since": now, "expires_at": now + held.lasts}
    # One that lasts so long was taken by a clock in another year; where it is ours that is wrong, its run finds out
    # before it writes anything more.
    ends = _lease.c.expires_at
    upsert(open_, _lease, [row], only=or_(ends <= now, ends > now + 2 * held.lasts))
    other = open_.execute(select(_lease)).one()
    if other.token != held.token and is_left_behind(other.token):
        upsert(open_, _lease, [row], only=_lease.c.token == other.token)
        other = open_.execute(select(_lease)).one()
    if other.token != held.token:
        raise taken(other.holder, other.since, other.expires_at)


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        command=row.command,
        started_at=row.started_at,
        finished_at=row.finished_at,
        exit_code=row.exit_code,
        summary=row.summary,
    )
