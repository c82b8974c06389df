"""Ends a conversation that takes too long altogether, however it drips in.

What speaks over a socket only bounds each wait, so a byte from time to time would hold a run, and with it the state,
for good.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

ALTOGETHER = 3  # times the seconds of one wait: how long a whole conversation may take


class Deadline:
    """The sockets of a conversation, and whether its time is over: then all of them are shut."""

    def __init__(self) -> None:
        self._known: list[socket.socket] = []
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        """Tell whether it was cut off; what came last may be the beginning of an answer only."""
        return self._over.is_set()

    def watch(self, opened: socket.socket) -> None:
        """Take a socket of the conversation; a second handle of it, as the first one goes into what encrypts it."""
        self._known.append(opened.dup())
        if self.is_over:
            self.cut()

    def cut(self) -> None:
        """End the conversation."""
        self._over.set()
        for each in self._known:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the second handles back."""
        for each in self._known:
            each.close()


@contextlib.contextmanager
def cut_after(seconds: float) -> Iterator[Deadline]:
    """Give what is told of each socket of a conversation, which is cut off when the block lasts longer than that."""
    deadline = Deadline()
    timer = threading.Timer(seconds, deadline.cut)
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        timer.join()
        deadline.close()
