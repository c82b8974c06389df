"""What this distribution offers to crmbridge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec, SandboxSpec
from crmbridge.ports import Adapter, AdapterContext
from crmbridge_pipedrive.sandbox_account import PIPELINE, PROCESS_FIELDS, STAGES
from crmbridge_pipedrive.settings import PipedriveSettings

if TYPE_CHECKING:
    from crmbridge.sandbox import Sandbox, SandboxOptions


def _open(settings: PipedriveSettings, context: AdapterContext) -> Adapter:
    from crmbridge_pipedrive.adapter import open_adapter  # noqa: PLC0415  every command imports this module

    return open_adapter(settings, context)


def _build(options: SandboxOptions) -> Sandbox:
    from crmbridge_pipedrive.sandbox import build  # noqa: PLC0415  every command imports this module

    return build(options)


@hookimpl
def crmbridge_adapters() -> Iterable[AdapterSpec]:
    """Offer the Pipedrive adapter."""
    summary = "Pipedrive through its API v2, with v1 for users, notes and history."
    return [AdapterSpec(name="pipedrive", summary=summary, settings=PipedriveSettings, open=_open)]


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
