"""A clock that stands still until it is told to go on."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta


class VirtualClock:
    """Time that passes only by `sleep` and `advance`; safe to share between threads."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a virtual clock starts at an aware time")
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Give the time, aware."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.advance(timedelta(seconds=max(seconds, 0)))

    def advance(self, by: timedelta) -> None:
        """Let time pass at once."""
        with self._lock:
            self._now += by
