"""What a program on a database says of its own models."""

from __future__ import annotations

from crmbridge.adapting import flat, native_fields
from crmbridge.model.values import FieldType


def test_fields_are_read_with_their_types() -> None:
    """One of a type that crmbridge does not read is there without."""
    asked = {
        "amount": {"string": "Amount", "type": "numeric", "readonly": False},
        "party": {"string": "Party", "type": "many2one", "readonly": True},
    }
    fields = native_fields(asked)

    assert ["amount", "party"] == [field.name for field in fields.values()]
    assert [(FieldType.NUMBER, True, "Amount"), (None, False, "Party")] == [
        (field.type, field.writable, field.label) for field in fields.values()
    ]


def test_what_was_read_through_a_link_stands_under_its_whole_name() -> None:
    """A link that leads nowhere gives nothing."""
    row = {"id": 1, "party.": {"id": 7, "email": "a@b"}, "contact.": None}

    assert {**row, "party.id": 7, "party.email": "a@b"} == flat(row)
