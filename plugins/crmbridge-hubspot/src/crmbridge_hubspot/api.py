"""Speaks to one HubSpot account: two budgets, HubSpot's error bodies, and the calls that adapters make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

from pydantic import SecretStr

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.http import Budget, Dialect, HttpClient, Rate, Reply, dump_json, load_json, pages
from crmbridge.http.client import retry_after, tidy
from crmbridge.ports import Clock
from crmbridge_hubspot.paths import PATHS
from crmbridge_hubspot.settings import HubSpotSettings

HOST = "https://api.hubapi.com"
SEARCHES_PER_SECOND = 5  # per account, outside the burst limit ("Search the CRM")
BATCH = 100
HISTORY_BATCH = 50  # above it a batch read with history is refused with 400
LINK_BATCH = 1_000
LOCKED = timedelta(seconds=2)
# By rate limit policy. A day's limit ends at the account's midnight: the run is over, whenever that is.
POLICIES = {"DAILY": timedelta(hours=1), "TEN_SECONDLY": timedelta(seconds=10), "SECONDLY": timedelta(seconds=1)}
T = TypeVar("T")


class AbsentError(RefusedError):
    """HubSpot answered 404. Never leaves this package."""


class HubSpotApi:
    """The calls that read an account, in batches and pages, and the one that writes."""

    def __init__(self, settings: HubSpotSettings, connection: str, clock: Clock, token: SecretStr) -> None:
        self.paths = PATHS[settings.api_version]

        def client(rate: Rate) -> HttpClient:
            return HttpClient(
                connection=connection,
                base_url=settings.base_url or HOST,
                clock=clock,
                budget=Budget([rate], clock),
                headers={"Authorization": f"Bearer {token.get_secret_value()}"},
                dialect=Dialect(judge=judge),
                timeout=settings.timeout,
            )

        self._client = client(Rate(settings.requests_per_10s, 10))
        self._searches = client(Rate(SEARCHES_PER_SECOND, 1))

    def get(self, path: str, **params: Any) -> Mapping[str, Any]:
        """Get one thing."""
        return _mapping(self._client.read("GET", path, params=params))

    def listed(self, path: str, start: str | None = None, **params: Any) -> Iterator[tuple[list[Any], str | None]]:
        """Walk a list in pages, with the token of the next page. Every page is asked with all parameters.

        The token remembers none of them ("custom properties only on the first page", hubspot-api-python#248).
        """

        def fetch(token: str | None) -> tuple[list[Any], str | None]:
            body = self.get(path, **params, **({"after": token} if token else {}))
            return _results(body), _next(body)

        return pages(fetch, start=start)

    def read(self, kind: str, ids: Iterable[str], properties: Sequence[str], **more: Any) -> list[Mapping[str, Any]]:
        """Read records by id, past the index; the ones that are gone are left out (207, or 404 when all are)."""
        size = HISTORY_BATCH if "propertiesWithHistory" in more else BATCH
        found: list[Mapping[str, Any]] = []
        for part in batches(ids, size):
            body = {"properties": list(properties), "inputs": [{"id": each} for each in part], **more}
            try:
                reply = self._client.read("POST", self.paths.object(kind, "/batch/read"), body=body)
            except AbsentError:
                continue
            found += _results(_mapping(reply))
        return found

    def search(self, kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Search one page."""
        return _mapping(self._searches.read("POST", self.paths.object(kind, "/search"), body=body))

    def links(self, start: str, end: str, ids: Iterable[str]) -> dict[str, list[Mapping[str, Any]]]:
        """Read what hangs on records, for all of them at once: {"toObjectId", "associationTypes"} by record.

        Records with nothing come back as errors of the batch, which mean just that.
        """
        found: dict[str, list[Mapping[str, Any]]] = {}
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
            results = _results(_mapping(reply))
            following = [{"id": str(each["from"]["id"]), "after": after} for each in results if (after := _next(each))]
            return results, _as_token(following)

        return fetch

    def write(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post something that changes records; raises UnclearError when it may have been carried out."""
        return _mapping(self._client.write("POST", path, body=body))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._searches.close()


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut items into lists of at most `size`."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])


# What HubSpot asks to wait for: a record that is locked under heavy writes, a limit, a move between data centres.
WAITING = {423: "has locked the record", 429: "limits us", 477: "is moving the account"}


def judge(reply: Reply) -> CrmbridgeError | None:
    """Tell what one of HubSpot's error bodies stands for ("Error handling"); every part of it may be missing."""
    body = reply.body if isinstance(reply.body, dict) else {}
    said = tidy(str(body.get("message") or reply.text))
    status = reply.status
    error: CrmbridgeError | None = None
    if status == 401:
        advice = "Check the token: a service key or private app token of this account, not expired or rotated."
        error = AuthenticationError(f"HubSpot refused the token (401): {said}", advice=advice)
    elif status == 403:
        error = _not_allowed(body, said)
    elif status in WAITING:
        error = RetryLaterError(f"HubSpot {WAITING[status]} ({status}): {said}", after=_wait(reply, body, said))
    elif status == 404:
        error = AbsentError(f"not there (404): {said}")
    elif 400 <= status < 500 and status != 408:
        error = RefusedError(f"HubSpot refused it ({status}): {said}")
    return error


def _not_allowed(body: Mapping[str, Any], said: str) -> AuthenticationError:
    contexts = [each.get("context") or {} for each in body.get("errors") or () if isinstance(each, dict)]
    contexts.append(body.get("context") or {})
    scopes = sorted({str(s) for context in contexts for s in context.get("requiredGranularScopes") or ()})
    lacking = tidy(", ".join(scopes))
    advice = f"Give the token these scopes: {lacking}." if lacking else "Give the token the scopes that it lacks."
    return AuthenticationError(f"HubSpot does not allow this (403): {said}", advice=advice)


def _wait(reply: Reply, body: Mapping[str, Any], said: str) -> timedelta | None:
    """Tell how long to wait; where HubSpot does not say, by the policy, which older replies only name in words."""
    asked = retry_after(reply)
    if asked is not None or reply.status == 477:
        return asked
    if reply.status == 423:
        return LOCKED
    policy = str(body.get("policyName") or said).upper().replace(" ", "_")
    return next((wait for name, wait in POLICIES.items() if name in policy), timedelta(seconds=1))


def _mapping(reply: Reply) -> Mapping[str, Any]:
    if not isinstance(reply.body, dict):
        raise RetryLaterError("HubSpot answered with something that is no object")
    return reply.body


def _results(body: Mapping[str, Any]) -> list[Any]:
    results = body.get("results")
    if not isinstance(results, list):
        raise RetryLaterError("HubSpot's answer has no results")
    return results


def _next(body: Mapping[str, Any]) -> str | None:
    after = ((body.get("paging") or {}).get("next") or {}).get("after")
    return None if after in {None, ""} else str(after)


def _as_token(inputs: Sequence[Mapping[str, str]]) -> str | None:
    return dump_json(list(inputs)).decode() if inputs else None
