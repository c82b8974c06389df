"""Salesforce's error answers, turned into the errors of crmbridge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from crmbridge.errors import (
    AuthenticationError,
    ConfigurationError,
    CrmbridgeError,
    RefusedError,
    RetryLaterError,
)
from crmbridge.http import Dialect, Rate, Reply, Usage
from crmbridge.http.replies import tidy
from crmbridge.model.changes import Outcome
from crmbridge_salesforce.versions import DEFAULT_VERSION

WAIT_FOR_ALLOWANCE = timedelta(hours=1)  # the daily count rolls over 24 hours; there is no Retry-After to go by
WAIT_FOR_WALK = timedelta(minutes=2)  # a lost page can't be asked for again: the walk starts anew from its cursor

# What a row can be refused with although the same row may be written later.
_LATER = {
    "UNABLE_TO_LOCK_ROW",
    "SERVER_UNAVAILABLE",
    "QUERY_TIMEOUT",
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "REQUEST_LIMIT_EXCEEDED",
}
_NOT_ALLOWED = ("INSUFFICIENT_ACCESS", "API_DISABLED")  # how codes begin that tell of a permission
_TRANSIENT = {406, 420}  # an empty or HTML answer while the org is being set up; a 404 may come so, too
_SESSION_CODES = {"INVALID_SESSION_ID", "InvalidSessionId", "INVALID_AUTH_HEADER"}
_USAGE = re.compile(r"(?<![\w-])api-usage=([0-9]{1,12})/([0-9]{1,12})(?![0-9])")
ASK_WHERE = "Check base_url, instance_url and domain of the connection; else try again later. Nothing was lost."
EXPIRED = "Session expired or invalid"

# The org's rolling 24 hours; every answer says the real figure. Short requests are not limited per second, and only
# those of 20 seconds and more at a time (Developer Limits and Allocations, "API Request Limits and Allocations").
DAILY = Rate(100_000, 86_400.0, "day")


class UnknownColumnError(RefusedError):
    """A column or object that is not there, or that the user may not see: what is known of the org may be old."""


class Said(NamedTuple):
    """One error as the CRM words it."""

    code: str
    message: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        """Show it in one line: the words, then the code."""
        fields = f" ({', '.join(self.fields)})" if self.fields else ""
        return tidy(f"{self.message}{fields} [{self.code}]", 400)


def said(body: Any) -> tuple[Said, ...]:
    """Read the errors of a body: the array of a whole answer, or the `errors` of one item of a collection.

    Items of collections call the code `statusCode`, whole answers `errorCode`; the token endpoint answers one object.
    """
    items = body if isinstance(body, list) else [body]
    return tuple(_one(item) for item in items if isinstance(item, Mapping) and _code(item))


def _code(item: Mapping[str, Any]) -> str:
    return str(item.get("errorCode") or item.get("statusCode") or item.get("exceptionCode") or item.get("error") or "")


def _one(item: Mapping[str, Any]) -> Said:
    message = item.get("message") or item.get("exceptionMessage") or item.get("error_description") or ""
    fields = item.get("fields")
    return Said(_code(item), str(message), tuple(map(str, fields)) if isinstance(fields, list) else ())


def judge(reply: Reply) -> CrmbridgeError | None:
    """Say which error an answer stands for; None leaves it to the status code.

    Answers of 5xx are left alone: whether a write was carried out before them is not known.
    """
    if reply.status >= 500:
        return None
    errors = said(reply.body)
    if reply.status == 410 or any(error.code in {"UNSUPPORTED_API_VERSION", "InvalidVersion"} for error in errors):
        return ConfigurationError(
            f"this API version is no longer served ({reply.status})",
            advice=f'Set api_version: "{DEFAULT_VERSION}" in the connection; where that went, the next newer one'
            " that GET /services/data lists.",
        )
    if reply.status in _TRANSIENT or (reply.status == 404 and not errors):
        advice = ASK_WHERE if reply.status == 404 else ""
        return RetryLaterError(f"the org is not ready ({reply.status})", advice=advice)
    if reply.status in {414, 431} and not errors:
        return RefusedError(f"the request is too long for the org ({reply.status})")
    return _by_code(reply, errors) if errors else None


def expired(reply: Reply) -> bool:
    """Tell whether a session has ended, so that signing in anew helps.

    Other refusals carry the same code and stay refused however often one signs in (jsforce, http-api tests).
    """
    if reply.status != 401:
        return False
    errors = said(reply.body)
    return bool(errors) and errors[0].code in _SESSION_CODES and EXPIRED in errors[0].message


def dialect(day_share: float) -> Dialect:
    """Give how this vendor talks. Of the org's daily requests, all its clients together get a share before we stop.

    The allowance belongs to the org, so what others use of it counts as well: used up, it stops every integration.
    """

    def meter(headers: Mapping[str, str]) -> Iterator[Usage]:
        # There is no other header to go by: no Retry-After, and no figure of requests per second.
        found = _USAGE.search(headers.get("sforce-limit-info", ""))
        if found:
            used, ours = int(found[1]), int(int(found[2]) * day_share)
            yield Usage(DAILY.key, ours, max(0, ours - used))

    return Dialect(judge=judge, expired=expired, meter=meter)


def _by_code(reply: Reply, errors: tuple[Said, ...]) -> CrmbridgeError:
    words = "; ".join(map(str, errors))
    match errors[0].code:
        case code if code in _SESSION_CODES:
            return _session(errors[0])
        case "INVALID_FIELD" | "INVALID_TYPE" | "NOT_FOUND" if reply.status in {400, 404}:
            return UnknownColumnError(words)
        case code if code in _LATER or code == "INVALID_QUERY_LOCATOR":
            return _later(errors[0], words)
        case "OPERATION_TOO_LARGE":
            return RefusedError(
                words,
                advice="Give the integration user the permission View All Data, or leave activities out by `kinds` of"
                " the connection: who may see so many of them is more than the org works out.",
            )
        case code if reply.status in {401, 403} or code.startswith(_NOT_ALLOWED):
            return AuthenticationError(
                f"not allowed ({reply.status}): {words}",
                advice="Give the integration user API access and permission for the object and fields named.",
            )
        case _:
            return RefusedError(words)


def _session(error: Said) -> AuthenticationError:
    if EXPIRED in error.message:
        return AuthenticationError(
            f"the session was refused: {error}",
            advice="Get a new access token from the instance_url's own sign-in and set it again; with jwt or"
            " client_credentials, see that the org's session policy lets API sessions live.",
        )
    return AuthenticationError(
        f"the session was refused: {error}",
        advice="Signing in again does not help: let the External Client App grant the scope `api`, and give the user"
        " the permission API Enabled.",
    )


def _later(error: Said, words: str) -> RetryLaterError:
    if error.code == "REQUEST_LIMIT_EXCEEDED":
        return _too_many(error)
    if error.code == "INVALID_QUERY_LOCATOR":
        return RetryLaterError(f"the rest of a query was lost: {words}", after=WAIT_FOR_WALK)
    return RetryLaterError(words)


def _too_many(error: Said) -> RetryLaterError:
    # One code for two limits: long requests that run at the same time pass in seconds, the daily allowance does not
    # (Developer Limits and Allocations Quick Reference, "API Request Limits and Allocations").
    at_once = "concurrent" in error.message.lower()
    return RetryLaterError(str(error), after=None if at_once else WAIT_FOR_ALLOWANCE)


def outcome_of(errors: tuple[Said, ...]) -> Outcome:
    """Tell whether a row's errors are for good (`refused`) or only for now (`failed`)."""
    return Outcome.FAILED if errors and all(error.code in _LATER for error in errors) else Outcome.REFUSED


def is_locked(errors: tuple[Said, ...]) -> bool:
    """Tell whether a row was refused only because somebody else was writing it, or its account."""
    return bool(errors) and all(error.code == "UNABLE_TO_LOCK_ROW" for error in errors)


def is_taken(errors: tuple[Said, ...]) -> bool:
    """Tell whether a row was refused only because another one has a value that must be unique."""
    return bool(errors) and all(error.code == "DUPLICATE_VALUE" for error in errors)


def is_not_allowed(errors: tuple[Said, ...]) -> bool:
    """Tell whether a row was refused only because the user lacks a permission."""
    return bool(errors) and all(error.code.startswith(_NOT_ALLOWED) for error in errors)
