"""Serving a sandbox: a port of its own, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.sandbox import Sandbox, VirtualClock, serve
from crmbridge.sandbox.server import listen
from crmbridge.testing.factories import NOON

Make = Callable[..., Sandbox]


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def test_nothing_is_left_when_the_block_ends(make_sandbox: Make) -> None:
    """Neither a thread nor the port, which the next one can take at once."""
    before = set(threading.enumerate())
    with serve(make_sandbox()) as served:
        during = set(threading.enumerate()) - before
        assert 200 == httpx.get(f"{served.url}/open/count").status_code

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.url}/open/count")
    assert 1 == len(during)
    assert not before ^ set(threading.enumerate())
    with serve(make_sandbox(), port_of(served.url)) as again:
        assert served.url == again.url


def test_a_test_that_fails_leaves_nothing_either(make_sandbox: Make) -> None:
    """An error inside the block ends the server and comes out."""
    before = set(threading.enumerate())
    with pytest.raises(KeyError), serve(make_sandbox()) as served:
        raise KeyError
    listen(port_of(served.url)).close()

    assert before == set(threading.enumerate())


def test_a_taken_port_is_said(make_sandbox: Make) -> None:
    """With what to do about it."""
    with serve(make_sandbox()) as served:
        port = port_of(served.url)
        with (
            pytest.raises(ConfigurationError, match=f"Port {port} can't be used: Address already in use") as caught,
            serve(make_sandbox(), port),
        ):
            pass

    assert "or 0 for a free one" in caught.value.advice


def test_sandboxes_stand_side_by_side(make_sandbox: Make) -> None:
    """Each has its port, its state and its credential."""
    with serve(make_sandbox(seed=1)) as one, serve(make_sandbox(seed=2)) as other:
        reply = httpx.post(f"{one.url}/count", json={"by": 3}, headers={"x-token": one.token})
        swapped = httpx.post(f"{other.url}/count", json={"by": 3}, headers={"x-token": one.token})

    assert (201, 401) == (reply.status_code, swapped.status_code)
    assert (3, 0) == (one.sandbox.state.count, other.sandbox.state.count)


def test_a_virtual_clock_starts_at_an_aware_time() -> None:
    """A time without a zone would be compared with nothing."""
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(NOON.replace(tzinfo=None))


def test_a_virtual_clock_never_goes_back() -> None:
    """Sleeping less than nothing is sleeping nothing."""
    clock = VirtualClock(NOON)
    clock.sleep(-5)

    assert NOON == clock.now()
