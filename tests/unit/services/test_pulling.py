"""Pulls: what makes everything be read anew, and what does not."""

from __future__ import annotations

import types
from typing import Any

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.hookspecs import hookimpl
from crmbridge.model.records import Kind
from crmbridge.plugins import AdapterSpec, load_plugins
from crmbridge.ports import Adapter, AdapterContext
from crmbridge.services.pulling import ConnectionPull, pull
from crmbridge.services.workspace import Project, Workspace
from crmbridge.settings import AdapterSettings, Secret, Settings
from crmbridge.testing.fake_crm import FakeAdapter
from crmbridge.testing.workspaces import Bench, make_bench


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


def test_a_kind_that_is_asked_for_later_is_read_whole(bench: Bench) -> None:
    """A connection that pulls companies from now on gets the ones that are there, too."""
    pulled(bench, **BY_VARIABLE, kinds=["deal"])
    more = pulled(bench, **BY_VARIABLE, kinds=["deal", "company"])

    there = sum(len(page.records) for page in FakeAdapter(bench.crms["north"]).pull(Kind.COMPANY, None))
    assert there == more.records > 0
