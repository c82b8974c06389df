"""Open time on a line of whole microseconds since 1970: for one question, or for a million of them.

A clock change can't be seen here: what a calendar's wall clock shows was turned into stretches of UTC before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Cycle = tuple[int, int, Sequence[tuple[int, int]]]  # from, until, and the pauses: in order, none into another
Dated = tuple[datetime, datetime, Sequence[tuple[datetime, datetime]]]  # the same as times in UTC


class Timeline(NamedTuple):
    """Stretches of open time, in order and apart, as the moments at which they open and close.

    With `i` edges at or before a moment, the open time before it is `bases[i]`, and when `i` is odd (it is open then)
    the moment is added. So each question costs one look into `edges`.
    """

    edges: Sequence[int]
    bases: Sequence[int]
    totals: Sequence[int]  # the open time before each stretch, and that of the whole line

    @property
    def total(self) -> int:
        """The open time of the whole line."""
        return self.totals[-1]

    def before(self, moment: int) -> int:
        """Give the open time before a moment."""
        index = bisect_right(self.edges, moment)
        return self.bases[index] + moment if index & 1 else self.bases[index]

    def when(self, amount: int) -> int:
        """Give the earliest moment at which this much open time has passed; it must be more than none, and in reach."""
        index = bisect_left(self.totals, amount) - 1
        return self.edges[2 * index] + amount - self.totals[index]


def timeline(spans: Iterable[tuple[int, int]]) -> Timeline:
    """Make a line of stretches, which come in order and may touch."""
    edges: list[int] = []
    bases = [0]
    for start, end in spans:
        edges += (start, end)
        bases += (bases[-1] - start, bases[-1] + end - start)
    return Timeline(edges, bases, bases[::2])


def joined(lines: Sequence[Timeline]) -> Timeline:
    """Put lines one behind the other into one."""
    edges = list(chain.from_iterable(line.edges for line in lines))
    return timeline(zip(edges[::2], edges[1::2], strict=True))


def spent(line: Timeline, cycles: Iterable[Cycle]) -> Iterator[int]:
    """Give the open time of each cycle without its pauses; none where the end comes first.

    What of a pause lies outside of the cycle does not count.
    """
    # Written out, with one look for each end: this is what a million of them wait for.
    edges, bases, find = line.edges, line.bases, bisect_right
    for start, end, pauses in cycles:
        if end <= start:
            yield 0
            continue
        first, last = find(edges, start), find(edges, end)
        took = (bases[last] + end if last & 1 else bases[last]) - (bases[first] + start if first & 1 else bases[first])
        for since, until in pauses:
            if since < start:  # noqa: PLR1730  a call of max() would take as long as the look
                since = start  # noqa: PLW2901  clipped
            if until > end:  # noqa: PLR1730  as above
                until = end  # noqa: PLW2901  clipped
            if since < until:
                first, last = find(edges, since), find(edges, until)
                took -= bases[last] + until if last & 1 else bases[last]
                took += bases[first] + since if first & 1 else bases[first]
        yield took


def spent_dated(line: Timeline, cycles: Iterable[Dated]) -> Iterator[int]:
    """Give the open time of cycles of times in UTC, in microseconds: what `spent` gives of the same.

    A moment is looked for as it is. Only one in open hours, which is one in four in an office, is turned into a number.
    """
    edges, bases, find = list(map(moment, line.edges)), line.bases, bisect_right
    for start, end, pauses in cycles:
        if end <= start:
            yield 0
            continue
        first, last = find(edges, start), find(edges, end)
        took = bases[last] + micros(end) if last & 1 else bases[last]
        took -= bases[first] + micros(start) if first & 1 else bases[first]
        for since, until in pauses:
            if since < start:  # noqa: PLR1730  as above
                since = start  # noqa: PLW2901  clipped
            if until > end:  # noqa: PLR1730  as above
                until = end  # noqa: PLW2901  clipped
            if since < until:
                first, last = find(edges, since), find(edges, until)
                took -= bases[last] + micros(until) if last & 1 else bases[last]
                took += bases[first] + micros(since) if first & 1 else bases[first]
        yield took


def micros(moment: datetime) -> int:
    """Give the microseconds between 1970 and a moment."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(microseconds: int) -> datetime:
    """Give the moment so many microseconds after 1970, in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)
