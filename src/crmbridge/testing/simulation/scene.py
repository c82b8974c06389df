"""The scene of a simulation: sandboxes without sockets, and a project between them whose state is a SQLite file."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import shutil
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from crmbridge.engine.mapping import stage_mapper
from crmbridge.engine.views import COMPANY, Viewer, emails, user_ids
from crmbridge.hookspecs import hookimpl
from crmbridge.http.wires import instead_of_network
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record
from crmbridge.model.replacing import replace
from crmbridge.plugins import AdapterSpec, Plugins, SandboxSpec, SinkSpec, load_plugins
from crmbridge.ports import Adapter, AdapterContext, Clock
from crmbridge.sandbox import Sandbox, SandboxOptions, VirtualClock
from crmbridge.services.projects.checking import digest_of
from crmbridge.services.workspace import Project, field_bindings
from crmbridge.settings import Settings
from crmbridge.testing.factories import make_process, make_stage
from crmbridge.testing.simulation.accounts import Account, names_in
from crmbridge.testing.simulation.sight import HANGING, Sight
from crmbridge.testing.simulation.state import File, State
from crmbridge.testing.simulation.wire import Traffic, Wire
from crmbridge.threads import one_at_a_time

MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)
STAGES = ("prospecting", "qualification", "diagnosis", "proposal", "negotiation", "closing")
FIELDS: Mapping[str, str] = {"decision_maker": "text", "pains": "text", "bant.budget": "bool", "discount": "number"}
LATER = "objections"  # a field that the settings don't name at first
WORLDS = 5  # different companies that the sandboxes are filled with
TOKEN = "simulated-token"  # noqa: S105  of a sandbox
IN_MEMORY = Path("/dev/shm")  # noqa: S108  where there is one, nothing waits for a disk


class Scene(Struct, frozen=True, kw_only=True):
    """Everything that a play needs: the accounts, the project, and what opens adapters and the state."""

    accounts: Mapping[str, Account]
    project: Project  # that which the play began with
    plugins: Plugins
    clock: VirtualClock
    state: State


Wrap = Callable[[Adapter, str], Adapter]


@contextlib.contextmanager
def make_scene(
    seed: int,
    parts: Mapping[str, tuple[float, float]],
    traffic: Callable[[str], Traffic],
    wrap: Wrap,
    settings: Mapping[str, Any] | None = None,
    *,
    deals: int,
    state: State | None = None,
    sinks: Sequence[SinkSpec] = (),
) -> Iterator[Scene]:
    """Set up a scene until the block ends: one sandbox for each of `parts`, with its share of the world's deals.

    `traffic` gives what is told of a connection's requests; `wrap` may put something around its adapter. Without
    `settings` it has the usual ones, without a `state` the one in a file that all such scenes share.
    """
    clock = VirtualClock(MONDAY)
    house = _house()
    options = SandboxOptions(seed=seed % WORLDS, deals=deals, clock=clock, now=MONDAY, token=TOKEN)
    sandboxes = {name: house.sandboxes[name].build(replace(options, part=part)) for name, part in parts.items()}
    fronts = {name: Wire(box.app, box, clock, traffic(name), house.loop) for name, box in sandboxes.items()}
    behinds = {name: Wire(box.backstage, box, clock, None, house.loop) for name, box in sandboxes.items()}
    wires = {_url(name, behind=False): wire for name, wire in fronts.items()}
    wires |= {_url(name, behind=True): wire for name, wire in behinds.items()}
    state = state or house.state
    state.begin_anew()
    project = make_project(settings or usual_settings(tuple(parts), lean=False))
    for name, part in parts.items():
        if (name, options.seed) not in house.seen:
            _look(house, project, name, replace(options, part=part))
    with instead_of_network(wires), one_at_a_time():
        accounts = {name: _account(house, project, name, box, options.seed) for name, box in sandboxes.items()}
        yield Scene(
            accounts=accounts,
            project=project,
            plugins=_wrapped(house, wrap, sinks),
            clock=clock,
            state=state,
        )


class _House(Struct, frozen=True, kw_only=True):
    """What all plays of a process share, as it takes long to make."""

    folder: Path
    loop: asyncio.AbstractEventLoop
    process: Process
    adapters: Mapping[str, AdapterSpec]
    sandboxes: Mapping[str, SandboxSpec]
    state: State
    memories: dict[str, dict[str, str]]  # what adapters keep of an account that they have just looked at, by sandbox
    # By CRM and world, users and what others go by; all plays of a world have them alike, however many deals there are.
    seen: dict[tuple[str, int], tuple[tuple[Record, ...], dict[Kind, dict[str, str]]]]


@functools.cache
def _house() -> _House:
    folder = Path(tempfile.mkdtemp(prefix="crmbridge-sim-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "token").write_text(TOKEN, "utf-8")
    installed = load_plugins()
    stages = [*(make_stage(stage) for stage in STAGES), make_stage("care", status="won")]
    fields = [{"id": name, "name": name, "type": type_} for name, type_ in {**FIELDS, LATER: "text"}.items()]
    return _House(
        folder=folder,
        loop=asyncio.new_event_loop(),
        process=make_process(stages=stages, fields=fields),
        adapters=installed.adapters(),
        sandboxes=installed.sandboxes(),
        state=State(File(folder / "state.db")),
        memories={},
        seen={},
    )


def _url(name: str, *, behind: bool) -> str:
    # No port of the machine is ever asked: the wires go by these names.
    return f"http://127.0.0.1:{(2 if behind else 1) + 2 * sorted(_house().sandboxes).index(name)}"


def usual_settings(names: Sequence[str], *, lean: bool) -> dict[str, Any]:
    """Give the settings of a project between these CRMs, as its file would say them."""
    house = _house()
    return {
        "version": 1,
        "process": "process.yaml",
        "connections": {name: _connection(house, name, lean=lean) for name in names},
        "stages": {name: _stages(house.sandboxes[name]) for name in names},
        "sync": [{"name": "main", "between": list(names), "create": list(names)}],
    }


def make_project(settings: Mapping[str, Any]) -> Project:
    """Make the project that has these settings."""
    house, model = _house(), Settings.model_validate(settings)
    return Project(
        settings=model,
        process=house.process,
        path=house.folder / "crmbridge.yaml",
        digest=digest_of(model, house.process),
    )


def native_field(name: str, field: str) -> str:
    """Say what a CRM calls a field."""
    return _house().sandboxes[name].fields[field]


def _connection(house: _House, name: str, *, lean: bool) -> dict[str, Any]:
    spec = house.sandboxes[name]
    return {
        "adapter": name,
        "base_url": _url(name, behind=False),
        "currency": "EUR",
        spec.credential: {"file": str(house.folder / "token")},
        "fields": {field: spec.fields[field] for field in FIELDS},
        "kinds": ["user", "deal"] if lean else None,
    }


def _stages(spec: SandboxSpec) -> dict[str, Any]:
    mapped = {stage: spec.stages[stage] for stage in (*STAGES, "won", "lost") if stage in spec.stages}
    return {"pipeline": spec.pipeline, "map": mapped}


def _account(house: _House, project: Project, name: str, sandbox: Sandbox, world: int) -> Account:
    entry = project.settings.connections[name]
    people = _people(house, project, name, sandbox.clock, dict(house.memories[name]))
    users, names = house.seen[name, world]
    mapper = stage_mapper(name, project.process, project.settings.stages.get(name))
    viewer = Viewer(mapper=mapper, users=emails(users), ids=user_ids(users), fields=tuple(sorted(entry.fields)))
    around = () if entry.kinds else tuple(field for field in HANGING if _carried(project, field))
    return Account(sandbox, people, Sight(viewer, around, names), users)


def _look(house: _House, project: Project, name: str, options: SandboxOptions) -> None:
    """See who and what is in a world, in a sandbox of its own: only the first play looks, and requests count."""
    clock, memory = VirtualClock(MONDAY), dict(house.memories.get(name, {}))
    box = house.sandboxes[name].build(replace(options, clock=clock))
    behind = {_url(name, behind=True): Wire(box.backstage, box, clock, None, house.loop)}
    with instead_of_network(behind), one_at_a_time():
        looking = _people(house, project, name, clock, memory)
        house.seen[name, options.seed] = looking.describe().users, names_in(looking)
    house.memories.setdefault(name, memory)


def _people(house: _House, project: Project, name: str, clock: Clock, memory: dict[str, str]) -> Adapter:
    """Open an adapter for those who look and act without being part of the traffic."""
    entry = project.settings.connections[name]
    spec = house.adapters[entry.adapter]
    options = spec.settings.model_validate({**entry.options, "base_url": _url(name, behind=True)})
    # People have a field, too, that the settings may name only later.
    bound = field_bindings(project.process, {**entry.fields, LATER: native_field(name, LATER)})
    return spec.open(options, AdapterContext(connection=name, clock=clock, fields=bound, memory=memory))


def _carried(project: Project, field: str) -> bool:
    sync = project.settings.sync[0]
    return (sync.companies if field == COMPANY else sync.contacts) != "off" and sync.policy(field).sync


def _wrapped(house: _House, wrap: Wrap, sinks: Sequence[SinkSpec]) -> Plugins:
    """Offer the installed adapters with something around them, and sinks."""

    def around(spec: AdapterSpec) -> AdapterSpec:
        def opened(settings: Any, context: AdapterContext) -> Adapter:
            return wrap(spec.open(settings, context), context.connection)

        return replace(spec, open=opened)

    @hookimpl
    def crmbridge_adapters() -> list[AdapterSpec]:
        return [around(spec) for spec in house.adapters.values()]

    @hookimpl
    def crmbridge_sinks() -> Sequence[SinkSpec]:
        return sinks

    plugin = types.ModuleType("simulated_plugin")
    plugin.__dict__.update(crmbridge_adapters=crmbridge_adapters, crmbridge_sinks=crmbridge_sinks)
    return load_plugins({"simulated": plugin}, installed=False)
