"""What the Salesforce tests share: an org on a real socket, an adapter on it, and one whose answers are stubbed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from crmbridge.model.values import FieldType
from crmbridge.ports import AdapterContext, FieldBinding
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox import State, build_org
from crmbridge_salesforce.settings import SalesforceSettings
from crmbridge_salesforce.signin import SignIn

from .orgs import Opener, state_of

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
FIELDS = (
    FieldBinding(name="bant.need", native="bant_need__c", type=FieldType.BOOL),
    FieldBinding(name="review", native="Review_Needed__c", type=FieldType.BOOL),
    FieldBinding(name="discount", native="discount__c", type=FieldType.NUMBER),
)


@pytest.fixture
def clock() -> VirtualClock:
    """Give a clock that stands still at noon."""
    return VirtualClock(NOON)


@pytest.fixture
def org(clock: VirtualClock) -> Iterator[Served]:
    """Serve an org of twenty deals, with one currency."""
    with serve(build_org(SandboxOptions(seed=3, deals=20, clock=clock), multi_currency=False)) as served:
        yield served


@pytest.fixture
def state(org: Served) -> State:
    """Give the org's inside."""
    return state_of(org)


@pytest.fixture
def client(org: Served) -> Iterator[httpx.Client]:
    """Give a plain client that is signed in to the org, with the version's path as its base."""
    base = f"{org.url}/services/data/v67.0/"
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {org.token}"}, trust_env=False) as found:
        yield found


@pytest.fixture
def open_adapter(clock: VirtualClock) -> Iterator[Opener]:
    """Open adapters of the connection `sf`; overrides are settings."""
    opened: list[SalesforceAdapter] = []

    def opener(
        base_url: str, token: str, memory: dict[str, str] | None = None, **overrides: object
    ) -> SalesforceAdapter:
        own = overrides.pop("fields", None)
        usual: dict[str, object] = {"base_url": base_url, "token": {"env": "UNUSED"}, "currency": "EUR"}
        settings = SalesforceSettings.model_validate({**usual, **overrides})
        fields = _bindings(own) if isinstance(own, dict) else own if isinstance(own, tuple) else FIELDS
        context = AdapterContext(connection="sf", clock=clock, fields=fields, memory={} if memory is None else memory)
        sign_in = SignIn(settings, "sf", clock, lambda _secret: SecretStr(token))
        opened.append(SalesforceAdapter(settings, context, sign_in))
        return opened[-1]

    yield opener
    for adapter in opened:
        adapter.close()


@pytest.fixture
def adapter(org: Served, open_adapter: Opener) -> SalesforceAdapter:
    """Give an adapter on the served org."""
    return open_adapter(org.url, org.token)


def _bindings(names: dict[str, str]) -> tuple[FieldBinding, ...]:
    return tuple(FieldBinding(name=name, native=native, type=FieldType.TEXT) for name, native in names.items())
