"""Walks through all records of an object type: side by side where that can be shown to leave nothing out.

There are three ways, each standing behind the one before it: parts of the list side by side, where the page token is
an id; parts of the ids by search, which can be asked for them, with a read of each page; the list, page after page.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from msgspec import Struct

from crmbridge.errors import RefusedError
from crmbridge.http import pages, side_by_side
from crmbridge.model.replacing import replace
from crmbridge_hubspot.beginning import Beginning, begin, is_whole, listed
from crmbridge_hubspot.cursor import Cursor, Walk, Way
from crmbridge_hubspot.reading import Found, Reader
from crmbridge_hubspot.search_walk import SearchWalk
from crmbridge_hubspot.slices import Board, DisorderError, Fetched, Part, Span, readers_for, without

Raw = Mapping[str, Any]
NOTHING_YET = 1  # where there are no records, all that come are changes since; to walk again and again costs requests
BEHIND: dict[Way, Way] = {"list": "search", "search": "pages"}


class Progress(NamedTuple):
    """What was found, and where the walk continues once it is stored."""

    found: Found
    cursor: Cursor


class _Read(NamedTuple):
    span: Span
    listed: int
    found: Found


class FullWalk(Struct, frozen=True):
    """One walk through an object type."""

    reader: Reader
    search: SearchWalk
    ahead: Future[Beginning] | None = None  # what was asked for before

    def everything(self, cursor: Cursor) -> Generator[Progress, None, Cursor]:
        """Walk on from a cursor, or begin; give the cursor with which changes are asked for from then on.

        The list goes by id and does not mind edits. What changes while we walk is newer than when we began, and
        comes with the next pull.
        """
        highest: int | None = None
        if not cursor.walk.by:
            cursor, highest = yield from self._begin(cursor)
        while cursor.walk.by in BEHIND:
            try:
                cursor = yield from self._sliced(cursor, highest)
            except DisorderError:
                cursor, highest = _behind(cursor), None
        if cursor.walk.by:
            cursor = yield from self._by_pages(cursor)
        return replace(cursor, walk=Walk())

    def _begin(self, cursor: Cursor) -> Generator[Progress, None, tuple[Cursor, int]]:
        """Read the first page; give where the walk goes on, and the highest id."""
        begun = begin(self.reader, self.search, listed) if self.ahead is None else self.ahead.result()
        page, newest = begun.page, begun.newest
        if page is None or (page.properties is not None and not is_whole(page, self.reader)):
            page = listed(self.reader)
        raws, following = page.raws, page.following
        # What was edited after the page was read, and before search told the newest time, must come with the next pull.
        at = None if newest.stamp is None else newest.stamp - begun.took
        if at is None and not raws and following is None:
            at = NOTHING_YET
        walk = Walk(by="pages", after=following, counted=len(raws), total=newest.total)
        if following is not None and following.isdecimal():
            walk = replace(walk, by="list", after=None, left=(Span(int(following), None),))
        cursor = replace(cursor, at=at, seen={}, walk=walk if following is not None else Walk())
        if (apart := self.reader.api.apart) is not None:
            cursor = cursor.not_ahead(int(begun.at.timestamp() * 1000) - apart)
        yield Progress((self.reader.whole if page.properties is None else self.reader.found)(raws), cursor)
        return cursor, begun.highest

    # ── Side by side ────────────────────────────────────────────────────────────────────────────────────

    def _sliced(self, cursor: Cursor, highest: int | None) -> Generator[Progress, None, Cursor]:
        for span, count, found in self._parts(cursor.walk, highest):
            walk = cursor.walk
            left = without(walk.left, span)
            cursor = replace(cursor, walk=replace(walk, left=left, counted=walk.counted + count))
            yield Progress(found, cursor)
        # What was made or deleted meanwhile may or may not be counted; fewer than at both ends are too few.
        counted, total = cursor.walk.counted, cursor.walk.total
        if counted < total and counted < self.search.newest().total:
            raise DisorderError(f"{counted} of {total} records were listed")
        return replace(cursor, walk=Walk())

    def _parts(self, walk: Walk, highest: int | None) -> Iterator[_Read]:
        if not walk.left:
            return
        expected = walk.total - walk.counted
        readers = readers_for(expected)
        if highest is None:
            highest = self.search.highest() if readers > 1 else 0
        board = Board(walk.left, highest=highest, expected=expected, exists=self._exists)
        if readers == 1:
            yield from self._read(board, walk.by)
            return
        parts = [lambda: self._read(board, walk.by)] * readers
        for _, each in side_by_side(parts, workers=readers):
            yield each

    def _read(self, board: Board, by: Way) -> Iterator[_Read]:
        """Read as one of the readers."""
        fetch, complete = (
            (self._from_list, self.reader.whole) if by == "list" else (self._from_search, self._whole_by_id)
        )
        try:
            for part in board.parts(fetch):
                yield _completed(part, complete)
        except BaseException:
            board.give_up()
            raise

    def _from_list(self, start: int) -> Fetched:
        try:
            raws, following = self.reader.listed(str(start))
        except RefusedError as error:
            raise DisorderError(error.message) from error
        if following is not None and not following.isdecimal():
            raise DisorderError(f"{following[:40]!r} is no id")
        return Fetched(raws, None if following is None else int(following))

    def _from_search(self, start: int) -> Fetched:
        ids, total = self.search.ids(start)
        if total > len(ids) and not ids:
            raise DisorderError(f"search holds back {total} records from {start} on")
        following = ids[-1] + 1 if total > len(ids) else None
        return Fetched([{"id": str(each)} for each in ids], following)

    def _whole_by_id(self, found: Sequence[Raw]) -> Found:
        return self.reader.by_id([str(each["id"]) for each in found])

    def _exists(self, record_id: int) -> bool:
        return any(str(raw["id"]) == str(record_id) for raw in self.reader.raws([str(record_id)], history=False))

    # ── Page after page ─────────────────────────────────────────────────────────────────────────────────

    def _by_pages(self, cursor: Cursor) -> Generator[Progress, None, Cursor]:
        for raws, following in pages(self.reader.listed, start=cursor.walk.after):
            cursor = replace(cursor, walk=replace(cursor.walk, by="pages" if following else "", after=following))
            yield Progress(self.reader.whole(raws), cursor)
        return cursor


def _completed(part: Part, complete: Callable[[list[Raw]], Found]) -> _Read:
    read = _Read(part.span, len(part.raws), complete(part.raws))
    part.raws.clear()  # a reader holds its part while it waits, and what came over the wire is the bigger half
    return read


def _behind(cursor: Cursor) -> Cursor:
    """Begin again, the next way: what was delivered comes twice, which is harmless."""
    by = BEHIND[cursor.walk.by]
    left = (Span(0, None),) if by == "search" else ()
    return replace(cursor, walk=Walk(by=by, left=left, total=cursor.walk.total))
