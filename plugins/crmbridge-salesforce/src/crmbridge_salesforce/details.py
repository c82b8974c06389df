"""What belongs to deals but lies in other objects: contacts, activities and the history of stages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crmbridge.model.records import Kind, Move, Position, Ref, Status
from crmbridge.model.values import Value
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.mapping import position_of
from crmbridge_salesforce.org import Org, Row
from crmbridge_salesforce.schema import OrgStage, Schema
from crmbridge_salesforce.soql import select, text
from crmbridge_salesforce.values import read_moment

NOTE_SUBJECT = "Note by crmbridge"  # a note is a task that is done, because every org has tasks; it is no activity

_ROLES = select(["OpportunityId", "ContactId"], "OpportunityContactRole", where="OpportunityId IN ({})")
_TASKS = select(
    ["WhatId", "IsClosed", "ActivityDate"],
    "Task",
    where=f"WhatId IN ({{}}) AND (Subject = null OR Subject != {text(NOTE_SUBJECT)})",
)
_HISTORY = select(
    ["Id", "OpportunityId", "StageName", "CreatedDate", "CreatedById"],
    "OpportunityHistory",
    where="OpportunityId IN ({})",
    order="OpportunityId, CreatedDate, Id",
)


@dataclass
class _Work:
    """What is known of the activities on one deal."""

    done: int = 0
    open: int = 0
    last: list[datetime] = field(default_factory=list)
    next: list[datetime] = field(default_factory=list)

    def add(self, row: Row) -> None:
        day = row.get("ActivityDate")
        if row.get("IsClosed") is True:
            self.done += 1
            self.last += [read_moment(day)] if day else []
        else:
            self.open += 1
            self.next += [read_moment(day)] if day else []


def details_of(org: Org, rows: Sequence[Row]) -> dict[str, dict[str, Value]]:
    """Read the contacts and activities of deals, by deal id. A task has a day and no time, so midnight stands for it.

    The time of the last activity also counts events, which the deal's own LastActivityDate knows of.
    """
    ids = [to_18(str(row["Id"])) for row in rows]
    contacts: dict[str, set[str]] = defaultdict(set)
    for role in org.query_in(_ROLES, ids):
        contacts[to_18(str(role["OpportunityId"]))].add(to_18(str(role["ContactId"])))
    work: dict[str, _Work] = defaultdict(_Work)
    for task in org.query_in(_TASKS, ids):
        work[to_18(str(task["WhatId"]))].add(task)
    return {
        deal: {"contacts": tuple(sorted(contacts[deal])), **_activities(work[deal], row.get("LastActivityDate"))}
        for deal, row in zip(ids, rows, strict=True)
    }


def _activities(work: _Work, last_day: Any) -> dict[str, Value]:
    last = work.last + ([read_moment(last_day)] if last_day else [])
    return {
        "activities": work.done + work.open,
        "activities_done": work.done,
        "activities_open": work.open,
        "last_activity_at": max(last, default=None),
        "next_activity_at": min(work.next, default=None),
    }


def moves_of(org: Org, schema: Schema, rows: Sequence[Row]) -> list[Move]:
    """Read the moves of deals from OpportunityHistory, deal by deal, oldest first.

    That object has one snapshot per change of stage, amount, probability or close date, so runs of one stage are one
    visit. It does not keep the record type: the deal's pipeline of today stands in all of its moves.
    """
    now = {to_18(str(row["Id"])): position_of(row) for row in rows}
    history: dict[str, list[Row]] = defaultdict(list)
    for snapshot in org.query_in(_HISTORY, list(now)):
        history[to_18(str(snapshot["OpportunityId"]))].append(snapshot)
    stages = schema.stages()
    return [
        move
        for deal, position in now.items()
        for move in _moves(Ref(org.connection, Kind.DEAL, deal), history[deal], position, stages)
    ]


def _moves(deal: Ref, history: Iterable[Row], now: Position, stages: Mapping[str, OrgStage]) -> Iterable[Move]:
    before: Position | None = None
    for snapshot in sorted(history, key=lambda row: (read_moment(row["CreatedDate"]), str(row["Id"]))):
        stage = str(snapshot["StageName"])
        if before is not None and stage == before.stage:
            continue
        after = Position(now.pipeline, stage, _status(stage, now, stages))
        by = snapshot.get("CreatedById")
        yield Move(
            deal=deal,
            id=to_18(str(snapshot["Id"])),
            at=read_moment(snapshot["CreatedDate"]),
            before=before,
            after=after,
            by=to_18(str(by)) if by else None,
        )
        before = after


def _status(stage: str, now: Position, stages: Mapping[str, OrgStage]) -> Status:
    """Give a stage's status; of a stage that the org no longer knows, only the deal itself can tell."""
    if stage in stages:
        return stages[stage].status
    return now.status if stage == now.stage else Status.OPEN
