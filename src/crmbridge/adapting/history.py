"""Moves from true history: from a CRM that shows records as they were at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from crmbridge.model.records import Move, Position, Record
from crmbridge.model.values import iso

BLINK = timedelta(microseconds=1)
AsOf = Callable[[datetime, list[str]], Mapping[str, Position]]


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
