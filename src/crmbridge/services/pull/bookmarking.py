"""Which account a connection leads to now, and in which way it is read: what bookmarks are good for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from crmbridge.engine.text import plain
from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind
from crmbridge.services.pull.bookmarks import Bookmark
from crmbridge.services.pull.first_use import first_used
from crmbridge.services.pull.kinds import ORDER
from crmbridge.services.pull.same_account import note_account
from crmbridge.services.workspace import Workspace, field_bindings

# What a connection can say that changes nothing in how its records look.
ASIDE = frozenset({"timeout", "share", "day_share", "kinds", "webhook", "around_every"})
LOOKED_AT = "crmbridge.account_looked_at"  # the day on which a connection was last seen to lead where it did before
SOURCES = frozenset({"env", "file", "command", "keyring"})  # where a secret can be


def bookmark_now(workspace: Workspace, connection: str, marks: Mapping[Kind, Bookmark]) -> Bookmark:
    """Say how a connection is read now; raises ConfigurationError when it leads to another account than before.

    The account is asked for when the settings changed, and once a day, as a secret can be replaced by another
    account's where it lies; more often would cost requests. Signing in in another way to the same account, or keeping
    the secret elsewhere, does not make everything be pulled anew.
    """
    settings = _digest(workspace, connection)
    stored = [marks[kind] for kind in ORDER if kind in marks]
    memory, today = workspace.store.memory(connection), workspace.clock.now().date().isoformat()
    if stored and all(mark.settings == settings for mark in stored) and memory.get(LOOKED_AT) == today:
        return Bookmark(account=stored[0].account, settings=settings)
    description = workspace.adapter(connection).describe()
    account = description.account
    if stored and stored[0].account != account:
        raise ConfigurationError(
            f"The connection {connection} led to the account {plain(stored[0].account)} before, and leads to "
            f"{plain(account)} now",
            advice="Give the new account a connection of its own; what is known of the old one stays as it is.",
        )
    note_account(workspace, connection, description, new=not stored)
    if description.credential is not None:
        first_used(workspace, connection, description.credential)
    memory[LOOKED_AT] = today
    return Bookmark(account=account, settings=settings)


def _digest(workspace: Workspace, connection: str) -> str:
    entry = workspace.project.settings.connections[connection]
    bound = field_bindings(workspace.project.process, entry.fields)
    says = {name: value for name, value in entry.model_dump(mode="json").items() if name not in ASIDE}
    secret = {name: value for name, value in says.items() if _holds_secret(value)}
    reading = [
        {name: value for name, value in says.items() if name not in secret},
        [[b.name, b.native, b.type] for b in bound],
    ]
    return f"{_short(reading)}.{_short(secret)}"


def _holds_secret(value: Any) -> bool:
    """Tell whether a setting says where a secret is kept, itself or somewhere within."""
    if not isinstance(value, dict):
        return False
    return (len(value) == 1 and value.keys() <= SOURCES) or any(map(_holds_secret, value.values()))


def _short(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]
