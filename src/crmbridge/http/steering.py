"""Steering by what replies say of a rate: what others use of it, what they may use next, and what is left for us."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import inf

from crmbridge.engine.pacing import SLOTS
from crmbridge.ports import Rate

SPARE = 0.02  # of a day that others use too; their next request can't be foreseen
AGREEING = 3  # replies in a row that must say that others have come: one alone may have been overtaken
LOOK_BACK = 1.0  # seconds over which it is seen how fast others' use grows
FEW_ANSWERS = 16  # before so many nobody knows how long an answer takes at least
NEWCOMER = 0.5  # of the rate: what another app may send that has just come and that nobody has seen yet
LOOK_AGAIN = 0.02  # seconds; each answer may make room
LATE = 3  # requests that were not ready when their time came may follow at once
AT_ONCE = 0.5  # of what is allowed goes out as fast as it can; what follows is spread, so that no window is full early


class Tally:
    """Amounts with their times, such that what came after a time is found at once."""

    def __init__(self) -> None:
        self.total = 0
        self._times: list[float] = []
        self._totals: list[int] = []
        self._gone = 0  # the total up to what is forgotten

    def add(self, amount: int, at: float, oldest: float) -> None:
        """Add an amount, and forget now and then what is older than `oldest`."""
        if self._times and at < self._times[-1]:
            at = self._times[-1]
        self.total += amount
        self._times.append(at)
        self._totals.append(self.total)
        if len(self._times) > 64 and self._times[len(self._times) // 2] < oldest:
            old = bisect_right(self._times, oldest)
            self._gone = self._totals[old - 1]
            del self._times[:old], self._totals[:old]

    def until(self, time: float) -> int:
        """Give the total of what came until then."""
        place = bisect_right(self._times, time)
        return self._totals[place - 1] if place else self._gone

    def at(self, amount: int) -> float:
        """Give the time when the total came to so much."""
        place = bisect_right(self._totals, amount)
        return self._times[place - 1] if place else -inf


class Steering:
    """One rate as this process sees it: its own requests, and of others what the replies tell. Times are in seconds.

    A CRM that refuses and counts at the same point of its work, wherever that is, counts no two requests closer
    together than they were sent but for how much longer than the fastest one an answer took. One that refuses when a
    request comes and counts when it answers has not counted what is under way. `room` keeps to both.
    """

    def __init__(self, rate: Rate, share: float) -> None:
        self.limit = rate.requests
        self._seconds = rate.seconds
        self._share = share
        self._sent = Tally()
        self._answered = Tally()
        self._under_way: dict[int, tuple[float, int]] = {}
        self._took: deque[float] = deque(maxlen=128)  # seconds until each of the last answers
        self._others: deque[tuple[float, int]] = deque()  # by the time of sending of the request that was answered
        self._said: deque[tuple[float, int]] = deque(maxlen=AGREEING)
        self._pace = 0.0  # by how much a second others' use grows
        self._elsewhere = 0  # used by other processes of the project
        self._reset = -inf  # when a window that does not move began
        self._due = -inf
        self._kept = rate.requests  # of what we may use, what is not kept for others that nobody has seen yet

    @property
    def mark(self) -> int:
        """How much we have sent altogether."""
        return self._sent.total

    # ── Our own requests ────────────────────────────────────────────────────────────────────────────────

    def send(self, number: int, amount: int, now: float) -> int:
        """Note that a request goes out, and give its mark: how much we had sent with it."""
        if self._sent.total and now < self._due - 10 * self._seconds:
            self._due = now  # the clock was put back
        self._sent.add(amount, now, now - 3 * self._seconds)
        self._under_way[number] = (now, amount)
        gap = self._seconds / self._kept
        self._due = max(self._due, now - LATE * gap) + amount * gap
        return self._sent.total

    def answer(self, number: int, now: float, counts_from: float) -> None:
        """Note that its answer has come, or never will, and from when the ledger counts it."""
        sent, amount = self._under_way.pop(number, (now, 0))
        self._answered.add(amount, counts_from, now - 3 * self._seconds)
        self._took.append(max(0.0, now - sent))

    def patience(self, wait: float) -> float:
        """Give after how many seconds it is worth asking the ledger again, which says that it has room after `wait`."""
        sooner = wait - self._least()
        if not self._others:
            return sooner
        return min(sooner, LOOK_AGAIN if self._under_way else LOOK_BACK)

    def plenty(self, lot: int, now: float) -> bool:
        """Tell whether a lot may be taken at once: we do send many, and there is room for many more."""
        counted = self._sent.total - self._answered.until(now - self._seconds)
        return lot <= counted and counted + lot <= AT_ONCE * self._kept

    def room(self, now: float) -> tuple[int, float]:
        """Give how much may be counted in the ledger now, and the seconds to wait because of pace alone."""
        start = now - self._seconds
        answered = self._answered.until(start)
        early = self._answered.until(start + self._least()) - answered
        flying = sum(amount for sent, amount in self._under_way.values() if sent > start)
        others = self._most(now)
        if not self._under_way and self._others and now - self._others[-1][0] > LOOK_BACK:
            others = self._level(now)  # one goes out to look
        left = min(int(self.limit * self._share), self.limit - others)
        self._kept = kept = max(1, min(left, self.limit - others - self._newcomers(now)))
        counted = self._sent.total - answered - early
        pause = self._due - now if counted > AT_ONCE * kept else 0.0
        return max(1, min(left + flying, kept + early)), max(0.0, pause)

    def _least(self) -> float:
        """Give the seconds that every answer takes."""
        return min(self._took) if len(self._took) >= FEW_ANSWERS else 0.0

    # ── Others' ─────────────────────────────────────────────────────────────────────────────────────────

    def observe(self, usage: tuple[int, int], counted: int | None, sent: tuple[float, int], now: float) -> None:
        """Heed the limit and what is left of it by the reply to a request that was sent at a time, with a mark.

        `counted` is what the ledger holds, where it was asked.
        """
        self.limit, remaining = usage
        at, mark = sent
        # Slots make the ledger count a little longer than we do; that is nobody else's.
        own = self._sent.total - self._answered.until(now - self._seconds * (1 + 3 / SLOTS))
        self._elsewhere = self._elsewhere if counted is None else max(0, counted - own)
        used = self.limit - remaining
        others = used - self._elsewhere - (mark - self._sent.until(max(at - self._seconds, self._reset)))
        if others < -(self.limit // 20 + len(self._under_way)):  # more is left than a moving window could leave
            self._reset = self._sent.at(mark - used)
            others = 0
        self._said.append((at, others))
        self._agree(now)

    def _agree(self, now: float) -> None:
        """Believe the least of what the last replies say; one alone may have been overtaken on its way."""
        newest = max(sent for sent, _ in self._said)
        fresh = [(sent, others) for sent, others in self._said if sent > newest - LOOK_BACK]
        while self._others and self._others[0][0] <= now - self._seconds - LOOK_BACK:
            self._others.popleft()
        self._others.append((min(sent for sent, _ in fresh), max(0, min(others for _, others in fresh))))
        self._set_pace()

    def _most(self, now: float) -> int:
        """Give the most that others may have used of a window by now: what they did, and at their pace more since."""
        if not self._others or now - self._others[-1][0] >= self._seconds:
            return 0
        latest, amount = self._others[-1]
        return self._level(now) + max(0, round(self._pace * (now - latest)) - self._level(now) + amount)

    def _level(self, now: float) -> int:
        return max((amount for sent, amount in self._others if now - sent < self._seconds), default=0)

    def _set_pace(self) -> None:
        """Work out by how much a second others' use grows, from what was said a while ago."""
        latest, amount = self._others[-1]
        past = (each for each in reversed(self._others) if each[0] <= latest - LOOK_BACK)
        sent, before = next(past, self._others[0])
        self._pace = min(max(0, amount - before) / max(latest - sent, LOOK_BACK), self.limit / self._seconds)

    def _newcomers(self, now: float) -> int:
        """Give what another app may have sent since the last request that a reply tells of."""
        if not self._others or now - self._others[-1][0] > 2 * self._seconds:
            return 0
        unseen = min(now - self._others[-1][0], self._seconds if self._under_way else LOOK_BACK)
        return 1 + int(NEWCOMER * (self.limit - self._level(now)) / self._seconds * unseen)


class DaySteering:
    """A day's rate: what others have used of it does not pass within one, so the last that was said counts."""

    def __init__(self, rate: Rate, share: float) -> None:
        self.limit = rate.requests
        self._seconds = rate.seconds
        self._share = share
        self._others: tuple[float, int] = (-inf, 0)
        self.mark = 0

    def send(self, _number: int, _amount: int, _now: float) -> int:
        """Pass over our requests: the ledger knows enough of them."""
        return 0

    def answer(self, _number: int, _now: float, _counts_from: float) -> None:
        """Pass over their answers, too."""

    def patience(self, wait: float) -> float:
        """Wait for the ledger."""
        return wait

    def plenty(self, _lot: int, _now: float) -> bool:
        """Leave it to the ledger."""
        return True

    def room(self, now: float) -> tuple[int, float]:
        """Give how much may be counted in the ledger now; there is no pace in a day."""
        seen, others = self._others
        used = others + round(self.limit * SPARE) if others and now - seen < self._seconds else 0
        return max(1, min(int(self.limit * self._share), self.limit - used)), 0.0

    def observe(self, usage: tuple[int, int], counted: int | None, _sent: tuple[float, int], now: float) -> None:
        """Heed what a reply says; what is under way counts as ours already, so this is rather too little than much."""
        self.limit, remaining = usage
        if counted is not None:
            self._others = (now, max(0, self.limit - remaining - counted))
