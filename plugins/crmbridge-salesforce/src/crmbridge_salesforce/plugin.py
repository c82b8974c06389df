"""What this distribution offers to crmbridge: the Salesforce adapter and its sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec, SandboxSpec, lazily
from crmbridge.ports import WebhookSpec
from crmbridge_salesforce.sandbox_terms import FIELDS, STAGES
from crmbridge_salesforce.settings import SalesforceSettings
from crmbridge_salesforce.webhook_settings import ACK, SalesforceWebhook

if TYPE_CHECKING:
    from crmbridge.ports import Adapter, AdapterContext


@hookimpl
def crmbridge_adapters() -> list[AdapterSpec]:
    """Offer the adapter."""
    reads = lazily("crmbridge_salesforce.webhooks", "read_webhook")
    return [
        AdapterSpec(
            name="salesforce",
            summary="Salesforce, by its REST API and Bulk API 2.0",
            settings=SalesforceSettings,
            open=_open,
            steps=lazily("crmbridge_salesforce.steps", "steps"),
            webhooks=WebhookSpec(settings=SalesforceWebhook, read=reads, acknowledge=(ACK, "text/xml")),
            guards=lazily("crmbridge_salesforce.guards", "guards"),
        )
    ]


@hookimpl
def crmbridge_sandboxes() -> list[SandboxSpec]:
    """Offer the sandbox."""
    return [
        SandboxSpec(
            name="salesforce",
            summary="A Salesforce org: sign-in, SOQL, sObject rows, collections, Bulk API 2.0",
            build=lazily("crmbridge_salesforce.sandbox", "build"),
            pipeline="default",
            stages=STAGES,
            fields=FIELDS,
            example="-H 'Authorization: Bearer {token}' '{url}/services/data/v67.0/limits'",
        )
    ]


def _open(settings: SalesforceSettings, context: AdapterContext) -> Adapter:
    from crmbridge.secrets import reveal  # noqa: PLC0415  only when a connection is opened
    from crmbridge_salesforce.adapter import SalesforceAdapter  # noqa: PLC0415  the same
    from crmbridge_salesforce.signin import SignIn  # noqa: PLC0415  the same

    sign_in = SignIn(settings, context.connection, context.clock, reveal)
    return SalesforceAdapter(settings, context, sign_in)
