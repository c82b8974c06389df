"""The adapter that the guide walks through passes the suite, like the real ones."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from crmbridge.sandbox import SandboxOptions
from crmbridge.testing import AdapterSuite, AdapterWorkbench, plugin_workbench

SOURCE = Path(__file__).parents[2] / "docs" / "examples" / "crmbridge-tinycrm" / "src"


class TestExampleAdapter(AdapterSuite):
    plugin: ModuleType

    @pytest.fixture(scope="class", autouse=True)
    def _installed(self) -> Iterator[None]:
        """Stand in for `pip install`: the example is no part of this environment."""
        sys.path.insert(0, str(SOURCE))
        type(self).plugin = import_module("crmbridge_tinycrm.plugin")
        yield
        sys.path.remove(str(SOURCE))

    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        return plugin_workbench(self.plugin, replace(options, now=options.as_of), folder)
