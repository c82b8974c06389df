"""A history goes the same way whether its state lies in a SQLite file or on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from crmbridge.testing.simulation.play import simulate
from crmbridge.testing.simulation.state import Server, State

SEEDS = range(2001, 2013)


@pytest.fixture(scope="module")
def state(server: URL) -> Iterator[State]:
    """Have a state on the server."""
    state = State(Server(server.set(drivername="postgresql+psycopg")))
    yield state
    state.end()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_is_written_with_either_store(state: State, seed: int) -> None:
    """To the byte of the journal. A kill meets the two at different commits: then the oracle alone judges both."""
    on_server, in_file = simulate(seed, state=state), simulate(seed)

    assert on_server.kills or in_file.kills or on_server.journal == in_file.journal
