"""Rows with names and types, for tables of which mostly nothing is found: what SQLAlchemy adds costs more."""

from __future__ import annotations

import functools
import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table

from crmbridge.store.sql.sparse import near_any
from crmbridge.store.sql.straight import Fixed, rows_among
from crmbridge.store.sql.written import Json, Moment


def typed_among(connection: Connection, table: Table, column: str, values: Iterable[str], of: Fixed) -> Iterator[Any]:
    """Give whole rows of a table, each value by its column's name and read as its column's type says.

    It costs a fraction of what SQLAlchemy's rows do where there are few, as it does not look at what is asked for.
    """
    make, reads = _typed(table)
    for some in near_any(connection, table, column, values, of):
        for row in rows_among(connection, tuple(table.c), column, some, of):
            known = list(row)
            for at, read in reads:
                if known[at] is not None:
                    known[at] = read(known[at])
            yield make(*known)


@functools.cache
def _typed(table: Table) -> tuple[Callable[..., Any], Sequence[tuple[int, Callable[[Any], Any]]]]:
    """Give what makes a row with names, and what reads those values that are stored in another form."""
    reads = [(at, _reader(each.type)) for at, each in enumerate(table.c) if isinstance(each.type, Moment | Json)]
    return namedtuple(f"{table.name}_row", table.c.keys()), reads  # noqa: PYI024  its fields are known when it runs


def _reader(kind: Moment | Json) -> Callable[[Any], Any]:
    return datetime.fromisoformat if isinstance(kind, Moment) else json.loads
