"""Reading halfway: of which connections nobody knows all deals yet, so that one that is missing says nothing."""

from __future__ import annotations

from collections.abc import Iterator

from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind
from crmbridge.services.pull.kinds import wanted_kinds
from crmbridge.services.workspace import Workspace

_LOOKED_FOR = (Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL)  # what counterparts are found by
_YES, _NO = "yes", ""


def note_begun(workspace: Workspace, connection: str, kind: Kind) -> None:
    """Note that a kind is read from its beginning: until `note_ended`, what is not there may only not be read yet."""
    if kind in _LOOKED_FOR:
        workspace.store.memory(connection)[_key(kind)] = _YES


def note_ended(workspace: Workspace, connection: str, kind: Kind) -> None:
    """Note that a pull of a kind came to its end."""
    memory = workspace.store.memory(connection)
    if kind in _LOOKED_FOR and memory.get(_key(kind), _NO):
        memory[_key(kind)] = _NO


def half_read(workspace: Workspace) -> Iterator[tuple[str, RetryLaterError]]:
    """Give the connections of which not all is read, each with the error that says so."""
    project = workspace.project
    for connection in workspace.connections:
        memory = workspace.store.memory(connection)
        wanted = wanted_kinds(project.process, project.settings.connections[connection])
        # A kind that the settings named once, and no pull reads any more, is not waited for.
        begun = any(memory.get(_key(kind), _NO) for kind in _LOOKED_FOR if kind in wanted)
        if begun or Kind.DEAL not in workspace.store.records.cursors(connection):
            said = "not all of its deals are read yet, so nothing is planned with it"
            yield connection, RetryLaterError(f"{connection}: {said}", advice=f"Run `crmbridge pull {connection}`.")


def _key(kind: Kind) -> str:
    return f"crmbridge.{kind}_begun"
