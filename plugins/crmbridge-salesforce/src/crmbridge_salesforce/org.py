"""Speaking to one org: versioned paths, queries with all their pages, rows by id, and the daily allowance."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import SecretStr

from crmbridge.errors import RetryLaterError
from crmbridge.http import Budget, Dialect, HttpClient, Rate, Reply, pages
from crmbridge.ports import AdapterContext
from crmbridge_salesforce import soql
from crmbridge_salesforce.judge import WAIT_FOR_ALLOWANCE, judge
from crmbridge_salesforce.settings import SalesforceSettings

Row = Mapping[str, Any]

COLLECTION = 200  # rows in one collections request
# Short requests are not limited per second; this only keeps many threads from flooding the org.
RATES = (Rate(50, 1.0),)


class Allowance:
    """The share of the org's daily requests that is used up, as every answer tells it in Sforce-Limit-Info."""

    def __init__(self, connection: str, share: float) -> None:
        self._connection = connection
        self._share = share
        self._lock = threading.Lock()
        self._used = (0, 0)

    def note(self, reply: Reply) -> None:
        """Read the figures of an answer, where it carries them."""
        found = re.search(r"(?<![\w-])api-usage=(\d+)/(\d+)", reply.headers.get("sforce-limit-info", ""))
        if found:
            with self._lock:
                self._used = (int(found[1]), int(found[2]))

    def check(self) -> None:
        """Raise RetryLaterError when our share is used up, so that the org's other clients keep theirs."""
        with self._lock:
            used, total = self._used
        if total and used >= total * self._share:
            with self._lock:
                self._used = (0, 0)  # an old figure must not stop a later run
            raise RetryLaterError(
                f"{self._connection}: {used} of the org's {total} daily requests are used up",
                advice=f"Try again later, or raise api_share (now {self._share:g}) in the connection.",
                after=WAIT_FOR_ALLOWANCE,
            )


class Org:
    """One org's REST API. Thread-safe; raises the errors of `crmbridge.http`."""

    def __init__(self, settings: SalesforceSettings, context: AdapterContext, token: SecretStr) -> None:
        self.connection = context.connection
        self.version = settings.api_version
        self._base = f"services/data/v{settings.api_version}"
        self._allowance = Allowance(context.connection, settings.api_share)
        self._client = HttpClient(
            connection=context.connection,
            base_url=settings.address,
            clock=context.clock,
            budget=Budget(RATES, context.clock),
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            dialect=Dialect(judge=judge),
            timeout=settings.timeout,
        )

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read a resource below the version's path."""
        return self._read(f"{self._base}/{path}", params)

    def query(self, statement: str, *, deleted_too: bool = False) -> list[Row]:
        """Run a query and give all its rows; `deleted_too` looks into the recycle bin as well."""
        resource = f"{self._base}/{'queryAll' if deleted_too else 'query'}"

        def fetch(following: str | None) -> tuple[list[Row], str | None]:
            return _page(self._read(following) if following else self._read(resource, {"q": statement}))

        return [row for rows, _ in pages(fetch) for row in rows]

    def query_now(self, statement: str) -> tuple[list[Row], datetime | None]:
        """Run a query whose rows fit on one page; give them with the org's own time, where the answer says it."""
        self._allowance.check()
        reply = self._client.read("GET", f"{self._base}/query", params={"q": statement})
        self._allowance.note(reply)
        return _page(reply.body)[0], _date(reply)

    def query_in(self, template: str, values: Sequence[str], *, deleted_too: bool = False) -> Iterator[Row]:
        """Run a query whose `{}` stands for a list that may be too long for one URL."""
        for statement in soql.in_parts(template, values):
            yield from self.query(statement, deleted_too=deleted_too)

    def rows(self, table: str, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
        """Read rows by id, past every index; the ones that are gone are left out."""
        for start in range(0, len(ids), COLLECTION):
            asked = {"ids": list(ids[start : start + COLLECTION]), "fields": list(columns)}
            body = self._send("POST", f"{self._base}/composite/sobjects/{table}", asked)
            yield from (row for row in _list(body) if isinstance(row, Mapping))

    def write(self, method: Any, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """Send a write below the version's path; raises UnclearError when nobody knows whether it was done."""
        self._allowance.check()
        reply = self._client.write(method, f"{self._base}/{path}", params=params, body=body)
        self._allowance.note(reply)
        return reply.body

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        self._allowance.check()
        reply = self._client.read("GET", path, params=params)
        self._allowance.note(reply)
        return reply.body

    def _send(self, method: Any, path: str, body: Any) -> Any:
        self._allowance.check()
        reply = self._client.read(method, path, body=body)
        self._allowance.note(reply)
        return reply.body


def _date(reply: Reply) -> datetime | None:
    # Of several, the last is the org's own: what stands between puts its own in front.
    found = re.findall(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply.headers.get("date", ""))
    return parsedate_to_datetime(found[-1]) if found else None


def _page(body: Any) -> tuple[list[Row], str | None]:
    if not isinstance(body, Mapping) or not isinstance(body.get("records"), list):
        raise RetryLaterError("The CRM answered a query with something that is no query result")
    following = body.get("nextRecordsUrl")
    if body.get("done", True) or following is None:
        return body["records"], None
    # The path is sent as it is, and the token goes with it: it must stay on this host.
    if not isinstance(following, str) or not following.startswith("/services/data/"):
        raise RetryLaterError("The CRM sent a nextRecordsUrl that is no path of its REST API")
    return body["records"], following


def _list(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise RetryLaterError("The CRM answered a read by ids with something that is no list")
    return body
