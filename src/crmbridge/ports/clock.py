"""The time of day, as a port."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The only source of the time of day, and the only thing that waits."""

    def now(self) -> datetime:
        """Give the time, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
