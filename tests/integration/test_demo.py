"""The demo, played whole on the sandboxes that are installed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.commands.demo import command
from crmbridge.plugins import load_plugins
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.testing.factories import NOON


def test_the_demo_goes_as_it_should(tmp_path: Path) -> None:
    """It writes, people edit, it writes again, and then nothing is left to write."""
    if not load_plugins().sandboxes():
        pytest.skip("no plugin with a sandbox is installed")
    call = Call(command="demo", json=True, clock=VirtualClock(NOON))
    with click.Context(command, obj=call) as context:
        reply = context.invoke(command, folder=tmp_path / "demo")

    assert isinstance(reply, Reply)
    assert (0, None) == (reply.exit_code, reply.error)
    assert [True, True, True, False] == [run["planned"] > 0 for run in reply.result["runs"]]
