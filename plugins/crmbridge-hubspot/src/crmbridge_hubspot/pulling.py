"""Pulls: the walk through everything, the walk through what changed, and what is gone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crmbridge.model.records import Kind, Move, Record, Tombstone
from crmbridge.ports import Page
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.cursor import OVERLAP_MS, Cursor
from crmbridge_hubspot.history import HISTORY, moves_of
from crmbridge_hubspot.links import read_links
from crmbridge_hubspot.mapping import MODIFIED, OBJECTS, Terms, Words, archived, merged_away, to_record
from crmbridge_hubspot.search_walk import LostCountError, SearchWalk
from crmbridge_hubspot.values import milliseconds

LIST_PAGE = "100"
Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads records of one kind whole: their properties, what hangs on them, and for deals their history."""

    api: HubSpotApi
    kind: Kind
    terms: Terms
    now: Callable[[], datetime]

    @property
    def words(self) -> Words:
        """The connection's names."""
        return self.terms.words

    @property
    def objects(self) -> str:
        """HubSpot's name of the kind."""
        return OBJECTS[self.kind]

    def raws(self, ids: Sequence[str], *, history: bool) -> list[Raw]:
        """Read records by id, in the order asked for; ids that are gone, or lead to another record, are left out."""
        more: dict[str, Any] = {"propertiesWithHistory": list(HISTORY)} if history else {}
        found = self.api.read(self.objects, ids, self.words.properties(self.kind), **more)
        by_id = {str(raw["id"]): raw for raw in found}
        return [by_id[each] for each in dict.fromkeys(ids) if each in by_id]

    def records(self, raws: Sequence[Raw]) -> list[Record]:
        """Turn them into records."""
        links = read_links(self.api, self.kind, [str(raw["id"]) for raw in raws], self.now())
        return [to_record(self.kind, raw, links, self.terms) for raw in raws]

    def page(self, raws: Sequence[Raw], cursor: Cursor) -> Page:
        """Make a page of them, with all moves of each deal."""
        gone = [tombstone for raw in raws for tombstone in merged_away(self.kind, raw, self.words)]
        return Page(
            records=tuple(self.records(raws)),
            moves=tuple(self._moves(raws)),
            tombstones=tuple(gone),
            cursor=cursor.write(),
        )

    def _moves(self, raws: Iterable[Raw]) -> Iterator[Move]:
        if self.kind is Kind.DEAL:
            for raw in raws:
                yield from moves_of(self.words.ref(Kind.DEAL, raw["id"]), raw, self.terms.account)


def pull_pages(reader: Reader, since: str | None) -> Iterator[Page]:
    """Yield pages of what changed since a cursor, or of everything; the last one says what is gone."""
    cursor = Cursor.read(since) if since else Cursor()
    walk = SearchWalk(reader.api, reader.objects, MODIFIED[reader.kind])
    changed = cursor.at is not None and cursor.walk is None
    pages = _changed(reader, cursor, walk) if changed else _everything(reader, cursor, walk)
    try:
        cursor = yield from pages
    except LostCountError:
        # Search can't show all of a huge bulk edit; a walk through the list can.
        cursor = yield from _everything(reader, Cursor(gone=cursor.gone), walk)
    yield _last_page(reader, cursor)


def _everything(reader: Reader, cursor: Cursor, walk: SearchWalk) -> Generator[Page, None, Cursor]:
    """Walk through the list, which goes by id and does not mind edits."""
    if cursor.walk is None:
        # What changes while we walk is newer than this, and comes with the next pull.
        cursor = replace(cursor, at=walk.newest(), seen={})
    listing = reader.api.paths.object(reader.objects)
    properties = ",".join([MODIFIED[reader.kind]] if reader.kind is Kind.DEAL else reader.words.properties(reader.kind))
    for listed, following in reader.api.listed(listing, cursor.walk, limit=LIST_PAGE, properties=properties):
        cursor = replace(cursor, walk=following)
        raws = listed
        if reader.kind is Kind.DEAL:  # one read for properties and history, so that they agree
            raws = reader.raws([str(raw["id"]) for raw in listed], history=True)
        if raws:
            yield reader.page(raws, cursor)
    return cursor


def _changed(reader: Reader, cursor: Cursor, walk: SearchWalk) -> Generator[Page, None, Cursor]:
    for found in walk.since(cursor.since):
        wanted = [each.id for each in found if not cursor.has(each.id, each.stamp)]
        raws = reader.raws(wanted, history=reader.kind is Kind.DEAL) if wanted else []
        stamps = [(str(raw["id"]), _stamp(reader.kind, raw)) for raw in raws]
        if found:
            cursor = cursor.delivered(stamps, found[-1].stamp)
        if raws:
            yield reader.page(raws, cursor)
    return cursor


def _stamp(kind: Kind, raw: Raw) -> int:
    return milliseconds(str(raw["properties"].get(MODIFIED[kind]) or raw["updatedAt"]))


def _last_page(reader: Reader, cursor: Cursor) -> Page:
    """List what was deleted. The archived list can't be asked by time, so it is walked whole: 90 days of deletions."""
    listing = reader.api.paths.object(reader.objects)
    known = 0 if cursor.gone is None else cursor.gone - OVERLAP_MS
    gone: list[Tombstone] = []
    for listed, _ in reader.api.listed(listing, limit=LIST_PAGE, archived="true", properties=MODIFIED[reader.kind]):
        gone += [archived(reader.kind, raw, reader.words) for raw in listed]
    newest = max((_ms(tombstone) for tombstone in gone), default=cursor.gone)
    fresh = tuple(tombstone for tombstone in gone if _ms(tombstone) >= known)
    return Page(tombstones=fresh, cursor=replace(cursor, gone=newest).write())


def _ms(tombstone: Tombstone) -> int:
    return int(tombstone.at.timestamp() * 1000)
