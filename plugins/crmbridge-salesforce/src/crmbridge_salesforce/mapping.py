"""Rows of an org turned into canonical records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from crmbridge.http import dump_json
from crmbridge.model.records import Kind, Position, Problem, Record, Ref
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import FieldBinding
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.org import Row
from crmbridge_salesforce.schema import Table, pipeline_of, status_of
from crmbridge_salesforce.values import decode, read_moment

OBJECTS: Mapping[Kind, str] = MappingProxyType(
    {Kind.USER: "User", Kind.COMPANY: "Account", Kind.CONTACT: "Contact", Kind.DEAL: "Opportunity"}
)
SYSTEM = ("Id", "CreatedDate", "LastModifiedDate", "SystemModstamp")
_PLACE = ("StageName", "IsClosed", "IsWon", "RecordTypeId", "CurrencyIsoCode", "LastActivityDate")
# They move when somebody works on the deal without changing it, so they say nothing about its version.
_NOT_VERSION = frozenset({"attributes", "LastActivityDate", "LastModifiedDate"})

_COLUMNS: Mapping[Kind, Mapping[str, tuple[str, FieldType]]] = MappingProxyType(
    {
        Kind.USER: {
            "name": ("Name", FieldType.TEXT),
            "email": ("Email", FieldType.TEXT),
            "active": ("IsActive", FieldType.BOOL),
        },
        Kind.COMPANY: {"name": ("Name", FieldType.TEXT), "domain": ("Website", FieldType.TEXT)},
        Kind.CONTACT: {
            "name": ("Name", FieldType.TEXT),
            "email": ("Email", FieldType.TEXT),
            "title": ("Title", FieldType.TEXT),
            "company": ("AccountId", FieldType.USER),  # an id, as a user's is
        },
        Kind.DEAL: {
            "name": ("Name", FieldType.TEXT),
            "amount": ("Amount", FieldType.MONEY),
            "close_date": ("CloseDate", FieldType.DATE),
            "owner": ("OwnerId", FieldType.USER),
            "company": ("AccountId", FieldType.USER),
            "source": ("LeadSource", FieldType.TEXT),
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which columns stand for which fields of one kind, in one connection."""

    connection: str
    kind: Kind
    currency: str | None  # of amounts in an org with one currency, which does not say it
    key_field: str
    bindings: tuple[FieldBinding, ...]

    @classmethod
    def of(
        cls,
        kind: Kind,
        *,
        connection: str,
        currency: str | None,
        key_field: str = "",
        lost_reason: str = "",
        bindings: Sequence[FieldBinding] = (),
    ) -> Shape:
        """Put together the standard fields of a kind, and for deals the process's own."""
        standard = [
            FieldBinding(name=name, native=native, type=type_) for name, (native, type_) in _COLUMNS[kind].items()
        ]
        if kind is Kind.DEAL:
            standard.append(FieldBinding(name="lost_reason", native=lost_reason, type=FieldType.TEXT))
            standard = [one for one in standard if one.name not in {own.name for own in bindings}] + list(bindings)
        return cls(
            connection=connection,
            kind=kind,
            currency=currency,
            key_field=key_field if kind is Kind.DEAL else "",
            bindings=tuple(standard),
        )

    @property
    def object(self) -> str:
        """The org's name of the object."""
        return OBJECTS[self.kind]

    def binding(self, name: str) -> FieldBinding | None:
        """Find which column holds a field."""
        return next((binding for binding in self.bindings if binding.name == name), None)

    def columns(self, table: Table) -> list[str]:
        """Give the columns to ask for: those of our fields that this org has."""
        place = (*_PLACE, self.key_field) if self.kind is Kind.DEAL else ()
        return table.having(*SYSTEM, *place, *(binding.native for binding in self.bindings))

    def record(self, row: Row, table: Table, found: Mapping[str, Value] = MappingProxyType({})) -> Record:
        """Read a row; `found` are fields that were read beside it, such as contacts and activities."""
        row_id = to_18(str(row["Id"]))
        fields, problems = self._fields(row, table)
        fields.update(found)
        key = row.get(self.key_field) if self.key_field else None
        return Record(
            ref=Ref(self.connection, self.kind, row_id),
            fields=fields,
            version=version_of(row),
            created_at=read_moment(row["CreatedDate"]) if row.get("CreatedDate") else None,
            updated_at=stamp_of(row),
            position=position_of(row) if self.kind is Kind.DEAL else None,
            key=str(key) if key else None,
            url=table.page_of.replace("{ID}", row_id) or None,
            problems=problems,
        )

    def _fields(self, row: Row, table: Table) -> tuple[dict[str, Value], tuple[Problem, ...]]:
        fields: dict[str, Value] = {}
        problems: list[Problem] = []
        code = row.get("CurrencyIsoCode")
        currency = str(code) if code else self.currency
        for binding in self.bindings:
            if binding.native not in table.columns:
                if binding.name not in _COLUMNS[self.kind] and binding.name != "lost_reason":
                    problems.append(Problem(binding.native, "is not a field here, or the user may not see it"))
                continue
            try:
                fields[binding.name] = decode(row.get(binding.native), binding.type, currency)
            except ValueError as error:
                problems.append(Problem(binding.native, str(error)))
        if self.kind is Kind.COMPANY and "domain" in fields:
            fields["domain"] = _domain(fields["domain"])
        return fields, tuple(problems)


def position_of(row: Row) -> Position:
    """Give where a deal stands; open, won or lost by the flags that the stage set, never by its name."""
    status = status_of(closed=row.get("IsClosed") is True, won=row.get("IsWon") is True)
    return Position(pipeline_of(row.get("RecordTypeId")), str(row["StageName"]), status)


def stamp_of(row: Row) -> datetime:
    """Give when a row was last changed, by users or automation."""
    return read_moment(row.get("SystemModstamp") or row.get("LastModifiedDate") or row["CreatedDate"])


def version_of(row: Row) -> str:
    """Give a text that differs whenever the row may have changed.

    The stamp has whole seconds only, so what stands in the row is part of it.
    """
    values = {name: row[name] for name in sorted(row) if name not in _NOT_VERSION}
    return f"{stamp_of(row):%Y%m%dT%H%M%SZ}-{hashlib.sha256(dump_json(values)).hexdigest()[:12]}"


def _domain(website: Any) -> str | None:
    """Reduce a website, with or without its scheme, to the domain that records are matched by."""
    text = str(website or "").strip()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return None
    return host.removeprefix("www.").rstrip(".") or None
