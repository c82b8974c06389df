"""The store in PostgreSQL keeps the promises that every state store makes, on a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from alembic import command
from sqlalchemy import URL, Connection, create_engine

from crmbridge.errors import ConfigurationError, StateError
from crmbridge.ports import Rate, StateStore
from crmbridge.store import open_store
from crmbridge.store.migrations import config, upgrade
from crmbridge.store.sql import fresh
from crmbridge.store.sql.database import next_mark
from crmbridge.store.sql.records import _save_records
from crmbridge.store.sql.store import SqlStore
from crmbridge.testing.stores.before import NOW_BASES, fill_as_before
from crmbridge.testing.stores.hints import BURST, take_all
from crmbridge.testing.stores.makers import START, make_page, make_record, make_ref, save
from crmbridge.testing.stores.suite import StoreSuite

_NUMBERS = count(1)
_SHAPES = (  # all that PostgreSQL says about what is in a database
    """
    SELECT relname, relkind, relpersistence FROM pg_class WHERE relnamespace = 'public'::regnamespace
    ORDER BY relname
    """,
    """
    SELECT relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation,
        pg_get_expr(adbin, adrelid)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace ORDER BY relname, attnum
    """,
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
    """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    ORDER BY conname
    """,
    "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
    "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY proname",
    "SELECT version_num FROM alembic_version",
)


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _emptied(server: URL, name: str, made: str = "") -> URL:
    """Make a database with nothing in it."""
    engine = create_engine(server.set(drivername="postgresql+psycopg", database="template1"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 {made}")
    engine.dispose()
    return server.set(drivername="postgresql+psycopg", database=name)


def _shape_of(url: URL, make: Callable[[Connection], None]) -> list[tuple[Any, ...]]:
    """Fill a database, and give what is in it then."""
    engine = create_engine(url)
    with engine.begin() as connection:
        make(connection)
        found = [tuple(row) for sql in _SHAPES for row in connection.exec_driver_sql(sql)]
    engine.dispose()
    return found


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

    def test_a_new_state_is_what_the_steps_lead_to(self, server: URL) -> None:
        """Columns, keys, indices, triggers, and what is logged. A new one is made without the steps."""
        made = [_shape_of(_emptied(server, name), make) for name, make in (("fresh", fresh.make), ("stepped", upgrade))]

        assert made[0] == made[1]
        assert {"records", "journal_keeps_all", "journal_by_run", "runs_id_key", "lease_is_one"} <= {
            name for found in made[1] for name in found
        }

    def test_bases_of_a_row_a_field_become_one_row_a_record(self, server: URL) -> None:
        """As in SQLite: nothing is lost, and sync looks at all records once."""
        url = _emptied(server, "before")
        engine = create_engine(url)
        with engine.begin() as connection:
            command.upgrade(config(connection), "0002")
            fill_as_before(lambda sql, row: connection.exec_driver_sql(sql.replace("?", "%s"), row))
        engine.dispose()
        store = open_store(_text(url))

        assert NOW_BASES == store.links.bases()
        assert {"L1": (make_ref(), make_ref("1", "sf"))} == store.links.links()
        assert ["1", "2", "3"] == [ref.id for ref in store.backlog.pending("r")[1]]
        store.backlog.dealt("r", store.backlog.pending("r")[0])
        save(store, make_page(make_record("2", fields={"name": "New"}), make_record("4")))
        assert ["2", "4"] == [ref.id for ref in store.backlog.pending("r")[1]]
        store.close()

    def test_marks_are_committed_in_their_order(self, store: SqlStore, again: SqlStore) -> None:
        """Who comes later waits, so that nothing appears below a mark that a reader was told."""
        save(store, make_page(make_record("1")))
        later = threading.Thread(target=save, args=(again, make_page(make_record("3"))))
        with store._database.write() as connection:
            _save_records(connection, [make_record("2")], next_mark(connection), None)
            later.start()
            later.join(0.5)
            assert later.is_alive()
            mark, told = store.backlog.pending("r")
        later.join()
        store.backlog.dealt("r", mark)

        assert ["1"] == [ref.id for ref in told]
        assert ["2", "3"] == [ref.id for ref in store.backlog.pending("r")[1]]

    def test_stores_that_are_opened_at_once_make_one_state(self, server: URL) -> None:
        """Who comes second waits, and finds it made."""
        url = _text(_emptied(server, "together"))
        opened: list[StateStore] = []
        threads = [threading.Thread(target=lambda: opened.append(open_store(url))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [{}] * 3 == [dict(store.memory("hs")) for store in opened]
        for store in opened:
            store.close()

    def test_requests_that_cannot_be_counted_are_counted_alone(
        self, store: SqlStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An answer that came must not become a failure: a change that was made would be made again."""
        assert store.rates.take("hs", [BURST], [1], START) == 0
        with store._database.write() as connection:
            connection.exec_driver_sql("DROP TABLE rates")
        store.rates.settle("hs", [BURST], [1], START, START)

        assert 1 == store.rates.used("hs", BURST, START)
        assert ["counts its requests alone"] == [r.getMessage().split("process ")[1] for r in caplog.records]

    def test_a_server_that_is_not_there_says_so(self, server: URL) -> None:
        """Or a database; without the password."""
        missing = server.set(database="missing", password="pg-secret-word")
        with pytest.raises(StateError) as refused:
            open_store(_text(missing))

        assert "missing" in refused.value.message
        assert refused.value.advice
        assert "pg-secret-word" not in f"{refused.value.message} {refused.value.advice}"

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("bogus=1", 'invalid connection option "bogus"'),
            ("prepare_threshold=0", 'invalid connection option "prepare_threshold"'),  # psycopg takes it, as a number
            ("connect_timeout=soon", "connect_timeout is no number"),
            ("password=pg-secret&half=1", "a part of a password"),
        ],
    )
    def test_what_follows_the_question_mark_and_is_no_option_is_a_wrong_setting(self, options: str, said: str) -> None:
        """It is no bug of crmbridge, and an & in a password is no reason to show what follows it."""
        with pytest.raises(ConfigurationError, match=said) as refused:
            open_store(f"postgresql://nobody@localhost:1/nothing?{options}")

        assert "secret" not in refused.value.message
        assert "half" not in refused.value.message

    def test_it_speaks_utf8_whatever_its_address_says(self, url: str) -> None:
        """And by psycopg, whichever driver it names."""
        store = open_store(f"{url}&client_encoding=latin1".replace("postgresql://", "postgresql+psycopg2://"))
        store.memory("hs")["city"] = "Łódź"

        assert {"city": "Łódź"} == dict(store.memory("hs"))
        store.close()

    @pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
    def test_a_database_that_can_not_hold_all_text_is_refused(self, server: URL, encoding: str) -> None:
        """A server that was made without a locale has such databases; the first name in Polish would end a run."""
        url = _emptied(server, f"in_{encoding.lower()}", f"ENCODING {encoding} LC_COLLATE 'C' LC_CTYPE 'C'")
        with pytest.raises(ConfigurationError, match=f"keeps text as {encoding}"):
            open_store(_text(url))

    @pytest.mark.parametrize(
        ("setting", "statement", "said"),
        [
            ("statement_timeout = '1ms'", "SELECT pg_sleep(1)", "statement timeout"),
            ("lock_timeout = '1ms'", "LOCK TABLE marks", "lock timeout"),
            ("search_path = nowhere", "CREATE TABLE one (more int)", "no schema"),
            ("statement_timeout = 0", "SELECT * FROM taken_away", "does not exist"),
        ],
    )
    def test_what_a_server_refuses_is_no_bug(
        self, store: SqlStore, again: SqlStore, setting: str, statement: str, said: str
    ) -> None:
        """Its limits, or a table that is gone: the state can't be used, and the message says what to do."""

        def refused_one() -> None:
            with store._database.write() as connection:
                connection.exec_driver_sql(f"SET LOCAL {setting}")
                connection.exec_driver_sql(statement)

        with again._database.write() as other:
            other.exec_driver_sql("LOCK TABLE marks")
            with pytest.raises(StateError, match=said) as refused:
                refused_one()

        assert refused.value.advice
