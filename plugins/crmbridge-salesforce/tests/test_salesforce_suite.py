"""The Salesforce adapter against its own sandbox, by the suite that every adapter passes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter
from crmbridge.sandbox import SandboxOptions
from crmbridge.testing.adapters.suite import AdapterSuite
from crmbridge.testing.adapters.workbench import AdapterWorkbench, SuiteConfig, plugin_workbench
from crmbridge_salesforce import plugin
from crmbridge_salesforce.sandbox.objects import FIGURE_FIELD
from crmbridge_salesforce.sandbox.sign_in import CLIENT_ID, CLIENT_SECRET


class TestSalesforce(AdapterSuite):
    """Every promise of an adapter, kept over a real socket: by small pages, and in bulk where a test is about much."""

    config: ClassVar[SuiteConfig] = SuiteConfig(crowd=420, big=3300, slicing={"bulk_above": 500}, figure=FIGURE_FIELD)

    @contextlib.contextmanager
    def workbench(self, options: SandboxOptions, folder: Path) -> Iterator[AdapterWorkbench]:
        """Serve the org and open the adapter on it, or one that signs in by client credentials."""
        secret = folder / "secret"
        secret.write_text(CLIENT_SECRET, "utf-8")
        way = {"client_id": CLIENT_ID, "client_secret": {"file": str(secret)}}
        with plugin_workbench(plugin, options, folder) as bench:

            def by_small_pages(**settings: Any) -> Adapter:
                return bench.open(**{"page_size": 100, **settings})

            def sign_in() -> Adapter:
                return by_small_pages(token=None, client_credentials=way)

            yield replace(bench, open=by_small_pages, sign_in=sign_in)
