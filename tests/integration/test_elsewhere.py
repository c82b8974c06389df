"""Figures are read in another process, so that the state's locks stay whose they are."""

from __future__ import annotations

import os
import posixpath
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from crmbridge.errors import ConfigurationError, StateError
from crmbridge.indicators import compute
from crmbridge.indicators.elsewhere import Asker, elsewhere
from crmbridge.indicators.options import Options
from crmbridge.model.figures import Scorecard
from crmbridge.store import open_store
from crmbridge.testing.factories import NOON, make_process

WRITE = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"


def refuse(place: str) -> None:
    """Raise what a person can mend."""
    raise ConfigurationError(f"{place} is wrong", advice="Mend it.")


def die() -> None:
    """End without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def linger(file: Path, _padding: bytes) -> None:
    """Say that it is at work, and go on for longer than anybody waits."""
    file.write_text("here")
    time.sleep(60)


def hold(pipe: Path) -> None:
    """Keep a pipe open for longer than anybody waits."""
    with pipe.open("w") as held:
        held.write("here")
        held.flush()
        time.sleep(60)


@pytest.fixture(autouse=True)
def findable(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """Let the other process find the functions of this file."""
    known = (str(pytestconfig.rootpath), os.environ.get("PYTHONPATH"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, known)))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give the file of an empty state."""
    path = tmp_path / "state.db"
    open_store(f"sqlite:///{path}").close()
    return path


def test_no_file_of_the_folder_that_we_are_in_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would take a module of this name from there first, be it a trap or somebody's own little program."""
    (tmp_path / "pickle.py").write_text("raise SystemExit('run from the folder')")
    monkeypatch.chdir(tmp_path)

    assert "a/b" == elsewhere(posixpath.join, "a", "b")


def test_who_writes_the_state_keeps_its_lock(state: Path) -> None:
    """While it is read for figures, and after: a second copy of SQLite in this process would give the lock away."""
    writer = sqlite3.connect(state)
    writer.execute("BEGIN IMMEDIATE")

    card = elsewhere(compute, f"sqlite:///{state}", make_process(), NOON, Options())
    other = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", WRITE, str(state)], capture_output=True, check=False, text=True, timeout=60
    )
    writer.close()

    assert isinstance(card, Scorecard)
    assert "database is locked" in other.stderr


def test_errors_come_back_as_they_are() -> None:
    """With their advice, for the command line to show."""
    with pytest.raises(ConfigurationError, match="here is wrong") as caught:
        elsewhere(refuse, "here")

    assert "Mend it." == caught.value.advice


def test_a_process_that_dies_is_told() -> None:
    """As when the machine has no memory left."""
    with pytest.raises(StateError, match="can't be computed") as caught:
        elsewhere(die)

    assert "SIGKILL" in caught.value.advice


def test_what_ends_whoever_asks_is_theirs_to_end() -> None:
    """Ctrl-C and `timeout` signal a whole group; else it dies first, and is told as a fault."""
    assert os.getpgrp() != elsewhere(os.getpgrp)


def test_what_is_at_work_ends_with_whoever_asked(tmp_path: Path) -> None:
    """Also where that one had no time to say so: it was killed, or its terminal was closed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    asks = "from tests.integration.test_elsewhere import *; elsewhere(hold, Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", asks, str(pipe)]) as process, pipe.open() as held:  # noqa: S603  our own program
        said, begun = held.read(4), time.monotonic()
        process.kill()
        rest = held.read()

    assert ("here", "") == (said, rest)
    assert time.monotonic() - begun < 30


def test_what_nobody_wants_any_more_is_ended_and_nothing_else_begins(tmp_path: Path) -> None:
    """As when the page is closed while its figures are counted, which may take minutes."""
    asker, said, begun = Asker(), [], time.monotonic()

    def ask() -> None:
        with asker.asking():
            for name in ("first", "second"):
                with pytest.raises(StateError) as caught:
                    elsewhere(linger, tmp_path / name, b"x" * 1_000_000)
                said.append(caught.value.advice)

    thread = threading.Thread(target=ask)
    thread.start()
    while not (tmp_path / "first").exists() and time.monotonic() - begun < 30:
        time.sleep(0.05)
    asker.end()
    thread.join(30)

    assert time.monotonic() - begun < 50
    assert [True, True] == ["SIGKILL" in advice for advice in said]
    assert not (tmp_path / "second").exists()
