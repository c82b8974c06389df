"""What evaluating said: findings with their life, places, visits and SLA clocks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from crmbridge.model.findings import Evaluation, Finding, FindingKind, Severity, SlaClock, Visit
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import fields_from_json, fields_to_json
from crmbridge.ports import StoredFinding
from crmbridge.store import clock_rows, schema
from crmbridge.store.database import Database, among, upsert

_STREAM = 1000  # rows read at a time
_findings, _places, _visits, _clocks = schema.findings, schema.places, schema.visits, schema.sla_clocks


class SqlFindings:
    """What evaluating said, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, evaluations: Sequence[Evaluation], at: datetime) -> None:
        """Replace what is known of these deals. Of two evaluations of one deal, the last counts.

        New findings are opened, known ones keep their opening time, cleared ones that hold again are opened again,
        and ones that no longer hold are cleared.
        """
        latest = {evaluation.deal: evaluation for evaluation in evaluations}
        with self._database.write() as open_:
            _save_findings(open_, latest, at)
            _forget_measures(open_, latest)
            _save_measures(open_, list(latest.values()))

    def forget(self, deals: Collection[Ref], at: datetime) -> None:
        """Clear the findings of these deals, and drop their places, visits and clocks."""
        known = [deal for deal in deals if deal.kind is Kind.DEAL]
        with self._database.write() as open_:
            _clear(open_, [row.id for row in _open_rows(open_, known)], at)
            _forget_measures(open_, known)

    def due(self, now: datetime) -> tuple[Ref, ...]:
        """Give the deals whose evaluation was good until now or earlier, ordered."""
        query = select(_places.c.connection, _places.c.deal).where(_places.c.until <= now)
        with self._database.read() as open_:
            return tuple(sorted(Ref(row.connection, Kind.DEAL, row.deal) for row in open_.execute(query)))

    def counts(self) -> dict[Severity, int]:
        """Count the open findings by severity."""
        query = select(_findings.c.severity, func.count()).where(_findings.c.cleared_at.is_(None))
        with self._database.read() as open_:
            return {Severity(severity): count for severity, count in open_.execute(query.group_by("severity"))}

    def findings(self, *, cleared: bool = False) -> tuple[StoredFinding, ...]:
        """Give the open findings, with the cleared ones too if asked, oldest first."""
        query = select(_findings).order_by(_findings.c.opened_at, _findings.c.id)
        if not cleared:
            query = query.where(_findings.c.cleared_at.is_(None))
        with self._database.read() as open_:
            rows = open_.execute(query)
            return tuple(StoredFinding(_finding(row), row.opened_at, row.cleared_at) for row in rows)

    def visits(self) -> Iterator[Visit]:
        """Give all visits, deal by deal, in each deal's own order."""
        query = select(_visits).order_by(_visits.c.connection, _visits.c.deal, _visits.c.ordinal)
        with self._database.read() as open_:
            yield from map(clock_rows.visit, open_.execution_options(yield_per=_STREAM).execute(query))

    def clocks(self) -> Iterator[SlaClock]:
        """Give all SLA clocks, in the order of their visits."""
        with self._database.read() as open_:
            rows = open_.execution_options(yield_per=_STREAM).execute(clock_rows.all_clocks())
            yield from map(clock_rows.clock, rows)

    def clocks_of(self, deals: Collection[Ref]) -> dict[Ref, tuple[SlaClock, ...]]:
        """Give the SLA clocks of these deals, in the order of their visits; deals without any are left out."""
        found: dict[Ref, list[SlaClock]] = {}
        with self._database.read() as open_:
            for connection, ids in _by_connection(deals).items():
                for clock in clock_rows.clocks_of(open_, connection, ids):
                    found.setdefault(clock.visit.deal, []).append(clock)
        return {deal: tuple(clocks) for deal, clocks in found.items()}


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────


def _save_findings(open_: Connection, latest: dict[Ref, Evaluation], at: datetime) -> None:
    opened = {row.id: row.opened_at for row in _open_rows(open_, latest)}
    holding = {finding.id: finding for evaluation in latest.values() for finding in evaluation.findings}
    rows = [_finding_row(finding) | {"opened_at": opened.get(id_, at)} for id_, finding in holding.items()]
    upsert(open_, _findings, rows)
    _clear(open_, [id_ for id_ in opened if id_ not in holding], at)


def _open_rows(open_: Connection, deals: Iterable[Ref]) -> Iterator[Row[Any, Any]]:
    """Give id and opening time of the open findings of these deals."""
    for connection, ids in _by_connection(deals).items():
        for condition in among(_findings.c.deal, ids):
            query = select(_findings.c.id, _findings.c.opened_at).where(
                _findings.c.connection == connection, condition, _findings.c.cleared_at.is_(None)
            )
            yield from open_.execute(query)


def _clear(open_: Connection, ids: Sequence[str], at: datetime) -> None:
    if ids:
        clear = update(_findings).where(_findings.c.id == bindparam("cleared")).values(cleared_at=at)
        open_.execute(clear, [{"cleared": id_} for id_ in ids])


def _forget_measures(open_: Connection, deals: Iterable[Ref]) -> None:
    keys = [{"of": deal.connection, "deal_id": deal.id} for deal in deals]
    for table in (_visits, _places) if keys else ():  # the clocks go with their visits
        open_.execute(
            delete(table).where(table.c.connection == bindparam("of"), table.c.deal == bindparam("deal_id")), keys
        )


def _save_measures(open_: Connection, evaluations: Sequence[Evaluation]) -> None:
    tables = {
        _places: [_place_row(evaluation) for evaluation in evaluations],
        _visits: [_visit_row(visit, n) for each in evaluations for n, visit in enumerate(each.visits)],
        _clocks: [clock_rows.clock_row(clock) for each in evaluations for clock in each.clocks],
    }
    for table, rows in tables.items():
        if rows:
            open_.execute(insert(table), rows)


def _by_connection(deals: Iterable[Ref]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for deal in deals:
        groups.setdefault(deal.connection, []).append(deal.id)
    return groups


def _finding_row(finding: Finding) -> dict[str, Any]:
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
        "cleared_at": None,
    }


def _place_row(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "connection": evaluation.deal.connection,
        "deal": evaluation.deal.id,
        "stage": evaluation.place.stage,
        "status": evaluation.place.status,
        "evaluated_at": evaluation.at,
        "until": evaluation.until,
    }


def _visit_row(visit: Visit, ordinal: int) -> dict[str, Any]:
    return {
        "connection": visit.deal.connection,
        "deal": visit.deal.id,
        "stage": visit.stage,
        "number": visit.number,
        "ordinal": ordinal,
        "entered_at": visit.entered_at,
        "left_at": visit.left_at,
        "to_stage": visit.to.stage if visit.to else None,
        "to_status": visit.to.status if visit.to else None,
    }


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────


def _finding(row: Row[Any]) -> Finding:
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
    )
