"""Going on without files where an account does not let us read them: rules over them are undecided, and say why."""

from __future__ import annotations

from collections.abc import Iterator

from crmbridge.engine.activities import kinds_asked_for
from crmbridge.engine.text import plain
from crmbridge.errors import NotGrantedError
from crmbridge.model.records import Kind
from crmbridge.ports import Page
from crmbridge.services.health import Check, weak
from crmbridge.services.kinds import wanted_kinds
from crmbridge.services.workspace import Workspace

FORBIDDEN = "crmbridge.files_forbidden"  # why files are not known; beside what the adapter keeps
LONGEST = 500  # characters of a reason


def pull_readable(workspace: Workspace, connection: str, kind: Kind, since: str | None) -> Iterator[Page]:
    """Pull a kind. Of files, that the account does not let us read them is remembered and ends nothing.

    While they are read for the first time, or again after that, a part of them is known: until `note_whole` nobody
    relies on it.
    """
    adapter = workspace.adapter(connection)
    if kind is not Kind.FILE:
        yield from adapter.pull(kind, since)
        return
    if since is None or forbidden(workspace, connection):
        workspace.store.memory(connection)[FORBIDDEN] = _partly(connection)
    try:
        yield from adapter.pull(kind, since)
    except NotGrantedError as error:
        message = error.message.removeprefix(f"{connection}: ")
        reason = plain(f"{connection} does not let crmbridge read files: {message}. {error.advice}", LONGEST)
        workspace.store.memory(connection)[FORBIDDEN] = reason
        workspace.progress("pull", f"{connection}: files can't be read")


def note_whole(workspace: Workspace, connection: str, kind: Kind) -> None:
    """Note that everything that a pull brought is saved."""
    if kind is Kind.FILE and forbidden(workspace, connection) == _partly(connection):
        workspace.store.memory(connection)[FORBIDDEN] = ""


def _partly(connection: str) -> str:
    return plain(f"Not all files of {connection} are read yet", LONGEST)


def forbidden(workspace: Workspace, connection: str) -> str:
    """Say why nobody knows a connection's files: it does not let us read them, or not all were; else nothing."""
    return workspace.store.memory(connection).get(FORBIDDEN, "")


def why_no_files(workspace: Workspace, connection: str) -> str:
    """Say why nobody can tell which files hang on a connection's deals, in half a sentence."""
    reason = forbidden(workspace, connection).rstrip(".")
    return reason or f"Files are not pulled from {connection}"


def check_files(workspace: Workspace, connection: str) -> Iterator[Check]:
    """Look at whether files are read from a connection, where rules ask for them."""
    settings, process = workspace.project.settings, workspace.project.process
    if Kind.FILE not in kinds_asked_for(process, settings.conditions):
        return
    undecided = "Until then the rules that look at files are undecided for its deals."
    if Kind.FILE not in wanted_kinds(process, settings.connections[connection], settings.conditions):
        yield weak(connection, "rules look at files, which its `kinds` leave out", f"Add file to them. {undecided}")
    elif Kind.FILE not in workspace.adapter(connection).capabilities.kinds:
        yield weak(connection, "rules look at files, which its adapter does not read", undecided)
    elif reason := forbidden(workspace, connection):
        yield weak(connection, reason, undecided)
