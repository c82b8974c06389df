"""Runs, the lease, and what adapters keep, in plain SQL: the parts of a store that every run asks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crmbridge.clock import SystemClock
from crmbridge.errors import CrmbridgeError
from crmbridge.ports import Run
from crmbridge.store.holding import new_lease
from crmbridge.store.plain import HELD, PlainState
from crmbridge.store.quiet.parts import Part, first
from crmbridge.store.texts import json_text, moment_text, storable


class QuietRuns(Part):
    """Runs, and the lease that keeps two of them apart."""

    def start(self, run: Run) -> None:
        """Note that a run began."""
        with self._state.write() as open_:
            known = open_.execute("SELECT 1 FROM runs WHERE id = ?", (storable(run.id),)).fetchone()
            if known is None:
                open_.execute(_START, _run_row(run))
        if known is not None:
            self._whole().start(run)  # which says what is wrong

    def finish(self, run: str, at: datetime, exit_code: int, summary: Mapping[str, Any]) -> None:
        """Note how a run ended."""
        row = (moment_text(at), exit_code, json_text(dict(summary)), storable(run))
        with self._state.write() as open_:
            done = open_.execute("UPDATE runs SET finished_at = ?, exit_code = ?, summary = ? WHERE id = ?", row)
        if done.rowcount == 0:
            self._whole().finish(run, at, exit_code, summary)  # which says what is wrong

    def last(self, command: str, now: datetime) -> Run | None:
        """Give the newest finished run of a command; not one that a wrong clock put into the future."""
        rows = self._state.rows(_LAST, (storable(command), moment_text(now)))
        return _run(rows[0]) if rows else None

    @contextlib.contextmanager
    def lease(self, holder: str, now: datetime, lasts: timedelta) -> Iterator[None]:
        """Hold the state for writing."""
        held, free = new_lease(lasts), moment_text(now)
        row = (held.token, storable(holder), free, moment_text(now + lasts), free)
        with self._state.write_freely() as open_:
            open_.execute(_TAKE, row)
            holds = first(open_.execute("SELECT token FROM lease"))
        if holds != held.token:  # the whole store knows whether whoever holds it is still there
            with self._whole().lease(holder, now, lasts):
                yield
            return
        self._state.hold.lease = held
        try:
            yield
        except BaseException:
            with contextlib.suppress(CrmbridgeError):  # what went wrong inside matters more
                self._release(held.token)
            raise
        self._release(held.token)

    def renew(self, now: datetime) -> None:
        """Extend the lease that is held; raises LockedError when it was taken over. Any thread may do so."""
        with self._state.write(now):
            pass  # opening it for writing at a time is what renews

    def must_hold(self) -> None:
        """Raise LockedError when the lease that is held was taken over. Any thread may ask."""
        held = self._state.hold.lease
        if held is not None and not self._state.rows(HELD, (held.token,)):
            raise self._state.taken_over()

    def _release(self, token: str) -> None:
        held = self._state.hold.lease
        if held is not None and held.token == token:
            self._state.hold.lease = None
        with self._state.write_freely() as open_:
            open_.execute("DELETE FROM lease WHERE token = ?", (token,))


_START = "INSERT INTO runs (id, command, started_at, finished_at, exit_code, summary) VALUES (?, ?, ?, ?, ?, ?)"
_LAST = (
    "SELECT id, command, started_at, finished_at, exit_code, summary FROM runs "
    "WHERE command = ? AND finished_at IS NOT NULL AND started_at <= ? ORDER BY started_at DESC, seq DESC LIMIT 1"
)
_TAKE = (
    "INSERT INTO lease (one, token, holder, since, expires_at) VALUES (1, ?, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET "
    "token = excluded.token, holder = excluded.holder, since = excluded.since, expires_at = excluded.expires_at "
    "WHERE lease.expires_at <= ?"
)


def _run_row(run: Run) -> tuple[Any, ...]:
    return (
        storable(run.id),
        storable(run.command),
        moment_text(run.started_at),
        moment_text(run.finished_at) if run.finished_at else None,
        run.exit_code,
        json_text(dict(run.summary)),
    )


def _run(row: Sequence[Any]) -> Run:
    id_, command, started, finished, exit_code, summary = row
    return Run(
        id=id_,
        command=command,
        started_at=datetime.fromisoformat(started),
        finished_at=datetime.fromisoformat(finished),
        exit_code=exit_code,
        summary=json.loads(summary),
    )


class QuietMemory(MutableMapping[str, str]):
    """What one connection's adapter keeps. Each call is a transaction of its own."""

    def __init__(self, state: PlainState, connection: str) -> None:
        self._state = state
        self._connection = storable(connection)

    def __getitem__(self, name: str) -> str:
        rows = self._state.rows(f"SELECT value FROM memory {_THAT}", (self._connection, storable(name)))  # noqa: S608  our own words
        if not rows:
            raise KeyError(name)
        return str(json.loads(rows[0][0]))

    def __setitem__(self, name: str, value: str) -> None:
        # `saved_at` is for people who look into the state; nothing is decided by it.
        row = (self._connection, storable(name), json_text(value), moment_text(SystemClock().now()))
        with self._state.write() as open_:
            open_.execute(_KEEP, row)

    def __delitem__(self, name: str) -> None:
        with self._state.write() as open_:
            done = open_.execute(f"DELETE FROM memory {_THAT}", (self._connection, storable(name)))  # noqa: S608  the same
            if done.rowcount == 0:
                raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        rows = self._state.rows("SELECT name FROM memory WHERE connection = ? ORDER BY name", (self._connection,))
        return iter([name for (name,) in rows])

    def __len__(self) -> int:
        ((count,),) = self._state.rows("SELECT count(*) FROM memory WHERE connection = ?", (self._connection,))
        return int(count)


_THAT = "WHERE connection = ? AND name = ?"
_KEEP = (
    "INSERT INTO memory (connection, name, value, saved_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (connection, name) DO UPDATE SET value = excluded.value, saved_at = excluded.saved_at"
)
