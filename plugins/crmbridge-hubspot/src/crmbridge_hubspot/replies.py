"""What HubSpot's replies mean: its error bodies, the waits it asks for, and its rate headers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.http import Reply, Usage
from crmbridge.http.headers import count_in, wait_in
from crmbridge.http.replies import tidy
from crmbridge_hubspot.shapes import NOT_THERE

BURST, DAY = "burst", "day"  # names of rates
WINDOW = "10000"  # milliseconds of the burst limit
LOCKED = timedelta(seconds=2)
# By rate limit policy. A day's limit ends at the account's midnight: the run is over, whenever that is.
POLICIES = {"DAILY": timedelta(hours=1), "TEN_SECONDLY": timedelta(seconds=10), "SECONDLY": timedelta(seconds=1)}
# What HubSpot asks to wait for: a record that is locked under heavy writes, a limit, a move between data centres.
WAITING = {423: "has locked the record", 429: "limits us", 477: "is moving the account"}
# The network in front of HubSpot does not get through to it, or not safely: no smaller page helps, nor trying at once.
UNREACHED, BROKEN = frozenset({522, 525, 526}), timedelta(minutes=5)
VALUES = "Property values were not valid: "  # what follows is a list of its own, in JSON
UNIQUE = "CONFLICTING_UNIQUE_VALUE"
ASK_WHERE = "Check base_url and api_version of the connection, if they are set; else try again later. Nothing was lost."
RENEWED = "EXPIRED_AUTHENTICATION"  # of all 401s the one that a new access token mends


class NoneFoundError(RefusedError):
    """HubSpot answered 404, and said that what was asked for is not there. Never leaves this package.

    Any other 404 is about the path, and says nothing of what was asked for.
    """


class NotAllowedError(AuthenticationError):
    """HubSpot answered 403: the token is good, and lacks a scope for this."""


class WrongValuesError(RefusedError):
    """HubSpot refused a request, and named properties as wrong. Never leaves this package."""

    def __init__(self, message: str, properties: frozenset[str]) -> None:
        super().__init__(message)
        self.properties = properties


class TakenError(WrongValuesError):
    """A value that must be unique is taken. Never leaves this package."""


class HeldError(RetryLaterError):
    """HubSpot answered 423: this record is locked, which says nothing of others. Never leaves this package."""


class TooMuchError(RetryLaterError):
    """HubSpot answered a read with 5xx: fewer records may go."""


def worded(message: str) -> str:
    """Give HubSpot's message for people: of values that it does not take, each property with what is wrong with it."""
    said = "; ".join(f"{item['name']}: {item['message']}" for item in _listed(message))
    return tidy(VALUES + said if said else message)


def wrong_properties(error: Mapping[str, Any]) -> frozenset[str]:
    """Give the properties that an error names as wrong: in its parts, or in its message ("Error handling")."""
    named = {name for part in _with_its_own(error) for name in named_by(part, "propertyName")}
    return frozenset(named.union(str(item["name"]) for item in _listed(str(error.get("message") or ""))))


def _listed(message: str) -> list[Mapping[str, Any]]:
    """Read the list of a message about values: each property with what is wrong with it."""
    begins, _, listed = message.partition(VALUES)
    try:
        items = json.loads("[]" if begins else listed)
    except (ValueError, RecursionError):  # it is cut, or nothing but words
        items = []
    found = items if isinstance(items, list) else ()
    return [item for item in found if isinstance(item, dict) and item.get("name") and item.get("message")]


def is_taken(error: Mapping[str, Any]) -> bool:
    """Tell whether an error says that a value which must be unique is taken.

    It is a conflict of its own (409), or one of the values that are not valid (400), in the words or by its code.
    """
    said = [str(each.get(name) or "") for each in _with_its_own(error) for name in ("message", "code", "subCategory")]
    return error.get("category") == "CONFLICT" or any(UNIQUE in each for each in said)


def _with_its_own(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give an error, and the ones that it lists; any part of it may be missing, or be something else."""
    listed = error.get("errors")
    return [error, *(each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict))]


def named_by(error: Mapping[str, Any], *names: str) -> set[str]:
    """Give what an error of a batch names in its context, under these names or under any."""
    context = error.get("context")
    named = context.items() if isinstance(context, dict) else ()
    lists = [value if isinstance(value, list) else [value] for name, value in named if not names or name in names]
    return {str(each) for value in lists for each in value if each is not None}


def judge(reply: Reply) -> CrmbridgeError | None:
    """Tell what one of HubSpot's error bodies stands for ("Error handling"); every part of it may be missing."""
    body = _body(reply)
    said = worded(str(body.get("message") or reply.text))
    status = reply.status
    error: CrmbridgeError | None = None
    if status == 401:
        advice = "Check the credential: a service key of this account, or an app that it has installed; not revoked."
        error = AuthenticationError(f"HubSpot refused the token (401): {said}", advice=advice)
    elif status == 403:
        error = _not_allowed(body, said)
    elif status in WAITING:
        later = HeldError if status == 423 else RetryLaterError
        error = later(f"HubSpot {WAITING[status]} ({status}): {said}", after=_wait(reply, body, said))
    elif status == 404:
        error = _absent(reply, said)
    elif status == 409 or (status == 400 and is_taken(body)):
        error = TakenError(f"HubSpot refused it ({status}): {said}", wrong_properties(body))
    elif 400 <= status < 500 and status != 408:
        error = WrongValuesError(f"HubSpot refused it ({status}): {said}", wrong_properties(body))
    return error


NO_PLACE = timedelta(minutes=5)  # so long that nobody asks again in the same call: a place that is no more stays so


def _absent(reply: Reply, said: str) -> CrmbridgeError:
    """Tell what is not there. A page comes from in front of HubSpot, or for a place that is no more: it says nothing.

    Taken for an answer, what was asked for would be gone, or hang on nothing.
    """
    if not isinstance(reply.body, dict):
        return RetryLaterError(f"the answer (404) is none of HubSpot's own: {said}", advice=ASK_WHERE, after=NO_PLACE)
    found_none = reply.body.get("category") == NOT_THERE
    return (NoneFoundError if found_none else RefusedError)(f"not there (404): {said}")


def judge_read(reply: Reply) -> CrmbridgeError | None:
    """Judge the reply to a read, where a 5xx changed nothing and may come of the size of the page."""
    if reply.status in UNREACHED:
        return RetryLaterError(f"HubSpot can't be reached ({reply.status})", after=BROKEN)
    if reply.status >= 500:
        return TooMuchError(f"HubSpot is out of order ({reply.status})", after=wait_in(reply.headers))
    return judge(reply)


def expired(reply: Reply) -> bool:
    """Tell whether a new access token would do; HubSpot says that other 401s are no sign of it."""
    return reply.status == 401 and _body(reply).get("category") == RENEWED


def meter(headers: Mapping[str, str]) -> Iterator[Usage]:
    """Read what a reply says of the rates; any of the headers may be missing ("API usage guidelines and limits")."""
    if headers.get("x-hubspot-ratelimit-interval-milliseconds", WINDOW) == WINDOW:
        yield from _usage(BURST, headers, "max", "remaining")
    yield from _usage(DAY, headers, "daily", "daily-remaining")


def _usage(rate: str, headers: Mapping[str, str], limit: str, remaining: str) -> Iterator[Usage]:
    most, left = (count_in(headers, f"x-hubspot-ratelimit-{name}") for name in (limit, remaining))
    if most is not None and left is not None:
        yield Usage(rate, most, left)


def _body(reply: Reply) -> Mapping[str, Any]:
    return reply.body if isinstance(reply.body, dict) else {}


def _not_allowed(body: Mapping[str, Any], said: str) -> NotAllowedError:
    scopes = sorted({s for each in _with_its_own(body) for s in named_by(each, "requiredGranularScopes")})
    lacking = tidy(", ".join(scopes))
    advice = f"Give the token these scopes: {lacking}." if lacking else "Give the token the scopes that it lacks."
    return NotAllowedError(f"HubSpot does not allow this (403): {said}", advice=advice)


def _wait(reply: Reply, body: Mapping[str, Any], said: str) -> timedelta | None:
    """Tell how long to wait; where HubSpot does not say, by the policy, which older replies only name in words."""
    asked = wait_in(reply.headers)
    if asked is not None or reply.status == 477:
        return asked
    if reply.status == 423:
        return LOCKED
    policy = str(body.get("policyName") or said).upper().replace(" ", "_")
    return next((wait for name, wait in POLICIES.items() if name in policy), timedelta(seconds=1))
