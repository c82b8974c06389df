"""The HTTP client of one connection: one place that decides what may be sent again and what an answer means."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import httpx
import tenacity

from crmbridge import __version__
from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http.budget import Budget
from crmbridge.http.exact_json import dump_json, load_json
from crmbridge.loopback import is_loopback
from crmbridge.ports import Clock
from crmbridge.revealed import strike

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
TRIES = 5
LONGEST_WAIT = timedelta(seconds=60)  # a CRM that asks for more than this is left alone until the next run
TOO_FAST = 429
NOT_JSON = object()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a CRM answered. `body` is the decoded JSON (None when empty), or NOT_JSON when it can't be read."""

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str

    @property
    def ok(self) -> bool:
        """Tell whether the status is a 2xx."""
        return 200 <= self.status < 300


# A vendor's view of an error reply: the error it stands for, or None to leave it to the status code.
Judge = Callable[[Reply], CrmbridgeError | None]


class HttpClient:
    """Sends requests for one connection: signed, within the budget, repeated where that is safe.

    `headers` carries the credential. `judge` turns the vendor's error bodies into errors.
    """

    def __init__(
        self,
        *,
        connection: str,
        base_url: str,
        clock: Clock,
        budget: Budget,
        headers: Mapping[str, str],
        judge: Judge,
        timeout: float = 30.0,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._budget = budget
        self._judge = judge
        self._client = httpx.Client(
            base_url=base_url.rstrip("/") + "/",
            headers={"User-Agent": f"crmbridge/{__version__}", "Accept": "application/json", **headers},
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
            follow_redirects=False,  # a redirect would carry the token to another host
            trust_env=not is_loopback(base_url),  # proxies are for the world outside
        )

    def read(self, method: Method, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Reply:
        """Send a request that changes nothing, and repeat it while the CRM is busy or out of reach.

        Gives a 2xx reply with a readable body; raises AuthenticationError, RefusedError or RetryLaterError.
        """
        return self._retrying()(self._read_once, method, path, params, body)

    def write(self, method: Method, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Reply:
        """Send a request that changes something. It is repeated only when it certainly did not arrive.

        Raises UnclearError when it may have been carried out, beside the errors of `read`.
        """
        return self._retrying()(self._write_once, method, path, params, body)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read_once(self, method: Method, path: str, params: Mapping[str, Any] | None, body: Any) -> Reply:
        try:
            reply = self._send(method, path, params, body)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        except httpx.RequestError as error:  # it came, and can't be unpacked
            raise RetryLaterError(f"{self._asked(method, path)} can't be read ({_name(error)})") from error
        if reply.ok and reply.body is not NOT_JSON:
            return reply
        if reply.ok:
            raise RetryLaterError(f"{self._where(path, reply)} answered {reply.status} with something that is not JSON")
        raise self._error(path, reply)

    def _write_once(self, method: Method, path: str, params: Mapping[str, Any] | None, body: Any) -> Reply:
        try:
            reply = self._send(method, path, params, body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise self._unreachable(error) from error
        except httpx.RequestError as error:
            raise UnclearError(f"{self._asked(method, path)} is not clear ({_name(error)})") from error
        if reply.ok and reply.body is not NOT_JSON:
            return reply
        if reply.ok or (reply.status >= 500 and self._judge(reply) is None):
            raise UnclearError(f"{self._where(path, reply)} answered {reply.status}; the change may have been made")
        raise self._error(path, reply)

    def _send(self, method: Method, path: str, params: Mapping[str, Any] | None, body: Any) -> Reply:
        self._budget.take()
        content = None if body is None else dump_json(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        answer = self._client.request(method, path.lstrip("/"), params=params, content=content, headers=headers)
        return Reply(answer.status_code, answer.headers, _decode(answer), _words(answer))

    def _error(self, path: str, reply: Reply) -> CrmbridgeError:
        error = self._judge(reply) or self._by_status(reply)
        # A wait that nobody sits out is for the next run; pausing for it would hold up every other call of this one.
        if isinstance(error, RetryLaterError) and reply.status == TOO_FAST and _worth_waiting_for(error):
            self._budget.pause(error.after or timedelta(seconds=1))
        # Errors are kept in the state and shown: a credential that the CRM repeats must not come along.
        error.message = strike(f"{self._where(path, reply)}: {error.message}")
        error.advice = strike(error.advice)
        error.args = (error.message,)
        return error

    def _by_status(self, reply: Reply) -> CrmbridgeError:
        said = tidy(reply.text)
        match reply.status:
            case 401:
                return AuthenticationError(
                    f"the credential was refused (401): {said}",
                    advice=f"Check the credential of connection {self._connection!r}: is it right, and still valid?",
                )
            case 403:
                return AuthenticationError(
                    f"not allowed (403): {said}",
                    advice=f"Give the credential of connection {self._connection!r} the scopes that it lacks.",
                )
            case 429:
                return RetryLaterError(f"too many requests (429): {said}", after=retry_after(reply))
            case status if status >= 500 or status in {408, 423, 425}:
                return RetryLaterError(f"the CRM is out of order ({status}): {said}", after=retry_after(reply))
            case status:
                return RefusedError(f"refused ({status}): {said}")

    def _unreachable(self, error: Exception) -> RetryLaterError:
        return RetryLaterError(
            f"{self._connection}: {self._client.base_url.host} can't be reached ({_name(error)})",
            advice="Check the network and the connection's base_url, then try again; nothing was lost.",
        )

    def _where(self, path: str, reply: Reply) -> str:
        request_id = next((reply.headers[name] for name in REQUEST_IDS if name in reply.headers), "")
        where = strike(f"{self._connection}: {path.partition('?')[0]}")
        return f"{where} (request {tidy(request_id, 60)})" if request_id else where

    def _asked(self, method: Method, path: str) -> str:
        return strike(f"{self._connection}: the answer to {method} {path}")

    def _retrying(self) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_worth_waiting_for),
            wait=_wait,
            stop=tenacity.stop_after_attempt(TRIES),
            sleep=self._clock.sleep,
            reraise=True,
        )


REQUEST_IDS = ("x-hubspot-correlation-id", "x-correlation-id", "x-request-id", "request-id")


def retry_after(reply: Reply) -> timedelta | None:
    """Read how many seconds the CRM asks us to wait, where it says so in seconds."""
    text = reply.headers.get("retry-after", "")
    return timedelta(seconds=float(text)) if re.fullmatch(r"\d{1,6}(\.\d+)?", text) else None


def tidy(text: str, limit: int = 200) -> str:
    """Make text from a CRM fit for one line of a message: no secret of ours, no control characters, not too long."""
    # Struck before it is cut: half a secret would not be known any more.
    line = "".join(c if c.isprintable() else " " for c in strike(text))
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _worth_waiting_for(error: BaseException) -> bool:
    return isinstance(error, RetryLaterError) and (error.after is None or error.after <= LONGEST_WAIT)


def _wait(state: tenacity.RetryCallState) -> float:
    """Wait as long as the CRM asked, else twice as long each time; with jitter, so that workers spread out."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.after if isinstance(error, RetryLaterError) else None
    seconds = asked.total_seconds() if asked is not None else min(0.5 * 2 ** (state.attempt_number - 1), 15.0)
    return seconds + random.uniform(0, 0.1 + seconds / 10)  # noqa: S311  jitter is no secret


def _decode(answer: httpx.Response) -> Any:
    if not answer.content:  # no body belongs to 204 only; elsewhere the answer was lost on the way
        return None if answer.status_code == httpx.codes.NO_CONTENT or not answer.is_success else NOT_JSON
    try:
        return load_json(answer.content)
    except ValueError:
        return NOT_JSON


def _words(answer: httpx.Response) -> str:
    """Give the beginning of an answer as text, in the one encoding of JSON, whatever the answer says of itself."""
    return strike(answer.content.decode("utf-8", "replace"))[:2000]


def _name(error: Exception) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()
