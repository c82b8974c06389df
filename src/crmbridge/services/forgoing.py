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

FORBIDDEN = "crmbridge.files_forbidden"  # why files could not be read; beside what the adapter keeps
LONGEST = 500  # characters of a reason


def pull_readable(workspace: Workspace, connection: str, kind: Kind, since: str | None) -> Iterator[Page]:
    """Pull a kind. Of files, that the account does not let us read them is remembered and ends nothing."""
    adapter = workspace.adapter(connection)
    if kind is not Kind.FILE:
        yield from adapter.pull(kind, since)
        return
    reason = ""
    try:
        yield from adapter.pull(kind, since)
    except NotGrantedError as error:
        message = error.message.removeprefix(f"{connection}: ")
        reason = plain(f"{connection} does not let crmbridge read files: {message}. {error.advice}", LONGEST)
        workspace.progress("pull", f"{connection}: files can't be read")
    if reason != forbidden(workspace, connection):
        workspace.store.memory(connection)[FORBIDDEN] = reason


def forbidden(workspace: Workspace, connection: str) -> str:
    """Say why the account did not let us read its files the last time; empty where it did."""
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
