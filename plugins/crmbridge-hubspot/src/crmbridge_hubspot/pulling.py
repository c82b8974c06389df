"""Pulls: everything, or what changed, and then what is gone."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from msgspec import Struct

from crmbridge.errors import CrmbridgeError
from crmbridge.http import pages
from crmbridge.model.records import Tombstone
from crmbridge.model.replacing import replace
from crmbridge.ports import Page
from crmbridge_hubspot.api import LINK_BATCH
from crmbridge_hubspot.beginning import Beginning
from crmbridge_hubspot.cursor import MOST_BINNED, OVERLAP_MS, Cursor, read_cursors, write_cursors
from crmbridge_hubspot.full_walk import FullWalk, Progress
from crmbridge_hubspot.reading import Found, Reader
from crmbridge_hubspot.search_walk import Found as Named
from crmbridge_hubspot.search_walk import LostCountError, SearchWalk
from crmbridge_hubspot.values import changed_at

MINUTE = 60_000  # milliseconds
LONGEST_REST = 60  # minutes that a long list of deletions is left alone
Raw = Mapping[str, Any]


def pull_pages(readers: Sequence[Reader], since: str | None, ahead: Future[Beginning] | None = None) -> Iterator[Page]:
    """Yield pages of what changed since a cursor, or of everything, one object type after the other.

    `ahead` is what was asked for before, of the only type.
    """
    names = [reader.type.name for reader in readers]
    cursors = read_cursors(since, names) if since else {}
    for name, reader in zip(names, readers, strict=True):
        steps = _Pull(reader, ahead).run(cursors.get(name, Cursor()))
        for found, cursor in steps:
            cursors[name] = cursor
            if found.records or found.tombstones:
                alone = len(names) == 1
                # Of several object types nobody knows the sum before the last one.
                total = cursor.walk.total if alone else None
                page = _page(found, write_cursors(cursors, alone=alone), total or None)
                yield page if ahead is None else replace(page, begun=ahead.result().at)
    yield Page(cursor=write_cursors(cursors, alone=len(names) == 1))


def _page(found: Found, cursor: str, total: int | None) -> Page:
    return Page(records=found.records, moves=found.moves, tombstones=found.tombstones, cursor=cursor, total=total)


class _Pull(Struct, frozen=True):
    """One pull of one object type."""

    reader: Reader
    ahead: Future[Beginning] | None = None

    def run(self, cursor: Cursor) -> Iterator[Progress]:
        """Give what was found step by step, what is gone in the last one."""
        reader = self.reader
        before, begun = cursor, _ms(reader.now())
        search = SearchWalk(reader.api, reader.type.name, reader.type.modified)
        walk = FullWalk(reader, search, self.ahead)
        whole = cursor.at is None or bool(cursor.walk.by)
        try:
            if whole and reader.type.only and not cursor.walk.by:
                cursor = yield from self._sought(cursor, search)
            else:
                cursor = yield from walk.everything(cursor) if whole else self._changed(cursor, search)
        except LostCountError:
            # Search can't show all of a huge bulk edit; a walk through the list can.
            cursor = yield from walk.everything(Cursor(gone=cursor.gone))
        now = _ms(reader.now())
        cursor = cursor.rested(before, begun, now, reader.api.apart)
        if whole or _is_due(cursor, now):
            yield self._gone(cursor, now)
        else:
            yield Progress(Found(), cursor)

    def _changed(self, cursor: Cursor, search: SearchWalk) -> Generator[Progress, None, Cursor]:
        """Give what changed; more of it where HubSpot's clock was put back since: what is new has older times."""
        before = cursor
        cursor = yield from self._found(cursor, search.since(before.since))
        if back := before.put_back(self.reader.api.apart):
            cursor = yield from self._found(cursor, search.since(max(0, before.since - back - OVERLAP_MS)))
        return cursor

    def _found(self, cursor: Cursor, pages: Iterator[list[Named]]) -> Generator[Progress, None, Cursor]:
        type_ = self.reader.type
        for found in _in_fewer(pages):
            wanted = [each.id for each in found if not cursor.has(each.id, each.stamp)]
            raws = self.reader.read_whole(wanted)
            stamps = [(str(raw["id"]), changed_at(raw, type_.modified)) for raw in raws]
            if found:
                cursor = cursor.delivered(stamps, found[-1].stamp).not_ahead(self._theirs())
            yield Progress(self.reader.found(raws), cursor)
        return cursor

    def _sought(self, cursor: Cursor, search: SearchWalk) -> Generator[Progress, None, Cursor]:
        """Search for everything of which little is needed; changes are asked for from when this began."""
        newest = search.newest().stamp
        few = SearchWalk(self.reader.api, self.reader.type.name, self.reader.type.modified, self.reader.type.only)
        cursor = yield from self._changed(cursor, few)
        return cursor if newest is None else cursor.delivered((), newest).not_ahead(self._theirs())

    def _theirs(self) -> int | None:
        """Give HubSpot's own time, where its answers say it."""
        apart = self.reader.api.apart
        return None if apart is None else _ms(self.reader.now()) - apart

    def _gone(self, cursor: Cursor, now: int) -> Progress:
        """List what was deleted. The list can't be asked by time, so it is walked whole: 90 days of deletions."""
        known = 0 if cursor.gone is None else cursor.gone - OVERLAP_MS
        newest, count = cursor.gone, 0
        was_there = set(cursor.bin)
        gone: list[Tombstone] = []
        ids: list[str] = []
        for raws, _ in pages(self.reader.listed_archived):
            count += 1
            ids += [str(raw["id"]) for raw in raws]
            for raw in raws:
                # What was not there the last time is told of whatever its time: clocks may have been put back.
                is_new = bool(cursor.bin) and str(raw["id"]) not in was_there
                found = list(self.reader.archived(raw))
                gone += [each for each in found if is_new or _ms(each.at) >= known]
                newest = max((newest or 0, *(_ms(each.at) for each in found))) or None
        back = self._restored([each for each in cursor.bin if each not in set(ids)])
        found_all = back._replace(tombstones=(*back.tombstones, *gone))
        kept = tuple(ids) if len(ids) <= MOST_BINNED else ()
        return Progress(found_all, replace(cursor, gone=newest, gone_read=now, gone_pages=count, bin=kept))

    def _restored(self, ids: Sequence[str]) -> Found:
        """Read what was in the recycle bin and is not any more, unless it is gone for good.

        Whether a record that people restore gets a new modification time is not documented, so it is not waited for.
        """
        return self.reader.by_id(ids) if ids else Found()


def _in_fewer(pages: Iterator[list[Named]], most: int = LINK_BATCH) -> Iterator[list[Named]]:
    """Put pages of search together until what hangs on their records fills a request; none is held over an error."""
    held: list[Named] = []
    try:
        for page in pages:
            if held and len(held) + len(page) > most:
                yield held
                held = []
            held = [*held, *page]
    except CrmbridgeError:
        if held:
            yield held
        raise
    if held:
        yield held


def _is_due(cursor: Cursor, now: int) -> bool:
    """Tell whether to list what was deleted. A short list is read each time, a long one rests a minute for each page.

    So it costs one request a minute at the most, and a deletion shows up an hour late at the latest; webhooks
    (`deal.deletion`) tell it at once.
    """
    rest = min(cursor.gone_pages, LONGEST_REST) * MINUTE
    return cursor.gone_pages <= 1 or not cursor.gone_read <= now < cursor.gone_read + rest


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
