"""Moves between stages as formulas: which change of StageName leaves a stage behind, and which is not allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from crmbridge.model.roads import WON, following, road
from crmbridge.ports import GuardRequest
from crmbridge_salesforce.formulas import UnsayableError, all_of, any_of, picks

LOST = "lost"


class Spot(NamedTuple):
    """Where a deal can stand: a stage of the process or won, its place in the order, and the org's stages for it."""

    id: str
    order: int
    natives: tuple[str, ...]
    open: bool


def leaves(stage: str, request: GuardRequest) -> str:
    """Say that a deal goes on and leaves a stage behind: from the stage itself, or from an earlier one past it.

    Raises UnsayableError when no such move is mapped.
    """
    found = _moves(request, lambda one, other: stage in {left.id for left in road(one.id, other.id, request.process)})
    if found is None:
        raise UnsayableError("no move that leaves the stage behind is mapped to stages of the org")
    return found


def forbidden(request: GuardRequest) -> str | None:
    """Say that a move is one that the process does not allow; None when it allows all that a formula can tell.

    Going back is not among them: the process allows it where it takes back the last move, which no formula sees.
    """
    process, found = request.process, []
    if not process.moves.skip:
        found.append(_moves(request, lambda one, other: other.id not in following(one.id, process)))
    closed = [*_natives(WON, request), *request.stages.get(LOST, ())]
    still_open = [native for spot in spots(request) if spot.open for native in spot.natives]
    if not process.moves.reopen and closed and still_open:
        found.append(all_of([picks("PRIORVALUE(StageName)", closed), picks("StageName", still_open)]))
    said = [part for part in found if part is not None]
    return any_of(said) if said else None


def spots(request: GuardRequest) -> Iterator[Spot]:
    """Yield where deals can stand, as far as it is mapped."""
    process = request.process
    for stage in process.stages:
        if natives := _natives(stage.id, request):
            yield Spot(stage.id, process.order(stage.id), natives, stage.status == "open")
    if process.won_stage is None and (natives := _natives(WON, request)):
        yield Spot(WON, len(process.stages), natives, open=False)


def _moves(request: GuardRequest, wanted: Callable[[Spot, Spot], bool]) -> str | None:
    """Say that one of the wanted moves forward is made; stages with the same targets are said together."""
    known = list(spots(request))
    sources: dict[tuple[str, ...], list[str]] = {}
    for source in (spot for spot in known if spot.open):
        targets = [spot for spot in known if spot.order > source.order and wanted(source, spot)]
        natives = tuple(native for spot in targets for native in spot.natives)
        if natives:
            sources.setdefault(natives, []).extend(source.natives)
    parts = [
        all_of([picks("PRIORVALUE(StageName)", before), picks("StageName", after)]) for after, before in sources.items()
    ]
    return any_of(parts) if parts else None


def _natives(stage: str, request: GuardRequest) -> tuple[str, ...]:
    """Give the org's stages for one; the process's won stage and `won` are two names for the same."""
    won = request.process.won_stage
    both = (WON, won.id) if won else (WON,)
    stages: Mapping[str, tuple[str, ...]] = request.stages
    names = both if stage in both else (stage,)
    return tuple(dict.fromkeys(native for name in names for native in stages.get(name, ())))
