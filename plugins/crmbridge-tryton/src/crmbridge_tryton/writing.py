"""Writes changes: fields under the record's timestamp, states by their transition methods, notes with a marker."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge_tryton.mapping import MODELS, Mapper
from crmbridge_tryton.server import Server, StaleError, every
from crmbridge_tryton.values import native_id

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


def wanted(change: Change) -> str | None:
    """Give the state that a change wants, if it wants one."""
    return change.position.stage if change.position else None


def button(before: str, change: Change) -> str | None:
    """Name the one button that makes a change of state, if it has one; raises RefusedError where none leads there.

    Several clicks could break off between them, and would leave the deal where nobody put it.
    """
    after = wanted(change) or before
    name, lefts = BUTTONS.get(after, ("", frozenset()))
    if before != after and before not in lefts:
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
        if click:
            with _partly(f"the deal was made as a lead and is not {wanted(change)} yet"):
                self._click(self._now(deal), click, change)
        return self._mapper.ref(Kind.DEAL, deal)

    def _update(self, change: Change) -> Ref:
        target = change.target or self._mapper.ref(Kind.DEAL, 0)
        now = self._now(native_id(target.id))
        if change.expects not in {None, now["_timestamp"]}:
            raise StaleError("somebody changed the deal since it was read")
        click = button(now["state"], change)
        values = self._mapper.values(change, self._server.currencies, now["currency."]["code"])
        closed = now["state"] in {"lost", "cancelled"}  # takes few edits until it is opened again
        if click and closed:
            self._click(now, click, change)
        elif values:
            self._fill(now, values)
        elif click:
            self._click(now, click, change)
        if click and values:
            with _partly("only a part was written"):
                self._finish(now, self._now(now["id"]), values, None if closed else click, change)
        return target

    def _finish(self, before: Row, now: Row, values: Mapping[str, Any], click: str | None, change: Change) -> None:
        """Take the second of two steps: the click, or the edits of a deal that was opened for them."""
        if click:
            self._click(now, click, change)
        elif any(now.get(name) != before.get(name) for name in values):
            raise StaleError("somebody changed the deal meanwhile")
        else:
            self._fill(now, values)

    def _fill(self, now: Row, values: Mapping[str, Any]) -> None:
        self._server.tell(DEAL, "write", [now["id"]], values, stamps=_stamps(now))

    def _click(self, now: Row, click: str, change: Change) -> None:
        self._server.tell(DEAL, click, [now["id"]], stamps=_stamps(now))
        with _partly(f"Tryton took the click on {click}"):
            if (state := self._now(now["id"])["state"]) != wanted(change):  # a rule of the button asks for more clicks
                raise RefusedError(f"it left the deal {state}")

    def _now(self, deal: int) -> Row:
        rows = self._server.ask(DEAL, "search_read", **every(self._mapper.fields(Kind.DEAL), [["id", "=", deal]]))
        if not rows:
            raise RefusedError("the deal is gone")
        found: Row = rows[0]
        return found


@contextlib.contextmanager
def _partly(done: str) -> Iterator[None]:
    """Let whatever goes wrong from here on be unclear, as something was written already; it is read back."""
    try:
        yield
    except CrmbridgeError as error:
        raise UnclearError(f"{done}: {error.message}") from error


def _stamps(now: Row) -> dict[str, str]:
    return {f"{DEAL},{now['id']}": now["_timestamp"]}


def _on(target: Ref) -> str:
    return f"{MODELS[target.kind]},{target.id}"


def _marker(key: str) -> str:
    return f"[{key}]"
