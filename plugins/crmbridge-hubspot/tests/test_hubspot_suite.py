"""HubSpot's adapter passes the suite that every adapter passes."""

from contextlib import AbstractContextManager
from pathlib import Path

from crmbridge.sandbox import SandboxOptions
from crmbridge.testing import AdapterSuite, AdapterWorkbench, plugin_workbench
from crmbridge_hubspot import plugin


class TestHubSpot(AdapterSuite):
    """Against HubSpot's sandbox, over a real socket."""

    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        """Serve the sandbox of this plugin."""
        return plugin_workbench(plugin, options, folder)
