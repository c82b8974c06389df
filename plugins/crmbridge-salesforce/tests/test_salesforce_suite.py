"""The Salesforce adapter against its own sandbox, by the suite that every adapter passes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from crmbridge.sandbox import SandboxOptions
from crmbridge.testing.adapter_suite import AdapterSuite
from crmbridge.testing.adapter_workbench import AdapterWorkbench, SuiteConfig, plugin_workbench
from crmbridge_salesforce import plugin


class TestSalesforce(AdapterSuite):
    """Every promise of an adapter, kept over a real socket."""

    config: ClassVar[SuiteConfig] = SuiteConfig(crowd=420)  # a page holds 400 rows

    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        """Serve the org and open the adapter on it."""
        return plugin_workbench(plugin, options, folder)
