"""Pipedrive's two API versions behind one front: envelopes taken off, pages walked, a spent budget remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeGuard

from crmbridge.errors import RefusedError, RetryLaterError, UnclearError
from crmbridge.http import HttpClient, Reply, pages
from crmbridge.http.budget import LONGEST_WAIT
from crmbridge.http.client import Method, tidy
from crmbridge.ports import Clock

Row = dict[str, Any]
Params = Mapping[str, str | int]

V2 = "api/v2"
LIMIT = 500  # a list page costs the same whatever its length
V1_LIMIT = 100
IDS = 100  # how many ids fit in the `ids` of a list


class Api:
    """Reads and writes JSON of one account. Thread-safe.

    Once Pipedrive says that the day's tokens are used up, or shuts us out, nothing more is sent until the time it
    gave is over: hammering on leads to a block ("Rate limiting").
    """

    def __init__(self, http: HttpClient, clock: Clock, v1_path: str) -> None:
        self._http = http
        self._clock = clock
        self._v1 = v1_path
        self._shut: tuple[datetime, RetryLaterError] | None = None

    def get(self, path: str, params: Params | None = None) -> Any:
        """Read the `data` of a v2 resource."""
        return data_of(self._read(f"{V2}/{path}", params))

    def get_v1(self, path: str, params: Params | None = None) -> Any:
        """Read the `data` of a v1 resource."""
        return data_of(self._read(f"{self._v1}/{path}", params))

    def walk(self, path: str, params: Params, start: str | None = None) -> Iterator[tuple[list[Row], str | None]]:
        """Walk a v2 list page by page, with the cursor of the page after each one."""

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            reply = self._read(f"{V2}/{path}", _with_cursor(params, cursor))
            return rows_of(reply), next_cursor(reply)

        return pages(fetch, start=start)

    def rows(self, path: str, params: Params | None = None) -> Iterator[Row]:
        """Give all rows of a v2 list."""
        for rows, _ in self.walk(path, {"limit": LIMIT, **(params or {})}):
            yield from rows

    def rows_v1(self, path: str, params: Params | None = None) -> Iterator[Row]:
        """Give all rows of a v1 list that pages by start and limit."""

        def fetch(start: str | None) -> tuple[list[Row], str | None]:
            begin = int(start or 0)
            asked = {"start": begin, "limit": V1_LIMIT, **(params or {})}
            reply = self._read(f"{self._v1}/{path}", asked)
            return rows_of(reply), _next_start(reply, begin)

        for rows, _ in pages(fetch):
            yield from rows

    def rows_v1_by_cursor(self, path: str) -> Iterator[Row]:
        """Give all rows of a v1 list that pages by cursor."""

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            reply = self._read(f"{self._v1}/{path}", _with_cursor({"limit": V1_LIMIT}, cursor))
            return rows_of(reply), next_cursor(reply)

        for rows, _ in pages(fetch):
            yield from rows

    def write(self, method: Method, path: str, body: Row) -> Row:
        """Send a change to v2 and give what it made; raises UnclearError when the reply does not say."""
        return self._write(method, f"{V2}/{path}", body)

    def write_v1(self, method: Method, path: str, body: Row) -> Row:
        """Send a change to v1 and give what it made; raises UnclearError when the reply does not say."""
        return self._write(method, f"{self._v1}/{path}", body)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read(self, path: str, params: Params | None) -> Reply:
        return self._guarded(lambda: self._http.read("GET", path, params=params or {}))

    def _write(self, method: Method, path: str, body: Row) -> Row:
        reply = self._guarded(lambda: self._http.write(method, path, body=body))
        data = data_of(reply)
        if not isinstance(data, dict) or not is_id(data.get("id")):
            raise UnclearError(f"{path} answered {reply.status} without saying what it wrote: {tidy(reply.text)}")
        return data

    def _guarded(self, send: Callable[[], Reply]) -> Reply:
        shut = self._shut
        if shut is not None and self._clock.now() < shut[0]:
            raise RetryLaterError(shut[1].message, advice=shut[1].advice, after=shut[0] - self._clock.now())
        try:
            return send()
        except RetryLaterError as error:
            if error.after is not None and error.after > LONGEST_WAIT:
                self._shut = (self._clock.now() + error.after, error)
            raise


def is_id(value: Any) -> TypeGuard[int]:
    """Tell whether a value is an id as Pipedrive's entities have it."""
    return isinstance(value, int) and not isinstance(value, bool)


def data_of(reply: Reply) -> Any:
    """Take the envelope off; raises RefusedError when it says that there was no success.

    A 200 whose whole body is `null` has been seen on the flow of a deal (tap-pipedrive 1.1.8); it holds nothing.
    """
    body = reply.body
    if body is None:
        return None
    if isinstance(body, dict) and body.get("success") is not False:
        return body.get("data")
    said = body.get("error") if isinstance(body, dict) else reply.text
    raise RefusedError(f"Pipedrive answered {reply.status}, but without success: {tidy(str(said))}")


def rows_of(reply: Reply) -> list[Row]:
    """Give the rows of a list; v1 sends null for an empty one."""
    data = data_of(reply)
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


def next_cursor(reply: Reply) -> str | None:
    """Give the cursor of the next page; at the end it is null, or left out, or its whole block is ("Pagination")."""
    cursor = _additional(reply).get("next_cursor")
    return cursor if isinstance(cursor, str) and cursor else None


def _next_start(reply: Reply, start: int) -> str | None:
    """Give where the next v1 page starts; the block stands flat in the documents and under `pagination` live."""
    block = _additional(reply)
    nested = block.get("pagination")
    block = nested if isinstance(nested, dict) else block
    if not block.get("more_items_in_collection"):
        return None
    following = block.get("next_start")
    return str(following if is_id(following) else start + V1_LIMIT)


def _additional(reply: Reply) -> Row:
    block = reply.body.get("additional_data") if isinstance(reply.body, dict) else None
    return block if isinstance(block, dict) else {}


def _with_cursor(params: Params, cursor: str | None) -> Params:
    return params if cursor is None else {**params, "cursor": cursor}
