"""Cuts a big list in parts by times of change, which are learnt from a sample of its rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from crmbridge_pipedrive.api import Row
from crmbridge_pipedrive.cursors import OVERLAP, Part
from crmbridge_pipedrive.values import moment

A_SECOND = timedelta(seconds=1)  # lists are asked for by whole ones


class Newest(NamedTuple):
    """A part of which all rows are read already, in the order of their ids, by its number."""

    number: int
    rows: list[Row]


class Cut(NamedTuple):
    """The parts of a list, the ids of the sample by the number of their part, and what is read already."""

    parts: tuple[Part, ...]
    marks: Mapping[int, Sequence[int]]
    newest: Newest | None


def cut(sample: Sequence[Row], first_page: Sequence[Row], *, most: int, rows: int, page: int) -> Cut:
    """Cut a list of about so many `rows` in parts of about the same size, at most so many, and in what changed last.

    The parts touch, and the last one has no end, so that nothing falls between them. The first page holds what changed
    last: but for the overlap, which the last part asks for again together with what people edit meanwhile, that is a
    part read already.
    """
    stamped = [(at, row["id"]) for row in sample if (at := _changed(row)) is not None]
    changes = [(at, row) for row in first_page if (at := _changed(row)) is not None]
    newest = max(at for at, _ in changes)
    since = min(at for at, _ in changes) + A_SECOND  # what changed in that second may go on behind the page
    late = max(since, newest - OVERLAP)
    older = sorted(at for at, _ in stamped if at < since)
    count = min(most, len(older) // 4, rows * len(older) // max(1, len(stamped)) // page + 1)
    edges = sorted({older[len(older) * place // count] for place in range(1, count)} | {since, late})
    bounds: list[datetime | None] = [None, *edges, None]
    marks: dict[int, list[int]] = {}
    for at, number in stamped:
        marks.setdefault(bisect_right(edges, at), []).append(number)
    is_read = since < late and all(one[0] >= other[0] for one, other in pairwise(changes))  # else it holds anything
    held = sorted((row for at, row in changes if at >= since), key=_by_id)
    return Cut(
        parts=tuple(Part(since=start, until=end) for start, end in pairwise(bounds)),
        marks=marks,
        newest=Newest(len(edges) - 1, held) if is_read else None,
    )


def _changed(row: Row) -> datetime | None:
    at = moment(row.get("update_time"))
    return None if at is None else at.replace(microsecond=0)


def _by_id(row: Row) -> int:
    number: int = row["id"]
    return number
