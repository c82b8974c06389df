"""What a command was called with, and what it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from crmbridge.cli import exits
from crmbridge.cli.output import Line, Screen, err, out
from crmbridge.cli.stopping import Stop

if TYPE_CHECKING:
    from crmbridge.ports import Clock
    from crmbridge.services.workspace import Workspace


class Call(Struct, kw_only=True):
    """One call of the command line: the options that hold everywhere. Filled in while the arguments are read."""

    command: str = ""
    project: Path = Path()
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    colour: bool = True
    patience: timedelta = timedelta(0)  # how long to wait while another run holds the state
    stop: Stop = field(default_factory=Stop)
    clock: Clock | None = None  # a test's own

    @property
    def out(self) -> Screen:
        """The screen for results."""
        return out(colour=self.colour)

    @property
    def err(self) -> Screen:
        """The screen for messages."""
        return err(colour=self.colour)

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Open the project for work, showing progress to whoever watches; the progress goes away with the block."""
        from crmbridge.cli.progress import patient_clock, showing_progress, showing_warnings  # noqa: PLC0415  as needed

        with showing_warnings(self), showing_progress(self) as progress:
            from crmbridge.app import open_workspace  # noqa: PLC0415  the whole product; people see meanwhile that it starts

            clock = self.clock or patient_clock(self.stop)
            with open_workspace(self.project, progress, clock=clock, patience=self.patience) as workspace:
                yield workspace


class Reply(Struct, frozen=True, kw_only=True):
    """What a command answers: plain JSON for programs, lines for people, and the exit code.

    `error` says what is wrong where the exit code isn't good: code, message, advice and diagnostics. `shown` is
    what goes to the terminal's messages rather than its results.
    """

    result: Any = None
    lines: Sequence[Line] = ()
    exit_code: int = 0
    error: Mapping[str, Any] | None = None
    shown: Sequence[Line] = ()
    printed: bool = False  # the command has said everything itself, `--json` included

    def document(self, command: str) -> dict[str, Any]:
        """Give the one JSON document that `--json` prints.

        `ok` is false exactly when there is an `error`, and that is whenever the exit code is neither 0 nor 10.
        """
        good = exits.is_good(self.exit_code)
        body: dict[str, Any] = {"ok": good, "command": command}
        if self.result is not None:
            body["result"] = self.result
        if not good:
            body["error"] = dict(self.error or error_part(self.exit_code))
        return {**body, "exit_code": self.exit_code}


def error_part(
    exit_code: int,
    *,
    code: str = "",
    message: str = "",
    advice: str = "",
    diagnostics: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Make the `error` of a document; what is not said comes from the table of exit codes."""
    known = exits.exit_of(exit_code)
    return {
        "code": code or known.name,
        "message": message or known.means,
        "advice": advice or known.advice,
        "diagnostics": [dict(diagnostic) for diagnostic in diagnostics],
    }
