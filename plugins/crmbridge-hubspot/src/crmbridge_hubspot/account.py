"""What an account is set up with: time zone, pipelines and stages, properties, owners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from crmbridge.model.records import Status
from crmbridge.model.values import FieldType
from crmbridge.ports import NativeField, NativeStage, Pipeline
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.settings import HubSpotSettings

CURRENCY_PROPERTY = "deal_currency_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
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

    def owner_of(self, user: str) -> str | None:
        """Give the owner id of a user id: histories name users by the one, deals by the other ("Owners" guide)."""
        known = (o for o in self.owners if user in {str(o.get("userId")), str(o.get("userIdIncludingInactive"))})
        return next((str(owner["id"]) for owner in known), None)

    def status(self, pipeline: str, stage: str) -> Status | None:
        """Give the status of a stage, or None when the account does not have it (any more)."""
        return next(
            (s.status for p in self.pipelines if p.id == pipeline for s in p.stages if s.id == stage),
            None,
        )

    def pipelines_of(self, stage: str) -> list[str]:
        """Give the pipelines that have a stage of this id; one, wherever that was looked at."""
        return [pipeline.id for pipeline in self.pipelines if any(s.id == stage for s in pipeline.stages)]


def read_account(api: HubSpotApi, settings: HubSpotSettings) -> Account:
    """Read the set-up: five calls, more in an account with many owners."""
    details = api.get(api.paths.account)
    properties = [each for page, _ in api.listed(api.paths.properties) for each in page]
    fields = {field.name: field for field in map(native_field, properties)}
    own = str(details.get("companyCurrency") or "")
    more = fields[CURRENCY_PROPERTY].options if CURRENCY_PROPERTY in fields else ()
    return Account(
        portal=str(details.get("portalId") or ""),
        ui_domain=str(details.get("uiDomain") or "app.hubspot.com"),
        zone=ZoneInfo(settings.timezone or str(details.get("timeZone") or "UTC")),
        pipelines=tuple(read_pipelines(api)),
        fields=fields,
        native_types={str(each["name"]): str(each.get("type")) for each in properties},
        home=settings.currency or own or None,
        currencies=tuple(dict.fromkeys(filter(None, (own or settings.currency, *more)))),
        owners=tuple(read_owners(api)),
    )


def read_owners(api: HubSpotApi) -> Iterator[Mapping[str, Any]]:
    """Give all owners. Deactivated ones are only listed when they are asked for."""
    for archived in ("false", "true"):
        for page, _ in api.listed(api.paths.owners, limit="100", archived=archived):
            yield from page


def read_pipelines(api: HubSpotApi) -> Iterator[Pipeline]:
    """Give the pipelines of deals in the order people see; HubSpot sends stages in no particular order."""
    found = [each for page, _ in api.listed(api.paths.pipelines) for each in page]
    for pipeline in sorted(found, key=_order):
        stages = sorted(pipeline["stages"], key=_order)
        yield Pipeline(id=str(pipeline["id"]), label=str(pipeline["label"]), stages=tuple(map(native_stage, stages)))


def _order(each: Mapping[str, Any]) -> tuple[int, str]:
    return (int(each.get("displayOrder") or 0), str(each.get("id") or ""))


def native_stage(stage: Mapping[str, Any]) -> NativeStage:
    """Read a stage. Its metadata tells whether it is won or lost; the label may lie ("Pipelines" guide)."""
    metadata = stage.get("metadata") or {}
    probability = _probability(metadata.get("probability"))
    closed = str(metadata.get("isClosed")).lower() == "true"
    status = Status.WON if probability == 1 else Status.LOST if closed else Status.OPEN
    return NativeStage(id=str(stage["id"]), label=str(stage["label"]), status=status, probability=_float(probability))


def _probability(text: Any) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)


def native_field(prop: Mapping[str, Any]) -> NativeField:
    """Read a property."""
    metadata = prop.get("modificationMetadata") or {}
    return NativeField(
        name=str(prop["name"]),
        label=str(prop.get("label") or prop["name"]),
        type=field_type(prop),
        options=tuple(str(option["value"]) for option in prop.get("options") or ()),
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
