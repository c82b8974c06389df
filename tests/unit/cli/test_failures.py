"""What ends a command becomes an exit code."""

from __future__ import annotations

import signal
import sqlite3

import pytest

from crmbridge.cli.call import Call
from crmbridge.cli.failures import reply_to


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_a_library_takes_for_an_error_of_its_own_is_no_bug(number: int, exit_code: int) -> None:
    """SQLite says that a function failed, as Pydantic says that a model can't be built, when a signal comes in it."""
    call, database = Call(), sqlite3.connect(":memory:")
    database.create_function("strike", 0, lambda: signal.raise_signal(number))

    with call.stop.on_signals(), pytest.raises(sqlite3.OperationalError) as caught:
        database.execute("SELECT strike()")
    database.close()

    assert exit_code == reply_to(caught.value, call).exit_code
