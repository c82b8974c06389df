"""`crmbridge sql`: ask the indicators' views a question."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command

if TYPE_CHECKING:
    from crmbridge.indicators.asking import Answer

MOST = 200  # rows shown when nothing else is said
FAR = 1_000_000  # the most that can be asked for


@as_command(
    "sql",
    examples=[
        ('sql "FROM deals"', "look at a view; docs/reference/indicators.md has all of them"),
        (
            'sql "SELECT owner, sum(value) FROM deals JOIN money USING (connection, deal) GROUP BY owner"',
            "ask anything",
        ),
        ("sql --file indicators/big.sql --csv", "a query from a file, as CSV"),
        ('sql "FROM visits" --out visits.parquet', "save it: .csv, .parquet or .xlsx"),
    ],
)
@click.argument("query", required=False, metavar="[SQL]")
@click.option("--file", type=click.Path(path_type=Path), metavar="FILE", help="Read the SQL from a file; - is stdin.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Save it there instead.")
@click.option(
    "--limit", type=click.IntRange(1, FAR), default=MOST, show_default=True, help="Show at most so many rows."
)
def command(call: Call, *, query: str | None, file: Path | None, as_csv: bool, out: Path | None, limit: int) -> Reply:
    """Ask a question in SQL (DuckDB's) over the views that the indicators are computed from.

    One SELECT is answered, from the state as of the last evaluation; it can change nothing, and reaches no file and no
    network. --out saves all rows, in the form that the file's name ends in.
    """
    sql, place = _question(query, file)
    with call.workspace() as workspace:
        from crmbridge.services.reports.querying import answer, answer_into  # noqa: PLC0415  imports are paid by their users

        if out is not None:
            answer_into(workspace, sql, place, out)
            return Reply(result={"files": [str(out)]}, lines=[f"Saved {out}"])
        found = answer(workspace, sql, place, limit)
    if as_csv and not call.json:
        from crmbridge.indicators.export import csv_text  # noqa: PLC0415  the same

        call.out.write(csv_text(found))
        return Reply(printed=True)
    return Reply(result=_form(found), lines=_lines(found))


def _question(query: str | None, file: Path | None) -> tuple[str, str]:
    """Give the SQL and what to call where it stands."""
    if (query is None) == (file is None):
        raise click.UsageError("Give the SQL itself, or --file FILE.")
    from crmbridge.errors import ConfigurationError  # noqa: PLC0415  imports are paid by the commands that use them

    place = "sql" if query is not None else "stdin" if str(file) == "-" else str(file)
    try:
        if query is not None:
            content = query.encode("utf-8", "surrogateescape")  # the bytes that were typed, where Python could not read
        elif place == "stdin":
            content = sys.stdin.buffer.read() if sys.stdin else b""
        else:
            content = Path(str(file)).read_bytes()
        return content.decode("utf-8-sig"), place
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"{place} can't be read: {reason}", advice="Name another file.") from None


def _form(found: Answer) -> dict[str, Any]:
    rows = [[_plain(value) for value in row] for row in found.rows]
    return {"columns": list(found.columns), "types": list(found.types), "rows": rows, "more": found.more}


def _plain(value: object) -> object:
    """Give a value as JSON has it; a number that JSON would round, and everything else, as text."""
    from math import isfinite  # noqa: PLC0415  imports are paid by the commands that use them

    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and isfinite(value):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return _text(value)


def _lines(found: Answer) -> list[Any]:
    from crmbridge.cli.output import dim, plural, table  # noqa: PLC0415  imports are paid by the commands that use them

    rows = [["" if value is None else _text(value) for value in row] for row in found.rows]
    if not rows:
        return ["No rows."]
    lines = list(table(rows, heads=found.columns))
    if found.more:
        lines.append(dim(f"The first {plural(len(rows), 'row')}; --limit shows more, --out saves all."))
    return lines


def _text(value: object) -> str:
    from crmbridge.indicators.export import as_text  # noqa: PLC0415  imports are paid by the commands that use them

    return as_text(value)
