"""Reading what is told of files on deals: only v1 lists them, newest change first, and never by deal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial

from crmbridge.errors import NotGrantedError, RefusedError
from crmbridge.http import pages, together
from crmbridge.model.files import extension
from crmbridge.model.records import Kind, Record, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Page
from crmbridge_pipedrive.api import Api, Row, is_id
from crmbridge_pipedrive.cursors import Part, read_cursor
from crmbridge_pipedrive.lists import ids_of
from crmbridge_pipedrive.mapping import plain_record
from crmbridge_pipedrive.met import Met
from crmbridge_pipedrive.prints import digest
from crmbridge_pipedrive.reading import in_order, is_gone
from crmbridge_pipedrive.values import moment
from crmbridge_pipedrive.verdicts import ForbiddenError, OutOfScopeError

CALL = "files"
A_PAGE = 100  # "Files: Get all files"; asked for more, it gives no more
ASK_FILES = "Let the connection's user see files, or grant its OAuth app deals:read or deals:full."


def pull_files(api: Api, connection: str, since: str | None) -> Iterator[Page]:
    """Yield the files on deals that changed since a cursor.

    The list can't be asked for what changed since a time ("Files: Get all files"): newest first, it is read until
    what is known begins, which is mostly one page. Everything is read in the order of the ids.
    """
    cursor = read_cursor(since)
    with granted(connection):
        lists: Iterable[Sequence[Row]]
        if cursor.since is not None:
            changed = _changed(api, cursor.asked_since)
            if (caught_up := cursor.caught_up(api.heard)) != cursor:
                cursor = caught_up
                changed = _changed(api, cursor.asked_since)
            lists = [changed]
            cursor = cursor.begun(changed, api.heard)
        else:
            if not cursor.parts:
                first, _ = api.page_at(CALL, {"sort": "update_time DESC", "limit": 1}, 0)
                cursor = replace(cursor.begun(first, api.heard), parts=(Part(),))
            lists = in_order(api, CALL, {"limit": A_PAGE}, cursor.parts[0].after or 0)
        met = Met(cursor)
        for rows in lists:
            fresh = [row for row in rows if met.is_fresh(row, digest)]
            met.take(ids_of(fresh))
            if cursor.parts:
                last = max((row["id"] for row in fresh), default=cursor.parts[0].after)
                cursor = cursor.with_part(0, Part(after=last))
            if page := _page(fresh, connection, met.midway(cursor)):
                yield page
    yield Page(cursor=met.finished())


def read_files(api: Api, connection: str, ids: Collection[int]) -> list[Record]:
    """Read what is told of files by id, one call each: v1 takes no list of ids."""
    found = together([partial(_file, api, number) for number in sorted(ids)])
    return [file_record(row, connection) for row in found if row is not None and _hangs(row)]


def file_record(row: Row, connection: str) -> Record:
    """Read what is told of a file. Its visible name can be changed and may have lost its ending."""
    original = str(row.get("file_name") or "")
    name = str(row.get("name") or original)
    size = row.get("file_size")
    fields: dict[str, Value] = {
        "name": name or None,
        "type": extension(name) or extension(original) or (str(row.get("remote_location") or "") or None),
        "size": Decimal(size) if is_id(size) else None,
        "at": moment(row.get("add_time")),
        "owner": str(row["user_id"]) if is_id(row.get("user_id")) else None,
        "deals": (str(row["deal_id"]),),
    }
    return plain_record(row, Ref(connection, Kind.FILE, str(row["id"])), fields)


@contextmanager
def granted(connection: str) -> Iterator[None]:
    """Say what to grant where the token is good, and its user or app may not see files."""
    try:
        yield
    except (ForbiddenError, OutOfScopeError) as error:
        message = error.message.removeprefix(f"{connection}: ")
        raise NotGrantedError(f"{connection}: {message}", advice=ASK_FILES) from error


def _hangs(row: Row) -> bool:
    """Tell whether a file hangs on a deal; pictures within e-mails are none of ours."""
    return is_id(row.get("deal_id")) and not is_gone(row) and row.get("inline_flag") is not True


def _page(rows: Sequence[Row], connection: str, cursor: str) -> Page | None:
    """Make a page of the files on deals; one that was deleted, or is on no deal any more, is gone."""
    if not rows:
        return None
    gone = [row for row in rows if not _hangs(row) and row.get("inline_flag") is not True]
    return Page(
        records=tuple(file_record(row, connection) for row in rows if _hangs(row)),
        tombstones=tuple(
            Tombstone(ref=Ref(connection, Kind.FILE, str(row["id"])), at=at)
            for row in gone
            if (at := moment(row.get("update_time")) or moment(row.get("add_time"))) is not None
        ),
        cursor=cursor,
    )


def _changed(api: Api, since: datetime | None) -> list[Row]:
    """Read the list, newest change first, until what is older than a time begins.

    A file that is deleted meanwhile moves all later ones forward by a place, so each page begins with the last row of
    the one before; where it does not, all is read anew.
    """
    found: dict[int, Row] = {}

    def fetch(token: str | None) -> tuple[list[Row], str | None]:
        start, edge, turn = map(int, token.split(":")) if token else (0, 0, 0)
        rows, following = api.page_at(CALL, {"sort": "update_time DESC", "limit": A_PAGE}, start)
        if start and (not rows or rows[0]["id"] != edge):
            return [], f"0:0:{turn + 1}"
        newer = [row for row in rows if _is_since(row, since)]
        found.update({row["id"]: row for row in newer})
        more = following is not None and rows and len(newer) == len(rows)
        return newer, f"{following - 1}:{rows[-1]['id']}:{turn}" if more and following is not None else None

    for _ in pages(fetch):
        pass
    return list(found.values())


def _is_since(row: Row, since: datetime | None) -> bool:
    at = moment(row.get("update_time")) or moment(row.get("add_time"))
    return at is None or since is None or at >= since


def every_file(api: Api) -> Iterator[list[int]]:
    """Give the ids of all files on deals, page by page."""
    return ([row["id"] for row in page if _hangs(row)] for page in in_order(api, CALL, {"limit": A_PAGE}, 0))


def _file(api: Api, number: int) -> Row | None:
    try:
        return api.row("file", number)
    except (RefusedError, ForbiddenError):
        return None
