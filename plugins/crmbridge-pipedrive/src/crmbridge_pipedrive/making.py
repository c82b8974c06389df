"""Making deal fields: a field's wish as Pipedrive's request, and the field that is there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crmbridge.errors import ConfigurationError, RefusedError
from crmbridge.model.changes import Change
from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import FieldWish
from crmbridge_pipedrive.account import find_field
from crmbridge_pipedrive.api import Row
from crmbridge_pipedrive.values import FieldDefinition

LONGEST_NAME = 255
YES_AND_NO = ("Yes", "No")
# Our types as Pipedrive's ("DealFields: Create one deal field"). It has no yes/no field, and none for a time of a day.
NATIVE: Mapping[FieldType, str] = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: "double",
    FieldType.MONEY: "monetary",
    FieldType.BOOL: "enum",
    FieldType.DATE: "date",
    FieldType.DATETIME: "varchar",
    FieldType.CHOICE: "enum",
    FieldType.CHOICES: "set",
    FieldType.USER: "user",
}
IN_WORDS = {
    "text": "Large text",
    "varchar": "Text",
    "double": "Numerical",
    "monetary": "Monetary",
    "enum": "Single option",
    "set": "Multiple options",
    "date": "Date",
    "user": "User",
}


def field_named(known: Iterable[FieldDefinition], name: str, connection: str) -> FieldDefinition | None:
    """Find a field by its code or name; one of several of one name is as good as the others to say it is there."""
    fields = list(known)
    try:
        return find_field(fields, name, connection, what="field", must=False)
    except ConfigurationError:
        return next(field for field in fields if field.label.casefold() == name.strip().casefold())


def field_body(change: Change, key_field: str | None) -> Row:
    """Give the body that makes a field; raises RefusedError for one that Pipedrive can't have.

    Pipedrive names fields by codes of its own making, so a field's name is what people see, and what bindings say.
    """
    wish = change.after
    name = str(wish.get("name") or change.key or "").strip()
    kind = _type(wish.get("type"))
    if not name or len(name) > LONGEST_NAME:
        raise RefusedError(f"{change.connection}: a field's name has 1 to {LONGEST_NAME} characters")
    if wish.get("unique") is True:
        raise RefusedError(f"{change.connection}: the field {name!r} can't be made: Pipedrive keeps no field unique")
    native = "varchar" if name == key_field else NATIVE[kind]
    body: Row = {"field_name": name, "field_type": native}
    label = wish.get("label")
    described = wish.get("on") != Kind.COMPANY  # fields of organizations take no description
    if described and isinstance(label, str) and label and label != name:
        body["description"] = label
    if native in {"enum", "set"}:
        body["options"] = [{"label": option} for option in options_of(kind, wish.get("options"))]
        if not body["options"]:
            raise RefusedError(f"{change.connection}: the field {name!r} needs options to choose from")
    return body


def options_of(kind: FieldType, given: Value) -> tuple[str, ...]:
    """Give the options of a field that has some."""
    if kind is FieldType.BOOL:
        return YES_AND_NO
    return given if isinstance(given, tuple) else ()


def differs(found: FieldDefinition, change: Change) -> str:
    """Say why a field that is there can't serve as the one that is wished for; nothing if it can."""
    wished = _type(change.after.get("type"))
    if found.type is wished or (found.type is FieldType.TEXT and wished is FieldType.DATETIME):
        return ""
    return f"a field named {found.label!r} is there already, and holds {found.type or found.native_type}, not {wished}"


def steps(wish: FieldWish) -> Sequence[str]:
    """Tell an admin how to make a field by hand."""
    kind = IN_WORDS[NATIVE[wish.type]]
    tab = "Organization" if wish.on is Kind.COMPANY else "Lead/deal"
    found = [
        f"Open Pipedrive as an admin: your name at the top right, Company settings, Data fields, tab {tab}.",
        f"Custom field, name: {wish.name}; field type: {kind}.",
    ]
    options = options_of(wish.type, wish.options)
    if options:
        found.append(f"Options, one a line: {', '.join(options)}.")
    return (*found, "Save. Pipedrive keeps no field unique, so nothing else is to be set.")


def _type(value: Value) -> FieldType:
    try:
        return FieldType(str(value))
    except ValueError:
        raise RefusedError(f"{value!r} is no type of field") from None
