"""A walk through an org costs few requests: set-up is asked for ahead and side by side, kept, and read anew in time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import force_setattr

from crmbridge.errors import RefusedError
from crmbridge.model.changes import Change, FieldEdit
from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge.testing.factories import make_change
from crmbridge.threads import one_at_a_time
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.encode import Encoder, Payload
from crmbridge_salesforce.sandbox import build_org

from .orgs import Opener, asked, deals, settle, state_of


def test_an_org_is_asked_side_by_side_what_it_looks_like(open_adapter: Opener, clock: VirtualClock) -> None:
    """None of the five requests waits for another."""
    options = SandboxOptions(seed=3, deals=20, clock=clock, latency_ms=250)
    with serve(build_org(options, multi_currency=False)) as org:
        described = open_adapter(org.url, org.token).describe()
        log, statements = org.sandbox.log, asked(org)

    assert (True, True) == (bool(described.users), bool(described.pipelines))
    assert (5, 5) == (len(log.all()), log.most_at_once)
    assert len(statements) == len(set(statements))


def tell(adapter: SalesforceAdapter, *kinds: Kind) -> SalesforceAdapter:
    """Tell an adapter what is pulled next, and look at the org, as a first pull does."""
    adapter.ask_ahead(kinds)
    adapter.describe()
    return adapter


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until something is so, or a minute is over."""
    ends = time.monotonic() + 60
    while not what() and time.monotonic() < ends:
        time.sleep(0.005)


def test_a_first_page_waits_for_two_answers(open_adapter: Opener, clock: VirtualClock) -> None:
    """Ids and a count are asked for beside the description; then rows and details beside each other, by the ids."""
    options = SandboxOptions(seed=3, deals=20, clock=clock, latency_ms=250)
    with serve(build_org(options, multi_currency=False)) as org:
        log = org.sandbox.log
        usual = list(open_adapter(org.url, org.token).pull(Kind.DEAL, None))
        log.clear()
        adapter = tell(open_adapter(org.url, org.token), Kind.USER, Kind.DEAL)
        wait_for(lambda: len(log.all()) >= 8)  # what is asked ahead may be answered after the description
        looked = len(log.all()), log.most_at_once
        statements = asked(org)
        log.clear()
        pages = list(adapter.pull(Kind.DEAL, None))
        read, statements = log.most_at_once, statements + asked(org)

    assert ((8, 8), 3) == (looked, read)
    assert len(statements) == len(set(statements))
    assert deals(usual) == deals(pages)
    assert [page.moves for page in usual] == [page.moves for page in pages]
    assert (20, clock.now()) == (pages[0].total, pages[0].begun)


def test_what_is_asked_ahead_is_good_for_one_pull(org: Served, open_adapter: Opener) -> None:
    """Nothing of it is asked again beside the description, and a second pull begins anew."""
    with one_at_a_time():
        adapter = tell(open_adapter(org.url, org.token), Kind.DEAL)
        first = list(adapter.pull(Kind.DEAL, None))
        statements = asked(org)
        again = list(adapter.pull(Kind.DEAL, None))

    assert len(statements) == len(set(statements))
    assert (True, False) == (first[0].begun is not None, again[0].begun is not None)
    assert deals(first) == deals(again)


def test_what_is_refused_ahead_is_asked_for_as_ever(org: Served, open_adapter: Opener) -> None:
    """An object that is not sorted by its usual stamp is walked by another one."""
    opportunities = state_of(org).tables.objects["Opportunity"]
    columns = {name: column for name, column in opportunities.columns.items() if name != "SystemModstamp"}
    force_setattr(opportunities, "columns", columns)
    pages = list(tell(open_adapter(org.url, org.token), Kind.DEAL).pull(Kind.DEAL, None))

    assert 20 == len(deals(pages))
    assert None is pages[0].begun
    assert 1 == len(org.sandbox.log.matching("GET", "/sobjects/Opportunity/describe"))


def test_ids_in_another_order_are_not_gone_on_from(org: Served, open_adapter: Opener) -> None:
    """Where the usual stamp can't be filtered by, the walk goes by another one, from its beginning."""
    opportunities = state_of(org).tables.objects["Opportunity"]
    stamp = replace(opportunities.columns["SystemModstamp"], filterable=False)
    force_setattr(opportunities, "columns", {**opportunities.columns, "SystemModstamp": stamp})
    pages = list(tell(open_adapter(org.url, org.token), Kind.DEAL).pull(Kind.DEAL, None))

    assert 20 == len(deals(pages))
    assert any("ORDER BY LastModifiedDate" in statement for statement in asked(org))


def test_users_are_read_where_a_usual_column_is_hidden(org: Served, open_adapter: Opener) -> None:
    """They are asked for with the usual columns, before it is known whether all of these are there."""
    users = state_of(org).tables.objects["User"]
    force_setattr(users, "columns", {name: column for name, column in users.columns.items() if name != "Email"})
    described = open_adapter(org.url, org.token).describe()

    assert described.users
    assert all(user.fields["name"] and not user.fields.get("email") for user in described.users)


def test_what_several_ask_for_at_a_time_is_asked_once(org: Served, open_adapter: Opener) -> None:
    """Whoever comes second waits for the answer to the first."""
    adapter = open_adapter(org.url, org.token)
    org.sandbox.log.clear()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: len(list(adapter.pull(Kind.COMPANY, None))), range(4)))

    assert {found[0]} == set(found)
    assert 1 == len(org.sandbox.log.matching("GET", "/sobjects/Account/describe"))


def test_a_later_pull_takes_five_requests(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """In a new process, with what the org looks like remembered: rows, contacts, history, touched deals, deletions."""
    memory: dict[str, str] = {}
    adapter = open_adapter(org.url, org.token, memory)
    cursor = list(adapter.pull(Kind.DEAL, None))[-1].cursor
    clock.advance(timedelta(minutes=50))
    for deal in state_of(org).deal_ids()[:10]:
        state_of(org).edit_deal(deal, NextStep="Call")
    org.sandbox.log.clear()
    pages = list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, cursor))

    assert 10 == len(deals(pages))
    assert 5 == len(org.sandbox.log.all())


def test_a_quiet_pull_takes_three_requests(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """Nothing changed: nothing is asked beside that."""
    memory: dict[str, str] = {}
    cursor = settle(open_adapter(org.url, org.token, memory), clock)
    clock.advance(timedelta(minutes=15))
    org.sandbox.log.clear()

    assert 1 == len(list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, cursor)))
    assert 3 == len(org.sandbox.log.all())


def test_what_an_org_looks_like_is_read_anew_after_an_hour(
    org: Served, open_adapter: Opener, clock: VirtualClock
) -> None:
    """It is kept between processes for an hour, holds no secret, and `describe` reads it anew each time."""
    memory: dict[str, str] = {}
    cursor = settle(open_adapter(org.url, org.token, memory), clock)
    describes = len(org.sandbox.log.matching("GET", "/Opportunity/describe"))
    clock.advance(timedelta(minutes=59))
    list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, cursor))
    assert describes == len(org.sandbox.log.matching("GET", "/Opportunity/describe"))

    clock.advance(timedelta(minutes=2))
    adapter = open_adapter(org.url, org.token, memory)
    list(adapter.pull(Kind.DEAL, cursor))
    adapter.describe()
    adapter.describe()
    assert describes + 3 == len(org.sandbox.log.matching("GET", "/Opportunity/describe"))
    assert org.token not in json.dumps(memory)


def test_a_memory_of_something_else_is_not_trusted(org: Served, open_adapter: Opener) -> None:
    """What can't be read is read from the org."""
    memory = dict.fromkeys(("set-up 1: describe Opportunity", "set-up 1: stages"), "nonsense")

    assert 20 == len(deals(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, None)))


def test_a_column_that_went_away_is_noticed(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """INVALID_FIELD says that what we remember is old: it is read anew, and the pull goes on without the field."""
    memory: dict[str, str] = {}
    adapter = open_adapter(org.url, org.token, memory)
    list(adapter.pull(Kind.DEAL, None))
    columns = dict(state_of(org).tables.objects["Opportunity"].columns)
    del columns["discount__c"]
    force_setattr(state_of(org).tables.objects["Opportunity"], "columns", columns)
    state_of(org).tables.objects["Opportunity"].__dict__.pop("_by_name", None)
    found = deals(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, None))

    assert 20 == len(found)
    assert {("discount__c",)} == {tuple(problem.path for problem in deal.problems) for deal in found.values()}


def test_a_field_that_was_added_is_noticed(org: Served, open_adapter: Opener) -> None:
    """A bound field that our memory lacks is looked for in the org before it is called missing."""
    memory: dict[str, str] = {}
    list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, None))
    kept = json.loads(memory["set-up 1: describe Opportunity"])
    kept["data"]["fields"] = [field for field in kept["data"]["fields"] if field["name"] != "discount__c"]
    memory["set-up 1: describe Opportunity"] = json.dumps(kept)

    found = deals(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, None))
    assert [()] * 20 == [deal.problems for deal in found.values()]


def _forget_stage(kept: dict[str, Any]) -> None:
    kept["data"] = [row for row in kept["data"] if row["ApiName"] != "Negotiation/Review"]


def _forget_column(kept: dict[str, Any]) -> None:
    kept["data"]["fields"] = [field for field in kept["data"]["fields"] if field["name"] != "discount__c"]


def _forget_permission(kept: dict[str, Any]) -> None:
    next(field for field in kept["data"]["fields"] if field["name"] == "discount__c")["updateable"] = False


@pytest.mark.parametrize(
    ("place", "older", "change"),
    [
        ("stages", _forget_stage, {"position": Position("default", "Negotiation/Review", Status.OPEN)}),
        ("describe Opportunity", _forget_column, {"edits": (FieldEdit("discount", None, Decimal(7)),)}),
        ("describe Opportunity", _forget_permission, {"edits": (FieldEdit("discount", None, Decimal(7)),)}),
    ],
)
def test_nothing_is_refused_by_what_the_org_looked_like(
    org: Served,
    open_adapter: Opener,
    clock: VirtualClock,
    *,
    place: str,
    older: Callable[[dict[str, Any]], None],
    change: dict[str, Any],
) -> None:
    """What is refused waits for a person; a stage that an admin made a quarter of an hour ago is one."""
    memory: dict[str, str] = {}
    list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, None))
    clock.advance(timedelta(minutes=15))
    kept = json.loads(memory[f"set-up 1: {place}"])
    older(kept)
    memory[f"set-up 1: {place}"] = json.dumps(kept)
    deal = Ref("sf", Kind.DEAL, state_of(org).deal_ids()[0])
    wanted = make_change("c", connection="sf", target=deal, **{"edits": (), **change})

    assert ["applied"] == [receipt.outcome for receipt in open_adapter(org.url, org.token, memory).write([wanted])]


def test_batches_side_by_side_are_looked_at_again(
    org: Served, open_adapter: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has the org looked at again; the other was refused by what it looked like before as well."""
    memory: dict[str, str] = {}
    list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, None))
    clock.advance(timedelta(minutes=15))
    kept = json.loads(memory["set-up 1: stages"])
    _forget_stage(kept)
    memory["set-up 1: stages"] = json.dumps(kept)
    place = Position("default", "Negotiation/Review", Status.OPEN)
    wanted = [
        make_change(deal, connection="sf", target=Ref("sf", Kind.DEAL, deal), edits=(), position=place)
        for deal in state_of(org).deal_ids()[:2]
    ]
    both, make = threading.Barrier(2, timeout=10), Encoder._row

    def refuse_together(encoder: Encoder, change: Change) -> Payload:
        try:
            return make(encoder, change)
        except RefusedError:
            both.wait()
            raise

    monkeypatch.setattr(Encoder, "_row", refuse_together)
    adapter = open_adapter(org.url, org.token, memory)
    with ThreadPoolExecutor(2) as threads:
        receipts = [each for made in threads.map(lambda change: adapter.write([change]), wanted) for each in made]

    assert ["applied", "applied"] == [receipt.outcome for receipt in receipts]


def test_what_an_org_does_not_have_is_looked_for_once(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """A batch full of it costs no more than one change."""
    memory: dict[str, str] = {}
    list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, None))
    clock.advance(timedelta(minutes=15))
    org.sandbox.log.clear()
    place = Position("default", "Nowhere", Status.OPEN)
    wanted = [
        make_change(deal, connection="sf", target=Ref("sf", Kind.DEAL, deal), edits=(), position=place)
        for deal in state_of(org).deal_ids()
    ]
    adapter = open_adapter(org.url, org.token, memory)

    assert {"refused"} == {receipt.outcome for _ in range(2) for receipt in adapter.write(wanted)}
    assert 1 == len([each for each in asked(org) if "OpportunityStage" in each])
