"""Read a deal's moves off its visits: what each left behind, and whether the process allows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from crmbridge.engine.mapping import WON
from crmbridge.model.findings import Place, Visit
from crmbridge.model.process import Process, Stage
from crmbridge.model.records import Status
from crmbridge.model.replacing import replace
from crmbridge.model.roads import following, road


class Illegal(StrEnum):
    """What makes a move one that the process does not allow."""

    SKIPPED = "skipped"  # forward to where `next` does not lead
    WENT_BACK = "went_back"
    REOPENED = "reopened"
    WITHOUT_REASON = "without_reason"  # back, and nobody said why
    BY_ANOTHER = "by_another"  # by somebody who may not move deals there


class LastMove(Struct, frozen=True, kw_only=True):
    """A move as the process sees it: the one that brought a deal to the place where it stands, or one before it.

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
    undone: bool = False  # it takes back the move before it
    back: bool = False  # against the process's direction, other than by taking back the move before it
    left_behind: tuple[Stage, ...]  # of a forward move: the source's stage and the ones that were skipped
    illegal: Illegal | None = None


def last_move(visits: Sequence[Visit], place: Place, process: Process) -> LastMove | None:
    """Give the last move of a deal that is open or won; None when there is none or the deal's stage isn't known."""
    target = visits[-1] if place.stage is not None and visits else None
    earlier = visits[:-1] if target else visits
    if not earlier or place.status is Status.LOST or (target is None and place.status is Status.OPEN):
        return None
    return _move(earlier, target, place, process)


def standing_moves(visits: Sequence[Visit], place: Place, process: Process) -> tuple[LastMove, ...]:
    """Give the moves that still matter, oldest first, each with the stages that it left behind for good.

    That are the last one, and of an open deal every one before it that went forward past a stage which is behind the
    deal ever since. A stage is left behind by one move only: the last that did. A deal that was won is measured by
    its last move alone, as nothing before that can be mended for the sale.
    """
    last = last_move(visits, place, process)
    if last is None:
        return ()
    found = [last]
    seen = {stage.id for stage in last.left_behind}
    lowest = _order(place, process)
    earlier = range(len(visits) - 2, 0, -1) if place.status is Status.OPEN else ()
    for index in earlier:
        target = visits[index]
        lowest = min(lowest, process.order(target.stage))
        move = _move(visits[:index], target, _place(target, process), process)
        behind = tuple(s for s in move.left_behind if s.id not in seen and process.order(s.id) < lowest)
        seen.update(stage.id for stage in behind)
        found += [replace(move, left_behind=behind)] if behind else []
    return tuple(reversed(found))


def came_as_allowed(visits: Sequence[Visit], place: Place, process: Process, before: datetime) -> bool:
    """Tell whether a deal came to a place before a time: by a move that the process allows, or as it was made there."""
    for index, visit in enumerate(visits):
        if index == 0 and visit.stage == place.stage and visit.entered_at < before:
            return True
        target = visits[index + 1] if index + 1 < len(visits) else None
        there = target.stage == place.stage if target and place.stage else visit.to == place
        at = target.entered_at if target and place.stage else visit.left_at
        if not there or at is None or at >= before:
            continue
        if _move(visits[: index + 1], target if place.stage else None, place, process).illegal is None:
            return True
    return False


def _place(visit: Visit, process: Process) -> Place:
    stage = process.stage(visit.stage)
    return Place(visit.stage, Status(stage.status) if stage else Status.OPEN)


def _move(earlier: Sequence[Visit], target: Visit | None, place: Place, process: Process) -> LastMove:
    source = earlier[-1]
    through = source.to or place
    came_from = process.stage(source.stage)
    was_closed = through != place and through.status is not Status.OPEN
    was_won = came_from is not None and came_from.status == WON
    forward = _order(place, process) > process.order(source.stage)
    led_to = place.stage == source.stage or (place.stage or WON) in following(source.stage, process)
    reopened = place.status is Status.OPEN and (was_closed or was_won)
    undone = len(earlier) > 1 and _undoes(earlier[-2], source, place)
    move = LastMove(
        source=source,
        target=target,
        at=target.entered_at if target else source.left_at or source.entered_at,
        direct=through == place,
        forward=forward,
        reopened=reopened,
        undone=undone,
        back=not (led_to or forward or reopened or undone),
        left_behind=road(source.stage, place.stage or WON, process) if forward else (),
    )
    return replace(move, illegal=_illegal(move, process, led_to=led_to))


def _illegal(move: LastMove, process: Process, *, led_to: bool) -> Illegal | None:
    allowed = process.moves
    if move.reopened and not allowed.reopen:
        return Illegal.REOPENED
    if move.forward and not led_to and not allowed.skip:
        return Illegal.SKIPPED
    return Illegal.WENT_BACK if move.back and not allowed.back else None


def _undoes(before: Visit, source: Visit, place: Place) -> bool:
    """Tell whether a move only takes back the one before it; so does a revert of ours."""
    there = before.to is not None and before.to.stage == source.stage
    return there and before.stage == place.stage and source.to == place


def _order(place: Place, process: Process) -> int:
    return process.order(place.stage) if place.stage is not None else len(process.stages)


_WORDS = {
    Illegal.SKIPPED: "the process allows no stage to be skipped",
    Illegal.WENT_BACK: "the process allows no way back",
    Illegal.REOPENED: "the process lets nothing be opened again",
    Illegal.WITHOUT_REASON: "the process allows no way back without a reason",
    Illegal.BY_ANOTHER: "the process lets others make it",
}


def why_forbidden(move: LastMove | None) -> str:
    """Say why a move may not be made in another CRM as well, and which it was; nothing where it may."""
    if move is None or move.illegal is None:
        return ""
    return f"{_came_from(move)} to {move.target.stage if move.target else WON}: {_WORDS[move.illegal]}"


def _came_from(move: LastMove) -> str:
    """Name the place that a deal left: its stage, or that it was won or lost in between."""
    between = None if move.direct else move.source.to
    if between is None or between.status is Status.OPEN:
        return move.source.stage
    return between.stage or between.status
