"""Fills a database with a world: people and opportunities by the server's own calls, their past in its tables."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from crmbridge.model.records import Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.sandbox import WORLD_FIELDS, World, WorldDeal
from crmbridge_tryton_server.client import Client, day, decimal
from crmbridge_tryton_server.installing import PASSWORD, USER
from crmbridge_tryton_server.running import TrytonServer

PIPELINE = "opportunity"
# The process has six open stages and Tryton three; a deal that is converted is in the hands of its sale.
STAGES = {
    "prospecting": "lead",
    **dict.fromkeys(("qualification", "diagnosis", "proposal", "negotiation"), "opportunity"),
    "closing": "converted",
    "won": "won",
    "lost": "lost",
}
FIELDS = {name: name.replace(".", "_") for name in WORLD_FIELDS}
CURRENCIES = {"EUR": ("Euro", "978", 2), "USD": ("US dollar", "840", 2), "JPY": ("Yen", "392", 0)}
NO = {name: False for name, type_ in WORLD_FIELDS.items() if type_ is FieldType.BOOL}
GROUPS = ["Sale Opportunity", "Sales"]  # what the guide says that crmbridge's user needs
BLINK = timedelta(microseconds=1)
Row = dict[str, Any]


def holds(deal: WorldDeal) -> WorldDeal:
    """Give a deal of the world as Tryton can hold it.

    One contact; yes-or-no that is never empty; three open stages. A deal is won after it was converted, and no open
    one is converted yet, as it could not be edited.
    No change falls on a whole second: on SQLite, Tryton 8.2 can't list a history with one.
    """
    journey = [(stage, at + BLINK) for stage, at in deal.journey]
    closed = deal.closed_at + BLINK if deal.closed_at else None
    if deal.status is Status.OPEN:
        journey = [stop for stop in journey if stop[0] != "closing"]
    elif deal.status is Status.WON and closed and journey[-1][0] != "closing":
        journey.append(("closing", closed - timedelta(seconds=1)))
    merged = [next(stops) for _, stops in groupby(journey, key=lambda stop: STAGES[stop[0]])]
    return replace(
        deal,
        journey=tuple(merged),
        created_at=merged[0][1],
        closed_at=closed,
        contacts=deal.contacts[:1],
        fields={**NO, **deal.fields},
    )


def filled(server: TrytonServer, world: World, deals: Sequence[WorldDeal], name: str) -> None:
    """Load a database with these deals in the server, made by it the first time."""
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    kept = server.empty.with_name(f"{server.empty.stem}-{name}-{digest}.sqlite")
    if kept.exists():
        server.load(kept)
        return
    server.load(server.empty)
    fill(server, world, deals)
    server.save(kept)


def fill(server: TrytonServer, world: World, deals: Sequence[WorldDeal]) -> None:
    """Put a world in an empty company's database."""
    client = server.client()
    company = make_company(client)
    parties = client("party.party", "create", [_party(world, each.number) for each in world.companies])
    people = [_person(user.name, user.email) for user in world.users]
    employees = client(
        "company.employee",
        "create",
        [{"party": id_, "company": company} for id_ in client("party.party", "create", people)],
    )
    known = client("party.contact_mechanism", "search_read", [["type", "=", "email"]], 0, None, None, ["value"])
    mails = {row["value"]: row["id"] for row in known}
    contacts = {each.number: mails[each.email] for each in world.contacts}
    # Open deals first: the suite picks the first ones, and edits them.
    ordered = sorted(deals, key=lambda deal: deal.status is not Status.OPEN)
    made = client("sale.opportunity", "create", [_deal(each, parties, employees, contacts) for each in ordered])
    with contextlib.closing(sqlite3.connect(server.file, timeout=30)) as tables, tables:
        for id_, deal in zip(made, ordered, strict=True):
            _write_past(tables, id_, deal)


def make_company(client: Client) -> int:
    """Make the company that everybody works for, its currencies and crmbridge's user; gives its id."""
    rows = [
        {"code": code, "name": name, "symbol": code, "numeric_code": number, "digits": digits,
         "rounding": decimal(f"1e-{digits}")}
        for code, (name, number, digits) in CURRENCIES.items()
    ]  # fmt: skip
    euro, *_ = client("currency.currency", "create", rows)
    (party,) = client("party.party", "create", [{"name": "Lumenworks"}])
    (company,) = client("company.company", "create", [{"party": party, "currency": euro}])
    client("res.user", "write", [1], {"companies": [["add", [company]]], "company": company})
    client.context = {"company": company}
    groups = client("res.group", "search", [["name", "in", GROUPS]])
    works_for = {"companies": [["add", [company]]], "company": company, "groups": [["add", groups]]}
    client("res.user", "create", [{"name": "crmbridge", "login": USER, "password": PASSWORD, **works_for}])
    return int(company)


def _party(world: World, number: int) -> Row:
    company = world.companies[number - 1]
    ways = [{"type": "website", "value": f"https://{company.domain}"}]
    ways += [{"type": "email", "value": c.email, "name": c.name} for c in world.contacts if c.company == number]
    return {"name": company.name, "contact_mechanisms": [["create", ways]]}


def _person(name: str, email: str) -> Row:
    return {"name": name, "contact_mechanisms": [["create", [{"type": "email", "value": email}]]]}


def _deal(deal: WorldDeal, parties: list[int], employees: list[int], contacts: Mapping[int, int]) -> Row:
    return {
        "description": deal.name,
        "party": parties[deal.company - 1],
        "employee": employees[deal.owner - 1],
        "contact": contacts[deal.contacts[0]] if deal.contacts else None,
        "amount": decimal(deal.amount),
        "end_date": day(deal.close_date),
        "lost_reason": deal.lost_reason or None,
        **{FIELDS[name]: _value(value) for name, value in deal.fields.items()},
    }


def _value(value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    return day(value) if isinstance(value, date) else decimal(value)


def _write_past(tables: sqlite3.Connection, id_: int, deal: WorldDeal) -> None:
    """Give an opportunity the history that it would have if all this had happened in time."""
    names = ", ".join(f'"{row[1]}"' for row in tables.execute("PRAGMA table_info(sale_opportunity)"))
    stops = [(STAGES[stage], at) for stage, at in deal.journey]
    if deal.closed_at is not None:
        stops.append((STAGES[deal.status.value], deal.closed_at))
    tables.execute("DELETE FROM sale_opportunity__history WHERE id = ?", (id_,))
    for number, (state, at) in enumerate(stops):
        column = "write_date" if number else "create_date"
        change = f'UPDATE sale_opportunity SET state = ?, "{column}" = ?, write_uid = ? WHERE id = ?'  # noqa: S608  ours
        tables.execute(change, (state, _text(at), 1 if number else None, id_))
        copy = f"INSERT INTO sale_opportunity__history ({names}) SELECT {names} FROM sale_opportunity WHERE id = ?"  # noqa: S608  ours
        tables.execute(copy, (id_,))


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"
