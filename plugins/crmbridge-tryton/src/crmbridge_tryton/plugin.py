"""What this distribution offers to crmbridge. The CRM itself is no sandbox: tests run against a real server."""

from __future__ import annotations

from collections.abc import Iterable

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec
from crmbridge.ports import Adapter, AdapterContext
from crmbridge_tryton.settings import TrytonSettings


def _open(settings: TrytonSettings, context: AdapterContext) -> Adapter:
    from crmbridge_tryton.adapter import TrytonAdapter  # noqa: PLC0415  every command imports this module

    return TrytonAdapter(settings, context)


@hookimpl
def crmbridge_adapters() -> Iterable[AdapterSpec]:
    """Offer the Tryton adapter."""
    return [AdapterSpec(name="tryton", summary="Tryton's sale opportunities", settings=TrytonSettings, open=_open)]
