"""`crmbridge sql`: questions to the views, as a table, JSON, CSV and files."""

from __future__ import annotations

import csv
import os
from resource import RLIMIT_FSIZE, setrlimit
from typing import TYPE_CHECKING

import duckdb
import openpyxl
import pytest

if TYPE_CHECKING:
    from tests.integration.shop import Shop

DEALS = "SELECT name, amount, status FROM deals ORDER BY name"


@pytest.fixture
def asked(shop: Shop) -> Shop:
    """Give a project whose deals were evaluated."""
    shop.call("plan")
    return shop


def test_an_answer_is_a_table_that_can_drive_no_terminal(asked: Shop) -> None:
    """With a line per row under the names of the columns; text of a CRM is harmless."""
    said = asked.call("sql", DEALS)

    assert 0 == said.code
    assert ["name", "amount", "status"] == said.out.splitlines()[0].split()
    assert "Rollout" in said.out
    assert set() == {"\x1b", "\u202e"} & set(said.out)


def test_programs_get_one_document(asked: Shop) -> None:
    """Columns, their types, and rows; what was left out is said."""
    result = asked.call("sql", "SELECT 1 AS a, 2.50 AS b, DATE '2026-01-02' AS c", "--json").document["result"]

    assert {"columns": ["a", "b", "c"], "rows": [[1, "2.50", "2026-01-02"]], "more": False} == {
        key: result[key] for key in ("columns", "rows", "more")
    }
    assert asked.call("sql", "FROM range(5)", "--limit", "2", "--json").document["result"]["more"]


def test_a_process_that_counted_ends_without_a_word(asked: Shop) -> None:
    """What DuckDB's library says of what is left at the end is nothing that anybody can act on."""
    assert (0, "") == (asked.spawn("sql", "SELECT 1").code, asked.spawn("report").err)


def test_a_query_comes_from_a_file(asked: Shop) -> None:
    """And an error in it names the file and the line."""
    file = asked.folder / "big.sql"
    file.write_text("SELECT nmae\nFROM deals", "utf-8")

    said = asked.call("sql", "--file", str(file))

    assert 3 == said.code
    assert "big.sql:1: " in said.err
    assert "Did you mean name?" in said.err
    assert 2 == asked.call("sql").code
    assert 3 == asked.call("sql", "--file", str(asked.folder / "none.sql")).code


@pytest.mark.parametrize("sql", ["SELECT length(repeat('x', 4000000000))", "SELECT repeat('x', 1500000000)"])
def test_one_huge_text_is_refused_as_many_rows_are(asked: Shop, sql: str) -> None:
    """DuckDB's own limit does not count it, so the process is held to one by the system."""
    said = asked.call("sql", sql)

    assert 3 == said.code
    assert "memory" in said.err.lower()
    assert "Ask for less at once" in said.err


def test_csv_is_printed_inert(asked: Shop) -> None:
    """A formula has a quote in front; a negative number stays one."""
    said = asked.call("sql", "SELECT '=1+1' AS a, -5 AS b", "--csv")

    assert [["a", "b"], ["'=1+1", "-5"]] == list(csv.reader(said.out.splitlines()))


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_an_answer_is_saved(asked: Shop, ending: str) -> None:
    """In the form that the file's name ends in, whole, with nothing left beside it."""
    path = asked.folder / "out" / f"numbers.{ending}"

    assert 0 == asked.call("sql", "SELECT range AS n FROM range(300)", "--out", str(path)).code

    match ending:
        case "csv":
            numbers = [int(row["n"]) for row in csv.DictReader(path.read_text("utf-8-sig").splitlines())]
        case "parquet":
            with duckdb.connect() as database:
                numbers = [n for (n,) in database.read_parquet(str(path)).fetchall()]
        case _:
            rows = openpyxl.load_workbook(path).worksheets[0].iter_rows(min_row=2, values_only=True)
            numbers = [int(str(row[0])) for row in rows]
    assert list(range(300)) == numbers
    assert [path] == list(path.parent.iterdir())


def test_a_file_is_left_as_it_was_when_the_query_is_wrong(asked: Shop) -> None:
    """A failed export harms no earlier one."""
    path = asked.folder / "kept.csv"
    path.write_text("before", "utf-8")

    assert 3 == asked.call("sql", "SELECT nmae FROM deals", "--out", str(path)).code
    assert "before" == path.read_text("utf-8")
    assert 3 == asked.call("sql", "SELECT 1", "--out", str(asked.folder / "x.ods")).code


@pytest.mark.parametrize("ending", ["parquet", "xlsx"])
def test_a_report_is_saved_as_a_table(asked: Shop, ending: str) -> None:
    """All figures, as a file only."""
    out = asked.folder / "reports"

    assert 0 == asked.call("report", "--format", ending, "--out", str(out)).code
    assert 2 == asked.call("report", "--format", ending).code
    path = out / f"indicators.{ending}"
    if ending == "parquet":
        with duckdb.connect() as database:
            measures = {row[0] for row in database.read_parquet(str(path)).fetchall()}
        assert {"win_rate", "forecast"} <= measures
    else:
        assert "Win rate" in openpyxl.load_workbook(path).sheetnames


def test_nothing_can_be_changed(asked: Shop) -> None:
    """Whatever is asked, the state stays as it is."""
    before = asked.call("sql", "SELECT count(*) AS n FROM deals", "--json").document["result"]["rows"]

    assert 3 == asked.call("sql", "DELETE FROM state.places").code
    assert before == asked.call("sql", "SELECT count(*) AS n FROM deals", "--json").document["result"]["rows"]


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_a_disk_that_takes_no_more_is_said_of_the_file(asked: Shop, ending: str) -> None:
    """It is neither a bug nor wrong SQL, and nothing half written is left."""
    whole = "SELECT i, hash(i)::text AS one, hash(-i)::text AS other FROM range(20000) AS numbers(i)"
    file = asked.folder / "saved" / f"answer.{ending}"
    most = (65_536, 65_536)  # bytes, as SQLite needs some beside its file
    said = asked.spawn("sql", whole, "--out", str(file), preexec_fn=lambda: setrlimit(RLIMIT_FSIZE, most))

    assert (3, f"error: {file} can't be written: File too large") == (said.code, said.err.splitlines()[0])
    assert [] == list(file.parent.iterdir())


def test_a_question_in_other_bytes_is_said(asked: Shop) -> None:
    """Typed, or from a pipe; one in UTF-8 is understood though the terminal knows ASCII only; no input asks nothing."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    understood = asked.spawn("sql", "SELECT length('Łódź') AS letters", "--json", env=environment)
    typed = asked.spawn("sql", b"SELECT 'S\xe3o'")  # type: ignore[arg-type]  as a terminal in Latin-1 sends it
    with asked.start("sql", "--file", "-", text=False) as process:
        _, piped = process.communicate(b"SELECT 'S\xe3o'", timeout=60)
    silent = asked.spawn("sql", "--file", "-", preexec_fn=lambda: os.close(0))

    assert [[4]] == understood.document["result"]["rows"]
    assert (3, 3, 3) == (typed.code, process.returncode, silent.code)
    assert "sql can't be read: it is not UTF-8" in typed.err
    assert "stdin can't be read: it is not UTF-8" in piped.decode()
    assert "stdin: this is 0 statements" in silent.err
