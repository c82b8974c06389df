"""What ends a process at one of the boundaries that it passes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

from sqlalchemy import Connection, Engine, event

from crmbridge.store.sqlite import BEFORE_COMMITS, WRITES


class Killed(BaseException):
    """The process is gone: nothing after this point is done, not even what errors are caught for."""


class Fuse:
    """Ends the process at one of the boundaries that it passes: before or after a write, or a change of the state.

    A process that ended does nothing more: whatever it still tries, such as giving its lease back, ends the same way.
    """

    def __init__(self) -> None:
        self._left: int | None = None
        self.burnt = False

    def light(self, boundaries: int | None) -> None:
        """Burn down after this many boundaries, in a new process; None never does."""
        self._left, self.burnt = boundaries, False

    def burn(self) -> None:
        """Pass a boundary."""
        self.check()
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            self.burnt = True
            raise Killed

    def check(self) -> None:
        """End what a process that ended already goes on with."""
        if self.burnt:
            raise Killed


_lit: list[Fuse] = []


@contextlib.contextmanager
def burning_at_commits(fuse: Fuse) -> Iterator[None]:
    """Until the block ends, let each transaction that changes a state be a boundary, just before it is committed.

    What comes after a commit changes nothing before the next boundary, so it needs none of its own.
    """
    _listen()
    _lit.append(fuse)
    try:
        yield
    finally:
        _lit.remove(fuse)


@cache
def _listen() -> None:
    BEFORE_COMMITS.append(_burn)

    @event.listens_for(Engine, "commit")  # of a server: those in a file are told above
    def burn(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            _burn()


def _burn() -> None:
    if _lit:
        _lit[-1].burn()
