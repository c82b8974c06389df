"""Writes changes: fields under the record's timestamp, states by their transition methods, notes with a marker."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from crmbridge import adapting
from crmbridge.adapting import Row
from crmbridge.errors import RefusedError, StaleError
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind, Record, Ref
from crmbridge_tryton.server import Server


class Button(NamedTuple):
    """A method that moves opportunities to a state from any of some others, and does nothing elsewhere."""

    name: str
    lefts: Collection[str]


# By the state that they lead to ("Sale Opportunity Module", States). Won has none: the sales of an opportunity do that,
# as they do with one that is converted.
BUTTONS = {
    "lead": Button("lead", {"opportunity", "lost", "cancelled"}),
    "opportunity": Button("opportunity", {"lead"}),
    "converted": Button("convert", {"opportunity"}),
    "lost": Button("lost", {"lead", "opportunity"}),
    "cancelled": Button("cancel", {"lead", "opportunity"}),
}
FIRST = "lead"  # the state that deals are made in
CLOSED = {"lost", "cancelled"}  # states in which a deal takes few edits, so that it is moved first


class Writer:
    """Writes to one database.

    A move that takes several buttons is refused: they could break off between them, and would leave the deal where
    nobody put it. A deal that is edited and moved takes two requests. Whatever goes wrong after the first is unclear,
    and what somebody else wrote meanwhile is not overwritten.
    """

    def __init__(self, server: Server) -> None:
        self._server, self._tables, self._deals = server, server.tables, server.tables[Kind.DEAL]

    def make(self, change: Change) -> Ref:
        """Make one change and give what was written; raises RefusedError for what there is no way to do."""
        match change.action, change.kind, change.target:
            case Action.CREATE, Kind.DEAL, _:
                return self._create(change)
            case Action.CREATE, (Kind.COMPANY | Kind.CONTACT) as kind, _:
                return self._add(kind, self._tables[kind].values(change.after, {}))
            case Action.UPDATE, Kind.DEAL, Ref() as deal:
                return self._update(change, deal)
            case Action.NOTE, _, Ref() as on:
                text = adapting.marked(change.after["body"], change.key)
                return self._add(Kind.NOTE, {"resource": self._resource(on), "message": text})
        raise RefusedError(f"there is no way to {change.action} a {change.kind}")

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

    def _create(self, change: Change) -> Ref:
        """Make a deal and move it to its state."""
        after = change.position.stage if change.position else FIRST
        button = _button(FIRST, after)
        deal = self._add(Kind.DEAL, self._values(change, {}))
        if button:
            with adapting.partly(f"the deal was made in stage {FIRST} and is not in {after} yet"):
                self._click(button, after, self._row(deal))
        return deal

    def _update(self, change: Change, deal: Ref) -> Ref:
        """Edit a deal and move it."""
        row = self._row(deal)
        if change.expects not in {None, row["_timestamp"]}:
            raise StaleError("somebody changed the deal since it was read")
        after = change.position.stage if change.position else row["state"]
        button, values = _button(row["state"], after), self._values(change, row)
        if not button or not values:
            if values:
                self._tell(row, "write", values)
            elif button:
                self._click(button, after, row)
        elif row["state"] in CLOSED:
            self._click(button, after, row)
            with adapting.partly("only a part was written"):
                now = self._row(deal)
                if any(now.get(name) != row.get(name) for name in values):
                    raise StaleError("somebody changed it meanwhile")
                self._tell(now, "write", values)
        else:
            self._tell(row, "write", values)
            with adapting.partly("only a part was written"):
                self._click(button, after, self._row(deal))
        return deal

    def _click(self, button: str, after: str, row: Row) -> None:
        self._tell(row, button)
        with adapting.partly(f"the CRM took the click on {button}"):
            if (state := self._row(self._deals.ref("", row["id"]))["state"]) != after:
                raise RefusedError(f"it left the deal in {state}")

    def _row(self, deal: Ref) -> Row:
        """Read a deal as it is now."""
        rows = self._server.rows(self._deals.model, self._deals.natives, [["id", "=", adapting.number_id(deal.id)]])
        if not rows:
            raise RefusedError("the deal is gone")
        return rows[0]

    def _values(self, change: Change, row: Row) -> dict[str, Any]:
        """Give what a change writes on a deal; its currency only where it changes, as only a lead's can be written."""
        amount, known = change.after.get("amount"), lambda: self._server.currencies
        currency = adapting.other_currency(amount, row.get("currency.code"), known)
        key = {self._deals.key: change.key} if self._deals.key and change.action is Action.CREATE else {}
        return {**self._deals.values(change.after, row), **key, **({"currency": currency} if currency else {})}

    def _add(self, kind: Kind, values: Mapping[str, Any]) -> Ref:
        table = self._tables[kind]
        return table.ref(self._server.connection, self._server.tell(table.model, "create", [values])[0])

    def _tell(self, row: Row, method: str, *params: Any) -> None:
        """Call what changes a deal that is still as it was read."""
        stamps = {f"{self._deals.model},{row['id']}": row["_timestamp"]}
        self._server.tell(self._deals.model, method, [row["id"]], *params, stamps=stamps)

    def _resource(self, record: Ref) -> str:
        return f"{self._tables[record.kind].model},{record.id}"


def _button(before: str, after: str) -> str | None:
    """Name the method that leads from one state to another; None where there is no way to go."""
    if before == after:
        return None
    button = BUTTONS.get(after)
    if button is None or before not in button.lefts:
        raise RefusedError(f"no button of the CRM leads from {before} to {after}")
    return button.name


def _like(key: str) -> list[str]:
    """Search for what is like a natural key: a website is written in many ways, and SQLite folds no other letters."""
    name, _, value = adapting.folded_key(key).partition(":")
    like = re.sub(r"[^!-~]+|\\", "%", value)  # a backslash would be an escape
    return ["name", "ilike", like] if name == "name" else ["contact_mechanisms.value", "ilike", f"%{like}%"]
