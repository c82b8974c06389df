"""The promises hold whatever people do, whatever goes wrong, and wherever the process dies.

CRMBRIDGE_SIM_SEEDS=5000 plays that many seeds instead of the usual number; a failure names its seed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crmbridge.store import open_store
from crmbridge.testing.simulation import journal_of, main, simulate

SEEDS = int(os.environ.get("CRMBRIDGE_SIM_SEEDS", "300"))
SHARES = 6  # so that several workers can play side by side


@pytest.mark.parametrize("share", range(SHARES))
def test_every_promise_holds(share: int) -> None:
    """No edit is lost, nothing is doubled, all becomes quiet, and the journal accounts for every write."""
    kills = writes = 0
    for seed in range(1 + share, SEEDS + 1, SHARES):
        play = simulate(seed)
        kills += play.kills
        writes += sum(crm.writes for crm in play.bench.crms.values())

    assert (True, True) == (kills > 0, writes > 0)


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_promises_hold_on_disk(seed: int, tmp_path: Path) -> None:
    """The state on disk gives the same journal as the one in memory."""
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    on_disk = journal_of(simulate(seed, store))
    store.close()

    assert journal_of(simulate(seed)) == on_disk


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_seed_plays_the_same_each_time(seed: int) -> None:
    """Same edits, same faults: same changes in the same order with the same outcomes."""
    assert journal_of(simulate(seed)) == journal_of(simulate(seed))


def test_the_command_says_how_many_seeds_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 0 when none did."""
    assert 0 == main(["2", "40"])
    assert "2 seeds played, 0 failed" in capsys.readouterr().out
