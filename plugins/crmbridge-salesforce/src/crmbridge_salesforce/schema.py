"""What an org's objects look like: columns from describe, and stages."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import Struct

from crmbridge.errors import ConfigurationError, RefusedError
from crmbridge.model.records import Status
from crmbridge.model.values import FieldType
from crmbridge.ports import NativeField, NativeStage
from crmbridge_salesforce.ids import to_18

DEFAULT_PIPELINE = "default"
MASTER = "012000000000000AAA"  # the record type of orgs and deals that have none
YES = frozenset({"true", "yes", "1"})
NO = frozenset({"false", "no", "0"})
STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")

_TYPES = {
    "boolean": FieldType.BOOL,
    "currency": FieldType.MONEY,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "double": FieldType.NUMBER,
    "int": FieldType.NUMBER,
    "long": FieldType.NUMBER,
    "percent": FieldType.NUMBER,
    "multipicklist": FieldType.CHOICES,
    "picklist": FieldType.CHOICE,
    **dict.fromkeys(
        ("combobox", "email", "encryptedstring", "id", "phone", "reference", "string", "textarea", "url"),
        FieldType.TEXT,
    ),
}


class Option(NamedTuple):
    """A value of a picklist. Labels are translated; the value is what is stored."""

    value: str
    label: str
    active: bool


class Column(Struct, frozen=True, kw_only=True):
    """A field of an object, as describe tells it."""

    name: str
    label: str
    type: str
    options: tuple[Option, ...]
    createable: bool
    updateable: bool
    filterable: bool
    unique: bool
    external_id: bool
    restricted: bool  # a picklist that takes only its own values
    length: int
    precision: int  # digits of a number in all, 0 when describe does not say
    scale: int  # digits after the point
    references: tuple[str, ...]

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Column:
        """Read one item of describe's `fields`."""
        return cls(
            name=_word(data["name"]),
            label=_word(data.get("label") or data["name"]),
            type=_word(data["type"]),
            options=tuple(
                Option(str(item["value"]), str(item.get("label") or item["value"]), item.get("active", True) is True)
                for item in data.get("picklistValues") or ()
            ),
            createable=data.get("createable") is True,
            updateable=data.get("updateable") is True,
            filterable=data.get("filterable", True) is True,
            unique=data.get("unique") is True,
            external_id=data.get("externalId") is True,
            restricted=data.get("restrictedPicklist") is True,
            length=int(data.get("length") or 0),
            precision=int(data.get("precision") or 0),
            scale=int(data.get("scale") or 0),
            references=tuple(data.get("referenceTo") or ()),
        )

    def native(self) -> NativeField:
        """Give it as the port knows it."""
        return NativeField(
            name=self.name,
            label=self.label,
            type=self._kind(),
            options=tuple(option.value for option in self.options if option.active),
            option_labels={option.value: option.label for option in self.options if option.label != option.value},
            writable=self.createable or self.updateable,
            unique=self.unique,
            percent=self.type == "percent",
        )

    def _kind(self) -> FieldType | None:
        if self.references == ("User",):
            return FieldType.USER
        answers = {option.value.lower() for option in self.options if option.active}
        # A checkbox can't say that nobody has answered yet, so orgs ask such questions by a picklist.
        yes_or_no = self.type == "picklist" and len(answers) == 2 and answers & YES and answers & NO
        return FieldType.BOOL if yes_or_no else _TYPES.get(self.type)


def _word(value: Any) -> str:
    """Give a text; raises TypeError for anything else, which can be part of no query."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


class RecordType(NamedTuple):
    """A kind of deal with its own stages; what crmbridge calls a pipeline."""

    id: str
    name: str


class Table(Struct, frozen=True, kw_only=True):
    """An object: its columns that the user may see, by API name."""

    name: str
    columns: Mapping[str, Column]
    record_types: tuple[RecordType, ...]
    master_available: bool
    page_of: str  # address of a row's page for people, with {ID}; empty when describe has none

    def find(self, native: str) -> Column | None:
        """Find a column by its API name, in any case, or by the label that people see.

        Raises ConfigurationError when the label is the one of several columns.
        """
        if native in self.columns:
            return self.columns[native]
        wanted = native.strip().casefold()
        by_name = [column for name, column in self.columns.items() if name.casefold() == wanted]
        found = by_name or [column for column in self.columns.values() if column.label.strip().casefold() == wanted]
        if len(found) > 1:
            names = " and ".join(sorted(column.name for column in found))
            raise ConfigurationError(
                f"{self.name} has several fields with the label {native!r}: {names}",
                advice="Name the field by its API name under `fields` of the connection.",
            )
        return found[0] if found else None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Table:
        """Read a describe answer."""
        columns = [Column.parse(item) for item in data["fields"]]
        infos = [info for info in data.get("recordTypeInfos") or () if info.get("available", True)]
        kinds = [info for info in infos if info.get("active", True) and not info.get("master")]
        return cls(
            name=_word(data["name"]),
            columns={column.name: column for column in columns},
            record_types=tuple(RecordType(to_18(info["recordTypeId"]), str(info["name"])) for info in kinds),
            master_available=any(info.get("master") for info in infos),
            page_of=str((data.get("urls") or {}).get("uiDetailTemplate") or ""),
        )

    def having(self, *names: str) -> list[str]:
        """Give those of the names that are columns here: features add columns, permissions hide them."""
        return [name for name in dict.fromkeys(names) if name in self.columns]

    @property
    def stamp(self) -> str:
        """The column that changes with every change and can be filtered by."""
        for name in STAMPS:
            if name in self.columns and self.columns[name].filterable:
                return name
        raise RefusedError(f"{self.name} has no time of change that can be filtered by")


class OrgStage(NamedTuple):
    """A row of OpportunityStage; inactive ones still stand on old deals."""

    id: str
    label: str
    status: Status
    active: bool
    probability: float | None

    def native(self) -> NativeStage:
        """Give it as the port knows it."""
        return NativeStage(id=self.id, label=self.label, status=self.status, probability=self.probability)


def pipeline_of(record_type: Any) -> str:
    """Give the pipeline that a RecordTypeId stands for."""
    return DEFAULT_PIPELINE if not record_type or to_18(str(record_type)) == MASTER else to_18(str(record_type))


def status_of(*, closed: bool, won: bool) -> Status:
    """Give the status that the two flags of a stage or a deal stand for."""
    if won:
        return Status.WON
    return Status.LOST if closed else Status.OPEN


def stage_of(row: Mapping[str, Any]) -> OrgStage:
    """Read a row of OpportunityStage."""
    chance = row.get("DefaultProbability")
    return OrgStage(
        id=str(row.get("ApiName") or row["MasterLabel"]),
        label=str(row["MasterLabel"]),
        status=status_of(closed=row["IsClosed"] is True, won=row["IsWon"] is True),
        active=row["IsActive"] is True,
        probability=float(chance) / 100 if isinstance(chance, int | Decimal) else None,
    )


def stage_values(layout: Mapping[str, Any]) -> set[str]:
    """Find the stages that a record type's layout offers; none when it does not say."""
    mappings = layout.get("recordTypeMappings") or [layout]
    lists = [item for mapping in mappings for item in mapping.get("picklistsForRecordType") or ()]
    stages = [item for item in lists if item.get("picklistName") == "StageName"]
    return {str(value["value"]) for item in stages for value in item.get("picklistValues") or ()}
