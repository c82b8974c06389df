"""Turns the history of `dealstage` and `pipeline` into moves; of a deal that never moved, without its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from crmbridge.model.records import Move, Position, Ref, Status
from crmbridge_hubspot.account import Account
from crmbridge_hubspot.shapes import ShapeError, object_in, objects_in, text_in
from crmbridge_hubspot.values import moment

HISTORY = ("dealstage", "pipeline")
AT_ONCE = timedelta(minutes=1)  # a deal's first stage is entered when it is made


def only_move(deal: Ref, raw: Mapping[str, Any], account: Account) -> Move | None:
    """Give the one move of a deal that never moved, which is its creation; None where its history must tell.

    The stage-entered properties hold the last time that a deal came to each stage. It never moved if the only one
    filled in is that of its stage, and says when the deal was made: a stage that was deleted since has no property.
    """
    properties, entered = raw["properties"], account.entered
    get = properties.get
    filled = list(filter(get, entered))
    if len(filled) != 1 or entered[filled[0]] != get("dealstage"):
        return None
    try:
        at = moment(came := properties[filled[0]])
        made = at if came == (begun := get("hs_createdate") or text_in(raw, "createdAt")) else moment(begun)
    except ValueError:
        return None
    after = account.positions.get((get("pipeline") or "", entered[filled[0]]))
    if after is None or abs(at - made) > AT_ONCE:
        return None
    return Move(deal=deal, id=_id(at, after), at=at, before=None, after=after)


class Entry(NamedTuple):
    """One value that a property had from a time on."""

    at: datetime
    value: str
    by: str | None


def moves_of(deal: Ref, raw: Mapping[str, Any], account: Account) -> tuple[Move, ...]:
    """Read a deal's moves, oldest first, from the versions that HubSpot sends newest first.

    A version that repeats the position before it is no move. HubSpot keeps a limited number of versions.
    """
    history = object_in(raw.get("propertiesWithHistory") or {}, "propertiesWithHistory")
    stages, pipelines = (_entries(objects_in(history.get(name), f"history of {name}")) for name in HISTORY)
    usual = str(raw["properties"].get("pipeline") or "")
    times = sorted({entry.at for entry in (*stages, *pipelines) if stages and entry.at >= stages[0].at})
    moves: list[Move] = []
    before: Position | None = None
    for at in times:
        stage = _at(stages, at)
        after = _position(stage.value, _pipeline(pipelines, at, usual), account)
        if after != before:
            by = account.owner_of(stage.by) if stage.by else None
            moves.append(Move(deal=deal, id=_id(at, after), at=at, before=before, after=after, by=by))
        before = after
    return tuple(moves)


def _entries(versions: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Read versions as entries, oldest first. Of two in one instant the one sent later is the older."""
    found = []
    for version in reversed(versions):
        value, user = text_in(version, "value"), text_in(version, "updatedByUserId")
        if value:
            found.append(Entry(_moment_of(version), value, user or None))
    return sorted(found, key=lambda entry: entry.at)


def _moment_of(version: Mapping[str, Any]) -> datetime:
    try:
        return moment(text_in(version, "timestamp"))
    except ValueError as error:
        raise ShapeError(f"a version of a property is from {error}") from None


def _at(entries: Sequence[Entry], at: datetime) -> Entry:
    return [entry for entry in entries if entry.at <= at][-1]


def _pipeline(entries: Sequence[Entry], at: datetime, usual: str) -> str:
    known = [entry.value for entry in entries if entry.at <= at]
    return known[-1] if known else (entries[0].value if entries else usual)


def _position(stage: str, pipeline: str, account: Account) -> Position:
    # A move to another pipeline writes both properties, not always in the same instant: the stage knows better.
    owners = account.pipelines_of(stage)
    home = owners[0] if owners and pipeline not in owners else pipeline
    return Position(home, stage, account.status(home, stage) or Status.OPEN)


def _id(at: datetime, after: Position) -> str:
    day, time = (at.year, at.month, at.day), (at.hour, at.minute, at.second, at.microsecond)  # in UTC
    # Twice as quick as other ways, and a first pull makes one for each deal.
    return "%04d%02d%02dT%02d%02d%02d%06dZ-%s-%s" % (*day, *time, after.pipeline, after.stage)  # noqa: UP031
