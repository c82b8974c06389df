"""Opening a client with what every connection is opened with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from crmbridge.http.auth import Signer
from crmbridge.http.budget import Budget, Rate
from crmbridge.http.client import Dialect, HttpClient
from crmbridge.ports import AdapterContext

if TYPE_CHECKING:
    from crmbridge.settings import AdapterSettings


def open_client(
    settings: AdapterSettings,
    context: AdapterContext,
    *,
    dialect: Dialect,
    base_url: str = "",
    rates: Sequence[Rate] = (),
    headers: Mapping[str, str] | None = None,
    signer: Signer | None = None,
) -> HttpClient:
    """Open a client for a connection; nothing is sent.

    `base_url` is the vendor's host, unless the settings name another. `rates` are counted in the ledger of the
    project, and used up to the shares that the settings leave us; without any, as at the door where one signs in,
    nothing is counted.
    """
    budget = Budget(
        rates,
        context.clock,
        share=settings.share,
        day_share=settings.day_share,
        ledger=context.ledger if rates else None,
        account=context.connection,
    )
    return HttpClient(
        connection=context.connection,
        base_url=settings.base_url or base_url,
        clock=context.clock,
        budget=budget,
        dialect=dialect,
        headers=headers,
        signer=signer,
        timeout=settings.timeout,
    )
