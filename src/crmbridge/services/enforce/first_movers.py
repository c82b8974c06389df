"""Who made a move that only followed one of a linked deal: whoever made that, as the other deal was moved by us."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from crmbridge.engine.deals.visits import in_order
from crmbridge.engine.views import emails
from crmbridge.model.findings import Place
from crmbridge.model.records import Kind, Move, Ref
from crmbridge.model.replacing import replace
from crmbridge.services.workspace import Workspace

Moves = Mapping[Ref, Sequence[Move]]


class _Arrival(NamedTuple):
    """A linked deal that came to a place, and the e-mail address of whoever moved it; None where nobody can tell."""

    at: datetime
    place: Place
    by: str | None


def by_their_first(workspace: Workspace, moves: Moves) -> Moves:
    """Give the moves of deals with who made them first, where a linked deal had come to the same place just before.

    What we move in the name of somebody, that person did not decide. Nothing is looked for where nobody asks who moved.
    """
    links = workspace.store.links
    link_of = links.of(list(moves)) if workspace.project.process.moves.who else {}
    if not link_of:
        return moves
    linked = links.get(set(link_of.values()))
    arrivals = _arrivals(workspace, {deal for refs in linked.values() for deal in refs})
    others = {deal: [each for other in linked[link] for each in arrivals[other]] for deal, link in link_of.items()}
    return {deal: tuple(_named(workspace, own, others.get(deal, ()))) for deal, own in moves.items()}


def _arrivals(workspace: Workspace, deals: Collection[Ref]) -> Mapping[Ref, Sequence[_Arrival]]:
    records = workspace.store.records
    people = {name: emails(records.records(name, Kind.USER)) for name in {deal.connection for deal in deals}}
    moves = records.moves_for(sorted(deals))
    return {
        deal: [
            _Arrival(
                move.at, workspace.mapper(deal.connection).place(move.after), people[deal.connection].get(str(move.by))
            )
            for move in moves.get(deal, ())
            if move.before is not None  # where a deal was made, maybe by us, nobody moved it
        ]
        for deal in deals
    }


def _named(workspace: Workspace, moves: Sequence[Move], others: Sequence[_Arrival]) -> Iterator[Move]:
    since: datetime | None = None
    for move in in_order(moves):
        place = workspace.mapper(move.deal.connection).place(move.after)
        first = min(
            (each for each in others if each.place == place and since is not None and since < each.at < move.at),
            key=lambda each: each.at,
            default=None,
        )
        yield move if first is None else replace(move, by=first.by)
        since = move.at
