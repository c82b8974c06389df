"""The tests that every adapter passes, for plugin authors to inherit.

    class TestMyCrm(AdapterSuite):
        def workbench(self, options, folder):
            return plugin_workbench(plugin, options, folder)

The suite knows no CRM. It finds out about the account through the adapter, about what should be there through the
sandbox's world, and acts as a person through the hands of the sandbox's `state` (crmbridge.testing.adapters.hands).

Requests go wrong through `served.sandbox.faults`; `partial` must refuse exactly one item, also where a batch is one.
Exceptions are declared in `config` with a reason each, never by overriding a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest

from crmbridge.ports import Adapter
from crmbridge.sandbox import SandboxOptions, VirtualClock
from crmbridge.testing.adapters.ahead import AskingAheadTests
from crmbridge.testing.adapters.amending import AmendingTests
from crmbridge.testing.adapters.archiving import ArchivingTests
from crmbridge.testing.adapters.associations import AssociationTests
from crmbridge.testing.adapters.capabilities import CapabilityTests
from crmbridge.testing.adapters.counterparts import CounterpartTests
from crmbridge.testing.adapters.faults import FaultTests
from crmbridge.testing.adapters.field_history import FieldHistoryTests
from crmbridge.testing.adapters.figures import FigureTests
from crmbridge.testing.adapters.files import FileTests
from crmbridge.testing.adapters.forgetting import ForgettingTests
from crmbridge.testing.adapters.hostile import HostileTests
from crmbridge.testing.adapters.incremental import IncrementalTests
from crmbridge.testing.adapters.kinds import ActivityTests, NoteTests
from crmbridge.testing.adapters.reading import DescribingTests, LookupTests, ReadingTests
from crmbridge.testing.adapters.replies import BadReplyTests
from crmbridge.testing.adapters.signing import CredentialTests, LimitTests
from crmbridge.testing.adapters.values import ValueTests
from crmbridge.testing.adapters.walks import WalkTests
from crmbridge.testing.adapters.workbench import AdapterWorkbench, SuiteConfig
from crmbridge.testing.adapters.writing import WritingTests

LATENCY = 30  # ms; so long that requests which are sent side by side are seen side by side
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


class AdapterSuite(
    DescribingTests,
    ReadingTests,
    LookupTests,
    ActivityTests,
    NoteTests,
    FileTests,
    IncrementalTests,
    ForgettingTests,
    WalkTests,
    AskingAheadTests,
    WritingTests,
    AmendingTests,
    ArchivingTests,
    CounterpartTests,
    AssociationTests,
    CapabilityTests,
    FigureTests,
    FieldHistoryTests,
    FaultTests,
    BadReplyTests,
    LimitTests,
    CredentialTests,
    HostileTests,
    ValueTests,
):
    """Inherit this, override `workbench`, and set `config` where the adapter needs it."""

    config: ClassVar[SuiteConfig] = SuiteConfig()

    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        """Serve a sandbox built with these options; `folder` is empty and may be used for the token."""
        raise AssertionError(f"override `workbench` to serve {options.deals} deals with a token in {folder}")

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[AdapterWorkbench]:
        """Give the usual workbench: some deals, the vendor's limits, no faults, a clock that stands still."""
        with self.workbench(SandboxOptions(seed=11, deals=self.config.deals, clock=VirtualClock(NOON)), tmp_path) as b:
            yield b

    @pytest.fixture
    def crowded(self, tmp_path: Path) -> Iterator[AdapterWorkbench]:
        """Give a workbench with more deals than fit on a page."""
        with self.workbench(SandboxOptions(seed=11, deals=self.config.crowd, clock=VirtualClock(NOON)), tmp_path) as b:
            yield b

    @pytest.fixture
    def shaky(self, tmp_path: Path) -> Iterator[AdapterWorkbench]:
        """Give a workbench where one request in ten goes wrong: five times in a row, which ends a pull, hardly ever."""
        faults = dict.fromkeys(("html", "cut_body", "cut_json", "empty_body", "error_503", "reset", "limit"), 0.015)
        options = SandboxOptions(seed=11, deals=self.config.deals, clock=VirtualClock(NOON), faults=faults)
        with self.workbench(options, tmp_path) as b:
            yield b

    @pytest.fixture
    def vast(self, tmp_path: Path) -> Iterator[AdapterWorkbench]:
        """Give a workbench with more deals than fit on several pages, which takes a moment to answer."""
        options = SandboxOptions(seed=11, deals=self.config.big, clock=VirtualClock(NOON), latency_ms=LATENCY)
        with self.workbench(options, tmp_path) as b:
            yield b

    @pytest.fixture
    def slicing(self, vast: AdapterWorkbench) -> Iterator[Adapter]:
        """Give an adapter that reads the many deals of that workbench in slices, where it declares that it does so."""
        opened = vast.open(**self.config.slicing)
        yield opened
        opened.close()

    @pytest.fixture
    def slicing_again(self, vast: AdapterWorkbench) -> Iterator[Adapter]:
        """Give another adapter of that kind, as the next run would open it."""
        opened = vast.open(**self.config.slicing)
        yield opened
        opened.close()

    @pytest.fixture
    def adapter(self, bench: AdapterWorkbench) -> Iterator[Adapter]:
        """Give an adapter opened on the usual workbench."""
        opened = bench.open()
        yield opened
        opened.close()

    @pytest.fixture(autouse=True)
    def _heed_exemptions(self, request: pytest.FixtureRequest) -> None:
        name = request.node.originalname
        if reason := self.config.reason(name):
            pytest.skip(f"exempt: {reason}")

    def test_exemptions_name_tests_and_say_why(self) -> None:
        """A misspelt exemption would silently exempt nothing, and one without a reason is a hole."""
        unknown = [e.test for e in self.config.exempt if not hasattr(self, e.test)]
        silent = [e.test for e in self.config.exempt if not e.reason.strip()]

        assert ([], []) == (unknown, silent)
