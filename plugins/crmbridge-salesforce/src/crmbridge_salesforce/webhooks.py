"""Salesforce's outbound messages, and change events that a relay passes on, as hints: which records to read again."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.http import load_json
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Hints, WebhookRequest
from crmbridge.secrets import reveal
from crmbridge_salesforce.ids import is_id, to_18
from crmbridge_salesforce.outbound import Message, Notification, UnreadableError, read_message
from crmbridge_salesforce.webhook_settings import SalesforceWebhook

LARGEST = 1_000_000  # bytes of a body that is looked into
AHEAD = timedelta(minutes=5)  # how far Salesforce's clock may be before ours
HEADER = "x-crmbridge-secret"
# What a record is, by the first three characters of its id.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "001": Kind.COMPANY,
        "003": Kind.CONTACT,
        "005": Kind.USER,
        "006": Kind.DEAL,
        "00T": Kind.ACTIVITY,
        "00U": Kind.ACTIVITY,
        "002": Kind.NOTE,
        "069": Kind.NOTE,
    }
)
PARENTS = ("OpportunityId", "WhatId", "ParentId")  # columns that name the deal a record hangs on
HANGS = frozenset({"00K"})  # records that say something about a deal and are none of ours: contact roles


def read_webhook(settings: SalesforceWebhook, request: WebhookRequest) -> Hints:
    """Read a delivery: an outbound message (SOAP), or one or several change events as JSON (CDC Developer Guide).

    Raises AuthenticationError for one that is forged or stale, RefusedError for one that can't be read.
    """
    _check_secret(settings, request)
    if len(request.body) > LARGEST:
        raise _unreadable(request, f"it has more than {LARGEST:,} bytes")
    if request.body.lstrip()[:1] in {b"{", b"["}:
        return _from_events(settings, request)
    try:
        message = read_message(request.body)
    except UnreadableError as error:
        raise _unreadable(request, str(error)) from None
    return _from_message(message, settings, request)


def _check_secret(settings: SalesforceWebhook, request: WebhookRequest) -> None:
    """Compare the secret of the URL, or else of the header, in the same time whatever is wrong with it."""
    in_url = parse_qs(urlsplit(request.url).query).get("secret", [])
    given = (in_url[0] if len(in_url) == 1 else request.headers.get(HEADER, "")).encode("utf-8", "replace")
    right = reveal(settings.secret).get_secret_value().encode()
    if not (hmac.compare_digest(given, right) and right):
        raise AuthenticationError(
            f"{request.connection}: a webhook came without the right secret",
            advice="End the endpoint URL of the outbound message with ?secret= and what the settings name.",
        )


def _unreadable(request: WebhookRequest, why: str) -> RefusedError:
    return RefusedError(f"{request.connection}: a webhook can't be read: {why}")


def _from_message(message: Message, settings: SalesforceWebhook, request: WebhookRequest) -> Hints:
    ours = to_18(settings.organization)
    if not hmac.compare_digest(to_18(message.organization).encode("utf-8", "replace"), ours.encode()):
        raise AuthenticationError(
            f"{request.connection}: a webhook came from another org",
            advice="Set `organization` under `webhook` to the org's id: Setup, Company Information.",
        )
    refs: dict[Ref, None] = {}
    whole = False
    for notification in message.notifications:
        found = tuple(_refs(notification, request.connection))
        refs |= dict.fromkeys(found)
        whole |= not found and _prefix(notification.record) in HANGS
    return Hints(refs=tuple(refs), deliveries=tuple(item.id for item in message.notifications), whole=whole)


def _refs(notification: Notification, connection: str) -> Iterator[Ref]:
    """Name what to read again: the record, where it is one of ours, and the deal that it hangs on."""
    kind = KINDS.get(_prefix(notification.record))
    if kind is not None:
        yield Ref(connection, kind, to_18(notification.record))
    for column in PARENTS:
        parent = notification.columns.get(column, "")
        if is_id(parent) and _prefix(parent) == "006":
            yield Ref(connection, Kind.DEAL, to_18(parent))


def _prefix(record_id: str) -> str:
    return record_id[:3] if is_id(record_id) else ""


def _from_events(settings: SalesforceWebhook, request: WebhookRequest) -> Hints:
    try:
        body = load_json(request.body)
    except ValueError:
        raise _unreadable(request, "it is no JSON") from None
    events = [_payload(item, request) for item in (body if isinstance(body, list) else [body])]
    if not events:
        raise _unreadable(request, "it names no event")
    refs: dict[Ref, None] = {}
    names, whole = [], False
    for payload in events:
        header = payload["ChangeEventHeader"]
        _check_age(header.get("commitTimestamp"), settings, request)
        names.append(_name(header, request))
        found, unnamed = _changed(payload, request.connection)
        refs |= dict.fromkeys(found)
        whole |= unnamed
    return Hints(refs=tuple(refs), deliveries=tuple(names), whole=whole)


def _payload(item: Any, request: WebhookRequest) -> Mapping[str, Any]:
    """Find an event's payload, whatever the relay wrapped around it."""
    for _ in range(3):
        if isinstance(item, dict) and isinstance(item.get("ChangeEventHeader"), dict):
            return item
        item = next((item[key] for key in ("payload", "data") if isinstance(item, dict) and key in item), None)
    raise _unreadable(request, "it holds no ChangeEventHeader")


def _check_age(stamp: Any, settings: SalesforceWebhook, request: WebhookRequest) -> None:
    try:
        at = datetime.fromtimestamp(int(stamp) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _unreadable(request, "an event does not say when it was committed") from None
    if not -AHEAD <= request.received_at - at <= timedelta(hours=settings.max_age_hours):
        raise AuthenticationError(
            f"{request.connection}: a change event came that is not of now; it has no effect",
            advice="Check this machine's clock; a pull brings whatever was missed.",
        )


def _name(header: Mapping[str, Any], request: WebhookRequest) -> str:
    """Name an event: its transaction, and its place there."""
    key, number = header.get("transactionKey"), header.get("sequenceNumber")
    if not isinstance(key, str) or not key or not isinstance(number, int):
        raise _unreadable(request, "an event has no transactionKey and sequenceNumber")
    return f"{key[:80]}|{number}|{str(header.get('entityName', ''))[:80]}"


def _changed(payload: Mapping[str, Any], connection: str) -> tuple[list[Ref], bool]:
    """Give the records of an event, and whether it says that there are others, which it does not name.

    An overflow stands for so many changes that their ids are left out ("Overflow Events").
    """
    header = payload["ChangeEventHeader"]
    ids = header.get("recordIds")
    named = [str(one) for one in ids] if isinstance(ids, list) else []
    columns = {name: value for name in PARENTS if isinstance(value := payload.get(name), str)}
    refs: list[Ref] = []
    for record in named:
        refs += _refs(Notification(id="", record=record, columns=columns), connection)
    unnamed = header.get("changeType") == "GAP_OVERFLOW" or not named or not all(_prefix(one) for one in named)
    return refs, unnamed or (not refs and any(_prefix(one) in HANGS for one in named))
