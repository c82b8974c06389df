"""Turns rows of Tryton's models into records, and changes into values to write; sends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crmbridge.adapting import (
    FORMS,
    ID,
    Column,
    bound_columns,
    form,
    money_form,
    never_empty,
    read_columns,
    single,
    write_columns,
)
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


TEXT = FORMS[FieldType.TEXT]
# On SQLite a yes-or-no is a number; it is empty nowhere.
TRYTON = {**FORMS, FieldType.USER: ID, FieldType.BOOL: never_empty(form(int, bool))}
STANDARD = (
    Column("name", "description", TEXT),
    Column("close_date", "end_date", FORMS[FieldType.DATE]),
    Column("lost_reason", "lost_reason", TEXT),
    Column("owner", "employee", ID),
    Column("company", "party", ID),
    Column("contacts", "contact", single(ID)),
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
    name, company = row["name"] or row["party.name"], ID.read(row["party"])
    return {"name": name, "email": email, "title": None, "company": company}


def _note(row: Mapping[str, Any]) -> dict[str, Value]:
    on = {"deals": (row["resource"].partition(",")[2],), "company": None, "contacts": ()}
    return {"body": row["message"], "at": row["create_date"], "owner": None, **on}


READ = {Kind.USER: _user, Kind.COMPANY: _company, Kind.CONTACT: _contact, Kind.NOTE: _note}
