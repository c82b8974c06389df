"""The HTTP client of one connection: one place that decides what may be sent again and what an answer means."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from crmbridge import __version__
from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http.auth import Signed, Signer
from crmbridge.http.budget import Budget, Taken, Usage
from crmbridge.http.exact_json import dump_json, load_json
from crmbridge.http.headers import wait_in
from crmbridge.http.library import httpx
from crmbridge.http.patience import patiently, worth_waiting_for
from crmbridge.http.quoting import words_of
from crmbridge.http.reaching import name_of, open_way, unreachable
from crmbridge.http.replies import NOT_JSON, UNREADABLE, Reply, tidy, where
from crmbridge.http.slices import wait_for_room
from crmbridge.http.sparing import parsed
from crmbridge.http.timely import read_until
from crmbridge.loopback import is_loopback
from crmbridge.ports import Clock
from crmbridge.revealed import strike

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
DEADLINE = 5  # times the timeout: how long a request is tried altogether
SLOWEST = 2  # times the timeout: how long one whole answer may take, however it drips in
TOO_FAST, TOO_SLOW, NOT_THERE = 429, 408, 404
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({TOO_SLOW, 423, 425})  # of the 4xx: the same request may do later
BIG = 32_768  # bytes of an answer that is worth waiting with
LARGEST = 256 * 1024 * 1024  # bytes of an answer, unpacked: a thousandth of it over the wire could fill the memory
MOST_PARTS = 8_000_000  # values in one JSON answer: each takes room, however short it is written
# Packed once, by what was asked for: one part of it can't fill the memory before its size is looked at.
ASKED = "gzip, deflate"
PACKED = frozenset({"", "identity", *ASKED.split(", ")})
# It ended before the request was sent; a proxy's error is that it did not let us through.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
NOTHING_LEFT = httpx.ByteStream(b"")
ELSEWHERE = "Try again later; if it goes on, check the connection's base_url: is it the CRM's own address?"
NO_SUCH_PLACE = "Check base_url and api_version of connection {!r}, if they are set; else what was asked for is gone."
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_READABLE = {"json": "JSON", "bytes": "data"}


# A vendor's view of an error reply: the error it stands for, or None to leave it to the status code.
Judge = Callable[[Reply], CrmbridgeError | None]
# What the headers of a reply say of the rates it was counted in.
Meter = Callable[[Mapping[str, str]], Iterable[Usage]]


def _never(_reply: Reply) -> bool:
    return False


def _by_status(_reply: Reply) -> CrmbridgeError | None:
    return None


def _nothing(_headers: Mapping[str, str]) -> Iterable[Usage]:
    return ()


class Dialect(Struct, frozen=True, kw_only=True):
    """How one vendor talks: what its replies mean beyond their status codes.

    `judge` turns error bodies into errors, and gives None where the status code says enough. `expired` knows the reply
    to an expired session; the look-alikes that signing in anew can't mend are not among them. `meter` reads what a
    reply's headers say of the rates. `failed` knows the errors that come with a 2xx, as JSON-RPC and GraphQL send
    them; `judge` must then have a word for each.
    """

    judge: Judge = _by_status
    expired: Callable[[Reply], bool] = _never
    meter: Meter = _nothing
    failed: Callable[[Reply], bool] = _never


class _Request(NamedTuple):
    """A request as it is sent, as often as it takes."""

    method: Method
    path: str
    params: Mapping[str, Any] | None
    content: bytes | None
    headers: Mapping[str, str]
    cost: int
    form: Literal["json", "bytes"] = "json"
    expect: type | tuple[type, ...] = object


class HttpClient:
    """Sends requests for one connection: signed, within the budget, repeated where that is safe.

    `headers` go with every request; `signer` adds the credential, where it is more than a header that stays.
    """

    def __init__(
        self,
        *,
        connection: str,
        base_url: str,
        clock: Clock,
        budget: Budget,
        dialect: Dialect,
        headers: Mapping[str, str] | None = None,
        signer: Signer | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._budget = budget
        self._dialect = dialect
        self._signer = signer
        self._timeout = timeout
        self._base_url = base_url.rstrip("/") + "/"
        said = {"User-Agent": f"crmbridge/{__version__}", "Accept": "application/json", "Accept-Encoding": ASKED}
        self._client = open_way(connection, base_url, headers={**said, **(headers or {})}, timeout=timeout)

    def read(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        cost: int = 1,
        form: Literal["json", "bytes"] = "json",
        expect: type | tuple[type, ...] = object,
    ) -> Reply:
        """Send a request that changes nothing, and repeat it while the CRM is busy or out of reach.

        Gives a 2xx reply with a readable body of the type expected; raises AuthenticationError, RefusedError or
        RetryLaterError. With `form` "bytes" the body comes as it is, for answers that are no JSON.
        """
        content, said = _content(body)
        if form == "bytes":
            said["Accept"] = "*/*"
        request = _Request(method, path, params, content, {**said, **(headers or {})}, cost, form, expect)
        return self._patiently(self._read_once, request)

    def write(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        cost: int = 1,
    ) -> Reply:
        """Send a request that changes something. It is repeated only when it certainly did not arrive.

        A body of bytes is sent as it is; `headers` then name its type. Raises UnclearError when it may have been
        carried out, beside the errors of `read`.
        """
        content, said = _content(body)
        request = _Request(method, path, params, content, {**said, **(headers or {})}, cost)
        return self._patiently(self._write_once, request)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read_once(self, request: _Request) -> Reply:
        try:
            reply = self._send(request)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        except httpx.RequestError as error:  # it came, and can't be unpacked
            raise RetryLaterError(f"{self._asked(request)} can't be read ({name_of(error)})") from error
        if not reply.ok or self._dialect.failed(reply):
            raise self._error(request.path, reply)
        if reply.body is NOT_JSON:
            message = f"answered {reply.status} with something that is not {_READABLE[request.form]}"
            raise RetryLaterError(f"{where(self.connection, request.path, reply)} {message}", advice=ELSEWHERE)
        if not isinstance(reply.body, request.expect):
            message = f"answered {reply.status} with JSON of another shape than it should have"
            raise RetryLaterError(f"{where(self.connection, request.path, reply)} {message}", advice=UNREADABLE)
        return reply

    def _write_once(self, request: _Request) -> Reply:
        try:
            reply = self._send(request)
        except NEVER_SENT as error:
            raise self._unreachable(error) from error
        except httpx.RequestError as error:
            raise UnclearError(f"{self._asked(request)} is not clear ({name_of(error)})") from error
        if reply.ok and self._dialect.failed(reply):  # a clear no: nothing was carried out
            raise self._error(request.path, reply)
        if reply.ok and reply.body is not NOT_JSON:
            return reply
        if reply.ok or _leaves_open(reply, self._dialect.judge):
            said = f"answered {reply.status}; the change may have been made"
            raise UnclearError(f"{where(self.connection, request.path, reply)} {said}")
        raise self._error(request.path, reply)

    def _send(self, request: _Request) -> Reply:
        """Send it once, and once more with a new session where the one it was sent with had expired."""
        reply, signed = self._send_signed(request)
        # It was turned away at the door, so a write was not carried out either. A second refusal is final.
        if self._signer is not None and self._dialect.expired(reply) and self._signer.renew(signed):
            reply, _ = self._send_signed(request)
        return reply

    def _send_signed(self, request: _Request) -> tuple[Reply, Signed]:
        taken = self._budget.take(request.cost)
        try:
            # Once it is our turn: a token that was good when the waiting began may have run out since.
            signed = self._signer.sign() if self._signer is not None else Signed({})
            url = _address(self.connection, request.path, signed.base_url)
            answer, content = self._exchange(request, url, {**request.headers, **signed.headers}, taken)
        finally:
            self._budget.settle(taken)
        for usage in self._dialect.meter(answer.headers):
            self._budget.observe(usage, taken)
        if len(content) >= BIG:
            wait_for_room()
        return Reply(
            answer.status_code, answer.headers, _decode(answer, content, request.form), words_of(content)
        ), signed

    def _exchange(
        self, request: _Request, url: str, headers: Mapping[str, str], taken: Taken
    ) -> tuple[httpx.Response, bytes]:
        # Each wait for an answer may take the timeout; a server that drips must not hold us for ever.
        read_until(time.monotonic() + self._timeout * SLOWEST)
        whole = _whole_address(self._base_url, url, request.params)
        said = self._client.headers.copy()
        said.update(headers)
        # Not by the client's own `stream`: it merges once more what is whole already.
        sent = httpx.Request(request.method, whole, content=request.content, headers=said)
        answer = self._client.send(sent, stream=True)
        parts: list[bytes] = []
        size = 0
        try:
            self._budget.settle(taken)  # whoever begins to answer has counted it
            if answer.headers.get("content-encoding", "").lower() not in PACKED:
                raise httpx.DecodingError("the answer is packed as nobody asked for", request=answer.request)
            for part in answer.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise httpx.DecodingError("the answer is larger than any of use", request=answer.request)
        finally:
            answer.close()
            answer.stream = NOTHING_LEFT  # it knows the answer: without it, nobody has to collect this pair
        return answer, b"".join(parts)

    def _error(self, path: str, reply: Reply) -> CrmbridgeError:
        error = self._dialect.judge(reply) or self._by_status(reply)
        if reply.status == NOT_THERE and not error.advice:
            error.advice = NO_SUCH_PLACE.format(self.connection)
        # A wait that nobody sits out is for the next run; pausing for it would hold up every other call of this one.
        if isinstance(error, RetryLaterError) and reply.status == TOO_FAST and worth_waiting_for(error):
            self._budget.pause(error.after or timedelta(seconds=1))
        # Errors are kept in the state and shown: a credential that the CRM repeats must not come along.
        said = error.message.rstrip(": ")  # where it said nothing
        error.message = strike(f"{where(self.connection, path, reply)}: {said}")
        error.advice = strike(error.advice)
        error.args = (error.message,)
        return error

    def _by_status(self, reply: Reply) -> CrmbridgeError:
        said = tidy(reply.text)
        match reply.status:
            case 401:
                return AuthenticationError(
                    f"the credential was refused (401): {said}",
                    advice=f"Check the credential of connection {self.connection!r}: is it right, and still valid?",
                )
            case 403:
                return AuthenticationError(
                    f"not allowed (403): {said}",
                    advice=f"Give the credential of connection {self.connection!r} the scopes that it lacks.",
                )
            case 429:
                return RetryLaterError(f"too many requests (429): {said}", after=wait_in(reply.headers))
            case status if status in REDIRECTS:  # to the door, or to a page that says what is being mended
                return RetryLaterError(f"another place was named ({status}), which was not asked", advice=ELSEWHERE)
            case status if status >= 500 or status in PASSING:
                return RetryLaterError(f"the CRM is out of order ({status}): {said}", after=wait_in(reply.headers))
            case status:
                return RefusedError(f"refused ({status}): {said}")

    def _unreachable(self, error: Exception) -> RetryLaterError:
        return unreachable(self.connection, self._base_url, error)

    def _asked(self, request: _Request) -> str:
        return strike(f"{self.connection}: the answer to {request.method} {request.path.partition('?')[0]}")

    def _patiently(self, send: Callable[[_Request], Reply], request: _Request) -> Reply:
        latest = self._clock.now() + timedelta(seconds=self._timeout * DEADLINE)
        return patiently(lambda: send(request), self._clock, latest)


def _leaves_open(reply: Reply, judge: Judge) -> bool:
    """Tell whether an answer leaves open what became of a write.

    A redirect comes from a proxy or a page for maintenance: the CRM has not refused the change, for good and all. And
    proxies say 408 not only of a request that came too slowly, but also when what is behind them does not answer.
    """
    judged = judge(reply)
    redirected = reply.status in REDIRECTS and not isinstance(judged, AuthenticationError)
    return redirected or (judged is None and (reply.status >= 500 or reply.status == TOO_SLOW))


def _address(connection: str, path: str, base_url: str | None) -> str:
    """Give where a request goes: never to a host that the CRM's answers name, nor unencrypted over a network."""
    url = path.lstrip("/")
    if _ELSEWHERE.match(url):
        raise RefusedError(f"{connection}: the CRM named another address for a request, which was not sent")
    if base_url is None:
        return url
    if not base_url.startswith("https://") and not is_loopback(base_url):
        raise AuthenticationError(
            f"{connection}: signing in named a place for requests that is not encrypted",
            advice="Nothing was sent there. Check the address that the connection signs in at.",
        )
    return f"{base_url.rstrip('/')}/{url}"


def _whole_address(base: str, url: str, params: Mapping[str, Any] | None) -> httpx.URL:
    """Put an address together before it is parsed: httpx would parse it three times, letter by letter."""
    address = url if _ELSEWHERE.match(url) else f"{base}{url}"
    return parsed(f"{address}?{httpx.QueryParams(params)}" if params else address)


def _content(body: Any) -> tuple[bytes | None, dict[str, str]]:
    if body is None:
        return None, {}
    return body if isinstance(body, bytes) else dump_json(body), {"Content-Type": "application/json"}


def _decode(answer: httpx.Response, content: bytes, form: Literal["json", "bytes"]) -> Any:
    if form == "bytes" and answer.is_success:
        # A page that says "we are setting things up" comes with 200 as well, and is nobody's data.
        return NOT_JSON if "text/html" in answer.headers.get("content-type", "") else content
    if not content:  # no body belongs to 204 only; elsewhere the answer was lost on the way
        return None if answer.status_code == httpx.codes.NO_CONTENT or not answer.is_success else NOT_JSON
    if len(content) > MOST_PARTS and content.count(b",") > MOST_PARTS:
        return NOT_JSON
    try:
        return load_json(content)
    except ValueError:
        return NOT_JSON
