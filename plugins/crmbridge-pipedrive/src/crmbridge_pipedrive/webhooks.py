"""Pipedrive's webhooks (version 2.0) as hints: who sent a delivery, how old it is, and which records it speaks of."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.http import load_json
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Hints, WebhookRequest
from crmbridge.secrets import reveal
from crmbridge_pipedrive.settings import PipedriveWebhook

LARGEST = 1_000_000  # bytes of a body that is looked into
AHEAD = timedelta(minutes=5)  # how far Pipedrive's clock may be before ours
KINDS: Mapping[str, Kind] = {
    "deal": Kind.DEAL,
    "person": Kind.CONTACT,
    "organization": Kind.COMPANY,
    "user": Kind.USER,
    "activity": Kind.ACTIVITY,
    "note": Kind.NOTE,
}
SET_UP = frozenset({"pipeline", "stage"})  # no record, yet what records say may mean something else now
MERGED = ("merged_to_id", "merged_from_id")
ID = re.compile(r"[1-9]\d{0,17}")
SECONDS = re.compile(r"\d{10}")


def read_webhook(settings: PipedriveWebhook, request: WebhookRequest) -> Hints:
    """Read a delivery ("Guide for Webhooks v2").

    Raises AuthenticationError for one that is forged or stale, RefusedError for one that can't be read.
    """
    _check_sender(settings, request)
    body = _body(request)
    meta = body["meta"]
    _check_age(meta.get("timestamp"), request, timedelta(minutes=settings.max_age_minutes))
    entity = str(meta.get("entity"))
    kind = KINDS.get(entity)
    refs = tuple(dict.fromkeys(_refs(kind, body, request.connection))) if kind else ()
    return Hints(refs=refs, deliveries=(_name(meta),), whole=entity in SET_UP)


def _check_sender(settings: PipedriveWebhook, request: WebhookRequest) -> None:
    """Compare user and password in the same time whatever is wrong with them."""
    user, password = _basic(request.headers.get("authorization", ""))
    right_user = hmac.compare_digest(user, reveal(settings.user).get_secret_value().encode())
    right_password = hmac.compare_digest(password, reveal(settings.password).get_secret_value().encode())
    if not (right_user & right_password):
        raise AuthenticationError(
            f"{request.connection}: a webhook came without the right user and password",
            advice="Make the webhook in Pipedrive with the HTTP auth user and password that the settings name.",
        )


def _basic(header: str) -> tuple[bytes, bytes]:
    scheme, _, carried = header.partition(" ")
    try:
        decoded = base64.b64decode(carried.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        decoded = b""
    user, _, password = decoded.partition(b":")
    return user, password


def _body(request: WebhookRequest) -> dict[str, Any]:
    try:
        body = load_json(request.body) if len(request.body) <= LARGEST else None
    except ValueError:
        body = None
    meta = body.get("meta") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(meta, dict):
        raise RefusedError(f"{request.connection}: a webhook can't be read: it is not a delivery of Pipedrive's")
    if not {"action", "entity", "entity_id"} <= meta.keys():
        raise RefusedError(
            f"{request.connection}: a webhook can't be read: it is of another version than 2.0",
            advice='Make the webhook anew with "version": "2.0".',
        )
    return body


def _check_age(stamp: Any, request: WebhookRequest, most: timedelta) -> None:
    """Refuse what is old, or from the future. A delivery that says no time is only held against repetition."""
    at = _moment(stamp)
    if at is not None and not -AHEAD <= request.received_at - at <= most:
        raise AuthenticationError(
            f"{request.connection}: a webhook came that is not of now; it has no effect",
            advice="Check this machine's clock; a pull brings whatever was missed.",
        )


def _moment(stamp: Any) -> datetime | None:
    """Read the time: ISO in the guide's sample, ten characters in its table."""
    text = str(stamp) if isinstance(stamp, int | str) and not isinstance(stamp, bool) else ""
    if SECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= len("2026-06-10"):  # a day alone does not say how old it is
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read  # to UTC, the last year might overflow


def _refs(kind: Kind, body: Mapping[str, Any], connection: str) -> Iterator[Ref]:
    """Name what to read again: the record, the other one of a merge, and the deal that something hangs on."""
    meta = body["meta"]
    own = _id(meta.get("entity_id"))
    if own is None:
        raise RefusedError(f"{connection}: a webhook can't be read: it does not say which {kind} it is about")
    yield Ref(connection, kind, own)
    others = (_id(meta.get(name)) for name in MERGED)
    yield from (Ref(connection, kind, other) for other in others if other is not None)
    if kind in {Kind.ACTIVITY, Kind.NOTE}:
        states = (body.get(name) for name in ("data", "previous"))
        deals = (_id(state.get("deal_id")) for state in states if isinstance(state, dict))
        yield from (Ref(connection, Kind.DEAL, deal) for deal in deals if deal is not None)


def _id(value: Any) -> str | None:
    """Read an id; they are numbers in records and texts in `meta`."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if ID.fullmatch(text) else None


def _name(meta: Mapping[str, Any]) -> str:
    """Name a delivery, the same at each attempt."""
    parts = ("webhook_id", "id", "correlation_id", "entity", "entity_id", "action", "timestamp")
    return "|".join(str(meta.get(part, ""))[:80] for part in parts)
