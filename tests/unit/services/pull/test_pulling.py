"""Pulls: what makes everything be read anew, and what does not."""

from __future__ import annotations

import gc
import types
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.hookspecs import hookimpl
from crmbridge.model.records import Kind
from crmbridge.model.replacing import replace
from crmbridge.plugins import AdapterSpec, load_plugins
from crmbridge.ports import Adapter, AdapterContext, Capabilities, Description, Page
from crmbridge.services.pull.pulling import ConnectionPull, pull
from crmbridge.services.runs.running import Ran, run_hinted, run_pull
from crmbridge.services.workspace import Project, Workspace
from crmbridge.settings import AdapterSettings, Secret, Settings
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench


class Signed(AdapterSettings):
    """Settings of an adapter that signs in."""

    token: Secret | None = None
    oauth: dict[str, Any] | None = None


@pytest.fixture
def bench() -> Bench:
    """Give one CRM with a few deals."""
    return make_bench(deals=5, parts={"north": (0.0, 1.0)})


def pulled(bench: Bench, **options: object) -> ConnectionPull:
    """Pull with a connection that says this, on the state that is there."""

    @hookimpl
    def crmbridge_adapters() -> list[AdapterSpec]:
        def opened(_settings: AdapterSettings, context: AdapterContext) -> Adapter:
            return FakeAdapter(bench.crms[context.connection])

        return [AdapterSpec(name="signed", summary="A CRM in memory", settings=Signed, open=opened)]

    plugin = types.ModuleType("signed_plugin")
    plugin.__dict__["crmbridge_adapters"] = crmbridge_adapters
    before = bench.workspace.project
    connections = {"north": {"adapter": "signed", **options}}
    settings = Settings.model_validate({"version": 1, "process": "process.yaml", "connections": connections})
    workspace = Workspace(
        project=Project(settings=settings, process=before.process, path=before.path, digest="any"),
        store=bench.workspace.store,
        clock=bench.clock,
        plugins=load_plugins({"signed": plugin}, installed=False),
    )
    return pull(workspace)[0]


BY_VARIABLE = {"token": {"env": "NORTH_TOKEN"}}


@pytest.mark.parametrize(
    "change",
    [
        {"token": {"file": "north.token"}},
        {"oauth": {"client_id": "1", "client_secret": {"env": "SECRET"}, "refresh_token": {"file": "t"}}},
        {**BY_VARIABLE, "timeout": 9},
        {**BY_VARIABLE, "share": 0.5},
        {**BY_VARIABLE, "webhook": {"secret": {"env": "HOOK"}}},
        {**BY_VARIABLE, "kinds": ["deal"]},
    ],
    ids=str,
)
def test_signing_in_in_another_way_reads_nothing_anew(bench: Bench, change: dict[str, object]) -> None:
    """Where a secret is kept, and how patient we are, changes nothing in a record."""
    first = pulled(bench, **BY_VARIABLE)

    assert (True, 0) == (first.records > 0, pulled(bench, **change).records)


@pytest.mark.parametrize("change", [{"currency": "JPY"}, {"fields": {"bant.budget": "budget"}}], ids=str)
def test_reading_in_another_way_reads_everything_anew(bench: Bench, change: dict[str, object]) -> None:
    """Records that were read with other settings would look different now."""
    first = pulled(bench, **BY_VARIABLE)

    assert first.records == pulled(bench, **BY_VARIABLE, **change).records


def test_another_credential_for_another_account_is_refused(bench: Bench) -> None:
    """A key that opens somebody else's account would mix two companies' deals."""
    pulled(bench, **BY_VARIABLE)
    bench.crms["north"].account = "somebody else's"

    assert isinstance(pulled(bench, token={"file": "other"}).error, ConfigurationError)


@pytest.mark.parametrize("run", [run_pull, run_hinted])
def test_a_connection_is_pulled_once_and_a_wrong_name_is_said(bench: Bench, run: Callable[..., Ran]) -> None:
    """However often it is named; two readers of one account would save each other's cursors."""
    ran = run(bench.workspace, ["north", "north"])

    assert ran.cycle is not None
    assert ["north"] == [one.connection for one in ran.cycle.pulled]
    with pytest.raises(ConfigurationError, match="There is no connection 'nrth'"):
        run(bench.workspace, ["north", "nrth"])


def test_a_secret_that_was_replaced_by_another_accounts_is_noticed_within_a_day(bench: Bench) -> None:
    """Nothing in the settings tells of it: the variable is the same, what it holds is not."""
    pulled(bench, **BY_VARIABLE)
    bench.crms["north"].account = "somebody else's"
    same_day = pulled(bench, **BY_VARIABLE)
    bench.clock.advance(timedelta(days=1))

    assert (None, ConfigurationError) == (same_day.error, type(pulled(bench, **BY_VARIABLE).error))


def test_a_kind_that_is_asked_for_later_is_read_whole(bench: Bench) -> None:
    """A connection that pulls companies from now on gets the ones that are there, too."""
    pulled(bench, **BY_VARIABLE, kinds=["deal"])
    more = pulled(bench, **BY_VARIABLE, kinds=["deal", "company"])

    there = sum(len(page.records) for page in FakeAdapter(bench.crms["north"]).pull(Kind.COMPANY, None))
    assert there == more.records > 0


@pytest.mark.parametrize("account", ["the same", "somebody else's"])
def test_a_pull_leaves_the_interpreter_as_it_was(bench: Bench, account: str) -> None:
    """The collector is made for bulk while it lasts, also where it ends with an error."""
    usual = gc.get_threshold()
    gc.set_threshold(701, 11, 9)  # what no pull leaves behind, also one that ran before this test
    try:
        pulled(bench, **BY_VARIABLE)
        bench.crms["north"].account = account
        pulled(bench, token={"file": "other"})
        after = gc.get_threshold()
    finally:
        gc.set_threshold(*usual)

    assert (701, 11, 9) == after


# ── Pages put together ──────────────────────────────────────────────────────────────────────────────────


def test_people_see_a_page_before_it_is_saved(bench: Bench) -> None:
    """The first of many pages is shown while the others, with which it is saved, are still under way."""
    told: list[tuple[str, int]] = []
    store = bench.workspace.store.records

    def tell(_step: str, about: str) -> None:
        told.append((about, len(list(store.records("north", Kind.DEAL)))))

    run_pull(replace(bench.workspace, progress=tell))

    assert ("north: 5 deals", 0) in told


class Eager(FakeAdapter):
    """A fake that can be told what is pulled next, and notes what it is asked, in its order."""

    def __init__(self, inner: FakeAdapter, asked: list[object], begun: datetime) -> None:
        super().__init__(inner._crm)
        self._asked, self._begun = asked, begun

    @property
    def capabilities(self) -> Capabilities:
        """Declare it."""
        return replace(super().capabilities, ahead=True)

    def ask_ahead(self, kinds: Sequence[Kind]) -> None:
        """Note the kinds, and stumble."""
        self._asked.append(tuple(kinds))
        raise KeyError("a bug")

    def describe(self) -> Description:
        """Note it."""
        self._asked.append("describe")
        return super().describe()

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Give pages that say since when they were asked for."""
        return (replace(page, begun=self._begun) for page in super().pull(kind, since))


def test_a_first_pull_is_told_of_before_the_account_is_looked_at(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Later ones go on from what is known. A bug in that is written down, and all is pulled."""
    asked: list[object] = []
    told: list[str] = []
    begun = bench.clock.now() - timedelta(seconds=10)
    workspace = replace(
        bench.workspace,
        plugins=fake_plugins(bench.crms, wrap=lambda fake, _: Eager(fake, asked, begun)),
        progress=lambda _, about: told.append(about),
    )
    run_pull(workspace)
    run_pull(workspace)

    assert [(Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL), "describe"] == asked
    assert "north: 5 deals, 0.5/s" in told
    assert ["north met a bug in its adapter"] == [record.getMessage() for record in caplog.records]
