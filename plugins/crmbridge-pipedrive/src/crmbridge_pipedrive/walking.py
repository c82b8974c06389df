"""One walk over a v2 list in the order of its ids, cut in small steps that a later walk can go on from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from crmbridge.errors import RefusedError
from crmbridge_pipedrive.api import LIMIT, Api, Params, Row, is_id
from crmbridge_pipedrive.cursors import Cursor
from crmbridge_pipedrive.values import moment, query_time

STEP = 50  # rows between two cursors; the history of 50 deals takes some seconds to read

T = TypeVar("T")


def begin(api: Api, path: str, params: Params, cursor: Cursor) -> Cursor:
    """Note the newest change there is before a walk begins; whatever changes from now on is for the next walk.

    Pipedrive's own stamp is taken, so that no two clocks need agree. A walk that goes on has noted it already.
    """
    if cursor.next is not None:
        return cursor
    newest = api.get(path, {**params, "sort_by": "update_time", "sort_direction": "desc", "limit": 1})
    row = newest[0] if isinstance(newest, list) and newest and isinstance(newest[0], dict) else {}
    return replace(cursor, next=moment(row.get("update_time")))


def steps(api: Api, path: str, params: Params, cursor: Cursor) -> Iterator[tuple[Sequence[Row], Cursor]]:
    """Yield rows in small lots, each with the cursor from which a walk can go on once the lot is stored.

    By id, because a list in the order of its changes shifts while people work. Pipedrive promises nothing about how
    long its page markers live, so a marker that is refused means walking again from the first page; rows up to
    the last one delivered are passed over.
    """
    delivered = cursor.after
    asked = {**params, "sort_by": "id", "sort_direction": "asc", "limit": LIMIT, **since_params(cursor.asked_since)}
    for marker, rows, following in _marked(api, path, asked, cursor.page):
        fresh = [row for row in rows if is_id(row.get("id")) and (delivered is None or row["id"] > delivered)]
        for lot in lots(fresh, STEP):
            cursor = replace(cursor, page=marker, after=lot[-1]["id"])
            yield lot, cursor
        cursor = replace(cursor, page=following)


def since_params(since: datetime | None) -> dict[str, str]:
    """Give the parameter that asks for what was updated since a time; it is inclusive, in whole seconds."""
    return {"updated_since": query_time(since)} if since else {}


def lots(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a list in lots of some size."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _marked(
    api: Api, path: str, params: Params, start: str | None
) -> Iterator[tuple[str | None, list[Row], str | None]]:
    """Yield each page with its own marker and the next one's."""
    try:
        marker = start
        for rows, following in api.walk(path, params, start):
            yield marker, rows, following
            marker = following
    except RefusedError:
        if start is None:
            raise
        yield from _marked(api, path, params, None)
