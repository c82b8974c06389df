"""Read a deal's last move off its visits: what it left behind, and whether the process allows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crmbridge.engine.mapping import WON
from crmbridge.model.findings import Place, Visit
from crmbridge.model.process import Process, Stage
from crmbridge.model.records import Status


class Illegal(StrEnum):
    """What makes a move one that the process does not allow."""

    SKIPPED = "skipped"  # forward to where `next` does not lead
    WENT_BACK = "went_back"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastMove:
    """The move that brought a deal to the place where it stands, as the process sees it.

    `source` is the visit it left. `target` is the visit it came to; None when it was won in a process that has no
    stage for won deals. Being lost or unmapped in between does not count as a place: the move is from the stage
    before to the stage after, and not `direct`.
    """

    source: Visit
    target: Visit | None
    at: datetime
    direct: bool
    forward: bool
    reopened: bool  # from won or lost to open
    left_behind: tuple[Stage, ...]  # of a forward move: the source's stage and the ones that were skipped
    illegal: Illegal | None = None


def last_move(visits: Sequence[Visit], place: Place, process: Process) -> LastMove | None:
    """Give the last move of a deal that is open or won; None when there is none or the deal's stage isn't known."""
    target = visits[-1] if place.stage is not None and visits else None
    earlier = visits[:-1] if target else visits
    if not earlier or place.status is Status.LOST or (target is None and place.status is Status.OPEN):
        return None
    source = earlier[-1]
    through = source.to or place
    came_from = process.stage(source.stage)
    was_closed = through != place and through.status is not Status.OPEN
    was_won = came_from is not None and came_from.status == WON
    reopened = place.status is Status.OPEN and (was_closed or was_won)
    forward = _order(place, process) > process.order(source.stage)
    road = _road(source.stage, place.stage or WON, process) if forward else ()
    return LastMove(
        source=source,
        target=target,
        at=target.entered_at if target else source.left_at or source.entered_at,
        direct=through == place,
        forward=forward,
        reopened=reopened,
        left_behind=road,
        illegal=_illegal(earlier, place, process, forward=forward, reopened=reopened),
    )


def _illegal(
    earlier: Sequence[Visit], place: Place, process: Process, *, forward: bool, reopened: bool
) -> Illegal | None:
    source, allowed = earlier[-1], process.moves
    if reopened and not allowed.reopen:
        return Illegal.REOPENED
    if place.stage == source.stage or (place.stage or WON) in _following(source.stage, process):
        return None
    if forward:
        return None if allowed.skip else Illegal.SKIPPED
    undone = len(earlier) > 1 and _undoes(earlier[-2], source, place)
    return None if allowed.back or reopened or undone else Illegal.WENT_BACK


def _undoes(before: Visit, source: Visit, place: Place) -> bool:
    """Tell whether a move only takes back the one before it; so does a revert of ours."""
    there = before.to is not None and before.to.stage == source.stage
    return there and before.stage == place.stage and source.to == place


def _order(place: Place, process: Process) -> int:
    return process.order(place.stage) if place.stage is not None else len(process.stages)


def _following(stage_id: str, process: Process) -> tuple[str, ...]:
    """Name where a deal may go forward to from a stage; after the last stage comes being won."""
    stage = process.stage(stage_id)
    if stage and stage.next is not None:
        return stage.next
    index = process.order(stage_id) + 1
    return (process.stages[index].id if index < len(process.stages) else WON,)


def _road(source: str, target: str, process: Process) -> tuple[Stage, ...]:
    """Give the stages from the source up to the target, which is left out: the shortest way along `next`.

    Where `next` does not lead there, the stages between them in the file.
    """
    ways: deque[tuple[str, ...]] = deque([(source,)])
    seen = {source}
    while ways:
        way = ways.popleft()
        if way[-1] == target:
            return tuple(stage for step in way[:-1] if (stage := process.stage(step)))
        ahead = [step for step in _following(way[-1], process) if step not in seen] if way[-1] != WON else []
        seen.update(ahead)
        ways.extend((*way, step) for step in ahead)
    end = process.order(target) if target != WON else len(process.stages)
    return process.stages[process.order(source) : end]


_WORDS = {
    Illegal.SKIPPED: "the process allows no stage to be skipped",
    Illegal.WENT_BACK: "the process allows no way back",
    Illegal.REOPENED: "the process lets nothing be opened again",
}


def why_forbidden(move: LastMove | None) -> str:
    """Say why a move may not be made in another CRM as well; nothing where it may."""
    return _WORDS[move.illegal] if move is not None and move.illegal is not None else ""
