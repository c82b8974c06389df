"""Fills the sandbox account from the world: the same people, companies and deals as in every other CRM's sandbox."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from crmbridge.model.records import Status
from crmbridge.model.values import Value
from crmbridge.sandbox import SandboxOptions, World, WorldActivity, WorldDeal, make_world
from crmbridge_hubspot.sandbox.account import CURRENCY_CODE, TIMEZONE, TYPE_NAMES
from crmbridge_hubspot.sandbox.objects import HubSpotState
from crmbridge_hubspot.sandbox.people import ACTIVITIES
from crmbridge_hubspot.sandbox.records import CrmObject, Owner, Source
from crmbridge_hubspot.sandbox.replies import stamp
from crmbridge_hubspot.sandbox_terms import FIELDS, PIPELINE, STAGES

LARGE = 5_000  # deals
IMPORTED, BY_HAND = Source("IMPORT"), Source("CRM_UI")
FIRST_OWNER, FIRST_USER = 71_024_300, 5_190_800


def fill(state: HubSpotState, options: SandboxOptions) -> None:
    """Put the world's part into the account."""
    collects = gc.isenabled()
    gc.disable()  # nothing of what comes is garbage, and looking for some would take half of the time
    try:
        _fill(state, make_world(options.seed, options.deals, options.as_of), options)
    finally:
        if collects:
            gc.enable()
    if options.deals >= LARGE:
        gc.freeze()  # or requests would wait while millions of values that stay are looked through


def _fill(state: HubSpotState, world: World, options: SandboxOptions) -> None:
    deals = world.part(options.part)
    start = min((deal.created_at for deal in world.deals), default=options.as_of)
    _fill_owners(state, world, start)
    companies = _fill_companies(state, world, start)
    contacts = _fill_contacts(state, world, start, companies)
    for deal in deals:
        made = _fill_deal(state, deal)
        state.links.link(made, companies[deal.company], [5])
        for number in deal.contacts:
            state.links.link(made, contacts[number])
        for activity in deal.activities:
            state.links.link(_fill_activity(state, activity, deal), made)


def _fill_owners(state: HubSpotState, world: World, start: datetime) -> None:
    people = [(user.number, user.name, user.email, False) for user in world.users]
    people.append((len(people) + 1, "Gone Leaver", "gone.leaver@lumenworks.example", True))
    for number, name, email, archived in people:
        first, _, last = name.partition(" ")
        owner = Owner(str(FIRST_OWNER + number * 11), FIRST_USER + number, email, first, last, start, archived)
        state.owners[owner.id] = owner


def owner_id(number: int) -> str:
    """Give the owner id of a user of the world."""
    return str(FIRST_OWNER + number * 11)


def _add(state: HubSpotState, name: str, created: datetime, modified: datetime) -> CrmObject:
    kind = TYPE_NAMES[name]
    table = state.tables[kind.name]
    made = CrmObject(state.next_id(kind), kind, created, modified)
    table[made.id] = made
    return made


def _fill_companies(state: HubSpotState, world: World, start: datetime) -> dict[int, CrmObject]:
    found = {}
    for company in world.companies:
        made = found[company.number] = _add(state, "companies", start, start)
        made.put_all({"name": company.name, "domain": company.domain}, start, IMPORTED)
    return found


def _fill_contacts(
    state: HubSpotState, world: World, start: datetime, companies: Mapping[int, CrmObject]
) -> dict[int, CrmObject]:
    found = {}
    for contact in world.contacts:
        made = found[contact.number] = _add(state, "contacts", start, start)
        first, _, last = contact.name.partition(" ")
        values = {"firstname": first, "lastname": last, "email": contact.email, "jobtitle": contact.title}
        made.put_all(values, start, IMPORTED)
        state.links.link(made, companies[contact.company], [1])
    return found


def _fill_deal(state: HubSpotState, deal: WorldDeal) -> CrmObject:
    made = _add(state, "deals", deal.created_at, deal.updated_at)
    person = Source("CRM_UI", str(FIRST_USER + deal.owner))
    currency = {CURRENCY_CODE: deal.currency} if CURRENCY_CODE in state.properties["deals"] else {}
    made.put_all(_first_values(deal) | currency, deal.created_at, person)
    closed = () if deal.closed_at is None else ((deal.status.value, deal.closed_at),)
    for stage, at in (*deal.journey, *closed):
        made.put("dealstage", STAGES[stage], at, person)
    made.put_all({FIELDS[name]: as_text(value) for name, value in deal.fields.items()}, deal.updated_at, person)
    if deal.status is Status.LOST:
        made.put("closed_lost_reason", deal.lost_reason, deal.updated_at, person)
    return made


def _first_values(deal: WorldDeal) -> dict[str, str]:
    return {
        "dealname": deal.name,
        "pipeline": PIPELINE,
        "amount": as_text(deal.amount),
        "closedate": stamp(picked_day(deal.close_date)),
        "hubspot_owner_id": owner_id(deal.owner),
        "lead_source": deal.source,
    }


def picked_day(day: date) -> datetime:
    """Give the time that HubSpot stores for a day picked in the account's zone: its midnight there."""
    return datetime.combine(day, time(), ZoneInfo(TIMEZONE)).astimezone(UTC)


def _fill_activity(state: HubSpotState, activity: WorldActivity, deal: WorldDeal) -> CrmObject:
    as_kept = ACTIVITIES[activity.kind]
    at = min(activity.at, deal.updated_at)
    made = _add(state, as_kept.kind, at, at)
    values = {as_kept.title: activity.subject, "hs_timestamp": stamp(activity.at)}
    values["hubspot_owner_id"] = owner_id(activity.owner)
    if as_kept.kind == "tasks":  # the others were logged by hand, without a status
        values[as_kept.status] = as_kept.done if activity.done else as_kept.open
    made.put_all(values, at, BY_HAND)
    return made


def as_text(value: Value) -> str:
    """Write a world's value as HubSpot keeps it."""
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
        case _:
            return "" if value is None else str(value)
