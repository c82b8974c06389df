"""What only a real server can show: sign-ins, its own rules for opportunities, restarts, and its odd times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.model.changes import Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.ports import Adapter
from crmbridge.sandbox import SandboxOptions, VirtualClock
from crmbridge.testing.adapters.changes import make_company, make_create, make_update, open_deal, write_one
from crmbridge.testing.adapters.workbench import CONNECTION, AdapterWorkbench, pull_all
from crmbridge_tryton.mapping import position
from crmbridge_tryton.server import Server
from crmbridge_tryton_server.bench import tryton_workbench
from crmbridge_tryton_server.hands import DEAL, TrytonHands
from crmbridge_tryton_server.installing import USER
from crmbridge_tryton_server.running import TrytonServer

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
Bench = Callable[[int], AdapterWorkbench]


@pytest.fixture
def bench(tryton: TrytonServer, tmp_path: Path) -> Iterator[AdapterWorkbench]:
    """Give the usual workbench of the suite."""
    with tryton_workbench(tryton, SandboxOptions(seed=11, deals=24, clock=VirtualClock(NOON)), tmp_path) as made:
        yield made


@pytest.fixture
def crowd(tryton: TrytonServer, tmp_path: Path) -> Iterator[AdapterWorkbench]:
    """Give a workbench with more deals than fit on a page."""
    with tryton_workbench(tryton, SandboxOptions(seed=11, deals=110, clock=VirtualClock(NOON)), tmp_path) as made:
        yield made


@pytest.fixture
def adapter(bench: AdapterWorkbench) -> Adapter:
    return bench.open()


@pytest.fixture
def hands(bench: AdapterWorkbench) -> TrytonHands:
    found = bench.served.sandbox.state
    assert isinstance(found, TrytonHands)
    return found


def converted(adapter: Adapter, hands: TrytonHands) -> Record:
    """Give a deal that a person has just converted."""
    ref = next(r.ref for r in pull_all(adapter).records.values() if r.position == position("opportunity"))
    hands.move_deal(ref.id, "convert")
    return adapter.read([ref])[ref]


def test_a_restart_in_the_middle_of_a_pull_costs_nothing(tryton: TrytonServer, crowd: AdapterWorkbench) -> None:
    """While the server is away the pull says so; the same adapter goes on where it was, and nothing is missing."""
    adapter = crowd.open(base_url=tryton.url)
    walk = adapter.pull(Kind.DEAL, None)
    stored = [next(walk)]
    tryton.stop()
    with pytest.raises(RetryLaterError):
        stored.extend(walk)
    tryton.start()
    stored += adapter.pull(Kind.DEAL, stored[-1].cursor)
    found = [record.ref.id for page in stored for record in page.records]

    assert sorted(crowd.hands.deal_ids()) == sorted(found)


def test_an_application_key_reads_all_that_a_session_reads(bench: AdapterWorkbench, tmp_path: Path) -> None:
    """The same records, moves and cursors come by the REST calls."""
    adapter, reader = bench.open(), keyed(bench, tmp_path)

    for kind in sorted(adapter.capabilities.kinds):
        assert list(adapter.pull(kind, None)) == list(reader.pull(kind, None))
    assert replace(adapter.describe(), credential=None) == replace(reader.describe(), credential=None)


def test_an_application_key_writes_nothing(bench: AdapterWorkbench, tmp_path: Path) -> None:
    """Its calls can't be made conditional, so no action is declared."""
    assert frozenset() == keyed(bench, tmp_path).capabilities.actions


def test_a_wrong_application_key_is_said(bench: AdapterWorkbench, tmp_path: Path) -> None:
    """With the connection, and without the key."""
    secret = tmp_path / "wrong"
    secret.write_text("no-such-key", "utf-8")
    adapter = bench.open(user="", password=None, key={"file": str(secret)})
    with pytest.raises(AuthenticationError) as caught:
        adapter.describe()

    assert CONNECTION in caught.value.message
    assert "no-such-key" not in f"{caught.value} {caught.value.advice}"


def keyed(bench: AdapterWorkbench, folder: Path) -> Adapter:
    """Open an adapter with an application key of its user."""
    client = bench.served.sandbox.state.client
    (user,) = client("res.user", "search", [["login", "=", USER]])
    (made,) = client("res.user.application", "create", [{"user": user, "application": "rest"}])
    secret = folder / "key"
    secret.write_text(client("res.user.application", "read", [made], ["key"])[0]["key"], "utf-8")
    return bench.open(user="", password=None, key={"file": str(secret)})


def test_a_converted_deal_is_open_and_takes_no_edits(adapter: Adapter, hands: TrytonHands) -> None:
    """Its sale has it in hand: an edit of its amount is refused with Tryton's words, and nothing changes."""
    deal = converted(adapter, hands)
    receipt = write_one(adapter, make_update(deal, fields={"amount": Money(Decimal(1), "EUR")}))

    assert (Outcome.REFUSED, True) == (receipt.outcome, "not allowed to modify" in receipt.message)
    assert deal == adapter.read([deal.ref])[deal.ref]


@pytest.mark.parametrize("state", ["won", "lost", "lead", "opportunity"])
def test_no_button_leads_on_from_converted(adapter: Adapter, hands: TrytonHands, state: str) -> None:
    """Its sales decide whether it is won or lost; crmbridge confirms no sale."""
    deal = converted(adapter, hands)
    receipt = write_one(adapter, make_update(deal, position=position(state)))

    assert (Outcome.REFUSED, True) == (receipt.outcome, state in receipt.message)
    assert deal == adapter.read([deal.ref])[deal.ref]


def test_a_deal_that_was_made_and_can_not_be_moved_is_unknown(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """An opportunity needs a party and an employee. It is there as a lead, found by its key, and read back later."""
    change = replace(make_create(bench, "nobodys"), position=position("opportunity"))
    receipt = write_one(adapter, change)
    found = adapter.find(Kind.DEAL, change.key or "", None)

    assert (Outcome.UNKNOWN, True) == (receipt.outcome, "required" in receipt.message)
    assert found is not None
    made = adapter.read([found])[found]
    assert (position("lead"), made.created_at) == (made.position, made.updated_at), "so that it is nobody's edit"


def test_a_stage_that_takes_two_clicks_is_refused(adapter: Adapter) -> None:
    """Several clicks could break off between them, and would leave a deal where nobody put it."""
    deal = next(r for r in pull_all(adapter).records.values() if r.position == position("lead"))
    receipt = write_one(adapter, make_update(deal, position=position("converted")))

    assert Outcome.REFUSED == receipt.outcome
    assert deal == adapter.read([deal.ref])[deal.ref]


def test_a_new_deal_that_was_never_edited_is_seen(adapter: Adapter, hands: TrytonHands) -> None:
    """Its write_date is empty until its first update, so that alone would miss it."""
    cursor = pull_all(adapter).cursor
    (made,) = hands.client(DEAL, "create", [{"description": "Fresh"}])
    (row,) = hands.client(DEAL, "read", [made], ["write_date"])

    assert row["write_date"] is None
    assert {Ref(CONNECTION, Kind.DEAL, str(made))} == set(pull_all(adapter, since=cursor).records)


def test_a_transaction_that_ends_late_is_not_missed(adapter: Adapter, hands: TrytonHands) -> None:
    """A change has the time when its transaction began: one that ends after a pull may be older than its cursor."""
    first, second = hands.deal_ids()[:2]
    cursor = pull_all(adapter).cursor
    hands.edit_deal(second, decision_maker="Quick")
    cursor = pull_all(adapter, since=cursor).cursor
    hands.edit_deal(first, decision_maker="Late")
    hands.let_seconds_pass(first, 5)
    changed = pull_all(adapter, since=cursor)

    assert {first} == {ref.id for ref in changed.records}


def test_reopening_with_edits_takes_both(adapter: Adapter, hands: TrytonHands) -> None:
    """A lost deal takes no edits, so it is opened first; an edit and a loss are the other way round."""
    deal = open_deal(adapter)
    for state, name in (("lost", "As it was lost"), ("lead", "As it came back")):
        now = adapter.read([deal.ref])[deal.ref]
        change = make_update(now, position=position(state), fields={"name": name})
        assert Outcome.APPLIED == write_one(adapter, change).outcome
        after = adapter.read([deal.ref])[deal.ref]
        assert (position(state), name) == (after.position, after.fields["name"])


def test_an_edit_between_the_click_and_ours_is_not_overwritten(
    adapter: Adapter, hands: TrytonHands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The click was made, so the change is unclear; the same field, written by somebody else since, stays."""
    deal = open_deal(adapter)
    write_one(adapter, make_update(deal, position=position("lost")))
    now = adapter.read([deal.ref])[deal.ref]
    tell = Server.tell

    def told(server: Server, model: str, method: str, *params: Any, **more: Any) -> Any:
        done = tell(server, model, method, *params, **more)
        if method == "lead":
            hands.edit_deal(deal.ref.id, description="Theirs")
        return done

    monkeypatch.setattr(Server, "tell", told)
    receipt = write_one(adapter, make_update(now, position=position("lead"), fields={"name": "Ours"}))

    assert (Outcome.UNKNOWN, True) == (receipt.outcome, receipt.message.startswith("only a part was written"))
    assert "Theirs" == adapter.read([deal.ref])[deal.ref].fields["name"]


def test_a_lost_deal_gets_the_day_as_its_end(adapter: Adapter) -> None:
    """Tryton does that itself where the end was still to come; the next pull brings it."""
    deal = open_deal(adapter)
    assert Outcome.APPLIED == write_one(adapter, make_update(deal, fields={"close_date": None})).outcome
    now = adapter.read([deal.ref])[deal.ref]
    assert Outcome.APPLIED == write_one(adapter, make_update(now, position=position("lost"))).outcome

    closed: Any = adapter.read([deal.ref])[deal.ref].fields["close_date"]
    assert closed is not None


def test_one_transaction_on_more_deals_than_fit_on_a_page(crowd: AdapterWorkbench) -> None:
    """All of them have one time of change, to the microsecond: each comes once, and none with the pull after."""
    adapter, client = crowd.open(), crowd.served.sandbox.state.client
    cursor = pull_all(adapter).cursor
    client(DEAL, "write", [int(deal) for deal in crowd.hands.deal_ids()], {"decision_maker": "Everybody"})
    changed = pull_all(adapter, since=cursor)

    assert 1 == len({record.updated_at for record in changed.records.values()})
    assert sorted(crowd.hands.deal_ids()) == sorted(ref.id for ref in changed.records)
    assert len(changed.records) == changed.delivered
    assert 0 == pull_all(adapter, since=changed.cursor).delivered


@pytest.mark.parametrize("name", ["100% Acme_ & Co", r"C:\Acme\new", "Ärzte  Öl"])
def test_a_company_with_the_signs_of_a_search_in_its_name_is_found(adapter: Adapter, name: str) -> None:
    """Or letters that SQLite folds no case of; nor does what is only like it find it."""
    made = write_one(adapter, make_company("signs", name=name, domain=None))

    assert (Outcome.APPLIED, made.ref) == (made.outcome, adapter.find(Kind.COMPANY, f"name:{name.lower()}", None))
    assert None is adapter.find(Kind.COMPANY, f"name:{name.replace('_', '-').replace('Ä', 'A')}x", None)


def test_a_company_is_known_by_its_website_however_it_is_written(adapter: Adapter, hands: TrytonHands) -> None:
    """A person wrote it with a path; making a company of that domain gives this one."""
    ways = [["create", [{"type": "website", "value": "http://WWW.Kite.example/start?x=1"}]]]
    (there,) = hands.client("party.party", "create", [{"name": "Kite", "contact_mechanisms": ways}])
    made = write_one(adapter, make_company("kite", domain="kite.example"))

    assert (Outcome.APPLIED, str(there)) == (made.outcome, made.ref.id if made.ref else None)


def test_a_deal_that_came_and_went_is_told_of(adapter: Adapter, hands: TrytonHands) -> None:
    """It was pulled after the last change that was there before, and deleted before anything else happened."""
    (made,) = hands.client(DEAL, "create", [{"description": "Short"}])
    cursor = pull_all(adapter).cursor
    hands.delete_deal(str(made))

    assert {Ref(CONNECTION, Kind.DEAL, str(made))} == pull_all(adapter, since=cursor).gone
