"""What the sandbox account is set up with: pipelines, stages, object types and association types."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

PORTAL = 26190001
TIMEZONE = "Europe/Berlin"
CURRENCIES = ("EUR", "GBP", "USD")
CURRENCY_CODE = "deal_currency_code"  # a property of deals in accounts with several currencies only
UI_DOMAIN = "app-sandbox.hubspot.example"
KEY_PROPERTY = "crmbridge_key"


class ObjectType(NamedTuple):
    """An object type under all the names that the API takes for it."""

    id: str
    name: str
    singular: str
    first_record: int
    modified: str  # the property with the modification time


OBJECT_TYPES = (
    ObjectType("0-1", "contacts", "contact", 51_000_000, "lastmodifieddate"),
    ObjectType("0-2", "companies", "company", 79_450_000_000, "hs_lastmodifieddate"),
    ObjectType("0-3", "deals", "deal", 18_200_000_000, "hs_lastmodifieddate"),
    ObjectType("0-27", "tasks", "task", 44_100_000_000, "hs_lastmodifieddate"),
    ObjectType("0-46", "notes", "note", 44_300_000_000, "hs_lastmodifieddate"),
    ObjectType("0-47", "meetings", "meeting", 44_500_000_000, "hs_lastmodifieddate"),
    ObjectType("0-48", "calls", "call", 44_700_000_000, "hs_lastmodifieddate"),
    ObjectType("0-49", "emails", "email", 44_900_000_000, "hs_lastmodifieddate"),
)
TYPE_NAMES = MappingProxyType({name: kind for kind in OBJECT_TYPES for name in (kind.id, kind.name, kind.singular)})
ENGAGEMENTS = ("tasks", "notes", "meetings", "calls", "emails")


class Stage(NamedTuple):
    """A stage of a pipeline."""

    id: str
    label: str
    order: int
    probability: str
    closed: bool


class Pipeline(NamedTuple):
    """A pipeline. Its stages are served in this order, which is not the order people see."""

    id: str
    label: str
    order: int
    stages: tuple[Stage, ...]


PIPELINES = (
    Pipeline(
        "b9152945-5c1e-4f0a-9f5e-3d6f1c2a7e11",
        "Renewals",
        1,
        (
            Stage("9567448", "Renewal due", 0, "0.5", closed=False),
            Stage("66894120", "Closed Lost", 3, "0.1", closed=False),  # the label lies: it is open
            Stage("renewalwon", "Renewed", 2, "1.0", closed=True),
            Stage("9567450", "Talking", 1, "0.7", closed=False),
            Stage("renewalgone", "Gone", 4, "0.0", closed=True),
        ),
    ),
    Pipeline(
        "default",
        "Sales Pipeline",
        0,
        (
            Stage("presentationscheduled", "Diagnosis", 2, "0.4", closed=False),
            Stage("closedwon", "Closed Won", 6, "1.0", closed=True),
            Stage("closedlost", "Closed Lost", 7, "0.0", closed=True),
            Stage("appointmentscheduled", "Prospecting", 0, "0.1", closed=False),
            Stage("qualifiedtobuy", "Qualification", 1, "0.2", closed=False),
            Stage("9567449", "Closing", 5, "0.9", closed=False),
            Stage("contractsent", "Negotiation", 4, "0.8", closed=False),
            Stage("decisionmakerboughtin", "Proposal", 3, "0.6", closed=False),
        ),
    ),
)
STAGES = MappingProxyType({stage.id: (pipeline, stage) for pipeline in PIPELINES for stage in pipeline.stages})

# HUBSPOT_DEFINED association types by direction; the first of each pair of types is the unlabelled one.
_FORWARD: dict[tuple[str, str], tuple[int, ...]] = {
    ("deals", "contacts"): (3,),
    ("deals", "companies"): (341, 5),
    ("contacts", "companies"): (279, 1),
    ("companies", "notes"): (189,),
    ("companies", "tasks"): (191,),
    ("companies", "calls"): (181,),
    ("companies", "emails"): (185,),
    ("companies", "meetings"): (187,),
    ("contacts", "notes"): (201,),
    ("contacts", "tasks"): (203,),
    ("contacts", "calls"): (193,),
    ("contacts", "emails"): (197,),
    ("contacts", "meetings"): (199,),
    ("deals", "notes"): (213,),
    ("deals", "tasks"): (215,),
    ("deals", "calls"): (205,),
    ("deals", "emails"): (209,),
    ("deals", "meetings"): (211,),
}
# The way back has the next number, each time.
ASSOCIATIONS = MappingProxyType(
    {
        pair: types
        for (start, end), there in _FORWARD.items()
        for pair, types in (((start, end), there), ((end, start), tuple(number + 1 for number in there)))
    }
)
PRIMARY_TYPES = frozenset({5, 6, 1, 2})
