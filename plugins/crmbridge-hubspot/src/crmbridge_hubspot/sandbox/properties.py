"""The properties of the sandbox account's object types: HubSpot's own, and those that the account made."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from msgspec import Struct

from crmbridge.model.replacing import replace
from crmbridge_hubspot.sandbox.account import (
    CURRENCIES,
    CURRENCY_CODE,
    ENGAGEMENTS,
    KEY_PROPERTY,
    OBJECT_TYPES,
    PIPELINES,
    STAGES,
)

# The clocks of each stage of deals, one property each; only the last stay counts.
ENTERED, EXITED, LATEST_TIME = "hs_v2_date_entered_", "hs_v2_date_exited_", "hs_v2_latest_time_in_"


class Property(Struct, frozen=True, kw_only=True):
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
    custom: bool = False
    group: str = ""
    description: str = ""
    option_labels: tuple[str, ...] = ()  # as long as `options`, or empty: made from the values

    def as_json(self) -> dict[str, Any]:
        """Give it as the properties call does."""
        labels = self.option_labels or tuple(option.replace("_", " ").capitalize() for option in self.options)
        options = [
            {"label": label, "value": option, "displayOrder": n, "hidden": False}
            for n, (label, option) in enumerate(zip(labels, self.options, strict=True))
        ]
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
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


def _choice(name: str, label: str, *options: str) -> Property:
    return Property(name=name, label=label, type="enumeration", field_type="select", options=options)


def _flag(name: str) -> Property:
    return _own(name, "bool", "booleancheckbox", options=("true", "false"))


_EVERYWHERE = (
    _read_only("hs_object_id", calculated=False),
    _read_only("hs_createdate", "datetime", calculated=False),
    _read_only("hs_merged_object_ids", "string", calculated=False),
    _read_only("hs_updated_by_user_id", calculated=False),
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
    *(_read_only(f"{prefix}{stage}", "datetime") for stage in STAGES for prefix in (ENTERED, EXITED)),
    *(_read_only(f"{LATEST_TIME}{stage}") for stage in STAGES),
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
    _choice("hs_task_status", "Task status", "NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"),
    _choice("hs_task_priority", "Priority", "LOW", "MEDIUM", "HIGH"),
    _choice("hs_task_type", "Task type", "TODO", "CALL", "EMAIL"),
    Property(name="hs_task_completion_date", label="Completed at", type="datetime", field_type="date"),
)
_NOTE = (
    *_ENGAGEMENT,
    Property(name="hs_note_body", label="Note body", field_type="html"),
    Property(name="hs_attachment_ids", label="Attached file ids"),
)


_CALL = (
    *_ENGAGEMENT,
    Property(name="hs_call_title", label="Call title"),
    Property(name="hs_call_body", label="Call notes", field_type="html"),
    Property(name="hs_call_duration", label="Call duration", type="number", field_type="number"),
    _choice("hs_call_direction", "Call direction", "INBOUND", "OUTBOUND"),
    _choice("hs_call_status", "Call status", "BUSY", "COMPLETED", "FAILED", "NO_ANSWER", "QUEUED", "SCHEDULED"),
)
_EMAIL = (
    *_ENGAGEMENT,
    Property(name="hs_attachment_ids", label="Attached file ids"),
    Property(name="hs_email_subject", label="Email subject"),
    Property(name="hs_email_text", label="Text body", field_type="textarea"),
    _choice("hs_email_direction", "Email direction", "EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL"),
    _choice("hs_email_status", "Email send status", "BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT"),
)
_MEETING = (
    *_ENGAGEMENT,
    Property(name="hs_meeting_title", label="Meeting name"),
    Property(name="hs_meeting_body", label="Meeting description", field_type="html"),
    Property(name="hs_meeting_start_time", label="Meeting start time", type="datetime", field_type="date"),
    Property(name="hs_meeting_end_time", label="Meeting end time", type="datetime", field_type="date"),
    _choice("hs_meeting_outcome", "Meeting outcome", "SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"),
)
GROUPS = MappingProxyType(
    {
        kind.name: {
            f"{kind.singular}information" if kind.name not in ENGAGEMENTS else "engagement": (
                f"{kind.singular.capitalize()} information"
            )
        }
        for kind in OBJECT_TYPES
    }
)


def _grouped(name: str, properties: tuple[Property, ...]) -> tuple[Property, ...]:
    return tuple(replace(prop, group=next(iter(GROUPS[name]))) for prop in properties)


PROPERTIES = MappingProxyType(
    {
        name: _grouped(name, properties)
        for name, properties in {
            "deals": _DEAL,
            "companies": _COMPANY,
            "contacts": _CONTACT,
            "tasks": _TASK,
            "notes": _NOTE,
            "meetings": _MEETING,
            "calls": _CALL,
            "emails": _EMAIL,
        }.items()
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
