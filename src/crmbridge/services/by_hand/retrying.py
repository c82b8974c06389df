"""Trying again: what a CRM refused goes with the next run once more, as its account was mended."""

from __future__ import annotations

from collections.abc import Sequence

from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Blocked, Cause
from crmbridge.ports import Waiting
from crmbridge.services.apply.trying_anew import ask_for
from crmbridge.services.by_hand.resolving import ADVICE
from crmbridge.services.runs.cycle import finish, writing
from crmbridge.services.workspace import Workspace


def refused(workspace: Workspace) -> tuple[Waiting, ...]:
    """Give what waits as a CRM refused it."""
    return tuple(one for one in workspace.store.waiting.all() if one.item.cause is Cause.REFUSED)


def retry(workspace: Workspace, items: Sequence[Blocked]) -> str:
    """Note as one run that these are to be tried again, once, and give its id. The next plan has them.

    Raises ConfigurationError, noting nothing, for what was not refused: it is settled in another way.
    """
    for item in items:
        if item.cause is not Cause.REFUSED:
            raise ConfigurationError(f"{item.id} was not refused: {item.reason}", advice=ADVICE.get(item.cause, ""))
    with writing(workspace, "conflicts") as run:
        ask_for(workspace, items)
        finish(workspace, run, "conflicts", 0, {"retried": len(items)})
        return run
