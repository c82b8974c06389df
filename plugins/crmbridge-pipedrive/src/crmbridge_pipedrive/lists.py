"""What is asked of a v2 list: the highest id, the rows with some ids, what was updated when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from crmbridge.http import together
from crmbridge_pipedrive.api import IDS, Api, Params, Row
from crmbridge_pipedrive.values import query_time

T = TypeVar("T")


def last_id(api: Api, call: str, params: Params) -> int:
    """Ask for the highest id of a list."""
    last: dict[str, str | int] = {"sort_by": "id", "sort_direction": "desc", "limit": 1}
    return highest_in(api.page(call, {**params, **last})[0])


def rows_by_ids(api: Api, call: str, params: Params, ids: Iterable[int]) -> Iterator[Row]:
    """Read the rows with these ids, as many as fit in each call; the ones that are gone are left out."""
    asked = [{**params, "ids": ",".join(map(str, lot))} for lot in lots(sorted(set(ids)), IDS)]
    for rows in together([partial(_all_rows, api, call, one) for one in asked]):
        yield from rows


def times(since: datetime | None, until: datetime | None) -> dict[str, str]:
    """Give the parameters for what was updated from a time on (inclusive) and before another, in whole seconds."""
    asked = {"updated_since": since, "updated_until": until}
    return {name: query_time(at) for name, at in asked.items() if at is not None}


def ids_of(rows: Iterable[Row]) -> list[int]:
    """Give the ids of rows."""
    return [row["id"] for row in rows]


def lots(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a list in lots of some size."""
    return (items[start : start + size] for start in range(0, len(items), size))


def highest_in(rows: Iterable[Row]) -> int:
    """Give the highest id of rows, or 0."""
    return max((row["id"] for row in rows), default=0)


def _all_rows(api: Api, call: str, params: Params) -> list[Row]:
    return list(api.rows(call, params))
