"""Save tables and scorecards as CSV, XLSX and Parquet, so that no cell of them does anything when it is opened."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from io import BytesIO, StringIO
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crmbridge.engine.text import cell, plain
from crmbridge.errors import ConfigurationError
from crmbridge.indicators.asking import Answer, to_disk
from crmbridge.model.figures import Column, Figure, Row, Scorecard, Unit

if TYPE_CHECKING:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # it has no stubs
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]  # the same

SUFFIXES: Final = (".csv", ".parquet", ".xlsx")
SHEET_ROWS: Final = 1_048_576  # of a sheet, its header among them: Excel specifications and limits
_CELL: Final = 32_767  # characters: the same page
_PLAIN: Final = {Unit.COUNT, Unit.SHARE, Unit.RATIO}  # numbers of nothing
_EXACT: Final = 10**15  # a cell's number has 15 digits; larger whole numbers would be rounded, so they go as text
_NAME: Final = re.compile(r"[\[\]:*?/\\']")  # not in the name of a sheet

_FIGURES: Final = {  # the columns of a scorecard's table, with their types
    "measure": "VARCHAR",
    "name": "VARCHAR",
    "row": "VARCHAR",
    "stage": "VARCHAR",
    "segment": "VARCHAR",
    "period": "VARCHAR",
    "column": "VARCHAR",
    "unit": "VARCHAR",
    "currency": "VARCHAR",
    "value": "DOUBLE",
    "n": "BIGINT",
    "numerator": "DOUBLE",
    "denominator": "DOUBLE",
    "low": "DOUBLE",
    "high": "DOUBLE",
    "target": "VARCHAR",
    "met": "BOOLEAN",
}


def suffix_of(path: Path) -> str:
    """Give how a file's name ends when we can write such a file; raises ConfigurationError else."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigurationError(
            f"{path.name} ends in none of {', '.join(SUFFIXES)}", advice="The ending says how the file is written."
        )
    return suffix


def csv_text(answer: Answer) -> str:
    """Write a table as CSV (RFC 4180). A text that a spreadsheet could take for a formula gets a ' in front."""
    written = StringIO()
    lines = csv.writer(written)
    lines.writerow([_csv_cell(column) for column in answer.columns])
    lines.writerows([_csv_cell(value) for value in row] for row in answer.rows)
    return written.getvalue()


def write_csv(answer: Answer, path: Path) -> None:
    """Write a table as a CSV file in UTF-8, with the mark by which spreadsheets know it."""
    path.write_text(csv_text(answer), "utf-8-sig", newline="")


def write_xlsx(sheets: Mapping[str, Answer], path: Path) -> None:
    """Write tables as the sheets of one XLSX file, by their names. Text is text: no formula and no link comes of it.

    Raises ConfigurationError for more rows than a sheet has, and OSError where the disk does not take them.
    """
    from xlsxwriter import Workbook  # noqa: PLC0415  paid by those who want one
    from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]  # noqa: PLC0415  the same

    inert = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    for name, answer in sheets.items():
        if len(answer.rows) >= SHEET_ROWS:
            raise ConfigurationError(
                f"{name} has {len(answer.rows):,} rows, more than a sheet holds", advice="Write .csv or .parquet."
            )
    written = BytesIO()  # zipped; a disk that is full would leave the library's own file half closed
    options = {**inert, "constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}
    try:
        with Workbook(written, options) as book:
            taken: set[str] = set()
            for name, answer in sheets.items():
                _write_sheet(book, _sheet_name(name, taken), answer)
    except FileCreateError as error:  # of a temporary file
        raise error.args[0] from None
    path.write_bytes(written.getbuffer())


def write_values(answer: Answer, path: Path) -> None:
    """Write a table of plain texts, numbers and flags as Parquet, columns typed as the table says."""
    import duckdb  # noqa: PLC0415  paid by those who want Parquet

    typed = ", ".join(f'"{name}" {kind}' for name, kind in zip(answer.columns, answer.types, strict=True))
    with duckdb.connect() as database:  # of its own: it runs no SQL but ours, so it may write where it likes
        database.execute(f"CREATE TABLE answer ({typed})")
        marks = ", ".join("?" * len(answer.columns))
        if answer.rows:
            database.executemany(f"INSERT INTO answer VALUES ({marks})", answer.rows)  # noqa: S608  question marks
        quoted = str(path).replace("'", "''")
        with to_disk():
            database.execute(f"COPY answer TO '{quoted}' (FORMAT parquet, USE_TMP_FILE false)")


def export_scorecard(scorecard: Scorecard, path: Path) -> None:
    """Save all figures of a scorecard as .parquet or .xlsx, which its name's ending says.

    Parquet is one long table, a row for each figure; XLSX has a sheet for the indicators and one per measure. As CSV,
    a report writes itself. Raises ConfigurationError for another ending.
    """
    if suffix_of(path) == ".csv":
        raise ConfigurationError(f"{path.name} is no .parquet or .xlsx", advice="Write CSV with `--format csv`.")
    if path.suffix.lower() == ".xlsx":
        write_xlsx(_sheets(scorecard), path)
    else:
        write_values(figures_table(scorecard), path)


def figures_table(scorecard: Scorecard) -> Answer:
    """Give a scorecard as one long table: a row per figure, and one per indicator under `measure` = indicator."""
    rows = [tuple(row.get(column) for column in _FIGURES) for row in _long(scorecard)]
    return Answer(columns=tuple(_FIGURES), types=tuple(_FIGURES.values()), rows=rows)


# ── Cells ───────────────────────────────────────────────────────────────────────────────────────────────


def guarded(text: str) -> str:
    """Give a text without control and direction characters, and with a ' in front if it could be a formula."""
    return cell(plain(text, _CELL - 1))


def _csv_cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return guarded(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case int() | float() | Decimal():
            return f"{value:f}" if isinstance(value, Decimal) else value
        case _:
            return guarded(as_text(value))


def as_text(value: object) -> str:
    """Give a value of any type as text: lists and structures as JSON."""
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def _write_sheet(book: Workbook, name: str, answer: Answer) -> None:
    sheet = book.add_worksheet(name)
    strong = book.add_format({"bold": True})
    sheet.freeze_panes(1, 0)
    for column, title in enumerate(answer.columns):
        sheet.write_string(0, column, plain(str(title), _CELL), strong)
        sheet.set_column(column, column, min(max(len(str(title)) + 2, 12), 60))
    for line, row in enumerate(answer.rows, 1):
        for column, value in enumerate(row):
            _write_cell(sheet, line, column, value)


def _write_cell(sheet: Worksheet, line: int, column: int, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif isinstance(value, int | float | Decimal) and _fits(value):
        sheet.write_number(line, column, value)
    elif isinstance(value, dt.date) and _is_day(value):
        sheet.write_datetime(line, column, value)
    else:
        sheet.write_string(line, column, plain(as_text(value), _CELL))


def _is_day(value: dt.date) -> bool:
    """Tell whether a sheet can have it as a date: since 1900, and without a time zone."""
    return value.year >= 1900 and getattr(value, "tzinfo", None) is None


def _fits(number: float | Decimal) -> bool:
    return isfinite(number) and -_EXACT < number < _EXACT


def _sheet_name(name: str, taken: set[str]) -> str:
    """Give a name that a sheet may have, and that no other one of the book has."""
    base = _NAME.sub(" ", plain(name, 31)).strip() or "Sheet"
    found, number = base, 1
    while found.casefold() in taken:
        number += 1
        found = f"{base[: 30 - len(str(number))]} {number}"
    taken.add(found.casefold())
    return found


# ── Scorecards ──────────────────────────────────────────────────────────────────────────────────────────


def _long(scorecard: Scorecard) -> Iterator[dict[str, Any]]:
    for each in scorecard.indicators:
        about = {
            "measure": "indicator",
            "name": each.name,
            "row": each.id,
            "stage": each.stage_id,
            "column": each.measure,
        }
        yield {**about, **_parts(each.figure), "target": each.target, "met": each.met}
    for measured in scorecard.measures:
        names = dict(measured.columns)
        for row in measured.rows:
            about = {"measure": measured.id, "name": measured.name, "row": row.label}
            about |= {"stage": row.stage, "segment": row.segment, "period": row.period}
            for column in names:
                if figure := row.figures.get(column):
                    yield {**about, "column": column, **_parts(figure)}
        if measured.headline is not None:
            yield {"measure": measured.id, "name": measured.name, "column": "headline", **_parts(measured.headline)}


def _parts(figure: Figure) -> dict[str, Any]:
    return {
        "unit": figure.unit.value,
        "currency": figure.currency,
        "value": figure.value,
        "n": figure.n,
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "low": figure.interval.low if figure.interval else None,
        "high": figure.interval.high if figure.interval else None,
    }


def _sheets(scorecard: Scorecard) -> dict[str, Answer]:
    heads = ("name", "stage", "value", "unit", "currency", "n", "low", "high", "target", "met", "definition")
    lines = [
        {**_parts(each.figure), "name": each.name, "stage": each.stage, "target": each.target, "met": each.met}
        | {"definition": each.definition}
        for each in scorecard.indicators
    ]
    sheets = {"Indicators": _table(heads, ([line.get(head) for head in heads] for line in lines))}
    for measured in scorecard.measures:
        columns = [column for column in measured.columns if any(column.id in row.figures for row in measured.rows)]
        titles = (measured.rows_are or "", *(_title(column, measured.rows) for column in columns))
        rows = ([row.label, *(_value(row.figures.get(column.id)) for column in columns)] for row in measured.rows)
        sheets[measured.name if measured.name not in sheets else measured.id] = _table(titles, rows)
    return sheets


def _title(column: Column, rows: Iterable[Row]) -> str:
    """Name a column with what its numbers are in, which its cells don't say: a currency, or a unit of time."""
    figures = [row.figures[column.id] for row in rows if column.id in row.figures]
    units = {
        figure.currency or figure.unit.value
        for figure in figures
        if figure.unit not in _PLAIN and figure.value is not None
    }
    return f"{column.name} ({', '.join(sorted(units))})" if units else column.name


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Answer:
    return Answer(columns=tuple(columns), types=(), rows=[tuple(row) for row in rows])


def _value(figure: Figure | None) -> float | None:
    return figure.value if figure else None
