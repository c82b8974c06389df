"""What this distribution offers to crmbridge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec, SandboxSpec
from crmbridge.ports import (
    Adapter,
    AdapterContext,
    FieldWish,
    GuardRequest,
    Guards,
    Hints,
    WebhookRequest,
    WebhookSpec,
)
from crmbridge_pipedrive.sandbox_account import PIPELINE, PROCESS_FIELDS, STAGES
from crmbridge_pipedrive.settings import PipedriveSettings, PipedriveWebhook

if TYPE_CHECKING:
    from crmbridge.sandbox import Sandbox, SandboxOptions


def _open(settings: PipedriveSettings, context: AdapterContext) -> Adapter:
    from crmbridge_pipedrive.adapter import open_adapter  # noqa: PLC0415  every command imports this module

    return open_adapter(settings, context)


def _steps(wish: FieldWish) -> Sequence[str]:
    from crmbridge_pipedrive.making import steps  # noqa: PLC0415  every command imports this module

    return steps(wish)


def _read_webhook(settings: PipedriveWebhook, request: WebhookRequest) -> Hints:
    from crmbridge_pipedrive.webhooks import read_webhook  # noqa: PLC0415  every command imports this module

    return read_webhook(settings, request)


def _guards(request: GuardRequest) -> Guards:
    from crmbridge_pipedrive.guards import guards  # noqa: PLC0415  every command imports this module

    return guards(request)


def _build(options: SandboxOptions) -> Sandbox:
    from crmbridge_pipedrive.sandbox import build  # noqa: PLC0415  every command imports this module

    return build(options)


@hookimpl
def crmbridge_adapters() -> Iterable[AdapterSpec]:
    """Offer the Pipedrive adapter."""
    summary = "Pipedrive through its API v2, with v1 for users, notes, files and history."
    return [
        AdapterSpec(
            name="pipedrive",
            summary=summary,
            settings=PipedriveSettings,
            open=_open,
            steps=_steps,
            webhooks=WebhookSpec(settings=PipedriveWebhook, read=_read_webhook),
            guards=_guards,
        )
    ]


@hookimpl
def crmbridge_sandboxes() -> Iterable[SandboxSpec]:
    """Offer the Pipedrive sandbox."""
    return [
        SandboxSpec(
            name="pipedrive",
            summary="A Pipedrive account with the seven-stage process's pipeline and custom fields.",
            build=_build,
            pipeline=PIPELINE,
            stages=STAGES,
            fields={name: field.code for name, field in PROCESS_FIELDS.items()},
            example="-H 'x-api-token: {token}' '{url}/api/v2/deals?limit=1'",
        )
    ]
