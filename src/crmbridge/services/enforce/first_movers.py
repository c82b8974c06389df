"""Who made a move that only followed one of a linked deal: whoever made that, as the other deal was moved by us."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from crmbridge.engine.deals.visits import in_order
from crmbridge.engine.mapping import WON
from crmbridge.engine.views import emails
from crmbridge.model.changes import JournalEntry, Origin, Outcome
from crmbridge.model.findings import Place
from crmbridge.model.records import Kind, Move, Ref, Status
from crmbridge.services.workspace import Workspace

NEAR = timedelta(minutes=2)  # by which a CRM's clock, or its answer, may be off
# By the ids of moves, the e-mail address of who made each first; None where nobody can tell.
First = Mapping[str, str | None]


class _Arrival(NamedTuple):
    """A linked deal that came to a place, and the CRM's id of whoever moved it; None where nobody can tell."""

    at: datetime
    place: Place
    by: str | None
    connection: str


def first_movers(workspace: Workspace, moves: Mapping[Ref, Sequence[Move]]) -> Mapping[Ref, First]:
    """Say of moves of deals who made them first, where a linked deal had come to the same place just before.

    What we move in the name of somebody, that person did not decide, and of what somebody decided on by hand nobody can
    tell who moved it. Nothing is looked for where nobody asks who moved.
    """
    links = workspace.store.links
    link_of = links.of(list(moves)) if workspace.project.process.moves.who else {}
    linked = links.get(set(link_of.values())) if link_of else {}
    others = {deal: [other for other in linked[link] if other != deal] for deal, link in link_of.items()}
    arrivals = _arrivals(workspace, {other for each in others.values() for other in each})
    first = {
        deal: dict(_first(workspace, moves[deal], [arrivals[other] for other in others[deal]])) for deal in link_of
    }
    people = _people(workspace, {each.connection for own in first.values() for each in own.values()})
    found: dict[Ref, dict[str, str | None]] = {
        deal: {move: people[each.connection].get(str(each.by)) for move, each in own.items()}
        for deal, own in first.items()
    }
    last = {deal: in_order(moves[deal])[-1] for deal in link_of if moves[deal]}
    for move in _decided(workspace, [move for deal, move in last.items() if move.id not in first[deal]]):
        found[move.deal][move.id] = None
    return {deal: own for deal, own in found.items() if own}


def _decided(workspace: Workspace, moves: Sequence[Move]) -> Iterator[Move]:
    """Give the moves that are ours and follow nobody's: a person decided on the stage, and it is not known who.

    What the journal has at the time of a move, to where it went, is what made it.
    """
    who = workspace.project.process.moves.who
    asked = [move for move in moves if _called(_arrival(workspace, move).place) in who]
    ours: dict[Ref | None, list[JournalEntry]] = {}
    for entry in workspace.store.journal.about([move.deal for move in asked]) if asked else ():
        if entry.change.origin is Origin.SYNC and entry.outcome is Outcome.APPLIED:
            ours.setdefault(entry.change.target, []).append(entry)
    for move in asked:
        if any(e.change.position == move.after and abs(e.at - move.at) <= NEAR for e in ours.get(move.deal, ())):
            yield move


def _called(place: Place) -> str | None:
    return WON if place.stage is None and place.status is Status.WON else place.stage


def _people(workspace: Workspace, connections: Collection[str]) -> Mapping[str, Mapping[str, str]]:
    return {name: emails(workspace.store.records.records(name, Kind.USER)) for name in sorted(connections)}


def _arrivals(workspace: Workspace, deals: Collection[Ref]) -> Mapping[Ref, Sequence[_Arrival]]:
    moves = workspace.store.records.moves_for(sorted(deals)) if deals else {}
    # Where a deal was made, maybe by us, nobody moved it.
    return {
        deal: [_arrival(workspace, move) for move in moves.get(deal, ()) if move.before is not None] for deal in deals
    }


def _arrival(workspace: Workspace, move: Move) -> _Arrival:
    name = move.deal.connection
    return _Arrival(move.at, workspace.mapper(name).place(move.after), move.by, name)


def _first(
    workspace: Workspace, moves: Iterable[Move], others: Sequence[Sequence[_Arrival]]
) -> Iterator[tuple[str, _Arrival]]:
    before: _Arrival | None = None
    for move in in_order(moves):
        now = _arrival(workspace, move)
        came = [each for own in others if before and (each := _stood(own, before, now)) is not None]
        if came:
            yield move.id, min(came, key=lambda each: each.at)
        before = now


def _stood(other: Iterable[_Arrival], before: _Arrival, now: _Arrival) -> _Arrival | None:
    """Give how a linked deal came to a place in between, unless it was taken back from there."""
    within = [each for each in other if before.at < each.at < now.at and each.place in {before.place, now.place}]
    last = max(within, key=lambda each: each.at, default=None)
    return last if last and last.place == now.place else None
