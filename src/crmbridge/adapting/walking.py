"""Walking what changed in a CRM that knows no more of a change than its time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Record, Tombstone
from crmbridge.model.values import iso, parse_iso
from crmbridge.ports import Page


class Place(NamedTuple):
    """A place in a list that is in the order of (time of change, id)."""

    at: datetime
    id: str = ""  # empty: before every record of that time


class Deletions(NamedTuple):
    """How a CRM that keeps no list of them is asked for what was deleted."""

    # The time of the last change that there is, or of now, by the CRM's clock. None only where there is nothing at all:
    # what is deleted before the next pull is then not asked for.
    newest: Callable[[], datetime | None]
    gone: Callable[[datetime], Iterable[Tombstone]]  # what was there at a time and is not any more


def walk_by_time(
    since: str | None,
    fetch: Callable[[Place | None], Sequence[Record]],
    *,
    limit: int,
    overlap: timedelta,
    deletions: Deletions | None = None,
) -> Iterator[Page]:
    """Yield pages of what changed since a cursor, from a list in the order of (`updated_at`, id).

    `fetch` gives what comes after a place (None: from the beginning), `limit` records at most; fewer end the walk.
    Records of one time are told apart by their ids, so that a page may end among them. What changed less than
    `overlap` before the cursor is asked for again, as the CRM may show it late; of that only comes what has another
    version than before. A list that does not go on after a place raises RetryLaterError.

    With `deletions`, what was there before the last pull began and is not any more comes as tombstones: what is
    deleted while a pull lasts comes with the next one.
    """
    told = json.loads(since) if since else {"at": None, "seen": {}, "gone": None}
    at = parse_iso(told["at"]) if told["at"] else None
    seen, place = dict(told["seen"]), Place(at - overlap) if at else None
    newest = deletions.newest() if deletions else None
    tombstones = tuple(deletions.gone(parse_iso(told["gone"]))) if deletions and told["gone"] else ()
    while True:
        records = fetch(place)
        fresh = tuple(record for record in records if seen.get(record.ref.id, [""])[0] != record.version)
        if records:
            at, before = records[-1].updated_at, place
            place = Place(at, records[-1].ref.id)
            if place == before:
                raise RetryLaterError("The CRM gave the same records twice in one walk")
            seen |= {record.ref.id: [record.version, iso(record.updated_at)] for record in records}
            seen = {name: item for name, item in seen.items() if parse_iso(item[1]) >= at - overlap}
        more = len(records) >= limit
        if fresh or not more:
            mark = told["gone"] if more else newest and iso(newest)
            cursor = json.dumps({"at": at and iso(at), "seen": seen, "gone": mark})
            yield Page(records=fresh, tombstones=tombstones, cursor=cursor)
            tombstones = ()
        if not more:
            return
