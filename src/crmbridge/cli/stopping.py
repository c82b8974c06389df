"""Stop on a signal in good order: what is being written is finished or noted, leases are given back."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import ClassVar


class Terminated(BaseException):
    """The process was asked to end (SIGTERM), or its terminal was closed (SIGHUP)."""

    exit_code: ClassVar[int] = 143


class Stopped(BaseException):
    """A thread noticed that the process is about to end."""

    exit_code: ClassVar[int] = 130


class Stop:
    """Whether the process was asked to end. The main thread gets an exception; other threads ask `check`."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.exit_code: int | None = None  # of a process that was asked to end

    def check(self) -> None:
        """Raise Stopped once the process was asked to end; called at places where stopping costs nothing."""
        if self._asked.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than until the process is asked to end."""
        self._asked.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Turn SIGINT into KeyboardInterrupt, SIGTERM and SIGHUP into Terminated until the block ends.

        Each comes once; what the first one set in motion is not cut off by a second SIGTERM. A second Ctrl-C is
        somebody who is tired of waiting, and is obeyed.
        """
        handlers = {signal.SIGINT: self._interrupt, signal.SIGTERM: self._terminate}
        hangup = getattr(signal, "SIGHUP", signal.SIGTERM)  # Windows has none
        if signal.getsignal(hangup) != signal.SIG_IGN:  # as it is under nohup
            handlers[hangup] = self._terminate
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.set()
        self.exit_code = Stopped.exit_code
        raise KeyboardInterrupt

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        if not self._asked.is_set():
            self._asked.set()
            self.exit_code = Terminated.exit_code
            raise Terminated
