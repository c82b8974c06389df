"""Which kinds of records a connection pulls, and in which order."""

from __future__ import annotations

from collections.abc import Iterable

from crmbridge.engine.deals.activities import kinds_asked_for
from crmbridge.model.checks import Check
from crmbridge.model.process import Process
from crmbridge.model.records import Kind
from crmbridge.ports import Capabilities
from crmbridge.settings import Connection

# Deals come after what they name; what hangs on deals comes after them.
ORDER = (Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL, Kind.ACTIVITY, Kind.NOTE, Kind.FILE)
USUAL = frozenset({Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL})


def wanted_kinds(process: Process, entry: Connection, conditions: Iterable[Check] = ()) -> frozenset[Kind]:
    """Give the kinds that the settings name, deals always among them.

    Where they name none: users, companies, contacts and deals, and activities, notes and files when a rule, or a
    condition of the settings, looks at them.
    """
    if entry.kinds is not None:
        return frozenset({Kind.DEAL, *map(Kind, entry.kinds)})
    return USUAL | kinds_asked_for(process, conditions)


def pulled_kinds(
    process: Process, entry: Connection, capabilities: Capabilities, conditions: Iterable[Check] = ()
) -> tuple[Kind, ...]:
    """Give the kinds that are wanted and that the adapter knows, in the order in which they are pulled."""
    wanted = wanted_kinds(process, entry, conditions)
    return tuple(kind for kind in ORDER if kind in wanted and kind in capabilities.kinds)
