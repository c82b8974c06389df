"""Reading records: full and incremental pulls, and single records by their ids."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crmbridge.model.records import Kind, Record, Tombstone
from crmbridge.ports import Page
from crmbridge_pipedrive.account import MOST_KEYS, DealFields
from crmbridge_pipedrive.api import IDS, Api, Params, Row, is_id
from crmbridge_pipedrive.cursors import OVERLAP, Cursor, read_cursor
from crmbridge_pipedrive.history import History, may_have_moved
from crmbridge_pipedrive.mapping import (
    AROUND,
    DealReader,
    Surroundings,
    digest,
    organization_record,
    person_record,
    user_record,
)
from crmbridge_pipedrive.values import moment
from crmbridge_pipedrive.walking import begin, lots, since_params, steps

NAMED_ACTIVITIES = ("last_activity_id", "next_activity_id")
ALL_STATUSES = "open,won,lost,deleted"  # without being asked, a list leaves the deleted ones out

LISTS: Mapping[Kind, tuple[str, Callable[[Row, str], Record]]] = {
    Kind.CONTACT: ("persons", person_record),
    Kind.COMPANY: ("organizations", organization_record),
}


def deal_params(fields: DealFields) -> dict[str, str]:
    """Give the parameters that make every deal list and every single read send the same fields."""
    params = {"include_fields": ",".join((*AROUND, "first_won_time", *fields.optional_codes))}
    if 0 < len(fields.custom_codes) <= MOST_KEYS:
        params["custom_fields"] = ",".join(fields.custom_codes)
    return params


# ── Users, companies and contacts ───────────────────────────────────────────────────────────────────────


def pull_users(api: Api, connection: str) -> Iterator[Page]:
    """Yield all users; the list has no pages and can't say what changed."""
    yield Page(records=tuple(users(api, connection)), cursor=Cursor().text())


def users(api: Api, connection: str) -> list[Record]:
    """Read all users."""
    data = api.get_v1("users")
    rows = data if isinstance(data, list) else []
    return [user_record(row, connection) for row in rows if isinstance(row, dict) and is_id(row.get("id"))]


def pull_list(api: Api, kind: Kind, connection: str, since: str | None) -> Iterator[Page]:
    """Yield the companies or contacts that were updated since a cursor."""
    path, record = LISTS[kind]
    start = begin(api, path, {}, read_cursor(since))
    met = _Met(start)
    for rows, here in steps(api, path, {}, start):
        fresh = [row for row in rows if met.is_fresh(row, digest(row))]
        if fresh:
            yield Page(records=tuple(record(row, connection) for row in fresh), cursor=met.midway(here))
    yield Page(cursor=met.finished())


def read_list(api: Api, kind: Kind, connection: str, ids: Collection[int]) -> list[Record]:
    """Read companies or contacts by id."""
    path, record = LISTS[kind]
    return [record(row, connection) for row in by_ids(api, path, {}, ids)]


def by_ids(api: Api, path: str, params: Params, ids: Iterable[int]) -> Iterator[Row]:
    """Read the rows with these ids, as many as fit in each call; the ones that are gone are left out."""
    for lot in lots(sorted(set(ids)), IDS):
        rows = api.rows(path, {**params, "ids": ",".join(map(str, lot))})
        yield from (row for row in rows if is_id(row.get("id")))


class _Met:
    """What a walk met, so that the overlap with the next walk brings only what is new."""

    def __init__(self, cursor: Cursor) -> None:
        self._before = cursor
        self._from = cursor.next - OVERLAP if cursor.next else None
        self._prints: dict[str, str] = {}
        self.ids: set[int] = set()
        self.lost = set(cursor.lost)

    def is_fresh(self, row: Row, print_: str, *, always: bool = False) -> bool:
        """Note a row, and tell whether it was not delivered before as it is now.

        Kept in mind is what the next walk will see again: what changed last, and with `always` this one in any case.
        """
        updated = moment(row.get("update_time"))
        self.ids.add(row["id"])
        if always or self._from is None or updated is None or updated >= self._from:
            self._prints[str(row["id"])] = print_
        return self._before.is_fresh(row["id"], print_)

    def midway(self, cursor: Cursor) -> str:
        """Write the cursor of a page in the middle of the walk."""
        return replace(cursor, seen={**self._before.seen, **self._prints}, lost=frozenset(self.lost)).text()

    def finished(self) -> str:
        """Write the cursor of the walk's last page."""
        return replace(self._before.finished(), seen=self._prints, lost=frozenset(self.lost)).text()


# ── Deals ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class DealSource:
    """Reads deals with what is around them: activities, contacts and moves."""

    api: Api
    reader: DealReader
    history: History

    @property
    def params(self) -> dict[str, str]:
        """Give the parameters of every read of deals."""
        return deal_params(self.reader.fields)

    def pull(self, since: str | None) -> Iterator[Page]:
        """Yield the deals that changed since a cursor, the deals around which something changed, and what is gone."""
        listed = {**self.params, "status": ALL_STATUSES}
        start = begin(self.api, "deals", listed, read_cursor(since))
        met = _Met(start)
        for rows, here in steps(self.api, "deals", listed, start):
            page = self._page(rows, here, met)
            if page.records or page.tombstones:
                yield page
        again = replace(start, page=None, after=None)
        for rows in self._disturbed(again, met.ids):
            page = self._page(rows, again, met, always=True)
            if page.records:
                yield page
        yield Page(tombstones=self._archived(again, met), cursor=met.finished())

    def read(self, ids: Collection[int]) -> list[Record]:
        """Read deals by id, as they are now. A list asked for ids is no search index."""
        rows = list(by_ids(self.api, "deals", self.params, ids))
        rows = [row for row in rows if not is_gone(row)]
        around = Surroundings(activities=self._activities(rows), contacts=self._contacts(rows))
        return [self.reader.record(row, around) for row in rows]

    def _page(self, rows: Sequence[Row], cursor: Cursor, met: _Met, *, always: bool = False) -> Page:
        """Read what is around the rows that are new, and give them as a page."""
        live = [row for row in rows if not is_gone(row)]
        activities = self._activities(live)
        fresh = [row for row in live if met.is_fresh(row, _print(row, activities), always=always)]
        gone = [row for row in rows if is_gone(row) and met.is_fresh(row, digest(row), always=always)]
        around = Surroundings(activities=activities, contacts=self._contacts(fresh))
        records = [self.reader.record(row, around) for row in fresh]
        moves = [
            move
            for row, record in zip(fresh, records, strict=True)
            if may_have_moved(row, cursor.asked_since, met.lost)
            for move in self.history.moves(record, row)
        ]
        met.lost -= {row["id"] for row in fresh}
        met.lost |= {row["id"] for row in fresh if row.get("status") == "lost"}
        tombstones = tuple(self.reader.tombstone(row) for row in gone)
        return Page(records=tuple(records), moves=tuple(moves), tombstones=tombstones, cursor=met.midway(cursor))

    def _disturbed(self, cursor: Cursor, met: Collection[int]) -> Iterator[list[Row]]:
        """Find the deals whose activities changed; whether that counts as an edit of the deal is not documented."""
        if cursor.since is None:
            return
        changed = self.api.rows("activities", since_params(cursor.asked_since))
        ids = {row["deal_id"] for row in changed if is_id(row.get("deal_id"))} - set(met)
        for lot in lots(sorted(ids), IDS):
            yield list(by_ids(self.api, "deals", self.params, lot))

    def _archived(self, cursor: Cursor, met: _Met) -> tuple[Tombstone, ...]:
        """Find the deals that were archived: they vanish from the list ("Archived deals and leads", changelog)."""
        rows = self.api.rows("deals/archived", since_params(cursor.asked_since))
        fresh = [row for row in rows if is_id(row.get("id")) and met.is_fresh(row, digest(row))]
        return tuple(self.reader.tombstone(row) for row in fresh)

    def _activities(self, rows: Sequence[Row]) -> dict[int, Row]:
        """Read the last and next activities of these deals."""
        named = [number for row in rows for name in NAMED_ACTIVITIES if is_id(number := row.get(name))]
        return {row["id"]: row for row in by_ids(self.api, "activities", {}, named)}

    def _contacts(self, rows: Sequence[Row]) -> dict[int, list[int]]:
        """Read the contacts of the deals that have more than the main one."""
        return {row["id"]: self._participants(row["id"]) for row in rows if _has_several(row)}

    def _participants(self, deal: int) -> list[int]:
        rows = self.api.rows_v1(f"deals/{deal}/participants")
        return [person for row in rows if (person := _person(row.get("person_id"))) is not None]


def is_gone(row: Row) -> bool:
    """Tell whether a deal is deleted or archived."""
    return row.get("is_deleted") is True or row.get("status") == "deleted" or row.get("is_archived") is True


def _print(row: Row, activities: Mapping[int, Row]) -> str:
    """Give the fingerprint of a deal together with its activities, which may change without it."""
    around = [activities.get(row.get(name) or 0) for name in NAMED_ACTIVITIES]
    return digest([row, around])


def _has_several(row: Row) -> bool:
    """Tell whether there are participants beside the main contact, who is counted as one."""
    count = row.get("participants_count")
    return is_id(count) and count > int(is_id(row.get("person_id")))


def _person(raw: Any) -> int | None:
    number = raw.get("value") if isinstance(raw, dict) else raw
    return number if is_id(number) else None
