"""Writes changes: fields under the record's timestamp, states by their transition methods, notes with a marker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmbridge.adapting import number_id, partly
from crmbridge.errors import RefusedError, StaleError
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind, Ref
from crmbridge_tryton.mapping import DEAL, MODELS, NOTE, Mapper
from crmbridge_tryton.server import Server

# The buttons that take an opportunity from one state to another ("Sale Opportunity Module", States). Won has none:
# the sales of an opportunity do that, as they do with one that is converted.
BUTTONS: Mapping[str, tuple[str, set[str]]] = {
    "lead": ("lead", {"opportunity", "lost", "cancelled"}),
    "opportunity": ("opportunity", {"lead"}),
    "converted": ("convert", {"opportunity"}),
    "lost": ("lost", {"lead", "opportunity"}),
    "cancelled": ("cancel", {"lead", "opportunity"}),
}


def button(before: str, after: str) -> str:
    """Name the one button that leads from a state to another, if they differ; raises RefusedError where none does.

    Several clicks could break off between them, and would leave the deal where nobody put it.
    """
    name, lefts = BUTTONS.get(after, ("", set()))
    if before != after and before not in lefts:
        raise RefusedError(f"no button of Tryton's leads from {before} to {after}")
    return name if before != after else ""


class Writer:
    """Writes to one database."""

    def __init__(self, server: Server, mapper: Mapper) -> None:
        self._server, self._mapper = server, mapper

    def make(self, change: Change) -> Ref:
        """Make one change and give what was written. One of several calls that broke off between them is unclear."""
        match change.action:
            case Action.CREATE:
                return self._mapper.ref(Kind.DEAL, self._create(change))
            case Action.UPDATE if change.target is not None:
                self._update(change, number_id(change.target.id) or 0)
                return change.target
            case Action.NOTE if change.target is not None:
                message = f"{change.after['body']}\n\n{_marker(change.key or '')}"
                made = self._server.tell(NOTE, "create", [{"resource": _on(change.target), "message": message}])
                return self._mapper.ref(Kind.NOTE, made[0])
        raise RefusedError(f"there is nothing to {change.action}")

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, or a note by its marker."""
        field, rows = self._server.settings.key_field, list[dict[str, Any]]()
        key = key.encode("utf-8", "replace").decode()  # half a surrogate pair stands in no database
        if kind is Kind.DEAL and field:
            rows = self._server.rows(DEAL, [field], [[field, "=", key]])
        elif kind is Kind.NOTE and near is not None:
            notes = self._server.rows(NOTE, ["message"], [["resource", "=", _on(near)]])
            rows = [note for note in notes if _marker(key) in note["message"]]
        return self._mapper.ref(kind, rows[0]["id"]) if rows else None

    def _create(self, change: Change) -> int:
        after = change.position.stage if change.position else "lead"
        click, values = button("lead", after), self._mapper.values(change, self._server.currencies, "")
        own = {self._server.settings.key_field or "": change.key, "company": self._server.preferences.get("company")}
        values |= {name: value for name, value in own.items() if name and value is not None}
        deal: int = self._server.tell(DEAL, "create", [values])[0]
        if click:
            with partly(f"the deal was made as a lead and is not {after} yet"):
                self._click(self._now(deal), click, after)
        return deal

    def _update(self, change: Change, deal: int) -> None:
        now = self._now(deal)
        if change.expects not in {None, now["_timestamp"]}:
            raise StaleError("somebody changed the deal since it was read")
        after = change.position.stage if change.position else now["state"]
        click = button(now["state"], after)
        values = self._mapper.values(change, self._server.currencies, now["currency.code"])
        steps = [step for step in ("write" if values else "", click) if step]
        if now["state"] in {"lost", "cancelled"}:  # it takes few edits until it is opened again
            steps.reverse()
        for done, step in enumerate(steps):
            with partly("only a part was written" if done else ""):
                before, now = now, self._now(deal) if done else now
                if step == click:
                    self._click(now, click, after)
                elif any(before[name] != now[name] for name in values if name in now):
                    raise StaleError("somebody changed the deal meanwhile")
                else:
                    self._tell(now, step, values)

    def _click(self, now: Mapping[str, Any], click: str, after: str) -> None:
        self._tell(now, click)
        with partly(f"Tryton took the click on {click}"):
            if (state := self._now(now["id"])["state"]) != after:  # a rule of the button asks for more clicks
                raise RefusedError(f"it left the deal {state}")

    def _tell(self, now: Mapping[str, Any], method: str, *params: Any) -> None:
        stamps = {f"{DEAL},{now['id']}": now["_timestamp"]}
        self._server.tell(DEAL, method, [now["id"]], *params, stamps=stamps)

    def _now(self, deal: int) -> dict[str, Any]:
        rows = self._server.rows(DEAL, self._mapper.fields(Kind.DEAL), [["id", "=", deal]])
        if not rows:
            raise RefusedError("the deal is gone")
        return rows[0]


def _on(target: Ref) -> str:
    return f"{MODELS[target.kind][0]},{target.id}"


def _marker(key: str) -> str:
    return f"[{key}]"
