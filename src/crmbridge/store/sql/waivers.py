"""Waivers: what was accepted, by whom, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from crmbridge.model.findings import Waiver
from crmbridge.model.lives import Known, Turn, accepted, event
from crmbridge.model.records import Kind, Ref
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, upsert
from crmbridge.store.sql.finding_rows import known_findings, note_events

_findings, _places, _waivers, _past = schema.findings, schema.places, schema.waivers, schema.past_waivers
_ORDER = ("connection", "deal", "rule", "at")


class SqlWaivers:
    """Waivers, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, waiver: Waiver) -> None:
        """Keep a waiver in the place of the one that the deal's rule had, and waive its open findings."""
        with self._database.write() as open_:
            _end(open_, waiver.deal, waiver.rule, waiver.at)
            upsert(open_, _waivers, [_row(waiver)])
            found = _open_findings(open_, waiver.deal, waiver.rule)
            waived = {"waived_by": waiver.by, "waived_why": waiver.why, "waived_until": waiver.until}
            _set(open_, found, waived)
            note_events(open_, [event(f.finding, Turn.WAIVED, waiver.at, accepted(waiver.waived)) for f in found])
            _fall_due(open_, waiver.deal, waiver.at)

    def drop(self, deal: Ref, rule: str, at: datetime, by: str) -> bool:
        """Take back a waiver and tell whether there was one; its findings are open again."""
        with self._database.write() as open_:
            if not _end(open_, deal, rule, at):
                return False
            open_.execute(delete(_waivers).where(*_same(deal, rule)))
            found = [known for known in _open_findings(open_, deal, rule) if known.finding.waived]
            again = {"waived_by": None, "waived_why": None, "waived_until": None, "asks_since": at}
            _set(open_, found, {**again, "openings": _findings.c.openings + 1})
            note_events(open_, [event(f.finding, Turn.RESUMED, at, f"taken back by {by}") for f in found])
            _fall_due(open_, deal, at)
            return True

    def all(self) -> tuple[Waiver, ...]:
        """Give all waivers, ordered by deal and rule."""
        query = select(_waivers).order_by(_waivers.c.connection, _waivers.c.deal, _waivers.c.rule)
        with self._database.read() as open_:
            return tuple(map(_waiver, open_.execute(query)))

    def at(self, moment: datetime) -> tuple[Waiver, ...]:
        """Give all waivers as they were at a moment, ordered by deal and rule: also those that are of the past now."""
        names = [column.name for column in _waivers.c]
        now = select(*_waivers.c[*names]).where(_waivers.c.at <= moment)
        then = select(*_past.c[*names]).where(_past.c.at <= moment, _past.c.ended_at > moment)
        with self._database.read() as open_:
            return tuple(map(_waiver, open_.execute(now.union_all(then).order_by(*_ORDER))))


def _same(deal: Ref, rule: str) -> tuple[ColumnElement[bool], ...]:
    return _waivers.c.connection == deal.connection, _waivers.c.deal == deal.id, _waivers.c.rule == rule


def _end(open_: Connection, deal: Ref, rule: str, at: datetime) -> bool:
    """Keep the waiver that there is as one of the past, and tell whether there is one."""
    found = open_.execute(select(_waivers).where(*_same(deal, rule))).first()
    if found is not None:
        upsert(open_, _past, [{**found._mapping, "ended_at": at}])  # noqa: SLF001  its public name, says SQLAlchemy
    return found is not None


def _open_findings(open_: Connection, deal: Ref, rule: str) -> list[Known]:
    known = known_findings(open_, [deal])
    return [each for each in known if each.finding.rule == rule and each.life.cleared_at is None]


def _set(open_: Connection, found: Sequence[Known], values: dict[str, Any]) -> None:
    ids = [known.finding.id for known in found]
    if ids:
        open_.execute(update(_findings).where(_findings.c.id.in_(ids)).values(values))


def _fall_due(open_: Connection, deal: Ref, at: datetime) -> None:
    here = (_places.c.connection == deal.connection, _places.c.deal == deal.id)
    open_.execute(update(_places).where(*here).values(until=at))


def _row(waiver: Waiver) -> dict[str, Any]:
    return {
        "connection": waiver.deal.connection,
        "deal": waiver.deal.id,
        "rule": waiver.rule,
        "by": waiver.by,
        "why": waiver.why,
        "until": waiver.until,
        "at": waiver.at,
    }


def _waiver(row: Row[Any]) -> Waiver:
    deal = Ref(row.connection, Kind.DEAL, row.deal)
    return Waiver(deal=deal, rule=row.rule, by=row.by, why=row.why, until=row.until, at=row.at)
