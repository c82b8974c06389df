"""Canonical records: what an adapter hands over, whichever CRM it came from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct, field

from crmbridge.model.values import FieldType, Value, folded


class Kind(StrEnum):
    """What a record, or the thing a change writes, is."""

    USER = "user"
    COMPANY = "company"
    CONTACT = "contact"
    DEAL = "deal"
    ACTIVITY = "activity"  # a call, meeting, e-mail or task, as it is pulled
    NOTE = "note"
    TASK = "task"  # a task that we write
    FILE = "file"  # one that hangs on deals: what is told of it, never what stands in it
    FIELD = "field"  # a field that `connections setup` makes
    FIGURE = "figure"  # a row with one figure of a report, where a CRM has a place for such


class Status(StrEnum):
    """Whether a deal is still being sold."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Ref(NamedTuple):
    """The name of one record in one CRM. The id is the CRM's own, as text, and opaque."""

    connection: str
    kind: Kind
    id: str

    def __str__(self) -> str:
        """Show it as people type it: connection:id for deals, connection:kind:id for the rest."""
        middle = "" if self.kind is Kind.DEAL else f"{self.kind}:"
        return f"{self.connection}:{middle}{self.id}"


class Position(NamedTuple):
    """Where a deal stands in one CRM. Pipeline and stage are the CRM's ids; labels play no part."""

    pipeline: str
    stage: str
    status: Status


# The fields every adapter fills in under these names where the CRM has them. A company's own fields come beside
# them under the names its process declares. Users, companies and contacts are named by their id in the same CRM.
STANDARD_FIELDS: Mapping[Kind, Mapping[str, FieldType]] = MappingProxyType(
    {
        Kind.USER: {"name": FieldType.TEXT, "email": FieldType.TEXT, "active": FieldType.BOOL},
        Kind.COMPANY: {"name": FieldType.TEXT, "domain": FieldType.TEXT},
        Kind.CONTACT: {
            "name": FieldType.TEXT,
            "email": FieldType.TEXT,
            "title": FieldType.TEXT,
            "company": FieldType.TEXT,
        },
        Kind.ACTIVITY: {
            "type": FieldType.TEXT,  # call, meeting, email or task; the CRM's own word for any other
            "subject": FieldType.TEXT,
            "done": FieldType.BOOL,
            "at": FieldType.DATETIME,  # when it happened, or when it is due
            "owner": FieldType.USER,
            "deals": FieldType.CHOICES,  # ids of the deals it hangs on
            "company": FieldType.TEXT,
            "contacts": FieldType.CHOICES,
        },
        Kind.NOTE: {
            "body": FieldType.TEXT,  # plain text, whatever markup the CRM keeps
            "at": FieldType.DATETIME,
            "owner": FieldType.USER,
            "deals": FieldType.CHOICES,
            "company": FieldType.TEXT,
            "contacts": FieldType.CHOICES,
        },
        Kind.FILE: {
            "name": FieldType.TEXT,  # with its extension, as people see it
            "type": FieldType.TEXT,  # its extension in small letters, such as pdf
            "size": FieldType.NUMBER,  # in bytes
            "at": FieldType.DATETIME,  # when it was added
            "owner": FieldType.USER,  # who added it
            "deals": FieldType.CHOICES,
        },
        Kind.DEAL: {
            "name": FieldType.TEXT,
            "amount": FieldType.MONEY,
            "close_date": FieldType.DATE,
            "owner": FieldType.USER,
            "company": FieldType.TEXT,
            "contacts": FieldType.CHOICES,
            "source": FieldType.TEXT,
            "lost_reason": FieldType.TEXT,
            "activities": FieldType.NUMBER,  # all activities on the deal, whatever their state
            "activities_done": FieldType.NUMBER,
            "activities_open": FieldType.NUMBER,
            "last_activity_at": FieldType.DATETIME,
            "next_activity_at": FieldType.DATETIME,
        },
    }
)


_NONE = frozenset[str]()


class Problem(Struct, frozen=True):
    """A value in a record that could not be read; the record is kept without it."""

    path: str  # the CRM's own field name
    message: str
    field: str = ""  # crmbridge's name of the field that is left out for it; nothing where none is


class Record(Struct, frozen=True, kw_only=True):
    """One user, company, contact, deal, activity, note or file as its CRM holds it now.

    `version` is opaque and differs whenever the CRM's copy may have changed. `position` is set on deals only.
    `key` is the external key, where the account has a field for it and it is filled in.
    """

    ref: Ref
    fields: Mapping[str, Value]
    version: str
    created_at: datetime | None = None
    updated_at: datetime
    position: Position | None = None
    key: str | None = None
    url: str | None = None
    updated_by: str | None = None  # the CRM's id of the user who changed it last, where it says
    problems: tuple[Problem, ...] = field(default=())

    @property
    def unreadable(self) -> frozenset[str]:
        """The fields that could not be read. They are missing from `fields`, and not empty."""
        return frozenset([each.field for each in self.problems if each.field]) if self.problems else _NONE

    @property
    def natural_key(self) -> str | None:
        """What a company or contact is found by."""
        return natural_key(self.ref.kind, self.fields)


class Move(Struct, frozen=True, kw_only=True):
    """A deal's change of position. The first one of a deal has no `before`: it is the deal being created.

    `id` is unique within the deal and the same each time the move is pulled, so a repeated page adds nothing.
    """

    deal: Ref
    id: str
    at: datetime
    before: Position | None
    after: Position
    by: str | None = None  # the CRM's user id


class Edit(Struct, frozen=True, kw_only=True):
    """A field of a deal that was found to hold another value than before.

    The value before held at `since`, when the copy that had it was last changed; the one after held at `at`, when the
    copy that has it was last changed. In between it is not known which. The field `stage` stands for the position.
    """

    field: str
    since: datetime
    at: datetime
    before: Value
    after: Value


# In the base of a deal, where no field is named so: it was gone, and is there again. The state sets it with the record
# that takes the tombstone's place; who looks at the deal's link takes it away.
BACK = "@back"


class Tombstone(Struct, frozen=True, kw_only=True):
    """A record that is gone from its CRM: deleted, archived, or merged into another."""

    ref: Ref
    at: datetime
    merged_into: Ref | None = None


class Signature(NamedTuple):
    """What a record is compared by under one rule of matching: records of equal signatures may be the same thing."""

    rule: str
    text: str


KNOWN_BY: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.COMPANY: ("domain", "name"), Kind.CONTACT: ("email",)}


def natural_key(kind: Kind, fields: Mapping[str, Value]) -> str | None:
    """Give what a company or contact is found by, as it has no external key; None for one with nothing of its own.

    A company with a domain is not known by its name. Case and spaces are evened out, so that keys of the same thing are
    equal.
    """
    found = ((name, folded(fields.get(name))) for name in KNOWN_BY.get(kind, ()))
    return next((f"{name}:{text}" for name, text in found if text), None)
