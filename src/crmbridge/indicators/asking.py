"""Ask the views a question in SQL that somebody else wrote: one SELECT, which changes nothing, within limits."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EIO
from typing import Any, Final

import duckdb
from msgspec import Struct

from crmbridge.engine.nearest import nearest
from crmbridge.engine.text import plain
from crmbridge.errors import ConfigurationError

SECONDS: Final = 30.0  # that a question may take
_LONGEST: Final = 64 * 1024  # characters of a question
_LESS: Final = "Ask for less at once: fewer rows, or fewer groups."
_VIEWS: Final = ("deals", "visits", "clocks", "findings", "money", "fx", "chances", "stages", "moment")
_ASKS: Final = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
_LINE: Final = re.compile(r"^LINE (\d+):", re.MULTILINE)
_MISSING: Final = (
    (re.compile(r"[Tt]able with name \"?([^\s\"!]+)"), "view"),
    (re.compile(r"column named \"([^\"]+)\""), "column"),
    (re.compile(r"column \"([^\"]+)\" not found"), "column"),
)


class Answer(Struct, frozen=True, kw_only=True):
    """What a question gave: columns with their DuckDB types, and rows in their order. `more`: some were left out.

    Values are as DuckDB gives them: int, float, Decimal, str, bool, date, datetime, list, dict, None.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    more: bool = False

    def records(self) -> Iterator[dict[str, Any]]:
        """Give each row by column."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)


def ask(database: duckdb.DuckDBPyConnection, sql: str, place: str, *, most: int, seconds: float = SECONDS) -> Answer:
    """Ask one question and take at most so many rows; `place` is the file that it stands in, for messages.

    Raises ConfigurationError, which starts with `file:line`, for SQL that is wrong, that is not one SELECT, that takes
    too long, or that needs more memory than there is. The database is as it was before.
    """
    text = _one_select(database, sql, place)
    with asking(database, place, seconds):
        result = database.execute(text)
        rows = result.fetchmany(most + 1)
        described = result.description or ()
        return Answer(
            columns=tuple(str(column[0]) for column in described),
            types=tuple(str(column[1]) for column in described),
            rows=rows[:most],
            more=len(rows) > most,
        )


def write_parquet(database: duckdb.DuckDBPyConnection, sql: str, place: str, file: str) -> None:
    """Write a question's answer as Parquet to the file that the database was opened for; raises as `ask` does.

    Values go as they are, text of CRMs included: who reads Parquet takes text for text.
    """
    text = _one_select(database, sql, place)
    quoted = file.replace("'", "''")
    with asking(database, place, SECONDS, writes=True), to_disk():
        # A line of its own, as the question may end in a comment.
        database.execute(f"COPY (\n{_without_end(text)}\n) TO '{quoted}' (FORMAT parquet, USE_TMP_FILE false)")


@contextmanager
def to_disk() -> Iterator[None]:
    """Raise what DuckDB says of a disk, such as that it is full, as Python would."""
    try:
        yield
    except duckdb.IOException as error:
        why = str(error).rpartition('": ')[2].partition('"')[0]  # behind the name of the file, in JSON or not
        raise OSError(EIO, why) from None


@contextmanager
def asking(database: duckdb.DuckDBPyConnection, place: str, seconds: float, *, writes: bool = False) -> Iterator[None]:
    """Run what somebody else wrote in a transaction that can't change a table, and stop it when its time is over."""
    timer = threading.Timer(seconds, database.interrupt)
    database.execute("BEGIN TRANSACTION READ ONLY")
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise ConfigurationError(
            f"{place}: this takes longer than {seconds:g} seconds", advice="Ask for less, or join by fewer rows."
        ) from None
    except MemoryError:  # of rows on their way here
        raise ConfigurationError(f"{place}: this needs too much memory", advice=_LESS) from None
    except duckdb.Error as error:
        raise _explained(database, error, place, shift=int(writes)) from None
    finally:
        timer.cancel()
        _roll_back(database)


def _without_end(sql: str) -> str:
    """Leave out the semicolons that a statement ends with, and the comments after them."""
    encoded = sql.encode()  # DuckDB counts in bytes
    kept = len(encoded)
    for start, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and encoded[start : start + 1] != b";":
            break
        kept = start
    return encoded[:kept].decode()


def _roll_back(database: duckdb.DuckDBPyConnection) -> None:
    try:
        database.execute("ROLLBACK")
    except duckdb.Error:  # it is over already, as some errors end a transaction
        return


def _one_select(database: duckdb.DuckDBPyConnection, sql: str, place: str) -> str:
    if len(sql) > _LONGEST:
        raise ConfigurationError(f"{place}: more than {_LONGEST:,} characters", advice="Ask something shorter.")
    try:
        statements = database.extract_statements(sql)
    except duckdb.Error as error:
        raise _explained(database, error, place) from None
    if len(statements) != 1:
        raise ConfigurationError(f"{place}: this is {len(statements)} statements, not one", advice="Write one SELECT.")
    try:
        kind = statements[0].type
    except ValueError:  # one that DuckDB's module for Python has no name for, such as UPDATE EXTENSIONS
        kind = None
    if kind is duckdb.StatementType.MULTI:
        raise ConfigurationError(
            f"{place}: this PIVOT looks for its values itself", advice="Name them: ON status IN ('open', 'won')."
        )
    if kind not in _ASKS:
        raise ConfigurationError(
            f"{place}: only SELECT is answered here, not {kind.name if kind else 'this'}",
            advice="Views are read only; nothing in them can be changed.",
        )
    return sql


def _explained(
    database: duckdb.DuckDBPyConnection, error: duckdb.Error, place: str, *, shift: int = 0
) -> ConfigurationError:
    """Say what DuckDB found in one line, with the line of the file, and the view or column that was probably meant."""
    message = str(error)
    found = _LINE.search(message)
    at = f"{place}:{max(int(found[1]) - shift, 1)}" if found else place
    sentence = plain(message.split("\n", maxsplit=1)[0].removeprefix("Binder Error: "), 300)
    return ConfigurationError(f"{at}: {sentence}", advice=_advice(database, message))


def _advice(database: duckdb.DuckDBPyConnection, message: str) -> str:
    if any(said in message for said in ("Permission Error", "read-only", "has been locked")):
        return "Only the views can be read: no files, no network, and nothing is written."
    if "Out of Memory" in message:
        return _LESS
    for pattern, what in _MISSING:
        if found := pattern.search(message):
            meant = nearest(found[1], _VIEWS if what == "view" else _columns(database))
            guess = f"Did you mean {meant}? " if meant else ""
            return f"{guess}The views are {', '.join(_VIEWS)}; docs/reference/indicators.md has their columns."
    return "DuckDB's SQL is meant; docs/reference/indicators.md has the views."


def _columns(database: duckdb.DuckDBPyConnection) -> list[str]:
    _roll_back(database)  # after an error nothing else is answered in the same transaction
    rows = database.execute(
        "SELECT DISTINCT column_name FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal"
    ).fetchall()
    return sorted(name for (name,) in rows)
