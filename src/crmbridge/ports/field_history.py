"""What an adapter can do beside the port: tell what fields of deals held before, as its CRM recorded it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeGuard

from crmbridge.model.courses import Course
from crmbridge.model.records import Record
from crmbridge.ports.crm import Adapter


class TellsFieldHistory(Protocol):
    """An adapter whose CRM keeps a history of fields. It says so by `capabilities.field_history`."""

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterable[Course]:
        """Read what fields held from a moment on until each deal was last changed, as it is given.

        Yields one course for each deal and field. It begins with the value that held at `since`, or later where the CRM
        knows less, and ends at the deal's `updated_at`. Values are read as `pull` reads the field. A value that can't
        be read is kept with its problem. What the CRM does not record, or no longer has, comes as a course without
        values that says why; what is not recorded is never taken for what did not change.

        Is asked for no more deals than `capabilities.field_history`. Raises RetryLaterError, or another error of
        `crmbridge.errors`, when the CRM does not answer; no course is made up for what was not read.
        """
        ...


def tells_field_history(adapter: Adapter) -> TypeGuard[TellsFieldHistory]:
    """Tell whether an adapter declares that it can be asked; older ones know nothing of it."""
    return adapter.capabilities.field_history > 0
