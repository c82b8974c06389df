"""The sandbox's records: what is written, its history, what is calculated from it, and what hangs on what."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from crmbridge.ports import Clock
from crmbridge_hubspot.sandbox.account import (
    ASSOCIATIONS,
    NEEDED,
    OBJECT_TYPES,
    PRIMARY_TYPES,
    PROPERTIES,
    STAGES,
    TYPE_NAMES,
    ObjectType,
    Property,
)
from crmbridge_hubspot.sandbox.replies import VendorError, invalid_values, stamp, validation
from crmbridge_hubspot.sandbox.values import BadValueError, take

ID_STEP = 37
INDEX_LAG = timedelta(seconds=30)  # how late the search index is while the fault `lag` strikes


class Source(NamedTuple):
    """Who changed a property, as the history tells it."""

    type: str = "API"
    user: str | None = None


BY_API = Source()


class Version(NamedTuple):
    """One entry of a property's history."""

    value: str
    at: datetime
    source: Source


@dataclass
class CrmObject:
    """One record. `properties` holds what is filled in, as text; `history` is oldest first."""

    id: str
    kind: ObjectType
    created_at: datetime
    modified_at: datetime
    properties: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Version]] = field(default_factory=dict)
    archived_at: datetime | None = None

    def put(self, name: str, value: str, at: datetime, source: Source) -> None:
        """Set a property and note it in the history."""
        if value:
            self.properties[name] = value
        else:
            self.properties.pop(name, None)
        self.history.setdefault(name, []).append(Version(value, at, source))


class Owner(NamedTuple):
    """Somebody who can own records. `user_id` is another number than `id`."""

    id: str
    user_id: int
    email: str
    first_name: str
    last_name: str
    created_at: datetime
    archived: bool = False


@dataclass
class HubSpotState:
    """Everything in the sandbox account. Its public methods act as a person in the HubSpot screens would."""

    clock: Clock
    owners: dict[str, Owner] = field(default_factory=dict)
    tables: dict[str, dict[str, CrmObject]] = field(default_factory=lambda: {kind.name: {} for kind in OBJECT_TYPES})
    properties: dict[str, dict[str, Property]] = field(
        default_factory=lambda: {name: {prop.name: prop for prop in props} for name, props in PROPERTIES.items()}
    )
    links: dict[tuple[str, str], dict[str, dict[str, set[int]]]] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)  # the loser's id -> the winner's
    strikes: Callable[[str, str, str], bool] = lambda _name, _method, _path: False

    # ── A person at work ────────────────────────────────────────────────────────────────────────────────

    def deal_ids(self) -> list[str]:
        """Give the ids of all deals that are there."""
        return [deal.id for deal in self.tables["deals"].values() if deal.archived_at is None]

    def edit_deal(self, native_id: str, /, **native_fields: object) -> None:
        """Change properties of a deal as a person does, at the clock's time."""
        person = next(iter(self.owners.values()))
        self.update(self.get("deals", native_id), native_fields, Source("CRM_UI", str(person.user_id)))

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal as a person does: it goes to the recycle bin."""
        self.archive(self.get("deals", native_id))

    def merge_deals(self, winner: str, loser: str) -> None:
        """Merge one deal into another; the loser's id then leads to the winner."""
        kept, gone = self.get("deals", winner), self.get("deals", loser)
        del self.tables["deals"][gone.id]
        self.merged[gone.id] = kept.id
        merged = ";".join(filter(None, (kept.properties.get("hs_merged_object_ids", ""), gone.id)))
        kept.put("hs_merged_object_ids", merged, self.clock.now(), Source("CALCULATED"))
        self.touch(kept)

    # ── Finding ─────────────────────────────────────────────────────────────────────────────────────────

    def get(self, name: str, record_id: str) -> CrmObject:
        """Give a record that is not deleted, following merges; raises the 404."""
        found = self.tables[name].get(self.merged.get(record_id, record_id))
        if found is None or found.archived_at is not None:
            raise not_found(record_id)
        return found

    def by_unique(self, name: str, prop: str, value: str) -> CrmObject | None:
        """Give the record with this value of a unique property; raises the 400 when it is not unique."""
        known = self.properties[name].get(prop)
        if known is None or not known.unique:
            raise validation(f"The property '{prop}' can't be used as a unique identifier for {name}")
        wanted = value.lower()
        alive = (record for record in self.tables[name].values() if record.archived_at is None)
        return next((record for record in alive if record.properties.get(prop, "").lower() == wanted), None)

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────

    def create(
        self, name: str, given: Mapping[str, Any], source: Source = BY_API, *, strict: bool = False
    ) -> CrmObject:
        """Make a record; raises the error that HubSpot answers."""
        kind, now = TYPE_NAMES[name], self.clock.now()
        values = self._checked(kind.name, {"pipeline": "default", **given} if name == "deals" else given, None)
        missing = [prop for prop in NEEDED.get(kind.name, ()) if not values.get(prop)]
        if missing:
            raise validation(
                f"Error creating {kind.singular.upper()}. Some required properties were not set: {missing}"
            )
        number = kind.first_record + ID_STEP * (len(self.tables[kind.name]) + len(self.merged) + 1)
        made = CrmObject(str(number), kind, now, now)
        _check_deal(made, values, strict=strict)
        self.tables[kind.name][made.id] = made
        for prop, value in values.items():
            made.put(prop, value, now, source)
        return made

    def update(
        self, record: CrmObject, given: Mapping[str, Any], source: Source = BY_API, *, strict: bool = False
    ) -> None:
        """Change properties of a record; nothing is changed when one value is refused."""
        values = self._checked(record.kind.name, given, record)
        _check_deal(record, values, strict=strict)
        now = self.touch(record)
        for prop, value in values.items():
            if value != record.properties.get(prop, ""):
                record.put(prop, value, now, source)

    def archive(self, record: CrmObject) -> None:
        """Put a record into the recycle bin."""
        record.archived_at = self.clock.now()

    def touch(self, record: CrmObject) -> datetime:
        """Move a record's modification time on, as every change does, also of what is calculated from its links."""
        # Two writes of one record never have one modification time, or the second could not be seen.
        record.modified_at = max(self.clock.now(), record.modified_at + timedelta(milliseconds=1))
        return record.modified_at

    def _checked(self, name: str, given: Mapping[str, Any], record: CrmObject | None) -> dict[str, str]:
        known, values, problems = self.properties[name], {}, []
        for prop_name, value in given.items():
            prop = known.get(prop_name)
            if prop is None:
                problems.append((prop_name, "PROPERTY_DOESNT_EXIST", f'Property "{prop_name}" does not exist'))
            elif prop.read_only:
                problems.append((prop_name, "READ_ONLY_VALUE", f'"{prop_name}" is a read only property'))
            else:
                try:
                    values[prop_name] = _taken(self, name, prop, value, record)
                except BadValueError as error:
                    problems.append((prop_name, error.code, error.sentence))
        if problems:
            raise invalid_values(problems)
        return values

    def copied(self) -> tuple[Any, Any]:
        """Give a copy of all records and links, for a batch that may have to be undone."""
        return copy.deepcopy((self.tables, self.links))

    def go_back(self, before: tuple[Any, Any]) -> None:
        """Undo everything since a copy."""
        self.tables, self.links = before

    # ── Links ───────────────────────────────────────────────────────────────────────────────────────────

    def link(self, one: CrmObject, other: CrmObject, types: Iterable[int] = ()) -> None:
        """Associate two records in both directions, unlabelled and with these types of the first direction."""
        there, back = (one.kind.name, other.kind.name), (other.kind.name, one.kind.name)
        if there not in ASSOCIATIONS:
            raise validation(f"{one.kind.name} can't be associated with {other.kind.name}")
        wanted = set(types) or {ASSOCIATIONS[there][0]}
        if not wanted <= set(ASSOCIATIONS[there]):
            raise validation(f"One or more association types are not valid between {there[0]} and {there[1]}")
        primary = bool(wanted & PRIMARY_TYPES)
        for (first, second), pair in (((one, other), there), ((other, one), back)):
            found = self.links.setdefault(pair, {}).setdefault(first.id, {}).setdefault(second.id, set())
            found.add(ASSOCIATIONS[pair][0])
            if primary:
                found.add(ASSOCIATIONS[pair][1])

    def linked(self, name: str, record_id: str, other: str) -> list[tuple[CrmObject, set[int]]]:
        """Give the records of another type that hang on one, with the association types."""
        found = self.links.get((name, other), {}).get(record_id, {})
        pairs = ((self.tables[other].get(other_id), types) for other_id, types in found.items())
        return [(record, types) for record, types in pairs if record is not None and record.archived_at is None]


def not_found(record_id: str) -> VendorError:
    """Give the error for a record that is not there."""
    return VendorError(404, "OBJECT_NOT_FOUND", "Object not found", context={"ids": [record_id]})


def modified(record: CrmObject) -> str:
    """Give a record's modification time as HubSpot writes it."""
    return stamp(record.modified_at)


def _check_deal(record: CrmObject, values: Mapping[str, str], *, strict: bool) -> None:
    """Refuse a stage that is not in the deal's pipeline, and what an account's own rules forbid."""
    if record.kind.name != "deals" or not {"dealstage", "pipeline"} & set(values):
        return
    after = {**record.properties, **values}
    pipeline, stage = after.get("pipeline", ""), after.get("dealstage", "")
    if stage not in STAGES or STAGES[stage][0].id != pipeline:
        sentence = f"{stage[:40]} was not one of the stages of the pipeline {pipeline[:40]}"
        raise invalid_values([("dealstage", "INVALID_OPTION", sentence)])
    if strict and STAGES[stage][1].probability == "1.0" and not after.get("closedate"):
        raise invalid_values([("closedate", "REQUIRED_PROPERTY", "closedate is required when the deal is won")])


def _taken(state: HubSpotState, name: str, prop: Property, value: Any, record: CrmObject | None) -> str:
    """Give a value as it is stored, once owners and unique values are looked at too."""
    text = take(prop, value, record.properties.get(prop.name, "") if record else "")
    if prop.owner and text and (text not in state.owners or state.owners[text].archived):
        raise BadValueError("INVALID_OWNER_ID", f"Owner {text[:40]} does not exist")
    if prop.unique and text:
        other = state.by_unique(name, prop.name, text)
        if other is not None and other is not record:
            message = f"{prop.label} already has the value {text}. Existing ID: {other.id}"
            raise VendorError(409, "CONFLICT", message)
    return text
