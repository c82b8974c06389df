"""Speaks to one HubSpot account: its budgets, and the calls that read it and write to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any, Literal, TypeVar

from crmbridge.http import Budget, Dialect, HttpClient, Rate, Reply, Signer, dump_json, load_json, pages, side_by_side
from crmbridge.http.headers import said_at
from crmbridge.http.replies import unusable
from crmbridge.ports import AdapterContext
from crmbridge_hubspot.paths import PATHS
from crmbridge_hubspot.replies import (
    BURST,
    DAY,
    NoneFoundError,
    TooMuchError,
    expired,
    judge,
    judge_read,
    meter,
)
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.shapes import ShapeError, id_in, next_of, object_in, objects_in, records_in, results_of

HOST = "https://api.hubapi.com"
BURST_LIMIT, APP_LIMIT = 100, 110  # of the smallest accounts, and of apps, in 10 s ("API usage guidelines and limits")
DAY_LIMIT = 250_000
SEARCHES_PER_SECOND = 5  # per account, outside the burst limit ("Search the CRM")
LIST_PAGE = 100
SMALLEST_PAGE = 10
BATCH = 100
READS = 4  # batches of one read under way at a time: a page of a search makes so many with histories
HISTORY_BATCH = 50  # above it a list or a batch read with history is refused with 400
LINK_BATCH = 1_000
T = TypeVar("T")
Raw = Mapping[str, Any]
Linked = tuple[str, list[Raw]]  # a record, and what hangs on it


class HubSpotApi:
    """The calls that read an account, in batches and pages, and the ones that write."""

    def __init__(self, settings: HubSpotSettings, context: AdapterContext, signer: Signer) -> None:
        self.paths = PATHS[settings.api_version]
        self.host = settings.base_url or HOST
        self._settings = settings
        self._context = context
        self._signer = signer
        day = _day_limit(settings)
        more = [Rate(day, 86_400, DAY)] if day else []
        usual = APP_LIMIT if settings.oauth else BURST_LIMIT
        self._burst = _budget(settings, context, [Rate(settings.requests_per_10s or usual, 10, BURST), *more])
        search = _budget(settings, context, [Rate(SEARCHES_PER_SECOND, 1, "search"), *more])
        self._client = self._make_client(self._burst, Dialect(judge=judge_read, expired=expired, meter=meter))
        self._searches = self._make_client(search, Dialect(judge=judge_read, expired=expired, meter=meter))
        self._page = LIST_PAGE
        self.apart: int | None = None  # milliseconds that our clock is ahead of HubSpot's, as a search said last

    def _make_client(self, budget: Budget, dialect: Dialect) -> HttpClient:
        return HttpClient(
            connection=self._context.connection,
            base_url=self.host,
            clock=self._context.clock,
            budget=budget,
            signer=self._signer,
            dialect=dialect,
            timeout=self._settings.timeout,
        )

    @cached_property
    def _writes(self) -> HttpClient:
        # Of a write that was answered with 5xx nobody knows whether it was done: another judge than for reads.
        return self._make_client(self._burst, Dialect(judge=judge, expired=expired, meter=meter))

    def get(self, path: str, **params: Any) -> Raw:
        """Get one thing."""
        return self._asked("GET", path, params, lambda body: object_in(body, "it"))

    def listed(self, path: str, **params: Any) -> Iterator[list[Any]]:
        """Walk a list in pages. Every page is asked with all parameters.

        The token remembers none of them ("custom properties only on the first page", hubspot-api-python#248).
        """

        def fetch(token: str | None) -> tuple[list[Any], str | None]:
            more = {"after": token} if token else {}
            return self._asked("GET", path, {**params, **more}, lambda body: (results_of(body), next_of(body)))

        return (page for page, _ in pages(fetch))

    def list_page(
        self, kind: str, after: str | None, most: int = LIST_PAGE, **params: Any
    ) -> tuple[list[Any], str | None]:
        """Read one page of at most so many records of a type, with the token of the next one.

        When HubSpot breaks down over it, half as many are asked for from then on (tap-hubspot PR 234).
        """
        path, more = self.paths.object(kind), {"after": after} if after else {}
        while True:
            size = min(self._page, most)
            asked = {"limit": str(size), **params, **more}
            try:
                return self._asked("GET", path, asked, lambda body: (records_in(body), next_of(body)))
            except TooMuchError:
                if size <= SMALLEST_PAGE:
                    raise
                self._page = min(self._page, max(SMALLEST_PAGE, size // 2))

    def read(self, kind: str, ids: Iterable[str], properties: Sequence[str], **more: Any) -> list[Raw]:
        """Read records by id, past the index; the ones that are gone are left out (207, or 404 when all are)."""
        size = HISTORY_BATCH if "propertiesWithHistory" in more else BATCH
        asked = {"properties": list(properties), **more}
        parts = [lambda part=part: iter(self._read_batch(kind, part, asked)) for part in batches(ids, size)]
        if len(parts) == 1:
            return list(parts[0]())
        return [raw for _, raw in sorted(side_by_side(parts, workers=READS), key=itemgetter(0))]

    def _read_batch(self, kind: str, ids: Sequence[str], asked: Raw) -> list[Raw]:
        body = {**asked, "inputs": [{"id": each} for each in ids]}
        try:
            return self._asked("POST", self.paths.object(kind, "/batch/read"), None, records_in, body)
        except NoneFoundError:  # any other 404 is about the path: all of them would seem to be gone
            return []

    def search(self, kind: str, body: Raw, read: Callable[[Any], T]) -> T:
        """Search one page, and `read` what is answered; what that finds wrong with its shape is said of the answer."""
        path = self.paths.object(kind, "/search")
        reply = self._searches.read("POST", path, body=body)
        if said := said_at(reply.headers):
            self.apart = (self._context.clock.now() - said) // timedelta(milliseconds=1)
        return _read(self._searches, path, reply, read)

    def links(self, start: str, end: str, ids: Iterable[str]) -> dict[str, list[Raw]]:
        """Read what hangs on records, for all of them at once: {"toObjectId", "associationTypes"} by record.

        Records with nothing come back as errors of the batch, which mean just that.
        """
        found: dict[str, list[Raw]] = {}
        for part in batches(ids, LINK_BATCH):
            for results, _ in pages(self._link_fetcher(start, end, part)):
                for record, links in results:
                    found.setdefault(record, []).extend(links)
        return found

    def _link_fetcher(
        self, start: str, end: str, ids: Sequence[str]
    ) -> Callable[[str | None], tuple[list[Linked], str | None]]:
        # Each record has a page token of its own: the next request asks for the records that have one.
        def fetch(token: str | None) -> tuple[list[Linked], str | None]:
            inputs = [{"id": each} for each in ids] if token is None else load_json(token)
            try:
                return self._asked("POST", self.paths.links(start, end), None, _linked, {"inputs": inputs})
            except NoneFoundError:  # any other 404 is about the path: nothing would seem to hang on anything
                return [], None

        return fetch

    def _asked(
        self, method: Literal["GET", "POST"], path: str, params: Raw | None, read: Callable[[Any], T], body: Any = None
    ) -> T:
        """Ask for something, and read the answer."""
        return _read(self._client, path, self._client.read(method, path, params=params, body=body), read)

    def write(self, path: str, body: Raw) -> Raw:
        """Post something that changes the account; raises UnclearError when it may have been carried out.

        It may be answered with nothing (204), and what was carried out is no error, whatever comes: an empty answer.
        """
        reply = self._writes.write("POST", path, body=body)
        return reply.body if isinstance(reply.body, dict) else {}

    def post_form(self, path: str, form: bytes) -> Any:
        """Post a form that changes nothing, and give what is answered."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._writes.write("POST", path, body=form, headers=headers).body

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._searches.close()
        if "_writes" in self.__dict__:
            self._writes.close()


def _budget(settings: HubSpotSettings, context: AdapterContext, rates: Sequence[Rate]) -> Budget:
    return Budget(
        rates,
        context.clock,
        share=settings.share,
        day_share=settings.day_share,
        ledger=context.ledger,
        account=context.connection,
    )


def _day_limit(settings: HubSpotSettings) -> int | None:
    """Tell a day's limit; apps have none that is stated."""
    return settings.requests_per_day or (None if settings.oauth else DAY_LIMIT)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut items into lists of at most `size`."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])


def _read(client: HttpClient, path: str, reply: Reply, read: Callable[[Any], T]) -> T:
    """Read an answer; raises RetryLaterError where it has not the shape that it should have."""
    try:
        return read(reply.body)
    except ShapeError as error:
        raise unusable(client.connection, path, reply, error.why) from error


def _linked(body: Any) -> tuple[list[Linked], str | None]:
    """Read what hangs on records, and for which of them there is more."""
    results = [(id_in(object_in(each.get("from"), "from")), each) for each in results_of(body)]
    following = [{"id": record, "after": after} for record, each in results if (after := next_of(each))]
    found = [(record, [_link(link) for link in objects_in(each.get("to"), "to")]) for record, each in results]
    return found, _as_token(following)


def _link(link: dict[str, Any]) -> Raw:
    types = objects_in(link.get("associationTypes"), "associationTypes")
    return {**link, "toObjectId": id_in(link, "toObjectId"), "associationTypes": types}


def _as_token(inputs: Sequence[Mapping[str, str]]) -> str | None:
    return dump_json(list(inputs)).decode() if inputs else None
