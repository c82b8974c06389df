"""Writes changes: fields under the record's timestamp, states by their transition methods, notes with a marker."""

from __future__ import annotations

from functools import partial
from typing import Any

from crmbridge import adapting
from crmbridge.adapting import Button, Row, Step
from crmbridge.errors import RefusedError, StaleError
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money
from crmbridge_tryton.server import Server

# The buttons that take an opportunity from one state to another ("Sale Opportunity Module", States). Won has none:
# the sales of an opportunity do that, as they do with one that is converted.
BUTTONS = {
    "lead": Button("lead", {"opportunity", "lost", "cancelled"}),
    "opportunity": Button("opportunity", {"lead"}),
    "converted": Button("convert", {"opportunity"}),
    "lost": Button("lost", {"lead", "opportunity"}),
    "cancelled": Button("cancel", {"lead", "opportunity"}),
}


class Writer:
    """Writes to one database."""

    def __init__(self, server: Server) -> None:
        self._server, self._deals = server, server.tables[Kind.DEAL]

    def make(self, change: Change) -> Ref:
        """Make one change and give what was written. One of several calls that broke off between them is unclear."""
        match change.action, change.kind, change.target:
            case Action.CREATE, Kind.COMPANY, _:
                there = self.find(Kind.COMPANY, adapting.natural_key(Kind.COMPANY, change.after) or "", None)
                return there or self._add(Kind.COMPANY, self._server.tables[Kind.COMPANY].values(change.after, {}))
            case Action.CREATE, Kind.DEAL, _:
                return self._create(change)
            case Action.UPDATE, Kind.DEAL, Ref() as deal:
                self._update(change, deal)
                return deal
            case Action.NOTE, _, Ref() as on:
                message = adapting.marked(change.after["body"], change.key)
                return self._add(Kind.NOTE, {"resource": self._resource(on), "message": message})
        raise RefusedError(f"there is nothing to {change.action}")

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, a company by its natural key, or a note by its marker."""
        key = key.encode("utf-8", "replace").decode()  # half a surrogate pair stands in no database
        match kind:
            case Kind.DEAL if self._deals.key:
                found = self._server.records(kind, [[self._deals.key, "=", key]])
            case Kind.COMPANY:
                return adapting.known_by(key, self._server.records(kind, [_like(key)]))
            case Kind.NOTE if near:
                notes = self._server.records(kind, [["resource", "=", self._resource(near)]])
                found = [note for note in notes if adapting.has_marker(str(note.fields["body"]), key)]
            case _:
                found = []
        return found[0].ref if found else None

    def _resource(self, record: Ref) -> str:
        return f"{self._server.tables[record.kind].model},{record.id}"

    def _add(self, kind: Kind, values: dict[str, Any]) -> Ref:
        table = self._server.tables[kind]
        return table.ref(self._server.connection, self._server.tell(table.model, "create", [values])[0])

    def _create(self, change: Change) -> Ref:
        after = change.position.stage if change.position else "lead"
        click, values = adapting.button_between(BUTTONS, "lead", after), self._values(change, {})
        own = {self._deals.key or "": change.key, "company": self._server.preferences.get("company")}
        deal = self._add(Kind.DEAL, values | {name: value for name, value in own.items() if name and value})
        if click:
            with adapting.partly(f"the deal was made as a lead and is not {after} yet"):
                self._click(click, after, self._now(deal))
        return deal

    def _update(self, change: Change, deal: Ref) -> None:
        now = self._now(deal)
        if change.expects not in {None, now["_timestamp"]}:
            raise StaleError("somebody changed the deal since it was read")
        after = change.position.stage if change.position else now["state"]
        click, values = adapting.button_between(BUTTONS, now["state"], after), self._values(change, now)
        steps = [Step(partial(self._tell, "write", [values]), values)] if values else []
        steps += [Step(partial(self._click, click, after))] if click else []
        if now["state"] in {"lost", "cancelled"}:  # it takes few edits until it is opened again
            steps.reverse()
        adapting.in_steps(steps, now, partial(self._now, deal))

    def _values(self, change: Change, now: Row) -> dict[str, Any]:
        values, amount = self._deals.values(change.after, now), change.after.get("amount")
        # Written only where it changes: it can't be, once an opportunity is no lead any more.
        if isinstance(amount, Money) and amount.currency != now.get("currency.code"):
            if amount.currency not in self._server.currencies:
                raise RefusedError(f"Tryton has no currency {amount.currency}")
            values["currency"] = self._server.currencies[amount.currency]
        return values

    def _click(self, click: str, after: str, now: Row) -> None:
        self._tell(click, [], now)
        with adapting.partly(f"Tryton took the click on {click}"):
            if (
                state := self._now(self._deals.ref("", now["id"]))["state"]
            ) != after:  # a rule of the button asks for more clicks
                raise RefusedError(f"it left the deal {state}")

    def _tell(self, method: str, params: list[Any], now: Row) -> None:
        stamps = {f"{self._deals.model},{now['id']}": now["_timestamp"]}
        self._server.tell(self._deals.model, method, [now["id"]], *params, stamps=stamps)

    def _now(self, deal: Ref) -> Row:
        rows = self._server.rows(self._deals.model, self._deals.natives, [["id", "=", adapting.number_id(deal.id)]])
        if not rows:
            raise RefusedError("the deal is gone")
        return rows[0]


def _like(key: str) -> list[str]:
    """Search for what is like a natural key: a website is written in many ways."""
    name, _, value = adapting.folded_key(key).partition(":")
    like = value.replace("\\", "_")  # a backslash would be an escape
    return ["name", "ilike", like] if name == "name" else ["contact_mechanisms.value", "ilike", f"%{like}%"]
