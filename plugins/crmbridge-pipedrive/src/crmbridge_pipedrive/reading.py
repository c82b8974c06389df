"""Reading users, companies, contacts, activities and notes: what changed since a cursor, and single ones by id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from crmbridge.errors import RefusedError
from crmbridge.http import pages, together
from crmbridge.model.records import Kind, Record, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.ports import Page
from crmbridge_pipedrive.api import LIMIT, Api, Params, Row
from crmbridge_pipedrive.cursors import Cursor, Part, read_cursor
from crmbridge_pipedrive.engagements import activity_record, note_record
from crmbridge_pipedrive.lists import ids_of, rows_by_ids, times
from crmbridge_pipedrive.mapping import NEVER, organization_record, person_record, user_record
from crmbridge_pipedrive.met import Met
from crmbridge_pipedrive.prints import digest
from crmbridge_pipedrive.values import moment
from crmbridge_pipedrive.verdicts import ForbiddenError
from crmbridge_pipedrive.walking import Ahead, Walk

LISTS: Mapping[Kind, tuple[str, Callable[[Row, str], Record]]] = {
    Kind.CONTACT: ("persons", person_record),
    Kind.COMPANY: ("organizations", organization_record),
    Kind.ACTIVITY: ("activities", activity_record),
}


def pull_users(api: Api, connection: str) -> Iterator[Page]:
    """Yield all users; the list has no pages and can't say what changed."""
    yield Page(records=tuple(users(api, connection)), cursor=Cursor().text())


def users(api: Api, connection: str) -> list[Record]:
    """Read all users."""
    return [user_record(row, connection) for row in api.all_rows("users")]


def pull_list(
    api: Api, kind: Kind, connection: str, since: str | None, *, ahead: Ahead | None = None
) -> Iterator[Page]:
    """Yield the companies, contacts or activities that were updated since a cursor."""
    call, record = LISTS[kind]
    walk = Walk(api, call, {}, since, ahead=ahead)
    for found in walk.pages():
        fresh = [row for row in found.rows if walk.met.is_fresh(row, digest)]
        text = walk.stand(found, ids_of(found.rows), is_last=True)
        found.rows.clear()
        if fresh:
            yield replace(_page(fresh, kind, record, connection, text), total=walk.total, begun=walk.begun)
    yield Page(cursor=walk.met.finished())


def every_listed(api: Api, kind: Kind) -> Iterator[list[int]]:
    """Give the ids of all companies, contacts or activities, page by page."""
    walk = api.walk(LISTS[kind][0], {"limit": LIMIT})
    return ([row["id"] for row in page if not is_gone(row)] for page, _ in walk)


def read_list(api: Api, kind: Kind, connection: str, ids: Collection[int]) -> list[Record]:
    """Read companies, contacts or activities by id."""
    call, record = LISTS[kind]
    return [record(row, connection) for row in rows_by_ids(api, call, {}, ids) if not is_gone(row)]


def is_gone(row: Row) -> bool:
    """Tell whether a row is deleted or archived; a note has a flag of its own for that."""
    if row.get("is_deleted") is True or row.get("status") == "deleted" or row.get("is_archived") is True:
        return True
    return row.get("active_flag") is False


def _page(rows: Sequence[Row], kind: Kind, record: Callable[[Row, str], Record], connection: str, text: str) -> Page:
    return Page(
        records=tuple(record(row, connection) for row in rows if not is_gone(row)),
        tombstones=tuple(
            Tombstone(ref=Ref(connection, kind, str(row["id"])), at=moment(row.get("update_time")) or NEVER)
            for row in rows
            if is_gone(row)
        ),
        cursor=text,
    )


# ── Notes ───────────────────────────────────────────────────────────────────────────────────────────────


def pull_notes(api: Api, connection: str, since: str | None) -> Iterator[Page]:
    """Yield the notes that were updated since a cursor. They are only in v1, which pages by position.

    As everywhere, what changes during the walk is for the next one, which starts from the newest change before it.
    """
    cursor = read_cursor(since)
    lists: Iterable[Sequence[Row]] | None = None
    if not cursor.parts:
        newest, following = _newest_notes(api, cursor)
        if (caught_up := cursor.caught_up(api.heard)) != cursor:
            cursor = caught_up
            newest, following = _newest_notes(api, cursor)
        cursor = replace(cursor.begun(newest, api.heard), parts=(Part(),))
        lists = [newest] if following is None else None
    met = Met(cursor)
    for rows in lists or in_order(api, "notes", times(cursor.asked_since, None), cursor.parts[0].after or 0):
        fresh = [row for row in rows if met.is_fresh(row, digest)]
        met.take(ids_of(fresh))
        cursor = cursor.with_part(0, Part(after=max((row["id"] for row in fresh), default=cursor.parts[0].after)))
        if fresh:
            yield _page(fresh, Kind.NOTE, note_record, connection, met.midway(cursor))
    yield Page(cursor=met.finished())


def _newest_notes(api: Api, cursor: Cursor) -> tuple[list[Row], int | None]:
    return api.page_at("notes", {**times(cursor.asked_since, None), "sort": "update_time DESC"}, 0)


def every_note(api: Api) -> Iterator[list[int]]:
    """Give the ids of all notes, page by page."""
    return ([row["id"] for row in page if not is_gone(row)] for page in in_order(api, "notes", {}, 0))


def in_order(api: Api, call: str, asked: Params, after: int) -> Iterator[Sequence[Row]]:
    """Walk a v1 list by id, from one on. A row that is deleted meanwhile moves all later ones forward by a place.

    So each page begins with the last row of the one before; where it does not, the walk begins again, and passes over
    what it has delivered.
    """

    def fetch(token: str | None) -> tuple[list[Row], str | None]:
        start, edge, delivered = map(int, token.split(":")) if token else (0, 0, after)
        rows, following = api.page_at(call, {**asked, "sort": "id ASC"}, start)
        if start and (not rows or rows[0]["id"] > edge):
            return [], f"0:0:{delivered}"
        edge = rows[-1]["id"] if rows else edge
        fresh = [row for row in rows if row["id"] > delivered]
        return fresh, None if following is None else f"{following - 1}:{edge}:{max(edge, delivered)}"

    return (rows for rows, _ in pages(fetch))


def read_notes(api: Api, connection: str, ids: Collection[int]) -> list[Record]:
    """Read notes by id, one call each: v1 takes no list of ids."""
    found = together([partial(_note, api, number) for number in sorted(ids)])
    return [note_record(row, connection) for row in found if row is not None and not is_gone(row)]


def _note(api: Api, number: int) -> Row | None:
    try:
        return api.row("note", number)
    except (RefusedError, ForbiddenError):
        return None
