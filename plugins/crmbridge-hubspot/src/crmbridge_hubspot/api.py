"""Speaks to one HubSpot account: its budgets, and the calls that read it and write to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from crmbridge.errors import RetryLaterError
from crmbridge.http import Budget, Dialect, HttpClient, Rate, Reply, Signer, dump_json, load_json, pages, side_by_side
from crmbridge.ports import AdapterContext
from crmbridge_hubspot.paths import PATHS
from crmbridge_hubspot.replies import BURST, DAY, AbsentError, TooMuchError, expired, judge, judge_read, meter
from crmbridge_hubspot.settings import HubSpotSettings

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
        self._burst = self._budget([Rate(settings.requests_per_10s or usual, 10, BURST), *more])
        search = self._budget([Rate(SEARCHES_PER_SECOND, 1, "search"), *more])
        self._client = self._make_client(self._burst, Dialect(judge=judge_read, expired=expired, meter=meter))
        self._searches = self._make_client(search, Dialect(judge=judge_read, expired=expired, meter=meter))
        self._page = LIST_PAGE

    def _budget(self, rates: Sequence[Rate]) -> Budget:
        return Budget(
            rates,
            self._context.clock,
            share=self._settings.share,
            day_share=self._settings.day_share,
            ledger=self._context.ledger,
            account=self._context.connection,
        )

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
        return _mapping(self._client.read("GET", path, params=params))

    def listed(self, path: str, **params: Any) -> Iterator[list[Any]]:
        """Walk a list in pages. Every page is asked with all parameters.

        The token remembers none of them ("custom properties only on the first page", hubspot-api-python#248).
        """

        def fetch(token: str | None) -> tuple[list[Any], str | None]:
            body = self.get(path, **params, **({"after": token} if token else {}))
            return results_of(body), next_of(body)

        return (page for page, _ in pages(fetch))

    def list_page(
        self, kind: str, after: str | None, most: int = LIST_PAGE, **params: Any
    ) -> tuple[list[Any], str | None]:
        """Read one page of at most so many records of a type, with the token of the next one.

        When HubSpot breaks down over it, half as many are asked for from then on (tap-hubspot PR 234).
        """
        more = {"after": after} if after else {}
        while True:
            size = min(self._page, most)
            try:
                body = self.get(self.paths.object(kind), limit=str(size), **params, **more)
            except TooMuchError:
                if size <= SMALLEST_PAGE:
                    raise
                self._page = min(self._page, max(SMALLEST_PAGE, size // 2))
            else:
                return results_of(body), next_of(body)

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
            reply = self._client.read("POST", self.paths.object(kind, "/batch/read"), body=body)
        except AbsentError:
            return []
        return results_of(_mapping(reply))

    def search(self, kind: str, body: Raw) -> Raw:
        """Search one page."""
        return _mapping(self._searches.read("POST", self.paths.object(kind, "/search"), body=body))

    def links(self, start: str, end: str, ids: Iterable[str]) -> dict[str, list[Raw]]:
        """Read what hangs on records, for all of them at once: {"toObjectId", "associationTypes"} by record.

        Records with nothing come back as errors of the batch, which mean just that.
        """
        found: dict[str, list[Raw]] = {}
        for part in batches(ids, LINK_BATCH):
            for results, _ in pages(self._link_fetcher(start, end, part)):
                for result in results:
                    found.setdefault(str(result["from"]["id"]), []).extend(result["to"])
        return found

    def _link_fetcher(
        self, start: str, end: str, ids: Sequence[str]
    ) -> Callable[[str | None], tuple[list[Any], str | None]]:
        # Each record has a page token of its own: the next request asks for the records that have one.
        def fetch(token: str | None) -> tuple[list[Any], str | None]:
            inputs = [{"id": each} for each in ids] if token is None else load_json(token)
            try:
                reply = self._client.read("POST", self.paths.links(start, end), body={"inputs": inputs})
            except AbsentError:
                return [], None
            results = results_of(_mapping(reply))
            following = [
                {"id": str(each["from"]["id"]), "after": after} for each in results if (after := next_of(each))
            ]
            return results, _as_token(following)

        return fetch

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


def _day_limit(settings: HubSpotSettings) -> int | None:
    """Tell a day's limit; apps have none that is stated."""
    return settings.requests_per_day or (None if settings.oauth else DAY_LIMIT)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut items into lists of at most `size`."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])


def _mapping(reply: Reply) -> Raw:
    if not isinstance(reply.body, dict):
        raise RetryLaterError("HubSpot answered with something that is no object")
    return reply.body


def results_of(body: Raw) -> list[Any]:
    """Give the results of an answer; raises RetryLaterError when it has none."""
    results = body.get("results")
    if not isinstance(results, list):
        raise RetryLaterError("HubSpot's answer has no results")
    return results


def next_of(body: Raw) -> str | None:
    """Give the token of the next page, or None on the last."""
    after = ((body.get("paging") or {}).get("next") or {}).get("after")
    return None if after in {None, ""} else str(after)


def _as_token(inputs: Sequence[Mapping[str, str]]) -> str | None:
    return dump_json(list(inputs)).decode() if inputs else None
