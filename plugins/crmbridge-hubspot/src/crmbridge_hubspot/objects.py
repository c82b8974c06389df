"""HubSpot's object types: which kind of record each holds, and how it is called and asked for."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType

LINKED = ("company", "contacts")  # fields that HubSpot keeps as associations


class Bound(NamedTuple):
    """A canonical field, the property that holds it, and its type."""

    name: str
    native: str
    type: FieldType


class ObjectType(NamedTuple):
    """One object type. Ids are unique within it only, so a kind made of several prefixes them."""

    kind: Kind
    name: str  # in paths
    linked: tuple[str, ...] = ()  # the object types whose links are read with it
    prefix: str = ""
    modified: str = "hs_lastmodifieddate"  # the property with the modification time
    type_id: str = ""  # in the address of a record's page
    only: str = ""  # the property that all records of interest have, where most of a type are of none

    def ref(self, connection: str, record_id: object) -> Ref:
        """Name a record. HubSpot sends some ids as numbers; here they are text."""
        return Ref(connection, self.kind, f"{self.prefix}{record_id}")


DEALS = ObjectType(Kind.DEAL, "deals", ("companies", "contacts"), type_id="0-3")
COMPANIES = ObjectType(Kind.COMPANY, "companies", type_id="0-2")
# Contacts alone have another name for the modification time ("Search the CRM").
CONTACTS = ObjectType(Kind.CONTACT, "contacts", ("companies",), modified="lastmodifieddate", type_id="0-1")
_AROUND = ("deals", "companies", "contacts")
NOTES = ObjectType(Kind.NOTE, "notes", _AROUND)
ATTACHED = "hs_attachment_ids"  # of a note or an e-mail: the files that hang on it ("Notes", "Emails")
HOLDERS = (
    ObjectType(Kind.FILE, "notes", ("deals",), "note-", only=ATTACHED),
    ObjectType(Kind.FILE, "emails", ("deals",), "email-", only=ATTACHED),
)
ACTIVITIES = (
    ObjectType(Kind.ACTIVITY, "calls", _AROUND, "call-"),
    ObjectType(Kind.ACTIVITY, "emails", _AROUND, "email-"),
    ObjectType(Kind.ACTIVITY, "meetings", _AROUND, "meeting-"),
    ObjectType(Kind.ACTIVITY, "tasks", _AROUND, "task-"),
)
TYPES = MappingProxyType(
    {
        Kind.DEAL: (DEALS,),
        Kind.COMPANY: (COMPANIES,),
        Kind.CONTACT: (CONTACTS,),
        Kind.ACTIVITY: ACTIVITIES,
        Kind.NOTE: (NOTES,),
        Kind.FILE: HOLDERS,
    }
)


def by_type(kind: Kind, ids: list[str]) -> dict[ObjectType, list[str]]:
    """Sort a kind's ids by object type, each as HubSpot knows it; ids of no type are left out."""
    found = {each: [i.removeprefix(each.prefix) for i in ids if i.startswith(each.prefix)] for each in TYPES[kind]}
    return {each: known for each, known in found.items() if known}
