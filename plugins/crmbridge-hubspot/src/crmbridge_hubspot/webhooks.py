"""Reads HubSpot's webhooks: whether a delivery is genuine and fresh, and which records it is about.

Every command loads this module, so it needs nothing that is heavy.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from pydantic import Field, SecretStr

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Hints, WebhookRequest
from crmbridge.settings import Secret, SettingsPart

SIGNATURE, TIMESTAMP, OLD_SIGNATURE = "x-hubspot-signature-v3", "x-hubspot-request-timestamp", "x-hubspot-signature"
AHEAD = timedelta(minutes=1)  # how far HubSpot's clock may be before this machine's
LARGEST = 1_000_000  # bytes; a hundred events are a tenth of it
MOST_EVENTS = 1_000  # HubSpot is said to send a hundred at most
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What HubSpot decodes in an address before it signs it; the rest stays as it is sent ("Validating requests").
_ESCAPES = re.compile("%(21|24|27|28|29|2A|2C|2F|3A|3B|3F|40)", re.IGNORECASE)


class HubSpotWebhook(SettingsPart):
    """How a connection's webhooks are checked.

    `secret` is the client secret of the app that the webhooks belong to. `url` is its target URL, where that is not
    the address that crmbridge is called at, as behind a proxy. `max_age` is in seconds. With `portal`, what comes from
    other accounts that have the app is taken and ignored.
    """

    secret: Secret
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")] | None = None
    max_age: Annotated[int, Field(ge=1, le=300)] = 300  # HubSpot says five minutes at most
    portal: int | None = None


def read(settings: HubSpotWebhook, request: WebhookRequest, secret: SecretStr) -> Hints:
    """Check a delivery and tell which records to re-read ("Validating requests", "Webhooks").

    Raises AuthenticationError for one that is forged, stale or signed in an old way, RefusedError for a body that is
    not HubSpot's.
    """
    _check_signature(settings, request, secret)
    hints = [
        _hint(request.connection, event)
        for event in _events(request.body)
        if settings.portal is None or _id(event, "portalId") == str(settings.portal)
    ]
    return Hints(
        refs=tuple(dict.fromkeys(ref for refs, _ in hints for ref in refs or ())),
        deliveries=tuple(dict.fromkeys(delivery for _, delivery in hints)),
        whole=any(refs is None for refs, _ in hints),
    )


# ── Is it HubSpot, and is it now? ───────────────────────────────────────────────────────────────────────


def _check_signature(settings: HubSpotWebhook, request: WebhookRequest, secret: SecretStr) -> None:
    given, timestamp = request.headers.get(SIGNATURE, ""), request.headers.get(TIMESTAMP, "")
    if not given or not timestamp:
        raise _forged(f"it has no {SIGNATURE if not given else TIMESTAMP}{_old_ways(request)}")
    uri = settings.url or request.url
    # HubSpot's page has it sign the decoded address, and its own clients don't decode: either proves the secret.
    wanted = [_signature(secret, request, each, timestamp) for each in (_ESCAPES.sub(_decoded, uri), uri)]
    # Not `any` over a generator: how long it takes must not tell which one came close.
    if not sum([hmac.compare_digest(each, given.encode("utf-8", "replace")) for each in wanted]):
        raise _forged("its signature does not fit", advice=_ADVICE)
    _check_age(settings, request, timestamp)


def _signature(secret: SecretStr, request: WebhookRequest, uri: str, timestamp: str) -> bytes:
    start = f"{request.method}{uri}".encode("utf-8", "replace")
    signed = start + request.body + timestamp.encode("utf-8", "replace")
    digest = hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).digest()
    return base64.b64encode(digest)


def _decoded(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))


def _check_age(settings: HubSpotWebhook, request: WebhookRequest, timestamp: str) -> None:
    if not re.fullmatch(r"[0-9]{1,14}", timestamp):  # one more digit would lead beyond the year 9999
        raise _forged(f"its {TIMESTAMP} is no time")
    age = request.received_at - (EPOCH + timedelta(milliseconds=int(timestamp)))
    if age > timedelta(seconds=settings.max_age):
        raise _forged(f"it is {int(age.total_seconds())} s old, and {settings.max_age} s are allowed")
    if age < -AHEAD:
        raise _forged(f"it is from {int(-age.total_seconds())} s ahead; compare this machine's clock with the time")


def _old_ways(request: WebhookRequest) -> str:
    return (
        "; signatures of version 1 and 2 can be replayed and are not taken" if OLD_SIGNATURE in request.headers else ""
    )


_ADVICE = (
    "Compare the webhook's `secret` with the client secret of the app, and its `url` with the app's target URL, "
    "letter by letter."
)


def _forged(why: str, advice: str = "") -> AuthenticationError:
    return AuthenticationError(f"A webhook delivery was not taken: {why}", advice=advice)


# ── What does it say? ───────────────────────────────────────────────────────────────────────────────────


class _Named(NamedTuple):
    """How crmbridge names records of an object type; activities are of several, whose ids are not told apart."""

    kind: Kind
    prefix: str = ""


_TYPES = {
    ("0-1", "contact"): _Named(Kind.CONTACT),
    ("0-2", "company"): _Named(Kind.COMPANY),
    ("0-3", "deal"): _Named(Kind.DEAL),
    ("0-27", "task"): _Named(Kind.ACTIVITY, "task-"),
    ("0-46", "note"): _Named(Kind.NOTE),
    ("0-47", "meeting"): _Named(Kind.ACTIVITY, "meeting-"),
    ("0-48", "call"): _Named(Kind.ACTIVITY, "call-"),
    ("0-49", "email"): _Named(Kind.ACTIVITY, "email-"),
}
_KINDS = MappingProxyType({name: named for names, named in _TYPES.items() for name in names})
_ONE = frozenset({"creation", "deletion", "privacyDeletion", "propertyChange", "restore"})


def _events(body: bytes) -> Iterator[Mapping[str, Any]]:
    if len(body) > LARGEST:
        raise _unreadable(f"it has {len(body)} bytes")
    try:
        events = json.loads(body)
    except (ValueError, RecursionError):  # not UTF-8 is a ValueError too
        raise _unreadable("it is not JSON") from None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise _unreadable("it is not a list of events")
    if len(events) > MOST_EVENTS:
        raise _unreadable(f"it has {len(events)} events")
    return iter(events)


def _hint(connection: str, event: Mapping[str, Any]) -> tuple[tuple[Ref, ...] | None, str]:
    """Give the records of one event, None when it can't be told which, and the name of the delivery."""
    subject, _, what = _text(event, "subscriptionType").partition(".")
    kind = _KINDS.get(_text(event, "objectTypeId") if subject == "object" else subject)
    if what == "associationChange":
        found = _ends(event, kind)
    elif what == "merge":
        found = [(kind, each) for each in _merged(event)]
    elif what in _ONE:
        found = [(kind, _id(event, "objectId"))]
    else:
        found = []
    refs = tuple(Ref(connection, of.kind, f"{of.prefix}{each}") for of, each in found if of is not None and each)
    return refs or None, _name(event)


def _merged(event: Mapping[str, Any]) -> list[str]:
    """Give all ids of a merge: what is left may have a new one ("New subscription types for webhooks")."""
    others = event.get("mergedObjectIds") or []
    if not isinstance(others, list):
        raise _unreadable("its mergedObjectIds are no list")
    ids = [_id(event, name) for name in ("objectId", "primaryObjectId", "newObjectId")]
    return [*ids, *(_id({"mergedObjectIds": each}, "mergedObjectIds") for each in others)]


def _ends(event: Mapping[str, Any], kind: _Named | None) -> list[tuple[_Named | None, str]]:
    """Give both ends of a link: their types are in the names of the association, or in ids of their own."""
    start, _, end = _text(event, "associationType").lower().partition("_to_")
    kinds = [_KINDS.get(_text(event, "fromObjectTypeId") or start), _KINDS.get(_text(event, "toObjectTypeId") or end)]
    ids = [_id(event, "fromObjectId"), _id(event, "toObjectId")]
    return list(zip([kinds[0] or kind, kinds[1]], ids, strict=True))


def _name(event: Mapping[str, Any]) -> str:
    """Name a delivery: HubSpot does not promise that `eventId` is unique, and sends some events more than once."""
    parts = [_id(event, name) for name in ("portalId", "subscriptionId", "eventId")]
    objects = _id(event, "objectId") or f"{_id(event, 'fromObjectId')}-{_id(event, 'toObjectId')}"
    return ":".join((*parts, objects, _id(event, "occurredAt")))


def _id(event: Mapping[str, Any], name: str) -> str:
    """Give an id, which comes as a number or as text, or nothing where there is none."""
    value = event.get(name)
    if value is None:
        return ""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise _unreadable(f"its {name} is no id")
    return text


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _unreadable(why: str) -> RefusedError:
    return RefusedError(f"A webhook delivery can't be read: {why}")
