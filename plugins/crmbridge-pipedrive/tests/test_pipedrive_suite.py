"""The Pipedrive adapter passes the tests that every adapter passes, against its own sandbox."""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from crmbridge.sandbox import SandboxOptions
from crmbridge.testing.adapter_suite import AdapterSuite
from crmbridge.testing.adapter_workbench import AdapterWorkbench, SuiteConfig, plugin_workbench
from crmbridge_pipedrive import plugin


class TestPipedrive(AdapterSuite):
    """A page of deals holds 500, so the crowd is larger than that."""

    config: ClassVar[SuiteConfig] = SuiteConfig(crowd=520)

    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        # Waiting for the rate limit moves the clock, and the world must not move with it.
        return plugin_workbench(plugin, replace(options, now=options.as_of), folder)
