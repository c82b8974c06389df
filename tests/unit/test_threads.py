"""What would go side by side can go one at a time."""

from __future__ import annotations

import threading

import pytest

from crmbridge.http import side_by_side, together
from crmbridge.threads import alone, make_pool, one_at_a_time, started


def test_within_one_at_a_time_there_is_one_thread() -> None:
    """Pools and readers do their calls in order, in the thread that asks; afterwards all is as before."""
    with one_at_a_time(), make_pool(4) as pool:
        inside = {*pool.map(lambda _: threading.get_ident(), range(4)), *together([threading.get_ident] * 3)}
        found = list(side_by_side([lambda: iter("ab"), lambda: iter("c")]))
        was_alone = alone()

    assert {threading.get_ident()} == inside
    assert [(0, "a"), (0, "b"), (1, "c")] == found
    assert (True, False) == (was_alone, alone())


def test_an_error_is_raised_where_the_result_is_asked_for() -> None:
    """As with threads."""
    with one_at_a_time(), make_pool(2) as pool:
        future = pool.submit(int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        future.result()


def test_a_job_that_is_started_is_waited_for_by_whoever_asks() -> None:
    """It goes on beside; within one at a time it is done at once. What it raises is raised where it is asked for."""
    go_on = threading.Event()
    beside = started(lambda: go_on.wait(5))
    assert not beside.done()
    go_on.set()
    assert beside.result()

    with one_at_a_time():
        assert started(threading.get_ident).done()
    with pytest.raises(ValueError, match="invalid literal"):
        started(lambda: int("x")).result()
