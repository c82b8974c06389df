"""Findings and what happened to them as rows, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from crmbridge.model.findings import Finding, FindingKind, Severity, Waived
from crmbridge.model.lives import FindingEvent, Known, Life, Turn
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import fields_from_json, fields_to_json
from crmbridge.store.refs import by_kind
from crmbridge.store.sql import schema
from crmbridge.store.sql.typed import typed_among

_findings, _events = schema.findings, schema.finding_events


def known_findings(open_: Connection, deals: Iterable[Ref]) -> Iterator[Known]:
    """Give all findings that these deals have or had."""
    for connection, _, ids in by_kind(deals):
        rows = typed_among(open_, _findings, "deal", ids, {"connection": connection})
        yield from map(known, sorted(rows, key=lambda row: str(row.id)))


def finding_row(finding: Finding, life: Life) -> dict[str, Any]:
    """Write a finding that holds, with its life."""
    waived = finding.waived or Waived("", "")
    return {
        "id": finding.id,
        "connection": finding.deal.connection,
        "deal": finding.deal.id,
        "rule": finding.rule,
        "kind": finding.kind,
        "stage": finding.stage,
        "severity": finding.severity,
        "message": finding.message,
        "since": finding.since,
        "seen": fields_to_json(finding.seen),
        "visit": finding.visit,
        "path": finding.path,
        "opened_at": life.opened_at,
        "cleared_at": life.cleared_at,
        "waived_by": waived.by if finding.waived else None,
        "waived_why": waived.why if finding.waived else None,
        "waived_until": waived.until,
        "asks_since": life.asks_since,
        "openings": life.openings,
    }


def finding(row: Row[Any]) -> Finding:
    """Read a finding."""
    waived = None if row.waived_by is None else Waived(row.waived_by, row.waived_why or "", row.waived_until)
    return Finding(
        id=row.id,
        deal=Ref(row.connection, Kind.DEAL, row.deal),
        rule=row.rule,
        kind=FindingKind(row.kind),
        stage=row.stage,
        severity=Severity(row.severity),
        message=row.message,
        since=row.since,
        seen=fields_from_json(row.seen),
        visit=row.visit,
        path=row.path,
        waived=waived,
    )


def known(row: Row[Any]) -> Known:
    """Read a finding with its life."""
    life = Life(row.opened_at, row.asks_since or row.opened_at, row.openings, row.cleared_at)
    return Known(finding(row), life)


def note_events(open_: Connection, events: Collection[FindingEvent]) -> None:
    """Note what happened."""
    if events:
        open_.execute(insert(_events), [_event_row(event) for event in events])


def events(open_: Connection, deal: Ref, rule: str) -> Iterator[FindingEvent]:
    """Read what happened to the findings of one rule on one deal, in order."""
    query = select(_events).where(
        _events.c.connection == deal.connection, _events.c.deal == deal.id, _events.c.rule == rule
    )
    yield from map(_event, open_.execute(query.order_by(_events.c.seq)))


def _event_row(event: FindingEvent) -> dict[str, Any]:
    return {
        "finding": event.finding,
        "connection": event.deal.connection,
        "deal": event.deal.id,
        "rule": event.rule,
        "visit": event.visit,
        "turn": event.turn,
        "at": event.at,
        "said": event.said,
    }


def _event(row: Row[Any]) -> FindingEvent:
    return FindingEvent(
        finding=row.finding,
        deal=Ref(row.connection, Kind.DEAL, row.deal),
        rule=row.rule,
        visit=row.visit,
        turn=Turn(row.turn),
        at=row.at,
        said=row.said,
    )
