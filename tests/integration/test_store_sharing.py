"""The state is safe between threads and between processes, also when one of them is killed."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crmbridge.model.records import Kind
from crmbridge.model.replacing import replace
from crmbridge.store import open_store
from crmbridge.store.sql.store import SqlStore
from crmbridge.testing.stores.makers import HOUR, START, make_page, make_record, save


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a state file that isn't there yet."""
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    """Open a new state."""
    store = SqlStore.open(f"sqlite:///{path}")
    yield store
    store.close()


def python(script: str, path: Path) -> subprocess.Popen[str]:
    """Start a process of its own that runs a script with the state's URL in `url` and our makers at hand."""
    words = f"""
import sys
from crmbridge.errors import LockedError
from crmbridge.model.changes import Outcome, Receipt
from crmbridge.store import open_store
from crmbridge.testing.stores.makers import *
url = "sqlite:///{path}"
def say(*words): print(*words, flush=True)
{script}"""
    command = [sys.executable, "-c", words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own words


def line(child: subprocess.Popen[str]) -> str:
    """Wait for the next line that a child says."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(child: subprocess.Popen[str]) -> None:
    """Let a child that waits for a line go on."""
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def kill(child: subprocess.Popen[str]) -> list[str]:
    """Kill a child at once, as a power cut would, and give what it had said by then."""
    child.send_signal(signal.SIGKILL)
    said, _ = child.communicate()
    return said.splitlines()


class TestThreads:
    @pytest.mark.parametrize("apart", [False, True], ids=["one store", "a store each"])
    def test_pulls_save_side_by_side(self, store: SqlStore, path: Path, apart: bool) -> None:  # noqa: FBT001  a parameter of the test
        """In threads of one process or in several processes: no page gets lost, and readers go on reading."""
        errors: list[BaseException] = []
        stores = [SqlStore.open(f"sqlite:///{path}") if apart else store for _ in range(6)]

        def pull(own: SqlStore, connection: str) -> None:
            try:
                for number in range(20):
                    page = make_page(make_record(str(number), connection=connection), cursor=str(number))
                    save(own, page, connection)
                    list(own.records.records(connection, Kind.DEAL))
            except BaseException as error:  # noqa: BLE001  shown below, in the test's own thread
                errors.append(error)

        threads = [threading.Thread(target=pull, args=(own, f"c{n}")) for n, own in enumerate(stores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for own in stores:
            own.close()

        assert errors == []
        assert [20] * 6 == [len(list(store.records.records(f"c{n}", Kind.DEAL))) for n in range(6)]
        assert {"19"} == {store.records.cursors(f"c{n}").get(Kind.DEAL) for n in range(6)}

    def test_a_reader_sees_one_moment(self, store: SqlStore) -> None:
        """A page saved while records are being read does not show among them."""
        save(store, make_page(*(make_record(f"{n:05}") for n in range(3000))))
        reader = store.records.records("hs", Kind.DEAL)
        first = next(reader)
        newer = [replace(make_record(f"{n:05}"), version="v2") for n in range(3001)]
        save(store, make_page(*newer))

        assert ["v1"] * 3000 == [first.version, *(record.version for record in reader)]


RACE = """
store = None
say("ready")
sys.stdin.readline()
store = open_store(url)
try:
    with store.runs.lease(sys.argv[0] + str(__import__("os").getpid()), START, HOUR):
        say("won")
        sys.stdin.readline()
except LockedError as error:
    say("lost", error.message)
store.close()
"""

PULL = """
store = open_store(url)
for page in range(10**6):
    records = [make_record(f"{page:05}-{n:02}", fields={"name": "x" * 500}) for n in range(50)]
    moves = tuple(make_move(deal=record.ref.id) for record in records)
    save(store, make_page(*records, moves=moves, cursor=f"{page:05}"))
    say(page)
"""

APPLY = """
store = open_store(url)
for batch in range(10**6):
    changes = [make_change(f"{batch}-{n}") for n in range(10)]
    store.journal.intend("r1", changes, START)
    say("writing", batch)
    receipts = [Receipt(change=change.id, outcome=Outcome.APPLIED) for change in changes]
    store.journal.settle("r1", receipts, {make_ref(str(batch)): {"name": "B"}}, START)
    say("written", batch)
"""


class TestProcesses:
    def test_of_many_that_want_the_lease_exactly_one_gets_it(self, path: Path) -> None:
        """Also when none of them finds a state yet: they all make the same one."""
        children = [python(RACE, path) for _ in range(4)]
        assert ["ready"] * 4 == [line(child) for child in children]
        for child in children:
            tell(child)
        answers = [line(child) for child in children]
        said = [child.communicate("\n")[0] for child in children]

        assert [""] * 4 == said
        assert [0] * 4 == [child.returncode for child in children]
        assert ["lost"] * 3 + ["won"] == sorted(answer.split()[0] for answer in answers)
        assert [path] == list(path.parent.iterdir())

    def test_a_killed_holder_of_this_machine_keeps_the_lease_no_longer(self, path: Path) -> None:
        """Nobody has to edit the state by hand, nor to wait; `test_lease.py` has the ones that can't be told."""
        child = python(RACE, path)
        line(child)
        tell(child)
        assert line(child) == "won"
        kill(child)
        store = open_store(f"sqlite:///{path}")

        with store.runs.lease("r2", START, HOUR):
            pass
        store.close()

    @pytest.mark.parametrize("pages", [1, 2, 5, 13, 30])
    def test_a_pull_that_is_killed_leaves_whole_pages(self, path: Path, pages: int) -> None:
        """The cursor is never ahead of the records, nor behind them, and no page that was reported is lost."""
        child = python(PULL, path)
        said = [line(child) for _ in range(pages)] + kill(child)
        store = open_store(f"sqlite:///{path}")
        cursor = store.records.cursors("hs").get(Kind.DEAL)
        ids = [record.ref.id for record in store.records.records("hs", Kind.DEAL)]
        moved = [deal.id for deal, _ in store.records.moves("hs")]

        assert cursor is not None
        assert int(said[-1]) <= int(cursor) <= int(said[-1]) + 1
        assert [f"{page:05}-{n:02}" for page in range(int(cursor) + 1) for n in range(50)] == ids
        assert ids == moved
        with closing(sqlite3.connect(path)) as connection:
            assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        store.close()

    @pytest.mark.parametrize("lines", [1, 2, 7, 12, 31])
    def test_an_apply_that_is_killed_leaves_an_intent_for_every_write(self, path: Path, lines: int) -> None:
        """Outcomes stand whole and with their base; what had begun and not ended is unsettled."""
        child = python(APPLY, path)
        said = [line(child) for _ in range(lines)] + kill(child)
        begun = {text.split()[1] for text in said if text.startswith("writing")}
        ended = {text.split()[1] for text in said if text.startswith("written")}
        store = open_store(f"sqlite:///{path}")
        intents = [entry.change.id for entry in store.journal.entries() if entry.outcome is None]
        settled = set(store.journal.outcomes(intents))
        batches = {ref.id for ref in store.links.bases()}

        assert {f"{batch}-{n}" for batch in begun for n in range(10)} <= set(intents)
        assert ended <= batches
        assert {f"{batch}-{n}" for batch in batches for n in range(10)} == settled
        assert set(intents) - settled == {entry.change.id for entry in store.journal.unsettled()}
        store.close()
