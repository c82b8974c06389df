"""Changes turned into the rows that an org is sent; what it would swallow wrongly is refused here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from crmbridge.adapting import NotReadyError
from crmbridge.errors import RefusedError
from crmbridge.model.changes import Action, Change, FieldEdit
from crmbridge.model.records import Kind, Position
from crmbridge.model.values import Fields, FieldType, Money, Value, is_empty
from crmbridge_salesforce.days import day_in, time_of
from crmbridge_salesforce.mapping import OBJECTS, Shape
from crmbridge_salesforce.schema import DEFAULT_PIPELINE, MASTER, Column, Table
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.values import NO_CURRENCY, encode

# The custom object for figures, and its fields.
INDICATORS = "CrmBridge_Indicator__c"
INDICATOR_KEY = "Key__c"
INDICATOR_FIELDS = MappingProxyType(
    {
        "report": "Report__c",
        "indicator": "Indicator__c",
        "name": "Label__c",
        "period": "Period__c",
        "value": "Value__c",
        "unit": "Unit__c",
        "target": "Target__c",
        "as_of": "As_Of__c",
    }
)
CURRENCY = "CurrencyIsoCode"  # of all amounts of a row, in an org with several currencies
NOTE_SUBJECT = "Note by crmbridge"  # a note is a task that is done, because every org has tasks; it is no activity
LONGEST_SUBJECT = 255
LONGEST_DESCRIPTION = 32_000
Payload = dict[str, Any]


class Encoder:
    """Writes the rows of changes; every method raises RefusedError with the reason when a change can't be written."""

    def __init__(self, setup: Setup, shape_of: Callable[[Kind], Shape]) -> None:
        self._setup = setup
        self._shape_of = shape_of
        self._shape = shape_of(Kind.DEAL)

    def row(self, change: Change) -> Payload:
        """Write the row that makes a change, with its type and, for an update, the deal's id.

        A change that is refused waits for a person: not for what the org lacked before an admin made it.
        """
        try:
            return self._row(change)
        except RefusedError:
            self._setup.forget_old()  # unless another batch has just done so
            return self._row(change)

    def fields_in(self, change: Change, columns: Collection[str]) -> tuple[str, ...]:
        """Name the fields of a deal's update that are written to some of these columns."""
        table = self._setup.table(self._shape.object)
        return tuple(edit.name for edit in change.edits if not _columns(table, self._shape, edit).isdisjoint(columns))

    def _row(self, change: Change) -> Payload:
        match change.action:
            case Action.TASK:
                return self._task(change)
            case Action.NOTE:
                return self._note(change)
            case Action.ARCHIVE:
                return {"id": target_id(change)}
            case Action.CREATE | Action.UPDATE if change.kind is not Kind.DEAL:
                return self._beside_deals(change)
            case _:
                return self._deal(change)

    def _beside_deals(self, change: Change) -> Payload:
        """Write the row of a new company or contact, or of a report's figures."""
        if change.creates is Kind.FIGURE:
            return indicator_row(change, self._setup.table_if_there(INDICATORS))
        if change.action is Action.UPDATE:
            return figures_row(change, self._setup.table(OBJECTS[change.kind]))
        return self._party(change)

    def _party(self, change: Change) -> Payload:
        """Write the row of a new company or contact. A name is needed; where there is none, what it is known by."""
        shape = self._shape_of(change.creates)
        table = self._setup.table(shape.object)
        known_by = change.after.get("domain" if change.creates is Kind.COMPANY else "email")
        name = str(change.after.get("name") or "").strip() or str(known_by or "").strip()
        if not name:
            raise RefusedError(f"A {change.creates} without a name can't be created")
        row: Payload = {"attributes": {"type": table.name}}
        row.update({"Name": name} if change.creates is Kind.COMPANY else person(name))
        for field, value in change.after.items():
            if field != "name" and not is_empty(value):
                row.update(self._field(shape, table, field, value, creating=True))
        return row

    def _deal(self, change: Change) -> Payload:
        table = self._setup.table(self._shape.object)
        row: Payload = {"attributes": {"type": table.name}}
        creating = change.action is Action.CREATE
        if not creating:
            row["id"] = target_id(change)
        for name, value in change.after.items():
            if name != "contacts":
                row.update(self._field(self._shape, table, name, value, creating=creating))
        if change.position is not None:
            row.update(self._place(table, change.position, change.position_before))
        if creating and change.key is not None:
            row[self._key_column(table).name] = change.key
        return row

    def _field(self, shape: Shape, table: Table, name: str, value: Value, *, creating: bool) -> Payload:
        binding = shape.binding(name)
        column = table.find(binding.native) if binding else None
        if binding is None or column is None:
            where = f"field {binding.native}" if binding else f"field for {name!r}"
            raise RefusedError(f"The org has no {where}, or the user may not see it")
        if not (column.createable if creating else column.updateable):
            raise RefusedError(f"{column.name} can't be written: the org computes it, or the user may only read it")
        if type(value) is date and binding.type is FieldType.DATE and column.type == "datetime":
            value = time_of(self._setup.zone(), value)
        row: Payload = {column.name: encode(column, value)}
        if isinstance(value, Money):
            row.update(self._currency(table, value))
        return row

    def _currency(self, table: Table, money: Money) -> Payload:
        """Name the currency where the org has several; refuse an amount that would change its meaning."""
        column = table.columns.get(CURRENCY)
        known = currencies(table, self._shape.currency)
        if not known:
            raise NotReadyError(f"{money} can't be written: {NO_CURRENCY}")
        if money.currency not in known:
            raise RefusedError(f"The org keeps amounts in {', '.join(known)}; {money} can't be written")
        return {CURRENCY: money.currency} if column else {}

    def _place(self, table: Table, place: Position, before: Position | None) -> Payload:
        # The org accepts any text as a stage and calls the deal open, so unknown stages are refused here.
        stage = self._setup.stages().get(place.stage)
        if stage is None or not stage.active:
            raise RefusedError(f"The org has no active stage {place.stage!r}")
        row: Payload = {"StageName": stage.id}
        if place.pipeline != (before.pipeline if before else DEFAULT_PIPELINE):
            row.update(_record_type(table, place.pipeline))
        return row

    def _key_column(self, table: Table) -> Column:
        column = table.columns.get(self._shape.key_field)
        if column is None or not (column.external_id and column.unique):
            raise NotReadyError(
                f"Opportunity has no unique external id field {self._shape.key_field}, which keeps deals from doubling",
                advice="Add it as Text(255), External ID and Unique, and let the integration user see and edit it.",
            )
        return column

    def _task(self, change: Change) -> Payload:
        wanted = change.after
        row = self._activity(change, str(wanted.get("subject") or "Task"))
        return {**row, **_when_and_whose(wanted, self._setup.zone)}

    def amended(self, change: Change, task: str) -> Payload:
        """Write the row that changes a task: only what changes, and whether it is done."""
        after = change.after
        row: Payload = {"attributes": {"type": "Task"}, "id": task, **_when_and_whose(after, self._setup.zone)}
        if "subject" in after:
            row["Subject"] = cut(str(after["subject"] or "Task"), LONGEST_SUBJECT)
        if "body" in after:
            row["Description"] = marked(str(after["body"] or ""), change.key)
        if "done" in after:
            row["Status"] = self._setup.task_status(done=bool(after["done"]))
        return row

    def _note(self, change: Change) -> Payload:
        # No ActivityDate: a dated task that is done would count as the deal's last activity.
        return {**self._activity(change, NOTE_SUBJECT), "Status": self._setup.task_status(done=True)}

    def _activity(self, change: Change, subject: str) -> Payload:
        target = change.target
        place = "WhoId" if target is not None and target.kind is Kind.CONTACT else "WhatId"
        return {
            "attributes": {"type": "Task"},
            place: target_id(change),
            "Subject": cut(subject, LONGEST_SUBJECT),
            "Description": marked(str(change.after.get("body") or ""), change.key),
        }


def indicator_row(change: Change, table: Table | None) -> Payload:
    """Write the row of one figure in the custom object for them, which is set by its key ("Upsert")."""
    if table is None:
        raise RefusedError(
            f"The org has no object {INDICATORS}, or the user may not see it; the guide tells its fields"
        )
    row: Payload = {"attributes": {"type": table.name}, INDICATOR_KEY: change.key}
    for name, value in change.after.items():
        column = table.columns.get(INDICATOR_FIELDS[name])
        if column is not None:  # an org may leave out what it does not want
            row[column.name] = encode(column, value)
    if not {INDICATOR_KEY, INDICATOR_FIELDS["value"]} <= table.columns.keys():
        raise RefusedError(f"{INDICATORS} needs the fields {INDICATOR_KEY} and {INDICATOR_FIELDS['value']}")
    return row


def figures_row(change: Change, table: Table) -> Payload:
    """Write the row of a report's figures: an account's or user's own fields, by their API names."""
    row: Payload = {"attributes": {"type": table.name}, "id": target_id(change)}
    for name, written in change.after.items():
        column, value = table.columns.get(name), written
        if column is None:
            raise RefusedError(f"{table.name} has no field {name}, or the user may not see it")
        if not column.updateable:
            raise RefusedError(f"{column.name} can't be written: the org computes it, or the user may only read it")
        if column.type == "percent" and isinstance(value, Decimal):
            value *= 100  # which people read as 22.5 %
        row[column.name] = encode(column, value)
    return row


def figure_of(column: Column, cell: Any) -> Value:
    """Read a figure from an account's or user's field; what is no number stays text."""
    if cell is None or isinstance(cell, bool | str):
        return cell
    number = Decimal(str(cell))
    return number / 100 if column.type == "percent" else number


def _when_and_whose(wanted: Fields, zone: Callable[[], tzinfo]) -> Payload:
    """Write the day that a task is due on in the org's zone, and its owner, as far as it says."""
    row: Payload = {}
    if isinstance(due := wanted.get("due_at"), datetime):
        row["ActivityDate"] = day_in(zone(), due).isoformat()
    if wanted.get("owner"):
        row["OwnerId"] = wanted["owner"]
    return row


def currencies(table: Table, said: str | None) -> tuple[str, ...]:
    """Give the currencies that an org lets users choose; in an org with one currency what the connection said of it."""
    column = table.columns.get(CURRENCY)
    if column is None:
        return () if said is None else (said,)
    return tuple(option.value for option in column.options if option.active)


def person(name: str) -> Payload:
    """Split a name as the org keeps it: the last word is the last name, which everybody has."""
    first, _, last = name.rpartition(" ")
    return {"FirstName": first.rstrip(), "LastName": last} if first else {"LastName": last}


def _columns(table: Table, shape: Shape, edit: FieldEdit) -> frozenset[str]:
    if edit.name == "stage":
        return frozenset({"StageName", "RecordTypeId"})
    binding = shape.binding(edit.name)
    column = table.find(binding.native) if binding else None
    more = {CURRENCY} if isinstance(edit.after, Money) else set()
    return frozenset({column.name, *more} if column else more)


def _record_type(table: Table, pipeline: str) -> Payload:
    if pipeline == DEFAULT_PIPELINE and "RecordTypeId" in table.columns:
        return {"RecordTypeId": MASTER}
    if pipeline not in {kind.id for kind in table.record_types} or "RecordTypeId" not in table.columns:
        raise RefusedError(f"The org has no record type {pipeline!r} for opportunities")
    return {"RecordTypeId": pipeline}


def target_id(change: Change) -> str:
    """Give the id of what a change is made to; raises RefusedError when the change names nothing."""
    if change.target is None:
        raise RefusedError(f"The change {change.id} names no record to write to")
    return change.target.id


def marked(body: str, marker: str | None) -> str:
    """Put the marker on a line of its own below a text, which gives way where both don't fit."""
    if not marker:
        return cut(body, LONGEST_DESCRIPTION)
    return f"{cut(body, LONGEST_DESCRIPTION - len(marker) - 2)}\n\n{marker}"


def has_marker(description: Any, marker: str) -> bool:
    """Tell whether a text carries a marker on a line of its own; people may have written around it."""
    return marker in (line.strip() for line in str(description or "").splitlines())


def cut(text: str, limit: int) -> str:
    """Shorten a text that the column would refuse."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
