"""The rate budget: never more requests than allowed, and no needless waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.errors import LockedError, RetryLaterError
from crmbridge.http import Budget, Rate, Usage
from crmbridge.http.budget import Taken
from crmbridge.ledger import HeldLedger, LocalLedger
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.store.memory import MemoryStore
from crmbridge.testing.factories import NOON


@given(st.integers(1, 20), st.integers(1, 5), st.lists(st.floats(0, 2), max_size=60))
def test_no_window_holds_more_than_the_rate(count: int, seconds: int, pauses: list[float]) -> None:
    """However requests come, any window of the rate's length holds at most its count."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(count, seconds)], clock, share=1)
    times = []
    for pause in pauses:
        clock.sleep(pause)
        budget.take()
        times.append(clock.now())

    for first, beyond in zip(times, times[count:], strict=False):
        assert beyond - first >= timedelta(seconds=seconds) - timedelta(milliseconds=1)


def test_the_rate_is_used_to_the_full() -> None:
    """A hundred requests at ten a second take nine seconds, not more."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(10, 1)], clock, share=1)
    for _ in range(100):
        budget.take()

    assert timedelta(seconds=9) <= clock.now() - NOON < timedelta(seconds=9.5)


def test_only_a_share_is_taken() -> None:
    """Other apps of the account keep their part: four of five by default."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(5, 1)], clock)
    for _ in range(5):
        budget.take()

    assert clock.now() - NOON >= timedelta(seconds=1)


def test_whoever_lost_the_state_is_let_through_no_more() -> None:
    """Not even one that waits for its turn already; what was sent before is still counted."""
    clock, store = VirtualClock(NOON), MemoryStore()
    again = store.again()
    budget = Budget([Rate(1, 60)], clock, share=1, ledger=HeldLedger(LocalLedger(), store.runs.must_hold))
    with store.runs.lease("r1", NOON, timedelta(seconds=30)):
        taken = budget.take()
        clock.sleep(30)
        with again.runs.lease("r2", clock.now(), timedelta(minutes=5)):
            budget.settle(taken)
            with pytest.raises(LockedError, match="took it over"):
                budget.take()

    assert NOON + timedelta(seconds=30) == clock.now()


def test_a_pause_holds_everybody() -> None:
    """When the CRM says wait, nobody sends before that."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 1)], clock)
    budget.pause(timedelta(seconds=8))
    budget.pause(timedelta(seconds=3))
    budget.take()

    assert timedelta(seconds=8) == clock.now() - NOON


def test_a_clock_that_is_put_back_prolongs_no_pause() -> None:
    """A machine's clock is put right by an hour: nobody waits for that hour, nor gives up because of it."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 1)], clock)
    budget.pause(timedelta(seconds=8))
    clock.advance(-timedelta(hours=1))
    budget.take()

    assert NOON - timedelta(hours=1) == clock.now()


def test_threads_share_one_budget() -> None:
    """Eight threads together send no more than one would."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(20, 1)], clock, share=1)
    threads = [threading.Thread(target=lambda: [budget.take() for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.now() - NOON >= timedelta(seconds=3)


def test_a_request_counts_until_a_window_after_its_answer() -> None:
    """The CRM counts a request some time before its answer comes, so we count it longer, and are never one too many."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(1, 10)], clock, share=1)
    taken = budget.take()
    clock.sleep(3)
    budget.settle(taken)
    budget.take()

    assert timedelta(seconds=13) <= clock.now() - NOON < timedelta(seconds=13.1)


def test_slow_answers_cost_no_more_than_their_own_time() -> None:
    """At 300 ms an answer, eight callers use more than 95 % of a limit of 190 in ten seconds."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(190, 10)], clock, share=1)
    under_way: list[tuple[datetime, Taken]] = []
    for _ in range(1000):
        if len(under_way) == 8:
            due, taken = under_way.pop(0)
            clock.sleep((due - clock.now()).total_seconds())
            budget.settle(taken)
        taken = budget.take()
        under_way.append((clock.now() + timedelta(seconds=0.3), taken))

    assert 1000 / 19 * 1.05 >= (clock.now() - NOON).total_seconds()


def test_twenty_answers_are_enough_to_know_the_quickest() -> None:
    """At 300 ms an answer, only the first twenty cost the time of an answer more."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(1, 2)], clock, share=1)
    for _ in range(60):
        taken = budget.take()
        clock.sleep(0.3)
        budget.settle(taken)

    assert 60 * 2 + 20 * 0.3 + 0.5 >= (clock.now() - NOON).total_seconds()


def test_then_the_first_ones_count_no_longer_than_the_others() -> None:
    """Twenty at once, answered after 300 ms: the next one goes two seconds after them, not after their answers."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(20, 2)], clock, share=1)
    taken = [budget.take() for _ in range(20)]
    clock.sleep(0.3)
    for each in taken:
        budget.settle(each)
    budget.take()

    assert timedelta(seconds=2) <= clock.now() - NOON < timedelta(seconds=2.05)


def test_who_waits_already_goes_then_as_well() -> None:
    """It begins to wait before the last of the first twenty is answered, for longer than it then has to."""
    clock = AnsweringClock()
    budget = Budget([Rate(20, 2)], clock, share=1)
    for sent in [0.0] * 19 + [1.2]:
        clock.sleep((NOON + timedelta(seconds=sent) - clock.now()).total_seconds())
        clock.answers.append((clock.now() + timedelta(seconds=0.3), partial(budget.settle, budget.take())))
    clock.sleep(0.1)
    budget.take()

    assert timedelta(seconds=2) <= clock.now() - NOON < timedelta(seconds=2.15)


@given(st.floats(0, 1), st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=39, max_size=59))
def test_nor_do_the_first_ones_bring_one_too_many(point: float, steps: list[tuple[float, float]]) -> None:
    """Ten are sent at once, and ten more when all are answered; the CRM may take its time before and after it counts.

    It never counts more than ten in five seconds, although the first twenty were settled as if it counted late.
    """
    clock = VirtualClock(NOON)
    budget = Budget([Rate(10, 5)], clock, share=1)
    counted: list[datetime] = []
    rest = [(0.0, 0.0), *steps]
    while rest:
        lot, rest = [(budget.take(), clock.now(), before, after) for before, after in rest[:10]], rest[10:]
        counted += [sent + timedelta(seconds=before + point) for _, sent, before, _ in lot]
        for taken, sent, before, after in sorted(lot, key=lambda each: each[1] + timedelta(seconds=each[2] + each[3])):
            clock.sleep(max(0.0, (sent - clock.now()).total_seconds() + before + 1 + after))
            budget.settle(taken)

    counted.sort()
    for first, one_too_many in zip(counted, counted[10:], strict=False):
        assert one_too_many - first >= timedelta(seconds=5) - timedelta(milliseconds=1)


def test_the_limit_that_the_crm_names_replaces_ours() -> None:
    """An account that may do more than we were told is used more, and one that may do less is spared."""
    clock = VirtualClock(NOON)
    rate = Rate(10, 1, name="burst")
    generous, mean = Budget([rate], clock, share=1), Budget([rate], clock, share=1)
    generous.observe(Usage("burst", 100, 100))
    mean.observe(Usage("burst", 5, 5))

    assert [100, 5] == [_at_once(budget, clock) for budget in (generous, mean)]


def test_what_others_use_is_left_to_them() -> None:
    """Where the CRM counted more than we sent, the rest was another app's, and so much less is ours."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 10, name="burst")], clock, share=1)
    budget.take()
    budget.observe(Usage("burst", 100, 49))  # 51 used, one of them by us

    assert 100 - 50 - 2 - 1 == _in_a_window(budget, clock)


def test_beside_others_each_request_goes_at_its_time() -> None:
    """A window that we fill at once is full for them until it is over."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 10, "burst")], clock, share=1)
    for _ in range(3):
        budget.observe(Usage("burst", 100, 50))
    times = []
    for _ in range(10):
        budget.take()
        times.append(clock.now())

    gaps = [other - one for one, other in pairwise(times)]
    assert timedelta(seconds=0.2) <= min(gaps) <= max(gaps) < timedelta(seconds=0.25)


def test_an_answer_does_not_count_what_was_sent_after_its_request() -> None:
    """Else two of fifty that are another app's would be taken for ours, and sent on top."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 10, "burst")], clock, share=1)
    first, *_ = [budget.take() for _ in range(3)]
    budget.settle(first)
    budget.observe(Usage("burst", 100, 49), first)  # 51 used, one of them by us

    assert 100 - 50 - 2 - 3 == _in_a_window(budget, clock)


def test_of_a_day_nothing_is_spread_over_its_hours() -> None:
    """What another app uses of a day is left to it; a run of ours does not take until midnight for that."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 86_400, "day")], clock, day_share=1)
    budget.observe(Usage("day", 100, 50))

    assert 100 - 50 - 2 == _at_once(budget, clock)


def test_of_a_day_each_answer_counts() -> None:
    """What was used of it does not come back before it is over, so the last answer knows best."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 86_400, "day")], clock, day_share=1)
    for remaining in (90, 40):
        budget.observe(Usage("day", 100, remaining))

    assert 100 - 60 - 2 == _at_once(budget, clock)


def test_a_share_of_one_request_is_one() -> None:
    """Else nothing would ever be sent."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(1, 1, "burst")], clock, share=0.5)
    budget.take()

    assert clock.now() == NOON


def test_one_answer_that_was_overtaken_tells_of_no_other_app() -> None:
    """Answers overtake each other: only what three of them say in a row is another app's."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 10, "burst")], clock, share=1)
    for remaining in (100, 40, 100):
        budget.observe(Usage("burst", 100, remaining))

    assert 100 == _at_once(budget, clock)


def test_a_request_or_two_are_no_other_app() -> None:
    """They may be our own, overtaken on their way; the window is used at once as if nobody else were there."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 10, "burst")], clock, share=1)
    for _ in range(3):
        budget.observe(Usage("burst", 100, 98))

    assert 100 == _at_once(budget, clock)


def test_a_clock_that_is_put_back_leaves_nothing_to_others_of_later() -> None:
    """Until it is that late again, nobody would know that they went away, nor that it is our turn."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 10, "burst")], clock, share=1)
    for _ in range(3):
        budget.observe(Usage("burst", 100, 50))
    budget.take()
    clock.advance(timedelta(hours=-1))
    before = clock.now()
    for _ in range(20):
        budget.take()

    assert clock.now() - before < timedelta(seconds=1)


def test_a_limit_of_nothing_is_none() -> None:
    """An answer that names 0 as the limit does not mean that one request in ten seconds is allowed."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 10, "burst")], clock, share=1)
    budget.observe(Usage("burst", 0, 0))

    assert 100 == _at_once(budget, clock)


def test_what_a_request_costs_counts_for_the_day_only() -> None:
    """A list that costs twenty tokens is one request to the limit of requests."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(10, 2, "burst"), Rate(10_000, 86_400, "day", "cost")], clock, share=1)
    for _ in range(10):
        budget.take(20)

    assert clock.now() == NOON


def test_what_is_settled_twice_counts_once() -> None:
    """Once when its answer begins, and again at its end, however that comes; what others sent stays where it is."""
    clock, ledger, rate = VirtualClock(NOON), LocalLedger(), Rate(10, 10, "burst")
    budget = Budget([rate], clock, share=1, ledger=ledger)
    one, other = budget.take(), budget.take()
    for taken in (one, one, other):
        clock.sleep(1)
        budget.settle(taken)

    assert 2 == ledger.used("", rate, clock.now())


def test_others_that_went_away_are_forgotten_within_a_window() -> None:
    """Ten seconds after the other app stopped, its half is ours again."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 10, name="burst")], clock, share=1)
    budget.observe(Usage("burst", 100, 50))
    clock.sleep(10.1)
    budget.observe(Usage("burst", 100, 100))

    assert 100 == _at_once(budget, clock)


def test_a_window_that_is_over_to_the_second_is_over() -> None:
    """A day after the day was used up, there is a day's worth again."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 86_400, name="day")], clock, day_share=1)
    budget.observe(Usage("day", 100, 0))
    clock.sleep(86_400)

    assert 100 == _at_once(budget, clock)


def test_a_share_is_left_to_other_apps() -> None:
    """Of a short rate `share` is used, of a daily one `day_share`."""
    clock = VirtualClock(NOON)
    short = Budget([Rate(100, 10)], clock, share=0.5, day_share=1)
    daily = Budget([Rate(100, 86_400)], clock, share=1, day_share=0.25)

    assert [50, 25] == [_at_once(budget, clock) for budget in (short, daily)]


def test_a_spent_day_ends_the_run() -> None:
    """Nobody sits out a day: the error says how long it takes."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(10, 86_400, counts="cost")], clock, day_share=1, account="pd")
    budget.take(cost=10)

    with pytest.raises(RetryLaterError, match="pd: its share") as caught:
        budget.take(cost=1)
    assert caught.value.after is not None
    assert timedelta(hours=23) < caught.value.after <= timedelta(hours=25)


def test_costs_and_requests_are_counted_apart() -> None:
    """A dear request takes much of the day's tokens, and one place in the burst."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(5, 2), Rate(1000, 86_400, counts="cost")], clock, share=1, day_share=1)
    for _ in range(5):
        budget.take(cost=200)

    with pytest.raises(RetryLaterError):
        budget.take(cost=1)


def test_two_budgets_share_one_ledger() -> None:
    """Two processes of one project are one client to the CRM."""
    clock = VirtualClock(NOON)
    ledger = LocalLedger()
    one, other = (Budget([Rate(10, 10)], clock, share=1, ledger=ledger, account="hs") for _ in range(2))
    for _ in range(6):
        one.take()

    assert 4 == _at_once(other, clock)


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2)), max_size=20),
)
def test_the_crm_never_counts_more_than_the_limit(count: int, steps: list[tuple[float, float]]) -> None:
    """Whenever between sending and answer the CRM counts a request, no window of its own holds too many.

    So long as too few answers came to know the quickest.
    """
    clock = VirtualClock(NOON)
    budget = Budget([Rate(count, 5)], clock, share=1)
    counted: list[tuple[datetime, datetime]] = []
    for pause, answer in steps:
        clock.sleep(pause)
        taken = budget.take()
        sent = clock.now()
        clock.sleep(answer)
        budget.settle(taken)
        counted.append((sent, clock.now()))

    # The worst case: the first is counted as late as can be, the one too many as early as can be.
    for (_, late), (early, _) in zip(counted, counted[count:], strict=False):
        assert early - late >= timedelta(seconds=5) - timedelta(milliseconds=1)


@given(
    st.integers(1, 12),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2), st.floats(0, 2)), min_size=20, max_size=50),
)
def test_nor_does_it_once_the_quickest_answer_is_known(
    count: int, point: float, steps: list[tuple[float, float, float]]
) -> None:
    """It counts at one point of its work, and may take its time before and after; the first one is the quickest."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(count, 5)], clock, share=1)
    counted: list[datetime] = []
    for pause, before, after in [(0.0, 0.0, 0.0), *steps]:
        clock.sleep(pause)
        taken = budget.take()
        clock.sleep(before + point)
        counted.append(clock.now())
        clock.sleep(after + 1 - point)
        budget.settle(taken)

    for first, one_too_many in zip(counted, counted[count:], strict=False):
        assert one_too_many - first >= timedelta(seconds=5) - timedelta(milliseconds=1)


def _at_once(budget: Budget, clock: VirtualClock) -> int:
    """Count how many requests go out before one has to wait."""
    start, count = clock.now(), 0
    while clock.now() == start:
        try:
            budget.take()
        except RetryLaterError:
            return count
        count += 1
    return count - 1


def _in_a_window(budget: Budget, clock: VirtualClock) -> int:
    """Count how many requests go out within ten seconds, each at its time."""
    end, count = clock.now() + timedelta(seconds=10), 0
    while True:
        budget.take()
        if clock.now() >= end:
            return count
        count += 1


class AnsweringClock(VirtualClock):
    """A clock at which answers come while one waits."""

    def __init__(self) -> None:
        super().__init__(NOON)
        self.answers: list[tuple[datetime, Callable[[], None]]] = []

    def sleep(self, seconds: float) -> None:
        """Let time pass, and answers come when they are due."""
        until = self.now() + timedelta(seconds=seconds)
        while self.answers and self.answers[0][0] <= until:
            due, come = self.answers.pop(0)
            super().sleep((due - self.now()).total_seconds())
            come()
        super().sleep((until - self.now()).total_seconds())


class MeetingClock(VirtualClock):
    """A clock at which two who wait at the same time see each other."""

    def __init__(self) -> None:
        super().__init__(NOON)
        self.met = False
        self._meeting = threading.Barrier(2)

    def sleep(self, seconds: float) -> None:
        """Look round for another one who waits, then let time pass."""
        try:
            self._meeting.wait(timeout=0.1)
            self.met = True
        except threading.BrokenBarrierError:
            self._meeting.reset()
        super().sleep(seconds)


def test_who_waits_for_the_same_requests_waits_in_line() -> None:
    """Of many readers only the first one in line keeps asking the ledger; the others would all wake for one request."""
    clock = MeetingClock()
    budget = Budget([Rate(1, 1)], clock, share=1)
    budget.take()
    threads = [threading.Thread(target=budget.take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert timedelta(seconds=3) <= clock.now() - NOON < timedelta(seconds=3.5)
    assert not clock.met


def test_an_answer_that_tells_of_an_earlier_time_forgets_nothing_sent_since() -> None:
    """One answer is settled three seconds back, by more than a window of two; what is under way still counts."""
    ledger, rate = LocalLedger(), Rate(10, 2, "burst")
    ledger.take("", [rate], [1], NOON)
    ledger.take("", [rate], [1], NOON + timedelta(seconds=10))
    ledger.settle("", [rate], [1], NOON, NOON + timedelta(seconds=7))

    assert 1 == ledger.used("", rate, NOON + timedelta(seconds=10))
