"""Fills the sandbox's account from a world: the same deals as every other CRM has, in Pipedrive's terms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crmbridge.model.records import Status
from crmbridge.model.values import Value
from crmbridge.sandbox import SandboxOptions, World, WorldActivity, WorldDeal, WorldUser, make_world
from crmbridge_pipedrive.sandbox.replies import Row
from crmbridge_pipedrive.sandbox.state import closing
from crmbridge_pipedrive.sandbox.tables import (
    Tables,
    empty_activity,
    empty_company,
    empty_deal,
    empty_person,
    log_change,
    next_id,
    stamp,
    v1_stamp,
)
from crmbridge_pipedrive.sandbox_account import KEY_FIELD, OTHER_FIELDS, PIPELINE, PROCESS_FIELDS, STAGES, CustomField

FIRST_USER = 14_200_000  # users' ids are unique in all of Pipedrive, so they are large
ADMIN = FIRST_USER
CHANNELS = ("inbound", "outbound", "event", "referral")
SIZE = 20  # option ids that each field may use
LONG_AGO = "2024-01-08T08:00:00Z"


def fill(options: SandboxOptions) -> Tables:
    """Make the account's tables."""
    world = make_world(options.seed, options.deals, options.as_of)
    tables = Tables()
    _users(tables, world.users)
    _pipelines(tables)
    _fields(tables)
    _companies(tables, world)
    for deal in world.part(options.part):
        _deal(tables, deal)
    return tables


def option_id(field: CustomField, label: str) -> int:
    """Give an option's id; ids are unique in the account."""
    known = (*PROCESS_FIELDS.values(), *OTHER_FIELDS)
    return 100 + known.index(field) * SIZE + field.options.index(label)


def _users(tables: Tables, users: Iterable[WorldUser]) -> None:
    tables.users[ADMIN] = _user(ADMIN, "Account Admin", "admin@lumenworks.example")
    for user in users:
        tables.users[FIRST_USER + user.number] = _user(FIRST_USER + user.number, user.name, user.email)


def _user(number: int, name: str, email: str) -> Row:
    return {
        "id": number,
        "name": name,
        "email": email,
        "default_currency": "EUR",
        "locale": "en_US",
        "activated": True,
        "active_flag": True,
        "is_deleted": False,
        "role_id": 1,
        "timezone_name": "Europe/Lisbon",
        "timezone_offset": "+00:00",
        "created": v1_stamp(LONG_AGO),
        "modified": v1_stamp(LONG_AGO),
        "last_login": v1_stamp(LONG_AGO),
        "access": [{"app": "sales", "admin": number == ADMIN}],
    }


def _pipelines(tables: Tables) -> None:
    for number, name in ((int(PIPELINE), "Sales"), (2, "Partner deals")):
        tables.pipelines[number] = {
            "id": number,
            "name": name,
            "order_nr": number - 1,
            "is_deleted": False,
            "is_deal_probability_enabled": number == 1,
            "add_time": LONG_AGO,
            "update_time": LONG_AGO,
        }
    labels = [(int(number), stage.title(), 1) for stage, number in STAGES.items()]
    for order, (number, name, pipeline) in enumerate([*labels, (7, "Introduced", 2), (8, "Agreed", 2)]):
        tables.stages[number] = {
            "id": number,
            "order_nr": order if pipeline == 1 else order - len(labels),
            "name": name,
            "is_deleted": False,
            "deal_probability": 10 * order + 10,
            "pipeline_id": pipeline,
            "is_deal_rot_enabled": False,
            "days_to_rotten": None,
            "add_time": LONG_AGO,
            "update_time": None,
        }


def _fields(tables: Tables) -> None:
    channels: list[Row] = [{"id": 60 + n, "label": label} for n, label in enumerate(CHANNELS)]
    offered = {"channel": channels, "label_ids": [{"id": n, "label": label} for n, label in enumerate(LABELS, start=1)]}
    for code, name, kind in BUILT_IN:
        options = offered.get(code)
        tables.fields[code] = _field(code, name, kind, options)
    for code in ("activities_count", "done_activities_count", "undone_activities_count"):
        tables.fields[code] = _field(code, code.replace("_", " ").capitalize(), "int", None, optional=True)
    for field in (KEY_FIELD, *PROCESS_FIELDS.values(), *OTHER_FIELDS):
        options = [{"id": option_id(field, label), "label": label} for label in field.options] or None
        tables.fields[field.code] = _field(field.code, field.label, field.type, options, custom=True)


LABELS = ("Hot", "Warm", "Cold")
BUILT_IN = (
    ("title", "Title", "varchar"),
    ("value", "Value", "monetary"),
    ("owner_id", "Owner", "user"),
    ("creator_user_id", "Creator", "user"),
    ("org_id", "Organization", "org"),
    ("person_id", "Contact person", "people"),
    ("pipeline_id", "Pipeline", "double"),
    ("stage_id", "Stage", "stage"),
    ("status", "Status", "status"),
    ("probability", "Probability", "int"),
    ("expected_close_date", "Expected close date", "date"),
    ("lost_reason", "Lost reason", "varchar_options"),
    ("channel", "Source channel", "enum"),
    ("label_ids", "Label", "set"),
    ("add_time", "Deal created", "date"),
    ("update_time", "Update time", "date"),
)


def _field(
    code: str, name: str, kind: str, options: list[Row] | None, *, custom: bool = False, optional: bool = False
) -> Row:
    return {
        "field_name": name,
        "field_code": code,
        "description": None,
        "field_type": kind,
        "options": options,
        "subfields": None,
        "is_custom_field": custom,
        "is_optional_response_field": optional,
    }


def _companies(tables: Tables, world: World) -> None:
    for company in world.companies:
        # People write websites in many ways.
        website = f"https://www.{company.domain}/" if company.number % 2 else company.domain
        tables.organizations[company.number] = {
            **empty_company(company.number, owner=ADMIN, at=LONG_AGO),
            "name": company.name,
            "website": website,
        }
    for contact in world.contacts:
        first, _, last = contact.name.partition(" ")
        tables.persons[contact.number] = {
            **empty_person(contact.number, owner=ADMIN, at=LONG_AGO),
            "name": contact.name,
            "first_name": first,
            "last_name": last,
            "org_id": contact.company,
            "emails": [{"value": contact.email, "primary": True, "label": "work"}],
            "job_title": contact.title,
        }


def _deal(tables: Tables, deal: WorldDeal) -> None:
    owner = FIRST_USER + deal.owner
    row = empty_deal(next_id(tables.deals), tables.fields, at=stamp(deal.created_at), owner=owner)
    row.update(
        title=deal.name,
        org_id=deal.company,
        person_id=deal.contacts[0] if deal.contacts else None,
        pipeline_id=int(PIPELINE),
        stage_id=int(STAGES[deal.journey[-1][0]]),
        value=deal.amount,
        currency=deal.currency,
        update_time=stamp(deal.updated_at),
        stage_change_time=stamp(deal.journey[-1][1]) if len(deal.journey) > 1 else None,
        expected_close_date=deal.close_date.isoformat(),
        lost_reason=deal.lost_reason or None,
        channel=60 + CHANNELS.index(deal.source),
    )
    if deal.closed_at is not None:
        row.update(closing(deal.status, stamp(deal.closed_at)), status=deal.status.value)
        if deal.status is Status.WON:
            row["first_won_time"] = stamp(deal.closed_at)
    row["custom_fields"].update({PROCESS_FIELDS[n].code: _native(n, value) for n, value in deal.fields.items()})
    tables.deals[row["id"]] = row
    tables.participants[row["id"]] = list(deal.contacts)
    _history(tables, row["id"], deal, owner)
    for activity in deal.activities:
        _activity(tables, row, activity)


def _native(name: str, value: Value) -> Any:
    field = PROCESS_FIELDS[name]
    match value:
        case bool():
            return option_id(field, "Yes" if value else "No")
        case datetime():
            return stamp(value)
        case date():
            return value.isoformat()
        case Decimal():
            return value
        case _:
            return str(value)


def _history(tables: Tables, number: int, deal: WorldDeal, owner: int) -> None:
    created = stamp(deal.created_at)
    log_change(tables, number, "add_time", (None, v1_stamp(created)), at=created, by=owner)
    for (before, _), (after, at) in zip(deal.journey, deal.journey[1:], strict=False):
        log_change(tables, number, "stage_id", (int(STAGES[before]), int(STAGES[after])), at=stamp(at), by=owner)
    if deal.closed_at is not None:
        log_change(tables, number, "status", ("open", deal.status.value), at=stamp(deal.closed_at), by=owner)


def _activity(tables: Tables, deal: Row, activity: WorldActivity) -> None:
    at = stamp(activity.at)
    number = next_id(tables.activities)
    tables.activities[number] = {
        **empty_activity(number, owner=FIRST_USER + activity.owner, at=deal["add_time"]),
        "subject": activity.subject,
        "type": activity.kind,
        "deal_id": deal["id"],
        "org_id": deal["org_id"],
        "person_id": deal["person_id"],
        "due_date": at[:10],
        "due_time": at[11:19],
        "done": activity.done,
        "marked_as_done_time": at if activity.done else None,
        "update_time": at if activity.done else deal["update_time"],
    }
