"""Going on without files where an account does not let us read them: rules over them are undecided, and say why."""

from __future__ import annotations

from collections.abc import Iterator

from crmbridge.engine.text import plain
from crmbridge.errors import NotGrantedError
from crmbridge.model.records import Kind
from crmbridge.ports import Page
from crmbridge.services.workspace import Workspace

FORBIDDEN = "crmbridge.files_forbidden"  # why files are not known; beside what the adapter keeps
HANGING = {Kind.ACTIVITY: "activities", Kind.NOTE: "notes", Kind.FILE: "files"}  # read after the deals
LONGEST = 500  # characters of a reason


def pull_readable(workspace: Workspace, connection: str, kind: Kind, since: str | None) -> Iterator[Page]:
    """Pull a kind. Of files, that the account does not let us read them is remembered and ends nothing.

    While what hangs on deals is read for the first time a part of it is known: until `note_whole` nobody relies on it.
    """
    adapter = workspace.adapter(connection)
    if kind in HANGING and (unread(workspace, connection, kind) or _is_first(workspace, connection, kind)):
        workspace.store.memory(connection)[_key(kind)] = _partly(connection, kind)
    if kind is not Kind.FILE:
        yield from adapter.pull(kind, since)
        return
    try:
        yield from adapter.pull(kind, since)
    except NotGrantedError as error:
        message = error.message.removeprefix(f"{connection}: ")
        reason = plain(f"{connection} does not let crmbridge read files: {message}. {error.advice}", LONGEST)
        workspace.store.memory(connection)[FORBIDDEN] = reason
        workspace.progress("pull", f"{connection}: files can't be read")


def note_whole(workspace: Workspace, connection: str, kind: Kind) -> None:
    """Note that everything that a pull brought is saved."""
    if kind in HANGING and unread(workspace, connection, kind) == _partly(connection, kind):
        workspace.store.memory(connection)[_key(kind)] = ""


def unread(workspace: Workspace, connection: str, kind: Kind) -> str:
    """Say why nobody knows all of a kind: an account does not let us read files, or not all were read; else nothing."""
    return workspace.store.memory(connection).get(_key(kind), "") if kind in HANGING else ""


def _key(kind: Kind) -> str:
    return FORBIDDEN if kind is Kind.FILE else f"crmbridge.{kind}_unread"


def _is_first(workspace: Workspace, connection: str, kind: Kind) -> bool:
    return kind not in workspace.store.records.cursors(connection)


def _partly(connection: str, kind: Kind) -> str:
    return plain(f"Not all {HANGING[kind]} of {connection} are read yet", LONGEST)


def why_no_files(workspace: Workspace, connection: str) -> str:
    """Say why nobody can tell which files hang on a connection's deals, in half a sentence."""
    reason = unread(workspace, connection, Kind.FILE).rstrip(".")
    return reason or f"Files are not pulled from {connection}"
