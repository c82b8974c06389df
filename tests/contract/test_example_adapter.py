"""The adapter that the guide walks through passes the suite, like the real ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path

import pytest

from crmbridge.model.replacing import replace
from crmbridge.sandbox import SandboxOptions
from crmbridge.testing import AdapterSuite, AdapterWorkbench, plugin_workbench

SOURCE = Path(__file__).parents[2] / "docs" / "examples" / "crmbridge-tinycrm" / "src"


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """Stand in for `pip install`: the example is no part of this environment."""
    sys.path.insert(0, str(SOURCE))
    yield
    sys.path.remove(str(SOURCE))


class TestExampleAdapter(AdapterSuite):
    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        plugin = import_module("crmbridge_tinycrm.plugin")
        return plugin_workbench(plugin, replace(options, now=options.as_of), folder)
