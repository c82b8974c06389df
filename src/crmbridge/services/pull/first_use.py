"""Since when a connection signs in as it does, where its CRM does not say when the credential was issued."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime

from crmbridge.ports import Credential
from crmbridge.services.workspace import Workspace

FIRST_USED = "crmbridge.first_used"  # beside what the adapter keeps; an adapter has no business with it


def first_used(workspace: Workspace, connection: str, credential: Credential) -> datetime:
    """Give when a credential was first used here, and remember it.

    It is known again by its way and user, never by anything made from the secret.
    """
    memory, now = workspace.store.memory(connection), workspace.clock.now()
    who = [credential.way, credential.user]
    with contextlib.suppress(ValueError, KeyError):  # KeyError: nothing is remembered yet
        way, user, at = json.loads(memory[FIRST_USED])
        if [way, user] == who:
            return datetime.fromisoformat(at)
    memory[FIRST_USED] = json.dumps([*who, now.isoformat()])
    return now
