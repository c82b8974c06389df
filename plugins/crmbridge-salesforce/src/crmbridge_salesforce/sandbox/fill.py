"""Filling the org with a sales team's year."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmbridge.model.records import Status
from crmbridge.sandbox import SandboxOptions, WorldActivity, WorldDeal, make_world
from crmbridge_salesforce.sandbox.effects import set_revenue, set_stage, snapshot
from crmbridge_salesforce.sandbox.objects import FORECAST_NAMES, STAGES, TASK_STATUSES
from crmbridge_salesforce.sandbox.state import State
from crmbridge_salesforce.sandbox_terms import FIELDS
from crmbridge_salesforce.sandbox_terms import STAGES as STAGE_NAMES

_SUBTYPES = {"call": "Call", "email": "Email"}


def fill(state: State, options: SandboxOptions) -> None:
    """Fill an empty org from the options' world."""
    now = options.as_of.astimezone(UTC).replace(microsecond=0)
    world = make_world(options.seed, options.deals, now)
    start = now - timedelta(days=400)
    _plant_setup(state, start)
    people = _People(state, start)
    for user in world.users:
        people.users[user.number] = _plant_user(state, user.name, user.email, start)
    state.human = people.users[world.users[0].number]
    for company in world.companies:
        values = {"Name": company.name, "Website": f"https://www.{company.domain}", "OwnerId": state.human}
        people.companies[company.number] = state.tables.plant("Account", values, created=start, changed=start)
    for contact in world.contacts:
        first, _, last = contact.name.partition(" ")
        values = {
            "FirstName": first,
            "LastName": last,
            "Name": contact.name,
            "Email": contact.email,
            "Title": contact.title,
            "AccountId": people.companies[contact.company],
        }
        people.contacts[contact.number] = state.tables.plant("Contact", values, created=start, changed=start)
    for deal in world.part(options.part):
        _plant_deal(state, people, deal, now)


class _People:
    """The ids of what was planted, by the world's numbers."""

    def __init__(self, state: State, start: datetime) -> None:
        self.users: dict[int, str] = {}
        self.companies: dict[int, str] = {}
        self.contacts: dict[int, str] = {}
        state.tables.author = _plant_user(state, "Integration User", "integration@lumenworks.example", start)


def _plant_user(state: State, name: str, email: str, at: datetime) -> str:
    values = {"Name": name, "Email": email, "Username": email, "IsActive": True}
    return state.tables.plant("User", values, created=at, changed=at)


def _plant_setup(state: State, at: datetime) -> None:
    organization = {"Name": "Lumenworks", "OrganizationType": "Enterprise Edition", "TimeZoneSidKey": "GMT"}
    state.tables.plant("Organization", organization, created=at, changed=at)
    for order, stage in enumerate(STAGES, start=1):
        values = {
            "ApiName": stage.name,
            "MasterLabel": stage.name,
            "IsActive": stage.active,
            "SortOrder": Decimal(order),
            "IsClosed": stage.closed,
            "IsWon": stage.won,
            "DefaultProbability": Decimal(stage.probability),
            "ForecastCategory": stage.forecast,
            "ForecastCategoryName": FORECAST_NAMES[stage.forecast],
        }
        state.tables.plant("OpportunityStage", values, created=at, changed=at)
    for order, (name, closed) in enumerate(TASK_STATUSES, start=1):
        values = {"ApiName": name, "MasterLabel": name, "IsClosed": closed, "SortOrder": Decimal(order)}
        state.tables.plant("TaskStatus", values, created=at, changed=at)


def _steps(deal: WorldDeal) -> list[tuple[str, datetime]]:
    """Give the deal's journey in the org's stages; won and lost are stages here."""
    steps = [(STAGE_NAMES[stage], at) for stage, at in deal.journey]
    if deal.closed_at is not None:
        steps.append((STAGE_NAMES["won" if deal.status is Status.WON else "lost"], deal.closed_at))
    return steps


def _plant_deal(state: State, people: _People, deal: WorldDeal, now: datetime) -> None:
    steps = _steps(deal)
    done = [activity.at for activity in deal.activities if activity.done]
    changed = min(max(at for _, at in steps), now)
    row: dict[str, Any] = {
        "Name": deal.name,
        "AccountId": people.companies[deal.company],
        "OwnerId": people.users[deal.owner],
        "Amount": deal.amount,
        "CloseDate": deal.close_date,
        "StageName": steps[-1][0],
        "LeadSource": deal.source,
        "Loss_Reason__c": deal.lost_reason or None,
        "LastStageChangeDate": steps[-1][1] if len(steps) > 1 else None,
        "LastActivityDate": max(done).date() if done else None,
        "HasOpenActivity": any(not activity.done for activity in deal.activities),
        **{FIELDS[name]: _native(value) for name, value in deal.fields.items()},
    }
    if "CurrencyIsoCode" in state.tables.objects["Opportunity"].columns:
        row["CurrencyIsoCode"] = deal.currency
    set_stage(row)
    set_revenue(row)
    owner = row["OwnerId"]
    row["Id"] = state.tables.plant(
        "Opportunity", row, created=deal.created_at, changed=max(changed, deal.created_at), by=owner
    )
    _plant_history(state, row, steps, owner)
    for number, contact in enumerate(deal.contacts):
        values = {"OpportunityId": row["Id"], "ContactId": people.contacts[contact], "IsPrimary": number == 0}
        state.tables.plant("OpportunityContactRole", values, created=deal.created_at, changed=deal.created_at, by=owner)
    for activity in deal.activities:
        _plant_task(state, row, activity, changed)


def _native(value: Any) -> Any:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return value


def _plant_history(state: State, row: Mapping[str, Any], steps: list[tuple[str, datetime]], owner: str) -> None:
    for stage, at in steps:
        then = {**row, "StageName": stage}
        set_stage(then)
        set_revenue(then)
        state.tables.plant("OpportunityHistory", snapshot(then), created=at, changed=at, by=owner)


def _plant_task(state: State, deal: Mapping[str, Any], activity: WorldActivity, latest: datetime) -> None:
    values = {
        "Subject": activity.subject,
        "WhatId": deal["Id"],
        "AccountId": deal["AccountId"],
        "OwnerId": deal["OwnerId"],
        "ActivityDate": activity.at.date(),
        "Status": "Completed" if activity.done else "Not Started",
        "TaskSubtype": _SUBTYPES.get(activity.kind, "Task"),
        "Type": "Meeting" if activity.kind == "meeting" else None,
        "IsClosed": activity.done,
    }
    at = min(activity.at, latest)  # what is still to be done was noted when the deal last moved
    state.tables.plant("Task", values, created=at, changed=at, by=deal["OwnerId"])
