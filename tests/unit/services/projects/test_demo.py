"""The demo's project and the people at work in it: on sandboxes made here, and on the ones that are installed."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import Response

from crmbridge.app import open_workspace
from crmbridge.errors import ConfigurationError
from crmbridge.hookspecs import hookimpl
from crmbridge.model.records import Kind, Ref
from crmbridge.plugins import Plugins, SandboxSpec, load_plugins
from crmbridge.sandbox import Sandbox, SandboxOptions, Vendor, VirtualClock, assemble
from crmbridge.sandbox.server import listen
from crmbridge.services.projects.checking import check_project
from crmbridge.services.projects.demo import MARK, TEAMS, DemoCrm, demo_project, people_at_work
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.factories import NOON

FIELDS = {"decision_maker": "decider", "pains": "pain_points"}


class Account:
    """An account that only remembers what people edit in it."""

    def __init__(self) -> None:
        self.edits: list[tuple[str, str, str]] = []

    def edit_deal(self, deal: str, /, **fields: str) -> None:
        self.edits += [(deal, name, text) for name, text in fields.items()]


def build(options: SandboxOptions) -> Sandbox:
    """Build a sandbox that answers nothing."""

    def answer(_request: Request, *_: object) -> Response:
        return Response(status_code=404)

    vendor = Vendor(accepts=lambda _request, _token: True, refused=answer, limited=answer)
    return assemble(name="made", state=Account(), routes=[], vendor=vendor, options=options)


def offering(*names: str) -> Plugins:
    """Load a plugin that has sandboxes of these names, and nothing else."""

    @hookimpl
    def crmbridge_sandboxes() -> list[SandboxSpec]:
        parts: dict[str, Any] = {"pipeline": "sales", "stages": {"closing": "closing"}, "fields": FIELDS}
        return [SandboxSpec(name=name, summary="", build=build, **parts) for name in names]

    module = types.ModuleType("made_here")
    module.__dict__["crmbridge_sandboxes"] = crmbridge_sandboxes
    return load_plugins({"made": module}, installed=False)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


def port_of(crm: DemoCrm) -> int:
    return urlsplit(crm.url).port or 0


# ── The folder ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, clock: VirtualClock) -> None:
    """Nothing in it is touched, and nothing is served."""
    (tmp_path / "thesis.txt").write_text("years of work", "utf-8")

    with (
        pytest.raises(ConfigurationError, match="is not empty, and no demo"),
        demo_project(tmp_path, offering("one"), clock),
    ):
        pass
    assert ["thesis.txt"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("folder", ["file", "file/demo"])
def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path, clock: VirtualClock, folder: str) -> None:
    """With the reason, and what to do."""
    (tmp_path / "file").write_text("not a folder", "utf-8")

    with pytest.raises(ConfigurationError, match=r"The demo can't be written to .*: Not a directory") as caught:
        demo_project(tmp_path / folder, offering("one"), clock).__enter__()
    assert "Name a folder that you may write to." == caught.value.advice


def test_a_second_demo_replaces_the_first(tmp_path: Path, clock: VirtualClock) -> None:
    """With all that was made in it since."""
    folder = tmp_path / "new" / "demo"
    with demo_project(folder, offering("one"), clock):
        (folder / "old.txt").write_text("from before", "utf-8")
    with demo_project(folder, offering("one"), clock) as (settings, crms):
        assert not (folder / "old.txt").exists()
        assert (folder / MARK).exists()
        assert crms[0].url in settings.read_text("utf-8")


def test_without_a_sandbox_there_is_no_demo(tmp_path: Path, clock: VirtualClock) -> None:
    """And no folder is made for it."""
    with (
        pytest.raises(ConfigurationError, match="No installed plugin has a sandbox") as caught,
        demo_project(tmp_path / "demo", offering(), clock),
    ):
        pass
    assert caught.value.advice.startswith("pip install ")
    assert not (tmp_path / "demo").exists()


def test_every_sandbox_has_its_place(tmp_path: Path, clock: VirtualClock) -> None:
    """Three go by the names of teams, more by their own; each token is kept in a file, not in the settings."""
    with demo_project(tmp_path, offering("a", "b", "c", "d"), clock) as (settings, crms):
        text = settings.read_text("utf-8")

        assert [*TEAMS, "d"] == [crm.connection for crm in crms]
        assert len(crms) == len({crm.url for crm in crms})
        for crm in crms:
            assert crm.sandbox.token == (tmp_path / "tokens" / crm.connection).read_text("utf-8")
            assert crm.sandbox.token not in text


def test_nothing_is_left_when_the_demo_ends_in_an_error(tmp_path: Path, clock: VirtualClock) -> None:
    """Also when it is stopped in the middle."""
    with pytest.raises(KeyboardInterrupt), demo_project(tmp_path, offering("a", "b"), clock) as (_, crms):
        raise KeyboardInterrupt

    for crm in crms:
        listen(port_of(crm)).close()


# ── People at work ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def crms(tmp_path: Path, clock: VirtualClock) -> Iterator[tuple[DemoCrm, ...]]:
    """Serve two sandboxes with six deals each."""
    with demo_project(tmp_path / "demo", offering("a", "b"), clock) as (_, served):
        yield served


def pairs(crms: tuple[DemoCrm, ...], count: int) -> dict[str, tuple[Ref, ...]]:
    """Link the first deals of each CRM; they are called 1 and so on in all of them."""
    numbers = range(1, count + 1)
    return {f"link-{n}": tuple(Ref(crm.connection, Kind.DEAL, str(n)) for crm in crms) for n in numbers}


def edits(crm: DemoCrm) -> list[tuple[str, str, str]]:
    """Give what people edited in a CRM: the deal, the CRM's own field and the text."""
    found: list[tuple[str, str, str]] = crm.sandbox.state.edits
    return found


def test_people_edit_linked_deals(crms: tuple[DemoCrm, ...]) -> None:
    """Three on one side, one on both at once, each in the CRM's own field; and all of it is told."""
    told = people_at_work(crms, pairs(crms, 6))

    assert [
        ("1", "decider", "The plant manager"),
        ("2", "decider", "The new finance lead"),
        ("3", "decider", "The owner's daughter"),
        ("4", "pain_points", "Two warehouses run dry"),
    ] == edits(crms[0])
    assert [("4", "pain_points", "Orders get lost on Fridays")] == edits(crms[1])
    assert "in inbound, deal 1: decision maker is now 'The plant manager'" == told[0]
    assert 5 == len(told)


def test_people_have_less_to_do_where_little_is_linked(crms: tuple[DemoCrm, ...]) -> None:
    """Deals that stand alone, or whose CRM is not of the demo, are left alone."""
    here, there = pairs(crms, 6)["link-6"]
    links = {"alone": (here,), "away": (here, there, Ref("elsewhere", Kind.DEAL, "1"))}

    assert () == people_at_work(crms, links)
    assert 1 == len(people_at_work(crms, {**links, **pairs(crms, 1)}))
    assert [("1", "decider", "The plant manager")] == edits(crms[0])
    assert [] == edits(crms[1])


# ── On the sandboxes that are installed ─────────────────────────────────────────────────────────────────


@pytest.fixture
def installed() -> Plugins:
    """Give the plugins of this machine, or skip."""
    plugins = load_plugins()
    if not plugins.sandboxes():
        pytest.skip("no installed plugin has a sandbox")
    return plugins


def test_the_demo_on_what_is_installed(tmp_path: Path, installed: Plugins, clock: VirtualClock) -> None:
    """Its project passes the check, what people edit there is pulled, and in the end nobody listens."""
    adapters = {name: spec.settings for name, spec in installed.adapters().items()}
    with demo_project(tmp_path / "demo", installed, clock) as (settings, crms):
        assert () == check_project(settings, adapters).diagnostics

        with open_workspace(settings, clock=clock, plugins=installed) as workspace:
            assert [None] * len(crms) == [one.error for one in pull(workspace)]
            deals = [next(iter(workspace.store.records.records(crm.connection, Kind.DEAL))).ref for crm in crms]
            links = {f"link-{number}": (ref, ref) for number, ref in enumerate(deals)}
            told = people_at_work(crms, links)
            pull(workspace)
            edited = workspace.store.records.get(deals)

    deciders = ["The plant manager", "The new finance lead", "The owner's daughter"]
    assert len(told) == min(len(crms), len(deciders))
    assert deciders[: len(deals)] == [edited[ref].fields["decision_maker"] for ref in deals[: len(deciders)]]
    for crm in crms:
        listen(port_of(crm)).close()
