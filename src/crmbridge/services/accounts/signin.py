"""What a connection is signed in with, and whether it will last: for `connections describe` and `doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from crmbridge.model.records import Kind
from crmbridge.model.values import show
from crmbridge.ports import Credential, Description
from crmbridge.services.accounts.health import Check, bad, good, weak
from crmbridge.services.pull.first_use import first_used
from crmbridge.services.pull.kinds import wanted_kinds
from crmbridge.services.reports.figure_fields import writes_figures
from crmbridge.services.workspace import Workspace

EXPIRES_SOON = timedelta(days=14)
RETIRES_SOON = timedelta(days=180)
SIGN_IN = 4  # the exit code


class SignIn(Struct, frozen=True, kw_only=True):
    """A credential and its age. `issued` is false when its age counts from when it was first used here."""

    credential: Credential
    since: datetime
    issued: bool
    days: int  # whole ones since then


def sign_in(workspace: Workspace, connection: str, description: Description) -> SignIn | None:
    """Tell what a connection is signed in with; None where the adapter does not say.

    Where the CRM does not say when a credential was issued, its age counts from its first use here.
    """
    if description.credential is None:
        return None
    settings = workspace.project.settings
    kinds = wanted_kinds(workspace.project.process, settings.connections[connection], settings.conditions)
    figures = [Kind.FIELD] if writes_figures(workspace, connection) else []
    credential = description.credential.reading({*kinds, *figures})
    now = workspace.clock.now()
    since = credential.issued_at or first_used(workspace, connection, credential)
    return SignIn(
        credential=credential, since=since, issued=credential.issued_at is not None, days=max(0, (now - since).days)
    )


def age(found: SignIn) -> str:
    """Say how old a credential is, in words."""
    days = {0: "today", 1: "yesterday"}.get(found.days, f"{found.days} days ago")
    return f"{'issued' if found.issued else 'first used here'} {days}"


def check_sign_in(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    """Look at a connection's credential: its age, its end, and its scopes."""
    found = sign_in(workspace, connection, description)
    if found is None:
        return
    credential = found.credential
    bare = description.credential or credential
    missing, figures = bare.missing, bare.reading([Kind.FIELD]).missing & credential.missing - bare.missing
    user = f" as {credential.user}" if credential.user else ""
    yield good(connection, f"signed in by {credential.way}{user}, {age(found)}")
    yield from _check_end(connection, credential, workspace.clock.now())
    if missing:
        yield bad(
            connection,
            f"the credential lacks scopes: {', '.join(sorted(missing))}",
            "Grant them in the CRM; with most, the credential must then be issued anew.",
            SIGN_IN,
        )
    if figures:
        message = f"the credential lacks scopes that writing a report's figures needs: {', '.join(sorted(figures))}"
        yield weak(connection, message, "Grant them in the CRM; until then they are not written.")
    if more := credential.missing - missing - figures:
        message = f"the credential lacks scopes that rules of the process need: {', '.join(sorted(more))}"
        yield weak(connection, message, "Grant them in the CRM; until then these rules are undecided.")
    if credential.superfluous:
        message = f"the credential has scopes that crmbridge does not use: {', '.join(sorted(credential.superfluous))}"
        yield weak(connection, message, "Take them away: what a credential can't do, nobody can do with it.")


def _check_end(connection: str, credential: Credential, now: datetime) -> Iterator[Check]:
    end = credential.expires_at
    if end is None:
        return
    if end <= now:
        yield bad(connection, f"the credential expired at {show(end)}", "Issue a new one.", SIGN_IN)
    elif end - now <= EXPIRES_SOON:
        yield weak(connection, f"the credential expires at {show(end)}", "Issue a new one before then.")


def check_version(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    """Look at how long the vendor goes on supporting the version of the API that is spoken."""
    end = description.api_supported_until
    if end is None:
        return
    today = workspace.clock.now().date()
    version = f"API {description.api_version}".rstrip()
    advice = "Update the adapter, or name a newer version in the connection's settings."
    if end < today:
        yield bad(connection, f"{version} is no longer supported by the vendor since {end}", advice)
    elif end - today <= RETIRES_SOON:
        yield weak(connection, f"{version} is supported by the vendor until {end}", advice)
