"""Whether the people to whom bindings give tasks and deals are users of an account: told once, not deal by deal."""

from __future__ import annotations

from collections.abc import Iterator

from crmbridge.engine.acting.bindings import email_of
from crmbridge.engine.nearest import nearest
from crmbridge.engine.people import OWNER
from crmbridge.ports import Description
from crmbridge.services.accounts.health import Check, weak
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Binding

_FOR_USERS = {"task", "reassign"}  # what is given to a user of the CRM; a notice is for anybody
_UNTIL_THEN = "Until it is mended, tasks go to the deal's owner, and deals keep theirs."


def check_people(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    """Name whom a binding gives tasks or deals to and whom the account does not know, with the bindings' places.

    Where an account tells of no users, nothing is said: it may not let us read them.
    """
    settings, process = workspace.project.settings, workspace.project.process
    known = {str(user.fields.get("email") or "").strip().casefold() for user in description.users} - {""}
    wrong: dict[tuple[str, str | None], list[str]] = {}
    for number, binding in enumerate(settings.enforce, 1):
        if known and (not binding.on or connection in binding.on):
            for to, step in _given_to(binding):
                email = email_of(to, connection, settings, process)
                if (email or "").strip().casefold() not in known:
                    place = f"`enforce` {number}, `escalate` {step}" if step else f"`enforce` {number}"
                    wrong.setdefault((to, email), []).append(place)
    for (to, email), places in wrong.items():
        said = f"has no user with the e-mail {email}" if email else f"nobody is {to} in `people:`"
        near = nearest(email, known) if email else None
        guess = f"Did you mean {near}? " if near else ""
        yield weak(
            connection, f"{said}, to whom bindings give tasks or deals ({'; '.join(places)})", guess + _UNTIL_THEN
        )


def _given_to(binding: Binding) -> Iterator[tuple[str, int]]:
    """Give whom a binding, and the steps of its escalation, give tasks or deals to; its own number is 0."""
    if binding.action in _FOR_USERS and binding.to not in {None, OWNER}:
        yield str(binding.to), 0
    for number, step in enumerate(binding.escalate, 1):
        if step.action in _FOR_USERS and step.to != OWNER:
            yield step.to, number
