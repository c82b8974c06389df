"""What evaluating said: findings with their life, places, visits and SLA clocks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from crmbridge.model.findings import Evaluation, Severity, SlaClock, Visit
from crmbridge.model.lives import FindingEvent, Known, Turn, event, events_of, next_life
from crmbridge.model.records import Kind, Ref, Status
from crmbridge.ports import FindingQuery, StoredFinding
from crmbridge.store.refs import by_kind
from crmbridge.store.sql import clock_rows, finding_rows, schema
from crmbridge.store.sql.database import Database, upsert, upsert_written
from crmbridge.store.sql.finding_search import narrowed, ranked
from crmbridge.store.sql.sparse import near_any
from crmbridge.store.sql.straight import delete_among
from crmbridge.store.texts import moment_text, storable

_STREAM = 1000  # rows read at a time
_STATUSES = {each: each.value for each in Status}  # looked up faster than asked for
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
            _forget(open_, latest, _visits)  # the places are replaced
            _save_measures(open_, list(latest.values()))

    def forget(self, deals: Collection[Ref], at: datetime) -> None:
        """Clear the findings of these deals, and drop their places, visits and clocks."""
        known = [deal for deal in deals if deal.kind is Kind.DEAL]
        with self._database.write() as open_:
            _clear(open_, [each for each in finding_rows.known_findings(open_, known) if _is_open(each)], at)
            _forget(open_, known, _visits, _places)

    def known(self, deals: Collection[Ref]) -> dict[Ref, tuple[Known, ...]]:
        """Give all findings that these deals have or had, ordered by id."""
        found: dict[Ref, list[Known]] = {}
        with self._database.read() as open_:
            for each in finding_rows.known_findings(open_, [deal for deal in deals if deal.kind is Kind.DEAL]):
                found.setdefault(each.finding.deal, []).append(each)
        return {deal: tuple(each) for deal, each in found.items()}

    def search(self, query: FindingQuery) -> Iterator[StoredFinding]:
        """Give the findings looked for: the gravest, found first and wrong for longest come first; then by id."""
        asked = ranked(narrowed(select(_findings), query)).offset(query.skip).limit(query.limit)
        with self._database.read() as open_:
            for row in open_.execution_options(yield_per=_STREAM).execute(asked):
                yield StoredFinding(finding_rows.finding(row), row.opened_at, row.cleared_at)

    def total(self, query: FindingQuery) -> int:
        """Count the findings looked for."""
        with self._database.read() as open_:
            return int(open_.execute(narrowed(select(func.count()).select_from(_findings), query)).scalar_one())

    def deals(self, query: FindingQuery) -> int:
        """Count the open deals that have such findings."""
        own = (_places.c.connection == _findings.c.connection) & (_places.c.deal == _findings.c.deal)
        found = select(_findings.c.connection, _findings.c.deal).distinct()
        each = narrowed(found.join(_places, own).where(_places.c.status == Status.OPEN), query).subquery()
        with self._database.read() as open_:
            return int(open_.execute(select(func.count()).select_from(each)).scalar_one())

    def events(self, deal: Ref, rule: str) -> tuple[FindingEvent, ...]:
        """Give what happened to the findings of one rule on one deal, in order."""
        with self._database.read() as open_:
            return tuple(finding_rows.events(open_, deal, rule))

    def open_deals(self) -> int:
        """Count the deals that were evaluated and are open."""
        query = select(func.count()).select_from(_places).where(_places.c.status == Status.OPEN)
        with self._database.read() as open_:
            return int(open_.execute(query).scalar_one())

    def due(self, now: datetime) -> tuple[Ref, ...]:
        """Give the deals whose evaluation was good until now or earlier, ordered."""
        query = select(_places.c.connection, _places.c.deal).where(_places.c.until <= now)
        with self._database.read() as open_:
            return tuple(sorted(Ref(row.connection, Kind.DEAL, row.deal) for row in open_.execute(query)))

    def counts(self) -> dict[Severity, int]:
        """Count the open findings by severity, without the waived ones."""
        query = select(_findings.c.severity, func.count()).where(
            _findings.c.cleared_at.is_(None), _findings.c.waived_by.is_(None)
        )
        with self._database.read() as open_:
            return {Severity(severity): count for severity, count in open_.execute(query.group_by("severity"))}

    def findings(self, *, cleared: bool = False) -> tuple[StoredFinding, ...]:
        """Give the open findings, with the cleared ones too if asked, oldest first."""
        query = select(_findings).order_by(_findings.c.opened_at, _findings.c.id)
        if not cleared:
            query = query.where(_findings.c.cleared_at.is_(None))
        with self._database.read() as open_:
            rows = open_.execute(query)
            return tuple(StoredFinding(finding_rows.finding(row), row.opened_at, row.cleared_at) for row in rows)

    def visits(self) -> Iterator[Visit]:
        """Give all visits, deal by deal, in each deal's own order."""
        query = select(_visits).order_by(_visits.c.connection, _visits.c.deal, _visits.c.ordinal)
        with self._database.read() as open_:
            yield from map(clock_rows.visit, open_.execution_options(yield_per=_STREAM).execute(query))

    def clocks(self) -> Iterator[SlaClock]:
        """Give all SLA clocks, in the order of their visits."""
        with self._database.read() as open_:
            rows = open_.execution_options(yield_per=_STREAM).execute(clock_rows.all_clocks())
            yield from (clock_rows.clock(row, clock_rows.visit(row)) for row in rows)

    def clocks_of(self, deals: Collection[Ref]) -> dict[Ref, tuple[SlaClock, ...]]:
        """Give the SLA clocks of these deals, in the order of their visits; deals without any are left out."""
        found: dict[Ref, list[SlaClock]] = {}
        with self._database.read() as open_:
            for connection, _, ids in by_kind(deals):
                for clock in clock_rows.clocks_of(open_, connection, ids):
                    found.setdefault(clock.visit.deal, []).append(clock)
        return {deal: tuple(clocks) for deal, clocks in found.items()}


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────


def _save_findings(open_: Connection, latest: dict[Ref, Evaluation], at: datetime) -> None:
    before = {each.finding.id: each for each in finding_rows.known_findings(open_, latest)}
    holding = {finding.id: finding for evaluation in latest.values() for finding in evaluation.findings}
    upsert(
        open_,
        _findings,
        [finding_rows.finding_row(one, next_life(before.get(id_), one, at)) for id_, one in holding.items()],
    )
    happened = (one for id_, finding in holding.items() for one in events_of(before.get(id_), finding, at))
    finding_rows.note_events(open_, list(happened))
    _clear(open_, [each for id_, each in before.items() if _is_open(each) and id_ not in holding], at)


def _is_open(known: Known) -> bool:
    return known.life.cleared_at is None


def _clear(open_: Connection, known: Sequence[Known], at: datetime) -> None:
    if known:
        clear = update(_findings).where(_findings.c.id == bindparam("cleared")).values(cleared_at=at)
        open_.execute(clear, [{"cleared": each.finding.id} for each in known])
        finding_rows.note_events(open_, [event(each.finding, Turn.CLEARED, at) for each in known])


def _forget(open_: Connection, deals: Iterable[Ref], *tables: Table) -> None:
    for connection, _, ids in by_kind(deals):
        for table in tables:  # the clocks go with their visits
            of = {"connection": connection}
            for some in near_any(open_, table, "deal", ids, of):
                delete_among(open_, table, "deal", some, of)


def _save_measures(open_: Connection, evaluations: Sequence[Evaluation]) -> None:
    at = {each.at: moment_text(each.at) for each in evaluations}  # mostly one for all
    upsert_written(open_, _places, [_place_row(evaluation, at[evaluation.at]) for evaluation in evaluations])
    upsert_written(
        open_, _visits, [_visit_row(visit, n) for each in evaluations for n, visit in enumerate(each.visits)]
    )
    clocks = [clock_rows.clock_row(clock) for each in evaluations for clock in each.clocks]
    if clocks:
        open_.execute(insert(_clocks), clocks)


def _place_row(evaluation: Evaluation, at: str) -> tuple[Any, ...]:
    """Write where a deal stands in the order of the table's columns."""
    deal, place, until = evaluation.deal, evaluation.place, evaluation.until
    return (
        deal.connection,
        storable(deal.id),
        _text(place.stage),
        _STATUSES[place.status],
        at,
        moment_text(until) if until else None,
    )


def _visit_row(visit: Visit, ordinal: int) -> tuple[Any, ...]:
    """Write a visit in the order of the table's columns."""
    return (
        visit.deal.connection,
        storable(visit.deal.id),
        storable(visit.stage),
        visit.number,
        ordinal,
        moment_text(visit.entered_at),
        moment_text(visit.left_at) if visit.left_at else None,
        _text(visit.to.stage) if visit.to else None,
        visit.to.status.value if visit.to else None,
    )


def _text(text: str | None) -> str | None:
    return None if text is None else storable(text)
