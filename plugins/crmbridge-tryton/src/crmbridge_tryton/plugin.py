"""What this distribution offers to crmbridge. The CRM itself is no sandbox: tests run against a real server."""

from __future__ import annotations

from collections.abc import Iterable

from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import AdapterSpec, lazily
from crmbridge_tryton.settings import TrytonSettings


@hookimpl
def crmbridge_adapters() -> Iterable[AdapterSpec]:
    """Offer the Tryton adapter."""
    opened = lazily("crmbridge_tryton.adapter", "TrytonAdapter")
    return [AdapterSpec(name="tryton", summary="Tryton's sale opportunities", settings=TrytonSettings, open=opened)]
