"""What happened in a play, line by line, for people who look for what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from crmbridge.ports import Clock


class Diary:
    """Notes what happens, if anybody wants to read it."""

    def __init__(self, write: Callable[[str], None] | None = None, *, requests: bool = False) -> None:
        self._write = write
        self._requests = requests
        self._clock: Clock | None = None
        self._day: datetime | None = None

    @property
    def wanted(self) -> bool:
        """Tell whether anybody reads it."""
        return self._write is not None

    @property
    def wants_requests(self) -> bool:
        """Tell whether somebody wants to read of every request."""
        return self.wanted and self._requests

    def begin(self, clock: Clock) -> None:
        """Note the times by this clock."""
        self._clock = clock

    def note(self, who: str, what: str) -> None:
        """Note that somebody did something: a person's CRM, `run`, `plan`, `write`, `oracle`."""
        if self._write is None or self._clock is None:
            return
        now = self._clock.now()
        if self._day is None or self._day.date() != now.date():
            self._day = now
            self._write(f"── {now:%A, %d %B %Y} ──")
        line = what.replace("\n", " ")
        self._write(f"{now:%H:%M:%S}.{now.microsecond // 1000:03}  {who:<12}{line}")
