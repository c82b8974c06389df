"""Moves from true history: from a CRM that shows records as they were at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Protocol

from crmbridge.adapting.walking import Deletions, Place, walk_by_time
from crmbridge.model.records import Kind, Move, Position, Record, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import iso
from crmbridge.ports import Page

BLINK = timedelta(microseconds=1)
AsOf = Callable[[datetime, list[str]], Mapping[str, Position]]


class History(Protocol):
    """What a CRM tells of its deals at any time. Ids are the native ones; without a time, it is as of now."""

    connection: str

    def newest(self) -> datetime | None:
        """Give the time of the last change that there is, by the CRM's clock."""
        ...

    def revisions(self, deals: list[str]) -> Iterable[tuple[str, datetime]]:
        """Give the times at which each of these deals was changed, also of those that are gone."""
        ...

    def as_of(self, at: datetime, deals: list[str]) -> Mapping[str, Position]:
        """Read where deals stood at a time."""
        ...

    def ids(self, made_by: datetime, at: datetime | None = None) -> Iterable[str]:
        """Name the deals made by a time that were there at another."""
        ...

    def count(self, made_by: datetime, at: datetime | None = None) -> int:
        """Count them."""
        ...


def walk_with_history(
    since: str | None,
    fetch: Callable[[Place | None], Sequence[Record]],
    *,
    limit: int,
    overlap: timedelta,
    history: History,
) -> Iterator[Page]:
    """Yield pages of deals that changed since a cursor, with all their moves, and tombstones of those that are gone.

    See `walk_by_time` for the walk and `moves_from_revisions` for the moves.
    """

    def gone(at: datetime) -> list[Tombstone]:
        if history.count(at) == history.count(at, at):  # as a rule: so the ids of all deals are not asked for
            return []
        lost = sorted({*history.ids(at, at)} - {*history.ids(at)})
        ended = _times(lost, history.revisions(lost))
        return [Tombstone(ref=Ref(history.connection, Kind.DEAL, deal), at=max([at, *ended[deal]])) for deal in lost]

    for page in walk_by_time(since, fetch, limit=limit, overlap=overlap, deletions=Deletions(history.newest, gone)):
        deals = [record.ref.id for record in page.records]
        revisions = _times(deals, history.revisions(deals)) if deals else {}
        yield replace(page, moves=tuple(moves_from_revisions(page.records, revisions, history.as_of)))


def _times(deals: Sequence[str], revisions: Iterable[tuple[str, datetime]]) -> dict[str, list[datetime]]:
    times: dict[str, list[datetime]] = {deal: [] for deal in deals}
    for deal, at in revisions:
        times[deal].append(at)
    return times


class _Stay(NamedTuple):
    """One revision of a deal that later ones followed: what it says holds from its time to the next one's."""

    start: datetime
    end: datetime
    deal: str


def moves_from_revisions(
    deals: Sequence[Record], revisions: Mapping[str, Iterable[datetime]], as_of: AsOf
) -> Iterator[Move]:
    """Give all moves of deals that the CRM keeps revisions of; a revision that left the position as it was is none.

    `revisions` has the times at which each deal, by its id, was changed; what is later than its `updated_at` is left
    to the pull that brings that change. `as_of` reads where deals with these ids stood at a time. It is called as few
    times as can be: a time is chosen such that it falls between the revisions of as many deals as it can.
    """
    times = {
        deal.ref.id: sorted(at for at in set(revisions.get(deal.ref.id, ())) if at <= deal.updated_at)
        or [deal.created_at or deal.updated_at]
        for deal in deals
    }
    stood = _positions([_Stay(*pair, deal) for deal, found in times.items() for pair in pairwise(found)], as_of)
    for deal in deals:
        before: Position | None = None
        for at in times[deal.ref.id]:
            after = stood.get((deal.ref.id, at), deal.position)
            if after is not None and after != before:
                yield Move(deal=deal.ref, id=iso(at), at=at, before=before, after=after)
            before = after


def _positions(stays: list[_Stay], as_of: AsOf) -> dict[tuple[str, datetime], Position]:
    """Read the position in each stay; the one that ends first is asked for last of all its time, with all others."""
    found: dict[tuple[str, datetime], Position] = {}
    left = sorted(stays, key=lambda stay: stay.end)
    while left:
        at = left[0].end - BLINK
        inside = {stay.deal: stay for stay in left if stay.start <= at}
        found |= {(deal, inside[deal].start): stood for deal, stood in as_of(at, list(inside)).items()}
        left = [stay for stay in left if stay.start > at]
    return found
