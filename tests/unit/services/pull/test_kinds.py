"""Which kinds are pulled: what the settings name, or what the process needs."""

from __future__ import annotations

import pytest

from crmbridge.model.process import Process
from crmbridge.model.records import Kind
from crmbridge.model.replacing import replace
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.services.pull.kinds import pulled_kinds
from crmbridge.settings import Connection
from crmbridge.testing.factories import NOON, make_process, make_stage
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm

USUAL = (Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL)
CAPABILITIES = FakeAdapter(FakeCrm("north", VirtualClock(NOON))).capabilities
ALL = replace(CAPABILITIES, kinds=frozenset({*USUAL, Kind.ACTIVITY, Kind.NOTE}))
CALLS = make_process(stages=[make_stage(exit=[{"id": "calls", "check": {"activities": {"at_least": 2}}}])])


def connection(*kinds: str) -> Connection:
    """Make a connection that names these kinds; none at all when there are none."""
    return Connection.model_validate({"adapter": "fake", **({"kinds": kinds} if kinds else {})})


NEEDS_MINUTES = {"id": "minutes", "check": {"attachments": {"note": "minutes"}}}
MINUTES = make_process(stages=[make_stage(entry=[NEEDS_MINUTES])])


@pytest.mark.parametrize(
    ("process", "kinds", "pulled"),
    [
        (make_process(), (), USUAL),
        (CALLS, (), (*USUAL, Kind.ACTIVITY)),
        (MINUTES, (), (*USUAL, Kind.NOTE)),
        (CALLS, ("user",), (Kind.USER, Kind.DEAL)),
        (make_process(), ("note", "activity", "company"), (Kind.COMPANY, Kind.DEAL, Kind.ACTIVITY, Kind.NOTE)),
    ],
)
def test_kinds_are_what_is_named_or_needed(process: Process, kinds: tuple[str, ...], pulled: tuple[Kind, ...]) -> None:
    """In the order in which they are pulled, deals always among them."""
    assert pulled == pulled_kinds(process, connection(*kinds), ALL)


def test_what_an_adapter_does_not_know_is_not_pulled() -> None:
    """However much a rule would need it."""
    assert USUAL == pulled_kinds(CALLS, connection("user", "company", "contact", "activity"), CAPABILITIES)
