"""How the sandbox limits: bursts, searches and days as HubSpot counts them, with its headers, its 401 and its 429."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crmbridge.sandbox import RateWindow, SandboxOptions, Vendor, http_date
from crmbridge_hubspot.sandbox.account import TIMEZONE
from crmbridge_hubspot.sandbox.oauth import OAuth
from crmbridge_hubspot.sandbox.replies import VendorError, correlation, error_response

BURST = 100  # requests in ten seconds, as a Free or Starter account has them; 190 from Professional up
DAILY = 250_000
SEARCHES = 5  # a second, for the whole account


def is_search(request: Request) -> bool:
    """Tell whether a request counts as a search."""
    return request.method == "POST" and request.scope["path"].endswith("/search")


class DayWindow(RateWindow):
    """At most so many requests until the account's midnight."""

    def __init__(self, requests: int) -> None:
        super().__init__(requests, 86_400)
        self._day: date | None = None
        self._used = 0

    def take(self, now: datetime) -> bool:
        """Take one request, or tell that the day's are used up."""
        self._turn(now)
        if self._used >= self.requests:
            return False
        self._used += 1
        return True

    def remaining(self, now: datetime) -> int:
        """Give how many requests still fit into the day."""
        self._turn(now)
        return self.requests - self._used

    def _turn(self, now: datetime) -> None:
        today = now.astimezone(ZoneInfo(TIMEZONE)).date()
        if today != self._day:
            self._day, self._used = today, 0


class Limits:
    """The account's limits. `take` of a window lets another app of the account use some of it."""

    def __init__(self) -> None:
        self.burst = RateWindow(BURST, 10, applies=lambda request: not is_search(request))
        self.searches = RateWindow(SEARCHES, 1, applies=is_search)
        self.day = DayWindow(DAILY)

    def decorate(self, request: Request, response: Response, now: datetime, number: int) -> None:
        """Add the headers; searches carry at most the daily pair, and calls for tokens none."""
        response.headers["X-HubSpot-Correlation-Id"] = correlation(number)
        if request.scope["path"].startswith("/oauth/"):
            return
        response.headers["X-HubSpot-RateLimit-Daily"] = str(self.day.requests)
        response.headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(self.day.remaining(now))
        if not is_search(request):
            left = self.burst.remaining(now)
            response.headers["X-HubSpot-RateLimit-Max"] = str(self.burst.requests)
            response.headers["X-HubSpot-RateLimit-Remaining"] = str(left)
            response.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] = "10000"
            response.headers["X-HubSpot-RateLimit-Secondly"] = str(self.burst.requests // 10)
            response.headers["X-HubSpot-RateLimit-Secondly-Remaining"] = str(min(left, self.burst.requests // 10))

    def policy(self, request: Request, window: RateWindow | None) -> str:
        """Name the policy that a request ran into."""
        if window is self.day:
            return "DAILY"
        return "SECONDLY" if is_search(request) else "TEN_SECONDLY_ROLLING"


def make_vendor(options: SandboxOptions, limits: Limits, oauth: OAuth) -> Vendor:
    """Tell the kit how HubSpot signs in, limits and decorates."""
    now, answered = options.clock.now, iter(range(1, 2**60))

    def decorate(request: Request, response: Response) -> None:
        response.headers["Date"] = http_date(now())
        if options.limit == "vendor":  # without limits, there is nothing that an app could steer by
            limits.decorate(request, response, now(), next(answered))
        else:
            response.headers["X-HubSpot-Correlation-Id"] = correlation(next(answered))

    def limited(request: Request, window: RateWindow | None, retry_after: int | None) -> Response:
        response = _too_many(request, limits.policy(request, window), retry_after)
        decorate(request, response)
        return response

    def spent(request: Request) -> Response:
        response = _too_many(request, "DAILY", None)
        decorate(request, response)
        return response

    return Vendor(
        accepts=lambda request, token: _bearer(request) == token or oauth.is_live(_bearer(request)),
        refused=_refusal(oauth, now),
        limited=limited,
        spent=spent,
        windows=(limits.searches, limits.burst, limits.day),
        open_paths=("/oauth/",),
        decorate=decorate,
    )


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def _refusal(oauth: OAuth, now: Callable[[], datetime]) -> Callable[[Request], Response]:
    def refused(request: Request) -> Response:
        ended = oauth.access.get(_bearer(request))
        if ended is not None and ended <= now():
            minutes = int((now() - ended).total_seconds() // 60)
            message = f"The OAuth token used to make this call expired {minutes} minute(s) ago."
            return error_response(VendorError(401, "EXPIRED_AUTHENTICATION", message), 401)
        message = (
            "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more "
            "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
        )
        return error_response(VendorError(401, "INVALID_AUTHENTICATION", message), 401)

    return refused


def _too_many(request: Request, policy: str, retry_after: int | None) -> Response:
    body: dict[str, str] = {"status": "error", "message": f"You have reached your {policy.lower()} limit."}
    body["correlationId"] = correlation(429)
    if is_search(request) and policy == "SECONDLY":  # as recorded: without policyName
        body["category"] = "RATE_LIMITS"
    else:
        body |= {"errorType": "RATE_LIMIT", "policyName": policy}
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(body, status_code=429, headers=headers)
