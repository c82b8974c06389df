"""Shares the parts of a list out among its readers: one that has none left reads the largest of the others backwards.

So few parts are enough, each of which costs half a page more than its rows need, and all readers end together.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crmbridge.errors import RetryLaterError
from crmbridge.http.replies import UNREADABLE
from crmbridge_pipedrive.api import LIMIT, Row
from crmbridge_pipedrive.cursors import Part


class RangesError(RetryLaterError):
    """A list gave rows from outside the range it was asked for, or in another order: it can't be cut in parts.

    Where it is read in one piece, its order must be right all the same: places in it are ids.
    """

    def __init__(self) -> None:
        super().__init__("Pipedrive gave a list in another order than it was asked for", advice=UNREADABLE)


@dataclass
class _Stretch:
    """A part as far as it is read: by ids, and backwards from the highest one where a second reader helps."""

    number: int
    part: Part
    marks: Sequence[int]
    low: int
    high: float
    readers: int = 0
    asking: int = 0  # requests that are under way
    is_over: bool = False


@dataclass
class Reader:
    """Who reads a part from one of its ends."""

    stretch: _Stretch = field(repr=False)
    is_backwards: bool
    density: float = math.inf  # rows per id where it read last

    @property
    def number(self) -> int:
        """Give the number of the part."""
        return self.stretch.number

    @property
    def part(self) -> Part:
        """Give the part as it stood when reading began."""
        return self.stretch.part

    @property
    def is_done(self) -> bool:
        """Tell whether all of the part is read, by this reader or the other one."""
        return self.stretch.is_over


class Board:
    """Hands out parts, and knows how far each of them is read. For several threads.

    `marks` are the ids of some rows of each part, of which each stands for as many rows; without them nobody helps.
    """

    def __init__(
        self,
        parts: Mapping[int, Part],
        marks: Mapping[int, Sequence[int]],
        *,
        stands_for: float = 0.0,
        page: int = LIMIT,
    ) -> None:
        self._lock = threading.Lock()
        self._stands_for = stands_for
        self._page = page
        self._stretches = {
            number: _Stretch(number, part, marks.get(number, ()), part.after or 0, part.before or math.inf)
            for number, part in parts.items()
        }
        self._waiting = deque(self._stretches.values())
        self._ended = dict.fromkeys(parts, 0)

    def readers(self, *, but: int | None = None) -> Iterator[Reader]:
        """Give one reader of a part after the other, until no part is worth one more; the last one may be left out."""
        while (reader := self._take(but)) is not None:
            yield reader

    def begins(self, reader: Reader) -> bool:
        """Tell whether a reader shall ask for its next page; not where that of the other one brings the rest."""
        stretch = reader.stretch
        with self._lock:
            rest = (stretch.high - stretch.low) * reader.density
            if stretch.is_over or (stretch.asking and rest <= self._page):
                return False
            stretch.asking += 1
            return True

    def take(self, reader: Reader, rows: Sequence[Row], *, is_last: bool) -> list[Row]:
        """Note that a reader has read a page, and give those of its rows that the other one has not read."""
        stretch, ids = reader.stretch, [row["id"] for row in rows]
        if ids != sorted(set(ids), reverse=reader.is_backwards):
            raise RangesError  # what comes behind a higher id would pass for read
        with self._lock:
            stretch.asking -= 1
            fresh = [row for row in rows if stretch.low < row["id"] < stretch.high]
            if ids:
                reader.density = len(ids) / (1 + abs(ids[-1] - ids[0]))
                if reader.is_backwards:
                    stretch.high = min(stretch.high, ids[-1])
                else:
                    stretch.low = max(stretch.low, ids[-1])
            stretch.is_over = stretch.is_over or is_last or stretch.high <= stretch.low + 1
        return fresh

    def end(self, number: int) -> bool:
        """Note that all that a reader read of a part is taken, and tell whether that is all there is of it."""
        with self._lock:
            self._ended[number] += 1
            stretch = self._stretches[number]
            return self._ended[number] == stretch.readers

    def _take(self, but: int | None) -> Reader | None:
        with self._lock:
            helps = not self._waiting or self._waiting[0].number == but
            stretch = self._largest() if helps else self._waiting.popleft()
            if stretch is None:
                return None
            stretch.readers += 1
            return Reader(stretch, helps)

    def _largest(self) -> _Stretch | None:
        """Give the part that has most before its only reader, if that is worth another one."""
        alone = (each for each in self._stretches.values() if each.readers == 1 and not each.is_over)
        found = max(alone, key=self._left, default=None)
        return found if found is not None and self._left(found) >= self._page else None

    def _left(self, stretch: _Stretch) -> float:
        """Estimate how many rows of a part are not read yet, by the marks among them."""
        return self._stands_for * sum(stretch.low < mark < stretch.high for mark in stretch.marks)
