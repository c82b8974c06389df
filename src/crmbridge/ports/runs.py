"""Runs of commands that may write, as the state keeps them, and the lease under which there is one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct, field


class Run(Struct, frozen=True, kw_only=True):
    """One execution of a command that may write."""

    id: str
    command: str
    started_at: datetime
    finished_at: datetime | None = None
    exit_code: int | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)  # plain JSON


class RunStore(Protocol):
    """Runs, and the lease that keeps two of them apart."""

    def start(self, run: Run) -> None:
        """Note that a run began."""
        ...

    def finish(self, run: str, at: datetime, exit_code: int, summary: Mapping[str, Any]) -> None:
        """Note how a run ended."""
        ...

    def runs(self, limit: int, begins: str = "") -> tuple[Run, ...]:
        """Give the newest runs whose ids begin with a text, newest first, whatever the clock said of each."""
        ...

    def last(self, command: str, now: datetime) -> Run | None:
        """Give the newest finished run of a command; not one that a wrong clock put into the future."""
        ...

    def lease(self, holder: str, now: datetime, lasts: timedelta) -> AbstractContextManager[None]:
        """Hold the state for writing; raises LockedError naming the holder while another run's lease has not expired.

        One that lasts more than twice as long as this counts as expired: a wrong clock took it. Who took the lease
        checks the lease at every write: one that was taken over raises LockedError, and nothing is saved. Journal and
        page writes renew it; it is released on exit. A store object that took none writes freely; anybody may read.
        """
        ...

    def holder(self, now: datetime) -> str:
        """Name the holder of a lease that has not expired and whose process is not known to be gone; else ''."""
        ...

    def renew(self, now: datetime) -> None:
        """Extend the lease that this store object holds, from any thread; without one, do nothing.

        Raises LockedError when another run took it over.
        """
        ...

    def must_hold(self) -> None:
        """Raise LockedError when another run took over the lease that this store object holds; from any thread.

        It changes nothing, and costs so little that it is asked before each request to a CRM.
        """
        ...
