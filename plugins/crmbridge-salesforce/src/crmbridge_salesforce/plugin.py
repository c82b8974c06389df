"""What this distribution offers to crmbridge: the Salesforce adapter and its sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec, SandboxSpec
from crmbridge.ports import WebhookSpec
from crmbridge_salesforce.sandbox_terms import FIELDS, STAGES
from crmbridge_salesforce.settings import SalesforceSettings
from crmbridge_salesforce.webhook_settings import ACK, SalesforceWebhook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crmbridge.ports import Adapter, AdapterContext, FieldWish, GuardRequest, Guards, Hints, WebhookRequest
    from crmbridge.sandbox import Sandbox, SandboxOptions


@hookimpl
def crmbridge_adapters() -> list[AdapterSpec]:
    """Offer the adapter."""
    return [
        AdapterSpec(
            name="salesforce",
            summary="Salesforce, by its REST API and Bulk API 2.0",
            settings=SalesforceSettings,
            open=_open,
            steps=_steps,
            webhooks=WebhookSpec(settings=SalesforceWebhook, read=_read_webhook, acknowledge=(ACK, "text/xml")),
            guards=_guards,
        )
    ]


@hookimpl
def crmbridge_sandboxes() -> list[SandboxSpec]:
    """Offer the sandbox."""
    return [
        SandboxSpec(
            name="salesforce",
            summary="A Salesforce org: sign-in, SOQL, sObject rows, collections, Bulk API 2.0",
            build=_build,
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


def _steps(wish: FieldWish) -> Sequence[str]:
    from crmbridge_salesforce.steps import steps  # noqa: PLC0415  only when an admin is told

    return steps(wish)


def _read_webhook(settings: SalesforceWebhook, request: WebhookRequest) -> Hints:
    from crmbridge_salesforce.webhooks import read_webhook  # noqa: PLC0415  only when a delivery comes

    return read_webhook(settings, request)


def _guards(request: GuardRequest) -> Guards:
    from crmbridge_salesforce.guards import guards  # noqa: PLC0415  only when rules are exported

    return guards(request)


def _build(options: SandboxOptions) -> Sandbox:
    from crmbridge_salesforce.sandbox import build  # noqa: PLC0415  only when a sandbox is started

    return build(options)
