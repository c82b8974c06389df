"""Salesforce's error answers, turned into the errors of crmbridge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from crmbridge.errors import (
    AuthenticationError,
    ConfigurationError,
    CrmbridgeError,
    RefusedError,
    RetryLaterError,
)
from crmbridge.http import Reply
from crmbridge.http.client import tidy
from crmbridge.model.changes import Outcome

WAIT_FOR_ALLOWANCE = timedelta(hours=1)  # the daily count rolls over 24 hours; there is no Retry-After to go by
WAIT_FOR_WALK = timedelta(minutes=2)  # a lost page can't be asked for again: the walk starts anew from its cursor

# What a row can be refused with although the same row may be written later.
_LATER = {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "ALL_OR_NONE_OPERATION_ROLLED_BACK"}
_TRANSIENT = {406, 420}  # an empty or HTML answer while the org is being set up


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
    if reply.status == 410:
        return ConfigurationError(
            "this API version is no longer served (410)",
            advice="Set api_version in the connection to one that GET /services/data lists.",
        )
    if reply.status in _TRANSIENT:
        return RetryLaterError(f"the org is not ready ({reply.status})")
    errors = said(reply.body)
    return _by_code(reply, errors) if errors else None


def _by_code(reply: Reply, errors: tuple[Said, ...]) -> CrmbridgeError:
    words = "; ".join(map(str, errors))
    match errors[0].code:
        case "INVALID_SESSION_ID" | "InvalidSessionId" | "INVALID_AUTH_HEADER":
            return AuthenticationError(
                f"the access token was refused: {words}",
                advice="Get a new access token from the instance_url's own sign-in and set it again.",
            )
        case "REQUEST_LIMIT_EXCEEDED":
            return _too_many(errors[0])
        case "INVALID_QUERY_LOCATOR":
            return RetryLaterError(f"the rest of a query was lost: {words}", after=WAIT_FOR_WALK)
        case code if code in _LATER:
            return RetryLaterError(words)
        case code if reply.status in {401, 403} or code.startswith(("INSUFFICIENT_ACCESS", "API_DISABLED")):
            return AuthenticationError(
                f"not allowed ({reply.status}): {words}",
                advice="Give the integration user API access and permission for the object and fields named.",
            )
        case _:
            return RefusedError(words)


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
