"""SLA clocks as rows, and rows as SLA clocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from crmbridge.model.business_time import Duration
from crmbridge.model.findings import Place, SlaClock, SlaState, Visit
from crmbridge.model.records import Kind, Ref, Status
from crmbridge.store.sql import schema
from crmbridge.store.sql.typed import typed_among
from crmbridge.store.texts import moment_text

_visits, _clocks = schema.visits, schema.sla_clocks


def clock_row(clock: SlaClock) -> dict[str, Any]:
    """Give the row of a clock."""
    return {
        "connection": clock.visit.deal.connection,
        "deal": clock.visit.deal.id,
        "stage": clock.visit.stage,
        "number": clock.visit.number,
        "sla": clock.sla,
        "started_at": clock.started_at,
        "ended_at": clock.ended_at,
        "calendar": clock.calendar,
        "goal": str(clock.limit),
        "goal_seconds": clock.goal.total_seconds(),
        "elapsed_seconds": clock.elapsed.total_seconds(),
        "due_at": clock.due_at,
        "state": clock.state,
        "running": int(clock.running),
        "pauses": [[moment_text(since), moment_text(until) if until else None] for since, until in clock.pauses],
        "judged_by": clock.judged_by,
    }


def all_clocks() -> Select[Any]:
    """Ask for all clocks with their visits, in the order of these."""
    shared = ("connection", "deal", "stage", "number")
    same = and_(*(_visits.c[name] == _clocks.c[name] for name in shared))
    only = [column for column in _clocks.c if column.name not in shared]
    ranks = (_visits.c.connection, _visits.c.deal, _visits.c.ordinal, _clocks.c.sla, _clocks.c.started_at)
    return select(_visits, *only).join(_clocks, same).order_by(*ranks)


def clocks_of(open_: Connection, connection: str, deals: Iterable[str]) -> Iterator[SlaClock]:
    """Give the clocks of some deals of a connection."""
    of = {"connection": connection}
    rows = list(typed_among(open_, _clocks, "deal", deals, of))
    with_any = sorted({row.deal for row in rows})
    visits = {row[1:4]: row for row in typed_among(open_, _visits, "deal", with_any, of)}
    both = [(visits[row[1:4]], row) for row in rows]  # deal, stage and number
    for found, row in sorted(both, key=lambda one: (one[1].deal, one[0].ordinal, one[1].sla, one[1].started_at)):
        yield clock(row, visit(found))


def visit(row: Any) -> Visit:
    """Read the visit of a row."""
    return Visit(
        deal=Ref(row.connection, Kind.DEAL, row.deal),
        stage=row.stage,
        number=row.number,
        entered_at=row.entered_at,
        left_at=row.left_at,
        to=None if row.to_status is None else Place(row.to_stage, Status(row.to_status)),
    )


def clock(row: Any, of: Visit) -> SlaClock:
    """Read the clock of a row, which is of a visit."""
    return SlaClock(
        visit=of,
        sla=row.sla,
        calendar=row.calendar,
        limit=Duration.parse(row.goal),
        goal=timedelta(seconds=row.goal_seconds),
        elapsed=timedelta(seconds=row.elapsed_seconds),
        started_at=row.started_at,
        ended_at=row.ended_at,
        due_at=row.due_at,
        state=SlaState(row.state),
        pauses=tuple(
            (datetime.fromisoformat(since), datetime.fromisoformat(until) if until else None)
            for since, until in row.pauses
        ),
        judged_by=row.judged_by,
    )
