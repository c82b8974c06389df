"""Webhooks: what a CRM tells us unasked, as hints to re-read a record and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from pydantic import BaseModel

from crmbridge.model.records import Ref


class WebhookRequest(Struct, frozen=True, kw_only=True):
    """One delivery as it came: nothing of it is decoded or trusted yet."""

    connection: str
    method: str
    url: str  # as the CRM called it: scheme, host and query included
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    received_at: datetime


class Hints(Struct, frozen=True, kw_only=True):
    """What a genuine delivery says: which records to re-read, and what names the delivery, to tell a replay."""

    refs: tuple[Ref, ...]
    deliveries: tuple[str, ...]  # one per event; an event named before has no effect
    whole: bool = False  # something changed that can't be named: pull


class WebhookSpec(Struct, frozen=True, kw_only=True):
    """How an adapter reads its CRM's webhooks.

    `settings` reads the connection's `webhook` part (a frozen pydantic model). `read` checks that a delivery is
    genuine and fresh before it looks into it: raises AuthenticationError for one that is forged or stale, RefusedError
    for one that can't be read. It sends nothing. `acknowledge` is the body and content type of the answer that the CRM
    wants for a delivery that was taken.
    """

    settings: type[BaseModel]
    read: Callable[[Any, WebhookRequest], Hints]
    acknowledge: tuple[bytes, str] = (b"", "text/plain")
