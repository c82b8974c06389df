"""The rate budget: how many requests an account may be sent, counted for all threads and processes of a project."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from crmbridge.errors import RetryLaterError
from crmbridge.http.steering import DaySteering, Steering
from crmbridge.ledger import LocalLedger
from crmbridge.ports import Clock, Rate, RateLedger

__all__ = ["Budget", "Rate", "Usage"]

SHORTEST_WAIT = 0.005  # seconds
LONGEST_WAIT = timedelta(seconds=60)  # a budget that is spent for longer is left alone until the next run
A_DAY = 12 * 3600.0  # rates over at least so many seconds are daily ones
LOT = 8  # requests taken at once while there is plenty of room
AHEAD = timedelta(seconds=1)


class Usage(NamedTuple):
    """What a reply says of one rate: its limit, and how much of that is left for everybody who shares it."""

    rate: str  # the rate's key
    limit: int
    remaining: int


@dataclass(slots=True, eq=False)
class Taken:
    """What was taken for one request; given back to `settle` when its answer has come."""

    rates: tuple[Rate, ...]
    amounts: tuple[int, ...]
    at: datetime
    sent: datetime
    exactly: bool = True  # whether it is counted again when it is answered, however early that is
    marks: tuple[int, ...] = ()  # of each rate's steering
    counted: tuple[int, ...] | None = None  # of each rate, by all processes, once it is settled


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
        self._ledger = ledger or LocalLedger()
        self._account = account
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._pause: tuple[datetime, datetime] | None = None  # since when, and until when
        self._lot: list[Taken] = []  # taken ahead of their requests
        self._steering: tuple[Steering | DaySteering, ...] = tuple(
            DaySteering(rate, day_share) if rate.seconds >= A_DAY else Steering(rate, share) for rate in self._rates
        )

    def take(self, cost: int = 1) -> Taken:
        """Wait until a request of this cost fits, and take it; `settle` it when its answer has come.

        Raises RetryLaterError when that would take longer than a minute, such as when the day's share is used up.
        """
        amounts = tuple(cost if rate.counts == "cost" else 1 for rate in self._rates)
        with self._turn:  # who waits for the same requests waits in line, and only the first one keeps asking
            while True:
                now = self._clock.now()
                wait = self._pause_left(now)
                if wait <= 0:
                    found = self._try(amounts, now)
                    if isinstance(found, Taken):
                        return found
                    wait = found
                if wait > LONGEST_WAIT.total_seconds():
                    raise RetryLaterError(
                        f"{self._account or 'this connection'}: its share of the CRM's requests is used up",
                        advice="Wait, or raise share or day_share of the connection; nothing was lost.",
                        after=timedelta(seconds=wait),
                    )
                self._clock.sleep(max(wait, SHORTEST_WAIT))

    def settle(self, taken: Taken) -> None:
        """Count a request from now on: its answer has just come, or never will."""
        now = self._clock.now()
        if taken.exactly or now > taken.at:  # else it counts from later on already
            taken.counted = self._ledger.settle(self._account, taken.rates, taken.amounts, taken.at, now)
            taken.at = now
        with self._lock:
            for steering in self._steering:
                steering.answer(id(taken), now.timestamp(), taken.at.timestamp())

    def observe(self, usage: Usage, taken: Taken | None = None) -> None:
        """Heed what the reply to a request, already settled, says of a rate. Unknown rates are passed over."""
        place = next((place for place, rate in enumerate(self._rates) if rate.key == usage.rate), None)
        if place is None or usage.limit <= 0:
            return
        now = self._clock.now()
        if taken is None:
            counted: int | None = self._ledger.used(self._account, self._rates[place], now)
        else:
            counted = taken.counted[place] if taken.counted else None
        with self._lock:
            steering = self._steering[place]
            sent = (taken.sent.timestamp(), taken.marks[place]) if taken else (now.timestamp(), steering.mark)
            steering.observe((usage.limit, usage.remaining), counted, sent, now.timestamp())

    def pause(self, wait: timedelta) -> None:
        """Let nobody send anything for a while: the CRM said that we are too fast."""
        with self._lock:
            now = self._clock.now()
            self._pause = (now, max(now + wait, self._pause[1] if self._pause else now))

    def _try(self, amounts: tuple[int, ...], now: datetime) -> Taken | float:
        """Take a request, or give the seconds until it may fit."""
        time = now.timestamp()
        if self._lot and self._lot[-1].amounts == amounts and now < self._lot[-1].at:
            return self._send(self._lot.pop(), now)
        with self._lock:
            rooms = [steering.room(time) for steering in self._steering]
            plenty = bool(rooms) and all(steering.plenty(LOT, time) for steering in self._steering)
        pause = max((pause for _, pause in rooms), default=0.0)
        if pause > 0:
            return pause
        rates = tuple(
            rate._replace(requests=room, name=rate.key) for rate, (room, _) in zip(self._rates, rooms, strict=True)
        )
        if plenty and self._take_lot(rates, amounts, now):
            return self._send(self._lot.pop(), now)
        wait = self._ledger.take(self._account, rates, amounts, now)
        if wait > LONGEST_WAIT.total_seconds():
            return wait
        if wait > 0:
            with self._lock:
                return min(steering.patience(wait) for steering in self._steering)
        return self._send(Taken(rates, amounts, now, now), now)

    def _take_lot(self, rates: tuple[Rate, ...], amounts: tuple[int, ...], now: datetime) -> bool:
        """Take many at once, counted from when the last of them may go out: they need no count of their own."""
        ahead = min(AHEAD, timedelta(seconds=min(rate.seconds for rate in rates) / 10))
        lot = tuple(LOT * amount for amount in amounts)
        if self._ledger.take(self._account, rates, lot, now, ahead) > 0:
            return False
        self._lot = [Taken(rates, amounts, now + ahead, now, exactly=place == LOT - 1) for place in range(LOT)]
        return True

    def _send(self, taken: Taken, now: datetime) -> Taken:
        taken.sent = now
        with self._lock:
            each = zip(self._steering, taken.amounts, strict=True)
            taken.marks = tuple(steering.send(id(taken), amount, now.timestamp()) for steering, amount in each)
        return taken

    def _pause_left(self, now: datetime) -> float:
        with self._lock:
            if self._pause is None or now < self._pause[0]:  # a clock that was put back since says nothing of it
                self._pause = None
                return 0.0
            return max(0.0, (self._pause[1] - now).total_seconds())
