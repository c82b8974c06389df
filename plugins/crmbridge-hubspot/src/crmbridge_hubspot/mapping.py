"""Turns HubSpot's records into canonical ones: which property is which field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from crmbridge.adapting import read_at_once
from crmbridge.errors import ConfigurationError
from crmbridge.http.replies import tidy
from crmbridge.model.records import Kind, Position, Problem, Record, Ref, Status, Tombstone
from crmbridge.model.values import Fields, FieldType, Value
from crmbridge.ports import AdapterContext, BoundTo, FieldBinding
from crmbridge_hubspot.account import CURRENCY_PROPERTY, Account
from crmbridge_hubspot.activities import ACTIVITY_BOUND, ACTIVITY_SYSTEM, activity_fields
from crmbridge_hubspot.objects import ATTACHED, DEALS, TYPES, Bound, ObjectType
from crmbridge_hubspot.plans import Plan, Properties
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.shapes import ODD, ShapeError, text_in
from crmbridge_hubspot.sheets import Sheet
from crmbridge_hubspot.values import Codec, moment, stamp_in

MERGED = "hs_merged_object_ids"
UPDATED_BY = "hs_updated_by_user_id"  # a user id; records are owned by owner ids ("Owners" guide)
SYSTEM = ("hs_createdate", MERGED, UPDATED_BY)
DEAL_SYSTEM = ("pipeline", "dealstage", "hs_is_closed", "hs_is_closed_won", CURRENCY_PROPERTY)
DEFAULT_KEY_FIELD = "crmbridge_key"
CONTACT_NAME = ("firstname", "lastname")
COMPANY_BOUND = (Bound("name", "name", FieldType.TEXT), Bound("domain", "domain", FieldType.TEXT))
CONTACT_BOUND = (Bound("email", "email", FieldType.TEXT), Bound("title", "jobtitle", FieldType.TEXT))
# What sync keeps alike of every deal: where one of their properties is hidden from us, it is not empty.
AGREED_ON = frozenset({"name", "amount", "close_date", "owner"})
LACKING = "is not a property of deals here, or the credential may not see it"
Raw = Mapping[str, Any]


class Words:
    """The names of one connection: its fields, the properties that hold them, and the key property.

    Without an account, as if the settings named all properties by their names.
    """

    def __init__(self, settings: HubSpotSettings, context: AdapterContext, account: Account | None) -> None:
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
        own = {each.name: Bound(each.name, _property(each, account), each.type) for each in context.fields}
        self._deal = tuple((named | own).values())
        self.kept = tuple(each for each in self._deal if each.name in own or each.name in AGREED_ON)
        self.own = tuple(own.values())  # what the settings bind

    def fields(self, type_: ObjectType) -> tuple[Bound, ...]:
        """Give the fields that an object type holds as properties."""
        usual = {Kind.DEAL: self._deal, Kind.COMPANY: COMPANY_BOUND, Kind.CONTACT: CONTACT_BOUND}
        return usual.get(type_.kind) or ACTIVITY_BOUND

    def native(self, name: str) -> str | None:
        """Give the property that holds a deal's field, or None when none does."""
        return next((bound.native for bound in self._deal if bound.name == name), None)

    def properties(self, type_: ObjectType) -> list[str]:
        """List the properties to ask for, each once."""
        more: Mapping[Kind, Sequence[str]] = {
            Kind.DEAL: (*DEAL_SYSTEM, self.key_field),
            Kind.CONTACT: CONTACT_NAME,
            Kind.FILE: (ATTACHED,),
        }
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


def _property(bound: FieldBinding, account: Account | None) -> str:
    """Give the property that a binding means: by its name, else by the label that people see."""
    if account is None or bound.native in account.fields:
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

    @property
    def lacking(self) -> tuple[Bound, ...]:
        """The fields that must be there, and whose property is not listed.

        Where records come without it as well, it is not there.
        Sensitive properties are not listed unless that is asked for, and come all the same ("Properties" guide).
        """
        return tuple(each for each in self.words.kept if each.native not in self.account.fields)

    @property
    def sources(self) -> dict[str, BoundTo]:
        """What the fields are read from that the settings bind, or that are read by the account's zone or currency."""
        there = [each for each in self.words.kept if each.native in self.account.fields]
        read = {each.name: BoundTo(each.native, self._read_by(each)) for each in there}
        own = {each.name for each in self.words.own}
        return {name: source for name, source in read.items() if name in own or source.read_by}

    def _read_by(self, bound: Bound) -> str:
        if bound.type is FieldType.DATE and self.account.native_types[bound.native] == "datetime":
            return self.account.zone.key
        has_currencies = CURRENCY_PROPERTY in self.account.fields
        return str(self.account.home) if bound.type is FieldType.MONEY and not has_currencies else ""


class Linked(NamedTuple):
    """A record as it came, its name, and the fields that are links to others."""

    ref: Ref
    raw: Raw
    links: dict[str, Value]


class Mapper:
    """Reads the records of one object type."""

    def __init__(self, type_: ObjectType, terms: Terms) -> None:
        self._type = type_
        self._plan = Plan.of(terms.words.fields(type_), terms.codec)
        self._sheet = Sheet.of(type_, terms.words.fields(type_), terms.codec)
        lacking = terms.lacking if type_ is DEALS else ()
        self._lacking = [Problem(each.native, LACKING, each.name) for each in lacking]
        self._account = terms.account
        self._is_deal, self._key_field = type_ is DEALS, terms.words.key_field
        self._more = _MORE.get(type_.kind)
        account = terms.account
        page = f"https://{account.ui_domain}/contacts/{account.portal}/record/{type_.type_id}/"
        self._page = page if account.portal and type_.type_id else None

    def records(self, found: Sequence[Linked], now: datetime) -> list[Record]:
        """Read records. What can't be read becomes a problem, and the record is kept."""
        one = partial(self._one, now=now)
        if self._sheet is None or any(ODD in each.raw for each in found):
            return [one(each) for each in found]
        return read_at_once(found, self._at_once, one)

    def _at_once(self, found: Sequence[Linked]) -> list[Record]:
        sheet = cast("Sheet", self._sheet)
        written = sheet.written([each.raw["properties"] for each in found], [each.links for each in found])
        return [self._record(each, fields, []) for each, fields in zip(found, written, strict=True)]

    def _one(self, found: Linked, now: datetime) -> Record:
        properties: Properties = found.raw["properties"]
        problems = [each for each in self._lacking if each.path not in properties]
        read = self._plan.one_by_one if ODD in found.raw else self._plan.fields
        fields = read(properties, problems)
        if self._more is not None:
            fields |= self._more(self._type.name, properties, now)
        return self._record(found, fields | found.links, problems)

    def _record(self, found: Linked, fields: Fields, problems: list[Problem]) -> Record:
        ref, raw = found.ref, found.raw
        properties: Properties = raw["properties"]
        stamp, is_deal = stamp_of(self._type, raw), self._is_deal
        return Record(
            ref=ref,
            fields=fields,
            version=stamp,
            created_at=_made_at(properties.get("hs_createdate") or text_in(raw, "createdAt"), problems),
            updated_at=_moment_of(stamp, raw, "changed"),
            position=_position(properties, self._account, problems) if is_deal else None,
            key=(properties.get(self._key_field) or None) if is_deal else None,
            url=text_in(raw, "url") or (f"{self._page}{raw['id']}" if self._page else None),
            problems=tuple(problems),
            updated_by=self._account.owner_of(user) if (user := properties.get(UPDATED_BY)) else None,
        )


def stamp_of(type_: ObjectType, raw: Raw) -> str:
    """Give a record's modification time as HubSpot writes it."""
    return stamp_in(raw, type_.modified)


def _moment_of(text: object, raw: Raw, what: str) -> datetime:
    try:
        return moment(str(text))
    except ValueError as error:
        raise ShapeError(f"{tidy(str(raw.get('id')), 40)} was {what} at {error}") from None


def _made_at(text: str, problems: list[Problem]) -> datetime | None:
    try:
        return moment(text) if text else None
    except ValueError as error:
        problems.append(Problem("createdAt", str(error)))
        return None


def _contact_name(_type: str, properties: Properties, _now: datetime) -> dict[str, Value]:
    name = " ".join(filter(None, (properties.get(part) for part in CONTACT_NAME)))
    return {"name": name} if name else {}


# What records of a kind hold beside their fields that are properties.
_MORE: Mapping[Kind, Callable[[str, Properties, datetime], dict[str, Value]]] = MappingProxyType(
    {Kind.CONTACT: _contact_name, Kind.ACTIVITY: activity_fields, Kind.NOTE: activity_fields}
)


def _position(properties: Properties, account: Account, problems: list[Problem]) -> Position | None:
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
    name = " ".join(filter(None, (text_in(owner, "firstName"), text_in(owner, "lastName"))))
    made, changed = text_in(owner, "createdAt"), text_in(owner, "updatedAt")
    stamp = changed or made or "1970-01-01T00:00:00Z"
    problems: list[Problem] = []
    values = {"name": name or None, "email": text_in(owner, "email") or None}
    fields: dict[str, Value] = {each: value for each, value in values.items() if value is not None}
    return Record(
        ref=Ref(connection, Kind.USER, str(owner["id"])),
        fields={**fields, "active": not owner.get("archived")},
        version=stamp,
        created_at=_made_at(made, problems),
        updated_at=_moment_of(stamp, owner, "changed"),
        problems=tuple(problems),
    )


def merged_away(type_: ObjectType, raw: Raw, connection: str) -> Iterator[Tombstone]:
    """Give the records that were merged into this one, as it lists them."""
    losers = raw["properties"].get(MERGED)
    if losers:
        winner = type_.ref(connection, raw["id"])
        for loser in filter(None, losers.split(";")):
            if loser != str(raw["id"]):
                at = _moment_of(stamp_of(type_, raw), raw, "changed")
                yield Tombstone(ref=type_.ref(connection, loser), at=at, merged_into=winner)


def archived(type_: ObjectType, raw: Raw, connection: str) -> Tombstone:
    """Read an archived record as a tombstone."""
    at = _moment_of(raw.get("archivedAt") or raw.get("updatedAt"), raw, "deleted")
    return Tombstone(ref=type_.ref(connection, raw["id"]), at=at)
