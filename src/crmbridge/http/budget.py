"""The rate budget: how many requests an account may be sent, kept by one bucket that all threads share."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pyrate_limiter import InMemoryBucket, RateItem
from pyrate_limiter import Rate as LimiterRate

from crmbridge.ports import Clock

SHORTEST_WAIT = 0.005  # seconds


class Rate(NamedTuple):
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float


class Budget:
    """Hands out requests to all threads of one account, at most `share` of each rate.

    Waiting goes through the clock, so that a simulation pays for it in virtual time.
    """

    def __init__(self, rates: Sequence[Rate], clock: Clock, *, share: float = 0.8) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._paused_until: datetime | None = None
        self._bucket = InMemoryBucket(
            [LimiterRate(max(1, int(rate.requests * share)), round(rate.seconds * 1000)) for rate in rates]
        )

    def take(self) -> None:
        """Wait until one more request fits, and take it."""
        while (wait := self._try()) > 0:
            self._clock.sleep(wait)

    def pause(self, wait: timedelta) -> None:
        """Let nobody send anything for a while: the CRM said that we are too fast."""
        with self._lock:
            until = self._clock.now() + wait
            self._paused_until = max(until, self._paused_until or until)

    def _try(self) -> float:
        """Take a request, or give the seconds to wait before trying again."""
        with self._lock:
            now = self._clock.now()
            if self._paused_until and now < self._paused_until:
                return (self._paused_until - now).total_seconds()
            item = RateItem("request", round(now.timestamp() * 1000))
            self._bucket.leak(item.timestamp)
            if self._bucket.put(item):
                return 0
            waiting = self._bucket.waiting(item)
            milliseconds = waiting if isinstance(waiting, int) else 0
            return max(milliseconds / 1000, SHORTEST_WAIT)
