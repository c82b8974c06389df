"""Pipedrive's two API versions behind one front: envelopes taken off, pages walked, a spent budget remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeGuard

from crmbridge.adapting import apart
from crmbridge.errors import RefusedError, RetryLaterError, UnclearError
from crmbridge.http import HttpClient, Reply, pages
from crmbridge.http.headers import said_at
from crmbridge.http.replies import UNREADABLE, tidy
from crmbridge.ports import Clock
from crmbridge_pipedrive.paths import Call
from crmbridge_pipedrive.verdicts import ShutOutError

Row = dict[str, Any]
Params = Mapping[str, str | int]

LIMIT = 500  # the most rows of a page; one costs the same whatever its length
IDS = 100  # how many ids fit in the `ids` of a list
# A 200 whose whole body is `null` has been seen (tap-pipedrive 1.1.8): of a deal's flow, where nothing is lost by it.
# Of any list it would pass for the end, and the rest would never come.
MAY_BE_NULL = frozenset({"flow"})
NAMELESS = frozenset({"changelog", "fields", "flow", "organizationFields"})  # lists of what has no id of its own


class Heard(NamedTuple):
    """What time it was at Pipedrive when it last answered, and how many seconds our clock was ahead of that."""

    at: datetime
    apart: int


class Api:
    """Reads and writes JSON of one account. Thread-safe. Calls have the names of the path table.

    `readers` is how many parts of a big list are read side by side.

    Once Pipedrive says that the day's tokens are used up, or shuts us out, nothing more is sent until the time it
    gave is over: hammering on leads to a block ("Rate limiting").
    """

    def __init__(
        self,
        http: HttpClient,
        clock: Clock,
        calls: Mapping[str, Call],
        v1_path: Callable[[], str],
        *,
        readers: int = 3,
    ) -> None:
        self.readers = readers
        self.heard: Heard | None = None  # until Pipedrive said what time it is
        self._http = http
        self._clock = clock
        self._calls = calls
        self._v1_path = v1_path
        self._shut: tuple[datetime, datetime, RetryLaterError] | None = None  # since when, until when, and why

    def get(self, call: str, params: Params | None = None, *, id_: int | str = "") -> Any:
        """Read the `data` of a resource."""
        return data_of(self._read(call, params, id_))

    def row(self, call: str, id_: int) -> Row | None:
        """Read one row of a list by its id; None where the answer names none."""
        reply = self._read(call, None, id_)
        data = data_of(reply)
        if data is not None and not (isinstance(data, dict) and is_id(data.get("id"))):
            raise _unreadable(reply, "its data is no row with an id")  # taken for none, the row would seem to be gone
        return data

    def all_rows(self, call: str) -> list[Row]:
        """Read a list that has no pages."""
        return _rows_of(call, self._read(call, None, ""))

    def page(self, call: str, params: Params) -> tuple[list[Row], bool]:
        """Read one page of a list, and tell whether there are more."""
        reply = self._read(call, params, "")
        return _rows_of(call, reply), next_cursor(reply) is not None

    def walk(self, call: str, params: Params, start: str | None = None) -> Iterator[tuple[list[Row], str | None]]:
        """Walk a list that pages by cursor, with the cursor of the page after each one."""

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            reply = self._read(call, params if cursor is None else {**params, "cursor": cursor}, "")
            return _rows_of(call, reply), next_cursor(reply)

        return pages(fetch, start=start)

    def rows(self, call: str, params: Params | None = None, *, id_: int | str = "") -> Iterator[Row]:
        """Give all rows of a list that pages by cursor."""

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            asked = {"limit": LIMIT, **(params or {}), **({} if cursor is None else {"cursor": cursor})}
            reply = self._read(call, asked, id_)
            return _rows_of(call, reply), next_cursor(reply)

        for rows, _ in pages(fetch):
            yield from rows

    def rows_v1(self, call: str, params: Params | None = None, *, id_: int | str = "") -> Iterator[Row]:
        """Give all rows of a v1 list that pages by start and limit."""

        def fetch(start: str | None) -> tuple[list[Row], str | None]:
            rows, following = self.page_at(call, params or {}, int(start or 0), id_=id_)
            return rows, None if following is None else str(following)

        for rows, _ in pages(fetch):
            yield from rows

    def page_at(self, call: str, params: Params, start: int, *, id_: int | str = "") -> tuple[list[Row], int | None]:
        """Read the page of a v1 list that begins at a position, with where the next one begins."""
        asked = {"start": start, "limit": LIMIT, **params}
        reply = self._read(call, asked, id_)
        return _rows_of(call, reply), _next_start(reply, start + int(asked["limit"]))

    def write(self, call: str, body: Row, *, id_: int | str = "") -> Row:
        """Send a change and give what it made; raises UnclearError when the reply does not say."""
        asked = self._calls[call]
        path = self._path(asked, id_)
        reply = self._guarded(lambda: self._http.write(asked.method, path, body=body, cost=asked.tokens))
        data = data_of(reply)
        if not isinstance(data, dict) or not (is_id(data.get("id")) or isinstance(data.get("field_code"), str)):
            raise UnclearError(f"{path} answered {reply.status} without saying what it wrote: {tidy(reply.text)}")
        return data

    def delete(self, call: str, id_: int | str, other: int | str = "") -> None:
        """Delete something; raises UnclearError when the reply does not say that it is done.

        v2 answers with the id, v1 with `true` for a note ("Notes: Delete a note").
        """
        asked = self._calls[call]
        path = self._path(asked, id_, other)
        reply = self._guarded(lambda: self._http.write(asked.method, path, cost=asked.tokens))
        if not data_of(reply):
            raise UnclearError(f"{path} answered {reply.status} without saying what it deleted: {tidy(reply.text)}")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read(self, call: str, params: Params | None, id_: int | str) -> Reply:
        asked = self._calls[call]
        path, expect = self._path(asked, id_), (dict, type(None)) if call in MAY_BE_NULL else dict
        reply = self._guarded(
            lambda: self._http.read("GET", path, params=params or {}, cost=asked.tokens, expect=expect)
        )
        if said := said_at(reply.headers):
            self.heard = Heard(said, apart(self._clock.now(), said))
        return reply

    def _path(self, call: Call, id_: int | str, other: int | str = "") -> str:
        v1 = self._v1_path() if call.path.startswith("{v1}") else ""
        return call.path.format(v1=v1, id=id_, other=other)

    def _guarded(self, send: Callable[[], Reply]) -> Reply:
        shut, now = self._shut, self._clock.now()
        if shut is not None and shut[0] <= now < shut[1]:  # before it, our clock was put back, and says nothing of it
            raise RetryLaterError(shut[2].message, advice=shut[2].advice, after=shut[1] - now)
        try:
            return send()
        except ShutOutError as error:
            now = self._clock.now()
            self._shut = (now, now + error.lasts, error)
            raise


def is_id(value: Any) -> TypeGuard[int]:
    """Tell whether a value is an id as Pipedrive's entities have it."""
    return type(value) is int  # and no bool; asked for several values of every row


def data_of(reply: Reply) -> Any:
    """Take the envelope off; raises RefusedError when it says that there was no success."""
    body = reply.body
    if body is None:
        return None
    if isinstance(body, dict) and body.get("success") is not False:
        return body.get("data")
    said = body.get("error") if isinstance(body, dict) else reply.text
    raise RefusedError(f"Pipedrive answered {reply.status}, but without success: {tidy(str(said))}")


def rows_of(reply: Reply) -> list[Row]:
    """Give the rows of a list; v1 sends null for an empty one. Raises RetryLaterError for what is no list of rows."""
    data = data_of(reply)
    if data is None and (reply.body is None or "data" in reply.body):
        return []
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise _unreadable(reply, "its data is no list of objects")  # taken for an empty one, all would seem to be gone
    return data


def _rows_of(call: str, reply: Reply) -> list[Row]:
    """Give the rows of a list; one that its id can't be read of must not be left out, or it would seem to be gone."""
    rows = rows_of(reply)
    if call not in NAMELESS and not all(is_id(row.get("id")) for row in rows):
        raise _unreadable(reply, "one of its rows has no id that is a number")
    return rows


def next_cursor(reply: Reply) -> str | None:
    """Give the cursor of the next page; at the end it is null, or left out, or its whole block is ("Pagination")."""
    cursor = _additional(reply).get("next_cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise _unreadable(reply, "its next_cursor is no text")  # taken for the end, the rest would be left out
    return cursor or None


def _next_start(reply: Reply, usual: int) -> int | None:
    """Give where the next v1 page starts; the block stands flat in the documents and under `pagination` live.

    `usual` is where it starts when that is not said.
    """
    block = _additional(reply)
    nested = block.get("pagination")
    block = nested if isinstance(nested, dict) else block
    if not block.get("more_items_in_collection"):
        return None
    following = block.get("next_start")
    return following if is_id(following) else usual


def _additional(reply: Reply) -> Row:
    block = reply.body.get("additional_data") if isinstance(reply.body, dict) else None
    if block is not None and not isinstance(block, dict):
        raise _unreadable(reply, "its additional_data is no object")
    return block or {}


def _unreadable(reply: Reply, why: str) -> RetryLaterError:
    return RetryLaterError(f"Pipedrive's answer ({reply.status}) can't be read: {why}", advice=UNREADABLE)
