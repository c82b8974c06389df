"""An adapter that only reads passes the suite too: what it does not declare is skipped, and nothing of the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Never

import pytest

from crmbridge.model.changes import Change, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter, Capabilities, Description
from crmbridge.sandbox import SandboxOptions
from crmbridge.testing import AdapterSuite, AdapterWorkbench, plugin_workbench

SOURCE = Path(__file__).parents[2] / "docs" / "examples" / "crmbridge-tinycrm" / "src"
NOTHING: dict[str, Any] = {"actions": frozenset(), "batch": {}, "creates": frozenset(), "associates": frozenset()}


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """Stand in for `pip install`: the example is no part of this environment."""
    sys.path.insert(0, str(SOURCE))
    yield
    sys.path.remove(str(SOURCE))


class Reading:
    """The example's adapter, without all that writes, and without what only those need that write."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    @property
    def capabilities(self) -> Capabilities:
        return replace(self._adapter.capabilities, conditional_write=False, **NOTHING)

    def describe(self) -> Description:
        return replace(self._adapter.describe(), key_field=None)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Never:
        raise AssertionError(f"asked for {kind} {key}, and it writes none")

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        raise AssertionError(f"asked to {changes[0].action}, which is not declared")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


class TestReadingAdapter(AdapterSuite):
    @contextmanager
    def workbench(self, options: SandboxOptions, folder: Path) -> Iterator[AdapterWorkbench]:
        plugin = import_module("crmbridge_tinycrm.plugin")
        with plugin_workbench(plugin, replace(options, now=options.as_of), folder) as bench:
            yield replace(bench, open=lambda **settings: Reading(bench.open(**settings)))
