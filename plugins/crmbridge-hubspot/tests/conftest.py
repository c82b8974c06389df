"""A HubSpot adapter for respx tests, one for tests against the sandbox, and the account both speak to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import respx

from crmbridge.ports import Adapter, AdapterContext, FieldBinding
from crmbridge.sandbox import SandboxOptions, VirtualClock
from crmbridge.testing import AdapterWorkbench, plugin_workbench
from crmbridge.testing.factories import NOON
from crmbridge_hubspot import plugin
from crmbridge_hubspot.settings import HubSpotSettings

HOST = "https://api.hubapi.com"
TOKEN = "pat-sandbox-respx"

STAGES = [
    {"id": "closedwon", "label": "Won", "displayOrder": 2, "metadata": {"isClosed": "true", "probability": "1.0"}},
    {"id": "first", "label": "First", "displayOrder": 0, "metadata": {"isClosed": "false", "probability": "0.1"}},
    {"id": "second", "label": "Second", "displayOrder": 1, "metadata": {"isClosed": "false", "probability": "0.5"}},
    {"id": "lied", "label": "Closed Lost", "displayOrder": 3, "metadata": {"isClosed": "false", "probability": "0.1"}},
]
OTHER = [
    {"id": "elsewhere", "label": "Else", "displayOrder": 0, "metadata": {"isClosed": "true", "probability": "0.0"}}
]


def make_property(name: str, type_: str = "string", **more: Any) -> dict[str, Any]:
    """Make a property as the properties call gives it."""
    return {"name": name, "label": name, "type": type_, "fieldType": "text", "options": [], **more}


PROPERTIES = [
    make_property("dealname"),
    make_property("amount", "number"),
    make_property("closedate", "datetime"),
    make_property("hubspot_owner_id", "enumeration", referencedObjectType="OWNER"),
    make_property("hs_is_closed", "bool", calculated=True),
    make_property("note_to_self"),
    make_property("crmbridge_key", hasUniqueValue=True),
]


def _answer_account(router: respx.MockRouter, version: str = "2026-03", **parts: Any) -> None:
    """Let the router answer the calls that read the account's set-up; `parts` replace its usual ones."""
    details = {"portalId": 42, "timeZone": "America/Sao_Paulo", "companyCurrency": "EUR", "uiDomain": "app.example"}
    pipelines = [
        {"id": "default", "label": "Sales", "displayOrder": 0, "stages": STAGES},
        {"id": "other", "label": "Other", "displayOrder": 1, "stages": OTHER},
    ]
    v3 = version == "v3"
    paths = {
        "details": "/account-info/v3/details" if v3 else f"/account-info/{version}/details",
        "pipelines": "/crm/v3/pipelines/deals" if v3 else f"/crm/pipelines/{version}/deals",
        "properties": "/crm/v3/properties/deals" if v3 else f"/crm/properties/{version}/deals",
        "owners": "/crm/v3/owners" if v3 else f"/crm/owners/{version}",
    }
    usual = {
        "details": details,
        "pipelines": {"results": pipelines},
        "properties": {"results": PROPERTIES},
        "owners": {
            "results": [{"id": "71", "userId": 9071, "email": "a@b.example", "firstName": "A", "archived": False}]
        },
    }
    for name, path in paths.items():
        router.get(path=path).respond(json={**usual, **parts}[name])


Opener = Callable[..., Adapter]


@pytest.fixture
def answer_account() -> Callable[..., None]:
    """Give a way to let a router answer the calls that read the account's set-up."""
    return _answer_account


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
    _answer_account(router)
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
