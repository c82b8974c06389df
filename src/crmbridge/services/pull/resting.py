"""Resting: users, companies and contacts, which change seldom, are not asked for anew in each run.

Where a deal names one that isn't known, all of them are read at once, in every connection: its counterpart may have
been made a moment ago as well. They are read again in the next run, as a CRM may show late what was just made. What
else changes of them waits for at most the time that the settings say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import FieldType, iso, parse_iso
from crmbridge.services.workspace import Workspace, field_bindings

RESTING = frozenset({Kind.USER, Kind.COMPANY, Kind.CONTACT})
READ_AT = "crmbridge.around_read_at"  # when all of them were last read to the end, by our clock, as that reading began
NAMES: Mapping[str, Kind] = {"owner": Kind.USER, "company": Kind.COMPANY, "contacts": Kind.CONTACT}


def may_rest(workspace: Workspace, connection: str) -> bool:
    """Tell whether what was read of users, companies and contacts is young enough."""
    every = timedelta(minutes=workspace.project.settings.connections[connection].around_every)
    with suppress(KeyError, ValueError):  # never noted, or by another version
        read_at = parse_iso(workspace.store.memory(connection)[READ_AT])
        # A clock that was put back would let them rest for longer than anybody meant.
        return read_at <= workspace.clock.now() < read_at + every
    return False


def note_read(workspace: Workspace, connection: str, begun: datetime) -> None:
    """Note that users, companies and contacts were all read, and when that began."""
    workspace.store.memory(connection)[READ_AT] = iso(begun)


def forget_reading(workspace: Workspace, connections: Iterable[str]) -> None:
    """Let nothing rest in the next run."""
    for connection in connections:
        with suppress(KeyError):
            del workspace.store.memory(connection)[READ_AT]


def names_unknown(workspace: Workspace, deals: Collection[Record], kinds: Collection[Kind]) -> bool:
    """Tell whether deals of one connection name a record of these kinds that was never seen, not even as gone."""
    if not deals or not kinds:
        return False
    entry = workspace.project.settings.connections[next(iter(deals)).ref.connection]
    bound = field_bindings(workspace.project.process, entry.fields)
    names = {**NAMES, **{binding.name: Kind.USER for binding in bound if binding.type is FieldType.USER}}
    wanted = {ref for deal in deals for ref in _named(deal, names) if ref.kind in kinds}
    records = workspace.store.records
    missing = wanted - records.get(wanted).keys() if wanted else wanted
    return bool(missing) and not missing <= records.tombstones(missing).keys()


def _named(deal: Record, names: Mapping[str, Kind]) -> Iterator[Ref]:
    for name, kind in names.items():
        value = deal.fields.get(name)
        for native in value if isinstance(value, tuple) else (value,):
            if native:
                yield Ref(deal.ref.connection, kind, str(native))
