"""Make believable model values for tests: every value has a usual form, and every part of it can be overridden.

Connections are called `north` and `south`. The native side of a connection is pipeline `sales` with one native stage
per stage of the process, called `n_` and the stage's id; won and lost are the native stages `n_won` and `n_lost`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.mapping import stage_mapper
from crmbridge.engine.time.calendars import compile_calendar
from crmbridge.model.business_time import Duration
from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Outcome, Plan, Receipt
from crmbridge.model.findings import (
    Evaluation,
    Finding,
    FindingKind,
    Place,
    Severity,
    SlaClock,
    SlaState,
    Visit,
)
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Move, Position, Record, Ref, Status, Tombstone
from crmbridge.model.values import Money, Value
from crmbridge.settings import Settings

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)  # a Wednesday, and the usual `now`
STAGES = ("qualification", "proposal", "closing", "care")  # of the usual process; deals in care are won


def make_ref(number: str | int = "1", *, connection: str = "north", kind: Kind = Kind.DEAL) -> Ref:
    """Make a ref, of a deal unless said otherwise."""
    return Ref(connection, kind, str(number))


def make_position(stage: str = "qualification", *, pipeline: str = "sales", status: Status | None = None) -> Position:
    """Make the usual position of a stage of the usual process; `won` and `lost` are understood too."""
    usual = {"won": Status.WON, "care": Status.WON, "lost": Status.LOST}.get(stage, Status.OPEN)
    return Position(pipeline, f"n_{stage}", status or usual)


def make_deal(
    number: str | int = "1",
    *,
    connection: str = "north",
    stage: str = "qualification",
    fields: Mapping[str, Value] | None = None,
    **overrides: Any,
) -> Record:
    """Make a deal; `fields` are laid over the usual ones, `overrides` name the other parts of a Record."""
    usual: dict[str, Any] = {
        "ref": make_ref(number, connection=connection),
        "fields": {
            "name": f"Deal {number}",
            "amount": Money(Decimal(12000), "EUR"),
            "owner": "7",
            **(fields or {}),
        },
        "version": "v1",
        "created_at": NOON - timedelta(days=9),
        "updated_at": NOON - timedelta(days=1),
        "position": make_position(stage),
    }
    return Record(**{**usual, **overrides})


def make_record(
    kind: Kind, number: str | int = "1", *, connection: str = "north", fields: Mapping[str, Value], **overrides: Any
) -> Record:
    """Make a record of any kind with exactly these fields."""
    usual: dict[str, Any] = {
        "ref": make_ref(number, connection=connection, kind=kind),
        "fields": dict(fields),
        "version": "v1",
        "updated_at": NOON - timedelta(days=1),
    }
    return Record(**{**usual, **overrides})


def make_user(number: str | int = "7", *, connection: str = "north", **fields: Value) -> Record:
    """Make a user; keyword arguments are its fields."""
    usual: dict[str, Value] = {"name": "Rita Prado", "email": f"user{number}@example.com", "active": True}
    return make_record(Kind.USER, number, connection=connection, fields={**usual, **fields})


def make_company(number: str | int = "30", *, connection: str = "north", **fields: Value) -> Record:
    """Make a company; keyword arguments are its fields."""
    usual: dict[str, Value] = {"name": f"Company {number}", "domain": f"company{number}.example"}
    return make_record(Kind.COMPANY, number, connection=connection, fields={**usual, **fields})


def make_contact(number: str | int = "50", *, connection: str = "north", **fields: Value) -> Record:
    """Make a contact; keyword arguments are its fields."""
    usual: dict[str, Value] = {"name": f"Contact {number}", "email": f"contact{number}@example.com"}
    return make_record(Kind.CONTACT, number, connection=connection, fields={**usual, **fields})


def make_tombstone(number: str | int = "1", *, connection: str = "north", **overrides: Any) -> Tombstone:
    """Make the tombstone of a deal."""
    usual: dict[str, Any] = {"ref": make_ref(number, connection=connection), "at": NOON}
    return Tombstone(**{**usual, **overrides})


def make_move(
    before: str | None = "qualification",
    after: str = "proposal",
    *,
    deal: Ref | None = None,
    at: datetime = NOON - timedelta(days=2),
    **overrides: Any,
) -> Move:
    """Make a move between two stages of the usual process; without `before` it is the deal being created."""
    usual: dict[str, Any] = {
        "deal": deal or make_ref(),
        "id": f"{at:%Y%m%d%H%M%S}-{after}",
        "at": at,
        "before": make_position(before) if before else None,
        "after": make_position(after),
    }
    return Move(**{**usual, **overrides})


def make_moves(*steps: tuple[datetime, str], deal: Ref | None = None) -> tuple[Move, ...]:
    """Make a deal's whole history from (time, stage) steps, the first being its creation."""
    befores = [None, *(stage for _, stage in steps)]
    return tuple(
        make_move(before, stage, deal=deal, at=at, id=f"m{index:04}")
        for index, (before, (at, stage)) in enumerate(zip(befores, steps, strict=False), start=1)
    )


def make_stage(stage_id: str = "qualification", **overrides: Any) -> dict[str, Any]:
    """Make a stage as it stands in a process file, owned by the role `seller`."""
    usual = {"id": stage_id, "name": stage_id.capitalize(), "purpose": "Sell.", "owner": "seller"}
    return {**usual, **overrides}


def make_calendar(**overrides: Any) -> dict[str, Any]:
    """Make a calendar as it stands in a process file: Monday to Friday, 09:00 to 17:00 UTC."""
    hours = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    return {"timezone": "UTC", "hours": hours, **overrides}


def make_process(**overrides: Any) -> Process:
    """Make a process of four stages with one exit rule and one SLA; overrides are parts of the process file.

    Qualification leaves with three of four BANT fields, and may last five business days.
    """
    bant = ("bant.budget", "bant.authority", "bant.need", "bant.timeline")
    rule = {"id": "bant", "check": {"at_least": 3, "of": list(bant)}, "message": "BANT {passed}/4: missing {missing}"}
    usual: dict[str, Any] = {
        "version": 1,
        "id": "b2b",
        "name": "Selling",
        "purpose": "Sell well.",
        "leader": "seller",
        "roles": [{"id": "seller", "name": "Seller"}],
        "fields": [{"id": name, "name": name.removeprefix("bant.").capitalize()} for name in bant],
        "calendars": {"office": make_calendar()},
        "stages": [
            make_stage("qualification", exit=[rule], sla={"goal": "5bd", "calendar": "office"}),
            make_stage("proposal"),
            make_stage("closing"),
            make_stage("care", status="won"),
        ],
    }
    return Process.model_validate({**usual, **overrides})


def make_settings(**overrides: Any) -> Settings:
    """Make settings with the connections north and south mapped to the usual process; overrides as in the file."""
    stages = {
        "pipeline": "sales",
        "map": {stage: f"n_{stage}" for stage in STAGES} | {"won": "n_won", "lost": "n_lost"},
    }
    usual: dict[str, Any] = {
        "version": 1,
        "process": "processes/b2b.yaml",
        "connections": {"north": {"adapter": "fake"}, "south": {"adapter": "fake"}},
        "stages": {"north": stages, "south": stages},
    }
    return Settings.model_validate({**usual, **overrides})


def make_change(number: str | int = "1", *, connection: str = "north", **overrides: Any) -> Change:
    """Make a change that sets a deal's name; overrides name the other parts of a Change."""
    usual: dict[str, Any] = {
        "id": f"change-{connection}-{number}",
        "action": Action.UPDATE,
        "origin": Origin.SYNC,
        "connection": connection,
        "target": make_ref(number, connection=connection),
        "edits": (FieldEdit("name", "Before", "After"),),
        "reason": "the other side was changed",
        "expects": "v1",
    }
    return Change(**{**usual, **overrides})


def make_receipt(change: str = "change-north-1", **overrides: Any) -> Receipt:
    """Make the receipt of a change that was applied."""
    return Receipt(**{"change": change, "outcome": Outcome.APPLIED, "ref": make_ref(), **overrides})


def make_plan(*changes: Change, **overrides: Any) -> Plan:
    """Make a plan of these changes."""
    usual: dict[str, Any] = {"id": "plan-1", "made_at": NOON, "settings": "digest", "changes": changes}
    return Plan(**{**usual, **overrides})


def make_finding(rule: str = "qualification.bant", **overrides: Any) -> Finding:
    """Make the finding of a broken exit rule; overrides name the other parts of a Finding."""
    usual: dict[str, Any] = {
        "id": f"finding-{rule}",
        "deal": make_ref(),
        "rule": rule,
        "kind": FindingKind.EXIT_RULE,
        "stage": "qualification",
        "severity": Severity.WARNING,
        "message": "BANT 2/4: missing Budget, Timeline",
        "since": NOON - timedelta(days=2),
        "visit": 1,
    }
    return Finding(**{**usual, **overrides})


def make_visit(stage: str = "qualification", **overrides: Any) -> Visit:
    """Make a deal's first visit in a stage, still running."""
    usual: dict[str, Any] = {
        "deal": make_ref(),
        "stage": stage,
        "number": 1,
        "entered_at": NOON - timedelta(days=9),
    }
    return Visit(**{**usual, **overrides})


def make_clock(**overrides: Any) -> SlaClock:
    """Make an SLA clock that is on time; it runs as long as its visit does."""
    visit = overrides.get("visit") or make_visit()
    usual: dict[str, Any] = {
        "visit": visit,
        "sla": "qualification.sla",
        "calendar": "office",
        "limit": Duration.parse("5bd"),
        "goal": timedelta(hours=40),
        "started_at": visit.entered_at,
        "ended_at": visit.left_at,
        "elapsed": timedelta(hours=8),
        "due_at": NOON + timedelta(days=4),
        "state": SlaState.ON_TIME,
    }
    return SlaClock(**{**usual, **overrides})


def make_evaluation(*findings: Finding, **overrides: Any) -> Evaluation:
    """Make the evaluation of a deal in qualification with these findings."""
    usual: dict[str, Any] = {
        "deal": findings[0].deal if findings else make_ref(),
        "at": NOON,
        "place": Place("qualification", Status.OPEN),
        "visits": (make_visit(),),
        "clocks": (),
        "readiness": (),
        "judged": (),
        "findings": findings,
    }
    return Evaluation(**{**usual, **overrides})


def make_subject(
    *moves: Move,
    deal: Record | None = None,
    process: Process | None = None,
    settings: Settings | None = None,
    **overrides: Any,
) -> Subject:
    """Make what `evaluate` takes: a deal in qualification without moves, unless said otherwise; no public holidays."""
    deal, process, settings = deal or make_deal(), process or make_process(), settings or make_settings()
    connection = deal.ref.connection
    usual: dict[str, Any] = {
        "deal": deal,
        "moves": moves,
        "process": process,
        "settings": settings,
        "calendars": {name: compile_calendar(calendar, ()) for name, calendar in process.calendars.items()},
        "mapper": stage_mapper(connection, process, settings.stages.get(connection)),
    }
    return Subject(**{**usual, **overrides})
