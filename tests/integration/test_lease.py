"""A run keeps the state for as long as it lives, however long a CRM takes; once it is killed, the next run goes on."""

import atexit
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from crmbridge.errors import LockedError
from crmbridge.hookspecs import hookimpl
from crmbridge.http import Budget, Rate
from crmbridge.model.changes import Change, Receipt
from crmbridge.model.replacing import replace
from crmbridge.plugins import AdapterSpec, load_plugins
from crmbridge.ports import AdapterContext, StateStore
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.services.runs.cycle import LEASE, Cycle, finish, run_cycle, writing
from crmbridge.services.workspace import Workspace
from crmbridge.settings import AdapterSettings
from crmbridge.store import open_store
from crmbridge.store.liveness import Identity, is_dead, myself
from crmbridge.store.memory import MemoryStore
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import MONDAY, Bench, fake_plugins, make_bench

HOUR = timedelta(hours=1)
SHORT = timedelta(milliseconds=30)  # renewed every 10 ms of real time; the time that counts stands still meanwhile
LONG = 60  # seconds; only a test that fails waits for their end


class WatchedClock(VirtualClock):
    """A clock that stands still, and notes whenever a thread other than the main one asks it."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._asked = threading.Semaphore(0)

    def now(self) -> datetime:
        """Give the time, aware."""
        now = super().now()
        if threading.current_thread() is not threading.main_thread():
            self._asked.release()
        return now

    def wait_for_beats(self) -> None:
        """Wait until the time that it is now has been asked for, and whatever was done with it is done."""
        while self._asked.acquire(blocking=False):
            pass
        # The first may have begun before this; the third is asked for once the second is done with.
        assert all(self._asked.acquire(timeout=LONG) for _ in range(3))


class BrokenClock(VirtualClock):
    """A clock that fails in every thread but the main one."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.broke = threading.Event()
        self._asked = 0

    def now(self) -> datetime:
        """Give the time, or fail."""
        if threading.current_thread() is not threading.main_thread():
            self._asked += 1
            if self._asked > 1:
                self.broke.set()  # the first failure is dealt with by now
            raise ZeroDivisionError("hunter2")
        return super().now()


class SlowAdapter(FakeAdapter):
    """An adapter whose writes take as long as something else does; the deals are made when that is over."""

    meanwhile: Callable[[], None]

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Wait, then write."""
        self.meanwhile()
        return super().write(changes)


Stores = tuple[StateStore, StateStore]


@pytest.fixture(params=["memory", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Give each kind of state in turn, opened twice."""
    if request.param == "memory":
        memory = MemoryStore()
        yield memory, memory.again()
        return
    url = f"sqlite:///{tmp_path / 'state.db'}"
    opened = open_store(url), open_store(url)
    yield opened
    for store in opened:
        store.close()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make leases so short that they are renewed at once."""
    monkeypatch.setattr("crmbridge.services.runs.cycle.LEASE", SHORT)


def open_again(bench: Bench, store: StateStore, clock: VirtualClock, meanwhile: Callable[[], None]) -> Workspace:
    """Open a bench's project on a store; each write to a CRM takes as long as `meanwhile` does."""

    def slow(adapter: FakeAdapter, connection: str) -> FakeAdapter:
        made = SlowAdapter(bench.crms[connection])
        made.meanwhile = meanwhile
        return made

    plugins = fake_plugins(bench.crms, wrap=slow)
    return Workspace(project=bench.workspace.project, store=store, clock=clock, plugins=plugins)


def run(workspace: Workspace) -> Cycle:
    """Run one cycle, as the command does."""
    with writing(workspace, "run") as name:
        cycle = run_cycle(workspace, name)
        finish(workspace, name, "run", cycle.exit_code(), cycle.summary())
    return cycle


def bench_with_a_missing_deal() -> Bench:
    """Make two CRMs with one deal that the second one lacks."""
    bench = make_bench(parts={"north": (0, 0), "south": (0, 0)})
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    return bench


def nothing() -> None:
    """Take no time."""


@pytest.mark.usefixtures("short")
def test_a_write_that_takes_longer_than_the_lease_keeps_others_out(stores: Stores) -> None:
    """Else the next run would read back that the deal was not made, and make it twice."""
    bench, clock = bench_with_a_missing_deal(), WatchedClock(MONDAY)
    second = open_again(bench, stores[1], clock, nothing)
    refused: list[str] = []

    def meanwhile() -> None:
        for _ in range(4):
            clock.advance(SHORT * 2 / 3)
            clock.wait_for_beats()
        with pytest.raises(LockedError) as caught:
            run(second)
        refused.append(caught.value.message)

    cycle = run(open_again(bench, stores[0], clock, meanwhile))

    assert {"applied": 1} == cycle.applied.counts
    assert ["run" in message for message in refused] == [True]
    assert 1 == len(bench.crms["south"].named("Rollout"))
    assert {} == run(second).applied.counts


def test_a_run_that_lost_the_lease_stops_at_the_next_journal_write(stores: Stores) -> None:
    """A machine that slept through it all has no say in what became of the write: the other run looks for itself."""
    bench, clock = bench_with_a_missing_deal(), VirtualClock(MONDAY)
    second = open_again(bench, stores[1], clock, nothing)
    taken: list[Cycle] = []

    def meanwhile() -> None:
        clock.advance(LEASE)
        taken.append(run(second))

    with pytest.raises(LockedError, match="took it over"):
        run(open_again(bench, stores[0], clock, meanwhile))
    first, other = reversed(stores[1].runs.runs(9))

    assert [other.id] == [cycle.run for cycle in taken]
    assert (None, 0) == (first.exit_code, other.exit_code)
    assert [None] == [entry.outcome for entry in stores[0].journal.entries(first.id)]


def test_a_run_that_lost_the_lease_sends_nothing_more(stores: Stores) -> None:
    """Also in the middle of many requests that write: the other run has looked what was not done, and done it."""
    bench, clock = bench_with_a_missing_deal(), VirtualClock(MONDAY)
    contexts: dict[str, AdapterContext] = {}

    def open_fake(_settings: AdapterSettings, context: AdapterContext) -> FakeAdapter:
        contexts[context.connection] = context
        return FakeAdapter(bench.crms[context.connection])

    plugin = types.ModuleType("keeps_contexts")
    spec = AdapterSpec(name="fake", summary="A CRM in memory", settings=AdapterSettings, open=open_fake)
    plugin.__dict__["crmbridge_adapters"] = hookimpl(lambda: [spec])
    plugins = load_plugins({"keeps": plugin}, installed=False)
    workspace = Workspace(project=bench.workspace.project, store=stores[0], clock=clock, plugins=plugins)
    workspace.adapter("south")
    budget = Budget([Rate(100, 1)], clock, ledger=contexts["south"].ledger, account="south")

    with stores[0].runs.lease("r1", MONDAY, LEASE):
        budget.settle(budget.take())
        clock.advance(LEASE)
        run(open_again(bench, stores[1], clock, nothing))
        with pytest.raises(LockedError, match="took it over"):
            budget.take()


@pytest.mark.usefixtures("short")
def test_a_renewal_that_fails_is_logged_and_tried_again(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    """The run itself hears of it when it writes."""
    clock = WatchedClock(MONDAY)
    workspace = open_again(bench_with_a_missing_deal(), stores[0], clock, nothing)
    with pytest.raises(LockedError, match="took it over"), writing(workspace, "run") as name:  # noqa: PT012  one step in it
        with stores[1].runs.lease("r2", MONDAY + SHORT, SHORT):
            clock.wait_for_beats()
            clock.wait_for_beats()
        stores[0].journal.intend(name, [], MONDAY)

    said = [record.getMessage() for record in caplog.records]
    assert len(said) > 1
    assert all("lease" in message and "took it over" in message for message in said)


@pytest.mark.usefixtures("short")
def test_a_renewal_that_meets_a_bug_tells_its_kind_only(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    """What a foreign error says may hold a secret."""
    clock = BrokenClock(MONDAY)
    with writing(open_again(bench_with_a_missing_deal(), stores[0], clock, nothing), "run"):
        assert clock.broke.wait(LONG)

    said = {record.getMessage() for record in caplog.records}
    assert 1 == len(said)
    assert "ZeroDivisionError" in said.pop()
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_nothing_goes_on_after_a_run(stores: Stores, error: type[BaseException]) -> None:
    """However it ended; and the lease is free."""
    workspace = open_again(bench_with_a_missing_deal(), stores[0], VirtualClock(MONDAY), nothing)
    before = threading.enumerate()
    with pytest.raises(error), writing(workspace, "run"):
        raise error

    assert before == threading.enumerate()
    with writing(workspace, "run"):
        assert len(before) + 1 == len(threading.enumerate())
    assert before == threading.enumerate()


def child(what: str, url: str) -> subprocess.Popen[str]:
    """Start a process of its own that does one of the two things below."""
    command = [sys.executable, __file__, what, url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own words


def stay(workspace: Workspace, clock: WatchedClock) -> None:
    """Hold the state for an hour, which is much longer than the lease, and go on holding it."""
    with patch("crmbridge.services.runs.cycle.LEASE", SHORT), writing(workspace, "run"):
        clock.advance(HOUR)
        clock.wait_for_beats()
        print("held", flush=True)  # noqa: T201  told to the test
        sys.stdin.read()


def leave(workspace: Workspace, _clock: WatchedClock) -> None:
    """Come to the end of the program while the state is held; Python ends by itself only if no thread is in its way."""
    holding = writing(workspace, "run")
    holding.__enter__()
    atexit.register(holding.__exit__, None, None, None)  # called after Python waited for threads


@contextlib.contextmanager
def holding(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Workspace, VirtualClock]]:
    """Give a process that holds the state, and another workspace on it, an hour later; the process is killed after."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with child("stay", url) as holder:
        assert holder.stdout is not None
        assert "held" == holder.stdout.readline().strip()
        clock, store = VirtualClock(MONDAY + HOUR), open_store(url)
        try:
            yield holder, open_again(bench_with_a_missing_deal(), store, clock, nothing), clock
        finally:
            store.close()
            holder.kill()  # does nothing to one that has ended


def halt(holder: subprocess.Popen[str], state: Path) -> None:
    """Halt a process while it does not write, as it would keep the file until it goes on; so we keep it meanwhile.

    It renews its lease a hundred times a second, and may well be in the middle of that.
    """
    with contextlib.closing(sqlite3.connect(state, timeout=LONG, isolation_level=None)) as ours:
        ours.execute("BEGIN IMMEDIATE")
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        ours.execute("ROLLBACK")


def test_a_killed_run_is_followed_by_the_next_at_once(tmp_path: Path) -> None:
    """On this machine it is known that it is dead, so there is nothing to wait for."""
    with holding(tmp_path) as (holder, workspace, _):
        with pytest.raises(LockedError):
            run(workspace)
        holder.send_signal(signal.SIGKILL)
        holder.wait(LONG)

        assert {"applied": 1} == run(workspace).applied.counts


def test_a_killed_run_that_nobody_waited_for_is_dead_as_well(tmp_path: Path) -> None:
    """Its parent may be a container's first process that never asks; the system keeps such processes in its list."""
    with holding(tmp_path) as (holder, workspace, _):
        holder.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)

        assert {"applied": 1} == run(workspace).applied.counts


def test_a_run_that_was_halted_is_not_dead(tmp_path: Path) -> None:
    """It may go on at any time, so its lease has to expire; then it has no say any more."""
    with holding(tmp_path) as (holder, workspace, clock):
        halt(holder, tmp_path / "state.db")
        with pytest.raises(LockedError):
            run(workspace)
        clock.advance(SHORT)

        assert {"applied": 1} == run(workspace).applied.counts


@pytest.mark.parametrize("elsewhere", [{"boot": "another"}, {"counted_in": "another"}], ids=["machine", "container"])
def test_of_another_machine_or_container_nobody_knows_who_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: dict[str, Any]
) -> None:
    """The process ids of one mean nothing in the other: the lease has to expire."""
    me = myself()
    assert me is not None
    with holding(tmp_path) as (holder, workspace, clock):
        holder.send_signal(signal.SIGKILL)
        holder.wait(LONG)
        monkeypatch.setattr("crmbridge.store.holding.myself", lambda: me._replace(**elsewhere))
        with pytest.raises(LockedError):
            run(workspace)
        clock.advance(SHORT)

        assert {"applied": 1} == run(workspace).applied.counts


def test_a_process_id_that_was_given_anew_is_not_the_same_process() -> None:
    """It is told by when the process started."""
    me = myself()
    assert me is not None

    assert (False, True) == (is_dead(me, me), is_dead(me._replace(start="1"), me))


@pytest.mark.parametrize("text", ["", "a/b/c/d", "a/b/1", "/b/1/2", "a/b/1/2/3"])
def test_a_lease_of_an_unknown_taker_is_left_alone(text: str) -> None:
    """As one of an earlier crmbridge, or of a system that tells nothing."""
    assert Identity.parse(text) is None
    assert myself() == Identity.parse(str(myself()))


def test_a_run_can_wait_for_another_one(stores: Stores) -> None:
    """As long as it was told to; who holds the state is shown."""
    bench, clock = bench_with_a_missing_deal(), VirtualClock(MONDAY)
    shown: list[str] = []

    def watch(step: str, about: str) -> None:
        shown.append(f"{step}: {about}")

    waiting = replace(open_again(bench, stores[1], clock, nothing), patience=timedelta(seconds=90), progress=watch)
    with stores[0].runs.lease("cycle r1", MONDAY, timedelta(seconds=45)):
        assert {"applied": 1} == run(waiting).applied.counts

    assert MONDAY + timedelta(seconds=45) == clock.now()
    assert "wait: The run cycle r1 holds the state" in shown[0]


def test_patience_ends(stores: Stores) -> None:
    """Then it is as without."""
    bench, clock = bench_with_a_missing_deal(), VirtualClock(MONDAY)
    waiting = replace(open_again(bench, stores[1], clock, nothing), patience=timedelta(seconds=90))
    with stores[0].runs.lease("cycle r1", MONDAY, LEASE), pytest.raises(LockedError, match="cycle r1"):
        run(waiting)

    assert MONDAY + timedelta(seconds=90) == clock.now()


def test_holding_the_state_keeps_no_process_alive(tmp_path: Path) -> None:
    """When the program is over, so is the renewing."""
    with child("leave", f"sqlite:///{tmp_path / 'state.db'}") as process:
        try:
            assert 0 == process.wait(LONG)
        finally:
            process.kill()  # does nothing to one that has ended


if __name__ == "__main__":
    its_clock = WatchedClock(MONDAY)
    its_store = open_store(sys.argv[2])
    its_workspace = open_again(bench_with_a_missing_deal(), its_store, its_clock, nothing)
    {"stay": stay, "leave": leave}[sys.argv[1]](its_workspace, its_clock)
