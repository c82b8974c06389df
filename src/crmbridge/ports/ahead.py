"""What an adapter can do beside the port: ask ahead, so that a first pull waits less before it shows something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeGuard

from crmbridge.model.records import Kind
from crmbridge.ports.crm import Adapter


class AsksAhead(Adapter, Protocol):
    """An adapter that can be told what will be pulled. It says so by `capabilities.ahead`."""

    def ask_ahead(self, kinds: Sequence[Kind]) -> None:
        """Begin to ask for the first of everything of these kinds, which are pulled in this order after `describe`.

        It waits for nothing and raises nothing: what went wrong is raised by the `pull` that would meet it as well, and
        what can't be asked before the account is known is asked then. Nothing is lost if no pull comes.
        """
        ...


def asks_ahead(adapter: Adapter) -> TypeGuard[AsksAhead]:
    """Tell whether an adapter declares that it can be told; older ones know nothing of it."""
    return adapter.capabilities.ahead
