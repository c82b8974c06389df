"""Makes deal properties, or tells an admin how to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from crmbridge.errors import RefusedError, UnclearError
from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType
from crmbridge.ports import FieldWish
from crmbridge_hubspot.account import native_field
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.replies import NotAllowedError

GROUP = "dealinformation"  # HubSpot's own group of deal properties


class Form(NamedTuple):
    """What HubSpot calls a type: in its API, and on its screens."""

    type: str
    field_type: str
    screen: str


FORMS = MappingProxyType(
    {
        FieldType.TEXT: Form("string", "text", "Single-line text"),
        FieldType.NUMBER: Form("number", "number", "Number"),
        FieldType.MONEY: Form("number", "number", "Number (currency)"),
        FieldType.BOOL: Form("bool", "booleancheckbox", "Single checkbox"),
        FieldType.DATE: Form("date", "date", "Date picker"),
        FieldType.DATETIME: Form("datetime", "date", "Date and time picker"),
        FieldType.CHOICE: Form("enumeration", "select", "Dropdown select"),
        FieldType.CHOICES: Form("enumeration", "checkbox", "Multiple checkboxes"),
        FieldType.USER: Form("enumeration", "select", "HubSpot user"),
    }
)
FLAGS = (("true", "Yes"), ("false", "No"))


def property_name(name: str) -> str:
    """Give the name of a property for a field: lower case, digits and underscores ("Properties" guide)."""
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")


def make_fields(api: HubSpotApi, connection: str, changes: Sequence[Change]) -> list[Receipt]:
    """Make the deal properties that changes ask for; one receipt each, in order. What is there stays as it is."""
    there = {str(each["name"]): native_field(each) for page in api.listed(api.paths.properties) for each in page}
    receipts = []
    for change in changes:
        body = _body(change)
        ref = Ref(connection, Kind.FIELD, body["name"])
        known = there.get(body["name"])
        if known is None:
            outcome, message = _make(api, body)
        elif known.unique or not body.get("hasUniqueValue"):
            outcome, message = Outcome.APPLIED, "it was there already"
        else:  # this can't be changed afterwards
            outcome, message = Outcome.REFUSED, "the account has this property, and its values need not be unique"
        receipts.append(
            Receipt(
                change=change.id,
                outcome=outcome,
                message=message,
                ref=ref if outcome is Outcome.APPLIED else None,
            )
        )
    return receipts


def _make(api: HubSpotApi, body: dict[str, Any]) -> tuple[Outcome, str]:
    try:
        api.write(api.paths.properties, body)
    except UnclearError as error:
        return Outcome.UNKNOWN, error.message
    except RefusedError as error:
        return Outcome.REFUSED, error.message
    except NotAllowedError as error:  # people who may do it do it by hand
        return Outcome.REFUSED, f"{error.message} {error.advice}"
    return Outcome.APPLIED, ""


def _body(change: Change) -> dict[str, Any]:
    after = change.after
    name, type_ = str(after.get("name") or change.key), FieldType(str(after.get("type") or FieldType.TEXT))
    form, options = FORMS[type_], after.get("options")
    body: dict[str, Any] = {
        "name": property_name(name),
        "label": str(after.get("label") or name),
        "groupName": GROUP,
        "type": form.type,
        "fieldType": form.field_type,
    }
    choices = (
        FLAGS if type_ is FieldType.BOOL else [(each, each) for each in options] if isinstance(options, tuple) else []
    )
    if choices:
        body["options"] = [
            {"value": value, "label": label, "displayOrder": number, "hidden": False}
            for number, (value, label) in enumerate(choices)
        ]
    if type_ is FieldType.USER:
        body |= {"externalOptions": True, "referencedObjectType": "OWNER"}
    if after.get("unique"):
        body["hasUniqueValue"] = True
    return body


def steps(wish: FieldWish) -> Sequence[str]:
    """Tell an admin how to make a field on HubSpot's screens, for a token without `crm.schemas.deals.write`."""
    lines = [
        "Settings > Properties > Deal properties > Create property.",
        f"Label {wish.label!r}, internal name {property_name(wish.name)!r} (behind </>), group Deal information.",
        f"Field type {FORMS[wish.type].screen}.",
    ]
    if wish.options:
        lines.append(f"Options, label and internal name alike: {', '.join(wish.options)}.")
    if wish.unique:
        lines.append("Under Rules: Require unique values for this property. This can't be changed afterwards.")
    return lines
