"""The vendors' limits as they count them: requests in a rolling window, and what other apps take of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque


class Window:
    """At most `limit` requests in any `seconds`; refused ones don't count."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._taken: deque[float] = deque()

    def admit(self) -> bool:
        """Take a request, or tell that it is one too many."""
        if self.remaining <= 0:
            return False
        self._taken.append(time.monotonic())
        return True

    @property
    def remaining(self) -> int:
        """How many more fit now."""
        oldest = time.monotonic() - self.seconds
        while self._taken and self._taken[0] <= oldest:
            self._taken.popleft()
        return self.limit - len(self._taken)


class OtherApp:
    """Another app of the same account, that asks steadily for half of what the account may be sent."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.started: float | None = None
        self.admitted = 0
        self.refused = 0

    async def run(self) -> None:
        """Ask until the server ends."""
        self.started = time.monotonic()
        every = 2 * self._window.seconds / self._window.limit
        due = self.started
        while True:
            if self._window.admit():
                self.admitted += 1
            else:
                self.refused += 1
            due += every
            await asyncio.sleep(max(0.0, due - time.monotonic()))
