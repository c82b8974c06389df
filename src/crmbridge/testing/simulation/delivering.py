"""Webhooks in a play: what is sent to a receiver beside the runs, genuine or not, and that it is only a hint."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crmbridge.errors import AuthenticationError
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import WebhookRequest
from crmbridge.services.pull.hinting import receivers, take_delivery
from crmbridge.services.workspace import Workspace
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.fuse import Fuse, burning_at_commits
from crmbridge.testing.simulation.scene import TOKEN
from crmbridge.testing.simulation.state import Watch

URL = "https://hooks.example/webhooks"
STALE = timedelta(hours=25)  # longer than any CRM sends a delivery again
KEPT = 4  # of the last genuine deliveries one is sent again
UNKNOWN = {"hubspot": "18200999999", "pipedrive": "999999", "salesforce": "006Sb0000999999IAA"}


def webhook(connection: str, secret: object) -> dict[str, Any]:
    """Give the part of a connection's settings that says how its deliveries are checked."""
    return {
        "hubspot": {"secret": secret},
        "pipedrive": {"user": secret, "password": secret},
        "salesforce": {"organization": "00DSb0000000001", "secret": secret},
    }[connection]


class Post:
    """Sends deliveries to the receiver of a project's webhooks, which is a process of its own."""

    def __init__(self, receiver: Workspace, watch: Watch, rng: random.Random, diary: Diary) -> None:
        self._workspace, self._watch, self._rng, self._diary = receiver, watch, rng, diary
        self._receivers = receivers(receiver)
        self._number = 0
        self._sent: list[WebhookRequest] = []

    def deliver(self, deals: Sequence[Ref]) -> None:
        """Send something about one of these deals, or about one that nobody ever saw, and look what it does."""
        named = [*deals, *(Ref(name, Kind.DEAL, UNKNOWN[name]) for name in self._receivers)]
        does = self._rng.choice((*(self._genuine,) * 3, self._repeated, self._forged, self._stale))
        with burning_at_commits(Fuse()):  # what it saves is no boundary of the process that is at work
            does(self._rng.choice(named))

    def _genuine(self, ref: Ref) -> None:
        request = self._written(ref, self._workspace.clock.now())
        assert 1 == self._taken(request), f"P1: {ref} was hinted at, and not noted"
        assert ref in self._noted(ref.connection), f"P1: {ref} was hinted at, and nobody will look"
        self._sent = [*self._sent, request][-KEPT:]

    def _repeated(self, _: Ref) -> None:
        if self._sent:
            request = replace(self._rng.choice(self._sent), received_at=self._workspace.clock.now())
            before = self._noted(request.connection)
            assert not self._taken(request), "P4: a delivery was noted twice"
            assert before == self._noted(request.connection), "P4: a delivery that was known had an effect"

    def _forged(self, ref: Ref) -> None:
        self._is_turned_away(self._written(ref, self._workspace.clock.now(), secret="guessed"))  # noqa: S106  it is wrong

    def _stale(self, ref: Ref) -> None:
        self._is_turned_away(self._written(ref, self._workspace.clock.now() - STALE))

    def _is_turned_away(self, request: WebhookRequest) -> None:
        before = self._watch.seen()
        assert self._taken(request) is None, f"P4: a false delivery was taken: {request}"
        assert before == self._watch.seen(), f"P4: a false delivery changed the state: {request}"

    def _taken(self, request: WebhookRequest) -> int | None:
        """Give how much of it was noted; None where it was turned away."""
        try:
            noted = take_delivery(self._workspace, self._receivers[request.connection], request).noted
        except AuthenticationError:
            noted = None
        self._diary.note("webhook", f"{request.body.decode()} of {request.connection}: {noted}")
        return noted

    def _noted(self, connection: str) -> list[Ref]:
        return sorted(ref for ref, _ in self._workspace.store.hints.pending(connection))

    def _written(self, ref: Ref, at: datetime, secret: str = TOKEN) -> WebhookRequest:
        """Write a delivery as the CRM does, which is sent at this time."""
        self._number += 1
        headers, body = _WRITTEN[ref.connection](ref.id, at, self._number, secret)
        now = self._workspace.clock.now()
        return WebhookRequest(
            connection=ref.connection, method="POST", url=URL, headers=headers, body=body, received_at=now
        )


def _hubspot(native: str, at: datetime, number: int, secret: str) -> tuple[dict[str, str], bytes]:
    stamp = f"{at.timestamp() * 1000:.0f}"
    event = {"eventId": number, "subscriptionType": "deal.propertyChange", "portalId": 1, "objectId": int(native)}
    body = json.dumps([{**event, "occurredAt": int(stamp), "attemptNumber": 0}]).encode()
    signed = hmac.new(secret.encode(), f"POST{URL}{body.decode()}{stamp}".encode(), hashlib.sha256).digest()
    return {"x-hubspot-signature-v3": base64.b64encode(signed).decode(), "x-hubspot-request-timestamp": stamp}, body


def _pipedrive(native: str, at: datetime, number: int, secret: str) -> tuple[dict[str, str], bytes]:
    meta = {"action": "change", "entity": "deal", "entity_id": native, "id": number, "timestamp": at.isoformat()}
    basic = base64.b64encode(f"{secret}:{secret}".encode()).decode()
    return {"authorization": f"Basic {basic}"}, json.dumps({"meta": meta, "data": {}, "previous": {}}).encode()


def _salesforce(native: str, at: datetime, number: int, secret: str) -> tuple[dict[str, str], bytes]:
    about = {"entityName": "Opportunity", "recordIds": [native], "changeType": "UPDATE"}
    when = {"transactionKey": f"made-up-{number}", "sequenceNumber": 1, "commitTimestamp": int(at.timestamp() * 1000)}
    return {"x-crmbridge-secret": secret}, json.dumps({"ChangeEventHeader": {**about, **when}}).encode()


_WRITTEN: Mapping[str, Callable[[str, datetime, int, str], tuple[dict[str, str], bytes]]] = {
    "hubspot": _hubspot,
    "pipedrive": _pipedrive,
    "salesforce": _salesforce,
}
