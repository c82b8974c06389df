"""What breaks in a call of an adapter, which the engine takes for a bug of one connection: a play ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crmbridge.errors import CrmbridgeError


class Breaking:
    """Keeps what first broke, a promise or the adapter itself, whatever the engine made of it."""

    def __init__(self) -> None:
        self._first: Exception | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what breaks in the block; errors that an adapter may raise are none of it."""
        try:
            yield
        except CrmbridgeError:
            raise
        except Exception as error:
            self._first = self._first or error
            raise

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raise what broke once the block ends, also where that ends by what came of it."""
        try:
            yield
        finally:
            if self._first is not None:
                raise self._first
