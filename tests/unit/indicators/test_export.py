"""Exports: what comes back from the files, and that no cell of them does anything."""

from __future__ import annotations

import csv
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.indicators.asking import Answer
from crmbridge.indicators.export import csv_text, export_scorecard, guarded, write_csv, write_xlsx
from crmbridge.model.figures import (
    Column,
    Coverage,
    Figure,
    IndicatorFigure,
    Interval,
    Measured,
    Row,
    Scorecard,
    Unit,
)
from crmbridge.testing.factories import NOON

HOSTILE = (
    '=HYPERLINK("http://evil.example","x")',
    "+1+cmd|' /C calc'!A0",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "javascript:alert(1)",
    "http://evil.example",
    "turned\u202eround",
    "\x1b]52;c;eA==\x07copied",
)


def table(*values: object) -> Answer:
    """Make a table of one column."""
    return Answer(columns=("value",), types=("VARCHAR",), rows=[(value,) for value in values])


def card(label: str = "Demo") -> Scorecard:
    """Make a scorecard of one indicator and one measure."""
    share = Figure(unit=Unit.SHARE, value=0.25, n=8, numerator=2, denominator=8, interval=Interval(0.07, 0.59))
    money = Figure(unit=Unit.MONEY, value=-5.5, n=3, currency="EUR")
    indicator = IndicatorFigure(
        id="wins", name="Win rate", measure="win_rate", figure=share, definition="Won.", target="30%", met=False
    )
    measured = Measured(
        id="forecast",
        name="Forecast: [all]/*?",
        definition="What comes.",
        columns=(Column("expected", "Expected"), Column("never", "Never")),
        rows=(Row(label=label, figures={"expected": money}, stage="demo"),),
        headline=money,
    )
    coverage = Coverage(deals=8, open=0, won=2, lost=6, with_history=8, since=None)
    return Scorecard(
        process="Selling",
        as_of=NOON,
        language="en",
        coverage=coverage,
        indicators=(indicator,),
        measures=(measured,),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_csv_is_a_formula(text: str) -> None:
    """Whatever a spreadsheet could take for a formula has a quote in front, and drives and turns nothing."""
    (cell,) = next(csv.reader(csv_text(table(text)).splitlines()[1:]))

    assert cell[0] not in "=+-@\t\r"
    assert not set("\x1b\x07\u202e\t\r") & set(cell)


@pytest.mark.parametrize(("value", "cell"), [("-5", "-5"), ("+3.2", "+3.2"), (-5, "-5"), (Decimal("-5.50"), "-5.50")])
def test_a_negative_number_stays_one(value: object, cell: str) -> None:
    """Whether it is a number or a text that holds nothing else."""
    assert f"value\r\n{cell}\r\n" == csv_text(table(value))


def test_csv_has_plain_forms(tmp_path: Path) -> None:
    """Moments in ISO 8601, flags in lower case, nothing for NULL, and the mark by which spreadsheets know UTF-8."""
    write_csv(table(datetime(2026, 11, 1, 8, 30), date(2026, 1, 2), True, None, [1, 2], "São, 中"), tmp_path / "t.csv")  # noqa: DTZ001  as DuckDB has it

    text = (tmp_path / "t.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    assert ["value", "2026-11-01T08:30:00", "2026-01-02", "true", "", "[1, 2]", "São, 中"] == [
        row[0] if row else "" for row in csv.reader(text.decode("utf-8-sig").splitlines())
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_a_sheet_is_a_formula_or_a_link(tmp_path: Path, text: str) -> None:
    """Every text is a string cell, without a link, a control character or a direction mark."""
    write_xlsx({"=1+1": table(text)}, tmp_path / "t.xlsx")

    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").worksheets[0]
    cell = sheet["A2"]
    assert "s" == cell.data_type
    assert cell.hyperlink is None
    assert not set("\x1b\x07\u202e\t\r") & set(str(cell.value))


def test_a_sheet_has_numbers_dates_and_flags(tmp_path: Path) -> None:
    """Each as what it is; a number that a cell would round is text, and NULL is an empty cell."""
    values = [-5, 2.5, Decimal("1.25"), True, date(2026, 1, 2), 12345678901234567890, None, float("nan"), "x" * 40000]
    write_xlsx({"t": table(*values)}, tmp_path / "t.xlsx")

    cells = [cell.value for (cell,) in openpyxl.load_workbook(tmp_path / "t.xlsx")["t"]["A2:A10"]]
    assert [-5, 2.5, 1.25, True, datetime(2026, 1, 2), "12345678901234567890", None, "nan"] == cells[:8]  # noqa: DTZ001  a sheet has no zones
    assert 32767 == len(cells[8])


def test_a_scorecard_is_a_workbook(tmp_path: Path) -> None:
    """A sheet for the indicators and one per measure; columns say what they are in, and empty ones are left out."""
    export_scorecard(card("=1+1"), tmp_path / "card.xlsx")

    book = openpyxl.load_workbook(tmp_path / "card.xlsx")
    assert ["Indicators", "Forecast   all"] == [name[:14].rstrip() for name in book.sheetnames]
    assert ("Win rate", None, 0.25) == tuple(cell.value for cell in book["Indicators"][2][:3])
    assert ["Expected (EUR)"] == [cell.value for cell in book.worksheets[1][1][1:]]
    assert [("=1+1", -5.5)] == list(book.worksheets[1].iter_rows(min_row=2, values_only=True))
    assert "s" == book.worksheets[1]["A2"].data_type


def test_a_scorecard_is_one_long_table(tmp_path: Path) -> None:
    """Parquet has a row for an indicator, a figure of a measure, and its headline."""
    export_scorecard(card(), tmp_path / "card.parquet")

    with duckdb.connect() as database:
        kept = database.read_parquet(str(tmp_path / "card.parquet")).fetchall()
    assert [("indicator", "wins", 0.25, "30%"), ("forecast", "Demo", -5.5, None), ("forecast", None, -5.5, None)] == [
        (row[0], row[2], row[9], row[15]) for row in kept
    ]


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_a_disk_that_is_full_is_an_error_of_the_system(tmp_path: Path, suffix: str) -> None:
    """Whoever writes the file: its libraries would tell of it each in their own way."""
    path = tmp_path / f"card{suffix}"
    path.symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left on device"):
        export_scorecard(card(), path)


def test_another_ending_is_an_error(tmp_path: Path) -> None:
    """The ending says what to write; one that says nothing is refused."""
    with pytest.raises(ConfigurationError, match=r"card\.ods ends in none of"):
        export_scorecard(card(), tmp_path / "card.ods")
    with pytest.raises(ConfigurationError, match=r"card\.csv is no"):  # a report has its own form of it
        export_scorecard(card(), tmp_path / "card.csv")


def test_a_guard_is_put_once() -> None:
    """A text that is harmless stays as it is."""
    assert ("plain", "'=1", "-5") == (guarded("plain"), guarded("=1"), guarded("-5"))
    assert ("'|calc", "'\uff1d1") == (guarded("|calc"), guarded("\uff1d1"))
