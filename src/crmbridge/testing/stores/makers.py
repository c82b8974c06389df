"""Small values to fill a state store with in tests; each maker takes what the test is about and fills in the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmbridge.model.changes import Action, Change, FieldEdit, Origin
from crmbridge.model.findings import (
    Evaluation,
    Finding,
    FindingKind,
    Place,
    Severity,
)
from crmbridge.model.records import Kind, Move, Position, Record, Ref, Status
from crmbridge.model.values import Money
from crmbridge.ports import Page, StateStore

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN = Position("default", "qualified", Status.OPEN)
WON = Position("default", "closedwon", Status.WON)


def make_ref(id_: str = "1", connection: str = "hs", kind: Kind = Kind.DEAL) -> Ref:
    """Name a record; deal 1 in hs when nothing else is said."""
    return Ref(connection, kind, id_)


def make_record(id_: str = "1", *, connection: str = "hs", kind: Kind = Kind.DEAL, **other: Any) -> Record:
    """Make a record; deal 1 in hs, seen at START, when nothing else is said."""
    usual: dict[str, Any] = {
        "fields": {"name": f"Deal {id_}"},
        "version": "v1",
        "updated_at": START,
        "position": OPEN if kind is Kind.DEAL else None,
    }
    return Record(ref=make_ref(id_, connection, kind), **usual | other)


def make_move(id_: str = "m1", *, deal: str = "1", **other: Any) -> Move:
    """Make a move of a deal in hs; its first one when nothing else is said."""
    usual: dict[str, Any] = {"at": START, "before": None, "after": OPEN}
    return Move(deal=make_ref(deal), id=id_, **usual | other)


def make_change(id_: str = "c1", **other: Any) -> Change:
    """Make a change; an amount of deal 1 in hs when nothing else is said."""
    usual: dict[str, Any] = {
        "action": Action.UPDATE,
        "origin": Origin.SYNC,
        "connection": "hs",
        "target": make_ref(),
        "edits": (FieldEdit("amount", None, Money(Decimal("10.50"), "EUR")),),
        "reason": "amount changed in sf",
    }
    return Change(id=id_, **usual | other)


def make_finding(id_: str = "f1", *, deal: str = "1", **other: Any) -> Finding:
    """Make a finding about a deal in hs."""
    usual: dict[str, Any] = {
        "rule": "qualification.bant",
        "kind": FindingKind.EXIT_RULE,
        "stage": "qualification",
        "severity": Severity.WARNING,
        "message": "BANT 2/4",
        "since": START,
    }
    return Finding(id=id_, deal=make_ref(deal), **usual | other)


def make_evaluation(deal: str = "1", *findings: Finding, **other: Any) -> Evaluation:
    """Make an evaluation of a deal in hs with these findings."""
    usual: dict[str, Any] = {
        "at": START,
        "place": Place("qualification", Status.OPEN),
        "visits": (),
        "clocks": (),
        "readiness": (),
        "judged": (),
    }
    return Evaluation(deal=make_ref(deal), findings=findings, **usual | other)


def make_page(*records: Record, cursor: str = "next", **other: Any) -> Page:
    """Make a page of records."""
    return Page(records=records, cursor=cursor, **other)


def save(store: StateStore, page: Page, connection: str = "hs", kind: Kind = Kind.DEAL, at: datetime = START) -> None:
    """Save a page of deals of hs."""
    store.records.save_page(connection, kind, page, at)


def deals(store: StateStore) -> dict[str, Record]:
    """Give the deals of hs by id."""
    return {record.ref.id: record for record in store.records.records("hs", Kind.DEAL)}
