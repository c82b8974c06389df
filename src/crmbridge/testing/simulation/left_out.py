"""What the settings of a play leave out for now: connections, fields, stages."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from crmbridge.engine.views import STAGE
from crmbridge.model.records import Ref
from crmbridge.settings import Settings, Sync


class LeftOut(Struct, frozen=True, kw_only=True):
    """What is not kept in step now, though people go on with it. `fields` are by connection.

    Where a stage is left out, what a CRM says of stages counts as left out as a whole: nobody judges by half of it.
    """

    connections: frozenset[str] = frozenset()
    fields: frozenset[tuple[str, str]] = frozenset()
    everywhere: frozenset[str] = frozenset()  # fields that no connection keeps in step

    @property
    def is_any(self) -> bool:
        """Tell whether anything is left out."""
        return bool(self.connections or self.fields or self.everywhere)

    def has(self, ref: Ref, name: str) -> bool:
        """Tell whether a deal's field is left out."""
        connection = ref.connection
        return connection in self.connections or name in self.everywhere or (connection, name) in self.fields

    def has_any(self, refs: Iterable[Ref], name: str) -> bool:
        """Tell whether a field is left out of any of these deals."""
        return self.is_any and any(self.has(ref, name) for ref in refs)


def left_out(whole: Settings, now: Settings) -> LeftOut:
    """Say what settings leave out of what the whole ones have."""
    entry: Sync | None = next(iter(now.sync), None)
    between = set(entry.between if entry else ())
    fields: set[tuple[str, str]] = set()
    for name in now.connections:
        fields |= {(name, field) for field in whole.connections[name].fields.keys() - now.connections[name].fields}
        if whole.stages[name].map != now.stages[name].map:
            fields.add((name, STAGE))
    everywhere = {field for field, how in entry.fields.items() if not how.sync} if entry else set()
    return LeftOut(
        connections=frozenset(whole.connections.keys() - between),
        fields=frozenset(fields),
        everywhere=frozenset(everywhere),
    )
