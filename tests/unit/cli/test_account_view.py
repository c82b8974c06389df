"""What is shown of an account and its set-up."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import yaml

from crmbridge.cli.account_view import account_form, account_lines
from crmbridge.cli.output import Line, Tinted
from crmbridge.cli.setup_view import binding_lines
from crmbridge.model.replacing import replace
from crmbridge.ports import Credential, Description
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.services.accounts.signin import SignIn
from crmbridge.testing.factories import NOON
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm

CAN = FakeAdapter(FakeCrm("north", VirtualClock(NOON))).capabilities
ACCOUNT = Description(
    account="Acme", pipelines=(), fields=(), users=(), api_version="v9", api_supported_until=date(2027, 1, 31)
)


def signed(**credential: Any) -> SignIn:
    """Make a sign-in of 40 days ago."""
    since: datetime = NOON - timedelta(days=40)
    return SignIn(credential=Credential(way="OAuth", **credential), since=since, issued=True, days=40)


def text(line: Line) -> str:
    """Give a line as it is read."""
    parts = [line] if isinstance(line, str | Tinted) else line
    return "".join(part.text if isinstance(part, Tinted) else part for part in parts)


def test_an_account_says_how_it_is_signed_in() -> None:
    """The way, who, how old, until when, and the scopes; for people and for programs."""
    scopes = {"scopes": frozenset({"a", "c"}), "needed": frozenset({"a", "b"})}
    found = signed(user="rita", expires_at=NOON, **scopes)
    lines = [text(line) for line in account_lines("north", ACCOUNT, CAN, found)]
    form = account_form("north", ACCOUNT, CAN, found)

    assert [
        "north: Acme, API v9 (supported until 2027-01-31)",
        f"signed in by OAuth as rita, issued 40 days ago, expires at {NOON:%Y-%m-%d %H:%M} UTC",
        "scopes: a, c",
        "scopes missing: b",
        "scopes not needed: c",
    ] == lines[:5]
    assert ("2027-01-31", "OAuth", 40, ["b"], ["c"]) == (
        form["api_supported_until"],
        *(form["credential"][name] for name in ("way", "age_days", "missing", "superfluous")),
    )


def test_an_account_says_what_can_be_done_with_it() -> None:
    """What is read and written, and whether an edit in between is safe: nobody should have to find out."""
    can = replace(CAN, merges=True, conditional_write=False)
    said = [text(line) for line in account_lines("north", ACCOUNT, can, None)]
    form = account_form("north", ACCOUNT, can, None)["capabilities"]

    assert any(line.startswith("reads: ") and "merges yes" in line for line in said)
    assert any(line.startswith("writes: ") and "only if unchanged no" in line for line in said)
    assert "writes: nothing" in [
        text(line) for line in account_lines("north", ACCOUNT, replace(CAN, actions=frozenset()), None)
    ]
    assert (True, False) == (form["merges"], form["conditional_write"])


def test_what_a_crm_does_not_say_is_not_shown() -> None:
    """Neither scopes nor an end, nor a credential at all."""
    said = "\n".join(text(line) for line in account_lines("north", ACCOUNT, CAN, signed()))

    assert ("signed in by OAuth, issued 40 days ago" in said, "scopes" in said) == (True, False)
    assert account_form("north", ACCOUNT, CAN, None)["credential"] is None
    assert account_form("north", ACCOUNT, CAN, signed())["credential"]["scopes"] is None


def test_bindings_can_be_copied_into_the_settings() -> None:
    """Whatever the CRM calls its fields, the file reads back as it was meant."""
    names = {"a": "bant_budget", "b": "It's: a #1 field", "c": "yes", "d": "0123", "e": "名前", "f": "", "g": "a b"}
    lines = [text(line) for line in binding_lines("north", names)]

    assert {"connections": {"north": {"fields": names}}} == yaml.safe_load("\n".join(lines[2:]))
    assert "      a: bant_budget" in lines
