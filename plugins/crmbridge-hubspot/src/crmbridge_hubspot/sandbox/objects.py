"""The sandbox's state: its records and links, and how they are found and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from crmbridge.ports import Clock
from crmbridge_hubspot.sandbox.account import ENGAGEMENTS, OBJECT_TYPES, STAGES, TYPE_NAMES, ObjectType
from crmbridge_hubspot.sandbox.limits import Limits
from crmbridge_hubspot.sandbox.links import Links
from crmbridge_hubspot.sandbox.oauth import OAuth
from crmbridge_hubspot.sandbox.properties import GROUPS, NEEDED, PROPERTIES, Property
from crmbridge_hubspot.sandbox.records import BY_API, CrmObject, Owner, Source, Table, Undo
from crmbridge_hubspot.sandbox.replies import VendorError, invalid_values, stamp, validation
from crmbridge_hubspot.sandbox.trouble import Trouble
from crmbridge_hubspot.sandbox.values import BadValueError, PropertyRules, hold, take

ID_STEP = 37
KEPT = timedelta(days=90)  # how long the recycle bin holds a record
INDEX_LAG = timedelta(seconds=30)  # how late the search index is while the fault `lag` strikes


@dataclass
class HubSpotState:
    """Everything in the sandbox account.

    The switches choose between ways in which real accounts may differ, or that are not documented for certain:
    `merges_make_new_ids` (a merge makes a record with a new id instead of keeping the primary one's), `ids_as_text`
    (searches order and compare `hs_object_id` as text), `required_in` (the properties that the account's own rules ask
    for in a stage; they bind API writes from 2026-09 on) and `oauth.rotates`.
    """

    clock: Clock
    owners: dict[str, Owner] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=lambda: {kind.name: Table() for kind in OBJECT_TYPES})
    properties: dict[str, dict[str, Property]] = field(
        default_factory=lambda: {name: {prop.name: prop for prop in props} for name, props in PROPERTIES.items()}
    )
    validations: dict[str, dict[str, PropertyRules]] = field(default_factory=lambda: {k.name: {} for k in OBJECT_TYPES})
    groups: dict[str, dict[str, str]] = field(default_factory=lambda: {name: dict(of) for name, of in GROUPS.items()})
    merged: dict[str, str] = field(default_factory=dict)  # an id that is gone -> the one it was merged into
    strikes: Callable[[str, str, str], bool] = lambda _name, _method, _path: False
    trouble: Trouble = field(default_factory=Trouble)
    merges_make_new_ids: bool = False
    ids_as_text: bool = False
    required_in: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {s: ("closedate",) for s, (_, stage) in STAGES.items() if stage.probability == "1.0"}
    )

    def __post_init__(self) -> None:
        self.undo = Undo()
        self.links = Links(self.tables, self.undo)
        self.oauth = OAuth(self.clock)
        self.files: dict[str, dict[str, Any]] = {}  # what the Files API tells of them, by id
        self.limits = Limits()
        self._unique: dict[tuple[str, str], dict[str, list[str]]] = {}

    # ── Finding ─────────────────────────────────────────────────────────────────────────────────────────

    def get(self, name: str, record_id: str) -> CrmObject:
        """Give a record that is not deleted, following merges; raises the 404."""
        wanted = record_id
        while wanted in self.merged:
            wanted = self.merged[wanted]
        found = self.tables[name].get(wanted)
        if found is None or found.archived_at is not None:
            raise not_found(record_id)
        return found

    def keeps(self, record: CrmObject) -> bool:
        """Tell whether a record is there, or in the recycle bin still."""
        return record.archived_at is None or record.archived_at > self.now() - KEPT

    def by_unique(self, name: str, prop: str, value: str) -> CrmObject | None:
        """Give the record with this value of a unique property; raises the 400 when it is not unique."""
        known = self.properties[name].get(prop)
        if known is None or not known.unique:
            raise validation(f"The property '{prop}' can't be used as a unique identifier for {name}")
        if (name, prop) not in self._unique:
            self._unique[name, prop] = {}
            for record in self.tables[name].values():
                self._index(record, prop)
        wanted = value.lower()
        candidates = map(self.tables[name].get, self._unique[name, prop].get(wanted, ()))
        return next((r for r in candidates if r and not r.archived_at and _has(r, prop, wanted)), None)

    def _index(self, record: CrmObject, prop: str) -> None:
        """Note who has had a value of a unique property; whether it still has it is looked at when it is asked for."""
        index = self._unique.get((record.kind.name, prop))
        if index is not None and prop in record.properties:
            index.setdefault(record.properties[prop].lower(), []).append(record.id)

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────

    def now(self) -> datetime:
        """Give the time to the millisecond, which is how HubSpot counts."""
        now = self.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def next_id(self, kind: ObjectType) -> str:
        """Give the id of the next record of a type."""
        return str(kind.first_record + ID_STEP * (len(self.tables[kind.name]) + len(self.merged) + 1))

    def create(
        self, name: str, given: Mapping[str, Any], source: Source = BY_API, *, strict: bool = False
    ) -> CrmObject:
        """Make a record; raises the error that HubSpot answers."""
        kind, now = TYPE_NAMES[name], self.now()
        values = self._checked(kind.name, {"pipeline": "default", **given} if name == "deals" else given, None)
        missing = [prop for prop in NEEDED.get(kind.name, ()) if not values.get(prop)]
        if missing:
            raise validation(
                f"Error creating {kind.singular.upper()}. Some required properties were not set: {missing}"
            )
        made, table = CrmObject(self.next_id(kind), kind, now, now), self.tables[kind.name]
        self._check_deal(made, values, strict=strict)
        self.undo.note(lambda: partial(_forget, table, made.id))
        table[made.id] = made
        self._put(made, values, now, source)
        return made

    def update(
        self, record: CrmObject, given: Mapping[str, Any], source: Source = BY_API, *, strict: bool = False
    ) -> None:
        """Change properties of a record; nothing is changed when one value is refused."""
        values = self._checked(record.kind.name, given, record)
        self._check_deal(record, values, strict=strict)
        now = self.touch(record)
        self._put(record, {n: v for n, v in values.items() if v != record.properties.get(n, "")}, now, source)

    def _put(self, record: CrmObject, values: Mapping[str, str], now: datetime, source: Source) -> None:
        known = self.properties[record.kind.name]
        if values.get("hs_task_status") == "COMPLETED":
            values = {"hs_task_completion_date": stamp(now), **values}
        for prop, value in values.items():
            record.put(prop, value, now, source)
            if known[prop].unique:
                self._index(record, prop)

    def archive(self, record: CrmObject) -> None:
        """Put a record into the recycle bin."""
        if record.kind.name in ENGAGEMENTS:  # what is calculated from it for its deals is calculated anew
            for deal, _ in self.links.of(record.kind.name, record.id, "deals"):
                self.touch(deal)
        record.archived_at = self.now()

    def touch(self, record: CrmObject) -> datetime:
        """Move a record's modification time on, as every change does, also of what is calculated from its links."""
        self.undo.note(record.kept)
        # Two writes of one record never have one modification time, or the second could not be seen.
        record.modified_at = max(self.now(), record.modified_at + timedelta(milliseconds=1))
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

    def _check_deal(self, record: CrmObject, values: Mapping[str, str], *, strict: bool) -> None:
        """Refuse a stage that is not in the deal's pipeline, and what an account's own rules forbid."""
        if record.kind.name != "deals":
            return
        after = {**record.properties, **values}
        pipeline, stage = after.get("pipeline", ""), after.get("dealstage", "")
        if {"dealstage", "pipeline"} & set(values) and (stage not in STAGES or STAGES[stage][0].id != pipeline):
            sentence = f"{stage[:40]} was not one of the stages of the pipeline {pipeline[:40]}"
            raise invalid_values([("dealstage", "INVALID_OPTION", sentence)])
        needed = self.required_in.get(stage, ()) if strict else ()
        missing = [name for name in needed if not after.get(name) and {"dealstage", name} & set(values)]
        if missing:
            sentence = f"is required when dealstage is {stage}"
            raise invalid_values([(name, "REQUIRED_PROPERTY", f"{name} {sentence}") for name in missing])


def not_found(record_id: str) -> VendorError:
    """Give the error for a record that is not there."""
    return VendorError(404, "OBJECT_NOT_FOUND", "Object not found", context={"ids": [record_id]})


def _has(record: CrmObject, prop: str, wanted: str) -> bool:
    return record.properties.get(prop, "").lower() == wanted


def _forget(table: Table, record_id: str) -> None:
    del table[record_id]


def _taken(state: HubSpotState, name: str, prop: Property, value: Any, record: CrmObject | None) -> str:
    """Give a value as it is stored, once owners and unique values are looked at too."""
    text = take(prop, value, record.properties.get(prop.name, "") if record else "")
    hold(state.validations[name].get(prop.name, {}), text)
    if prop.owner and text and (text not in state.owners or state.owners[text].archived):
        raise BadValueError("INVALID_OWNER_ID", f"Owner {text[:40]} does not exist")
    if prop.unique and text:
        other = state.by_unique(name, prop.name, text)
        if other is not None and other is not record:
            message = f"{prop.label} already has the value {text}. Existing ID: {other.id}"
            raise VendorError(409, "CONFLICT", message)
    return text
