"""Show what is going on: a status line at a terminal, plain lines elsewhere for those who ask for them."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from crmbridge.cli.output import clean, drop, is_terminal, wants_colour
from crmbridge.cli.stopping import Stop
from crmbridge.clock import SystemClock
from crmbridge.errors import AdapterBugError
from crmbridge.revealed import strike

if TYPE_CHECKING:
    from pathlib import Path

    from crmbridge.cli.call import Call
    from crmbridge.services.workspace import Progress

LOGGER = "crmbridge"
STILL = 0.3  # seconds
STARTING = "starting"


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
    told, line = Told(), _Line(call)

    def show(step: str, about: str) -> None:
        call.stop.check()
        line.show(clean(told.add(step, about)))

    line.begin()
    try:
        yield show
    finally:
        line.end()


class _Line:
    """The status line, with a spinner that turns a moment later.

    What draws it takes 40 ms to import: what is over sooner does without, and else a CRM's first answers are awaited.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._text = STARTING
        self._lock = threading.Lock()
        self._turns = threading.Timer(STILL, self._turn)
        self._turns.daemon = True
        self._ended = False
        self._draw: Callable[[str], None] | None = None
        self._drawing = contextlib.ExitStack()

    def begin(self) -> None:
        """Show that something begins. Whatever is said before the spinner turns is written over it."""
        self._call.err.write(f"⠋ {STARTING}\r")
        self._turns.start()

    def show(self, text: str) -> None:
        """Let the line say something else."""
        with self._lock:
            self._text = text
            if self._draw is not None:
                with _unless_closed():
                    self._draw(text)

    def end(self) -> None:
        """Take the line away."""
        self._turns.cancel()
        with self._lock:
            self._ended = True
            if self._draw is None:
                self._call.err.write(" " * len(f"⠋ {STARTING}") + "\r")  # which any terminal knows
            with _unless_closed():
                self._drawing.close()

    def _turn(self) -> None:
        from rich.console import Console  # noqa: PLC0415  only at a terminal, and late
        from rich.live import Live  # noqa: PLC0415  the same
        from rich.spinner import Spinner  # noqa: PLC0415  the same
        from rich.text import Text  # noqa: PLC0415  the same

        def draw(text: str) -> None:
            spinner.update(text=Text(text))
            live.refresh()  # which would else come up to 80 ms later

        console = Console(stderr=True, no_color=not (self._call.colour and wants_colour(sys.stderr)))
        with self._lock:
            if self._ended:
                return
            spinner = Spinner("dots", Text(self._text), style="status.spinner")
            live = self._drawing.enter_context(Live(spinner, console=console, refresh_per_second=12.5, transient=True))
            self._draw = draw


@contextlib.contextmanager
def _unless_closed() -> Iterator[None]:
    """Draw, unless the terminal was closed meanwhile: then nobody looks, and what is going on goes on."""
    try:
        yield
    except OSError:
        drop(sys.stderr)


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
        from crmbridge.cli.crash_logs import write_log  # noqa: PLC0415  for bugs only

        return write_log(error, self._call.command, self._call.project)
