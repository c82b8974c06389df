"""The state on disk: how its file is made, guarded and refused, and what SQL readers find in it."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_mock_engine, event, make_url

from crmbridge.errors import ConfigurationError, CrmbridgeError, LockedError, StateError
from crmbridge.model.business_time import Duration
from crmbridge.model.changes import Action, Outcome, Receipt
from crmbridge.model.codec import change_to_json
from crmbridge.model.findings import Place, SlaClock, SlaState, Visit
from crmbridge.model.records import Kind, Ref, Status
from crmbridge.model.values import Money
from crmbridge.store import migrations, open_store, sqlite
from crmbridge.store.sql import schema
from crmbridge.store.sql.store import SqlStore
from crmbridge.store.version import VERSION
from crmbridge.testing.stores.before import BEFORE_BASES, NOW_BASES, fill_as_before
from crmbridge.testing.stores.makers import (
    HOUR,
    OPEN,
    START,
    WON,
    make_change,
    make_evaluation,
    make_finding,
    make_move,
    make_page,
    make_record,
    make_ref,
    save,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a state file in a folder that isn't there yet."""
    return tmp_path / "my project" / ".crmbridge" / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    """Open a new state."""
    store = SqlStore.open(f"sqlite:///{path}")
    yield store
    store.close()


@pytest.fixture
def stepped(tmp_path: Path) -> Path:
    """Make a state by taking every step, as one that was begun with the first version has."""
    path = tmp_path / "stepped.db"
    take_steps(path, "head")
    return path


def take_steps(path: Path, to: str) -> None:
    """Make a state by the steps up to one of them."""
    engine = sqlite.engine(path)
    query(path, "PRAGMA journal_mode = WAL")
    with engine.begin() as connection:
        command.upgrade(migrations.config(connection), to)
    engine.dispose()


def query(path: Path, sql: str, *values: str) -> list[Any]:
    """Ask the file by plain SQL, as a reader without crmbridge would."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql, values).fetchall()


def refusal(path: Path) -> CrmbridgeError:
    """Give the error that opening ends with."""
    with pytest.raises(CrmbridgeError) as refused:
        open_store(f"sqlite:///{path}")
    assert refused.value.advice
    return refused.value


class TestMaking:
    def test_a_new_state_can_be_read_by_its_owner_only(self, store: SqlStore, path: Path) -> None:
        """It holds customers' data; so do the files that SQLite keeps beside it."""
        save(store, make_page(make_record()))

        files = list(path.parent.iterdir())
        assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}
        assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)

    def test_closing_leaves_one_file(self, store: SqlStore, path: Path) -> None:
        """No draft, and nothing that a backup could miss."""
        save(store, make_page(make_record()))
        store.close()

        assert [path] == list(path.parent.iterdir())

    def test_what_was_saved_is_there_when_it_is_opened_again(self, store: SqlStore, path: Path) -> None:
        """That is what it is for."""
        save(store, make_page(make_record(), cursor="c7"))
        store.close()
        again = open_store(f"sqlite:///{path}")

        assert again.records.cursors("hs").get(Kind.DEAL) == "c7"
        assert [make_record()] == list(again.records.records("hs", Kind.DEAL))
        again.close()

    def test_an_empty_file_becomes_a_state(self, path: Path) -> None:
        """Somebody made it with the owner and mode they wanted."""
        path.parent.mkdir(parents=True)
        path.touch()
        path.chmod(0o640)
        made = open_store(f"sqlite:///{path}")
        save(made, make_page(make_record(), cursor="c7"))
        made.close()
        again = open_store(f"sqlite:///{path}")

        assert ("c7", [make_record()]) == (
            again.records.cursors("hs").get(Kind.DEAL),
            list(again.records.records("hs", Kind.DEAL)),
        )
        assert 0o640 == stat.S_IMODE(path.stat().st_mode)
        again.close()

    def test_the_store_is_imported_without_sqlalchemy_and_opened_without_alembic(self, path: Path) -> None:
        """Both are slow to load; each is loaded when it is needed. The state is new the first time."""
        script = (
            "import sys, crmbridge.store as s; assert 'sqlalchemy' not in sys.modules; "
            f"s.open_store({f'sqlite:///{path}'!r}).close(); s.open_store({f'sqlite:///{path}'!r}).close(); "
            "assert 'alembic' not in sys.modules"
        )

        done = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603  our own words

        assert done.returncode == 0

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "state.db",
            "sqlite://",
            "sqlite:///:memory:",
            "nosuchdb://u:hunter2@h/x",
            "postgresql://u:pa@hunter2@127.0.0.1/x",
            "postgresql://u:pa@hunter2/word@127.0.0.1/x",
            "postgresql://u:pa@hunter2:word@127.0.0.1/x",
            "postgresql://u:pa@127.0.0.1:hunter2/x",
        ],
    )
    def test_an_address_that_cannot_be_a_store_is_a_wrong_setting(self, url: str) -> None:
        """And no password shows."""
        with pytest.raises(ConfigurationError) as refused:
            open_store(url)

        assert "sqlite:///" in refused.value.advice
        assert "hunter2" not in str(refused.value)

    def test_a_password_behind_the_question_mark_shows_as_little_as_any(self) -> None:
        """libpq takes it there, too."""
        pytest.importorskip("psycopg")
        with pytest.raises(StateError) as refused:
            open_store("postgresql://u@127.0.0.1:1/x?password=hunter2")

        assert "The state postgresql://u@127.0.0.1:1/x can't be reached" in str(refused.value)
        assert "hunter2" not in str(refused.value)

    def test_a_state_on_a_server_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """crmbridge installs nothing that speaks to PostgreSQL unless it is asked for."""
        monkeypatch.setitem(sys.modules, "psycopg", None)

        with pytest.raises(ConfigurationError) as refused:
            open_store("postgresql://u:hunter2@127.0.0.1/x")

        assert refused.value.advice == "pip install 'crmbridge[postgresql]', which brings psycopg."
        assert "hunter2" not in str(refused.value)


class TestRefusing:
    def test_a_delivery_that_could_not_be_noted_may_come_again(self, store: SqlStore) -> None:
        """Were it known already, nothing would be noted of what the CRM sends again."""
        for before, after in (("hints", "away"), ("away", "hints")):
            with store._database.write() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")
            if before == "hints":
                with pytest.raises(StateError):
                    store.hints.first_seen(["e1"], START, HOUR, [make_ref("1")])

        assert {"e1"} == store.hints.first_seen(["e1"], START, HOUR, [make_ref("1")])

    def test_a_file_that_is_no_database_is_damaged(self, path: Path) -> None:
        """It is left as it is."""
        path.parent.mkdir(parents=True)
        path.write_bytes(b"this was never a database\n" * 100)

        assert isinstance(refusal(path), StateError)
        assert path.read_bytes() == b"this was never a database\n" * 100

    def test_a_torn_file_is_damaged(self, store: SqlStore, path: Path) -> None:
        """The error comes where the damage is read."""
        save(store, make_page(*(make_record(str(n)) for n in range(500))))
        store.close()
        whole = path.read_bytes()
        path.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))

        with pytest.raises(StateError, match="can't be read"):
            self.read_everything(path)

    @staticmethod
    def read_everything(path: Path) -> None:
        """Open a state and read its deals."""
        store = open_store(f"sqlite:///{path}")
        try:
            list(store.records.records("hs", Kind.DEAL))
        finally:
            store.close()

    def test_another_programs_database_is_left_alone(self, path: Path) -> None:
        """Our tables have no place in it."""
        path.parent.mkdir(parents=True)
        query(path, "CREATE TABLE songs (title TEXT)")

        assert "something else" in refusal(path).message
        assert [("songs",)] == query(path, "SELECT name FROM sqlite_master")

    @pytest.mark.parametrize("version", ["0099", "abc"])
    def test_a_newer_state_is_left_alone(self, store: SqlStore, path: Path, version: str) -> None:
        """An older crmbridge can't know what is in it."""
        store.close()
        query(path, "UPDATE alembic_version SET version_num = ?", version)

        assert "newer crmbridge" in refusal(path).message
        assert [path.name] == [each.name for each in path.parent.iterdir()]  # nothing holds it open
        assert [(version,)] == query(path, "SELECT version_num FROM alembic_version")

    def test_a_state_of_the_first_version_is_brought_up_to_date(self, path: Path) -> None:
        """What is in it stays, and what came since can be used."""
        path.parent.mkdir(parents=True)
        take_steps(path, "0001")
        row = ("hs", "deal", "1", "v1", "2026-01-05T08:00:00.000000Z", "{}", "[]")
        columns = "connection, kind, id, version, updated_at, fields, problems"
        query(path, f"INSERT INTO records ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", *row)  # noqa: S608  our own words
        store = SqlStore.open(f"sqlite:///{path}")
        store.hints.add([make_ref()], START)
        store.memory("hs")["account"] = "1"

        assert ["1"] == [record.ref.id for record in store.records.records("hs", Kind.DEAL)]
        assert (((make_ref(), START),), {"account": "1"}) == (store.hints.pending("hs"), dict(store.memory("hs")))
        assert [(VERSION,)] == query(path, "SELECT version_num FROM alembic_version")
        store.close()

    def test_bases_of_a_row_a_field_become_one_row_a_record(self, path: Path) -> None:
        """Each value stays, whatever it is and says; sync looks at all records once."""
        path.parent.mkdir(parents=True)
        take_steps(path, "0002")
        fill_as_before(lambda sql, row: query(path, sql, *row))
        store = SqlStore.open(f"sqlite:///{path}")

        assert NOW_BASES == store.links.bases()
        assert {"L1": (make_ref(), make_ref("1", "sf"))} == store.links.links()
        assert [("1", None), ("2", None)] == [(r.ref.id, r.updated_by) for r in store.records.records("hs", Kind.DEAL)]
        assert ["1", "2", "3"] == [ref.id for ref in store.backlog.pending("r")[1]]
        store.backlog.dealt("r", store.backlog.pending("r")[0])
        save(store, make_page(make_record("2", fields={"name": "New"}), make_record("4")))
        assert ["2", "4"] == [ref.id for ref in store.backlog.pending("r")[1]]
        store.close()

    def test_clocks_of_visits_begin_and_end_with_them(self, path: Path) -> None:
        """Nobody knows what judged them, so they are judged once more; goals stay as long as they were."""
        path.parent.mkdir(parents=True)
        take_steps(path, "0005")
        entered, left = "2026-01-05T08:00:00.000000Z", "2026-01-05T09:00:00.000000Z"
        visit = ("hs", "1", "talk", 0, entered)
        query(path, "INSERT INTO visits VALUES (?, ?, ?, 1, ?, ?, NULL, NULL, NULL)", *visit)  # type: ignore[arg-type]
        query(path, "INSERT INTO visits VALUES (?, ?, ?, 2, ?, ?, ?, NULL, 'lost')", *visit, left)  # type: ignore[arg-type]
        for number, calendar, goal in ((1, "office", 1800.0), (2, "", 36e5)):
            row = ("hs", "1", "talk", number, "talk.sla", calendar, goal, 60.0, None, "on_time", 0)
            query(path, f"INSERT INTO sla_clocks VALUES ({', '.join('?' * 11)})", *row)  # type: ignore[arg-type]  # noqa: S608  marks
        store = SqlStore.open(f"sqlite:///{path}")
        running, closed = store.findings.clocks()

        assert ("30bm", HOUR / 2, True) == (str(running.limit), running.goal, running.running)
        assert ("1000h", 1000 * HOUR, START + HOUR) == (str(closed.limit), closed.goal, closed.ended_at)
        assert ((), "", START) == (closed.pauses, closed.judged_by, closed.started_at)
        store.close()

    def test_what_the_journal_leaves_open_is_known_after_the_step(self, path: Path) -> None:
        """By its last row only: an intent, or an outcome that is unknown; what was settled since is not."""
        path.parent.mkdir(parents=True)
        take_steps(path, "0008")
        change = json.dumps(change_to_json(make_change()))
        said = [("c1", None), ("c2", None), ("c1", "applied"), ("c3", None), ("c3", "unknown"), ("c4", None)]
        for id_, outcome in (*said, ("c4", "unknown"), ("c4", "applied"), ("c1", None)):
            row = ("r", "2026-01-05T08:00:00.000000Z", id_, "outcome" if outcome else "intent", change, outcome)
            columns = "run, at, change_id, phase, change, outcome, message"
            query(path, f"INSERT INTO journal ({columns}) VALUES (?, ?, ?, ?, ?, ?, '')", *row)  # type: ignore[arg-type]  # noqa: S608  our own words
        store = SqlStore.open(f"sqlite:///{path}")

        assert [("c1",), ("c2",), ("c3",)] == query(path, "SELECT change_id FROM open_changes ORDER BY change_id")
        assert [2, 4, 9] == [entry.seq for entry in store.journal.unsettled()]
        store.close()

    def test_which_changes_are_about_a_record_is_known_after_the_step(self, path: Path) -> None:
        """By what each was meant for, and by what it made, though its id be nothing that a database keeps."""
        path.parent.mkdir(parents=True)
        take_steps(path, "0009")
        new = make_change("c1", action=Action.CREATE, target=None)
        old, odd = Ref("north", Kind.DEAL, "a/1"), Ref("north", Kind.DEAL, "a\x00\ud800")
        meant = [make_change(id_, target=ref) for id_, ref in (("c2", old), ("c3", odd))]
        for change, ref in ((new, None), (new, "south/deal/9"), *((change, None) for change in meant)):
            row = ("r", "2026-01-05T08:00:00.000000Z", change.id, json.dumps(change_to_json(change)), ref)
            columns = "run, at, change_id, change, ref, phase, message"
            query(path, f"INSERT INTO journal ({columns}) VALUES (?, ?, ?, ?, ?, 'intent', '')", *row)  # type: ignore[arg-type]  # noqa: S608  our own words
        store = SqlStore.open(f"sqlite:///{path}")
        journal = store.journal

        assert [2] == [entry.seq for entry in journal.about([Ref("south", Kind.DEAL, "9")])]
        assert [[3], [4]] == [[entry.seq for entry in journal.about([ref])] for ref in (old, odd)]
        store.close()

    def test_a_migration_that_fails_halfway_keeps_every_base(self, path: Path) -> None:
        """A base that can't be read is no reason to lose the others: the state stays as it was."""
        path.parent.mkdir(parents=True)
        take_steps(path, "0002")
        fill_as_before(lambda sql, row: query(path, sql, *row))
        query(path, "INSERT INTO bases VALUES ('zz', 'deal', '9', 'name', 'no JSON')")
        with pytest.raises(ValueError, match="Expecting value"):
            open_store(f"sqlite:///{path}")

        assert len(BEFORE_BASES) + 1 == query(path, "SELECT count(*) FROM bases")[0][0]
        assert [("0002",)] == query(path, "SELECT version_num FROM alembic_version")

    def test_a_migration_that_fails_leaves_the_file_as_it_was(self, path: Path) -> None:
        """It is one transaction: all tables or none."""
        path.parent.mkdir(parents=True)
        query(path, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        query(path, "CREATE TABLE journal (mine TEXT)")

        assert isinstance(refusal(path), StateError)
        assert [("alembic_version",), ("journal",)] == query(path, "SELECT name FROM sqlite_master ORDER BY name")

    def test_a_path_below_a_file_cannot_be_written(self, tmp_path: Path) -> None:
        """The message says which path."""
        (tmp_path / "file").touch()
        error = refusal(tmp_path / "file" / "state.db")

        assert isinstance(error, StateError)
        assert "state.db" in error.message

    def test_a_folder_in_its_place_cannot_be_opened(self, path: Path) -> None:
        """And is not taken away."""
        path.mkdir(parents=True)

        assert isinstance(refusal(path), StateError)
        assert path.is_dir()

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
    def test_a_file_that_may_not_be_written_says_so(self, store: SqlStore, path: Path) -> None:
        """Opened for reading only, it fails at the first write."""
        store.close()
        path.chmod(0o400)
        again = open_store(f"sqlite:///{path}")

        with pytest.raises(StateError, match="for writing"):
            save(again, make_page(make_record()))
        again.close()

    def test_a_file_that_was_taken_away_is_not_made_again(self, store: SqlStore, path: Path) -> None:
        """An empty state in the middle of a run would pull and create everything anew."""
        store.close()
        path.unlink()

        with pytest.raises(StateError, match="can't be opened"):
            save(store, make_page(make_record()))
        assert not path.exists()

    def test_it_is_not_made_again_either_where_the_whole_store_is_opened_later(self, path: Path) -> None:
        """As when a run that found nothing new so far comes to what is new."""
        open_store(f"sqlite:///{path}").close()
        quiet = open_store(f"sqlite:///{path}")
        assert () == quiet.backlog.pending("main")[1]
        path.unlink()

        with pytest.raises(StateError, match="can't be opened"):
            save(quiet, make_page(make_record()))
        quiet.close()
        assert not path.exists()

    def test_a_full_disk_saves_nothing_of_the_page(self, store: SqlStore, path: Path) -> None:
        """The page before stays whole, and the next one can be saved once there is room."""
        save(store, make_page(make_record("small"), cursor="c1"))
        store.close()  # SQLite gets a new connection, with a limit like that of a full disk
        big = make_page(*(make_record(str(n), fields={"name": "x" * 5000}) for n in range(100)), cursor="c2")
        with store._database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(StateError, match="disk") as refused:
            save(store, big)

        assert "disk space" in refused.value.advice
        assert "xxx" not in str(refused.value)
        assert store.records.cursors("hs").get(Kind.DEAL) == "c1"
        assert ["small"] == [record.ref.id for record in store.records.records("hs", Kind.DEAL)]

    def test_a_state_that_another_process_keeps_busy_is_locked(
        self, store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a while; nobody waits for ever."""
        monkeypatch.setattr("crmbridge.store.sqlite.BUSY_SECONDS", 0)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            store.close()
            with pytest.raises(LockedError):
                save(store, make_page(make_record()))


def test_fields_come_as_the_bytes_that_they_are_parsed_from(store: SqlStore, path: Path) -> None:
    """Nobody makes text of them, and bytes of that; what is written back is text, as it was."""
    held, one, other = {"name": "Contratação"}, make_ref("1"), make_ref("2")
    store.records.put([make_record("1", fields=held)])
    store.links.save({"lnk1": (one,)}, {one: held})
    around = store.links.around(["lnk1"])
    store.links.save_bases({other: around.bases[one]})
    read = [store.records.get([one])[one].fields, around.records[one].fields, around.bases[one]]

    assert [(bytes, held)] * 3 == [(type(getattr(each, "text", None)), dict(each)) for each in read]
    assert {one: held, other: held} == store.links.bases()
    assert [("text",)] * 2 == query(path, "SELECT typeof(fields) FROM bases")


def _without_spaces(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    """Give rows of SQL as they are compared: a column that was added later stands on the same line."""
    return [tuple("".join(str(value).split()) for value in row) for row in rows]


class TestSchema:
    def test_the_steps_lead_to_the_tables_that_the_code_knows(self, stepped: Path) -> None:
        """Columns, types, keys and indices."""
        engine = sqlite.engine(stepped)
        with engine.connect() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)
        engine.dispose()

        assert differences == []

    def test_a_new_state_is_what_the_steps_lead_to(self, store: SqlStore, path: Path, stepped: Path) -> None:
        """Word for word but for spaces: tables, indices, triggers, version. A new one is made without the steps."""
        store.close()
        everything = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        version = "SELECT version_num FROM alembic_version"

        assert _without_spaces(query(stepped, everything)) == _without_spaces(query(path, everything))
        assert query(stepped, version) == query(path, version) == [(VERSION,)]

    def test_the_version_is_that_of_the_newest_step(self) -> None:
        """Opening compares it before it loads alembic."""
        assert VERSION == migrations.newest()

    def test_every_table_can_be_made_in_postgresql(self) -> None:
        """Nothing in the tables is known to SQLite alone."""
        made: list[str] = []
        dialect = make_url("postgresql://").get_dialect()()
        engine = create_mock_engine("postgresql://", lambda sql, *_: made.append(str(sql.compile(dialect=dialect))))
        schema.metadata.create_all(engine, checkfirst=False)

        assert len(schema.metadata.tables) == sum("CREATE TABLE" in text for text in made)

    @pytest.mark.parametrize("change", ["DELETE FROM journal", "UPDATE journal SET message = 'never happened'"])
    def test_the_journal_only_grows(self, store: SqlStore, path: Path, change: str) -> None:
        """The file itself refuses, whoever asks."""
        store.journal.intend("r1", [make_change()], START)

        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            query(path, change)
        assert ["c1"] == [entry.change.id for entry in store.journal.entries()]

    def test_what_is_open_is_found_without_looking_through_the_journal(self, store: SqlStore, path: Path) -> None:
        """However long it has become: SQLite searches it by keys, for the changes that are open."""
        asked: list[str] = []

        def listen(*told: Any) -> None:
            asked.append(told[2])

        event.listen(Engine, "before_cursor_execute", listen)
        store.journal.unsettled()
        event.remove(Engine, "before_cursor_execute", listen)
        plan = [row[3] for row in query(path, f"EXPLAIN QUERY PLAN {asked[-1]}", "intent")]

        assert [] == [step for step in plan if step.startswith("SCAN") and "open_changes" not in step]

    def test_commits_wait_for_the_disk(self, store: SqlStore) -> None:
        """WAL with synchronous=FULL (2): a committed intent survives a power cut. Foreign keys hold."""
        with store._database.read() as connection:
            asked = ("journal_mode", "synchronous", "foreign_keys")
            answers = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]

        assert ["wal", 2, 1] == answers

    def test_deals_lie_close_together(self, store: SqlStore) -> None:
        """A page of the file holds several deals with fifty fields, so that a pull writes no empty halves of pages."""
        with store._database.read() as connection:
            assert 8192 == connection.exec_driver_sql("PRAGMA page_size").scalar()

    @pytest.mark.parametrize("fails", ["cursors", "moves"])
    def test_a_page_is_saved_whole_or_not_at_all(self, store: SqlStore, path: Path, fails: str) -> None:
        """Whichever part of it fails."""
        save(store, make_page(make_record("1"), moves=(make_move(),), cursor="c1"))
        query(path, f"CREATE TRIGGER t BEFORE INSERT ON {fails} BEGIN SELECT RAISE(ABORT, 'no'); END")
        page = make_page(make_record("2"), moves=(make_move(deal="2"),), cursor="c2")
        with pytest.raises(Exception, match="no"):
            save(store, page)

        assert [("1",)] == query(path, "SELECT id FROM records")
        assert [("1",)] == query(path, "SELECT deal FROM moves")
        assert [("c1",)] == query(path, "SELECT cursor FROM cursors")

    @pytest.mark.parametrize("fails", ["bases", "journal"])
    def test_outcomes_and_bases_are_saved_together_or_not_at_all(self, store: SqlStore, path: Path, fails: str) -> None:
        """Whichever of the two fails."""
        store.journal.intend("r1", [make_change()], START)
        query(path, f"CREATE TRIGGER t BEFORE INSERT ON {fails} BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(Exception, match="no"):
            store.journal.settle(
                "r1", [Receipt(change="c1", outcome=Outcome.APPLIED)], {make_ref(): {"name": "B"}}, START
            )

        assert ["c1"] == [entry.change.id for entry in store.journal.unsettled()]
        assert store.links.bases() == {}


class TestPlainColumns:
    """What the indicators read without knowing JSON or Python."""

    def test_a_deals_values_stand_in_columns(self, store: SqlStore, path: Path) -> None:
        """Amounts are decimal text, times sort as text."""
        fields = {
            "name": "Deal",
            "amount": Money(Decimal("1.2E+3"), "EUR"),
            "owner": "77",
            "close_date": date(2026, 3, 31),
        }
        save(store, make_page(make_record(fields=fields)))

        expected = ("Deal", "1200", "EUR", "77", "2026-03-31", "default", "qualified", "open")
        assert [(*expected, "2026-01-05T08:00:00.000000Z")] == query(
            path,
            "SELECT name, amount, currency, owner, close_date, pipeline, stage, status, updated_at FROM records",
        )

    def test_moves_places_visits_and_clocks_stand_in_columns(self, store: SqlStore, path: Path) -> None:
        """One row each."""
        save(store, make_page(make_record(), moves=(make_move(before=OPEN, after=WON, by="77"),)))
        visit = Visit(
            deal=make_ref(),
            stage="diagnosis",
            number=1,
            entered_at=START,
            left_at=START + HOUR,
            to=Place("closing", Status.WON),
        )
        clock = SlaClock(
            visit=visit,
            sla="s",
            calendar="office",
            limit=Duration.parse("1bh"),
            goal=HOUR,
            elapsed=HOUR / 4,
            started_at=START,
            ended_at=START + HOUR,
            due_at=None,
            state=SlaState.ON_TIME,
        )
        store.findings.save([make_evaluation("1", make_finding(), visits=(visit,), clocks=(clock,))], START)

        assert [("qualified", "open", "closedwon", "won", "77")] == query(
            path, 'SELECT from_stage, from_status, to_stage, to_status, "by" FROM moves'
        )
        assert [("hs", "1", "qualification", "open")] == query(
            path, "SELECT connection, deal, stage, status FROM places"
        )
        assert [("closing", "won", "2026-01-05T09:00:00.000000Z")] == query(
            path, "SELECT to_stage, to_status, left_at FROM visits"
        )
        assert [(3600.0, 900.0, "on_time", 0)] == query(
            path, "SELECT goal_seconds, elapsed_seconds, state, running FROM sla_clocks"
        )
        store.findings.forget([make_ref()], START)
        assert [(0, 0, 0)] == query(
            path,
            "SELECT (SELECT count(*) FROM places), (SELECT count(*) FROM visits), (SELECT count(*) FROM sla_clocks)",
        )
