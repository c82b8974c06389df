"""A HubSpot adapter for respx tests, one for tests against the sandbox, and the sandbox itself."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from crmbridge.ports import Adapter, AdapterContext, Clock, FieldBinding
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge.testing import AdapterWorkbench, plugin_workbench
from crmbridge.testing.factories import NOON
from crmbridge_hubspot import plugin
from crmbridge_hubspot.sandbox import build
from crmbridge_hubspot.settings import HubSpotSettings

from .accounts import Answer, Opener, answer_set_up

HOST = "https://api.hubapi.com"
TOKEN = "pat-sandbox-respx"


@pytest.fixture
def answer_account() -> Answer:
    """Give a way to let a router answer the calls that read the account's set-up."""
    return answer_set_up


@pytest.fixture
def token() -> str:
    """Give the token that adapters on HubSpot's own host are opened with."""
    return TOKEN


@pytest.fixture
def clock() -> VirtualClock:
    """Give the clock that the adapter waits by."""
    return VirtualClock(NOON)


@pytest.fixture
def open_adapter(tmp_path: Path, clock: VirtualClock) -> Iterator[Opener]:
    """Give a way to open adapters on HubSpot's own host, where respx answers."""
    (tmp_path / "token").write_text(TOKEN)
    opened: list[Adapter] = []

    def opener(fields: tuple[FieldBinding, ...] = (), **settings: Any) -> Adapter:
        usual = {"token": {"file": str(tmp_path / "token")}, "currency": "EUR"}
        read = HubSpotSettings.model_validate({**usual, **settings})
        spec = next(iter(plugin.crmbridge_adapters()))
        opened.append(spec.open(read, AdapterContext(connection="hs", clock=clock, fields=fields)))
        return opened[-1]

    yield opener
    for adapter in opened:
        adapter.close()


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """Answer HubSpot's host; a request that no route answers is an error."""
    with respx.mock(base_url=HOST, assert_all_called=False) as mock:
        yield mock


@pytest.fixture
def hubspot(router: respx.MockRouter) -> respx.MockRouter:
    """Answer HubSpot's host, the calls that read the account's set-up included."""
    answer_set_up(router)
    return router


@pytest.fixture
def bench(tmp_path: Path, clock: VirtualClock) -> Iterator[AdapterWorkbench]:
    """Serve the sandbox with a few deals."""
    with plugin_workbench(plugin, SandboxOptions(seed=3, deals=12, clock=clock), tmp_path) as workbench:
        yield workbench


@pytest.fixture
def adapter(bench: AdapterWorkbench) -> Iterator[Adapter]:
    """Open an adapter on the sandbox."""
    opened = bench.open()
    yield opened
    opened.close()


@pytest.fixture
def served(clock: VirtualClock) -> Iterator[Served]:
    """Serve an account with half a dozen deals, to be spoken to as HubSpot is."""
    with serve(build(SandboxOptions(seed=3, deals=6, clock=clock))) as open_sandbox:
        yield open_sandbox


@pytest.fixture
def state(served: Served) -> Any:
    """Give what the sandbox's account holds."""
    return served.sandbox.state


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    """Speak to the sandbox with its fixed token."""
    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {served.token}"}) as opened:
        yield opened


@pytest.fixture
def run(bench: AdapterWorkbench, tmp_path: Path) -> Iterator[Opener]:
    """Give a way to open the adapter as a new process does, with what the last one remembered."""
    memory: MutableMapping[str, str] = {}
    (tmp_path / "again").write_text(bench.served.token)
    usual = {"token": {"file": str(tmp_path / "again")}, "base_url": bench.served.url}
    (spec,) = plugin.crmbridge_adapters()
    opened: list[Adapter] = []

    def opener(clock: Clock = bench.clock) -> Adapter:
        context = AdapterContext(connection="bench", clock=clock, memory=memory)
        opened.append(spec.open(HubSpotSettings.model_validate(usual), context))
        return opened[-1]

    yield opener
    for each in opened:
        each.close()
