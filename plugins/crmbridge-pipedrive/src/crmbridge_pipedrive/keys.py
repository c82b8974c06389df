"""Which rows carry which keys: asked of whole lists, because Pipedrive keeps nothing unique and its search is late."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from crmbridge_pipedrive.api import LIMIT, Api, Params, Row
from crmbridge_pipedrive.cursors import OVERLAP
from crmbridge_pipedrive.lists import rows_by_ids, times
from crmbridge_pipedrive.reading import is_gone
from crmbridge_pipedrive.values import moment


class KeyList(Struct, kw_only=True):
    """A list whose rows carry keys, and how much of it was read. `mark` is the newest change that was seen."""

    call: str
    params: Params
    tells_gone: bool = False  # what was deleted is in the list, and says so
    is_begun: bool = False
    is_whole: bool = False
    start: str | None = None
    mark: datetime | None = None


class KeyBook:
    """Finds rows by their keys, newest first. Thread-safe.

    The first look reads the newest changes, which have what was made a moment ago, and goes on through the rest only
    as far as it must: 500 rows a request. What was read once is kept, so a later look asks only for what changed
    since: one request a list, whatever the account's size. A key is never said to be missing without that request.
    """

    def __init__(self, api: Api, lists: Sequence[KeyList], keys_of: Callable[[Row], Iterable[str]]) -> None:
        self._api = api
        self._lists = lists
        self._keys_of = keys_of
        self._ids: dict[str, tuple[int, ...]] = {}  # of a key
        self._keys: dict[int, tuple[str, ...]] = {}  # of a row
        self._read: set[int] = set()  # in this look
        self._lock = threading.Lock()

    def find(self, keys: Collection[str]) -> dict[str, int]:
        """Give the newest row of each of these keys; the ones that are left out are certainly on none."""
        with self._lock:
            self._read = set()
            found: dict[str, int] = {}
            for _ in self._pages():
                found |= {key: number for key in keys if key not in found and (number := self._there(key))}
                if len(found) == len(set(keys)):
                    break
            return found

    def _pages(self) -> Iterator[None]:
        """Read what changed since the last look, then what was never read, page by page."""
        for one in self._lists:
            self._renew(one)
            yield
        for one in self._lists:
            if one.is_whole:
                continue
            asked: dict[str, str | int] = {**one.params, "sort_by": "id", "sort_direction": "desc", "limit": LIMIT}
            for rows, following in self._api.walk(one.call, asked, one.start):
                self._take(rows)
                one.start, one.is_whole = following, following is None
                yield

    def _renew(self, one: KeyList) -> None:
        if one.is_begun:
            since = one.mark - OVERLAP if one.mark else None
            rows = list(self._api.rows(one.call, {**one.params, **times(since, None)}))
        else:
            newest: Params = {"sort_by": "update_time", "sort_direction": "desc", "limit": LIMIT}
            rows, has_more = self._api.page(one.call, {**one.params, **newest})
            one.is_begun, one.is_whole = True, not has_more
        self._take(rows)
        stamps = [at for row in rows if (at := moment(row.get("update_time"))) is not None]
        one.mark = max([*stamps, *([one.mark] if one.mark else [])], default=None)

    def _take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            number = row["id"]
            self._read.add(number)
            self._put(number, () if row.get("is_deleted") is True else tuple(self._keys_of(row)))

    def _put(self, number: int, keys: tuple[str, ...]) -> None:
        """Let a row carry these keys and no others."""
        for key in self._keys.pop(number, ()):
            self._ids[key] = tuple(other for other in self._ids[key] if other != number)
        if keys:
            self._keys[number] = keys
        for key in keys:
            self._ids[key] = tuple(sorted((*self._ids.get(key, ()), number)))

    def _there(self, key: str) -> int | None:
        """Give the newest row that carries a key and is still there."""
        while numbers := self._ids.get(key):
            number = numbers[-1]
            if number in self._read or self._lists[0].tells_gone:
                return number
            rows = rows_by_ids(self._api, self._lists[0].call, self._lists[0].params, [number])
            row = next((row for row in rows if not is_gone(row)), None)
            self._read.add(number)
            self._put(number, tuple(self._keys_of(row)) if row else ())
        return None
