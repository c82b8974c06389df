"""Turn a deal's moves into its visits: which stage it stayed in, from when to when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from crmbridge.engine.mapping import StageMapper
from crmbridge.model.findings import Place, Visit
from crmbridge.model.records import Move, Record


class _Arrival(NamedTuple):
    """A deal coming to a place."""

    at: datetime
    place: Place


def in_order(moves: Iterable[Move]) -> tuple[Move, ...]:
    """Sort moves oldest first; of moves at the same time the lower id comes first, 9 before 10."""
    return tuple(sorted(moves, key=lambda move: (move.at, len(move.id), move.id)))


def visits_of(deal: Record, moves: Sequence[Move], mapper: StageMapper) -> tuple[Visit, ...]:
    """Give a deal's visits, oldest first; only the last one can be without an end.

    - Moves may come in any order. Moves within one stage of the process make one visit; coming back to a stage
      after another place makes a new one, with the next number.
    - Time in places without a stage (lost, not mapped) is between visits.
    - A deal without moves has one visit, from its creation. When the oldest known move has a `before`, the deal
      stood there from its creation until then.
    - History can lag behind the record. The record is right: the deal came to where it stands when the record was
      last updated, which is the latest it can have been. The next pull of the history corrects that time.
    - Moves later than now stay as they are.
    """
    if not moves:
        place, since = mapper.place(deal.position), deal.created_at or deal.updated_at
        return () if place.stage is None else (Visit(deal=deal.ref, stage=place.stage, number=1, entered_at=since),)
    arrivals = _collapsed(_arrivals(deal, in_order(moves), mapper))
    numbers: dict[str, int] = {}
    visits = []
    for index, (at, place) in enumerate(arrivals):
        if place.stage is None:
            continue
        numbers[place.stage] = numbers.get(place.stage, 0) + 1
        following = arrivals[index + 1] if index + 1 < len(arrivals) else None
        visits.append(
            Visit(
                deal=deal.ref,
                stage=place.stage,
                number=numbers[place.stage],
                entered_at=at,
                left_at=following.at if following else None,
                to=following.place if following else None,
            )
        )
    return tuple(visits)


def _arrivals(deal: Record, moves: Sequence[Move], mapper: StageMapper) -> list[_Arrival]:
    """List where the deal came to and when, from its creation to where the record says it is now."""
    arrivals = [_Arrival(move.at, mapper.place(move.after)) for move in moves]
    first = moves[0]
    if first.before is not None and deal.created_at is not None and deal.created_at <= first.at:
        arrivals.insert(0, _Arrival(deal.created_at, mapper.place(first.before)))
    # Where it stood there already, this is left out again.
    return [*arrivals, _Arrival(max(deal.updated_at, moves[-1].at), mapper.place(deal.position))]


def _collapsed(arrivals: Iterable[_Arrival]) -> list[_Arrival]:
    """Leave out arrivals at the place where the deal already was."""
    kept: list[_Arrival] = []
    for arrival in arrivals:
        if not kept or kept[-1].place != arrival.place:
            kept.append(arrival)
    return kept
