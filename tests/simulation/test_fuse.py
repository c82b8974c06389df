"""What ends a process of the simulation where the state is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from crmbridge.ports import Run, StateStore
from crmbridge.store import open_store
from crmbridge.testing.simulation.fuse import Fuse, Killed, burning_at_commits
from crmbridge.testing.stores.makers import START, make_record


def start(store: StateStore) -> None:
    """Change the state in plain SQL."""
    store.runs.start(Run(id="r1", command="run", started_at=START))


def put(store: StateStore) -> None:
    """Change the state through SQLAlchemy."""
    store.records.put([make_record()])


@pytest.mark.parametrize("change", [start, put])
def test_a_process_ends_before_its_change_is_committed(change: Callable[[StateStore], None], tmp_path: Path) -> None:
    """Whichever way the state is written, nothing of it is there afterwards; the next process can write it."""
    fuse = Fuse()
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/state.db")) as store:
        with burning_at_commits(fuse):
            fuse.light(0)
            with pytest.raises(Killed):
                change(store)
        kept = store.runs.runs(1), store.records.get([make_record().ref])
        change(store)

    assert ((), {}) == kept
