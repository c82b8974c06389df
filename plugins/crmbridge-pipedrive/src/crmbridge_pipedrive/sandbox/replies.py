"""Pipedrive's envelopes, errors and limits, as the sandbox sends them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from crmbridge.http import dump_json
from crmbridge.ports import Clock
from crmbridge.sandbox import RateWindow, Vendor, http_date

Row = dict[str, Any]

BURST = 20  # requests in two seconds: an API token on the smallest plan
SEARCHES = 10  # the same on every plan
PATIENCE = 40  # requests over the limit within a minute before the network in front shuts the client out
ERROR_INFO = "Please check developers.pipedrive.com for more information about Pipedrive API."


class RefusalError(Exception):
    """The request is answered with an error. `code` is what v2 names it by; v1 sends none."""

    def __init__(self, status: int, error: str, code: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code


def invalid(*complaints: str) -> RefusalError:
    """Make the error for a request that does not fit the schema; each complaint is `field: reason`."""
    return RefusalError(400, f"Validation failed: {'; '.join(complaints)}", "ERR_SCHEMA_VALIDATION_FAILED")


def missing(what: str) -> RefusalError:
    """Make the error for something that is not there."""
    return RefusalError(404, f"{what} not found", "ERR_NOT_FOUND")


def json_response(body: Any, status: int = 200) -> Response:
    """Send JSON with exact numbers."""
    return Response(dump_json(body), status_code=status, media_type="application/json")


def refusal_response(request: Request, refusal: RefusalError) -> Response:
    """Send an error in the form of the API version that was asked."""
    if "/v2/" in request.scope["path"]:
        return json_response(
            {"success": False, "error": refusal.error, "code": refusal.code or "ERR_BAD_REQUEST"}, refusal.status
        )
    body = {"success": False, "error": refusal.error, "error_info": ERROR_INFO, "data": None, "additional_data": None}
    return json_response(body, refusal.status)


class Limits:
    """Counts what a client uses: requests in two seconds, and the company's tokens of the day."""

    def __init__(self, clock: Clock, *, enforced: bool, daily_tokens: int) -> None:
        self._clock = clock
        self._enforced = enforced
        self.daily_tokens = daily_tokens
        self._day = clock.now().date()
        self._used = 0
        self._over: deque[datetime] = deque()
        self.burst = RateWindow(BURST, 2.0, applies=lambda request: not _is_search(request))
        self.searches = RateWindow(SEARCHES, 2.0, applies=_is_search)

    @property
    def remaining(self) -> int:
        """Give the tokens left today."""
        if self._clock.now().date() != self._day:
            self._day, self._used = self._clock.now().date(), 0
        return max(0, self.daily_tokens - self._used)

    def spend(self, tokens: int) -> bool:
        """Take a request's price from today's tokens, or tell that they do not suffice."""
        if not self._enforced:
            return True
        if self.remaining < tokens:
            self._used = self.daily_tokens
            return False
        self._used += tokens
        return True

    def too_many(self, _request: Request, window: RateWindow | None, retry_after: int | None) -> Response:
        """Answer a request over the burst limit; who keeps on sending gets a page from the network in front."""
        now = self._clock.now()
        self._over.append(now)
        while self._over and now - self._over[0] > timedelta(minutes=1):
            self._over.popleft()
        if len(self._over) > PATIENCE:
            return HTMLResponse("<html><head><title>Access denied</title></head><body>1015</body></html>", 403)
        response = json_response({"success": False, "error": "request over limit", "errorCode": 429}, 429)
        limit = window.requests if window else BURST
        response.headers.update(
            {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}
        )
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def spent(self) -> Response:
        """Answer a request after the day's tokens are gone."""
        body = {"success": False, "error": "API daily token limit reached", "errorCode": 429}
        return json_response(body, 429)

    def decorate(self, request: Request, response: Response) -> None:
        """Add the headers that tell what time it is, and how much is left."""
        response.headers["Date"] = http_date(self._clock.now())
        if request.scope["path"].startswith("/oauth/"):
            return
        window = self.searches if _is_search(request) else self.burst
        response.headers.setdefault("x-ratelimit-limit", str(window.requests))
        response.headers.setdefault("x-ratelimit-remaining", str(window.remaining(self._clock.now())))
        response.headers.setdefault("x-ratelimit-reset", str(math.ceil(window.seconds)))
        response.headers["x-daily-ratelimit-token-limit"] = str(self.daily_tokens)
        response.headers["x-daily-ratelimit-token-remaining"] = str(self.remaining)

    def vendor(self, accepts: Callable[[Request, str], bool]) -> Vendor:
        """Give the kit what it must know of Pipedrive."""
        return Vendor(
            accepts=accepts,
            open_paths=("/oauth/token",),
            refused=_unauthorized,
            limited=self.too_many,
            spent=lambda _request: self.spent(),
            windows=(self.burst, self.searches),
            decorate=self.decorate,
        )


def _is_search(request: Request) -> bool:
    return str(request.scope["path"]).endswith(("/search", "/itemSearch"))


def out_of_scope() -> Response:
    """Answer a call that none of the token's scopes opens (client-php #14)."""
    return _turned_away(403, "Scope and URL mismatch")


def _turned_away(status: int, error: str) -> Response:
    about = {"errorCode": status, "error_info": "Please check developers.pipedrive.com"}
    return json_response({"success": False, "error": error, **about}, status)


def _unauthorized(_request: Request) -> Response:
    response = _turned_away(401, "unauthorized access")
    response.headers["x-401-by-gw"] = "true"
    return response
