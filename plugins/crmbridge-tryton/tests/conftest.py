"""A real Tryton server for the tests of this plugin: started once, filled anew for each test."""

import functools
from collections.abc import Iterator

import pytest

from crmbridge_tryton_server.installing import UnavailableError, prepared
from crmbridge_tryton_server.running import TrytonServer, running


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    """Give a running server."""
    with running(tmp_path_factory.mktemp("tryton")) as server:
        yield server


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a server on a machine that can't have one; from one place, so that one line says why."""
    if "tryton" in getattr(item, "fixturenames", ()) and (why := _missing()):
        pytest.skip(why)


@functools.cache
def _missing() -> str:
    """Say why there is no server, or nothing."""
    try:
        prepared()
    except UnavailableError as error:
        return str(error)
    return ""
