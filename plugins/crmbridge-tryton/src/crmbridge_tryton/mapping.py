"""Turns rows of Tryton's models into records, and changes into values to write; sends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crmbridge.adapting import FORMS, Column, Form, bound_columns, form, money_form, read_columns, write_columns
from crmbridge.errors import RefusedError
from crmbridge.model.changes import Change
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import AdapterContext

PIPELINE = "opportunity"
DEAL, NOTE = "sale.opportunity", "ir.note"
USUAL = ["create_date", "last_modified_at", "_timestamp"]
# What a record of each kind is made from. Of deals, that is in their columns.
MODELS: Mapping[Kind, tuple[str, list[str]]] = {
    Kind.USER: ("company.employee", ["rec_name", "active", "party.email"]),
    Kind.COMPANY: ("party.party", ["name", "website"]),
    Kind.CONTACT: ("party.contact_mechanism", ["name", "type", "value", "party", "party.name"]),
    Kind.DEAL: (DEAL, ["state", "currency.code"]),
    Kind.NOTE: (NOTE, ["message", "resource"]),
}
CLOSED = {"won": Status.WON, "lost": Status.LOST, "cancelled": Status.LOST}
TYPES: Mapping[str, FieldType] = {
    **dict.fromkeys(("char", "text"), FieldType.TEXT),
    **dict.fromkeys(("numeric", "float", "integer"), FieldType.NUMBER),
    **dict.fromkeys(("datetime", "timestamp"), FieldType.DATETIME),
    "boolean": FieldType.BOOL,
    "date": FieldType.DATE,
    "selection": FieldType.CHOICE,
    "multiselection": FieldType.CHOICES,
}


def position(state: str) -> Position:
    """Give the position of a state; an opportunity that was converted is open until its sales are confirmed."""
    return Position(PIPELINE, state, CLOSED.get(state, Status.OPEN))


def native_id(value: Value) -> int | None:
    """Write a record's id."""
    if value is None or (isinstance(value, str) and value.isdecimal() and len(value) < 19):
        return None if value is None else int(value)
    raise RefusedError(f"{value!r:.80} is no id of Tryton's")


def _yes_or_no(value: Value) -> Value:
    if value is None:
        raise RefusedError("a yes-or-no of Tryton's can't be empty")
    return value


def _one_contact(value: Value) -> int | None:
    if not isinstance(value, tuple) or len(value) > 1:
        raise RefusedError("an opportunity of Tryton's has one contact at most")
    return native_id(value[0]) if value else None


TEXT, LINK = FORMS[FieldType.TEXT], form(int, str, native_id)
# On SQLite, a yes-or-no is a number.
TRYTON = {**FORMS, FieldType.USER: LINK, FieldType.BOOL: form(int, bool, _yes_or_no)}
STANDARD = (
    Column("name", "description", TEXT),
    Column("close_date", "end_date", FORMS[FieldType.DATE]),
    Column("lost_reason", "lost_reason", TEXT),
    Column("owner", "employee", LINK),
    Column("company", "party", LINK),
    Column("contacts", "contact", Form(lambda contact: () if contact is None else (str(contact),), _one_contact)),
)


class Mapper:
    """Reads and writes the records of one connection, with the fields that its settings bind."""

    def __init__(self, context: AdapterContext, key_field: str | None) -> None:
        self._connection, self._bound, self._key = context.connection, context.fields, key_field

    def fields(self, kind: Kind) -> list[str]:
        """Name the fields that a record is made from."""
        columns = self.columns("") if kind is Kind.DEAL else ()
        own = [*(column.native for column in columns), *([self._key] if self._key and columns else [])]
        return [*USUAL, *MODELS[kind][1], *own]

    def columns(self, currency: str) -> tuple[Column, ...]:
        """Give the columns of a deal in a currency."""
        bound = bound_columns(self._bound, {**TRYTON, FieldType.MONEY: money_form(currency)})
        return (*STANDARD, Column("amount", "amount", money_form(currency, others=True)), *bound)

    def ref(self, kind: Kind, native: int | str) -> Ref:
        """Name a record of this connection."""
        return Ref(self._connection, kind, str(native))

    def record(self, kind: Kind, row: Mapping[str, Any]) -> Record:
        """Read one row. A value that can't be read becomes a problem; the record is kept."""
        deal = kind is Kind.DEAL
        fields, problems = read_columns(self.columns(row["currency.code"]), row) if deal else (READ[kind](row), ())
        return Record(
            ref=self.ref(kind, row["id"]),
            fields=fields,
            version=row["_timestamp"],
            created_at=row["create_date"],
            updated_at=row["last_modified_at"],
            position=position(row["state"]) if deal else None,
            key=row.get(self._key or "") or None,
            problems=problems,
        )

    def values(self, change: Change, currencies: Mapping[str, int], currency: str) -> dict[str, Any]:
        """Write what a change says of a deal in a currency; raises RefusedError for what Tryton has no room for."""
        values, amount = write_columns(self.columns(currency), change.after), change.after.get("amount")
        # Written only where it changes: it can't be, once an opportunity is no lead any more.
        if isinstance(amount, Money) and amount.currency != currency:
            if amount.currency not in currencies:
                raise RefusedError(f"Tryton has no currency {amount.currency}")
            values["currency"] = currencies[amount.currency]
        return values


def _user(row: Mapping[str, Any]) -> dict[str, Value]:
    return {"name": row["rec_name"], "email": row["party.email"] or None, "active": row["active"]}


def _company(row: Mapping[str, Any]) -> dict[str, Value]:
    host = re.sub(r"^[a-z]+://(www\.)?|[/?#].*$", "", (row["website"] or "").lower())
    return {"name": row["name"], "domain": host or None}


def _contact(row: Mapping[str, Any]) -> dict[str, Value]:
    email = row["value"] if row["type"] == "email" else None
    name, company = row["name"] or row["party.name"], LINK.read(row["party"])
    return {"name": name, "email": email, "title": None, "company": company}


def _note(row: Mapping[str, Any]) -> dict[str, Value]:
    on = {"deals": (row["resource"].partition(",")[2],), "company": None, "contacts": ()}
    return {"body": row["message"], "at": row["create_date"], "owner": None, **on}


READ = {Kind.USER: _user, Kind.COMPANY: _company, Kind.CONTACT: _contact, Kind.NOTE: _note}
