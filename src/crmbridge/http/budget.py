"""The rate budget: how many requests an account may be sent, counted for all threads and processes of a project."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from crmbridge.errors import RetryLaterError
from crmbridge.ledger import LocalLedger
from crmbridge.ports import Clock, Rate, RateLedger

__all__ = ["Budget", "Rate", "Usage"]

SHORTEST_WAIT = 0.005  # seconds
LONGEST_WAIT = timedelta(seconds=60)  # a budget that is spent for longer is left alone until the next run
A_DAY = 12 * 3600.0  # rates over at least so many seconds are daily ones
SPARE = 0.02  # of a limit that others use too; their next request can't be foreseen


class Usage(NamedTuple):
    """What a reply says of one rate: its limit, and how much of that is left for everybody who shares it."""

    rate: str  # the rate's key
    limit: int
    remaining: int


class Taken(NamedTuple):
    """What was taken for one request; given back to `settle` when its answer has come."""

    rates: tuple[Rate, ...]
    amounts: tuple[int, ...]
    at: datetime


@dataclass
class _Seen:
    """What replies said of one rate. `others` are the amounts that others used, each with when it was seen."""

    limit: int
    others: deque[tuple[datetime, int]]


class Budget:
    """Hands out requests to all threads of one account, at most `share` of each rate and `day_share` of daily ones.

    A request counts until a whole window after its answer came, so the CRM never counts more than we do, however
    long answers take. Replies steer it (`observe`): the limit that the CRM names replaces the one we were told, and
    what others use of it is left to them. Waiting goes through the clock: a simulation pays in virtual time.
    """

    def __init__(
        self,
        rates: Sequence[Rate],
        clock: Clock,
        *,
        share: float = 0.8,
        day_share: float = 0.8,
        ledger: RateLedger | None = None,
        account: str = "",
    ) -> None:
        self._rates = tuple(rates)
        self._clock = clock
        self._shares = {True: day_share, False: share}
        self._ledger = ledger or LocalLedger()
        self._account = account
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._pause: tuple[datetime, datetime] | None = None  # since when, and until when
        self._seen: dict[str, _Seen] = {}

    def take(self, cost: int = 1) -> Taken:
        """Wait until a request of this cost fits, and take it; `settle` it when its answer has come.

        Raises RetryLaterError when that would take longer than a minute, such as when the day's share is used up.
        """
        amounts = tuple(cost if rate.counts == "cost" else 1 for rate in self._rates)
        with self._turn:  # who waits for the same requests waits in line, and only the first one keeps asking
            while True:
                now = self._clock.now()
                rates = tuple(self._allowed(rate, now) for rate in self._rates)
                wait = self._pause_left(now) or self._ledger.take(self._account, rates, amounts, now)
                if wait <= 0:
                    return Taken(rates, amounts, now)
                if wait > LONGEST_WAIT.total_seconds():
                    raise RetryLaterError(
                        f"{self._account or 'this connection'}: its share of the CRM's requests is used up",
                        advice="Wait, or raise share or day_share of the connection; nothing was lost.",
                        after=timedelta(seconds=wait),
                    )
                self._clock.sleep(max(wait, SHORTEST_WAIT))

    def settle(self, taken: Taken) -> None:
        """Count a request from now on: its answer has just come, or never will."""
        self._ledger.settle(self._account, taken.rates, taken.amounts, taken.at, self._clock.now())

    def observe(self, usage: Usage) -> None:
        """Heed what a reply says of a rate. Unknown rates are passed over."""
        rate = next((rate for rate in self._rates if rate.key == usage.rate), None)
        if rate is None or usage.limit <= 0:
            return
        now = self._clock.now()
        ours = self._ledger.used(self._account, rate, now)
        with self._lock:
            # What others have used of a day does not pass within one; of a short window, the most of it counts.
            kept = 1 if rate.seconds >= A_DAY else None
            seen = self._seen.setdefault(rate.key, _Seen(usage.limit, deque(maxlen=kept)))
            seen.limit = usage.limit
            # What is under way counts as ours already, so this is rather too little than too much.
            seen.others.append((now, max(0, usage.limit - usage.remaining - ours)))

    def pause(self, wait: timedelta) -> None:
        """Let nobody send anything for a while: the CRM said that we are too fast."""
        with self._lock:
            now = self._clock.now()
            self._pause = (now, max(now + wait, self._pause[1] if self._pause else now))

    def _pause_left(self, now: datetime) -> float:
        with self._lock:
            if self._pause is None or now < self._pause[0]:  # a clock that was put back since says nothing of it
                self._pause = None
                return 0.0
            return max(0.0, (self._pause[1] - now).total_seconds())

    def _allowed(self, rate: Rate, now: datetime) -> Rate:
        """Give the rate with what we may use of it now."""
        share = self._shares[rate.seconds >= A_DAY]
        with self._lock:
            seen = self._seen.get(rate.key)
            limit = seen.limit if seen else rate.requests
            others = _most(seen, now, rate.seconds) if seen else 0
        left = limit - others - round(limit * SPARE) if others else limit
        return rate._replace(requests=max(1, min(int(limit * share), left)), name=rate.key)


def _most(seen: _Seen, now: datetime, seconds: float) -> int:
    """Give the most that others used within one window."""
    while seen.others and (now - seen.others[0][0]).total_seconds() >= seconds:
        seen.others.popleft()
    return max((amount for _, amount in seen.others), default=0)
