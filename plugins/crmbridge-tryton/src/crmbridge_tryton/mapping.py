"""Turns rows of Tryton's models into records, and changes into values to write; sends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from crmbridge.errors import RefusedError
from crmbridge.model.changes import Change
from crmbridge.model.records import Kind, Position, Problem, Record, Ref, Status
from crmbridge.model.values import Money, Value
from crmbridge.ports import FieldBinding
from crmbridge_tryton.values import native_id, read_value, write_value

PIPELINE = "opportunity"
MODELS: Mapping[Kind, str] = {
    Kind.USER: "company.employee",
    Kind.COMPANY: "party.party",
    Kind.CONTACT: "party.contact_mechanism",
    Kind.DEAL: "sale.opportunity",
    Kind.NOTE: "ir.note",
}
USUAL = ["create_date", "last_modified_at", "_timestamp"]
FIELDS: Mapping[Kind, list[str]] = {
    Kind.USER: ["rec_name", "active", "party.email"],
    Kind.COMPANY: ["name", "website"],
    Kind.CONTACT: ["name", "type", "value", "party", "party.name"],
    Kind.DEAL: [
        "description", "amount", "currency.code", "end_date", "employee", "party", "contact", "lost_reason", "state",
    ],
    Kind.NOTE: ["message", "resource"],
}  # fmt: skip
CLOSED = {"won": Status.WON, "lost": Status.LOST, "cancelled": Status.LOST}
TEXTS = {"name": "description", "close_date": "end_date", "lost_reason": "lost_reason"}
LINKS = {"owner": "employee", "company": "party"}


def position(state: str) -> Position:
    """Give the position of a state; an opportunity that was converted is open until its sales are confirmed."""
    return Position(PIPELINE, state, CLOSED.get(state, Status.OPEN))


class Mapper:
    """Reads and writes the records of one connection, with the fields that its settings bind."""

    def __init__(self, connection: str, bindings: Sequence[FieldBinding], key_field: str | None) -> None:
        self._connection, self._bindings, self._key = connection, bindings, key_field

    def fields(self, kind: Kind) -> list[str]:
        """Name the fields that a record is made from."""
        own = [*(binding.native for binding in self._bindings), *([self._key] if self._key else [])]
        return [*USUAL, *FIELDS[kind], *(own if kind is Kind.DEAL else [])]

    def ref(self, kind: Kind, native: int) -> Ref:
        """Name a record of this connection."""
        return Ref(self._connection, kind, str(native))

    def record(self, kind: Kind, row: Mapping[str, Any]) -> Record:
        """Read one row. A value that can't be read becomes a problem; the record is kept."""
        fields, problems = _READERS[kind](row), list[Problem]()
        for binding in self._bindings if kind is Kind.DEAL else ():
            try:
                fields[binding.name] = read_value(row.get(binding.native), binding.type, row["currency."]["code"])
            except ValueError as error:
                problems.append(Problem(binding.native, str(error)))
        return Record(
            ref=self.ref(kind, row["id"]),
            fields=fields,
            version=row["_timestamp"],
            created_at=row["create_date"],
            updated_at=row["last_modified_at"],
            position=position(row["state"]) if kind is Kind.DEAL else None,
            key=row.get(self._key or "") or None,
            problems=tuple(problems),
        )

    def values(self, change: Change, currencies: Mapping[str, int], currency: str) -> dict[str, Any]:
        """Write what a change says of a deal in a currency; raises RefusedError for what Tryton has no room for."""
        bound = {binding.name: binding for binding in self._bindings}
        values: dict[str, Any] = {}
        for name, value in change.after.items():
            if isinstance(value, Money) and name == "amount":
                if value.currency not in currencies:
                    raise RefusedError(f"Tryton has no currency {value.currency}")
                # Written only where it changes: it can't be, once an opportunity is no lead any more.
                values |= {"currency": currencies[value.currency]} if value.currency != currency else {}
                values["amount"] = value.amount
            elif name in bound:
                values[bound[name].native] = write_value(value, bound[name].type, currency)
            elif name == "contacts" and isinstance(value, tuple) and len(value) < 2:
                values["contact"] = native_id(value[0]) if value else None
            elif name in LINKS:
                values[LINKS[name]] = None if value is None else native_id(value)
            elif name in TEXTS or (name == "amount" and value is None):
                values[TEXTS.get(name, name)] = value
            else:
                raise RefusedError(f"Tryton has no room for {name}: {value!r:.80}")
        return values


def _id(native: Any) -> str | None:
    return None if native is None else str(native)


def _user(row: Mapping[str, Any]) -> dict[str, Value]:
    return {"name": row["rec_name"], "email": row["party."]["email"] or None, "active": row["active"]}


def _company(row: Mapping[str, Any]) -> dict[str, Value]:
    host = re.sub(r"^[a-z]+://(www\.)?|[/?#].*$", "", (row["website"] or "").lower())
    return {"name": row["name"], "domain": host or None}


def _contact(row: Mapping[str, Any]) -> dict[str, Value]:
    name = row["name"] or row["party."]["name"]
    email = row["value"] if row["type"] == "email" else None
    return {"name": name, "email": email, "title": None, "company": _id(row["party"])}


def _deal(row: Mapping[str, Any]) -> dict[str, Value]:
    amount = row["amount"]
    return {
        **{name: row[native] for name, native in TEXTS.items()},
        **{name: _id(row[native]) for name, native in LINKS.items()},
        "amount": None if amount is None else Money(amount, row["currency."]["code"]),
        "contacts": () if row["contact"] is None else (str(row["contact"]),),
    }


def _note(row: Mapping[str, Any]) -> dict[str, Value]:
    deals = (row["resource"].partition(",")[2],)
    return {
        "body": row["message"],
        "at": row["create_date"],
        "owner": None,
        "deals": deals,
        "company": None,
        "contacts": (),
    }


_READERS = {Kind.USER: _user, Kind.COMPANY: _company, Kind.CONTACT: _contact, Kind.DEAL: _deal, Kind.NOTE: _note}
