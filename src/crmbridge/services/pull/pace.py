"""How fast something goes and when it will be done, in words for people who watch."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from crmbridge.ports import Clock

RECENT = timedelta(seconds=30)  # the rate is that of this long; what was slow an hour ago says nothing
ENOUGH = timedelta(milliseconds=50)  # no longer than the first page takes over a network: with it comes the first rate


class Pace:
    """Counts things as they come: `add` as many as there are, and show it as text. Not for several threads at once.

    `total` is how many there will be, as far as it is known; it need only be about right, and may come later.
    """

    def __init__(self, clock: Clock, what: str = "records", total: int | None = None) -> None:
        self.total = total
        self.count = 0
        self._clock = clock
        self._what = what
        self._seen: deque[tuple[datetime, int]] = deque([(clock.now(), 0)])

    def began(self, at: datetime) -> None:
        """Count from an earlier moment than this was made, if nothing was counted yet."""
        if len(self._seen) == 1:
            self._seen[0] = (min(at, self._seen[0][0]), 0)

    def add(self, count: int) -> None:
        """Count so many more."""
        self.count += count
        now = self._clock.now()
        self._seen.append((now, self.count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= RECENT:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """How many come in a second of late; None while that is a guess."""
        (first, before), now = self._seen[0], self._clock.now()
        return (self.count - before) / (now - first).total_seconds() if now - first >= ENOUGH else None

    @property
    def left(self) -> timedelta | None:
        """How long the rest takes at this rate, as far as that is known."""
        rate = self.rate
        if self.total is None or self.total <= self.count or not rate:
            return None
        return timedelta(seconds=(self.total - self.count) / rate)

    def __str__(self) -> str:
        """Show it, such as: 12,300 of ~20,000 deals, 1,830/s, 4 s left."""
        # A total that was passed was wrong, and is not shown any more.
        known = self.total is not None and self.total >= self.count
        of = f" of ~{self.total:,}" if known else ""
        parts = [f"{self.count:,}{of} {self._what}"]
        if (rate := self.rate) is not None:
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s")
        if (left := self.left) is not None:
            parts.append(f"{_length(left)} left")
        return ", ".join(parts)


def _length(time: timedelta) -> str:
    seconds = max(1, round(time.total_seconds()))
    if seconds < 100:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
