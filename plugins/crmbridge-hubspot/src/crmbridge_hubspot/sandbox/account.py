"""What the sandbox account is set up with: pipelines, stages, properties, object types and association types."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A property of an object type."""

    name: str
    label: str
    type: str = "string"
    field_type: str = "text"
    options: tuple[str, ...] = ()
    read_only: bool = False
    calculated: bool = False
    unique: bool = False
    owner: bool = False
    custom: bool = field(default=False)

    def as_json(self) -> dict[str, Any]:
        """Give it as the properties call does."""
        options = [
            {"label": option.replace("_", " ").capitalize(), "value": option, "displayOrder": n, "hidden": False}
            for n, option in enumerate(self.options)
        ]
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": "",
            "groupName": "dealinformation",
            "options": options,
            "displayOrder": -1,
            "calculated": self.calculated,
            "externalOptions": self.owner,
            **({"referencedObjectType": "OWNER"} if self.owner else {}),
            "hasUniqueValue": self.unique,
            "hidden": False,
            "hubspotDefined": not self.custom,
            "modificationMetadata": {
                "archivable": self.custom,
                "readOnlyDefinition": not self.custom,
                "readOnlyValue": self.read_only,
            },
            "formField": False,
            "dataSensitivity": "non_sensitive",
        }


def _read_only(name: str, type_: str = "number", *, calculated: bool = True) -> Property:
    return Property(
        name=name,
        label=name.removeprefix("hs_").replace("_", " ").capitalize(),
        type=type_,
        field_type="calculation_equation" if calculated else "text",
        read_only=True,
        calculated=calculated,
    )


def _own(name: str, type_: str = "string", field_type: str = "text", **more: Any) -> Property:
    label = name.replace("_", " ").capitalize()
    return Property(name=name, label=label, type=type_, field_type=field_type, custom=True, **more)


def _flag(name: str) -> Property:
    return _own(name, "bool", "booleancheckbox", options=("true", "false"))


_EVERYWHERE = (
    _read_only("hs_object_id", calculated=False),
    _read_only("hs_createdate", "datetime", calculated=False),
    _read_only("hs_merged_object_ids", "string", calculated=False),
    Property(name="createdate", label="Create date", type="datetime", field_type="date"),
)
_OWNER = Property(name="hubspot_owner_id", label="Owner", type="enumeration", field_type="select", owner=True)
_MODIFIED = _read_only("hs_lastmodifieddate", "datetime", calculated=False)
_WHEN = Property(name="hs_timestamp", label="Activity date", type="datetime", field_type="date")
_ENGAGEMENT = (*_EVERYWHERE, _MODIFIED, _OWNER, _WHEN)

# The account's own properties of deals; the world's fields are among them.
OWN_DEAL_PROPERTIES = (
    _own(KEY_PROPERTY, unique=True),
    _own("lead_source"),
    _flag("icp_match"),
    _own("decision_maker"),
    *(_flag(f"bant_{name}") for name in ("budget", "authority", "need", "timeline")),
    _own("handoff_accepted_by"),
    _own("pains", field_type="textarea"),
    _flag("scope_agreed"),
    _own("technical_requirements", field_type="textarea"),
    _own("proposal_link"),
    _own("presented_on", "date", "date"),
    _own("discount", "number", "number"),
    _own("discount_approved_by"),
    _own("objections", field_type="textarea"),
    _own("contract_link"),
    _own("delivery_date", "date", "date"),
    _own("support_channel"),
    _own("customer_owner"),
    _own("industry_tags", "enumeration", "checkbox", options=("food", "steel", "print", "solar")),
)
_DEAL = (
    *_EVERYWHERE,
    _MODIFIED,
    _OWNER,
    Property(name="dealname", label="Deal name"),
    Property(name="dealstage", label="Deal stage", type="enumeration", field_type="radio", options=tuple(STAGES)),
    Property(
        name="pipeline", label="Pipeline", type="enumeration", field_type="select",
        options=tuple(pipeline.id for pipeline in PIPELINES),
    ),
    Property(name="amount", label="Amount", type="number", field_type="number"),
    Property(name=CURRENCY_CODE, label="Currency", type="enumeration", field_type="select", options=CURRENCIES),
    Property(name="closedate", label="Close date", type="datetime", field_type="date"),
    Property(name="closed_lost_reason", label="Closed lost reason", field_type="textarea"),
    Property(name="description", label="Deal description", field_type="textarea"),
    *(
        _read_only(name)
        for name in (
            "amount_in_home_currency", "hs_projected_amount", "hs_deal_stage_probability", "num_associated_contacts",
        )
    ),
    *(_read_only(name, "bool") for name in ("hs_is_closed", "hs_is_closed_won")),
    *(
        _read_only(name, "datetime")
        for name in ("notes_last_contacted", "notes_next_activity_date", "hubspot_owner_assigneddate")
    ),
    *(_read_only(f"hs_v2_date_entered_{stage}", "datetime") for stage in STAGES),
    *OWN_DEAL_PROPERTIES,
)  # fmt: skip
_COMPANY = (
    *_EVERYWHERE,
    _MODIFIED,
    _OWNER,
    Property(name="name", label="Company name"),
    Property(name="domain", label="Company domain name"),
    Property(name="website", label="Website URL"),
)
_CONTACT = (
    *_EVERYWHERE,
    _read_only("lastmodifieddate", "datetime", calculated=False),
    _OWNER,
    Property(name="firstname", label="First name"),
    Property(name="lastname", label="Last name"),
    Property(name="email", label="Email", unique=True),
    Property(name="jobtitle", label="Job title"),
)
_TASK = (
    *_ENGAGEMENT,
    Property(name="hs_task_subject", label="Task title"),
    Property(name="hs_task_body", label="Task notes", field_type="html"),
    Property(
        name="hs_task_status", label="Task status", type="enumeration", field_type="select",
        options=("NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"),
    ),
    Property(
        name="hs_task_priority", label="Priority", type="enumeration", field_type="select",
        options=("LOW", "MEDIUM", "HIGH"),
    ),
    Property(
        name="hs_task_type", label="Task type", type="enumeration", field_type="select",
        options=("TODO", "CALL", "EMAIL"),
    ),
)  # fmt: skip
_NOTE = (
    *_ENGAGEMENT,
    Property(name="hs_note_body", label="Note body", field_type="html"),
    Property(name="hs_attachment_ids", label="Attached file ids"),
)


def _title(name: str, label: str) -> tuple[Property, ...]:
    return (*_ENGAGEMENT, Property(name=name, label=label))


PROPERTIES = MappingProxyType(
    {
        "deals": _DEAL,
        "companies": _COMPANY,
        "contacts": _CONTACT,
        "tasks": _TASK,
        "notes": _NOTE,
        "meetings": _title("hs_meeting_title", "Meeting name"),
        "calls": _title("hs_call_title", "Call title"),
        "emails": _title("hs_email_subject", "Email subject"),
    }
)
# What a read gives when no properties are named.
USUAL_PROPERTIES = MappingProxyType(
    {
        "deals": ("amount", "closedate", "dealname", "dealstage", "pipeline"),
        "companies": ("name", "domain"),
        "contacts": ("firstname", "lastname", "email"),
    }
)
NEEDED = MappingProxyType(
    {
        "deals": ("dealname", "dealstage"),
        **dict.fromkeys(ENGAGEMENTS, ("hs_timestamp",)),
    }
)
# HUBSPOT_DEFINED association types by direction; the first of each pair of types is the unlabelled one.
ASSOCIATIONS = MappingProxyType(
    {
        ("deals", "contacts"): (3,),
        ("contacts", "deals"): (4,),
        ("deals", "companies"): (341, 5),
        ("companies", "deals"): (342, 6),
        ("deals", "notes"): (213,),
        ("notes", "deals"): (214,),
        ("deals", "tasks"): (215,),
        ("tasks", "deals"): (216,),
        ("tasks", "contacts"): (204,),
        ("contacts", "tasks"): (203,),
        ("tasks", "companies"): (192,),
        ("companies", "tasks"): (191,),
        ("notes", "contacts"): (202,),
        ("contacts", "notes"): (201,),
        ("notes", "companies"): (190,),
        ("companies", "notes"): (189,),
        ("deals", "meetings"): (211,),
        ("meetings", "deals"): (212,),
        ("deals", "calls"): (205,),
        ("calls", "deals"): (206,),
        ("deals", "emails"): (209,),
        ("emails", "deals"): (210,),
        ("contacts", "companies"): (279, 1),
        ("companies", "contacts"): (280, 2),
    }
)
PRIMARY_TYPES = frozenset({5, 6, 1, 2})
