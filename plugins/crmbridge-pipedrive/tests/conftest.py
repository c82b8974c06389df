"""A Pipedrive account to test against: a sandbox on a real socket and an adapter opened on it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, AdapterContext, Clock, FieldBinding, RateLedger
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge_pipedrive import plugin, walking
from crmbridge_pipedrive.sandbox import build
from crmbridge_pipedrive.settings import PipedriveSettings

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
BINDINGS = (
    FieldBinding(name="icp_match", native="Matches ideal customer", type=FieldType.BOOL),
    FieldBinding(name="discount", native="Discount in percent", type=FieldType.NUMBER),
    FieldBinding(name="region", native="Region", type=FieldType.CHOICE),
    FieldBinding(name="competitors", native="Competitors", type=FieldType.CHOICES),
    FieldBinding(name="list_price", native="List price", type=FieldType.MONEY),
    FieldBinding(name="second_seller", native="Second seller", type=FieldType.USER),
    FieldBinding(name="site", native="Site", type=FieldType.TEXT),
)
Open = Callable[..., Adapter]


class Ahead:
    """The clock of a machine that is some time ahead of Pipedrive."""

    def __init__(self, clock: Clock, by: timedelta) -> None:
        self._clock, self._by = clock, by

    def now(self) -> datetime:
        return self._clock.now() + self._by

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def deal_count() -> int:
    return 12


@pytest.fixture
def served(clock: VirtualClock, deal_count: int) -> Iterator[Served]:
    with serve(build(SandboxOptions(seed=5, deals=deal_count, now=NOON, clock=clock))) as running:
        yield running


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ninety deals be many."""
    monkeypatch.setattr(walking, "LIMIT", 8)


@pytest.fixture
def state(served: Served) -> Any:
    return served.sandbox.state


@pytest.fixture
def opened(served: Served, clock: VirtualClock, tmp_path: Path) -> Iterator[Open]:
    """Open adapters on the sandbox; keyword arguments are settings, `fields` the bindings, `memory` what is kept."""
    adapters: list[Adapter] = []
    (tmp_path / "token").write_text(served.token, "utf-8")
    theirs = clock

    def open_one(
        fields: tuple[FieldBinding, ...] = BINDINGS,
        memory: dict[str, str] | None = None,
        ledger: RateLedger | None = None,
        ahead: timedelta = timedelta(0),
        clock: Clock = theirs,
        **settings: Any,
    ) -> Adapter:
        usual = {"base_url": served.url, "company": "lumenworks", "token": {"file": str(tmp_path / "token")}}
        chosen = PipedriveSettings.model_validate({**usual, **settings})
        spec = next(iter(plugin.crmbridge_adapters()))
        kept = {} if memory is None else memory
        context = AdapterContext(connection="pd", clock=Ahead(clock, ahead), fields=fields, memory=kept, ledger=ledger)
        adapters.append(spec.open(chosen, context))
        return adapters[-1]

    yield open_one
    for adapter in adapters:
        adapter.close()


@pytest.fixture
def adapter(opened: Open) -> Adapter:
    return opened()
