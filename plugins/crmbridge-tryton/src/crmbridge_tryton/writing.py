"""Writes changes: fields under the record's timestamp, states by their transition methods, notes with a marker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge_tryton.mapping import MODELS, Mapper
from crmbridge_tryton.server import Server, StaleError, every

# The buttons that take an opportunity from one state to another ("Sale Opportunity Module", States). Won has none:
# the sales of an opportunity do that, as they do with one that is converted.
BUTTONS: Mapping[str, tuple[str, frozenset[str]]] = {
    "lead": ("lead", frozenset({"opportunity", "lost", "cancelled"})),
    "opportunity": ("opportunity", frozenset({"lead"})),
    "converted": ("convert", frozenset({"opportunity"})),
    "lost": ("lost", frozenset({"lead", "opportunity"})),
    "cancelled": ("cancel", frozenset({"lead", "opportunity"})),
}
DEAL = MODELS[Kind.DEAL]
Row = Mapping[str, Any]
Step = Callable[[Row], Row]


def button(before: str, change: Change) -> str | None:
    """Name the one button that makes a change of state, if it has one; raises RefusedError where none leads there.

    Several clicks could break off between them, and would leave the deal where nobody put it.
    """
    after = change.position.stage if change.position else before
    name, states = BUTTONS.get(after, ("", frozenset()))
    if before != after and before not in states:
        raise RefusedError(f"no button of Tryton's leads from {before} to {after}")
    return name if before != after else None


class Writer:
    """Writes to one database."""

    def __init__(self, server: Server, mapper: Mapper) -> None:
        self._server, self._mapper = server, mapper

    def write(self, change: Change) -> Receipt:
        """Make one change; a change of several calls that broke off between them is unknown, and is read back."""
        outcome, ref = Outcome.APPLIED, change.target
        try:
            ref = {Action.CREATE: self._create, Action.UPDATE: self._update, Action.NOTE: self._note}[change.action](
                change
            )
            return Receipt(change=change.id, outcome=outcome, ref=ref)
        except UnclearError as error:
            outcome, message = Outcome.UNKNOWN, error.message
        except StaleError as error:
            outcome, message = Outcome.STALE, error.message
        except RefusedError as error:
            outcome, message = Outcome.REFUSED, error.message
        return Receipt(
            change=change.id, outcome=outcome, ref=ref if outcome is not Outcome.REFUSED else None, message=message
        )

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, or a note by its marker."""
        field = self._server.settings.key_field
        key = key.encode("utf-8", "replace").decode()  # half a surrogate pair stands in no database
        rows: list[Row] = []
        if kind is Kind.DEAL and field:
            rows = self._server.ask(DEAL, "search_read", **every([field], [[field, "=", key]]))
        elif kind is Kind.NOTE and near is not None:
            notes = self._server.ask("ir.note", "search_read", **every(["message"], [["resource", "=", _on(near)]]))
            rows = [note for note in notes if _marker(key) in note["message"]]
        return self._mapper.ref(kind, rows[0]["id"]) if rows else None

    def _note(self, change: Change) -> Ref:
        if change.target is None:
            raise RefusedError("a note needs a record to hang on")
        message = f"{change.after['body']}\n\n{_marker(change.key or '')}"
        made = self._server.tell("ir.note", "create", [{"resource": _on(change.target), "message": message}])
        return self._mapper.ref(Kind.NOTE, made[0])

    def _create(self, change: Change) -> Ref:
        click = button("lead", change)
        values = self._mapper.values(change, self._server.currencies, "")
        own = {self._server.settings.key_field or "": change.key, "company": self._server.preferences.get("company")}
        values |= {name: value for name, value in own.items() if name and value is not None}
        deal = self._server.tell(DEAL, "create", [values])[0]
        try:
            self._click(self._now(deal), click, change)
        except RefusedError:  # nobody has seen it yet
            self._server.tell(DEAL, "cancel", [deal])
            self._server.tell(DEAL, "delete", [deal])
            raise
        return self._mapper.ref(Kind.DEAL, deal)

    def _update(self, change: Change) -> Ref:
        target = change.target or self._mapper.ref(Kind.DEAL, 0)
        now = self._now(int(target.id))
        if change.expects not in {None, now["_timestamp"]}:
            raise StaleError("somebody changed the deal since it was read")
        click = button(now["state"], change)
        values = self._mapper.values(change, self._server.currencies, now["currency."]["code"])
        if now["state"] in {"lost", "cancelled"}:  # they take few edits until they are opened again
            self._in_turn(now, lambda row: self._click(row, click, change), lambda row: self._fill(row, values, now))
        else:
            self._in_turn(now, lambda row: self._fill(row, values, now), lambda row: self._click(row, click, change))
        return target

    def _in_turn(self, now: Row, first: Step, second: Step) -> None:
        """Take two steps, of which either may be none; when only the first was made, nobody knows what is there."""
        between = first(now)
        try:
            second(between)
        except CrmbridgeError as error:
            if between is now:
                raise
            raise UnclearError(f"a part was written, then: {error.message}") from error

    def _fill(self, now: Row, values: Mapping[str, Any], before: Row) -> Row:
        if not values:
            return now
        if any(now.get(name) != before.get(name) for name in values):
            raise StaleError("somebody changed the deal after it was opened again")
        self._server.tell(DEAL, "write", [now["id"]], values, stamps=_stamps(now))
        return self._now(now["id"])

    def _click(self, now: Row, click: str | None, change: Change) -> Row:
        if click is None:
            return now
        self._server.tell(DEAL, click, [now["id"]], stamps=_stamps(now))
        after = self._now(now["id"])
        if change.position and after["state"] != change.position.stage:  # a rule of the button asks for more clicks
            raise RefusedError(f"Tryton took the click and left the deal {after['state']}")
        return after

    def _now(self, deal: int) -> Row:
        rows = self._server.ask(DEAL, "search_read", **every(self._mapper.fields(Kind.DEAL), [["id", "=", deal]]))
        if not rows:
            raise RefusedError("the deal is gone")
        found: Row = rows[0]
        return found


def _stamps(now: Row) -> dict[str, str]:
    return {f"{DEAL},{now['id']}": now["_timestamp"]}


def _on(target: Ref) -> str:
    return f"{MODELS[target.kind]},{target.id}"


def _marker(key: str) -> str:
    return f"[{key}]"
