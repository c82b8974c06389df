"""A plugin whose CRM sends webhooks: signed over method, address, time and body, as the real ones are."""

from __future__ import annotations

import hashlib
import hmac
import json
import types
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.hookspecs import hookimpl
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.plugins import AdapterSpec
from crmbridge.ports import Adapter, AdapterContext, Hints, WebhookRequest, WebhookSpec
from crmbridge.secrets import reveal
from crmbridge.settings import AdapterSettings, Secret, SettingsPart
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm

FRESH = timedelta(minutes=5)


class HookSettings(SettingsPart):
    """What deliveries are signed with."""

    secret: Secret


def signature(secret: str, url: str, at: str, body: bytes) -> str:
    """Sign a delivery."""
    return hmac.new(secret.encode(), f"POST{url}{at}".encode() + body, hashlib.sha256).hexdigest()


def read(settings: HookSettings, request: WebhookRequest) -> Hints:
    """Check that a delivery is genuine and fresh, then see what it names."""
    at = request.headers.get("x-sent-at", "")
    expected = signature(reveal(settings.secret).get_secret_value(), request.url, at, request.body)
    if not hmac.compare_digest(expected, request.headers.get("x-signature", "")):
        raise AuthenticationError("the signature is wrong")
    if request.received_at - datetime.fromisoformat(at) > FRESH:
        raise AuthenticationError("it is too old")
    try:
        events = json.loads(request.body)["events"]
        refs = tuple(Ref(request.connection, Kind(event["kind"]), event["record"]) for event in events)
        named = tuple(event["id"] for event in events)
        return Hints(refs=refs, deliveries=named, whole=any(event.get("whole") for event in events))
    except (ValueError, KeyError, TypeError):
        raise RefusedError("it holds no events") from None


class ChoosyAdapter(FakeAdapter):
    """Refuses a whole request for the sake of one id that it does not like."""

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Read records, none of them bad."""
        if any(ref.id.startswith("bad") for ref in refs):
            raise RefusedError("there is a bad id")
        return super().read(refs, fields=fields)


def hooked_plugin(crms: Mapping[str, FakeCrm]) -> object:
    """Offer the adapter `hooked`, which speaks to these fake CRMs."""

    def connect(_settings: Any, context: AdapterContext) -> Adapter:
        return ChoosyAdapter(crms[context.connection])

    @hookimpl
    def crmbridge_adapters() -> list[AdapterSpec]:
        webhooks = WebhookSpec(settings=HookSettings, read=read, acknowledge=(b"<taken/>", "text/xml"))
        spec = AdapterSpec(
            name="hooked", summary="Sends webhooks", settings=AdapterSettings, open=connect, webhooks=webhooks
        )
        return [spec]

    plugin = types.ModuleType("hooked_plugin")
    plugin.__dict__["crmbridge_adapters"] = crmbridge_adapters
    return plugin
