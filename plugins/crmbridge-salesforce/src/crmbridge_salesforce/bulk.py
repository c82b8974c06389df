"""Query jobs of Bulk API 2.0: ordered, waited for, and fetched part by part as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any, NamedTuple

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.http import pages, side_by_side
from crmbridge.http.headers import count_in
from crmbridge.http.replies import UNREADABLE, tidy
from crmbridge.ports import Clock
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.values import Cell

PART = 2_500  # rows fetched at a time; a few megabytes
FIRST_WAIT, LONGEST_WAIT, GROWTH = 0.25, 20.0, 1.6  # seconds between two looks at a job
PATIENCE = timedelta(minutes=30)  # for a job to begin and end; after that the rows are read page by page
DONE, UNDER_WAY = "JobComplete", frozenset({"Open", "UploadComplete", "InProgress"})
END = "null"  # what the locator says after the last part


class BulkUnavailableError(CrmbridgeError):
    """A query can't be answered by a bulk job, or was not; it is to be read page by page instead."""


class Part(NamedTuple):
    """Some rows of a job, as they came. `locator` leads to these rows, `following` to the next; None at the end."""

    content: bytes
    rows: int | None  # how many there should be
    locator: str
    following: str | None


class QueryJobs:
    """Orders and reads query jobs of one org. Thread-safe."""

    def __init__(self, org: Org, clock: Clock) -> None:
        self._org = org
        self._clock = clock

    def order(self, statement: str, *, deleted_too: bool = False) -> str:
        """Order a query and give the job's id; raises BulkUnavailableError for what bulk jobs can't answer."""
        operation = "queryAll" if deleted_too else "query"
        try:
            said = self._org.post("jobs/query", {"operation": operation, "query": statement, "contentType": "CSV"})
        # Compound columns, objects that jobs do not know, an edition or a user without them. A session that is no good
        # is said by the next call as well.
        except (RefusedError, AuthenticationError) as error:
            raise BulkUnavailableError(error.message) from error
        if not isinstance(said, Mapping) or not said.get("id"):
            raise BulkUnavailableError("The answer to a query job names no job")
        return str(said["id"])

    def wait(self, job: str) -> None:
        """Wait until a job is complete.

        Raises BulkUnavailableError when it fails, is aborted, is gone, or takes too long: each of them ends the wait.
        """
        for _ in self.waiting(job):
            pass

    def waiting(self, job: str) -> Iterator[None]:
        """Wait as `wait` does, and come back after each look at a job that is not complete yet."""
        latest, pause = self._clock.now() + PATIENCE, FIRST_WAIT
        while (state := self._state(job)) != DONE:
            if state not in UNDER_WAY or self._clock.now() >= latest:
                raise BulkUnavailableError(f"The query job {job} ended as {state}")
            self._clock.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_WAIT)
            yield

    def is_complete(self, job: str) -> bool:
        """Tell whether a job is complete; raises BulkUnavailableError when it is gone."""
        return self._state(job) == DONE

    def parts(self, job: str, locator: str = "", *, size: int = PART) -> Iterator[Part]:
        """Yield the rows of a complete job from a locator on; the next part is fetched while one is used."""
        for _, part in side_by_side([lambda: self.read(job, locator, size)], workers=1):
            yield part

    def read(self, job: str, locator: str = "", size: int = PART) -> Iterator[Part]:
        """Yield what `parts` does, each part fetched when it is asked for."""

        def fetch(token: str | None) -> tuple[list[Part], str | None]:
            part = self._part(job, token or "", size)
            return [part], part.following

        for found, _ in pages(fetch, start=locator or None):
            yield from found

    def drop(self, job: str) -> None:
        """Take a job away; where that fails, the org does it after seven days."""
        try:
            self._org.write("DELETE", f"jobs/query/{job}")
        except CrmbridgeError:
            return

    def _part(self, job: str, locator: str, size: int) -> Part:
        asked: dict[str, Any] = {"maxRecords": size, **({"locator": locator} if locator else {})}
        try:
            reply = self._org.fetch(f"jobs/query/{job}/results", asked)
        except RefusedError as error:  # it was taken away, or it is seven days old
            raise BulkUnavailableError(f"The query job {job} is gone: {error.message}") from error
        following = reply.headers.get("sforce-locator")
        if not following:  # taken for the end, the rest would seem not to be there
            raise RetryLaterError("A part of a bulk job does not say where the next one begins", advice=UNREADABLE)
        return Part(
            content=reply.body,
            rows=count_in(reply.headers, "sforce-numberofrecords"),
            locator=locator,
            following=None if following == END else following,
        )

    def _state(self, job: str) -> str:
        try:
            said = self._org.get(f"jobs/query/{job}")
        except RefusedError as error:
            raise BulkUnavailableError(f"The query job {job} is gone: {error.message}") from error
        state = str(said.get("state")) if isinstance(said, Mapping) else "nothing"
        words = tidy(str(said.get("errorMessage") or "")) if isinstance(said, Mapping) else ""
        return f"{state}: {words}" if words and state not in {DONE, *UNDER_WAY} else state


def rows_of(part: Part, columns: Sequence[str]) -> Iterator[list[Cell]]:
    """Read the rows of a part, their cells in the order of the columns.

    Raises BulkUnavailableError when other columns came than are asked for now, and RetryLaterError when the part broke
    off: one that is short by a row must not pass for a whole one. What was read of it is read again.
    """
    content = part.content.replace(b"\0", b"") if b"\0" in part.content else part.content
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    count = 0
    try:
        order = _order(next(csv.reader(lines), None), columns)
        for row in _records(lines, len(columns)):
            if len(row) != len(columns):
                raise RetryLaterError("A part of a bulk job has a row that breaks off")
            count += 1
            yield row if order is None else [row[at] for at in order]
    except (csv.Error, UnicodeDecodeError) as error:
        raise RetryLaterError(f"A part of a bulk job can't be read: {error}") from error
    if part.rows is not None and count != part.rows:
        raise RetryLaterError(f"A part of a bulk job should have {part.rows} rows, and has {count}")


def _records(lines: Iterator[str], width: int) -> Iterator[list[Cell]]:
    """Read CSV as the csv module does, at two thirds of its cost.

    An org puts every cell in quotes. A line that has no others than those around its cells is a row, and can be split.
    """
    quotes = 2 * width
    for line in lines:
        row = line[1:-2].split('","')
        if len(row) != width or line.count('"') != quotes or line[:1] != '"' or line[-2:] != '"\n':
            row = next(csv.reader(chain((line,), lines)))  # it takes as many lines as the row has
        yield row


def _order(header: list[str] | None, columns: Sequence[str]) -> list[int] | None:
    """Give where each column stands; None where they stand as they were asked for."""
    if header is None or header == list(columns):
        return None
    places = {name.lower(): at for at, name in enumerate(header)}
    try:
        return [places[name.lower()] for name in columns]
    except KeyError as error:
        raise BulkUnavailableError(f"A bulk job answered without the column {error}") from None
