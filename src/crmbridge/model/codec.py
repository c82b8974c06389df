"""The one JSON form of changes, plans, findings and journal rows, for the state and for plan files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from crmbridge.model.changes import (
    Action,
    Blocked,
    Cause,
    Change,
    Edited,
    FieldEdit,
    JournalEntry,
    Origin,
    Plan,
)
from crmbridge.model.findings import Finding, Waived
from crmbridge.model.records import Kind, Position, Problem, Ref, Status
from crmbridge.model.values import fields_from_json, fields_to_json, from_json, iso, parse_iso, to_json

T = TypeVar("T")
Json = dict[str, Any]

PLAN_VERSION = 2

_CHANGE = ("id", "action", "origin", "connection", "edits", "reason")
_CHANGE_MAYBE = ("target", "position", "position_before", "key", "expects", "link", "finding", "creates", "linked")
_BLOCKED = ("link", "deal", "name", "reason", "values")
_PLAN = ("version", "id", "made_at", "settings", "changes", "blocked", "cursors")


# ── Parts ───────────────────────────────────────────────────────────────────────────────────────────────


def ref_to_json(ref: Ref) -> list[str]:
    """Write a ref as its three parts."""
    return [ref.connection, ref.kind.value, ref.id]


def ref_from_json(data: Any) -> Ref:
    """Read back what `ref_to_json` wrote; raises ValueError for anything else."""
    match data:
        case [str(connection), str(kind), str(record)]:
            return Ref(connection, Kind(kind), record)
        case _:
            raise ValueError(f"not a ref: {data!r}")


def position_to_json(position: Position) -> list[str]:
    """Write a position as pipeline, stage and status."""
    return [position.pipeline, position.stage, position.status.value]


def position_from_json(data: Any) -> Position:
    """Read back what `position_to_json` wrote; raises ValueError for anything else."""
    match data:
        case [str(pipeline), str(stage), str(status)]:
            return Position(pipeline, stage, Status(status))
        case _:
            raise ValueError(f"not a position: {data!r}")


def problems_to_json(problems: Sequence[Problem]) -> list[list[str]]:
    """Write a record's problems as path, message and field."""
    return [[problem.path, problem.message, problem.field] for problem in problems]


def problems_from_json(data: Any) -> tuple[Problem, ...]:
    """Read back what `problems_to_json` wrote; raises ValueError for anything else."""
    return tuple(_problem(item) for item in _list(data, "problems"))


def _problem(data: Any) -> Problem:
    match data:
        case [str(path), str(message)]:  # of an earlier version
            return Problem(path, message)
        case [str(path), str(message), str(field)]:
            return Problem(path, message, field)
        case _:
            raise ValueError(f"not a problem: {data!r}")


# ── Changes and plans ───────────────────────────────────────────────────────────────────────────────────


def change_to_json(change: Change) -> Json:
    """Write a change; what it does not have is left out."""
    data = {
        "id": change.id,
        "action": change.action.value,
        "origin": change.origin.value,
        "connection": change.connection,
        "target": _maybe(ref_to_json, change.target),
        "edits": [[edit.name, to_json(edit.before), to_json(edit.after)] for edit in change.edits],
        "reason": change.reason,
        "position": _maybe(position_to_json, change.position),
        "position_before": _maybe(position_to_json, change.position_before),
        "key": change.key,
        "expects": change.expects,
        "link": change.link,
        "finding": change.finding,
        "creates": change.creates.value if change.creates is not Kind.DEAL else None,
        "linked": list(change.linked) or None,
    }
    return {name: value for name, value in data.items() if value is not None}


def change_from_json(data: Any) -> Change:
    """Read back what `change_to_json` wrote; raises ValueError for anything else.

    A part that a change need not have may be missing, so that rows of an earlier crmbridge can be read.
    """
    body = _object(data, "change", _CHANGE, _CHANGE_MAYBE)
    return Change(
        id=_text(body, "id"),
        action=Action(_text(body, "action")),
        origin=Origin(_text(body, "origin")),
        connection=_text(body, "connection"),
        target=_maybe(ref_from_json, body.get("target")),
        edits=tuple(_edit(item) for item in _list(body["edits"], "edits")),
        reason=_text(body, "reason"),
        position=_maybe(position_from_json, body.get("position")),
        position_before=_maybe(position_from_json, body.get("position_before")),
        key=_text_or_none(body, "key"),
        expects=_text_or_none(body, "expects"),
        link=_text_or_none(body, "link"),
        finding=_text_or_none(body, "finding"),
        creates=Kind(body.get("creates", Kind.DEAL)),
        linked=tuple(map(str, _list(body.get("linked", []), "linked"))),
    )


def _edit(data: Any) -> FieldEdit:
    match data:
        case [str(name), before, after]:
            return FieldEdit(name, from_json(before), from_json(after))
        case _:
            raise ValueError(f"not an edit: {data!r}")


def blocked_to_json(blocked: Blocked) -> Json:
    """Write what a plan left for a person."""
    return {
        "link": blocked.link,
        "deal": ref_to_json(blocked.deal),
        "name": blocked.name,
        "reason": blocked.reason,
        "values": fields_to_json(blocked.values),
        "cause": blocked.cause.value,
        "edited": {name: [iso(edited.at), edited.by] for name, edited in blocked.edited.items()},
    }


def blocked_from_json(data: Any) -> Blocked:
    """Read back what `blocked_to_json` wrote; raises ValueError for anything else."""
    body = _object(data, "blocked entry", _BLOCKED, ("cause", "edited"))
    edited = _mapping(body.get("edited", {}), "edited")
    return Blocked(
        link=_text(body, "link"),
        deal=ref_from_json(body["deal"]),
        name=_text(body, "name"),
        reason=_text(body, "reason"),
        values=fields_from_json(_mapping(body["values"], "values")),
        cause=Cause(body.get("cause", Cause.CONFLICT)),
        edited={name: _edited(edited[name]) for name in edited},
    )


def _edited(data: Any) -> Edited:
    match data:
        case [str(at), (str() | None) as by]:
            return Edited(parse_iso(at), by)
        case _:
            raise ValueError(f"not an edit of a record: {data!r}")


def plan_to_json(plan: Plan) -> Json:
    """Write a whole plan, as it stands in a plan file."""
    return {
        "version": plan.version,
        "id": plan.id,
        "made_at": iso(plan.made_at),
        "settings": plan.settings,
        "changes": [change_to_json(change) for change in plan.changes],
        "blocked": [blocked_to_json(blocked) for blocked in plan.blocked],
        "cursors": {name: plan.cursors[name] for name in sorted(plan.cursors)},
    }


def plan_from_json(data: Any) -> Plan:
    """Read back what `plan_to_json` wrote; raises ValueError for anything else, other plan versions included."""
    body = _object(data, "plan", _PLAN)
    if (version := _number(body, "version")) != PLAN_VERSION:
        raise ValueError(f"a plan of version {version}; this crmbridge reads version {PLAN_VERSION}")
    cursors = _mapping(body["cursors"], "cursors")
    return Plan(
        id=_text(body, "id"),
        made_at=parse_iso(_text(body, "made_at")),
        settings=_text(body, "settings"),
        changes=tuple(change_from_json(item) for item in _list(body["changes"], "changes")),
        blocked=tuple(blocked_from_json(item) for item in _list(body["blocked"], "blocked")),
        cursors={name: _text(cursors, name) for name in cursors},
        version=PLAN_VERSION,
    )


# ── Findings and journal rows ───────────────────────────────────────────────────────────────────────────


def finding_to_json(finding: Finding) -> Json:
    """Write a finding; what it does not have is left out."""
    data = {
        "id": finding.id,
        "deal": ref_to_json(finding.deal),
        "rule": finding.rule,
        "kind": finding.kind.value,
        "stage": finding.stage,
        "severity": finding.severity.value,
        "message": finding.message,
        "since": iso(finding.since),
        "seen": fields_to_json(finding.seen),
        "visit": finding.visit,
        "path": finding.path,
        "waived": _maybe(waived_to_json, finding.waived),
    }
    return {name: value for name, value in data.items() if value is not None}


def waived_to_json(waived: Waived) -> Json:
    """Write by whom and why a finding is accepted, and until when."""
    return {"by": waived.by, "why": waived.why, "until": _maybe(iso, waived.until)}


def entry_to_json(entry: JournalEntry) -> Json:
    """Write a journal row; an intent has no outcome."""
    data = {
        "seq": entry.seq,
        "run": entry.run,
        "at": iso(entry.at),
        "change": change_to_json(entry.change),
        "outcome": entry.outcome.value if entry.outcome else None,
        "ref": _maybe(ref_to_json, entry.ref),
        "message": entry.message,
    }
    return {name: value for name, value in data.items() if value is not None}


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────


def _maybe(convert: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else convert(value)


def _object(data: Any, what: str, needed: Sequence[str], maybe: Sequence[str] = ()) -> Mapping[str, Any]:
    body = _mapping(data, what)
    if missing := [name for name in needed if name not in body]:
        raise ValueError(f"a {what} without {', '.join(missing)}")
    if unknown := sorted(set(body) - {*needed, *maybe}):
        raise ValueError(f"a {what} with unknown {', '.join(unknown)}")
    return body


def _mapping(data: Any, what: str) -> Mapping[str, Any]:
    return _typed(data, dict, f"{what} is not an object")


def _list(data: Any, what: str) -> list[Any]:
    return _typed(data, list, f"{what} is not a list")


def _text(data: Mapping[str, Any], name: str) -> str:
    return _typed(data[name], str, f"{name} is not text")


def _number(data: Mapping[str, Any], name: str) -> int:
    return _typed(data[name], int, f"{name} is not a whole number")


def _typed(value: Any, kind: type[T], complaint: str) -> T:
    if type(value) is kind:  # exactly: a bool is no number here
        return value
    raise ValueError(f"{complaint}: {value!r}")


def _text_or_none(data: Mapping[str, Any], name: str) -> str | None:
    return None if data.get(name) is None else _text(data, name)
