"""Tables of which mostly nothing is found: a look whether anything is near, before each value is looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, Table

from crmbridge.store.sql.straight import Fixed, chunks, place, run
from crmbridge.store.texts import all_storable

FEW = 20  # values that are looked up as fast as anything else is asked


def near_any(
    connection: Connection, table: Table, column: str, values: Iterable[str], of: Fixed
) -> Iterator[list[str]]:
    """Give values, chunk by chunk, without the chunks of which a table has nothing from the first to the last in order.

    `column` and those in `of`, which have a fixed value, must begin an index. Text in a state is in code point order,
    as Python's is. Before deals are judged for the first time there are no edits, clocks or findings of any of them,
    and to find that out for each costs more than to read the deal.
    """
    for some in chunks(values):
        if len(some) <= FEW or _is_any(connection, table, column, some, of):
            yield some


def _is_any(connection: Connection, table: Table, column: str, values: list[str], of: Fixed) -> bool:
    mark = place(connection)
    where = " AND ".join([*(f'"{name}" = {mark}' for name in of), f'"{column}" BETWEEN {mark} AND {mark}'])
    stored = all_storable(values)
    asked = (*of.values(), min(stored), max(stored))
    sql = f"SELECT 1 FROM {table} WHERE {where} LIMIT 1"  # noqa: S608  names of ours
    return run(connection, sql, asked).fetchone() is not None
