"""Plugins: found by their entry points, named when they are wrong, and never able to cost more than themselves."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from crmbridge.cli.main import commands
from crmbridge.errors import ConfigurationError
from crmbridge.hookspecs import hookimpl
from crmbridge.plugins import BLOCK_VARIABLE, GROUP, AdapterSpec, SandboxSpec, SinkSpec, lazily, load_plugins
from crmbridge.ports import AdapterContext, Run
from crmbridge.sandbox import VirtualClock
from crmbridge.services.runs.running import run_steps
from crmbridge.testing.factories import NOON, make_change, make_receipt
from crmbridge.testing.workspaces import make_bench

RUN = Run(id="run-1", command="cycle", started_at=NOON)
Install = Callable[..., None]


def plugin(**hooks: Callable[..., Any]) -> types.ModuleType:
    """Make a plugin of these hooks, their names without the prefix."""
    module = types.ModuleType("made_here")
    module.__dict__.update({f"crmbridge_{name}": hookimpl(hook) for name, hook in hooks.items()})
    return module


def load(**plugins: object) -> Any:
    """Load these plugins and no installed ones."""
    return load_plugins(plugins, installed=False)


def adapter(name: str) -> AdapterSpec:
    return AdapterSpec(name=name, summary="", settings=BaseModel, open=lambda _settings, _context: None)  # type: ignore[arg-type,return-value]  # never opened


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install plugins from their text as `pip` would, for this test alone; the ones of this machine are blocked."""
    monkeypatch.setenv(BLOCK_VARIABLE, ",".join(point.name for point in importlib.metadata.entry_points(group=GROUP)))
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def put(name: str, code: str, *, module: str = "", named: str = "") -> None:
        made.append(name)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code), "utf-8")
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{named or name} = {module or name}\n", "utf-8")

    yield put
    for name in made:
        sys.modules.pop(name, None)


GOOD = """
    from crmbridge.hookspecs import hookimpl

    @hookimpl
    def crmbridge_run_finished(run):
        pass
"""


def test_an_installed_plugin_is_found(install: Install) -> None:
    """By its entry point's name, with the hooks that it has."""
    install("tried_here", GOOD)

    assert (("tried_here", ("crmbridge_run_finished",)),) == load_plugins().names()
    assert () == load_plugins(installed=False).names()


def test_what_plugins_offer_is_listed(install: Install) -> None:
    """An indicator of a plugin is named by a process, so its name must be somewhere to be found."""
    install(
        "tried_here",
        """
        from crmbridge.hookspecs import hookimpl
        from crmbridge.plugins import IndicatorSpec

        @hookimpl
        def crmbridge_indicators():
            return [IndicatorSpec(name="big", title="Big deals", definition="", unit="count", sql="SELECT 1 AS value")]
        """,
    )
    said = CliRunner().invoke(commands, ["plugins", "--json"])

    assert [{"kind": "indicator", "name": "big", "summary": "Big deals"}] == json.loads(said.stdout)["result"]["offers"]


def test_an_adapter_is_imported_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before: every command loads all plugins."""
    (tmp_path / "slow_crm.py").write_text("class Slow:\n    def __init__(self, *given):\n        self.given = given\n")
    monkeypatch.syspath_prepend(tmp_path)
    opened = lazily("slow_crm", "Slow")

    assert "slow_crm" not in sys.modules
    adapter: Any = opened("settings", AdapterContext(connection="slow", clock=VirtualClock(NOON)))
    assert ("settings", "slow") == (adapter.given[0], adapter.given[1].connection)
    del sys.modules["slow_crm"]


def test_a_blocked_plugin_is_not_imported(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to look at it: it may be what breaks; the others are loaded."""
    install("blocked_here", "raise RuntimeError('imported')")
    install("tried_here", GOOD)
    monkeypatch.setenv(BLOCK_VARIABLE, f"{os.environ[BLOCK_VARIABLE]}, blocked_here ,")

    assert ["tried_here"] == [name for name, _ in load_plugins().names()]
    assert "blocked_here" not in sys.modules


@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("raise RuntimeError('no licence')", ""),
        ("import nothing_of_this_name", ""),
        ("", "tried_here:missing"),
        ("raise SystemExit('needs a newer Python')", ""),
    ],
    ids=["error", "import", "attribute", "exit"],
)
def test_a_plugin_that_can_not_be_loaded_is_named(install: Install, code: str, module: str) -> None:
    """With how to go on without it."""
    install("tried_here", code, module=module)

    with pytest.raises(ConfigurationError, match=r"The plugin 'tried_here' .* can't be loaded: ") as caught:
        load_plugins()
    assert caught.value.advice.endswith(f"{BLOCK_VARIABLE}=tried_here.")


@pytest.mark.parametrize(
    "hooks",
    [{"aftr_apply": lambda: None}, {"after_apply": lambda surprise: None}],
    ids=["unknown hook", "unknown argument"],
)
def test_a_plugin_for_another_crmbridge_is_named(hooks: dict[str, Callable[..., Any]]) -> None:
    """A hook that would never be called is an error, not a silence."""
    with pytest.raises(ConfigurationError, match="The plugin 'odd' does not fit this crmbridge: "):
        load(good=plugin(run_finished=lambda run: None), odd=plugin(**hooks))


def test_two_plugins_of_one_name_are_an_error() -> None:
    """As when one that is given beside the installed ones is installed, too."""
    module = plugin(run_finished=lambda run: None)

    with pytest.raises(ConfigurationError, match="The plugin 'second' does not fit"):
        load(first=module, second=module)


def test_two_installed_plugins_of_one_name_are_told_apart(install: Install) -> None:
    """By what installed them: leaving the name out would leave out both, and no other version mends it."""
    install("tried_here", GOOD)
    install("other_here", GOOD, named="tried_here")

    with pytest.raises(ConfigurationError, match="Two plugins are called 'tried_here': of other_here and tried_here"):
        load_plugins()


def test_offers_are_given_by_name() -> None:
    """Whichever plugin they come from, in the order of their names."""
    loaded = load(
        one=plugin(adapters=lambda: [adapter("zeta"), adapter("beta")]),
        other=plugin(adapters=lambda: (adapter(name) for name in ["alpha"])),
    )

    assert ["alpha", "beta", "zeta"] == list(loaded.adapters())
    assert {} == loaded.sandboxes() == loaded.sinks()


@pytest.mark.parametrize("offer", [lambda: AdapterSpec(nam="odd"), lambda: adapter("odd"), lambda: [None]])
def test_a_plugin_that_can_not_say_what_it_offers_is_named(offer: Callable[..., Any]) -> None:
    """Whoever writes one gets their own error, and not a bug of crmbridge: it fails, or gives no list of offers."""
    loaded = load(good=plugin(adapters=lambda: [adapter("beta")]), odd=plugin(adapters=offer))
    with pytest.raises(ConfigurationError, match="The plugin 'odd' failed in crmbridge_adapters: ") as caught:
        loaded.adapters()

    assert "CRMBRIDGE_BLOCK_PLUGINS=odd" in caught.value.advice


def test_what_is_offered_by_the_wrong_hook_is_said() -> None:
    """What is no adapter would only break where somebody opens it."""
    sink = SinkSpec(name="pager", settings=BaseModel, open=None)  # type: ignore[arg-type]  # never opened
    with pytest.raises(
        ConfigurationError, match=r"'odd' failed in crmbridge_adapters: .* a SinkSpec and no AdapterSpec"
    ):
        load(odd=plugin(adapters=lambda: [sink])).adapters()


@pytest.mark.parametrize("kind", ["adapter", "sandbox", "sink"])
def test_two_offers_of_one_name_are_an_error(kind: str) -> None:
    """Nobody could tell which of them a settings file means."""
    nothing: Mapping[str, str] = {}
    spec = {
        "adapter": adapter("acme"),
        "sandbox": SandboxSpec(name="acme", summary="", build=None, pipeline="", stages=nothing, fields=nothing),  # type: ignore[arg-type]  # never built
        "sink": SinkSpec(name="acme", settings=BaseModel, open=None),  # type: ignore[arg-type]  # never opened
    }[kind]
    hook = {"adapter": "adapters", "sandbox": "sandboxes", "sink": "sinks"}[kind]
    loaded = load(one=plugin(**{hook: lambda: [spec]}), other=plugin(**{hook: lambda: [spec]}))

    with pytest.raises(ConfigurationError, match=f"Two plugins offer the {kind} 'acme': one and other") as caught:
        getattr(loaded, hook)()
    assert BLOCK_VARIABLE in caught.value.advice


def test_names_are_told_with_their_hooks() -> None:
    """In order, for `crmbridge plugins`; a plugin without hooks is there, too."""
    loaded = load(
        zeta=plugin(),
        beta=plugin(run_finished=lambda run: None, sinks=lambda: None, after_apply=lambda receipts: None),
    )

    hooks = ("crmbridge_after_apply", "crmbridge_run_finished", "crmbridge_sinks")
    assert (("beta", hooks), ("zeta", ())) == loaded.names()


@pytest.mark.parametrize("how", [RuntimeError("no disk"), SystemExit(0)], ids=["fails", "ends the program"])
def test_an_observer_that_fails_costs_only_itself(caplog: pytest.LogCaptureFixture, how: BaseException) -> None:
    """It is logged with its name, and all the others are told, whatever their order."""
    told: list[str] = []

    def fail() -> None:
        raise how

    loaded = load(
        first=plugin(run_finished=lambda run: told.append(f"first {run.id}")),
        broken=plugin(run_finished=fail, after_apply=fail),
        last=plugin(
            run_finished=lambda run: told.append(f"last {run.id}"),
            after_apply=lambda changes, receipts: told.append(f"{changes[0].id} {receipts[0].outcome}"),
        ),
    )
    with caplog.at_level(logging.ERROR):
        loaded.finished(RUN)
        loaded.applied([make_change()], [make_receipt()])

    assert {"first run-1", "last run-1", "change-north-1 applied"} == set(told)
    assert 3 == len(told)
    assert [
        f"plugin broken failed in {hook}; the run goes on without it"
        for hook in ("crmbridge_run_finished", "crmbridge_after_apply")
    ] == [record.getMessage() for record in caplog.records]


def test_an_observer_keeps_nothing_from_the_next_one() -> None:
    """What one takes out of what it was given is there for the others, and for the run."""
    changes, receipts = [make_change()], [make_receipt()]
    told: list[int] = []

    def empty(changes: list[Any], receipts: list[Any]) -> None:
        told.append(len(changes) + len(receipts))
        changes.clear()

    load(one=plugin(after_apply=empty), other=plugin(after_apply=empty)).applied(changes, receipts)

    assert ([2, 2], 1, 1) == (told, len(changes), len(receipts))


def test_vetoes_of_all_plugins_count() -> None:
    """Each names the changes it does not want; a plugin without an opinion says nothing."""
    loaded = load(
        one=plugin(before_apply=lambda changes: [(changes[0].id, "too early")]),
        quiet=plugin(before_apply=lambda: None),
        other=plugin(before_apply=lambda changes: ((change.id, "no") for change in changes[1:])),
    )

    assert {"change-north-1": "too early", "change-north-2": "no"} == loaded.vetoes([make_change(1), make_change(2)])


def _ask_in_vain() -> Any:
    raise RuntimeError("no policy server")


NONSENSE: dict[str, Callable[[Any], Any]] = {
    "fails": lambda _changes: _ask_in_vain(),
    "ends the program": lambda _changes: sys.exit(0),
    "no reasons": lambda changes: [change.id for change in changes],
    "reasons that are no text": lambda changes: [(change.id, None) for change in changes],
    "changes for their ids": lambda changes: [(change, "no") for change in changes],
    "ids of something else": lambda changes: [(str(change.target), "no") for change in changes],
}


@pytest.mark.parametrize("answer", NONSENSE)
def test_nothing_is_written_when_a_plugin_can_not_say_what_it_vetoes(answer: str) -> None:
    """Its no might have been in it. The run stops before the first write, and says whose answer it was."""

    def ask(changes: Any) -> Any:
        assert changes
        return NONSENSE[answer](changes)

    bench = make_bench(
        deals=30,
        plugins={"policy": plugin(before_apply=ask), "quiet": plugin(before_apply=lambda: ())},
        enforce=[{"rule": "*", "action": "task"}],
    )

    with pytest.raises(ConfigurationError, match="The plugin 'policy' failed in crmbridge_before_apply: ") as caught:
        run_steps(bench.workspace, "cycle")
    assert caught.value.advice.startswith("Nothing was written.")
    assert caught.value.advice.endswith(f"{BLOCK_VARIABLE}=policy.")
    assert [0, 0] == [crm.writes for crm in bench.crms.values()]
    assert () == tuple(bench.workspace.store.journal.entries())
