"""Shares the ids of an object type out among readers side by side, and checks that nothing lies between two parts.

The token of a list's next page is the id of the next record ("after", which is not documented): a reader can begin
anywhere. Ids lie unevenly, so a reader that is done takes half of what another one still has before it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

READERS = 10  # at half a second for an answer, fewer would leave some of 19 requests a second unused
WORTH = 300  # records that another reader is worth
Raw = Mapping[str, Any]


class DisorderError(Exception):
    """The pages of a list do not go by id as they should: it can't be read in slices."""


class Span(NamedTuple):
    """Ids from `start` up to, and without, `end`; None: without an end."""

    start: int
    end: int | None


def without(spans: Iterable[Span], read: Span) -> tuple[Span, ...]:
    """Take what was read out of spans."""
    left = []
    for span in spans:
        before = read.start if span.end is None else min(span.end, read.start)
        if span.start < before:
            left.append(Span(span.start, before))
        if read.end is not None and (span.end is None or read.end < span.end):
            left.append(Span(max(span.start, read.end), span.end))
    return tuple(left)


class Part(NamedTuple):
    """The records with ids in a span: all there are."""

    span: Span
    raws: list[Raw]


class Fetched(NamedTuple):
    """Records from some id on, in the order of their ids, and the id where the next ones begin; None: no more."""

    raws: list[Raw]
    following: int | None


Fetch = Callable[[int], Fetched]  # fetches records from an id on


@dataclass
class _Slice:
    """What one reader has before it."""

    place: int
    end: int | None
    density: float | None = None  # records per id where it reads; None: it has read nothing yet


def readers_for(records: int) -> int:
    """Tell how many readers so many records are worth."""
    return max(1, min(READERS, records // WORTH))


class Board:
    """Hands out slices, splits the biggest one for a reader that has none, and keeps the borders."""

    def __init__(self, spans: Sequence[Span], *, highest: int, expected: int, exists: Callable[[int], bool]) -> None:
        self._changed = threading.Condition()
        self._highest = highest
        self._expected = max(1, expected)
        self._exists = exists
        self._waiting = deque(self._cut(spans))
        self._reading: list[_Slice] = []
        self._over = False
        self._first: dict[int, int | None] = {}  # by border: the first record that the reader after it saw
        self._next: dict[int, int | None] = {}  # and the one that the reader before it saw

    def parts(self, fetch: Fetch) -> Iterator[Part]:
        """Read slices, one after the other, until there is nothing left that is worth it."""
        while (mine := self._take()) is not None:
            yield from self._read(mine, fetch)

    def give_up(self) -> None:
        """Let nobody wait any more: a reader has ended before its slice did."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _read(self, mine: _Slice, fetch: Fetch) -> Iterator[Part]:
        following: int | None = mine.place
        first = True
        while following is not None and mine.place != mine.end:
            part, following = self._read_page(mine, fetch, first=first)
            first = False
            yield part

    def _read_page(self, mine: _Slice, fetch: Fetch, *, first: bool) -> tuple[Part, int | None]:
        start = mine.place
        fetched = fetch(start)
        part = self._advance(mine, start, fetched)
        if first:
            self._saw(self._first, start, _first_id(fetched))
        return part, fetched.following

    def _cut(self, spans: Sequence[Span]) -> Iterator[Span]:
        if len(spans) > 1:
            yield from spans  # as a pull before this one left them
            return
        (start, end), count = spans[0], readers_for(self._expected)
        last = max(start, self._highest) + 1 if end is None else end
        borders = sorted({start + (last - start) * number // count for number in range(count)} | {start})
        yield from (Span(one, other) for one, other in zip(borders, [*borders[1:], end], strict=True))

    def _take(self) -> _Slice | None:
        """Give a slice that nobody reads yet, or half of one; wait while it is not known what the others have."""
        with self._changed:
            while not self._over:
                found = self._next_waiting() or self._split()
                if found is not None:
                    self._reading.append(found)
                    return found
                if all(each.density is not None for each in self._reading):
                    return None
                self._changed.wait()
            return None

    def _next_waiting(self) -> _Slice | None:
        return _Slice(*self._waiting.popleft()) if self._waiting else None

    def _split(self) -> _Slice | None:
        """Take the second half of the slice that has most before it."""
        biggest = max(self._reading, key=self._ahead, default=None)
        if biggest is None or self._ahead(biggest) < WORTH:
            return None
        middle = (biggest.place + self._last(biggest)) // 2
        half = _Slice(middle, biggest.end)
        biggest.end = middle
        return half

    def _last(self, each: _Slice) -> int:
        return self._highest + 1 if each.end is None else each.end

    def _ahead(self, each: _Slice) -> float:
        """Estimate how many records a slice has before it."""
        width = self._last(each) - each.place
        return min(width * each.density, self._expected) if each.density and width > WORTH else 0

    def _advance(self, mine: _Slice, start: int, fetched: Fetched) -> Part:
        ids = _ids(start, fetched)
        with self._changed:
            end = mine.end  # it may have been split since it was fetched
            upto = fetched.following
            if end is not None and (upto is None or upto >= end):
                upto = end
                beyond = next((each for each in ids if each >= end), fetched.following)
            raws = [raw for raw, each in zip(fetched.raws, ids, strict=True) if end is None or each < end]
            self._expected = max(0, self._expected - len(raws))
            mine.density = len(ids) / (1 + ids[-1] - ids[0]) if ids else mine.density or 0
            if upto is None or upto == end:
                self._reading.remove(mine)
            if upto is not None:
                mine.place = upto
            self._changed.notify_all()
        if end is not None and upto == end:
            self._saw(self._next, end, beyond)
        return Part(Span(start, upto), raws)

    def _saw(self, side: dict[int, int | None], border: int, record: int | None) -> None:
        """Note what one reader saw at a border; the readers on both sides must have seen the same."""
        with self._changed:
            side[border] = record
            if border not in self._first or border not in self._next:
                return
            first, following = self._first.pop(border), self._next.pop(border)
        if first == following:
            return
        if self._came_since(first, following) or self._went_since(first, following):
            return
        raise DisorderError(f"pages disagree about what follows {border}")

    def _came_since(self, first: int | None, following: int | None) -> bool:
        """Tell whether the reader after the border saw a record that was made when the other one had passed."""
        return first is not None and first > self._highest and (following is None or first < following)

    def _went_since(self, first: int | None, following: int | None) -> bool:
        """Tell whether the one that the reader before the border saw was deleted before the other one came by."""
        return following is not None and (first is None or first > following) and not self._exists(following)


def _first_id(fetched: Fetched) -> int | None:
    return int(fetched.raws[0]["id"]) if fetched.raws else fetched.following


def _ids(start: int, fetched: Fetched) -> list[int]:
    """Give the ids of a page; raises DisorderError unless they rise from where it was asked for to the next page."""
    ids = [int(raw["id"]) if str(raw["id"]).isdecimal() else -1 for raw in fetched.raws]
    following = [] if fetched.following is None else [fetched.following]
    if fetched.following is not None and fetched.following <= start:
        raise DisorderError(f"the page after {start} begins at {fetched.following}")
    if any(one >= other for one, other in pairwise([start - 1, *ids, *following])):
        raise DisorderError(f"a page from {start} on is not in the order of ids")
    return ids
