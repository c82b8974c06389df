"""A clock beside another one: a CRM's and ours are two, and somebody may put either to another time."""

from __future__ import annotations

from datetime import datetime, timedelta

from crmbridge.sandbox import VirtualClock


class ClockBeside:
    """Our clock: that of a CRM, and some time `beside` it, which a test may change."""

    def __init__(self, theirs: VirtualClock) -> None:
        self._theirs, self.beside = theirs, timedelta(0)

    def now(self) -> datetime:
        """Give our time, aware."""
        return self._theirs.now() + self.beside

    def sleep(self, seconds: float) -> None:
        """Let time pass, there as here."""
        self._theirs.sleep(seconds)
