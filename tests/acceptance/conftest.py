"""A project connected to a sandbox, for tests that run the real command as a process of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from crmbridge.plugins import SandboxSpec, load_plugins
from crmbridge.sandbox import SandboxOptions, Served, serve
from crmbridge.store import open_store
from crmbridge.testing.pytest_plugin import CommandProject, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A project with one connection, `crm`, to a sandbox that this process serves."""

    project: CommandProject
    served: Served
    spec: SandboxSpec

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Give the settings as data, some of them changed."""
        usual: dict[str, Any] = {
            "version": 1,
            "process": "processes/b2b.yaml",
            "connections": {"crm": self.connection()},
            "stages": {"crm": {"pipeline": self.spec.pipeline, "map": dict(self.spec.stages)}},
            "enforce": [{"rule": "*", "action": "task", "severity": "error"}],
        }
        return {**usual, **changes}

    def connection(self, **changes: Any) -> dict[str, Any]:
        """Give the connection's settings, some of them changed."""
        usual = {
            "adapter": self.spec.name,
            "base_url": self.served.url,
            "currency": "EUR",
            "timeout": 5,
            self.spec.credential: {"env": "CRM_TOKEN"},
            "fields": dict(self.spec.fields),
        }
        return {**usual, **changes}

    def write(self, settings: dict[str, Any]) -> None:
        """Write the settings file."""
        self.project.write("crmbridge.yaml", yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))

    def run(self, *arguments: str, **environment: str) -> Outcome:
        """Run a command with the sandbox's token in the environment."""
        return self.project.run(*arguments, **{"CRM_TOKEN": self.served.token, **environment})

    def written(self) -> int:
        """Count the rows of the journal, which has one before every write."""
        state = self.project.folder / ".crmbridge" / "state.db"
        if not state.exists():
            return 0
        store = open_store(f"sqlite:///{state}")
        try:
            return sum(1 for _ in store.journal.entries())
        finally:
            store.close()


@contextlib.contextmanager
def shop_on(name: str, project: CommandProject) -> Iterator[Shop]:
    """Connect a project to a sandbox; a test is skipped when the plugin is not installed."""
    spec = load_plugins().sandboxes().get(name)
    if spec is None:
        pytest.skip(f"the plugin {name} is not installed")
    with serve(spec.build(SandboxOptions(seed=7, deals=12, limit="none"))) as served:
        made = Shop(project=project, served=served, spec=spec)
        made.write(made.settings())
        yield made


@pytest.fixture(params=["hubspot", "pipedrive", "salesforce"])
def shop(request: pytest.FixtureRequest, crmbridge_project: CommandProject) -> Iterator[Shop]:
    """Give a shop on each sandbox in turn."""
    with shop_on(request.param, crmbridge_project) as made:
        yield made


@pytest.fixture
def some_shop(crmbridge_project: CommandProject) -> Iterator[Shop]:
    """Give a shop on one sandbox, for what is the same on all of them."""
    with shop_on(next(iter(load_plugins().sandboxes()), "of any CRM"), crmbridge_project) as made:
        yield made
