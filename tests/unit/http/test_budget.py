"""The rate budget: never more requests than allowed, and no needless waiting."""

from __future__ import annotations

import threading
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from crmbridge.http import Budget, Rate
from crmbridge.sandbox.clock import VirtualClock
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


def test_a_pause_holds_everybody() -> None:
    """When the CRM says wait, nobody sends before that."""
    clock = VirtualClock(NOON)
    budget = Budget([Rate(100, 1)], clock)
    budget.pause(timedelta(seconds=8))
    budget.pause(timedelta(seconds=3))
    budget.take()

    assert timedelta(seconds=8) == clock.now() - NOON


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
