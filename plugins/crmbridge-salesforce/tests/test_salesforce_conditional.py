"""Updates that expect a version: made only while the deal is as it was, in every race that can be staged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.errors import AuthenticationError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.conditional import lanes_of
from crmbridge_salesforce.receipts import Item
from crmbridge_salesforce.rows import stamp_in
from crmbridge_salesforce.sandbox import Rule, build_org

from .orgs import BASE, HOST, Opener, state_of


@pytest.fixture
def deals(adapter: SalesforceAdapter, clock: VirtualClock) -> list[Record]:
    """Pull all deals, and let some time pass."""
    found = sorted((r for page in adapter.pull(Kind.DEAL, None) for r in page.records), key=lambda record: record.ref)
    clock.advance(timedelta(minutes=5))
    return found


def make_update(record: Record, number: int = 0, place: Position | None = None, **fields: Value) -> Change:
    """Make the change of a deal as it was read."""
    edits = tuple(FieldEdit(name, record.fields.get(name), value) for name, value in fields.items())
    usual = {"target": record.ref, "edits": edits, "expects": record.version}
    return make_change(f"{record.ref.id}-{number}", position=place, position_before=record.position, **usual)


def name_of(org: Served, record: Record) -> str:
    """Give a deal's name as it stands in the org."""
    return str(state_of(org).tables.present("Opportunity", record.ref.id)["Name"])


def test_a_deal_that_was_changed_is_left_alone(org: Served, adapter: SalesforceAdapter, deals: list[Record]) -> None:
    """The receipt says stale, nothing is sent for it, and the others are written."""
    state_of(org).edit_deal(deals[0].ref.id, Name="A person")
    receipts = adapter.write([make_update(deal, name="Ours") for deal in deals[:3]])

    assert [Outcome.STALE, Outcome.APPLIED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert ["A person", "Ours", "Ours"] == [name_of(org, deal) for deal in deals[:3]]
    assert receipts[0].message


def test_a_change_between_our_look_and_our_write_is_refused_by_the_org(
    org: Served, adapter: SalesforceAdapter, deals: list[Record], monkeypatch: pytest.MonkeyPatch, clock: VirtualClock
) -> None:
    """If-Unmodified-Since closes the gap that reading and comparing leaves open ("Conditional Request Headers")."""
    write = adapter._org.write

    def meanwhile(method: str, path: str, **more: Any) -> Any:
        clock.advance(timedelta(seconds=1))
        state_of(org).edit_deal(deals[0].ref.id, Name="A person")
        return write(method, path, **more)

    monkeypatch.setattr(adapter._org, "write", meanwhile)
    receipts = adapter.write([make_update(deal, name="Ours") for deal in deals[:2]])

    assert [Outcome.STALE, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert ["A person", "Ours"] == [name_of(org, deal) for deal in deals[:2]]


def test_a_change_within_the_same_second_is_seen(org: Served, adapter: SalesforceAdapter, deals: list[Record]) -> None:
    """The header has whole seconds: a second edit in the second of the first one is told by what stands in the row."""
    ref = deals[0].ref
    state_of(org).edit_deal(ref.id, Name="First")
    seen = adapter.read([ref])[ref]
    state_of(org).edit_deal(ref.id, Name="Second")

    assert stamp_in(seen.version) == state_of(org).tables.present("Opportunity", ref.id)["SystemModstamp"]
    assert Outcome.STALE == adapter.write([make_update(seen, name="Ours")])[0].outcome
    assert "Second" == name_of(org, deals[0])


def test_a_deal_changed_in_this_very_second_is_looked_at_again(
    org: Served, adapter: SalesforceAdapter, deals: list[Record], clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its second runs, another edit would pass the header unseen, so the second is waited out."""
    ref = deals[0].ref
    state_of(org).edit_deal(ref.id, Name="First")
    seen = adapter.read([ref])[ref]
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        state_of(org).edit_deal(ref.id, Name="Second")
        clock.advance(timedelta(seconds=seconds))

    monkeypatch.setattr(adapter._writer._conditional, "_clock", _Clock(clock, sleep))
    receipt = adapter.write([make_update(seen, name="Ours")])[0]

    assert [1.0] == waited
    assert (Outcome.STALE, "Second") == (receipt.outcome, name_of(org, deals[0]))


class _Clock:
    """A clock whose waits do something."""

    def __init__(self, clock: VirtualClock, sleep: Callable[[float], None]) -> None:
        self.now = clock.now
        self.sleep = sleep


def test_two_changes_of_one_deal_from_one_plan_are_both_made(
    org: Served, adapter: SalesforceAdapter, deals: list[Record], clock: VirtualClock
) -> None:
    """They expect the same version; the second is not outdated by the first, only by somebody else."""
    assert Outcome.APPLIED == adapter.write([make_update(deals[0], 1, name="One")])[0].outcome
    assert Outcome.APPLIED == adapter.write([make_update(deals[0], 2, name="Two")])[0].outcome
    clock.advance(timedelta(seconds=5))
    state_of(org).edit_deal(deals[0].ref.id, Name="A person")

    assert Outcome.STALE == adapter.write([make_update(deals[0], 3, name="Three")])[0].outcome
    assert "A person" == name_of(org, deals[0])


def test_a_big_batch_goes_by_twenty_five(org: Served, adapter: SalesforceAdapter, deals: list[Record]) -> None:
    """Collections take no conditions; composite requests hold 25 rows each, and their answers are told apart."""
    rule = Rule(refuses=lambda _, after: after["Name"] == "Bad", message="Not this name")
    state_of(org).rules.append(rule)
    names = ["Bad" if n == 7 else f"Ours {n}" for n in range(len(deals))]
    receipts = adapter.write([make_update(deal, name=name) for deal, name in zip(deals, names, strict=True)])

    expected = [Outcome.REFUSED if name == "Bad" else Outcome.APPLIED for name in names]
    assert expected == [receipt.outcome for receipt in receipts]
    assert "Not this name" in receipts[7].message
    sent = org.sandbox.log.matching("POST", "/composite")
    assert [20] == [len(request.body["compositeRequest"]) for request in sent]


def test_deals_of_one_account_are_written_one_after_the_other(
    org: Served, adapter: SalesforceAdapter, deals: list[Record]
) -> None:
    """Siblings lock their account, so they stand together in a batch (Force.com-JavaScript-REST-Toolkit issue 68)."""
    adapter.write([make_update(deal, name="Ours") for deal in deals])
    order = [
        one["url"].rpartition("/")[2]
        for one in org.sandbox.log.matching("POST", "/composite")[0].body["compositeRequest"]
    ]
    accounts = [state_of(org).tables.present("Opportunity", deal)["AccountId"] for deal in order]

    assert sorted(accounts) == accounts
    assert len(set(accounts)) < len(accounts)


@given(st.lists(st.sampled_from("abcdefgh"), max_size=120), st.randoms())
def test_requests_side_by_side_share_no_account(accounts: list[str], random: Random) -> None:
    """Every update is in exactly one request of at most 25, and the deals of an account are all in one lane."""
    owner = {f"006Sb{number:010}IAA": account * random.randint(1, 3) for number, account in enumerate(accounts)}
    changes = [make_change(deal, target=Ref("sf", Kind.DEAL, deal)) for deal in owner]
    items = [Item(change, {}) for change in changes]
    lanes = lanes_of(items, lambda item: owner[item.change.target.id])  # type: ignore[union-attr]  # it has one

    requests = [request for lane in lanes for request in lane]
    assert sorted(c.id for c in changes) == sorted(item.change.id for request in requests for item in request)
    assert all(1 <= len(request) <= 25 for request in requests)
    lane_of: dict[str, set[int]] = {}
    for number, lane in enumerate(lanes):
        for item in (item for request in lane for item in request):
            lane_of.setdefault(owner[str(item.change.target and item.change.target.id)], set()).add(number)
    assert all(len(found) == 1 for found in lane_of.values())


def test_a_big_batch_goes_side_by_side(clock: VirtualClock, open_adapter: Opener) -> None:
    """Sixty updates are made by several requests; each is answered once, in the order of the changes."""
    with serve(build_org(SandboxOptions(seed=5, deals=60, clock=clock), multi_currency=True)) as served:
        adapter = open_adapter(served.url, served.token)
        found = [record for page in adapter.pull(Kind.DEAL, None) for record in page.records]
        clock.advance(timedelta(minutes=1))
        changes = [make_update(deal, name=f"Ours {n}") for n, deal in enumerate(found)]
        receipts = adapter.write(changes)
        after = adapter.read([deal.ref for deal in found])

    assert [(change.id, Outcome.APPLIED) for change in changes] == [(r.change, r.outcome) for r in receipts]
    assert [f"Ours {n}" for n in range(60)] == [after[deal.ref].fields["name"] for deal in found]
    assert 3 <= sum(r.path.endswith("/composite") for r in served.sandbox.log.all()) <= 12


@pytest.mark.parametrize(("held_for", "outcome"), [(1, Outcome.APPLIED), (99, Outcome.FAILED)])
def test_a_locked_deal_is_tried_again(
    org: Served, adapter: SalesforceAdapter, monkeypatch: pytest.MonkeyPatch, held_for: int, outcome: Outcome
) -> None:
    """Nothing but trying again helps (jsforce issue 1018); the version is compared anew before that."""
    state = state_of(org)
    deals = [record for page in adapter.pull(Kind.DEAL, None) for record in page.records]
    state.locked.add(deals[1].ref.id)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) >= held_for:
            state.locked.clear()

    monkeypatch.setattr(adapter._writer, "_clock", _Clock(org.sandbox.clock, sleep))  # type: ignore[arg-type]  # a virtual one
    receipts = adapter.write([make_update(deal, name="Ours") for deal in deals[:2]])

    assert [Outcome.APPLIED, outcome] == [receipt.outcome for receipt in receipts]
    assert len(waited) == min(held_for, 2)


def test_a_deal_that_is_gone_is_stale(org: Served, adapter: SalesforceAdapter, deals: list[Record]) -> None:
    """There is nothing to write to any more, which the plan could not know."""
    state_of(org).delete_deal(deals[0].ref.id)

    assert Outcome.STALE == adapter.write([make_update(deals[0], name="Ours")])[0].outcome


def test_a_version_of_another_make_is_no_condition(
    org: Served, adapter: SalesforceAdapter, deals: list[Record]
) -> None:
    """Versions that an earlier crmbridge kept can't be compared; such an update goes by collection, as it did then."""
    old = make_change(
        "old", target=deals[0].ref, edits=(FieldEdit("name", None, "N"),), expects="20260601T000000Z-0a1b2c3d4e5f"
    )

    assert Outcome.APPLIED == adapter.write([old])[0].outcome
    assert 1 == len(org.sandbox.log.matching("PATCH", "/composite/sobjects"))


def test_only_what_changes_is_sent(org: Served, adapter: SalesforceAdapter, deals: list[Record]) -> None:
    """Stage and fields go in one write, an emptied field as null, and nothing else of the deal."""
    deal = next(r for r in deals if r.position and r.position.status is Status.OPEN)
    adapter.write([make_update(deal, place=Position("default", "Closed Won", Status.WON), source=None)])
    body = org.sandbox.log.matching("POST", "/composite")[0].body["compositeRequest"][0]["body"]

    assert {"StageName": "Closed Won", "LeadSource": None} == body


# ── On the wire ─────────────────────────────────────────────────────────────────────────────────────────

ROW = {"Id": "006Sb0000000001IAA", "SystemModstamp": "2026-06-01T10:20:30.000+0000", "Name": "N", "StageName": "Talk"}


@pytest.fixture
def stubbed(open_adapter: Opener) -> Iterator[tuple[SalesforceAdapter, Record, respx.MockRouter]]:
    """Give an adapter on a stubbed org with one deal, as it was read."""
    kinds = {"Id": "id", "SystemModstamp": "datetime", "Name": "string", "StageName": "picklist"}
    fields = [{"name": name, "type": kind, "updateable": True} for name, kind in kinds.items()]
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{BASE}/sobjects/Opportunity/describe").respond(json={"name": "Opportunity", "fields": fields})
        router.get(f"{BASE}/query").respond(json={"totalSize": 1, "done": True, "records": [ROW]})
        router.post(f"{BASE}/composite/sobjects/Opportunity").respond(json=[ROW])
        adapter = open_adapter(HOST, "t")
        nothing = {"totalSize": 0, "done": True, "records": []}
        roles = {"q__contains": "OpportunityContactRole"}
        router.get(f"{BASE}/query", params=roles).respond(json=nothing)
        reader = adapter._library.reader(Kind.DEAL)
        yield adapter, reader.records(reader.form.of_json([ROW]))[0], router


def outcome_of(reply: Any, status: int) -> httpx.Response:
    """Make the answer of a composite request of one."""
    one = {"body": reply, "httpHeaders": {}, "httpStatusCode": status, "referenceId": "r0"}
    return httpx.Response(200, json={"compositeResponse": [one]})


def test_the_request_names_the_time_it_expects(stubbed: tuple[SalesforceAdapter, Record, respx.MockRouter]) -> None:
    """One request inside a composite one: PATCH of the row, with the time of change as an HTTP date."""
    adapter, deal, router = stubbed
    route = router.post(f"{BASE}/composite").mock(return_value=outcome_of(None, 204))
    adapter.write([make_update(deal, name="Ours")])

    assert {
        "allOrNone": False,
        "compositeRequest": [
            {
                "method": "PATCH",
                "url": "/services/data/v67.0/sobjects/Opportunity/006Sb0000000001IAA",
                "referenceId": "r0",
                "httpHeaders": {"If-Unmodified-Since": "Mon, 01 Jun 2026 10:20:30 GMT"},
                "body": {"Name": "Ours"},
            }
        ],
    } == json.loads(route.calls.last.request.content)


@pytest.mark.parametrize(
    ("columns", "blamed"),
    [
        (["Name"], ("name",)),
        (["StageName", "Name"], ("name", "stage")),
        (["RecordTypeId", "Other__c"], ("stage",)),
        (["Other__c"], ()),
        ([], ()),
    ],
)
def test_the_fields_that_the_org_names_are_blamed(
    stubbed: tuple[SalesforceAdapter, Record, respx.MockRouter], columns: list[str], blamed: tuple[str, ...]
) -> None:
    """By their names in the change; where a rule shows its words at a column that is none of them, it is no field."""
    adapter, deal, router = stubbed
    rules = [{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no", "fields": [each]} for each in columns]
    router.post(f"{BASE}/composite").mock(return_value=outcome_of(rules or [{"errorCode": "X", "message": "no"}], 400))
    change = make_update(deal, name="Ours")
    moved = replace(change, edits=(*change.edits, FieldEdit("stage", None, "proposal")))
    (receipt,) = adapter.write([moved])

    assert (Outcome.REFUSED, blamed) == (receipt.outcome, tuple(sorted(receipt.blamed)))


@pytest.mark.parametrize(
    ("reply", "status", "outcome", "words"),
    [
        (None, 204, Outcome.APPLIED, ""),
        (None, 412, Outcome.STALE, "changed since"),
        ([{"errorCode": "PRECONDITION_FAILED", "message": "x"}], 412, Outcome.STALE, "changed since"),
        ([{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Say why"}], 400, Outcome.REFUSED, "Say why"),
        ([{"errorCode": "DUPLICATES_DETECTED", "message": "Use one of these"}], 400, Outcome.REFUSED, "Use one"),
        ([{"errorCode": "ENTITY_IS_DELETED", "message": "entity is deleted"}], 404, Outcome.REFUSED, "deleted"),
        ([{"errorCode": "ENTITY_IS_DELETED", "message": "entity is deleted"}], 400, Outcome.REFUSED, "deleted"),
        ([{"errorCode": "INSUFFICIENT_ACCESS_OR_READONLY", "message": "no"}], 403, Outcome.REFUSED, "no"),
        (
            [{"errorCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": "trigger"}],
            400,
            Outcome.REFUSED,
            "trigger",
        ),
        (
            [{"errorCode": "STRING_TOO_LONG", "message": "Name: too long", "fields": ["Name"]}],
            400,
            Outcome.REFUSED,
            "(Name)",
        ),
        ([{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "busy"}], 400, Outcome.FAILED, "busy"),
        ([{"errorCode": "UNKNOWN_EXCEPTION", "message": "oops"}], 500, Outcome.UNKNOWN, ""),
    ],
)
def test_each_answer_has_its_outcome(
    stubbed: tuple[SalesforceAdapter, Record, respx.MockRouter], reply: Any, status: int, outcome: Outcome, words: str
) -> None:
    """Errors keep the org's words; a row of which nothing is known is unknown and not sent again."""
    adapter, deal, router = stubbed
    route = router.post(f"{BASE}/composite").mock(return_value=outcome_of(reply, status))
    receipt = adapter.write([make_update(deal, name="Ours")])[0]

    assert outcome == receipt.outcome
    assert words in receipt.message
    assert (3 if outcome is Outcome.FAILED else 1) == route.call_count


@pytest.mark.parametrize("body", [{}, {"compositeResponse": []}, {"compositeResponse": [{"referenceId": "other"}]}, []])
def test_an_answer_without_the_row_is_unknown(
    stubbed: tuple[SalesforceAdapter, Record, respx.MockRouter], body: Any
) -> None:
    """An answer that leaves a row out says nothing of it."""
    adapter, deal, router = stubbed
    router.post(f"{BASE}/composite").respond(json=body)

    assert Outcome.UNKNOWN == adapter.write([make_update(deal, name="Ours")])[0].outcome


def test_a_refused_sign_in_is_raised_while_nothing_was_sent(
    stubbed: tuple[SalesforceAdapter, Record, respx.MockRouter],
) -> None:
    """The whole connection is of no use then, and the plan stays as it is."""
    adapter, deal, router = stubbed
    said = [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]
    router.post(f"{BASE}/composite").respond(401, json=said)
    with pytest.raises(AuthenticationError):
        adapter.write([make_update(deal, name="Ours")])


def test_creations_with_doubles_are_refused_with_the_rules_words(org: Served, open_adapter: Opener) -> None:
    """DUPLICATES_DETECTED stands in a collection's result with its statusCode, and reaches the receipt."""
    said = {"statusCode": "DUPLICATES_DETECTED", "message": "Use one of these records?", "fields": []}
    with respx.mock(assert_all_called=False) as router:
        router.route(host="127.0.0.1", path__regex=".*/describe").pass_through()
        upsert = router.patch(path__regex=".*/composite/sobjects/Opportunity/.*")
        upsert.respond(json=[{"success": False, "errors": [said]}])
        router.route(host="127.0.0.1").pass_through()
        change = make_change(
            action=Action.CREATE, target=None, key="k", edits=(FieldEdit("name", None, "N"),), expects=None
        )
        receipt = open_adapter(org.url, org.token).write([change])[0]

    assert (Outcome.REFUSED, True) == (receipt.outcome, "Use one of these" in receipt.message)


def test_a_deal_is_created_by_its_key_once(org: Served, adapter: SalesforceAdapter) -> None:
    """Two creations with one key are an upsert each: the second one brings the first up to date."""
    edits = (FieldEdit("name", None, "N"), FieldEdit("close_date", None, date(2026, 9, 1)))
    place = Position("default", "Prospecting", Status.OPEN)
    change = make_change(action=Action.CREATE, target=None, key="key-1", edits=edits, position=place, expects=None)
    first, second = adapter.write([change])[0], adapter.write([change])[0]

    assert (Outcome.APPLIED, first.ref) == (second.outcome, second.ref)
    assert isinstance(first.ref, Ref)
    assert "already" in second.message
