"""The Pipedrive adapter passes the tests that every adapter passes, against its own sandbox."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter
from crmbridge.sandbox import SandboxOptions
from crmbridge.testing.adapters.suite import AdapterSuite
from crmbridge.testing.adapters.workbench import AdapterWorkbench, Exemption, SuiteConfig, plugin_workbench
from crmbridge_pipedrive import plugin
from crmbridge_pipedrive.sandbox.signing import CLIENT_ID, CLIENT_SECRET

QUIET = "no list tells of deleted activities, notes or files, so that is found out once a day (Activities, v2)"


class TestPipedrive(AdapterSuite):
    """A page of deals holds 500, so the crowd is larger than that."""

    config: ClassVar[SuiteConfig] = SuiteConfig(
        crowd=520,
        exempt=(
            Exemption("test_a_deleted_activity_leaves_a_tombstone", QUIET),
            Exemption("test_a_deleted_note_leaves_a_tombstone", QUIET),
            Exemption("test_a_deleted_file_leaves_a_tombstone", QUIET),
        ),
    )

    def workbench(self, options: SandboxOptions, folder: Path) -> AbstractContextManager[AdapterWorkbench]:
        """Serve a sandbox that takes the API token, and OAuth where a test needs sessions."""
        # Waiting for the rate limit moves the clock, and the world must not move with it.
        return with_sessions(replace(options, now=options.as_of), folder)


@contextmanager
def with_sessions(options: SandboxOptions, folder: Path) -> Iterator[AdapterWorkbench]:
    """Give a workbench that can sign in by OAuth, too."""
    with plugin_workbench(plugin, options, folder) as bench:
        secret, refresh = folder / "secret", folder / "refresh"
        secret.write_text(CLIENT_SECRET, "utf-8")
        refresh.write_text(bench.served.sandbox.state.sessions.refresh_token, "utf-8")
        app = {
            "client_id": CLIENT_ID,
            "client_secret": {"file": str(secret)},
            "refresh_token": {"file": str(refresh)},
        }

        def sign_in() -> Adapter:
            return bench.open(token=None, oauth=app)

        yield replace(bench, sign_in=sign_in)
