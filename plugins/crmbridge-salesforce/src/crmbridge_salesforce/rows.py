"""Rows as cells: one text per column, in one form, whichever of the org's APIs a row came by.

The version of a record must not depend on how it was read: a deal that came in a bulk job is compared with itself, read
by its id, before it is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeAlias

from crmbridge_salesforce.columns import Tidier, tidier
from crmbridge_salesforce.org import Row
from crmbridge_salesforce.schema import Table
from crmbridge_salesforce.values import Cell, cell_of, read_moment

Cells: TypeAlias = Sequence[Cell]

BY = "LastModifiedById"
# They say when a row was changed and by whom, or move when somebody works on a record without changing it: no part of
# its version.
BESIDE = ("LastModifiedDate", BY, "LastActivityDate")
DIGEST = 16  # characters
_EMPTY = hashlib.blake2b(digest_size=DIGEST // 2)  # copied for each row, which costs less than making one


class Form:
    """Which columns of an object are asked for, in which order: the id first, then the time of change."""

    def __init__(self, table: Table, wanted: Iterable[str]) -> None:
        self.table = table
        self.stamp = table.stamp
        first = table.having("Id", self.stamp, "CreatedDate", *BESIDE)
        self.columns = tuple(dict.fromkeys((*first, *table.having(*wanted))))
        self._versioned = len(first)  # the version is made from the columns after these
        self._places = {name: number for number, name in enumerate(self.columns)}
        self._tidiers: tuple[tuple[int, Tidier], ...] = tuple(
            (number, tidy) for number, name in enumerate(self.columns) if (tidy := tidier(table.columns[name].type))
        )

    def place(self, name: str) -> int | None:
        """Say where a column stands; None when it is not asked for."""
        return self._places.get(name)

    def get(self, cells: Cells, name: str) -> Cell:
        """Give one cell by its column's name; empty where that is not asked for."""
        at = self._places.get(name)
        return "" if at is None else cells[at]

    def of_json(self, rows: Iterable[Row]) -> list[Cells]:
        """Take rows of a JSON answer."""
        return self.tidied(
            [[v if (v := row.get(name)).__class__ is str else cell_of(v) for name in self.columns] for row in rows]
        )

    def tidied(self, rows: Sequence[Cells]) -> list[Cells]:
        """Bring the cells of rows, in the order of `columns`, into their one form."""
        if not rows:
            return []
        columns: list[Cells] = list(zip(*rows, strict=True))
        for at, tidy in self._tidiers:
            columns[at] = tidy(columns[at])
        return list(zip(*columns, strict=True))

    def version(self, cells: Cells) -> str:
        """Give a text that differs whenever the row may have changed.

        The stamp has whole seconds only, so what stands in the row is part of it.
        """
        text = "\x1f".join(cells[self._versioned :])
        if "\r" in text:  # APIs differ in how they end the lines of a text
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        digest = _EMPTY.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return f"{cells[1]}-{digest.hexdigest()}"


def stamp_in(version: str) -> datetime | None:
    """Read the time of change in a version that this adapter gave; None for any other text."""
    stamp, _, digest = version.rpartition("-")
    try:
        return read_moment(stamp) if len(digest) == DIGEST else None
    except ValueError:
        return None
