"""The rate budget: how many requests an account may be sent, counted for all threads and processes of a project."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from crmbridge.errors import RetryLaterError
from crmbridge.http.watching import Watch
from crmbridge.ledger import LocalLedger
from crmbridge.ports import Clock, Rate, RateLedger

__all__ = ["Budget", "Rate", "Usage"]

SHORTEST_WAIT = 0.005  # seconds
LOOK_AGAIN = 1.0  # seconds after which one that waits asks again: others may use less by then
LOOK_SOON = 0.1  # the same while the quickest answer is not known: the first requests may count for less by then
ANSWERS = 50  # how many are looked back at
FEWEST_ANSWERS = 20  # before so many came, the quickest of them says nothing
NO_TIME = timedelta(0)
LONGEST_WAIT = timedelta(seconds=60)  # a budget that is spent for longer is left alone until the next run


class Usage(NamedTuple):
    """What a reply says of one rate: its limit, and how much of that is left for everybody who shares it."""

    rate: str  # the rate's key
    limit: int
    remaining: int


class Taken(Struct, eq=False):
    """What was taken for one request; given back to `settle` when its answer has come."""

    rates: tuple[Rate, ...]
    amounts: tuple[int, ...]
    at: datetime
    marks: tuple[int, ...] = ()  # how much of each rate this process had taken with it, altogether
    ours: tuple[int, ...] | None = None  # how much of each the CRM may have counted as ours with it, once it is settled


class Budget:
    """Hands out requests to all threads of one account, at most `share` of each rate and `day_share` of daily ones.

    When a CRM counts a request is not known. But one that counts and refuses at the same point of its work, wherever
    that is, counts two requests no closer together than they were sent, but for how much longer than the quickest one
    an answer took. So a request counts until a window after its answer, less the time of the quickest answer: the CRM
    never counts more than we do. Replies steer it (`observe`): the limit that the CRM names replaces the one we were
    told, and what others use of it is left to them. Waiting goes through the clock: a simulation pays in virtual time.
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
        self._ledger = ledger or LocalLedger()
        self._account = account
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._pause: tuple[datetime, datetime] | None = None  # since when, and until when
        self._took: deque[timedelta] = deque(maxlen=ANSWERS)
        self._first: list[tuple[Taken, datetime]] = []  # settled before the quickest answer was known, and when
        self._watches = tuple(Watch(rate, share=share, day_share=day_share) for rate in self._rates)

    def take(self, cost: int = 1) -> Taken:
        """Wait until a request of this cost fits, and take it; `settle` it when its answer has come.

        Raises RetryLaterError when that would take longer than a minute, such as when the day's share is used up.
        """
        amounts = tuple(cost if rate.counts == "cost" else 1 for rate in self._rates)
        with self._turn:  # who waits for the same requests waits in line, and only the first one keeps asking
            while True:
                now = self._clock.now()
                with self._lock:
                    rates = tuple(watch.allowed(now, max(self._took, default=NO_TIME)) for watch in self._watches)
                    early = max((watch.early(now) for watch in self._watches), default=0.0)
                wait = self._pause_left(now) or early or self._ledger.take(self._account, rates, amounts, now)
                if wait <= 0:
                    return self._send(Taken(rates, amounts, now))
                if wait > LONGEST_WAIT.total_seconds():
                    raise RetryLaterError(
                        f"{self._account or 'this connection'}: its share of the CRM's requests is used up",
                        advice="Wait, or raise share or day_share of the connection; nothing was lost.",
                        after=timedelta(seconds=wait),
                    )
                again = LOOK_AGAIN if len(self._took) >= FEWEST_ANSWERS else LOOK_SOON
                self._clock.sleep(min(max(wait, SHORTEST_WAIT), again))

    def settle(self, taken: Taken) -> None:
        """Count a request from when the CRM did at the latest: its answer has just come, or never will.

        Once is enough; what comes after that changes nothing.
        """
        if taken.ours is not None:
            return
        now = self._clock.now()
        with self._lock:
            self._took.append(max(NO_TIME, now - taken.at))
            is_known = len(self._took) >= FEWEST_ANSWERS
            quickest = min(self._took) if is_known else NO_TIME
            first, self._first = (self._first, []) if is_known else ([], self._first)
            later = [watch.sent - mark for watch, mark in zip(self._watches, taken.marks, strict=True)]
        for before, at in first:  # what holds for those that come now held for them
            self._ledger.settle(self._account, before.rates, before.amounts, at, at - quickest)
        counted = self._ledger.settle(self._account, taken.rates, taken.amounts, taken.at, now - quickest)
        taken.ours = tuple(max(0, each - sent) for each, sent in zip(counted, later, strict=True))
        if not is_known:
            with self._lock:
                self._first.append((taken, now))

    def observe(self, usage: Usage, taken: Taken | None = None) -> None:
        """Heed what a reply says of a rate; `taken` is its request, already settled. Unknown rates are passed over."""
        place = next((place for place, rate in enumerate(self._rates) if rate.key == usage.rate), None)
        if place is None or usage.limit <= 0:
            return
        now = self._clock.now()
        if taken is not None and taken.ours is not None:
            ours = taken.ours[place]
        else:
            ours = self._ledger.used(self._account, self._rates[place], now)
        with self._lock:
            self._watches[place].observe(usage.limit, usage.limit - usage.remaining - ours, now)

    def pause(self, wait: timedelta) -> None:
        """Let nobody send anything for a while: the CRM said that we are too fast."""
        with self._lock:
            now = self._clock.now()
            self._pause = (now, max(now + wait, self._pause[1] if self._pause else now))

    def _send(self, taken: Taken) -> Taken:
        with self._lock:
            each = zip(self._watches, taken.amounts, strict=True)
            taken.marks = tuple(watch.send(amount, taken.at) for watch, amount in each)
        return taken

    def _pause_left(self, now: datetime) -> float:
        with self._lock:
            if self._pause is None or now < self._pause[0]:  # a clock that was put back since says nothing of it
                self._pause = None
                return 0.0
            return max(0.0, (self._pause[1] - now).total_seconds())
