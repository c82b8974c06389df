"""What this distribution offers to crmbridge: the adapter and the sandbox named `hubspot`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec, SandboxSpec, lazily
from crmbridge.ports import WebhookSpec
from crmbridge_hubspot.sandbox_terms import FIELDS, PIPELINE, STAGES
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.webhooks import HubSpotWebhook, read

if TYPE_CHECKING:
    from crmbridge.ports import Adapter, AdapterContext, Hints, WebhookRequest


@hookimpl
def crmbridge_adapters() -> Iterable[AdapterSpec]:
    """Offer the adapter."""
    summary = "HubSpot CRM, by service key or OAuth app"
    return [
        AdapterSpec(
            name="hubspot",
            summary=summary,
            settings=HubSpotSettings,
            open=_open,
            steps=lazily("crmbridge_hubspot.fields", "steps"),
            webhooks=WebhookSpec(settings=HubSpotWebhook, read=_read_webhook),
            guards=lazily("crmbridge_hubspot.guards", "guards"),
        )
    ]


@hookimpl
def crmbridge_sandboxes() -> Iterable[SandboxSpec]:
    """Offer the sandbox."""
    summary = "HubSpot's CRM API: deals, companies, contacts, owners, tasks, notes, search"
    return [
        SandboxSpec(
            name="hubspot",
            summary=summary,
            build=lazily("crmbridge_hubspot.sandbox", "build"),
            pipeline=PIPELINE,
            stages=STAGES,
            fields=FIELDS,
            example="-H 'Authorization: Bearer {token}' '{url}/crm/v3/objects/deals?limit=1'",
        )
    ]


def _open(settings: HubSpotSettings, context: AdapterContext) -> Adapter:
    # Imported here: every command loads this module, and few of them speak to HubSpot.
    from crmbridge_hubspot.adapter import HubSpotAdapter  # noqa: PLC0415  see above
    from crmbridge_hubspot.signing import make_signer  # noqa: PLC0415  as above

    return HubSpotAdapter(settings, context, make_signer(settings, context))


def _read_webhook(settings: HubSpotWebhook, request: WebhookRequest) -> Hints:
    from crmbridge.secrets import reveal  # noqa: PLC0415  as above

    return read(settings, request, reveal(settings.secret))
