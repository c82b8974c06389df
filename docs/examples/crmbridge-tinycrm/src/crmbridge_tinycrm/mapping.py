"""Turns TinyCRM's JSON into canonical records and moves, and changes into TinyCRM's JSON; sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crmbridge.errors import RefusedError
from crmbridge.model.changes import Action, Change, FieldEdit
from crmbridge.model.records import Kind, Move, Position, Problem, Record, Ref, Status, Tombstone
from crmbridge.model.values import FieldType, Money, Value, iso, parse_iso
from crmbridge.ports import FieldBinding, Page
from crmbridge_tinycrm.terms import PIPELINE

PATHS = {
    Kind.USER: "users",
    Kind.COMPANY: "companies",
    Kind.CONTACT: "contacts",
    Kind.DEAL: "deals",
    Kind.ACTIVITY: "activities",
    Kind.NOTE: "notes",
}
PLACES = {**PATHS, Kind.TASK: "activities"}  # a task that we wrote is read as an activity
PLAIN = {
    Kind.USER: ("name", "email", "active"),
    Kind.COMPANY: ("name", "domain"),
    Kind.CONTACT: ("name", "email", "title", "company"),
    Kind.DEAL: ("name", "owner", "company", "source", "lost_reason"),
    Kind.ACTIVITY: ("type", "subject", "done", "owner"),
    Kind.NOTE: ("body", "owner"),
}
TYPES = {"text": FieldType.TEXT, "yesno": FieldType.BOOL, "number": FieldType.NUMBER, "day": FieldType.DATE}
CLOSED = {"yes": Status.WON, "no": Status.LOST}
Json = Mapping[str, Any]


class Mapper:
    """Reads and writes the records of one connection, with the fields that its settings bind."""

    def __init__(self, connection: str, bindings: Sequence[FieldBinding]) -> None:
        self._connection = connection
        self._bindings = bindings

    def page(self, kind: Kind, items: Sequence[Json], cursor: str) -> Page:
        """Read one page of the change feed."""
        there = [item for item in items if "deleted_at" not in item]
        gone = [item for item in items if "deleted_at" in item]
        return Page(
            records=tuple(self.record(kind, item) for item in there),
            moves=tuple(move for item in there if kind is Kind.DEAL for move in self.moves(item)),
            tombstones=tuple(self.tombstone(kind, item) for item in gone),
            cursor=cursor,
        )

    def tombstone(self, kind: Kind, item: Json) -> Tombstone:
        """Read that a record is gone; one that was merged says into which."""
        into = item.get("merged_into")
        at = parse_iso(item["deleted_at"])
        return Tombstone(ref=self.ref(kind, item["id"]), at=at, merged_into=self.ref(kind, into) if into else None)

    def record(self, kind: Kind, item: Json) -> Record:
        """Read one record. A value that can't be read becomes a problem; the record is kept."""
        fields: dict[str, Value] = {name: item.get(name) for name in PLAIN[kind]}
        problems: list[Problem] = []
        if kind is Kind.DEAL:
            fields |= _deal_fields(item)
            for binding in self._bindings:
                try:
                    fields[binding.name] = read_value(item["values"].get(binding.native), binding.type)
                except (ValueError, ArithmeticError) as error:
                    problems.append(Problem(binding.native, str(error), binding.name))
        elif kind in {Kind.ACTIVITY, Kind.NOTE}:
            fields |= _attached_fields(item)
        return Record(
            ref=self.ref(kind, item["id"]),
            fields=fields,
            version=str(item["seq"]),
            created_at=parse_iso(item["created_at"]),
            updated_at=parse_iso(item["updated_at"]),
            position=position(item["stage"]) if kind is Kind.DEAL else None,
            key=item.get("key"),
            updated_by=item.get("by"),
            problems=tuple(problems),
        )

    def moves(self, item: Json) -> list[Move]:
        """Read a deal's whole history; the first move is its creation."""
        stops = item["history"]
        before = [None, *(position(stop["stage"]) for stop in stops)]
        return [
            Move(
                deal=self.ref(Kind.DEAL, item["id"]),
                id=str(stop["number"]),
                at=parse_iso(stop["at"]),
                before=left,
                after=position(stop["stage"]),
            )
            for left, stop in zip(before, stops, strict=False)
        ]

    def deal_body(self, change: Change) -> dict[str, Any]:
        """Write what a change says of a deal; raises RefusedError for a field that TinyCRM does not have."""
        bound = {binding.name: binding.native for binding in self._bindings}
        body: dict[str, Any] = {"values": {}}
        for name, value in change.after.items():
            if name in bound:
                body["values"][bound[name]] = write_value(value)
            elif name in (*PLAIN[Kind.DEAL], "amount", "close_date", "contacts"):
                body[name] = write_value(value)
            else:
                raise RefusedError(f"TinyCRM has no field for {name}")
        for edit in change.edits:
            if edit.name == "contacts" and change.action is Action.UPDATE:
                body["contacts"] = added_and_removed(edit)
        if change.position is not None:
            body["stage"] = change.position.stage
        return body

    def counterpart_body(self, change: Change) -> dict[str, Any]:
        """Write a company or contact; raises RefusedError for a field that TinyCRM does not have."""
        for name in change.after:
            if name not in PLAIN[change.creates]:
                raise RefusedError(f"TinyCRM has no field for the {name} of a {change.creates}")
        return {name: write_value(value) for name, value in change.after.items()}

    def attached_body(self, change: Change) -> dict[str, Any]:
        """Write a task or note, with the marker that finds it again."""
        target = change.target
        if target is None:
            raise RefusedError("A task or note needs a record to hang on")
        values = {name: write_value(value) for name, value in change.after.items()}
        if change.action is Action.TASK:
            values |= {"type": "task", "done": False, "at": values.pop("due_at", None)}
        return {**values, "on": on(target), "marker": change.key}

    def field_body(self, change: Change) -> dict[str, Any]:
        """Write a field that the account's deals shall have; raises RefusedError for one that TinyCRM can't make."""
        asked = change.after
        native = next((name for name, type_ in TYPES.items() if type_ == asked["type"]), None)
        if native is None or asked.get("unique"):
            raise RefusedError(f"TinyCRM has no unique fields, and none of type {asked['type']}")
        return {"name": asked["name"], "label": asked["label"], "type": native}

    def ref(self, kind: Kind, native_id: str) -> Ref:
        """Name a record of this connection."""
        return Ref(self._connection, kind, native_id)


def on(target: Ref) -> str:
    """Write what something hangs on as TinyCRM does."""
    return f"{PLACES[target.kind]}/{target.id}"


def added_and_removed(edit: FieldEdit) -> dict[str, list[str]]:
    """Write an edit of a set as what it adds and removes: what others put there meanwhile stays."""
    old, new = (set(value) if isinstance(value, tuple) else set() for value in (edit.before, edit.after))
    return {"add": sorted(new - old), "remove": sorted(old - new)}


def hangs_on(text: str, kind: Kind) -> tuple[str, ...]:
    """Read what something hangs on: the ids of that kind, of which TinyCRM has one at most."""
    path, _, native_id = text.partition("/")
    return (native_id,) if path == PATHS[kind] else ()


def position(stage: str) -> Position:
    """Give the position of a stage; TinyCRM has one pipeline, and won and lost are stages of it."""
    return Position(PIPELINE, stage, CLOSED.get(stage, Status.OPEN))


def read_value(value: Any, kind: FieldType) -> Value:
    """Read a value of the account's own fields; raises ValueError when it is not of that kind."""
    if value is None:
        return None
    match kind:
        case FieldType.BOOL if isinstance(value, bool):
            return value
        case FieldType.NUMBER:
            return Decimal(str(value))
        case FieldType.DATE:
            return date.fromisoformat(value)
        case FieldType.BOOL:
            raise ValueError(f"{value!r} is neither yes nor no")
        case _:
            return str(value)


def write_value(value: Value) -> Any:
    """Write a value as TinyCRM takes it."""
    match value:
        case Money():
            return {"amount": str(value.amount), "currency": value.currency}
        case tuple():
            return list(value)
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case _:
            return value


def _deal_fields(item: Json) -> dict[str, Value]:
    amount, counts = item["amount"], item["activities"]
    return {
        "amount": Money(Decimal(amount["amount"]), amount["currency"]) if amount else None,
        "close_date": date.fromisoformat(item["close_date"]) if item["close_date"] else None,
        "contacts": tuple(sorted(item["contacts"])),
        "activities": counts["done"] + counts["open"],
        "activities_done": counts["done"],
        "activities_open": counts["open"],
    }


def _attached_fields(item: Json) -> dict[str, Value]:
    company = hangs_on(item["on"], Kind.COMPANY)
    return {
        "at": parse_iso(item["at"]) if item["at"] else None,
        "deals": hangs_on(item["on"], Kind.DEAL),
        "company": company[0] if company else None,
        "contacts": hangs_on(item["on"], Kind.CONTACT),
    }
