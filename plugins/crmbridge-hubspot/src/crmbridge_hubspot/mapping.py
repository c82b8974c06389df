"""Turns HubSpot's records into canonical ones: which property is which field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind, Position, Problem, Record, Ref, Status, Tombstone
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import AdapterContext, FieldBinding
from crmbridge_hubspot.account import CURRENCY_PROPERTY, Account
from crmbridge_hubspot.activities import ACTIVITY_BOUND, ACTIVITY_SYSTEM, activity_fields
from crmbridge_hubspot.objects import DEALS, TYPES, Bound, ObjectType
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.values import Codec, Decoder, moment

SYSTEM = ("hs_createdate", "hs_merged_object_ids")
DEAL_SYSTEM = ("pipeline", "dealstage", "hs_is_closed", "hs_is_closed_won", CURRENCY_PROPERTY)
DEFAULT_KEY_FIELD = "crmbridge_key"
CONTACT_NAME = ("firstname", "lastname")
COMPANY_BOUND = (Bound("name", "name", FieldType.TEXT), Bound("domain", "domain", FieldType.TEXT))
CONTACT_BOUND = (Bound("email", "email", FieldType.TEXT), Bound("title", "jobtitle", FieldType.TEXT))
Raw = Mapping[str, Any]


class Words:
    """The names of one connection: its fields, the properties that hold them, and the key property."""

    def __init__(self, settings: HubSpotSettings, context: AdapterContext, account: Account) -> None:
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
        named |= {each.name: Bound(each.name, _property(each, account), each.type) for each in context.fields}
        self._deal = tuple(named.values())

    def fields(self, type_: ObjectType) -> tuple[Bound, ...]:
        """Give the fields that an object type holds as properties."""
        usual = {Kind.DEAL: self._deal, Kind.COMPANY: COMPANY_BOUND, Kind.CONTACT: CONTACT_BOUND}
        return usual.get(type_.kind) or ACTIVITY_BOUND

    def native(self, name: str) -> str | None:
        """Give the property that holds a deal's field, or None when none does."""
        return next((bound.native for bound in self._deal if bound.name == name), None)

    def properties(self, type_: ObjectType) -> list[str]:
        """List the properties to ask for, each once."""
        more: Mapping[Kind, Sequence[str]] = {Kind.DEAL: (*DEAL_SYSTEM, self.key_field), Kind.CONTACT: CONTACT_NAME}
        natives = (bound.native for bound in self.fields(type_))
        own = more.get(type_.kind, ACTIVITY_SYSTEM.get(type_.name, ()))
        return list(dict.fromkeys([*natives, *own, *SYSTEM, type_.modified]))

    def ref(self, kind: Kind, record_id: object) -> Ref:
        """Name a record of a kind that is one object type, or a user."""
        return (
            TYPES[kind][0].ref(self.connection, record_id)
            if kind in TYPES
            else Ref(self.connection, kind, str(record_id))
        )


def _property(bound: FieldBinding, account: Account) -> str:
    """Give the property that a binding means: by its name, else by the label that people see."""
    if bound.native in account.fields:
        return bound.native
    found = [field.name for field in account.fields.values() if field.label == bound.native]
    if len(found) > 1:
        raise ConfigurationError(
            f"several deal properties have the label {bound.native!r}: {', '.join(sorted(found))}",
            advice=f"Bind {bound.name} to one of them by its name.",
        )
    return found[0] if found else bound.native


class Terms(NamedTuple):
    """What a record is read with: the connection's names, the account's set-up, the account's forms of values."""

    words: Words
    account: Account
    codec: Codec


class _Typed(NamedTuple):
    name: str
    native: str
    decode: Decoder


@dataclass(frozen=True, slots=True)
class _Plan:
    """The fields of an object type, by how their text becomes a value: settled once, not for each record."""

    plain: tuple[tuple[str, str], ...]
    typed: tuple[_Typed, ...]
    money: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, bounds: Sequence[Bound], codec: Codec) -> _Plan:
        """Sort the fields."""
        money = tuple((each.name, each.native) for each in bounds if each.type is FieldType.MONEY)
        rest = [(each, codec.decoder(each.type)) for each in bounds if each.type is not FieldType.MONEY]
        return cls(
            plain=tuple((each.name, each.native) for each, decode in rest if decode is None),
            typed=tuple(_Typed(each.name, each.native, decode) for each, decode in rest if decode is not None),
            money=money,
        )


class Mapper:
    """Reads the records of one object type."""

    def __init__(self, type_: ObjectType, terms: Terms) -> None:
        self._type = type_
        self._terms = terms
        self._plan = _Plan.of(terms.words.fields(type_), terms.codec)
        account = terms.account
        self._page = f"https://{account.ui_domain}/contacts/{account.portal}/record/{type_.type_id}/"
        self._has_page = bool(account.portal and type_.type_id)

    def record(self, raw: Raw, linked: Mapping[str, Value], now: datetime) -> Record:
        """Read a record. What can't be read becomes a problem, and the record is kept."""
        type_, words = self._type, self._terms.words
        properties: Mapping[str, str | None] = raw["properties"]
        problems: list[Problem] = []
        fields = self._fields(properties, problems)
        if type_.kind is Kind.CONTACT:
            fields |= _contact_name(properties)
        elif type_.kind in {Kind.ACTIVITY, Kind.NOTE}:
            fields |= activity_fields(type_.name, properties, now)
        fields |= linked
        is_deal = type_ is DEALS
        stamp = stamp_of(type_, raw)
        record_id = str(raw["id"])
        return Record(
            ref=type_.ref(words.connection, record_id),
            fields=fields,
            version=stamp,
            created_at=moment(str(properties.get("hs_createdate") or raw["createdAt"])),
            updated_at=moment(stamp),
            position=_position(properties, self._terms.account, problems) if is_deal else None,
            key=(properties.get(words.key_field) or None) if is_deal else None,
            url=raw.get("url") or (self._page + record_id if self._has_page else None),
            problems=tuple(problems),
        )

    def _fields(self, properties: Mapping[str, str | None], problems: list[Problem]) -> dict[str, Value]:
        # Nothing, null and "" are all no value.
        get = properties.get
        fields: dict[str, Value] = {name: text for name, native in self._plan.plain if (text := get(native))}
        for name, native, decode in self._plan.typed:
            if text := get(native):
                try:
                    fields[name] = decode(text)
                except ValueError as error:
                    problems.append(Problem(native, str(error)))
        for name, native in self._plan.money:
            if text := get(native):
                try:
                    fields[name] = self._terms.codec.money(text, get(CURRENCY_PROPERTY))
                except ValueError as error:
                    problems.append(Problem(native, str(error)))
        return fields


def stamp_of(type_: ObjectType, raw: Raw) -> str:
    """Give a record's modification time as HubSpot writes it."""
    return str(raw["properties"].get(type_.modified) or raw["updatedAt"])


def _contact_name(properties: Mapping[str, str | None]) -> dict[str, Value]:
    name = " ".join(filter(None, (properties.get(part) for part in CONTACT_NAME)))
    return {"name": name} if name else {}


def _position(properties: Mapping[str, str | None], account: Account, problems: list[Problem]) -> Position | None:
    pipeline, stage = properties.get("pipeline") or "", properties.get("dealstage") or ""
    known = account.positions.get((pipeline, stage))
    if known is not None:
        return known
    if not stage:
        problems.append(Problem("dealstage", "the deal has no stage"))
        return None
    problems.append(Problem("dealstage", f"the pipeline {pipeline!r} has no stage {stage!r}"))
    closed, won = (properties.get(name) == "true" for name in ("hs_is_closed", "hs_is_closed_won"))
    return Position(pipeline, stage, Status.WON if won else (Status.LOST if closed else Status.OPEN))


def to_user(owner: Mapping[str, Any], connection: str) -> Record:
    """Read an owner. Its `id` is what deals are owned by; `userId` is another number ("Owners" guide)."""
    name = " ".join(filter(None, (owner.get("firstName"), owner.get("lastName"))))
    stamp = str(owner.get("updatedAt") or owner.get("createdAt") or "1970-01-01T00:00:00Z")
    values = {"name": name or None, "email": owner.get("email") or None}
    fields: dict[str, Value] = {each: value for each, value in values.items() if value is not None}
    return Record(
        ref=Ref(connection, Kind.USER, str(owner["id"])),
        fields={**fields, "active": not owner.get("archived")},
        version=stamp,
        created_at=moment(str(owner["createdAt"])) if owner.get("createdAt") else None,
        updated_at=moment(stamp),
    )


def merged_away(type_: ObjectType, raw: Raw, connection: str) -> Iterator[Tombstone]:
    """Give the records that were merged into this one, as it lists them."""
    losers = raw["properties"].get("hs_merged_object_ids")
    if losers:
        winner = type_.ref(connection, raw["id"])
        for loser in filter(None, losers.split(";")):
            if loser != str(raw["id"]):
                at = moment(stamp_of(type_, raw))
                yield Tombstone(ref=type_.ref(connection, loser), at=at, merged_into=winner)


def archived(type_: ObjectType, raw: Raw, connection: str) -> Tombstone:
    """Read an archived record as a tombstone."""
    at = moment(str(raw.get("archivedAt") or raw["updatedAt"]))
    return Tombstone(ref=type_.ref(connection, raw["id"]), at=at)
