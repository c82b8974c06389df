"""What replies tell of one rate: its limit, and how much of it others use."""

from __future__ import annotations

import math
from collections import deque
from datetime import UTC, datetime, timedelta

from crmbridge.ports import Rate

A_DAY = 12 * 3600.0  # rates over at least so many seconds are daily ones
SPARE = 0.02  # of a limit that others use too: room for them to use more
NEWCOMER = 0.5  # of the rate: how fast an app may send that no reply tells of yet
AGREEING = 3  # replies in a row that must say that others use so much: one alone may have been overtaken
FEWEST = 3  # requests in a window that are another app's; fewer may be our own, overtaken on their way


class Watch:
    """One rate as this process sees it. Not thread-safe."""

    def __init__(self, rate: Rate, *, share: float, day_share: float) -> None:
        self.limit = rate.requests
        self.sent = 0  # by us, altogether
        self._rate = rate
        self._is_daily = rate.seconds >= A_DAY
        self._share = day_share if self._is_daily else share
        self._window = timedelta(seconds=rate.seconds)
        self._said: deque[int] = deque(maxlen=1 if self._is_daily else AGREEING)
        # What others used, with when it was seen. Of a day it does not pass within one; of a window, the most counts.
        self._others: deque[tuple[datetime, int]] = deque(maxlen=1 if self._is_daily else None)
        self._gap = timedelta(0)  # between requests
        self._due = datetime.min.replace(tzinfo=UTC)

    def allowed(self, now: datetime, slowest: timedelta) -> Rate:
        """Give the rate with what we may use of it now; `slowest` is how long answers take at most."""
        others = self._most(now)
        left = max(1, min(int(self.limit * self._share), self.limit - others - self._spare(others, slowest)))
        # Beside others each goes at its time: a window that is filled at once is full for them until it is over.
        self._gap = self._window / left if others and not self._is_daily else timedelta(0)
        return self._rate._replace(requests=left, name=self._rate.key)

    def early(self, now: datetime) -> float:
        """Give the seconds until the next one may go; ask after `allowed`."""
        return max(0.0, min(self._due - now, self._gap).total_seconds())

    def send(self, amount: int, now: datetime) -> int:
        """Note that so much goes out; give how much did altogether."""
        self.sent += amount
        self._due = max(self._due, now) + self._gap * amount
        return self.sent

    def observe(self, limit: int, others: int, now: datetime) -> None:
        """Heed the limit that a reply names, and what is used of it beside what we had sent by then."""
        self.limit = limit
        self._said.append(max(0, others))
        self._others.append((now, min(self._said)))

    def _most(self, now: datetime) -> int:
        while self._others and not timedelta(0) <= now - self._others[0][0] < self._window:
            self._others.popleft()
        most = max((amount for _, amount in self._others), default=0)
        return most if most >= FEWEST or self._is_daily else 0

    def _spare(self, others: int, slowest: timedelta) -> int:
        """Give what is kept for others beyond what replies tell of: they may have sent more since, and want more.

        For an app that has not come yet `share` keeps room.
        """
        if not others:
            return 0
        unseen = 0.0 if self._is_daily else NEWCOMER * min(slowest / self._window, 1.0)
        return math.ceil(self.limit * (SPARE + unseen))
