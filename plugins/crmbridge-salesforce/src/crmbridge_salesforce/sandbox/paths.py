"""Fields as a query names them, over parents where it says so: found in the org's objects, and read from rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from crmbridge_salesforce.sandbox.answers import row_url, wire_cell
from crmbridge_salesforce.sandbox.objects import Column, Object
from crmbridge_salesforce.sandbox.soql import Token, at_fault
from crmbridge_salesforce.sandbox.tables import Tables

Row = Mapping[str, Any]
IDS = frozenset({"id", "reference"})


class Path(NamedTuple):
    """A field, over at most a few parents. `parents` are the references on the way."""

    parents: tuple[Column, ...]
    column: Column

    @property
    def name(self) -> str:
        """The field in the org's own case."""
        return ".".join((*(one.relation for one in self.parents), self.column.name))


class Paths:
    """The fields of one query on one object."""

    def __init__(self, text: str, table: Token, tables: Tables) -> None:
        self._text = text
        self._tables = tables
        self.object = self._from(table)

    def find(self, token: Token) -> Path:
        """Find a field; raises ApiError INVALID_FIELD that points at it."""
        *relations, name = token.text.split(".")
        here, parents = self.object, []
        for relation in relations:
            parent = here.parent(relation)
            if parent is None:
                words = f"Didn't understand relationship '{relation}' in field path."
                raise at_fault(self._text, token.at, "INVALID_FIELD", words)
            parents.append(parent)
            here = self._tables.objects[_table(parent)]
        column = here.column(name)
        if column is None:
            words = f"No such column '{name}' on entity '{here.name}'."
            raise at_fault(self._text, token.at, "INVALID_FIELD", words)
        return Path(tuple(parents), column)

    def exists(self, table: Token) -> Callable[[Any], bool]:
        """Make the function that tells whether an object has a row of an id that is not deleted."""
        name = self._from(table).name
        return lambda row_id: self._tables.get(name, str(row_id or "")) is not None

    def getter(self, path: Path) -> Callable[[Row], Any]:
        """Make the function that reads a field from a row; a parent that is not there gives null."""
        name = path.column.name
        if not path.parents:
            return lambda row: row.get(name)

        def get(row: Row) -> Any:
            here = self._parent(row, path)
            return here.get(name) if here else None

        return get

    def put(self, found: dict[str, Any], row: Row, path: Path, version: str) -> None:
        """Put a parent's field where it belongs in a record: into an object of its own for each parent."""
        here = row
        for parent in path.parents:
            table = _table(parent)
            above = self._tables.storage(table).get(here.get(parent.name) or "")
            if above is None:
                found.setdefault(parent.relation, None)
                return
            here = above
            attributes = {"type": table, "url": row_url(version, table, here["Id"])}
            found = found.setdefault(parent.relation, {"attributes": attributes})
        found[path.column.name] = wire_cell(path.column, here, "")

    def _parent(self, row: Row, path: Path) -> Row | None:
        here: Row | None = row
        for parent in path.parents:
            here = self._tables.storage(_table(parent)).get(here.get(parent.name) or "") if here else None
        return here

    def _from(self, token: Token) -> Object:
        found = self._tables.visible.get(token.text.lower())  # of others it says that they are not supported
        if found is None:
            words = (
                f"sObject type '{token.text}' is not supported. If you are attempting to use a custom object, be sure"
                " to append the '__c' after the entity name."
            )
            raise at_fault(self._text, token.at, "INVALID_TYPE", words)
        return found


def folded(column: Column, value: Any) -> Any:
    """Give a value as it is compared: texts without case, ids with it."""
    return value.lower() if isinstance(value, str) and column.type not in IDS else value


def _table(parent: Column) -> str:
    return parent.refers.split(",", maxsplit=1)[0]
