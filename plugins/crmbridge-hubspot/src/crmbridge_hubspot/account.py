"""What an account is set up with: time zone, pipelines and stages, properties, owners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.http import side_by_side, together
from crmbridge.http.replies import tidy
from crmbridge.model.records import Position, Status
from crmbridge.model.values import FieldType
from crmbridge.ports import NativeField, NativeStage, Pipeline
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.shapes import ShapeError, id_in, object_in, objects_in, text_in

CURRENCY_PROPERTY = "deal_currency_code"
ENTERED = "hs_v2_date_entered_"  # with a stage's id: when a deal last came to it
# What is kept of a property: the rest is long, and nobody asks for it.
KEPT = ("name", "label", "type", "fieldType", "calculated", "hasUniqueValue", "referencedObjectType")


class Account(Struct, frozen=True, kw_only=True, dict=True):
    """An account's set-up as it was read."""

    portal: str
    ui_domain: str
    zone: ZoneInfo
    pipelines: tuple[Pipeline, ...]
    fields: Mapping[str, NativeField]
    native_types: Mapping[str, str]  # HubSpot's own type by property
    home: str | None  # the currency of amounts that come without one
    currencies: tuple[str, ...]
    owners: tuple[Mapping[str, Any], ...]  # the deactivated ones too

    @cached_property
    def positions(self) -> Mapping[tuple[str, str], Position]:
        """The positions there are, by pipeline and stage."""
        pairs = ((pipeline.id, stage) for pipeline in self.pipelines for stage in pipeline.stages)
        return {(pipeline, stage.id): Position(pipeline, stage.id, stage.status) for pipeline, stage in pairs}

    @cached_property
    def entered(self) -> Mapping[str, str]:
        """The stages by the property that says when a deal came there; nothing unless every stage has its own."""
        stages = {ENTERED + stage: stage for _, stage in self.positions}
        return stages if all(native in self.fields for native in stages) else {}

    @cached_property
    def owner_ids(self) -> frozenset[str]:
        """What deals can be owned by."""
        return frozenset(str(owner["id"]) for owner in self.owners)

    @cached_property
    def _by_user(self) -> Mapping[str, str]:
        names = ("userId", "userIdIncludingInactive")
        return {str(o[name]): str(o["id"]) for o in reversed(self.owners) for name in names if o.get(name) is not None}

    def owner_of(self, user: str) -> str | None:
        """Give the owner id of a user id: histories name users by the one, deals by the other ("Owners" guide)."""
        return self._by_user.get(user)

    def status(self, pipeline: str, stage: str) -> Status | None:
        """Give the status of a stage, or None when the account does not have it (any more)."""
        found = self.positions.get((pipeline, stage))
        return found.status if found else None

    def pipelines_of(self, stage: str) -> list[str]:
        """Give the pipelines that have a stage of this id; one, wherever that was looked at."""
        return [pipeline for pipeline, each in self.positions if each == stage]


def read_parts(api: HubSpotApi) -> dict[str, Any]:
    """Read the set-up as JSON: five calls, more in an account with many owners; side by side, so that nobody waits."""
    lists = [
        lambda: _details(api),
        lambda: api.listed(api.paths.properties),
        lambda: api.listed(api.paths.pipelines),
        lambda: _owners(api, archived="false"),
        lambda: _owners(api, archived="true"),
    ]
    found: list[list[Any]] = [[] for _ in lists]
    for number, page in side_by_side(lists, workers=len(lists)):
        found[number] += page
    (details,), properties, pipelines, owners, gone = found
    return {
        "details": {name: details.get(name) for name in ("portalId", "uiDomain", "timeZone", "companyCurrency")},
        "properties": list(_all_kept(properties)),
        "pipelines": pipelines,
        "owners": [{**owner, "id": id_in(owner)} for owner in (*owners, *gone)],
    }


def _all_kept(properties: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Keep what is needed of properties. One that can't be read counts as not listed, which fields bound to it tell."""
    for each in properties:
        with suppress(ShapeError):
            yield _kept(each)


def _kept(prop: Mapping[str, Any]) -> dict[str, Any]:
    options = [
        {"value": text_in(each, "value"), "label": text_in(each, "label")}
        for each in objects_in(prop.get("options"), "options")
    ]
    read_only = object_in(prop.get("modificationMetadata") or {}, "modificationMetadata").get("readOnlyValue")
    return {
        **{name: prop[name] for name in KEPT if prop.get(name)},
        "name": id_in(prop, "name"),
        **({"options": options} if options else {}),
        **({"modificationMetadata": {"readOnlyValue": True}} if read_only else {}),
    }


def to_account(parts: Mapping[str, Any], settings: HubSpotSettings) -> Account:
    """Make the account of what `read_parts` gave."""
    details, properties = parts["details"], parts["properties"]
    fields = {field.name: field for field in map(native_field, properties)}
    own = str(details.get("companyCurrency") or "")
    more = fields[CURRENCY_PROPERTY].options if CURRENCY_PROPERTY in fields else ()
    return Account(
        portal=str(details.get("portalId") or ""),
        ui_domain=str(details.get("uiDomain") or "app.hubspot.com"),
        zone=_zone(settings.timezone or str(details.get("timeZone") or "UTC")),
        pipelines=tuple(to_pipelines(parts["pipelines"])),
        fields=fields,
        native_types={str(each["name"]): str(each.get("type")) for each in properties},
        home=settings.currency or own or None,
        currencies=tuple(dict.fromkeys(filter(None, (own or settings.currency, *more)))),
        owners=tuple(parts["owners"]),
    )


def _zone(name: str) -> ZoneInfo:
    """Give the zone in which the account's days begin; raises ConfigurationError for one that is not known here."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):  # another spelling, or younger than what is installed here
        raise ConfigurationError(
            f"The HubSpot account is in the time zone {tidy(name, 60)!r}, which is not known here",
            advice="Set `timezone` for the connection to one with the same time, or update the package tzdata.",
        ) from None


def read_owners(api: HubSpotApi) -> list[Mapping[str, Any]]:
    """Give all owners. Deactivated ones are only listed when they are asked for, which is done beside the others."""
    lists = [lambda archived=archived: list(_owners(api, archived=archived)) for archived in ("false", "true")]
    return [{**owner, "id": id_in(owner)} for pages in together(lists) for page in pages for owner in page]


def _details(api: HubSpotApi) -> Iterator[list[Any]]:
    yield [api.get(api.paths.account)]


def _owners(api: HubSpotApi, *, archived: str) -> Iterator[list[Any]]:
    return api.listed(api.paths.owners, limit="100", archived=archived)


def to_pipelines(found: Sequence[Mapping[str, Any]]) -> Iterator[Pipeline]:
    """Give the pipelines of deals in the order people see; HubSpot sends stages in no particular order."""
    for pipeline in sorted(found, key=_order):
        stages = sorted(objects_in(pipeline.get("stages"), "stages"), key=_order)
        yield Pipeline(id=id_in(pipeline), label=_label(pipeline), stages=tuple(map(native_stage, stages)))


def _order(each: Mapping[str, Any]) -> tuple[Decimal, str]:
    return (_number(each.get("displayOrder")) or Decimal(0), id_in(each))


def _label(each: Mapping[str, Any]) -> str:
    return text_in(each, "label") or id_in(each)


def native_stage(stage: Mapping[str, Any]) -> NativeStage:
    """Read a stage. Its metadata tells whether it is won or lost; the label may lie ("Pipelines" guide).

    Raises ShapeError where it does not tell: all deals in it would count as lost, or as open again.
    """
    metadata = object_in(stage.get("metadata") or {}, "metadata")
    probability = _number(metadata.get("probability"))
    said = str(metadata.get("isClosed")).lower()
    if probability is None and said != "false":
        raise ShapeError(f"of the stage {tidy(id_in(stage), 60)} it does not say whether it is won or lost")
    closed = said == "true"
    status = Status.WON if probability == 1 else Status.LOST if closed else Status.OPEN
    return NativeStage(id=id_in(stage), label=_label(stage), status=status, probability=_float(probability))


def _number(text: Any) -> Decimal | None:
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)


def native_field(prop: Mapping[str, Any]) -> NativeField:
    """Read a property."""
    metadata = object_in(prop.get("modificationMetadata") or {}, "modificationMetadata")
    found = objects_in(prop.get("options"), "options")
    options = {value: text_in(each, "label") or value for each in found if (value := text_in(each, "value"))}
    type_ = field_type(prop)
    return NativeField(
        name=id_in(prop, "name"),
        label=text_in(prop, "label") or id_in(prop, "name"),
        type=type_,
        options=() if type_ is FieldType.BOOL else tuple(options),  # true and false are no choice of the account's
        option_labels={value: label for value, label in options.items() if label != value},
        writable=not (metadata.get("readOnlyValue") or prop.get("calculated")),
        unique=bool(prop.get("hasUniqueValue")),
    )


_TYPES = {
    "bool": FieldType.BOOL,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "number": FieldType.NUMBER,
    "string": FieldType.TEXT,
    "phone_number": FieldType.TEXT,
}


def field_type(prop: Mapping[str, Any]) -> FieldType | None:
    """Tell what a property holds; None for HubSpot's internal types."""
    if prop.get("name") == "amount":
        return FieldType.MONEY
    if prop.get("fieldType") == "booleancheckbox":
        return FieldType.BOOL
    if prop.get("type") == "enumeration":
        if prop.get("referencedObjectType") == "OWNER":
            return FieldType.USER
        return FieldType.CHOICES if prop.get("fieldType") == "checkbox" else FieldType.CHOICE
    return _TYPES.get(str(prop.get("type")))
