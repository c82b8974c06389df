"""Connections that are kept between transactions: none leaves anything to the next one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import text

from crmbridge.model.records import Kind
from crmbridge.store.sql.database import Database
from crmbridge.store.sql.store import SqlStore
from crmbridge.testing.stores.makers import make_page, make_record, save


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Open a new state."""
    database = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield database
    database.close()


def test_a_transaction_that_fails_leaves_nothing_to_the_next_one(database: Database) -> None:
    """What it wrote is taken back, and the state is free for others."""

    def fail() -> None:
        with database.write() as open_:
            open_.execute(text("INSERT INTO hints VALUES ('hs', 'deal', '1', '2026-01-01')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with database.write() as open_:
        assert 0 == open_.execute(text("SELECT count(*) FROM hints")).scalar()


def test_options_of_one_transaction_are_not_those_of_the_next(database: Database) -> None:
    """What a reader asked for, such as rows in small numbers, is for itself alone."""
    with database.read() as open_:
        open_.execution_options(yield_per=1)

    with database.read() as open_:
        assert "yield_per" not in open_.get_execution_options()


def test_one_after_the_other_has_the_same_connection(database: Database) -> None:
    """So that it need not be made anew."""
    with database.read() as first:
        pass
    with database.read() as second:
        pass

    assert first is second


def test_whoever_stops_reading_halfway_holds_nothing(tmp_path: Path) -> None:
    """A reader that goes away before the last row keeps neither the state nor what it saw."""
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    save(store, make_page(*(make_record(str(number)) for number in range(9))))

    rows = store.records.records("hs", Kind.DEAL)
    assert 2 == len(list(islice(rows, 2)))
    del rows
    save(store, make_page(make_record("new"), cursor="c2"))

    assert 10 == len(list(store.records.records("hs", Kind.DEAL)))
    store.close()


def test_transactions_side_by_side_do_not_share_one(database: Database) -> None:
    """Each thread, and each reader within another, has its own."""
    with database.read() as outer, database.read() as inner:
        assert outer is not inner

    def read(_: int) -> object:
        with database.read() as open_:
            return open_.execute(text("SELECT count(*) FROM hints")).scalar()

    with ThreadPoolExecutor(8) as threads:
        assert {0} == set(threads.map(read, range(200)))
