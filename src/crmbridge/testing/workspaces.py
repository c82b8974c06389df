"""A workspace on fake CRMs, for tests of whole use cases without a wire."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from crmbridge.hookspecs import hookimpl
from crmbridge.model.process import Process
from crmbridge.plugins import AdapterSpec, Plugins, load_plugins
from crmbridge.ports import Adapter, AdapterContext, StateStore
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.sandbox.world import make_world
from crmbridge.services.projects.checking import digest_of
from crmbridge.services.workspace import Project, Workspace
from crmbridge.settings import AdapterSettings, Settings
from crmbridge.store.memory import MemoryStore
from crmbridge.testing.factories import make_process
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.fake_records import PIPELINE, STAGES

MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)


class Bench(Struct, frozen=True, kw_only=True):
    """A workspace with the fake CRMs behind it. `again` opens the same project and state as a new process would."""

    workspace: Workspace
    crms: Mapping[str, FakeCrm]
    clock: VirtualClock

    def again(self, settings: Settings | None = None) -> Bench:
        """Open the workspace anew on the same CRMs and state, with other settings if they are given."""
        project = self.workspace.project
        if settings is not None:
            project = _project(settings, project.process, project.folder)
        workspace = Workspace(
            project=project, store=self.workspace.store, clock=self.clock, plugins=fake_plugins(self.crms)
        )
        return Bench(workspace=workspace, crms=self.crms, clock=self.clock)


def make_bench(
    *,
    process: Process | None = None,
    store: StateStore | None = None,
    deals: int = 0,
    parts: Mapping[str, tuple[float, float]] | None = None,
    plugins: Mapping[str, object] | None = None,
    folder: Path = Path(),
    store_url: str = "sqlite:///state.db",
    **settings: Any,
) -> Bench:
    """Make a workspace on fake CRMs `north` and `south`, or the ones that `parts` names, on a Monday morning.

    Each holds its part of a world of `deals` deals. `settings` are laid over the usual settings; `plugins` are loaded
    beside the one that offers the fakes. Reports read the state at `store_url` and go to `folder`.
    """
    clock = VirtualClock(MONDAY)
    shares = parts or {"north": (0.0, 1.0), "south": (0.0, 1.0)}
    crms = {name: FakeCrm(name, clock) for name in shares}
    if deals:
        world = make_world(7, deals, MONDAY)
        for name, share in shares.items():
            crms[name].fill(world, world.part(share))
    model = process or make_process()
    usual = usual_settings(model, tuple(shares))
    project = _project(Settings.model_validate({**usual, "store": store_url, **settings}), model, folder)
    workspace = Workspace(
        project=project, store=store or MemoryStore(), clock=clock, plugins=fake_plugins(crms, plugins or {})
    )
    return Bench(workspace=workspace, crms=crms, clock=clock)


def usual_settings(process: Process, names: tuple[str, ...]) -> dict[str, Any]:
    """Give settings that bind every process field and keep all deals of these connections in step."""
    stages = {stage.id: stage.id for stage in process.stages if stage.id in STAGES}
    return {
        "version": 1,
        "process": "process.yaml",
        "connections": {n: {"adapter": "fake", "fields": {f.id: f.id for f in process.fields}} for n in names},
        "stages": {n: {"pipeline": PIPELINE, "map": {**stages, "won": "won", "lost": "lost"}} for n in names},
        "sync": [{"name": "main", "between": list(names), "create": list(names)}] if len(names) > 1 else [],
        "enforce": [{"rule": "*", "action": "audit"}],
    }


def fake_plugins(
    crms: Mapping[str, FakeCrm],
    others: Mapping[str, object] | None = None,
    *,
    wrap: Callable[[FakeAdapter, str], Adapter] = lambda adapter, _: adapter,
) -> Plugins:
    """Offer the fake CRMs as the adapter `fake`; no installed plugin is loaded.

    `wrap` may put something between the core and a connection's adapter, to watch or to disturb.
    """

    @hookimpl
    def crmbridge_adapters() -> list[AdapterSpec]:
        def open_fake(_settings: AdapterSettings, context: AdapterContext) -> Adapter:
            return wrap(FakeAdapter(crms[context.connection]), context.connection)

        return [AdapterSpec(name="fake", summary="A CRM in memory", settings=AdapterSettings, open=open_fake)]

    plugin = types.ModuleType("fake_plugin")
    plugin.__dict__["crmbridge_adapters"] = crmbridge_adapters
    return load_plugins({"fake": plugin, **(others or {})}, installed=False)


def _project(settings: Settings, process: Process, folder: Path) -> Project:
    digest = digest_of(settings, process)
    return Project(settings=settings, process=process, path=folder / "crmbridge.yaml", digest=digest)
