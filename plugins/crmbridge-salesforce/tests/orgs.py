"""What the Salesforce tests have in common: where an org is, how adapters are opened on it, its inside, and pulls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from urllib.parse import parse_qs

from crmbridge.model.records import Kind, Record
from crmbridge.ports import Page
from crmbridge.sandbox import Served, VirtualClock
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox import State

HOST = "https://acme.my.salesforce.com"
BASE = f"{HOST}/services/data/v67.0"
Opener = Callable[..., SalesforceAdapter]


def state_of(org: Served) -> State:
    """Give the org's inside."""
    state = org.sandbox.state
    assert isinstance(state, State)
    return state


def deals(pages: Iterable[Page]) -> dict[str, Record]:
    """Give the deals of some pages by id."""
    return {record.ref.id: record for page in pages for record in page.records}


def settle(adapter: SalesforceAdapter, clock: VirtualClock) -> str:
    """Pull everything, let a day pass, and give the cursor of a quiet pull."""
    pages = list(adapter.pull(Kind.DEAL, None))
    clock.advance(timedelta(days=1))
    return list(adapter.pull(Kind.DEAL, pages[-1].cursor))[-1].cursor


def asked(org: Served) -> list[str]:
    """Give the statements that were asked."""
    return [found for request in org.sandbox.log.all() for found in parse_qs(request.query).get("q", [])]
