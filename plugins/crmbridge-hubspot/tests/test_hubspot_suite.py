"""HubSpot's adapter passes the suite that every adapter passes."""

from contextlib import AbstractContextManager
from pathlib import Path

from crmbridge.model.replacing import replace
from crmbridge.sandbox import SandboxOptions
from crmbridge.testing import AdapterSuite, AdapterWorkbench, plugin_workbench
from crmbridge_hubspot import plugin


class TestHubSpot(AdapterSuite):
    """Against HubSpot's sandbox, over a real socket."""

    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        """Serve the sandbox of this plugin."""
        # The world is made as of one time, however long the adapter waits for its searches.
        return plugin_workbench(plugin, replace(options, now=options.as_of), folder)
