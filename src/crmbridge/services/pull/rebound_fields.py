"""Rebinding: a field that stands for another field of its CRM than before was not edited there."""

from __future__ import annotations

import json
from collections.abc import Sequence

from crmbridge.engine.sync.forms import missed, overwritten
from crmbridge.model.records import Kind
from crmbridge.model.values import Value
from crmbridge.services.pull.half_read import note_begun
from crmbridge.services.workspace import Workspace, field_bindings

BOUND = "crmbridge.bound"  # the CRM's field that each of ours was last read from, as JSON


def part_with_rebound(workspace: Workspace, connection: str) -> None:
    """Let what was agreed on with a connection's deals no longer count in fields that are bound to others since.

    What they hold in those stands beside what the others have, as in a field that is named for the first time. This
    comes before anything is read anew, as the first page that is saved says by which settings it was read.
    """
    memory = workspace.store.memory(connection)
    entry = workspace.project.settings.connections[connection]
    now = {each.name: each.native for each in field_bindings(workspace.project.process, entry.fields)}
    before = json.loads(memory.get(BOUND, "{}"))
    names = [name for name, native in now.items() if before.get(name, native) != native]
    if names:
        note_begun(workspace, connection, Kind.DEAL)
        _forget(workspace, connection, names)
    # Also of those that are left out now: they may be named again, and stand for another field then.
    if (known := json.dumps({**before, **now}, sort_keys=True)) != memory.get(BOUND):
        memory[BOUND] = known


def _forget(workspace: Workspace, connection: str, names: Sequence[str]) -> None:
    from crmbridge.services.chunks import chunks  # noqa: PLC0415  what a pull does without

    unknown: dict[str, Value] = overwritten(names)
    for name in names:
        unknown |= {name: None, **missed(name, {})}
    links = workspace.store.links.links().values()
    deals = [ref for refs in links for ref in refs if ref.connection == connection and ref.kind is Kind.DEAL]
    for part in chunks(deals):
        workspace.store.links.save_bases(dict.fromkeys(part, unknown))
