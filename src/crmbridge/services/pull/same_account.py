"""Accounts: no two names for one, as each of its deals would be taken for another one and given counterparts anew."""

from __future__ import annotations

import hashlib
import json

from crmbridge.engine.text import plain
from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind
from crmbridge.ports import Description
from crmbridge.services.pull.bookmarks import marks_of
from crmbridge.services.workspace import Workspace

_ACCOUNT = "crmbridge.account"  # which adapter a connection has, and which account it leads to
_PEOPLE = "crmbridge.account_people"  # a digest of who works there: several accounts may be called the same


def note_account(workspace: Workspace, connection: str, description: Description, *, new: bool) -> None:
    """Note which account a connection leads to.

    Raises ConfigurationError for a `new` one, of which nothing was pulled yet, to an account that is kept in step with
    itself then, or whose deals are linked under a name that the settings have no more.
    """
    memory = workspace.store.memory(connection)
    said = _said(workspace, connection, description.account)
    news = {_ACCOUNT: said, _PEOPLE: _people(description)}
    for name, value in news.items():
        if memory.get(name) != value:
            memory[name] = value
    if not new:
        return
    for other in _beside(workspace, connection):
        known = workspace.store.memory(other)
        if all(known.get(name) == value for name, value in news.items()):
            raise ConfigurationError(
                f"{connection} and {other} lead to one account, {plain(description.account)}, and are to be kept in "
                "step with each other",
                advice="Let one of them lead to another account, or take it out of `between`.",
            )
    if former := _linked_before(workspace, said, description.account):
        raise ConfigurationError(
            f"The connection {connection} leads to the account {plain(description.account)}, whose deals are linked "
            f"under the name {former}; each of them would be made a second time",
            advice=f"Call it {former} again, or let `store:` name a new state.",
        )


def _said(workspace: Workspace, connection: str, account: str) -> str:
    return json.dumps([workspace.project.settings.connections[connection].adapter, account])


def _people(description: Description) -> str:
    ids = sorted(user.ref.id for user in description.users)
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]


def _beside(workspace: Workspace, connection: str) -> list[str]:
    """Name the connections that one is kept in step with."""
    entries = [entry.between for entry in workspace.project.settings.sync if connection in entry.between]
    return [name for between in entries for name in between if name != connection]


def _linked_before(workspace: Workspace, said: str, account: str) -> str:
    """Name a connection that left the settings, led to this account, and has deals that are linked; nothing if none."""
    links = workspace.store.links.links().values()
    linked = {ref.connection for refs in links if len(refs) > 1 for ref in refs if ref.kind is Kind.DEAL}
    for name in sorted(linked.difference(workspace.connections)):
        known = workspace.store.memory(name).get(_ACCOUNT)
        read = {mark.account for mark in marks_of(workspace, name).values()}  # what it was before this was noted
        if known == said or (known is None and account in read):
            return name
    return ""
