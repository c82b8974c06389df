"""What this distribution offers to crmbridge: the adapter and the sandbox named `tinycrm`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec, SandboxSpec, lazily
from crmbridge_tinycrm.settings import TinySettings
from crmbridge_tinycrm.terms import FIELDS, PIPELINE, STAGES

if TYPE_CHECKING:
    from crmbridge.ports import Adapter, AdapterContext


@hookimpl
def crmbridge_adapters() -> list[AdapterSpec]:
    """Offer the adapter."""
    return [AdapterSpec(name="tinycrm", summary="TinyCRM, by its API", settings=TinySettings, open=_open)]


@hookimpl
def crmbridge_sandboxes() -> list[SandboxSpec]:
    """Offer the sandbox."""
    summary, build = "A TinyCRM account", lazily("crmbridge_tinycrm.sandbox", "build")
    return [SandboxSpec(name="tinycrm", summary=summary, build=build, pipeline=PIPELINE, stages=STAGES, fields=FIELDS)]


def _open(settings: TinySettings, context: AdapterContext) -> Adapter:
    # Imported here: every command loads this module, and few of them speak to TinyCRM.
    from crmbridge.secrets import reveal  # noqa: PLC0415  see above
    from crmbridge_tinycrm.adapter import TinyAdapter  # noqa: PLC0415  see above

    return TinyAdapter(settings, context, reveal(settings.token))
