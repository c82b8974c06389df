"""The TinyCRM adapter passes the tests that every adapter passes, against its own sandbox."""

from contextlib import AbstractContextManager
from pathlib import Path

from crmbridge.model.replacing import replace
from crmbridge.sandbox import SandboxOptions
from crmbridge.testing import AdapterSuite, AdapterWorkbench, plugin_workbench
from crmbridge_tinycrm import plugin


class TestTinyCrm(AdapterSuite):
    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        # Waiting for a rate limit moves the clock, and the world must not move with it.
        return plugin_workbench(plugin, replace(options, now=options.as_of), folder)
