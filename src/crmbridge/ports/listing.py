"""What an adapter can do beside the port: name all records of a kind for less than asking for each by its id costs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, TypeGuard

from crmbridge.model.records import Kind
from crmbridge.ports.crm import Adapter


class NamesAll(Adapter, Protocol):
    """An adapter that can name all records of some kinds. It says of which by `capabilities.names_all`."""

    def name_all(self, kind: Kind) -> Collection[str] | None:
        """Give the ids of all records of a kind that are there; None where that would cost too much for now.

        It may miss some, as a list does from which something goes meanwhile: what it does not name is asked for by its
        id before anybody takes it for gone. It names none that is gone.
        """
        ...


def names_all(adapter: Adapter, kind: Kind) -> TypeGuard[NamesAll]:
    """Tell whether an adapter declares that it can name all of a kind; older ones know nothing of it."""
    return kind in adapter.capabilities.names_all
