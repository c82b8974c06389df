"""What an adapter can do beside the port: tell which of the account's fields the bound ones stand for now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeGuard

from crmbridge.ports.crm import Adapter


class BoundTo(NamedTuple):
    """Where a field of ours is read from."""

    native: str  # what the CRM itself calls the field that it stands for now
    read_by: str = ""  # the set-up of the account that its values are read by, such as a time zone; nothing where none


class TellsBound(Adapter, Protocol):
    """An adapter whose CRM may have another field under the same name tomorrow. It says so by `capabilities.bound`."""

    def bound_fields(self) -> Mapping[str, BoundTo]:
        """Give what each bound field is read from now; those not there are left out.

        It is what deals are read with, so it costs no request of its own. A field that was deleted and made again is
        called otherwise, as far as the CRM tells the two apart. Standard fields are among them where their values are
        read by something of the account's set-up.
        """
        ...


def tells_bound(adapter: Adapter) -> TypeGuard[TellsBound]:
    """Tell whether an adapter declares that it can tell; older ones know nothing of it."""
    return adapter.capabilities.bound
