"""A deal's moves, read from its changelog, or from its flow where the changelog does not tell enough."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from crmbridge.errors import RefusedError
from crmbridge.model.records import Move, Position, Record, Status
from crmbridge.model.values import iso
from crmbridge_pipedrive.api import Api, Row, is_id
from crmbridge_pipedrive.changelogs import ChangeLogs, changed_at
from crmbridge_pipedrive.prints import SECONDS
from crmbridge_pipedrive.values import moment
from crmbridge_pipedrive.verdicts import ForbiddenError, NoRouteError

STEPS = ("pipeline_id", "stage_id", "status")
STAMPS = ("add_time", "stage_change_time", "won_time", "lost_time", "close_time")


class Step(NamedTuple):
    """One line of a deal's history that says where it stood."""

    at: datetime
    field: str  # pipeline_id, stage_id or status
    before: str
    after: str
    by: str | None


class Log(NamedTuple):
    """What was read of a deal's history. `whole` tells that it leads to where the deal stands."""

    steps: Sequence[Step]
    whole: bool


class History(Struct, frozen=True, kw_only=True):
    """Reads histories. `pipeline_of` is each stage's pipeline; a stage of no known one is in the deal's own."""

    api: Api
    logs: ChangeLogs
    pipeline_of: Mapping[str, str]

    def read(self, row: Row) -> Log:
        """Read a deal's log.

        The changelog costs half of what the flow does. Only where its steps do not lead to where the deal stands now is
        the flow asked too; how far back the changelog goes is not documented.
        """
        best: list[Step] = []
        for source in (self._changelog, self._flow):
            steps = source(row)
            if steps is not None and explains(steps, row):
                return Log(steps, whole=True)
            best = max(best, steps or [], key=len)
        return Log(best, whole=False)

    def moves(self, deal: Record, row: Row, log: Log) -> tuple[Move, ...]:
        """Give all moves of a deal that a log tells of, the first one being its creation."""
        if deal.position is None:
            return ()
        if log.whole:
            return self._chain(deal, deal.position, row, log.steps)
        return self._as_far_as_known(deal, deal.position, row, log.steps)

    def _changelog(self, row: Row) -> list[Step] | None:
        try:
            return _unless_refused(lambda: changelog_steps(self.logs.read(row["id"], changed_at(row))))
        except NoRouteError:  # then the flow is asked; where that is no more either, moves that are known must stay
            return None

    def _flow(self, row: Row) -> list[Step] | None:
        return _unless_refused(lambda: flow_steps(self.api.rows_v1("flow", {"items": "dealChange"}, id_=row["id"])))

    def _chain(self, deal: Record, now: Position, row: Row, steps: Sequence[Step]) -> tuple[Move, ...]:
        """Follow the steps from the deal's creation."""
        position = self._first(steps, now)
        creator = row.get("creator_user_id")
        created = deal.created_at or deal.updated_at
        moves = [_move(deal, created, (None, position), by=str(creator) if is_id(creator) else None)]
        for together in _groups(steps):
            after = self._after(position, together)
            if after != position:
                earlier = sum(move.at == together[-1].at for move in moves)
                moves.append(_move(deal, together[-1].at, (position, after), by=together[-1].by, earlier=earlier))
                position = after
        return tuple(moves)

    def _as_far_as_known(self, deal: Record, now: Position, row: Row, steps: Sequence[Step]) -> tuple[Move, ...]:
        """Follow what steps there are, then come to where the record stands at the latest time that it tells."""
        if not steps:
            return told_moves(deal, row)
        latest = max(_stamps(row), default=deal.created_at or deal.updated_at)
        moves = self._chain(deal, now, row, steps)
        if moves[-1].after == now:
            return moves
        at = max(latest, moves[-1].at)
        return (*moves, _move(deal, at, (moves[-1].after, now), earlier=sum(move.at == at for move in moves)))

    def _first(self, steps: Sequence[Step], now: Position) -> Position:
        """Say where the deal was created: where its first step left from. That itself is nowhere in the log."""
        start = {name: next((s.before for s in steps if s.field == name), None) for name in STEPS}
        stage = start["stage_id"] or now.stage
        pipeline = start["pipeline_id"] or self.pipeline_of.get(stage, now.pipeline)
        return Position(pipeline, stage, Status(start["status"] or now.status))

    def _after(self, position: Position, steps: Iterable[Step]) -> Position:
        for step in steps:
            if step.field == "status":
                position = position._replace(status=Status(step.after))
            elif step.field == "pipeline_id":
                position = position._replace(pipeline=step.after)
            else:
                pipeline = self.pipeline_of.get(step.after, position.pipeline)
                position = position._replace(stage=step.after, pipeline=pipeline)
        return position


def told_moves(deal: Record, row: Row) -> tuple[Move, ...]:
    """Give the moves that a deal itself tells of, without its history.

    One that never moved was created where it stands. Of one that did, only its last coming to its stage is known, and
    where that was before nobody says. One that is closed came to be so later, unless it moved after that.
    """
    now = deal.position
    if now is None:
        return ()
    created = deal.created_at or deal.updated_at
    entered = moment(row.get("stage_change_time"))
    entered = None if entered == created else entered
    creator = row.get("creator_user_id") if entered is None else None
    by = str(creator) if is_id(creator) else None
    closed = _closed_at(row, now)
    if closed is None or closed < (entered or created):
        return (_move(deal, entered or created, (None, now), by=by),)
    opened = now._replace(status=Status.OPEN)
    return (
        _move(deal, entered or created, (None, opened), by=by),
        _move(deal, closed, (opened, now), earlier=int(closed == (entered or created))),
    )


def needs_log(row: Row) -> bool:
    """Tell whether a deal has moved so that only its log tells how: it changed its stage, or was won before."""
    moved = moment(row.get("stage_change_time"))
    if moved is not None and moved != moment(row.get("add_time")):
        return True
    return row.get("status") == "open" and bool(row.get("first_won_time"))


def last_moved(row: Row) -> datetime | None:
    """Give the latest time at which a deal is known to have moved."""
    return max(_stamps(row), default=None)


def is_new_and_still(row: Row, since: datetime) -> bool:
    """Tell whether a deal was made since a time, and stands where it was made."""
    created = moment(row.get("add_time"))
    return created is not None and created >= since and row.get("status") == "open" and not needs_log(row)


def may_have_moved(row: Row, since: datetime | None, lost_before: Collection[int]) -> bool:
    """Tell whether a deal's position may have changed since a time, so that its history is worth its tokens.

    Whether a reopened deal keeps its won or lost time is not documented, so one that was won before, or that was
    lost when it was last pulled, counts as moved while it is open.
    """
    if since is None:
        return True
    if any(at >= since for at in _stamps(row)):
        return True
    return row.get("status") == "open" and (bool(row.get("first_won_time")) or row.get("id") in lost_before)


def changelog_steps(rows: Iterable[Row]) -> list[Step]:
    """Read the rows of a changelog, oldest first."""
    found = [_step(row, row.get("time"), row.get("actor_user_id")) for row in rows]
    return _oldest_first([step for step in found if step is not None])


def flow_steps(rows: Iterable[Row]) -> list[Step]:
    """Read the changes of the deal itself out of a flow, oldest first; everything else in it is passed over."""
    changes = [row["data"] for row in rows if row.get("object") == "dealChange" and isinstance(row.get("data"), dict)]
    found = [_step(row, row.get("log_time"), row.get("user_id")) for row in changes]
    return _oldest_first([step for step in found if step is not None])


def explains(steps: Sequence[Step], row: Row) -> bool:
    """Tell whether steps say how a deal came to where it stands; one that moved or was closed has a step for that."""
    last = {step.field: step.after for step in steps}
    status, stage = str(row.get("status")), str(row.get("stage_id"))
    moved = _later(row, "stage_change_time") and "stage_id" not in last
    closed = status != Status.OPEN and _later(row, "close_time", "won_time", "lost_time")
    if moved or (closed and "status" not in last):
        return False
    return last.get("stage_id", stage) == stage and last.get("status", status) == status


def _later(row: Row, *names: str) -> bool:
    """Tell whether one of these times lies after the deal's creation."""
    created = moment(row.get("add_time"))
    times = [at for name in names if (at := moment(row.get(name))) is not None]
    return created is None or any(at > created for at in times)


def _closed_at(row: Row, now: Position) -> datetime | None:
    if now.status is Status.OPEN:
        return None
    return moment(row.get(f"{now.status}_time")) or moment(row.get("close_time"))


def _stamps(row: Row) -> list[datetime]:
    return [at for name in STAMPS if (at := moment(row.get(name))) is not None]


def _step(row: Row, at: object, by: object) -> Step | None:
    """Read one line, if it says where the deal stood. Old and new values are texts, or numbers in the documents."""
    field, when = row.get("field_key"), moment(at)
    before, after = row.get("old_value"), row.get("new_value")
    if field not in STEPS or when is None or before is None or after is None:
        return None
    if field == "status" and {str(before), str(after)} - set(Status):
        return None  # to `deleted` and back: the deal was gone for a while, which a tombstone says
    return Step(when, str(field), str(before), str(after), str(by) if is_id(by) else None)


def _oldest_first(steps: list[Step]) -> list[Step]:
    # Both feeds come newest first. Turned round, the sort keeps the order of what happened in the same second.
    steps.reverse()
    return sorted(steps, key=lambda step: step.at)


def _groups(steps: Sequence[Step]) -> list[list[Step]]:
    """Put together what one edit did: steps of one second that concern different fields."""
    groups: list[list[Step]] = []
    for step in steps:
        last = groups[-1] if groups else []
        if last and last[-1].at == step.at and step.field not in {other.field for other in last}:
            last.append(step)
        else:
            groups.append([step])
    return groups


def _move(
    deal: Record, at: datetime, path: tuple[Position | None, Position], *, by: str | None = None, earlier: int = 0
) -> Move:
    # The changelog has no row ids. A move is named by its second and its place in it, which later moves don't change.
    before, after = path
    second = iso(at)[:SECONDS].replace("-", "").replace(":", "")
    return Move(deal=deal.ref, id=f"{second}-{earlier:02}", at=at, before=before, after=after, by=by)


def _unless_refused(read: Callable[[], list[Step]]) -> list[Step] | None:
    """Give nothing where one deal is refused: it was deleted or merged meanwhile, or may not be seen."""
    try:
        return read()
    except (RefusedError, ForbiddenError):
        return None
