"""A page of records of which the state holds none yet, saved by plain inserts: most of what a first pull brings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Self

from msgspec import Struct

from crmbridge.model.records import Kind
from crmbridge.ports import Page
from crmbridge.store.plain import AT_ONCE, FEW, marks
from crmbridge.store.record_writing import moves_rows, record_rows
from crmbridge.store.texts import all_storable

_MOVE_KEY = 3  # the columns of a move's primary key come first


class Brought(Struct, frozen=True):
    """A page whose records are each another one, and whose moves are of these."""

    connection: str
    kind: Kind
    ids: Sequence[str]  # as they are stored
    page: Page

    @classmethod
    def of(cls, connection: str, kind: Kind, page: Page) -> Self | None:
        """Take a page; None for one that takes more than inserting what is new."""
        refs = {record.ref for record in page.records}
        ids = all_storable([record.ref.id for record in page.records])
        one_kind = all(ref.kind is kind and ref.connection == connection for ref in refs)
        plain = (
            not page.tombstones and one_kind and len(set(ids)) == len(ids) and refs.issuperset(map(_DEAL, page.moves))
        )
        return cls(connection, kind, ids, page) if plain else None

    def is_held(self, open_: sqlite3.Connection) -> bool:
        """Tell whether the state knows any of them already, if only by a tombstone or a move."""
        asked: list[tuple[str, tuple[str, ...]]] = [(_RECORD, (self.connection, self.kind.value))]
        asked += [(_MOVE, (self.connection,))] if self.page.moves else []
        return any(
            open_.execute(f"{what} {marks(some)} LIMIT 1", (*of, *some)).fetchone()
            for what, of in asked
            for some in _parts(self.ids, FEW)
        )

    def save(self, open_: sqlite3.Connection, mark: int) -> None:
        """Insert them with the mark."""
        _insert(open_, "records", list(record_rows(self.page.records, mark)) if self.page.records else [])
        moves = chain.from_iterable(moves_rows(self.page.moves).values())
        # Ids that differ only in what no database keeps are one key.
        _insert(open_, "moves", list({row[:_MOVE_KEY]: row for row in moves}.values()))


_DEAL = attrgetter("deal")
_RECORD = "SELECT 1 FROM records WHERE connection = ? AND kind = ? AND id IN"
_MOVE = "SELECT 1 FROM moves WHERE connection = ? AND deal IN"


def _insert(open_: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    for some in _parts(rows, AT_ONCE):
        sql = f"INSERT INTO {table} VALUES {', '.join([marks(some[0])] * len(some))}"  # noqa: S608  a name of ours
        open_.execute(sql, tuple(chain.from_iterable(some)))


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
