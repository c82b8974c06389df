"""Writes changes: fields under the record's timestamp, states by their transition methods, notes with a marker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crmbridge import adapting
from crmbridge.adapting import Button, Row
from crmbridge.errors import RefusedError
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind, Record, Ref
from crmbridge_tryton.server import Server

# The buttons that take an opportunity from one state to another ("Sale Opportunity Module", States). Won has none:
# the sales of an opportunity do that, as they do with one that is converted.
WORKFLOW = adapting.Workflow(
    buttons={
        "lead": Button("lead", {"opportunity", "lost", "cancelled"}),
        "opportunity": Button("opportunity", {"lead"}),
        "converted": Button("convert", {"opportunity"}),
        "lost": Button("lost", {"lead", "opportunity"}),
        "cancelled": Button("cancel", {"lead", "opportunity"}),
    },
    first="lead",
    closed={"lost", "cancelled"},
)


class Writer:
    """Writes to one database, as one who sits at its desk."""

    def __init__(self, server: Server) -> None:
        self._server, self.tables, self._deals = server, server.tables, server.tables[Kind.DEAL]

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, a company by its natural key, or a note by its marker."""
        key = key.encode("utf-8", "replace").decode()  # half a surrogate pair stands in no database
        if kind is Kind.COMPANY:
            return adapting.known_by(key, self._server.records(kind, [_like(key)]))
        found = list[Record]()
        if kind is Kind.DEAL and self._deals.key:
            found = self._server.records(kind, [[self._deals.key, "=", key]])
        elif kind is Kind.NOTE and near:
            notes = self._server.records(kind, [["resource", "=", self._resource(near)]])
            found = [note for note in notes if adapting.has_marker(str(note.fields["body"]), key)]
        return found[0].ref if found else None

    def row(self, deal: Ref) -> Row:
        """Read a deal as it is now."""
        rows = self._server.rows(self._deals.model, self._deals.natives, [["id", "=", adapting.number_id(deal.id)]])
        if not rows:
            raise RefusedError("the deal is gone")
        return rows[0]

    def values(self, change: Change, row: Row) -> dict[str, Any]:
        """Give what a change writes on a deal; its currency only where it changes, as only a lead's can be written."""
        amount, known = change.after.get("amount"), lambda: self._server.currencies
        currency = adapting.other_currency(amount, row.get("currency.code"), known)
        key = {self._deals.key: change.key} if self._deals.key and change.action is Action.CREATE else {}
        return {**self._deals.values(change.after, row), **key, **({"currency": currency} if currency else {})}

    def add(self, kind: Kind, values: Mapping[str, Any]) -> Ref:
        """Make a record."""
        table = self.tables[kind]
        return table.ref(self._server.connection, self._server.tell(table.model, "create", [values])[0])

    def note(self, on: Ref, text: str) -> Ref:
        """Write a note."""
        return self.add(Kind.NOTE, {"resource": self._resource(on), "message": text})

    def tell(self, row: Row, method: str, *params: Any) -> None:
        """Call what changes a deal that is still as it was read."""
        stamps = {f"{self._deals.model},{row['id']}": row["_timestamp"]}
        self._server.tell(self._deals.model, method, [row["id"]], *params, stamps=stamps)

    def _resource(self, record: Ref) -> str:
        return f"{self.tables[record.kind].model},{record.id}"


def _like(key: str) -> list[str]:
    """Search for what is like a natural key: a website is written in many ways, and SQLite folds no other letters."""
    name, _, value = adapting.folded_key(key).partition(":")
    like = re.sub(r"[^!-~]+|\\", "%", value)  # a backslash would be an escape
    return ["name", "ilike", like] if name == "name" else ["contact_mechanisms.value", "ilike", f"%{like}%"]
