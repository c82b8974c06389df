"""Telling an admin how to make a field by hand: crmbridge changes no org's metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType
from crmbridge.ports import FieldWish

_DATA_TYPES: Mapping[FieldType, str] = MappingProxyType(
    {
        FieldType.TEXT: "Text, length 255 (or Text Area (Long) for more)",
        FieldType.NUMBER: "Number, length 16, decimal places 2",
        FieldType.MONEY: "Currency, length 16, decimal places 2",
        FieldType.BOOL: "Picklist with the values Yes and No (a Checkbox can't say that nobody has answered yet)",
        FieldType.DATE: "Date",
        FieldType.DATETIME: "Date/Time",
        FieldType.CHOICE: "Picklist",
        FieldType.CHOICES: "Picklist (Multi-Select)",
        FieldType.USER: "Lookup Relationship to User",
    }
)


_OBJECTS: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {Kind.DEAL: ("Opportunity", "Opportunities"), Kind.COMPANY: ("Account", "Accounts"), Kind.USER: ("User", "Users")}
)


def key_wish(name: str) -> FieldWish:
    """Say what the field for the external key should be like.

    Without Unique, writing by it needs View All Data, and doubles are possible ("sObject Rows by External ID").
    """
    return FieldWish(
        name=name,
        label="crmbridge key",
        type=FieldType.TEXT,
        unique=True,
        why="finds a deal again that crmbridge created, so that none is created twice",
    )


def steps(wish: FieldWish) -> Sequence[str]:
    """Tell how to make a field of deals, accounts or users in Setup, and how to let the integration user see it."""
    name = wish.name.removesuffix("__c")
    one, many = _OBJECTS[wish.on]
    values = f"Values, one per line: {', '.join(wish.options)}." if wish.options else ""
    marks = "Tick Unique (case-insensitive) and External ID." if wish.unique else ""
    data_type = "Text, length 255" if wish.unique else _DATA_TYPES[wish.type]
    if wish.on is not Kind.DEAL:
        data_type = "Number, length 12, decimal places 6 (or Percent, for a share)"
    lines = [
        f"Setup → Object Manager → {one} → Fields & Relationships → New.",
        f"Data type: {data_type}.",
        f"Field Label: {wish.label}. Field Name: {name}, which makes the API name {name}__c.",
        values,
        marks,
        "Field-level security: Visible for the profile of the integration user, and not Read-Only. Save.",
        f"With permission sets instead: Object Settings → {many} → the field → Read Access and Edit Access.",
    ]
    return tuple(line for line in lines if line)
