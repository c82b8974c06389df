"""The rate budget beside other apps of the account: in virtual time, against CRMs that count in each way we know of."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from crmbridge.http import Budget, Rate, Usage
from crmbridge.http.budget import Taken
from crmbridge.testing.factories import NOON

LIMIT, WINDOW = 190, 10.0  # "API usage guidelines and limits" (HubSpot); whether the window moves is not confirmed
COMES = 20.0  # seconds after which another app comes
ENDS = 60.0


class Timetable:
    """A clock that does what is due while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """Give the time."""
        return NOON + timedelta(seconds=self.time)

    def sleep(self, seconds: float) -> None:
        """Let time pass, and do what falls into it."""
        end = self.time + seconds
        while self._due and self._due[0][0] <= end:
            self.next()
        self.time = max(self.time, end)

    def at(self, time: float, do: Callable[[], None]) -> None:
        """Do something then."""
        self._count += 1
        heapq.heappush(self._due, (time, self._count, do))

    def next(self) -> None:
        """Do what is due first."""
        time, _, do = heapq.heappop(self._due)
        self.time = max(self.time, time)
        do()


@dataclass(kw_only=True)
class Crm:
    """Counts requests in a window that moves, or in one that begins anew every ten seconds."""

    clock: Timetable
    fixed: bool
    taken: deque[float] = field(default_factory=deque)

    @property
    def left(self) -> int:
        """How many more fit now."""
        began = (self.clock.time + 3.3) // WINDOW * WINDOW - 3.3 if self.fixed else self.clock.time - WINDOW
        while self.taken and self.taken[0] <= began:
            self.taken.popleft()
        return LIMIT - len(self.taken)

    def count(self) -> None:
        """Count a request."""
        self.taken.append(self.clock.time)


@dataclass(kw_only=True)
class Way:
    """After which part of its time a CRM counts a request, or refuses it."""

    handled: float = 0.0


ARRIVAL, MIDDLE, ANSWER = Way(), Way(handled=0.5), Way(handled=1.0)
WAYS = {"at arrival": ARRIVAL, "in between": MIDDLE, "at the answer": ANSWER}


@dataclass(kw_only=True)
class Scene:
    """Eight readers, or as many as slow answers need, and another app."""

    fixed: bool = False
    way: Way = field(default_factory=Way)
    answers: tuple[float, float] = (0.3, 0.3)
    others: Iterator[float] = field(default_factory=lambda: iter(()))
    seed: int = 1
    sent: list[float] = field(default_factory=list)  # when our requests were let in
    refused: list[float] = field(default_factory=list)
    others_refused: list[float] = field(default_factory=list)
    share: float = 1

    def run(self) -> Scene:
        """Send as much as the budget gives."""
        self._clock = Timetable()
        self._crm = Crm(clock=self._clock, fixed=self.fixed)
        self._budget = Budget([Rate(LIMIT, WINDOW, "burst")], self._clock, share=self.share)
        self._random, self._under_way = random.Random(self.seed), 0
        for time in self.others:
            self._clock.at(time, self._let_another_in)
        while self._clock.time < ENDS:
            while self._under_way >= max(8, 20 * self.answers[1]):
                self._clock.next()
            self._send(self._budget.take())
        return self

    def used(self, since: float) -> float:
        """Give how many requests of ours were let in within one window, on average."""
        return sum(WINDOW for time in self.sent if since < time <= ENDS) / (ENDS - since)

    def _send(self, taken: Taken) -> None:
        self._under_way += 1
        takes, said = self._random.uniform(*self.answers), dict[str, int]()
        self._clock.at(self._clock.time + takes * self.way.handled, lambda: self._handle(said))
        self._clock.at(self._clock.time + takes, lambda: self._answer(taken, said))
        self._clock.sleep(0)

    def _handle(self, said: dict[str, int]) -> None:
        admitted = self._crm.left > 0
        (self.sent if admitted else self.refused).append(self._clock.time)
        if admitted:
            self._crm.count()
        said["left"] = self._crm.left

    def _answer(self, taken: Taken, said: dict[str, int]) -> None:
        self._under_way -= 1
        self._budget.settle(taken)
        self._budget.observe(Usage("burst", LIMIT, said["left"]), taken)

    def _let_another_in(self) -> None:
        if self._crm.left > 0:
            self._crm.count()
        else:
            self.others_refused.append(self._clock.time)


def steadily(a_second: float) -> Iterator[float]:
    """Give the times of an app that comes and asks steadily."""
    return (COMES + number / a_second for number in range(int((ENDS - COMES) * a_second)))


def in_bursts(size: int, every: float) -> Iterator[float]:
    """Give the times of an app that comes before we do, and asks for many things at once every now and then."""
    return (0.001 * number + every * burst for burst in range(int(ENDS / every)) for number in range(size))


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("fixed", [False, True], ids=["moving", "fixed"])
@pytest.mark.parametrize("answers", [(0.05, 0.05), (0.3, 0.3), (0.27, 0.33), (2, 2), (0.05, 2)])
def test_alone_we_are_never_refused(way: Way, fixed: bool, answers: tuple[float, float]) -> None:  # noqa: FBT001
    """Wherever the CRM counts and whatever its window; where answers take as long as they do, hardly any is unused."""
    scene = Scene(way=way, fixed=fixed, answers=answers).run()

    assert [] == scene.refused
    if answers[1] < 1:
        assert 0.95 * LIMIT <= scene.used(COMES)


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("answers", [(0.05, 0.05), (0.3, 0.3), (0.27, 0.33)])
def test_an_app_that_comes_and_takes_half_is_left_its_half(way: Way, answers: tuple[float, float]) -> None:
    """We are never refused, use nearly all of our half from ten seconds after it came, and from then on it is not."""
    scene = Scene(way=way, answers=answers, share=0.8, others=steadily(LIMIT / WINDOW / 2)).run()

    assert [] == scene.refused
    assert 0.9 * LIMIT / 2 <= scene.used(COMES + WINDOW) <= LIMIT / 2
    assert 0.05 * len(list(steadily(LIMIT / WINDOW / 2))) >= sum(time > COMES + WINDOW for time in scene.others_refused)


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("answers", [(0.3, 0.3), (0.27, 0.33)])
def test_where_a_window_begins_anew_others_are_known_ten_seconds_later(way: Way, answers: tuple[float, float]) -> None:
    """What was sent before such a window is full is not left to others; the next one is."""
    scene = Scene(way=way, fixed=True, answers=answers, share=0.8, others=steadily(LIMIT / WINDOW / 2)).run()

    assert [] == [time for time in scene.refused if time > COMES + WINDOW]
    assert 0.9 * LIMIT / 2 <= scene.used(COMES + WINDOW)


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("fixed", [False, True], ids=["moving", "fixed"])
def test_an_app_that_comes_in_bursts_is_known_after_its_first(way: Way, fixed: bool) -> None:  # noqa: FBT001
    """Nobody can foresee the first; what an app took of one window is left to it in the next."""
    scene = Scene(way=way, fixed=fixed, share=0.8, others=in_bursts(80, WINDOW)).run()

    assert [] == [time for time in scene.refused if time > 1]
    assert scene.used(COMES) <= LIMIT - 80
