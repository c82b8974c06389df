"""Reading what a program on a database says of its own models, as the free ERPs do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmbridge.model.values import FieldType
from crmbridge.ports import NativeField

# What they call the types of their fields, and what those are here.
TYPES: Mapping[str, FieldType] = {
    **dict.fromkeys(("char", "text"), FieldType.TEXT),
    **dict.fromkeys(("numeric", "float", "integer"), FieldType.NUMBER),
    **dict.fromkeys(("datetime", "timestamp"), FieldType.DATETIME),
    "boolean": FieldType.BOOL,
    "date": FieldType.DATE,
    "selection": FieldType.CHOICE,
    "multiselection": FieldType.CHOICES,
}


def native_fields(asked: Mapping[str, Mapping[str, Any]]) -> dict[str, NativeField]:
    """Read the answer of `fields_get`, by the names of the fields; the type of what crmbridge does not read is None."""
    return {
        name: NativeField(
            name=name, label=about["string"], type=TYPES.get(about["type"]), writable=not about.get("readonly")
        )
        for name, about in asked.items()
    }


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Put what was read through a link, which stands in an object of its own, beside the rest under its whole name.

    `{"party.": {"email": ...}}` is `party.email`.
    """
    linked = {name: of for name, of in row.items() if name.endswith(".") and of}
    return {**row, **{f"{name}{own}": value for name, of in linked.items() for own, value in of.items()}}
