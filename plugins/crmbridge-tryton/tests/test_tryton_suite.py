"""The Tryton adapter passes the tests that every adapter passes, against a real server."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import pytest

from crmbridge.sandbox import SandboxOptions
from crmbridge.testing import AdapterSuite, AdapterWorkbench, Exemption, SuiteConfig
from crmbridge_tryton_server.bench import tryton_workbench
from crmbridge_tryton_server.running import TrytonServer


class TestTryton(AdapterSuite):
    """A page holds 100, so the crowd is a little larger than that."""

    config: ClassVar[SuiteConfig] = SuiteConfig(
        crowd=110,
        big=410,
        exempt=(
            Exemption("test_a_deleted_note_leaves_a_tombstone", "Tryton keeps no history of notes"),
            Exemption("test_what_happens_is_told_with_its_time", "the clock of a real server is not the bench's"),
        ),
    )

    @pytest.fixture(autouse=True)
    def _on(self, tryton: TrytonServer) -> None:
        self.server = tryton

    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        """Fill the server anew."""
        return tryton_workbench(self.server, options, folder)
