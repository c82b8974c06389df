"""Turns HubSpot's records into canonical ones: which property is which field, and what hangs on a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from crmbridge.model.records import Kind, Position, Problem, Record, Ref, Status, Tombstone
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import AdapterContext
from crmbridge_hubspot.account import CURRENCY_PROPERTY, Account
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.values import Codec, moment

OBJECTS = MappingProxyType({Kind.DEAL: "deals", Kind.COMPANY: "companies", Kind.CONTACT: "contacts"})
TYPE_IDS = MappingProxyType({Kind.DEAL: "0-3", Kind.COMPANY: "0-2", Kind.CONTACT: "0-1"})
# Contacts alone have another name for the modification time ("Search the CRM").
MODIFIED = MappingProxyType(
    {Kind.DEAL: "hs_lastmodifieddate", Kind.COMPANY: "hs_lastmodifieddate", Kind.CONTACT: "lastmodifieddate"}
)
SYSTEM = ("hs_createdate", "hs_merged_object_ids")
DEAL_SYSTEM = ("pipeline", "dealstage", "hs_is_closed", "hs_is_closed_won", CURRENCY_PROPERTY)
DEFAULT_KEY_FIELD = "crmbridge_key"
CONTACT_NAME = ("firstname", "lastname")


class Bound(NamedTuple):
    """A canonical field, the property that holds it, and its type."""

    name: str
    native: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class Links:
    """What hangs on the records of a page, by record id: fields that HubSpot keeps as associations."""

    fields: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def of(self, record_id: str) -> Mapping[str, Value]:
        """Give the linked fields of one record."""
        return self.fields.get(record_id, {})


class Words:
    """The names of one connection: its fields, the properties that hold them, and the key property."""

    def __init__(self, settings: HubSpotSettings, context: AdapterContext) -> None:
        self.connection = context.connection
        self.key_field = settings.key_field or DEFAULT_KEY_FIELD
        deal = [
            Bound("name", "dealname", FieldType.TEXT),
            Bound("amount", "amount", FieldType.MONEY),
            Bound("close_date", "closedate", FieldType.DATE),
            Bound("owner", "hubspot_owner_id", FieldType.USER),
            Bound("source", settings.source_field, FieldType.TEXT),
            Bound("lost_reason", settings.lost_reason_field, FieldType.TEXT),
            Bound("last_activity_at", "notes_last_contacted", FieldType.DATETIME),
            Bound("next_activity_at", "notes_next_activity_date", FieldType.DATETIME),
        ]
        # What the settings say of a field wins over the usual property.
        named = {bound.name: bound for bound in deal}
        named |= {each.name: Bound(each.name, each.native, each.type) for each in context.fields}
        self._fields: Mapping[Kind, tuple[Bound, ...]] = {
            Kind.DEAL: tuple(named.values()),
            Kind.COMPANY: (Bound("name", "name", FieldType.TEXT), Bound("domain", "domain", FieldType.TEXT)),
            Kind.CONTACT: (Bound("email", "email", FieldType.TEXT), Bound("title", "jobtitle", FieldType.TEXT)),
        }

    def fields(self, kind: Kind) -> tuple[Bound, ...]:
        """Give the fields of a kind."""
        return self._fields[kind]

    def native(self, name: str) -> str | None:
        """Give the property that holds a deal's field, or None when none does."""
        return next((bound.native for bound in self._fields[Kind.DEAL] if bound.name == name), None)

    def properties(self, kind: Kind) -> list[str]:
        """List the properties to ask for, each once."""
        more = {Kind.DEAL: (*DEAL_SYSTEM, self.key_field), Kind.CONTACT: CONTACT_NAME}.get(kind, ())
        natives = (bound.native for bound in self._fields[kind])
        return list(dict.fromkeys([*natives, *more, *SYSTEM, MODIFIED[kind]]))

    def ref(self, kind: Kind, record_id: object) -> Ref:
        """Name a record. HubSpot sends some ids as numbers; here they are text."""
        return Ref(self.connection, kind, str(record_id))


class Terms(NamedTuple):
    """What a record is read with: the connection's names, the account's set-up, the account's forms of values."""

    words: Words
    account: Account
    codec: Codec


def to_record(kind: Kind, raw: Mapping[str, Any], links: Links, terms: Terms) -> Record:
    """Read a deal, company or contact. What can't be read becomes a problem, and the record is kept."""
    words, account, codec = terms
    properties: Mapping[str, str | None] = raw["properties"]
    problems: list[Problem] = []
    currency = properties.get(CURRENCY_PROPERTY)
    fields: dict[str, Value] = {}
    for bound in words.fields(kind):
        try:
            value = codec.decode(properties.get(bound.native), bound.type, currency)
        except ValueError as error:
            problems.append(Problem(bound.native, str(error)))
        else:
            if value is not None:
                fields[bound.name] = value
    if kind is Kind.CONTACT:
        fields |= _contact_name(properties)
    fields |= links.of(str(raw["id"]))
    position = _position(properties, account, problems) if kind is Kind.DEAL else None
    stamp = _modified(kind, raw)
    return Record(
        ref=words.ref(kind, raw["id"]),
        fields=fields,
        version=stamp,
        created_at=moment(str(properties.get("hs_createdate") or raw["createdAt"])),
        updated_at=moment(stamp),
        position=position,
        key=(properties.get(words.key_field) or None) if kind is Kind.DEAL else None,
        url=str(raw.get("url") or "") or _url(kind, raw["id"], account),
        problems=tuple(problems),
    )


def _modified(kind: Kind, raw: Mapping[str, Any]) -> str:
    return str(raw["properties"].get(MODIFIED[kind]) or raw["updatedAt"])


def _contact_name(properties: Mapping[str, str | None]) -> dict[str, Value]:
    name = " ".join(filter(None, (properties.get(part) for part in CONTACT_NAME)))
    return {"name": name} if name else {}


def _position(properties: Mapping[str, str | None], account: Account, problems: list[Problem]) -> Position | None:
    pipeline, stage = properties.get("pipeline") or "", properties.get("dealstage") or ""
    if not stage:
        problems.append(Problem("dealstage", "the deal has no stage"))
        return None
    status = account.status(pipeline, stage)
    if status is None:
        problems.append(Problem("dealstage", f"the pipeline {pipeline!r} has no stage {stage!r}"))
        closed, won = (properties.get(name) == "true" for name in ("hs_is_closed", "hs_is_closed_won"))
        status = Status.WON if won else (Status.LOST if closed else Status.OPEN)
    return Position(pipeline, stage, status)


def _url(kind: Kind, record_id: object, account: Account) -> str | None:
    if not account.portal:
        return None
    return f"https://{account.ui_domain}/contacts/{account.portal}/record/{TYPE_IDS[kind]}/{record_id}"


def to_user(owner: Mapping[str, Any], words: Words) -> Record:
    """Read an owner. Its `id` is what deals are owned by; `userId` is another number ("Owners" guide)."""
    name = " ".join(filter(None, (owner.get("firstName"), owner.get("lastName"))))
    stamp = str(owner.get("updatedAt") or owner.get("createdAt") or "1970-01-01T00:00:00Z")
    values = {"name": name or None, "email": owner.get("email") or None}
    fields: dict[str, Value] = {each: value for each, value in values.items() if value is not None}
    return Record(
        ref=words.ref(Kind.USER, owner["id"]),
        fields={**fields, "active": not owner.get("archived")},
        version=stamp,
        created_at=moment(str(owner["createdAt"])) if owner.get("createdAt") else None,
        updated_at=moment(stamp),
    )


def merged_away(kind: Kind, raw: Mapping[str, Any], words: Words) -> Iterator[Tombstone]:
    """Give the records that were merged into this one, as it lists them."""
    losers = raw["properties"].get("hs_merged_object_ids") or ""
    winner = words.ref(kind, raw["id"])
    for loser in filter(None, losers.split(";")):
        if loser != winner.id:
            at = moment(_modified(kind, raw))
            yield Tombstone(ref=words.ref(kind, loser), at=at, merged_into=winner)


def archived(kind: Kind, raw: Mapping[str, Any], words: Words) -> Tombstone:
    """Read an archived record as a tombstone."""
    at = moment(str(raw.get("archivedAt") or raw["updatedAt"]))
    return Tombstone(ref=words.ref(kind, raw["id"]), at=at)
