"""The requests of all processes are counted together, in a file that may be lost."""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmbridge.engine.pacing import SLOTS
from crmbridge.ledger import LocalLedger
from crmbridge.ports import Rate, RateLedger
from crmbridge.store.rates import RateFile
from crmbridge.store.sql.store import SqlStore
from crmbridge.testing.stores.hints import BURST, after, take_all
from crmbridge.testing.stores.makers import START, make_page, make_record, save


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Name a state file."""
    return tmp_path / "state.db"


@pytest.fixture
def ledger(state: Path) -> Iterator[RateFile]:
    """Open a ledger beside it."""
    ledger = RateFile(state)
    yield ledger
    ledger.close()


GREEDY = """
import sys
from datetime import timedelta
from pathlib import Path
from crmbridge.ports import Rate
from crmbridge.store.rates import RateFile
from crmbridge.testing.stores.makers import START
ledger, rates = RateFile(Path(sys.argv[1])), [Rate(50, 1, "burst"), Rate(290, 86400, "day", "cost")]
for line in sys.stdin:
    sent, answered = (START + timedelta(milliseconds=int(line) + more) for more in (0, 37))
    got = sum(ledger.take("hs", rates, [1, 2], sent) == 0 for _ in range(100))
    for _ in range(got):
        ledger.settle("hs", rates, [1, 2], sent, answered)
    print(got, flush=True)
ledger.close()
"""
STEPS = range(0, 3000, 100)  # milliseconds


def at_once(state: Path, processes: int) -> Iterator[int]:
    """Let processes take as much as they can, all at the same time, and sum what they got; step by step."""
    command = [sys.executable, "-c", GREEDY, str(state)]
    pipes = [subprocess.PIPE, subprocess.PIPE]
    with contextlib.ExitStack() as stack:
        started = [subprocess.Popen(command, stdin=a, stdout=b, text=True) for a, b in [pipes] * processes]  # noqa: S603  our own words
        children = [stack.enter_context(child) for child in started]
        for step in STEPS:
            for child in children:
                print(step, file=child.stdin, flush=True)
            yield sum(int(child.stdout.readline()) for child in children)
        for child in children:
            child.stdin.close()


class Spent(NamedTuple):
    """A request that was sent and answered, in seconds."""

    sent: float
    answered: float
    cost: int


class TestProcesses:
    def test_four_processes_together_keep_each_limit(self, state: Path) -> None:
        """In any second and over the day; and they get all that is allowed."""
        got = list(at_once(state, 4))
        windows = [sum(got[first : first + len(STEPS) // 3]) for first in range(len(got))]

        assert (50, 145) == (max(windows), sum(got))

    def test_a_page_that_is_being_saved_keeps_nobody_waiting(self, state: Path) -> None:
        """The state is locked while it is written; requests go on."""
        store = SqlStore.open(f"sqlite:///{state}")
        with store._database.write():
            assert store.rates.take("hs", [BURST], [1], START) == 0
        save(store, make_page(make_record()))
        store.close()


class TestFile:
    def test_it_lies_beside_the_state_and_is_the_owners_alone(self, ledger: RateFile, state: Path) -> None:
        """All its parts, and only from when it is used."""
        assert [] == list(state.parent.iterdir())
        ledger.take("hs", [BURST], [1], START)

        assert state.parent / "state.rates.db" == ledger.path
        assert {0o600} == {stat.S_IMODE(part.stat().st_mode) for part in state.parent.iterdir()}

    @pytest.mark.parametrize("content", [b"not a database", os.urandom(20_000)])
    def test_a_damaged_file_is_made_anew(self, ledger: RateFile, content: bytes) -> None:
        """Nothing else is in it."""
        ledger.path.write_bytes(content)

        assert take_all(ledger, BURST, START) == 10
        assert ledger.path.read_bytes().startswith(b"SQLite format 3")

    def test_a_file_that_is_damaged_while_it_is_used_is_made_anew(self, ledger: RateFile) -> None:
        """The next take counts from nothing."""
        for slot in range(SLOTS):
            ledger.take("hs", [Rate(10**6, 10)], [1], after(slot / 100))
        ledger.close()
        whole = ledger.path.read_bytes()
        ledger.path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))

        assert take_all(ledger, BURST, START) == 10

    def test_one_that_cannot_be_used_is_done_without(self, ledger: RateFile, caplog: pytest.LogCaptureFixture) -> None:
        """The run goes on, counts alone, and says so once."""
        ledger.path.mkdir()
        with caplog.at_level(logging.WARNING):
            assert take_all(ledger, BURST, START) == 10
            ledger.settle("hs", [BURST], [10], START, after(5))

        assert ledger.used("hs", BURST, after(12)) == 10
        assert ["counts its requests alone"] == [r.getMessage().split("process ")[1] for r in caplog.records]

    def test_a_damaged_one_that_is_somebody_elses_is_done_without(
        self, ledger: RateFile, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It can't be taken away, and the run goes on all the same."""
        ledger.path.with_name(f"{ledger.path.name}-shm").mkdir()  # so that it can't, whoever runs this
        ledger.path.write_bytes(b"not a database")

        assert take_all(ledger, BURST, START) == 10
        assert ["counts its requests alone"] == [r.getMessage().split("process ")[1] for r in caplog.records]

    def test_what_counts_no_longer_is_forgotten(self, ledger: RateFile) -> None:
        """The file does not grow with the requests: what is older than two windows goes."""
        for second in range(0, 100, 5):
            ledger.take("hs", [BURST], [1], after(second))

        with contextlib.closing(sqlite3.connect(ledger.path)) as opened:
            assert [(5,)] == opened.execute("SELECT count(*) FROM rates").fetchall()


REQUESTS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5), st.floats(0, 9.9)), max_size=40)


def spend(ledger: RateLedger, limit: int, requests: Sequence[tuple[float, int, float]]) -> list[Spent]:
    """Send requests as soon as the ledger lets them go, and settle each when its answer comes.

    A request is the pause before it, its cost, and how long its answer takes, in seconds.
    """
    rates, now, spent, waiting = [Rate(limit, 10, "r", "cost")], 0.0, [], []
    for pause, cost, answer in requests:
        now += pause
        while wait := _settled(ledger, rates, waiting, now).take("hs", rates, [cost], after(now)):
            now += wait
        spent.append(Spent(now, now + answer, cost))
        heapq.heappush(waiting, (now + answer, now, cost))
    return spent


def _settled(ledger: RateLedger, rates: list[Rate], waiting: list[tuple[float, float, int]], now: float) -> RateLedger:
    while waiting and waiting[0][0] <= now:
        answered, sent, cost = heapq.heappop(waiting)
        ledger.settle("hs", rates, [cost], after(sent), after(answered))
    return ledger


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
@settings(deadline=None, max_examples=50)
@given(limit=st.integers(5, 12), requests=REQUESTS)
def test_no_window_holds_more_than_the_limit(
    shared: bool,  # noqa: FBT001  a parameter of the test
    limit: int,
    requests: list[tuple[float, int, float]],
) -> None:
    """However requests come, each counts from when it is sent until a window after its answer.

    So wherever in between the CRM counts it, no window of the CRM's holds more. Answers take less than a window here.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(RateFile(Path(folder) / "state.db")) as file:
        spent = spend(file if shared else LocalLedger(), limit, requests)

    for at in [one.sent for one in spent]:
        assert limit >= sum(one.cost for one in spent if one.sent <= at < one.answered + 10)
