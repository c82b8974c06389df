"""Real states to compute from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from crmbridge.model.findings import Evaluation
from crmbridge.model.records import Kind, Record
from crmbridge.ports import Page, StateStore
from crmbridge.store import open_store
from crmbridge.testing.factories import NOON

SaveState = Callable[..., str]


class State(NamedTuple):
    """A state that is filled anew for each example."""

    url: str
    store: StateStore


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """Open one state for all examples: making one takes longer than filling it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}"
    store = open_store(url)
    yield State(url, store)
    store.close()


@pytest.fixture
def save_state(tmp_path: Path) -> SaveState:
    """Give a function that saves evaluations, deals and users to a new state and gives its URL."""

    def save(*evaluations: Evaluation, deals: Sequence[Record] = (), users: Sequence[Record] = ()) -> str:
        url = f"sqlite:///{tmp_path / 'state.db'}"
        store = open_store(url)
        store.records.save_page("north", Kind.USER, Page(records=tuple(users), cursor="1"), NOON)
        store.records.save_page("north", Kind.DEAL, Page(records=tuple(deals), cursor="1"), NOON)
        store.findings.save(evaluations, NOON)
        store.close()
        return url

    return save
