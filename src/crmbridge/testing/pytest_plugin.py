"""The pytest plugin that comes with crmbridge: a clock that stands still, and a project to run commands in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct, field

if TYPE_CHECKING:
    from crmbridge.sandbox import VirtualClock

SECONDS = 120


class Outcome(Struct, frozen=True, kw_only=True):
    """What a command did: its exit code, and what it said on either stream."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout, for commands that were run with `--json`."""
        return json.loads(self.out)

    def expect(self, exit_code: int) -> Outcome:
        """Fail the test, showing what was said, unless the command ended with this exit code and no traceback."""
        said = f"exit code {self.exit_code}\n{self.out}\n{self.err}"
        assert self.exit_code == exit_code, said
        assert "Traceback" not in self.err, said
        return self


class CommandProject(Struct, frozen=True, kw_only=True):
    """A folder with a project in it; `run` runs `crmbridge` there, as a process of its own."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project, over what is there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def run(self, *arguments: str, **environment: str) -> Outcome:
        """Run one command without a terminal; `environment` is laid over the usual variables."""
        done = subprocess.run(  # noqa: S603  the project's own command, with a test's arguments
            self.command(*arguments),
            cwd=self.folder,
            env={**os.environ, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Outcome(exit_code=done.returncode, out=done.stdout, err=done.stderr)

    def command(self, *arguments: str) -> list[str]:
        """Give the command line that `run` would run, for tests that start and stop it themselves."""
        return [sys.executable, "-m", "crmbridge", *arguments]


@pytest.fixture
def virtual_clock() -> Callable[[datetime], VirtualClock]:
    """Make a clock that stands at a moment until it is told to go on."""
    from crmbridge.sandbox import VirtualClock  # noqa: PLC0415  only for tests that ask for it

    return VirtualClock


@pytest.fixture
def crmbridge_project(tmp_path: Path) -> CommandProject:
    """Give a new project, as `crmbridge init` makes it."""
    from crmbridge.services.projects.creating import create_project  # noqa: PLC0415  only for tests that ask for it

    folder = tmp_path / "project"
    create_project(folder)
    return CommandProject(folder=folder)
