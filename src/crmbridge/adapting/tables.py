"""Where a CRM keeps records of one kind, for CRMs whose records are rows: one value reads them and writes changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from crmbridge.adapting.columns import Column, Row, read_columns, write_columns
from crmbridge.model.records import Kind, Position, Record, Ref
from crmbridge.model.values import Value


class Table(Struct, frozen=True):
    """A kind of records as a CRM has them. The names are the CRM's own.

    `beside` is what else of a row is needed, such as by `position`, which tells where a deal stands. `tidied` gives a
    row as the columns can read it, where the CRM has a fact in more than one of its fields.
    """

    kind: Kind
    model: str  # what the CRM calls them
    columns: tuple[Column, ...]
    version: str
    created_at: str
    updated_at: str
    id: str = "id"
    key: str | None = None  # the field with the external key
    beside: tuple[str, ...] = ()
    position: Callable[[Row], Position] | None = None
    tidied: Callable[[Row], Row] | None = None

    @property
    def natives(self) -> list[str]:
        """Name the fields that a record is made from, each once."""
        own = [column.native for column in self.columns]
        key = [self.key] if self.key else []
        return list(dict.fromkeys([self.version, self.created_at, self.updated_at, *self.beside, *key, *own]))

    def ref(self, connection: str, native: int | str) -> Ref:
        """Name a record of a connection."""
        return Ref(connection, self.kind, str(native))

    def stage(self, row: Row) -> str:
        """Give the stage of a deal's row; empty for what stands in none."""
        return self.position(row).stage if self.position else ""

    def record(self, connection: str, row: Row) -> Record:
        """Read one row. A value that can't be read becomes a problem; the record is kept."""
        fields, problems = read_columns(self.columns, self.tidied(row) if self.tidied else row)
        return Record(
            ref=self.ref(connection, row[self.id]),
            fields=fields,
            version=row[self.version],
            created_at=row[self.created_at],
            updated_at=row[self.updated_at],
            position=self.position(row) if self.position else None,
            key=row.get(self.key or "") or None,
            problems=problems,
        )

    def values(self, after: Mapping[str, Value], row: Row) -> dict[str, Any]:
        """Write values under the CRM's names, for a row that is there or, empty, a new one; raises RefusedError."""
        return write_columns(self.columns, after, row)
