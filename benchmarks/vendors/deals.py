"""The deals of a stand-in: ids, times, and JSON that is rendered once for each kind of request."""

from __future__ import annotations

import bisect
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from vendors.columns import Row, make_row

POOL = 1_000  # as many deals differ from each other; ids and times differ for all
YEARS = 3
SECONDS = 365 * 24 * 3600
HOUR = 3600
EDITS_TAKE = 60.0  # seconds over which people make their edits: as a rule, no two share a millisecond
Times = Callable[[int], bytes]  # how a vendor writes a time, from epoch milliseconds
Render = Callable[["Sample"], bytes]


class Sample(NamedTuple):
    """A deal to be rendered with gaps: its values, and whether it has moved since it was created.

    What is rendered has the marks `ID`, `CREATED`, `CHANGED` and `NAME` where these differ from deal to deal.
    """

    row: Row
    moved: bool


ID, CREATED, CHANGED, NAME = "@@id@@", "@@created@@", "@@changed@@", "@@name@@"


class Deals:
    """Deals in the order of their ids, and in the order of their last change.

    `moved` is the share of them that changed their stage after they were created. Times are epoch milliseconds, in
    steps of `grain`.
    """

    def __init__(
        self,
        count: int,
        *,
        moved: float,
        times: Times,
        ids: Sequence[Any],
        id_text: Callable[[Any], str] = str,
        grain: int = 1,
    ) -> None:
        random_ = random.Random(count)  # noqa: S311  made-up data, no secret
        self.ids = ids
        self._position = {each: index for index, each in enumerate(ids)}
        self._grain = grain
        newest = (int(time.time()) - HOUR) * 1000
        oldest = newest - YEARS * SECONDS * 1000
        self.created = [self._whole(oldest + (newest - oldest) * index // max(1, count)) for index in range(count)]
        a_year_ago = newest - SECONDS * 1000
        self.changed = [self._whole(random_.uniform(max(at, a_year_ago), newest)) for at in self.created]
        self.moved = [random_.random() < moved for _ in range(count)]
        self.by_change = sorted(zip(self.changed, range(count), strict=True))
        self._id_texts = [id_text(each).encode() for each in ids]
        self._created_texts = [times(at) for at in self.created]
        self._changed_texts = [times(at) for at in self.changed]
        # No two are the same in one account, and the accounts of two vendors have the same ones.
        self._names = [f"Rollout {index:06} for customer {index % 9_973}".encode() for index in range(count)]
        self._times = times
        self._rows = [make_row(number) for number in range(min(POOL, count))]

    def _whole(self, at: float) -> int:
        return int(at) // self._grain * self._grain

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, each: Any) -> int | None:
        """Give the place of an id, or None."""
        return self._position.get(each)

    def at_or_after(self, each: Any) -> int:
        """Give the place of the first id that is not smaller."""
        return bisect.bisect_left(self.ids, each)

    def between(self, first: Any, last: Any) -> range:
        """Give the places of the ids from one to another, both included."""
        return range(self.at_or_after(first), bisect.bisect_right(self.ids, last))

    def row(self, index: int) -> Row:
        """Give what stands in a deal."""
        return self._rows[index % POOL]

    def id_text(self, index: int) -> bytes:
        """Give an id as it is written."""
        return self._id_texts[index]

    def changed_between(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        """Give (time, place) of what changed from `start` on and before `end`, in that order."""
        first = bisect.bisect_left(self.by_change, (start, -1))
        return self.by_change[first : bisect.bisect_left(self.by_change, (end, -1))]

    def touch(self, indexes: Sequence[int], over: float = 0) -> None:
        """Let these deals have been changed now, or one after the other over so many seconds until now."""
        until = time.time()
        for number, index in enumerate(indexes, 1):
            now = self._whole((until - over + over * number / len(indexes)) * 1000)
            del self.by_change[bisect.bisect_left(self.by_change, (self.changed[index], index))]
            bisect.insort(self.by_change, (now, index))
            self.changed[index] = now
            self._changed_texts[index] = self._times(now)

    def templates(self, render: Render) -> Templates:
        """Give what renders the deals in one form."""
        return Templates(self, render)

    def sample(self, index: int) -> Sample:
        """Give what a deal is rendered from; deals with the same one differ in ids, times and names only."""
        return Sample(self.row(index), self.moved[index])

    def fill(self, template: bytes, index: int) -> bytes:
        """Put a deal's own id, times and name into a template."""
        return template % {
            b"id": self._id_texts[index],
            b"created": self._created_texts[index],
            b"changed": self._changed_texts[index],
            b"name": self._names[index],
        }


class Templates:
    """Deals in one form, each rendered once but for its id, times and name."""

    def __init__(self, deals: Deals, render: Render) -> None:
        self._deals = deals
        self._render = render
        self._made: dict[tuple[int, bool], bytes] = {}

    def of(self, index: int) -> bytes:
        """Render one deal."""
        key = (index % POOL, self._deals.moved[index])
        template = self._made.get(key)
        if template is None:
            template = self._made[key] = gaps(self._render(self._deals.sample(index)))
        return self._deals.fill(template, index)

    def all(self, indexes: Sequence[int] | range) -> Iterator[bytes]:
        """Render several."""
        return map(self.of, indexes)


def gaps(text: bytes) -> bytes:
    """Turn rendered text with marked gaps into a template."""
    text = text.replace(b"%", b"%%")
    for mark in (ID, CREATED, CHANGED, NAME):
        text = text.replace(mark.encode(), f"%({mark.strip('@')})b".encode())
    return text


def iso(at: int, form: str) -> bytes:
    """Write epoch milliseconds by a strftime form in which `%f` are three digits."""
    text = datetime.fromtimestamp(at // 1000, UTC).strftime(form.replace("%f", f"{at % 1000:03}"))
    return text.encode()
