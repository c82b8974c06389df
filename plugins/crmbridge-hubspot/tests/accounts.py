"""What the HubSpot tests have in common: where things are, how adapters are opened, and an account as it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import respx

from crmbridge.model.records import Kind
from crmbridge.ports import Adapter, Page

OBJECTS = "/crm/objects/2026-03"
DEALS = f"{OBJECTS}/deals"
LINKS = "/crm/associations/2026-03/deals"
STAMP = "2026-06-01T10:00:00.500Z"
Opener = Callable[..., Adapter]
Answer = Callable[..., None]

STAGES = [
    {"id": "closedwon", "label": "Won", "displayOrder": 2, "metadata": {"isClosed": "true", "probability": "1.0"}},
    {"id": "first", "label": "First", "displayOrder": 0, "metadata": {"isClosed": "false", "probability": "0.1"}},
    {"id": "second", "label": "Second", "displayOrder": 1, "metadata": {"isClosed": "false", "probability": "0.5"}},
    {"id": "lied", "label": "Closed Lost", "displayOrder": 3, "metadata": {"isClosed": "false", "probability": "0.1"}},
]
OTHER = [
    {"id": "elsewhere", "label": "Else", "displayOrder": 0, "metadata": {"isClosed": "true", "probability": "0.0"}}
]


def make_property(name: str, type_: str = "string", **more: Any) -> dict[str, Any]:
    """Make a property as the properties call gives it."""
    return {"name": name, "label": name, "type": type_, "fieldType": "text", "options": [], **more}


PROPERTIES = [
    make_property("dealname"),
    make_property("amount", "number"),
    make_property("closedate", "datetime"),
    make_property("hubspot_owner_id", "enumeration", referencedObjectType="OWNER"),
    make_property("hs_is_closed", "bool", calculated=True),
    make_property("note_to_self"),
    make_property("crmbridge_key", hasUniqueValue=True),
]


def answer_set_up(router: respx.MockRouter, version: str = "2026-03", **parts: Any) -> None:
    """Let the router answer the calls that read the account's set-up; `parts` replace its usual ones."""
    details = {"portalId": 42, "timeZone": "America/Sao_Paulo", "companyCurrency": "EUR", "uiDomain": "app.example"}
    pipelines = [
        {"id": "default", "label": "Sales", "displayOrder": 0, "stages": STAGES},
        {"id": "other", "label": "Other", "displayOrder": 1, "stages": OTHER},
    ]
    v3 = version == "v3"
    paths = {
        "details": "/account-info/v3/details" if v3 else f"/account-info/{version}/details",
        "pipelines": "/crm/v3/pipelines/deals" if v3 else f"/crm/pipelines/{version}/deals",
        "properties": "/crm/v3/properties/deals" if v3 else f"/crm/properties/{version}/deals",
        "owners": "/crm/v3/owners" if v3 else f"/crm/owners/{version}",
    }
    usual = {
        "details": details,
        "pipelines": {"results": pipelines},
        "properties": {"results": PROPERTIES},
        "owners": {
            "results": [{"id": "71", "userId": 9071, "email": "a@b.example", "firstName": "A", "archived": False}]
        },
    }
    for name, path in paths.items():
        router.get(path=path).respond(json={**usual, **parts}[name])


def pull(adapter: Adapter, since: str | None) -> list[Page]:
    """Pull deals to the end."""
    return list(adapter.pull(Kind.DEAL, since))
