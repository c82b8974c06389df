"""Show what is going on: a status line at a terminal, plain lines elsewhere for those who ask for them."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from crmbridge.cli.output import clean, is_terminal, wants_colour
from crmbridge.cli.stopping import Stop
from crmbridge.clock import SystemClock
from crmbridge.errors import AdapterBugError
from crmbridge.revealed import strike

if TYPE_CHECKING:
    from pathlib import Path

    from crmbridge.cli.call import Call
    from crmbridge.services.workspace import Progress

LOGGER = "crmbridge"


class _PatientClock(SystemClock):
    """The machine's clock, whose waits end when the process is asked to end."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        """Wait for real, but not past a signal."""
        self._stop.wait(seconds)


def patient_clock(stop: Stop) -> SystemClock:
    """Make the machine's clock, its waits cut short by `stop`."""
    return _PatientClock(stop)


@contextlib.contextmanager
def showing_progress(call: Call) -> Iterator[Progress]:
    """Give what a workspace tells its progress to. Each call is also a place where a stop is noticed."""

    def nothing(_step: str, _about: str) -> None:
        call.stop.check()

    def plain(step: str, about: str) -> None:
        call.stop.check()
        call.err.show([f"{step}: {about}"])

    watched = is_terminal(sys.stderr)
    if call.quiet or not (watched or call.verbose):
        yield nothing
    elif call.verbose or not watched:
        yield plain
    else:
        with _status_line(call) as shown:
            yield shown


@contextlib.contextmanager
def _status_line(call: Call) -> Iterator[Progress]:
    from rich.console import Console  # noqa: PLC0415  only at a terminal: it takes 40 ms
    from rich.live import Live  # noqa: PLC0415  the same
    from rich.spinner import Spinner  # noqa: PLC0415  the same
    from rich.text import Text  # noqa: PLC0415  the same

    console = Console(stderr=True, no_color=not (call.colour and wants_colour(sys.stderr)))
    told = Told()
    spinner = Spinner("dots", Text("starting"), style="status.spinner")
    with Live(spinner, console=console, refresh_per_second=12.5, transient=True) as live:

        def show(step: str, about: str) -> None:
            call.stop.check()
            spinner.update(text=Text(clean(told.add(step, about))))
            live.refresh()  # which would else come up to 80 ms later

        yield show


class Told:
    """What was told last of each connection in one step, since several are at work side by side."""

    def __init__(self) -> None:
        self._step = ""
        self._last: dict[str, str] = {}

    def add(self, step: str, about: str) -> str:
        """Note what is told, and give all that holds now. What is about a connection begins with its name."""
        if step != self._step:
            self._step, self._last = step, {}
        name, colon, _ = about.partition(": ")
        self._last = {**self._last, (name if colon else ""): about}
        return f"{step}: {' · '.join(self._last.values())}"


@contextlib.contextmanager
def showing_warnings(call: Call) -> Iterator[None]:
    """Show what our parts log as one line each, without tracebacks unless asked for; never with a secret."""
    handler = _Lines(call)
    logger = logging.getLogger()
    before = logger.level
    logger.addHandler(handler)
    if call.verbose:
        logging.getLogger(LOGGER).setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Lines(logging.Handler):
    """Writes each record as one line on the screen for messages."""

    def __init__(self, call: Call) -> None:
        super().__init__(logging.INFO if call.verbose else logging.WARNING)
        self._call = call

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; what went wrong beside it is named by its kind only, as its words may hold anything.

        Of a bug in an adapter, which ends no command, the traceback goes to a file like that of any bug.
        """
        kind, error, _ = record.exc_info or (None, None, None)
        why = f" ({kind.__name__})" if kind else ""
        if isinstance(error, AdapterBugError) and (where := self._kept(error)):
            why = f"; please report it with the file {where}"
        if not self._call.quiet or record.levelno >= logging.ERROR:
            self._call.err.show([strike(f"{record.levelname.lower()}: {record.getMessage()}{why}")])

    def _kept(self, error: AdapterBugError) -> Path | None:
        from crmbridge.cli.failures import write_log  # noqa: PLC0415  for bugs only

        return write_log(error, self._call)
