"""The moves of deals, made from the snapshots that an org keeps of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from crmbridge.model.records import Move, Position, Ref, Status
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.schema import OrgStage
from crmbridge_salesforce.values import Cell, read_moment

SNAPSHOT = ("Id", "OpportunityId", "CreatedDate", "StageName", "CreatedById")


class Snapshot(NamedTuple):
    """A row of OpportunityHistory, as cells."""

    at: Cell
    id: Cell
    stage: Cell
    by: Cell


def moves_of(deal: Ref, history: Iterable[Snapshot], now: Position, stages: Mapping[str, OrgStage]) -> Iterator[Move]:
    """Make a deal's moves from its snapshots, which come oldest first.

    There is one snapshot per change of stage, amount, probability or close date, so runs of one stage are one visit.
    The record type is not kept: the deal's pipeline of today stands in all of its moves (Object Reference,
    "OpportunityHistory").
    """
    before: Position | None = None
    for snapshot in history:
        if before is not None and snapshot.stage == before.stage:
            continue
        after = Position(now.pipeline, snapshot.stage, _status(snapshot.stage, now, stages))
        yield Move(
            deal=deal,
            id=to_18(snapshot.id),
            at=read_moment(snapshot.at),
            before=before,
            after=after,
            by=to_18(snapshot.by) if snapshot.by else None,
        )
        before = after


def _status(stage: str, now: Position, stages: Mapping[str, OrgStage]) -> Status:
    """Give a stage's status; of a stage that the org no longer knows, only the deal itself can tell."""
    if stage in stages:
        return stages[stage].status
    return now.status if stage == now.stage else Status.OPEN
