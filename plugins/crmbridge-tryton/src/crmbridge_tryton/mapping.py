"""Where Tryton's models have what records are made of, and under which names; sends nothing."""

from __future__ import annotations

from functools import partial

from crmbridge import adapting, ports
from crmbridge.adapting import ID, Column, Row, Table
from crmbridge.model.records import Kind, Position, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType

PIPELINE = "opportunity"
CLOSED = {"won": Status.WON, "lost": Status.LOST, "cancelled": Status.LOST}
YES = adapting.never_empty(adapting.form(int, bool))  # on SQLite a yes-or-no is a number; it is empty nowhere
MONEY = adapting.money_in("currency.code")
FORMS = {**adapting.FORMS, FieldType.USER: ID, FieldType.BOOL: YES, FieldType.MONEY: MONEY}
RESOURCE = adapting.form(str, lambda resource: (resource.partition(",")[2],))


def position(state: str) -> Position:
    """Give the position of a state; an opportunity that was converted is open until its sales are confirmed."""
    return Position(PIPELINE, state, CLOSED.get(state, Status.OPEN))


def _reached(row: Row) -> Row:
    """Read a way to reach somebody: without a name it has the party's, and only some are addresses of e-mail."""
    email = row["value"] if row["type"] == "email" else None
    return {**row, "name": row["name"] or row["party.name"], "value": email}


table = partial(Table, version="_timestamp", created_at="create_date", updated_at="last_modified_at")
columns = partial(adapting.standard_columns, forms=FORMS)
USERS = table(Kind.USER, "company.employee", columns(Kind.USER, name="rec_name", email="party.email", active="active"))
COMPANIES = table(
    Kind.COMPANY, "party.party", (*columns(Kind.COMPANY, name="name"), Column("domain", "website", adapting.WEBSITE))
)
CONTACTS = table(
    Kind.CONTACT,
    "party.contact_mechanism",
    (*columns(Kind.CONTACT, name="name", email="value"), Column("company", "party", ID)),
    beside=("type", "party.name"),
    tidied=_reached,
)
NOTES = table(
    Kind.NOTE,
    "ir.note",
    (*columns(Kind.NOTE, body="message", at="create_date"), Column("deals", "resource", RESOURCE)),
)
DEALS = table(
    Kind.DEAL,
    "sale.opportunity",
    (
        *columns(Kind.DEAL, name="description", close_date="end_date", lost_reason="lost_reason", owner="employee"),
        Column("amount", "amount", adapting.money_in("currency.code", others=True)),
        Column("company", "party", ID),
        Column("contacts", "contact", adapting.single(ID)),
    ),
    beside=("state", "currency.code"),
    position=lambda row: position(row["state"]),
)


def tables(context: ports.AdapterContext, key_field: str | None) -> dict[Kind, Table]:
    """Give the tables of a connection, with the fields that its settings bind."""
    bound = adapting.bound_columns(context.fields, FORMS)
    deals = replace(DEALS, key=key_field, columns=(*DEALS.columns, *bound))
    return {each.kind: each for each in (USERS, COMPANIES, CONTACTS, NOTES, deals)}
