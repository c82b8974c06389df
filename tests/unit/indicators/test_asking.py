"""SQL that somebody else wrote: what is answered, what is refused, and how an error says where it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.indicators.asking import Answer, ask, write_parquet
from crmbridge.indicators.state import opened
from crmbridge.store import open_store


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Name the one file that may be written."""
    return tmp_path / "o'ut.parquet"


@pytest.fixture
def database(tmp_path: Path, out: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a locked-down database with one view."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    open_store(url).close()
    with opened(url, [], writes=out) as connection:
        connection.execute("CREATE TABLE kept (owner VARCHAR, amount INTEGER)")
        connection.execute("INSERT INTO kept VALUES ('Rita', 5), (NULL, 7)")
        connection.execute("CREATE VIEW deals AS FROM kept")
        yield connection


def refused(database: duckdb.DuckDBPyConnection, sql: str, seconds: float = 30) -> ConfigurationError:
    """Ask what is refused."""
    with pytest.raises(ConfigurationError) as caught:
        ask(database, sql, "my.sql", most=10, seconds=seconds)
    assert 3 == caught.value.exit_code
    return caught.value


def test_an_answer_has_columns_types_and_rows(database: duckdb.DuckDBPyConnection) -> None:
    """Of more rows than are wanted, the first are given, and it is said that there are more."""
    expected = Answer(columns=("owner", "amount"), types=("VARCHAR", "INTEGER"), rows=[(None, 7)], more=True)

    assert expected == ask(database, "FROM deals ORDER BY amount DESC -- a comment", "my.sql", most=1)
    assert [{"owner": "Rita"}] == list(ask(database, "SELECT owner FROM deals LIMIT 1;", "my.sql", most=1).records())


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE kept",
        "INSERT INTO kept VALUES ('x', 1)",
        "CREATE TEMP TABLE mine AS SELECT 1",
        "COPY kept TO '/tmp/kept.csv'",
        "SET memory_limit = '9GB'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "PRAGMA database_list",
        "UPDATE EXTENSIONS",
        "SELECT 1; DROP TABLE kept",
        "",
    ],
)
def test_only_one_select_is_answered(database: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Everything else is refused before it runs."""
    said = refused(database, sql).message

    assert "only SELECT is answered" in said or "statements, not one" in said
    assert (2,) == database.execute("SELECT count(*) FROM kept").fetchone()


def test_a_pivot_names_its_values(database: duckdb.DuckDBPyConnection) -> None:
    """One that looks for them itself would make a type of its own for them, and nothing is made here."""
    assert "Name them" in str(refused(database, "PIVOT deals ON owner USING sum(amount)").advice)
    named = "PIVOT deals ON owner IN ('Rita', 'Bo') USING sum(amount)"
    assert ("Rita", "Bo") == ask(database, named, "my.sql", most=1).columns[-2:]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "FROM '/etc/passwd'",
        "SELECT * FROM read_csv('https://crm.example/x.csv')",
        "SELECT * FROM glob('/etc/*')",
        "FROM enable_logging(storage='file', storage_path='/tmp/told')",
        "FROM enable_profiling()",
        "WITH written AS (INSERT INTO kept VALUES ('x', 1) RETURNING *) SELECT * FROM written",
    ],
)
def test_a_select_reaches_nothing_but_the_views(database: duckdb.DuckDBPyConnection, sql: str) -> None:
    """No file, no network, no writing in disguise; the next question is answered as ever."""
    assert refused(database, sql).advice

    assert [(2,)] == ask(database, "SELECT count(*) FROM deals", "my.sql", most=1).rows


def test_what_takes_too_long_is_stopped(database: duckdb.DuckDBPyConnection) -> None:
    """The time is a limit, and the database is well afterwards."""
    endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range % 7 = b.range % 3"

    assert "my.sql: this takes longer than 0.2 seconds" == refused(database, endless, seconds=0.2).message
    assert [(2,)] == ask(database, "SELECT count(*) FROM deals", "my.sql", most=1).rows


def test_what_needs_too_much_memory_is_stopped(database: duckdb.DuckDBPyConnection) -> None:
    """Memory has a limit of its own."""
    assert "Out of Memory" in refused(database, "SELECT list(repeat('x', 100) || range) FROM range(3000000)").message


@pytest.mark.parametrize(
    ("sql", "message", "advice"),
    [
        ("SELECT\n  onwer FROM deals", 'my.sql:2: Referenced column "onwer" not found', "Did you mean owner?"),
        ("SELECT d.ammount\nFROM deals d", "my.sql:1: ", "Did you mean amount?"),
        ("SELECT 1\nFROM\n  dealz", "my.sql:3: Catalog Error: Table with name dealz", "Did you mean deals?"),
        ("SELEC 1", "my.sql:1: Parser Error: syntax error", "DuckDB's SQL is meant"),
        ("SELECT owner::INTEGER FROM deals", "my.sql", "DuckDB's SQL is meant"),
    ],
)
def test_an_error_says_the_line_and_what_was_meant(
    database: duckdb.DuckDBPyConnection, sql: str, message: str, advice: str
) -> None:
    """The file and the line come first, then what is wrong, then the view or column that looks most like it."""
    error = refused(database, sql)

    assert error.message.startswith(message)
    assert error.advice.startswith(advice)
    assert "\n" not in error.message


def test_parquet_is_written_to_the_one_file(database: duckdb.DuckDBPyConnection, out: Path) -> None:
    """The file holds the rows with their types; a wrong query says its own line, and no other file can be written."""
    write_parquet(database, "FROM deals -- all", "my.sql", str(out))
    with duckdb.connect() as other:
        assert [("Rita", 5), (None, 7)] == other.read_parquet(str(out)).fetchall()

    write_parquet(database, "FROM deals; -- all;\n /* é; */ ;", "my.sql", str(out))
    with duckdb.connect() as other:
        assert [("Rita", 5), (None, 7)] == other.read_parquet(str(out)).fetchall()

    with pytest.raises(ConfigurationError, match=r"^my\.sql:2: "):
        write_parquet(database, "SELECT\n onwer FROM deals", "my.sql", str(out))
    with pytest.raises(ConfigurationError, match="disabled by configuration"):
        write_parquet(database, "FROM deals", "my.sql", str(out.with_name("other.parquet")))
