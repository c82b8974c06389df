"""Makes properties of deals and companies, or tells an admin how to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from crmbridge.adapting import one_by_one
from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType
from crmbridge.ports import FieldWish, NativeField
from crmbridge_hubspot.account import native_field
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.replies import NotAllowedError
from crmbridge_hubspot.setup import SetUp

# HubSpot's own groups of properties, and what its screens call the object.
GROUPS = MappingProxyType({Kind.DEAL: ("dealinformation", "Deal"), Kind.COMPANY: ("companyinformation", "Company")})


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


def find_property(api: HubSpotApi, setup: SetUp, connection: str, key: str) -> Ref | None:
    """Find a property of deals by the name of its field, or one of companies by that with `company:` before it."""
    on, _, name = key.rpartition(":")
    name = property_name(name)
    if on == Kind.COMPANY:
        there = name in properties_of(api, Kind.COMPANY)
    else:
        there = not on and name in setup.terms(afresh=True).account.fields
    return Ref(connection, Kind.FIELD, name) if there else None


def make_fields(api: HubSpotApi, connection: str, changes: Sequence[Change]) -> list[Receipt]:
    """Make the properties that changes ask for; one receipt each, in order. What is there stays as it is."""
    there = {on: properties_of(api, on) for on in sorted({_on(change) for change in changes})}
    receipts: list[Receipt] = []
    for change, made in one_by_one(changes, lambda change: _made(api, change, there[_on(change)])):
        if isinstance(made, CrmbridgeError) and not receipts:
            raise made
        outcome, message = (Outcome.FAILED, made.message) if isinstance(made, CrmbridgeError) else made
        ref = Ref(connection, Kind.FIELD, _name(change)) if outcome is Outcome.APPLIED else None
        receipts.append(Receipt(change=change.id, outcome=outcome, message=message, ref=ref))
    return receipts


def _made(api: HubSpotApi, change: Change, there: Mapping[str, NativeField]) -> tuple[Outcome, str]:
    body = _body(change)
    known = there.get(body["name"])
    if known is None:
        return _make(api, path_of(api, _on(change)), body)
    if known.unique or not body.get("hasUniqueValue"):
        return Outcome.APPLIED, "it was there already"
    # This can't be changed afterwards.
    return Outcome.REFUSED, "the account has this property, and its values need not be unique"


def path_of(api: HubSpotApi, on: Kind) -> str:
    """Give where the properties of deals or companies are."""
    return api.paths.company_properties if on is Kind.COMPANY else api.paths.properties


def properties_of(api: HubSpotApi, on: Kind) -> dict[str, NativeField]:
    """Read the properties that deals or companies have now, by name."""
    return {str(each["name"]): native_field(each) for page in api.listed(path_of(api, on)) for each in page}


def _on(change: Change) -> Kind:
    return Kind(str(change.after.get("on") or Kind.DEAL))


def _make(api: HubSpotApi, path: str, body: dict[str, Any]) -> tuple[Outcome, str]:
    try:
        api.write(path, body)
    except UnclearError as error:
        return Outcome.UNKNOWN, error.message
    except RefusedError as error:
        return Outcome.REFUSED, error.message
    except NotAllowedError as error:  # people who may do it do it by hand
        return Outcome.REFUSED, f"{error.message} {error.advice}"
    return Outcome.APPLIED, ""


def _name(change: Change) -> str:
    return property_name(str(change.after.get("name") or change.key))


def _body(change: Change) -> dict[str, Any]:
    after = change.after
    name, type_ = str(after.get("name") or change.key), FieldType(str(after.get("type") or FieldType.TEXT))
    form, options = FORMS[type_], after.get("options")
    body: dict[str, Any] = {
        "name": _name(change),
        "label": str(after.get("label") or name),
        "groupName": GROUPS[_on(change)][0],
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
    what = GROUPS[wish.on][1]
    lines = [
        f"Settings > Properties > {what} properties > Create property.",
        f"Label {wish.label!r}, internal name {property_name(wish.name)!r} (behind </>), group {what} information.",
        f"Field type {FORMS[wish.type].screen}.",
    ]
    if wish.options:
        lines.append(f"Options, label and internal name alike: {', '.join(wish.options)}.")
    if wish.unique:
        lines.append("Under Rules: Require unique values for this property. This can't be changed afterwards.")
    return lines
