"""The moves of deals, made from the snapshots that an org keeps of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from crmbridge.model.records import Kind, Move, Position, Ref, Status
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.schema import OrgStage
from crmbridge_salesforce.values import Cell, read_moment

# Time, id, stage and user, in the history that every org keeps, and in the one of tracked fields that some keep beside.
SNAPSHOT = ("CreatedDate", "Id", "StageName", "CreatedById")
TRACKED = ("CreatedDate", "Id", "NewValue", "CreatedById")
_FROM_TRACKED = "017"  # how the ids of the latter begin


# A row of OpportunityHistory as cells: time, id, stage and user. There are millions of them, so it is a bare tuple.
Snapshot: TypeAlias = tuple[Cell, Cell, Cell, Cell]


def snapshot(cells: Sequence[Cell]) -> Snapshot:
    """Take four cells as a snapshot; raises ValueError for another number of them."""
    at, row_id, stage, by = cells
    return at, row_id, stage, by


def in_order(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Sort snapshots, oldest first, and leave out what the history of tracked fields only says again."""
    found = sorted(snapshots)
    tracked = {one for one in found if one[1][:3] == _FROM_TRACKED}
    if not tracked:
        return found
    known = {one[0][:19] for one in found if one not in tracked}
    return [one for one in found if one not in tracked or one[0][:19] not in known]


class Journeys:
    """Makes moves of snapshots, with one position for each pipeline and stage.

    There is one snapshot per change of stage, amount, probability or close date, so runs of one stage are one visit.
    The record type is not kept: the deal's pipeline of today stands in all of its moves (Object Reference,
    "OpportunityHistory").
    """

    def __init__(self, connection: str, stages: Mapping[str, OrgStage]) -> None:
        self._connection = connection
        self._stages = stages
        self._positions: dict[tuple[str, str], Position] = {}

    def moves(self, standing: Mapping[str, Position], history: Mapping[str, Sequence[Snapshot]]) -> Iterator[Move]:
        """Make the moves of deals, which stand where they do now, from their snapshots, which come oldest first."""
        for deal, now in standing.items():
            ref = Ref(self._connection, Kind.DEAL, deal)
            before: Position | None = None
            for at, row_id, stage, by in history.get(deal, ()):
                if before is not None and stage == before.stage:
                    continue
                after = self._position(stage, now)
                yield Move(
                    deal=ref,
                    id=to_18(row_id),
                    at=read_moment(at),
                    before=before,
                    after=after,
                    by=to_18(by) if by else None,
                )
                before = after

    def _position(self, stage: str, now: Position) -> Position:
        """Give a stage's position; the status of one that the org no longer knows, only the deal itself can tell."""
        if stage not in self._stages:
            return Position(now.pipeline, stage, now.status if stage == now.stage else Status.OPEN)
        known = self._positions.get((now.pipeline, stage))
        if known is None:
            known = Position(now.pipeline, stage, self._stages[stage].status)
            self._positions[now.pipeline, stage] = known
        return known
