"""What Pipedrive's error replies mean: which limit was hit, what was refused, whose fault it is."""

from __future__ import annotations

import re
from datetime import timedelta

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.http import Reply
from crmbridge.http.headers import wait_in
from crmbridge.http.replies import NOT_JSON, tidy
from crmbridge_pipedrive.signing import ASK_SIGN_IN

SPENT = timedelta(hours=1)  # the day's tokens come back at midnight of a zone that Pipedrive does not name
NO_ROUTE = timedelta(hours=1)  # a call that is no more does not come back while one waits for it
BLOCKED = timedelta(hours=1)  # the network in front of Pipedrive shuts out who keeps sending
WINDOW = timedelta(seconds=2)  # the burst limit counts requests in two seconds

ASK_RIGHTS = (
    "Sign in as a user who may see and edit all deals, or widen that user's permission set; an OAuth app needs the "
    "scopes that `crmbridge connections` names."
)

ASK_SCOPES = (
    "Give the app the scopes that `crmbridge connections describe` says it lacks, in Pipedrive's Developer Hub; let a "
    "user consent to it again, and put the new refresh token into the connection's oauth."
)
ASK_WHERE = (
    "Check base_url and v1_root of the connection, if they are set; else Pipedrive may have ended this call, and a "
    "newer crmbridge does without it. Nothing was lost."
)
WRONG = "Validation failed: "
OUT_OF_SCOPE = "Scope and URL mismatch"


class WrongValuesError(RefusedError):
    """Pipedrive refused a request, and named fields as wrong. Never leaves this package."""

    def __init__(self, message: str, fields: frozenset[str]) -> None:
        super().__init__(message)
        self.fields = fields


class ForbiddenError(AuthenticationError):
    """The token is good, but its user may not see or change this one thing."""


class OutOfScopeError(AuthenticationError):
    """The app's token lacks a scope for a call: that is no matter of what it was asked of."""


class NoRouteError(RetryLaterError):
    """What was asked for is no call of Pipedrive's, or no more: that says nothing of the record it was asked of."""


class ShutOutError(RetryLaterError):
    """Nothing may be sent for `lasts`: the day's tokens are used up, or the network shuts us out."""

    def __init__(self, message: str, *, advice: str, lasts: timedelta) -> None:
        super().__init__(message, advice=advice, after=lasts)
        self.lasts = lasts


def judge(reply: Reply, sign_in: str = ASK_SIGN_IN) -> CrmbridgeError | None:
    """Give the error that a reply stands for, or None to leave it to its status.

    `sign_in` is what to do about a refused credential.

    From Pipedrive's pages "Rate limiting" and "HTTP status codes". The body of a 429 is not documented, so only its
    headers count: nothing left in the window is the burst limit, anything else the budget of the day.
    """
    if reply.status == 429:
        return _too_many(reply)
    if (error := _not_of_a_record(reply)) is not None:
        return error
    said = words(reply)
    match reply.status:
        case 401:
            return AuthenticationError(f"the credential was refused (401): {said}", advice=sign_in)
        case 402:
            return AuthenticationError(f"the account is not open (402): {said}", advice="Renew its subscription.")
        case 403:
            return _forbidden(said)
        case status:
            may_pass = status in {408, 423, 425} or not 400 <= status < 500
            return None if may_pass else WrongValuesError(f"refused ({status}): {said}", _named(reply))


def _not_of_a_record(reply: Reply) -> RetryLaterError | None:
    """Give the error for an answer that comes from in front of Pipedrive's records; None for any other.

    v1 goes "without notice" where it is out of support ("Deprecated APIv1 endpoints"), and nothing is gone with it.
    """
    if reply.status == 403 and reply.body is NOT_JSON:
        return _shut_out()
    if reply.status in {404, 410} and not (isinstance(reply.body, dict) and "success" in reply.body):
        said = f"there is no such call ({reply.status}): {words(reply)}"
        return NoRouteError(said, advice=ASK_WHERE, after=NO_ROUTE)
    return None


def _forbidden(said: str) -> AuthenticationError:
    if OUT_OF_SCOPE in said:
        return OutOfScopeError(f"not allowed (403): {said}", advice=ASK_SCOPES)
    return ForbiddenError(f"not allowed (403): {said}", advice=ASK_RIGHTS)


def words(reply: Reply) -> str:
    """Give the vendor's own words about what went wrong, fit for one line."""
    body = reply.body
    if not isinstance(body, dict):
        return tidy(reply.text)
    said = [body.get("error"), body.get("code")]
    # Some v1 errors carry a second, fixed sentence that only points to the documentation.
    return tidy("; ".join(str(part) for part in said if part) or reply.text)


def _named(reply: Reply) -> frozenset[str]:
    """Give the fields that an error names: `Validation failed: field: reason; field: reason` (client-nodejs #651)."""
    text = str(reply.body.get("error") or "") if isinstance(reply.body, dict) else ""
    begins, found, listed = text.partition(WRONG)
    complaints = listed.split("; ") if found and not begins else []
    return frozenset(each.partition(": ")[0].strip().rpartition(".")[2] for each in complaints)


def _shut_out() -> ShutOutError:
    return ShutOutError(
        "the network in front of Pipedrive shuts us out (403, a page instead of an answer)",
        advice="Wait an hour, then run less often or set a lower burst on the connection.",
        lasts=BLOCKED,
    )


def _too_many(reply: Reply) -> RetryLaterError:
    asked = wait_in(reply.headers)
    day_is_spent = reply.headers.get("x-daily-ratelimit-token-remaining", "").strip() == "0"
    if not day_is_spent and (asked is not None or reply.headers.get("x-ratelimit-remaining", "").strip() == "0"):
        return RetryLaterError("too many requests at once (429)", after=asked or _reset(reply))
    return ShutOutError(
        "the company's API tokens for today are used up (429)",
        advice="Try again tomorrow, run less often, or add tokens in Pipedrive; nothing was lost.",
        lasts=SPENT,
    )


def _reset(reply: Reply) -> timedelta:
    """Read how long the window still lasts; the header is a number of seconds from now."""
    text = reply.headers.get("x-ratelimit-reset", "").strip()
    return timedelta(seconds=int(text)) if re.fullmatch(r"\d{1,2}", text) else WINDOW
