"""Speaking to one org: versioned paths, queries with all their pages, rows by id, and the daily allowance."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Literal, NamedTuple

from crmbridge.errors import RetryLaterError
from crmbridge.http import Budget, HttpClient, Reply, Signer, pages, together
from crmbridge.http.headers import said_at
from crmbridge.http.replies import UNREADABLE
from crmbridge.ports import AdapterContext
from crmbridge_salesforce import soql
from crmbridge_salesforce.judge import DAILY, dialect
from crmbridge_salesforce.settings import SalesforceSettings

Row = Mapping[str, Any]

COLLECTION = 200  # rows in one collections request
# Requests under way at a time. Only those of 20 seconds and more are counted, 25 of them in production and 5 in a
# Developer Edition ("API Request Limits and Allocations"); any query may turn out to be a long one.
AT_ONCE = 5
ALTOGETHER = 8  # as many as a first pull begins with, all of them short


class Answer(NamedTuple):
    """The first page of a query: its rows, how many there are in all, where the rest is, and the org's own time."""

    rows: list[Row]
    total: int
    following: str | None
    now: datetime | None


class Org:
    """One org's REST API. Thread-safe; raises the errors of `crmbridge.http`."""

    def __init__(self, settings: SalesforceSettings, context: AdapterContext, signer: Signer) -> None:
        self.connection = context.connection
        self.version = settings.api_version
        self._base = f"services/data/v{settings.api_version}"
        self.now: datetime | None = None  # the org's own time, as its last answers said it
        self._slots = threading.BoundedSemaphore(ALTOGETHER)
        self._client = HttpClient(
            connection=context.connection,
            base_url=settings.address,
            clock=context.clock,
            budget=Budget(
                (DAILY,),
                context.clock,
                share=settings.share,
                day_share=1.0,  # the dialect has taken our share already
                ledger=context.ledger,
                account=context.connection,
            ),
            # The most that the org gives per page; wide rows may come in smaller ones ("Query Options Header").
            headers={"Sforce-Query-Options": "batchSize=2000"},
            signer=signer,
            dialect=dialect(settings.day_share),
            timeout=settings.timeout,
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read a resource below the version's path."""
        return self._read("GET", f"{self._base}/{path}", params=params).body

    def post(self, path: str, body: Any) -> Any:
        """Send a request that changes no record: a read by ids, or the order of a query job."""
        return self._read("POST", f"{self._base}/{path}", body=body).body

    def fetch(self, path: str, params: Mapping[str, Any] | None = None) -> Reply:
        """Read a resource that is no JSON, as bytes, with the headers of its answer."""
        return self._read("GET", f"{self._base}/{path}", params=params, form="bytes")

    def query(self, statement: str, *, deleted_too: bool = False) -> list[Row]:
        """Run a query and give all its rows; `deleted_too` looks into the recycle bin as well."""
        resource = f"{self._base}/{'queryAll' if deleted_too else 'query'}"

        def fetch(following: str | None) -> tuple[list[Row], str | None]:
            found = self._ask(following) if following else self._ask(resource, {"q": statement})
            return found.rows, found.following

        return [row for rows, _ in pages(fetch) for row in rows]

    def query_now(self, statement: str, *, deleted_too: bool = False) -> Answer:
        """Run a query and give all its rows with the org's own time when it began, where the answer says it."""
        resource = f"{self._base}/{'queryAll' if deleted_too else 'query'}"
        first = self._ask(resource, {"q": statement})

        def fetch(following: str | None) -> tuple[list[Row], str | None]:
            found = self._ask(following or "")
            return found.rows, found.following

        more = pages(fetch, start=first.following) if first.following else ()
        return first._replace(rows=first.rows + [row for rows, _ in more for row in rows], following=None)

    def query_in(self, template: str, values: Sequence[str], *, deleted_too: bool = False) -> Iterator[Row]:
        """Run a query whose `{}` stands for a list that may be too long for one URL; some parts of it side by side."""
        statements = soql.in_parts(template, values)
        while some := [*islice(statements, AT_ONCE)]:
            for rows in together([partial(self.query, each, deleted_too=deleted_too) for each in some]):
                yield from rows

    def rows(self, table: str, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
        """Read rows by id, past every index; the ones that are gone are left out."""
        for start in range(0, len(ids), COLLECTION):
            asked = {"ids": list(ids[start : start + COLLECTION]), "fields": list(columns)}
            body = self.post(f"composite/sobjects/{table}", asked)
            if not isinstance(body, list) or not all(row is None or _is_row(row) for row in body):
                said = f"{self.connection}: a read by ids was answered with something that is no list of rows"
                raise RetryLaterError(said, advice=UNREADABLE)
            yield from (row for row in body if row is not None)

    def rows_by_query(self, table: str, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
        """Read rows by id in one query for a few hundred of them, where that fits in a URL."""
        if soql.size(template := soql.select(columns, table, where="Id IN ({})")) < soql.LONGEST_QUERY // 2:
            yield from self.query_in(template, ids)
        else:
            yield from self.rows(table, ids, columns)

    def write(self, method: Any, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """Send a write below the version's path; raises UnclearError when nobody knows whether it was done."""
        with self._slots:
            return self._client.write(method, f"{self._base}/{path}", params=params, body=body).body

    def row_path(self, table: str, row_id: str) -> str:
        """Give the path of a row, as the requests inside a composite one name it."""
        return f"/{self._base}/sobjects/{table}/{row_id}"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        return _answer(self._read("GET", path, params=params), self.connection)

    def _read(
        self,
        method: Literal["GET", "POST"],
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        form: Literal["json", "bytes"] = "json",
    ) -> Reply:
        with self._slots:
            reply = self._client.read(method, path, params=params, body=body, form=form)
        if now := said_at(reply.headers):
            self.now = now if self.now is None else max(now, self.now)
        return reply


def _answer(reply: Reply, connection: str) -> Answer:
    body = reply.body
    records = body.get("records") if isinstance(body, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(records, list) or not all(map(_is_row, records)):
        raise RetryLaterError(f"{connection}: a query was answered with something that is no result", advice=UNREADABLE)
    total, following = body.get("totalSize"), body.get("nextRecordsUrl")
    count = total if isinstance(total, int) else len(records)
    if body.get("done", following is None):
        return Answer(records, count, None, said_at(reply.headers))
    if following is None:  # taken for the end, the rest would seem not to be there
        said = f"{connection}: a query was answered with a part of its rows, and not with where the rest is"
        raise RetryLaterError(said, advice=UNREADABLE)
    # The path is sent as it is, and the token goes with it: it must stay on this host.
    if not isinstance(following, str) or not following.startswith("/services/data/"):
        raise RetryLaterError("The CRM sent a nextRecordsUrl that is no path of its REST API")
    return Answer(records, count, following, said_at(reply.headers))


def _is_row(row: Any) -> bool:
    return isinstance(row, dict)
