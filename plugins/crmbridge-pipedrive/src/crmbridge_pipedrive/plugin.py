"""What this distribution offers to crmbridge."""

from __future__ import annotations

from collections.abc import Iterable

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec, SandboxSpec, lazily
from crmbridge.ports import WebhookSpec
from crmbridge_pipedrive.sandbox_account import PIPELINE, PROCESS_FIELDS, STAGES
from crmbridge_pipedrive.settings import PipedriveSettings, PipedriveWebhook


@hookimpl
def crmbridge_adapters() -> Iterable[AdapterSpec]:
    """Offer the Pipedrive adapter."""
    reads = lazily("crmbridge_pipedrive.webhooks", "read_webhook")
    summary = "Pipedrive through its API v2, with v1 for users, notes, files and history."
    return [
        AdapterSpec(
            name="pipedrive",
            summary=summary,
            settings=PipedriveSettings,
            open=lazily("crmbridge_pipedrive.adapter", "open_adapter"),
            steps=lazily("crmbridge_pipedrive.making", "steps"),
            webhooks=WebhookSpec(settings=PipedriveWebhook, read=reads),
            guards=lazily("crmbridge_pipedrive.guards", "guards"),
        )
    ]


@hookimpl
def crmbridge_sandboxes() -> Iterable[SandboxSpec]:
    """Offer the Pipedrive sandbox."""
    return [
        SandboxSpec(
            name="pipedrive",
            summary="A Pipedrive account with the seven-stage process's pipeline and custom fields.",
            build=lazily("crmbridge_pipedrive.sandbox", "build"),
            pipeline=PIPELINE,
            stages=STAGES,
            fields={name: field.code for name, field in PROCESS_FIELDS.items()},
            example="-H 'x-api-token: {token}' '{url}/api/v2/deals?limit=1'",
        )
    ]
