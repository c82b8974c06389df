"""Walking by pages: no edit is missed, whatever shares a second, comes late or happens meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
from msgspec.structs import force_setattr

from crmbridge.errors import ConfigurationError, RefusedError, RetryLaterError
from crmbridge.model.records import Kind
from crmbridge.ports import Adapter, Page
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.clocks import ClockBeside
from crmbridge_salesforce.adapter import SalesforceAdapter

from .orgs import BASE, HOST, Opener, deals, settle, state_of

# ── No edit is missed ───────────────────────────────────────────────────────────────────────────────────


def test_siblings_of_one_second_all_come(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """Rows that share a stamp are told apart by id at every border of a page (airbyte issue 42537).

    A strict `>` on the stamp would lose them (dlt verified-sources sources/salesforce/helpers/records.py).
    """
    adapter = open_adapter(org.url, org.token, page_size=3)
    cursor = settle(adapter, clock)
    ids = state_of(org).deal_ids()
    for deal in ids[:10]:
        state_of(org).edit_deal(deal, NextStep="first")
    clock.advance(timedelta(seconds=1))
    for deal in ids[8:17]:
        state_of(org).edit_deal(deal, NextStep="second")
    pages = list(adapter.pull(Kind.DEAL, cursor))

    assert set(ids[:17]) == set(deals(pages))
    assert 17 == sum(len(page.records) for page in pages)


def test_more_equal_stamps_than_a_page_come_in_bulk_too(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """A bulk edit of many deals is read by a job, each deal once (airbyte issue 17148)."""
    adapter = open_adapter(org.url, org.token, page_size=5, bulk_above=10)
    cursor = settle(adapter, clock)
    for deal in state_of(org).deal_ids():
        state_of(org).edit_deal(deal, NextStep="Everybody at once")
    pages = list(adapter.pull(Kind.DEAL, cursor))

    assert 20 == sum(len(page.records) for page in pages) == len(deals(pages))
    assert "SystemModstamp = " in org.sandbox.log.matching("POST", "/jobs/query")[-1].body["query"]


def test_what_an_automation_changes_is_seen(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """It moves SystemModstamp, and LastModifiedDate need not show it (ingestr PR 695; REST "sObject Get Updated")."""
    cursor = settle(adapter, clock)
    deal = state_of(org).deal_ids()[0]
    tables = state_of(org).tables
    tables.store("Opportunity", {**tables.present("Opportunity", deal), "Amount": 7, "SystemModstamp": clock.now()})
    clock.advance(timedelta(hours=1))

    assert [deal] == list(deals(adapter.pull(Kind.DEAL, cursor)))


def test_an_old_deal_is_not_left_out(org: Served, adapter: SalesforceAdapter) -> None:
    """A first pull has no default start date (airbyte issue 37528)."""
    oldest = min(state_of(org).deal_ids())
    table = state_of(org).tables
    row = table.present("Opportunity", oldest)
    table.plant("Opportunity", row, created=datetime(2009, 1, 1, tzinfo=UTC), changed=datetime(2009, 1, 2, tzinfo=UTC))

    assert oldest in deals(adapter.pull(Kind.DEAL, None))


@pytest.mark.parametrize("ahead", [timedelta(hours=-5), timedelta(hours=5)])
def test_a_clock_that_is_wrong_loses_nothing(
    org: Served, open_adapter: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    """Times are the org's: with our clock hours off in either direction, edits between two pulls are seen."""
    adapter = open_adapter(org.url, org.token)
    monkeypatch.setattr(adapter, "_clock", VirtualClock(clock.now() + ahead))
    cursor = list(adapter.pull(Kind.DEAL, None))[-1].cursor
    for step in range(3):
        clock.advance(timedelta(minutes=30))
        deal = state_of(org).deal_ids()[step]
        state_of(org).edit_deal(deal, NextStep=f"step {step}")
        pages = list(adapter.pull(Kind.DEAL, cursor))
        cursor = pages[-1].cursor
        assert deal in deals(pages)


def test_the_orgs_clock_may_be_put_back(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """What is edited or deleted then has times before those that were delivered; the next walk but one has it."""
    state = state_of(org)
    cursor = settle(adapter, clock)
    edited, gone = state.deal_ids()[:2]
    clock.advance(-timedelta(hours=2))
    found: list[Page] = []
    state.edit_deal(edited, Name="After")
    clock.advance(timedelta(minutes=1))
    found += adapter.pull(Kind.DEAL, cursor)
    clock.advance(timedelta(minutes=1))
    state.delete_deal(gone)
    clock.advance(timedelta(minutes=1))
    found += adapter.pull(Kind.DEAL, found[-1].cursor)

    assert "After" == deals(found)[edited].fields["name"]
    assert gone in {tombstone.ref.id for page in found for tombstone in page.tombstones}


@pytest.mark.parametrize("again", [timedelta(minutes=15), timedelta(hours=30)])
@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(minutes=12), timedelta(hours=2), timedelta(days=1)])
def test_an_edit_long_before_the_next_pull_is_seen_after_the_orgs_clock_was_put_back(
    org: Served,
    adapter: SalesforceAdapter,
    clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    back: timedelta,
    again: timedelta,
) -> None:
    """What is edited right before and right after that, and what is deleted; whether the clock is past it by then."""
    ours = ClockBeside(clock)
    monkeypatch.setattr(adapter, "_clock", ours)
    state, cursor = state_of(org), settle(adapter, clock)
    before, after, gone = state.deal_ids()[:3]
    clock.advance(timedelta(minutes=40))
    state.edit_deal(before, Name="Before")
    clock.advance(-back)
    ours.beside = back
    clock.advance(timedelta(seconds=5))
    state.edit_deal(after, Name="After")
    state.delete_deal(gone)
    clock.advance(again)
    pages = list(adapter.pull(Kind.DEAL, cursor))
    later = list(adapter.pull(Kind.DEAL, pages[-1].cursor))

    assert {before, after} == set(deals(pages))
    assert [gone] == [stone.ref.id for page in pages for stone in page.tombstones]
    assert [] == [stone.ref.id for page in later for stone in page.tombstones if again > timedelta(hours=1)]


@pytest.mark.parametrize("minutes", [-6000, -90, -3, 3, 90, 6000])
def test_our_clock_may_be_put_to_another_time_between_two_pulls(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """Only the org's own times say what is new, so the edits of each day are seen, then and later."""
    ours = ClockBeside(clock)
    monkeypatch.setattr(adapter, "_clock", ours)
    cursor = settle(adapter, clock)
    for number, deal in enumerate(state_of(org).deal_ids()[:4]):
        ours.beside = timedelta(minutes=minutes) if number in {1, 2} else timedelta(0)
        clock.advance(timedelta(minutes=20))
        state_of(org).edit_deal(deal, Name="Edited")
        clock.advance(timedelta(minutes=20))
        pages = list(adapter.pull(Kind.DEAL, cursor))
        cursor = pages[-1].cursor

        assert deal in deals(pages)


def test_an_edit_during_the_walk_is_not_lost(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """Whether it was passed already or is still to come: this walk or the next one has it."""
    adapter = open_adapter(org.url, org.token, page_size=6)
    walk = adapter.pull(Kind.DEAL, None)
    pages = [next(walk)]
    clock.advance(timedelta(seconds=5))
    passed = pages[0].records[0].ref.id
    coming = next(deal for deal in state_of(org).deal_ids() if deal not in deals(pages))
    for deal in (passed, coming):
        state_of(org).edit_deal(deal, NextStep="now", Name="Edited")
    pages += walk
    clock.advance(timedelta(minutes=1))
    pages += adapter.pull(Kind.DEAL, pages[-1].cursor)
    found = deals(pages)

    assert ["Edited"] * 2 == [found[deal].fields["name"] for deal in (passed, coming)]
    assert set(state_of(org).deal_ids()) == set(found)


def test_what_is_seen_late_is_not_lost(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row has the time at which its transaction wrote it, and is seen once that ends, maybe after a walk went by."""
    monkeypatch.setattr("crmbridge_salesforce.sources.FEW", 0)
    cursor = settle(adapter, clock)
    tables = state_of(org).tables
    written = {"SystemModstamp": clock.now() - timedelta(minutes=5)}
    moved, tied, gone = (deal for deal, row in list(tables.rows("Opportunity").items())[:3])
    stage = {"LastStageChangeDate": written["SystemModstamp"]}
    tables.store("Opportunity", {**tables.present("Opportunity", moved), **stage, **written})
    contact = state_of(org).insert("Contact", {"LastName": "Late"})
    for deal in (moved, tied):
        role = {"OpportunityId": deal, "ContactId": contact}
        tables.plant("OpportunityContactRole", role, created=clock.now(), changed=written["SystemModstamp"])
    tables.store("Opportunity", {**tables.present("Opportunity", gone), "IsDeleted": True, **written})
    clock.advance(timedelta(hours=1))
    pages = list(adapter.pull(Kind.DEAL, cursor))

    assert [moved, tied] == [record.ref.id for page in pages for record in page.records]
    assert all(contact in deal.fields["contacts"] for deal in deals(pages).values())
    assert {moved} == {move.deal.id for page in pages for move in page.moves}
    assert [gone] == [stone.ref.id for page in pages for stone in page.tombstones]


def row(number: int, stamp: str) -> dict[str, Any]:
    """Make a row of an account."""
    return {"Id": f"001Sb00000000{number:02}IAA", "Name": f"N {number}", "SystemModstamp": f"{stamp}.000+0000"}


@pytest.fixture
def accounts() -> Iterable[respx.MockRouter]:
    """Stub an org of accounts; what queries answer is for the test to say."""
    fields = [{"name": "Id", "type": "id"}, {"name": "SystemModstamp", "type": "datetime"}]
    with respx.mock(assert_all_called=False) as router:
        described = {"name": "Account", "fields": [*fields, {"name": "Name", "type": "string"}]}
        router.get(f"{BASE}/sobjects/Account/describe").respond(json=described)
        yield router


def reply(*rows: dict[str, Any], date: str | None = "Wed, 10 Jun 2026 12:00:00 GMT") -> httpx.Response:
    """Make the answer of a query."""
    body = {"totalSize": len(rows), "done": True, "records": list(rows)}
    return httpx.Response(200, json=body, headers={"Date": date} if date else {})


def answering(count: httpx.Response, *others: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """Answer the count, which is asked beside the first query, with the one, and queries with the others in order."""
    rest = iter(others)
    return lambda request: count if "COUNT()" in request.url.params["q"] else next(rest)


def test_a_row_that_changed_on_its_way_does_not_carry_the_cursor_ahead(
    open_adapter: Opener, accounts: respx.MockRouter
) -> None:
    """The last row of a page shows a stamp from after the walk began: the walk goes on from the row before it."""
    pages = [
        reply(row(1, "2026-06-01T00:00:00"), row(2, "2026-06-10T12:00:07")),
        reply(row(3, "2026-06-02T00:00:00")),
    ]
    route = accounts.get(f"{BASE}/query")
    route.side_effect = pages
    start = '{"at":"2026-05-01T00:00:00Z"}'
    list(open_adapter(HOST, "t", page_size=2).pull(Kind.COMPANY, start))
    (following,) = (call.request.url.params["q"] for call in list(route.calls)[1:])

    assert "Id > '001Sb0000000001IAA'" in following
    assert "SystemModstamp <= 2026-06-10T12:00:00Z" in following


def test_nor_where_a_cut_walk_finds_its_job_gone(open_adapter: Opener, accounts: respx.MockRouter) -> None:
    """Then rows are read page by page, and the org's time of that is the end of the walk as well."""
    accounts.get(f"{BASE}/jobs/query/750Sb1").respond(404, json=[{"errorCode": "NOT_FOUND", "message": "gone"}])
    pages = [
        reply(row(1, "2026-06-01T00:00:00"), row(2, "2026-06-10T12:00:07")),
        reply(row(3, "2026-06-02T00:00:00"), row(4, "2026-06-03T00:00:00")),
        reply(row(2, "2026-06-10T12:00:07")),
    ]
    route = accounts.get(f"{BASE}/query")
    route.side_effect = pages
    start = '{"job":"750Sb1","floor":"2026-06-01T00:00:00Z","gone":"2026-06-01T00:00:00Z","whole":true}'
    found = list(open_adapter(HOST, "t", page_size=2).pull(Kind.COMPANY, start))

    assert {"N 1", "N 3", "N 4"} <= {record.fields["name"] for page in found for record in page.records}
    assert "Id > '001Sb0000000001IAA'" in route.calls[1].request.url.params["q"]
    assert {"at": "2026-06-01T00:00:00Z", "second": True} == json.loads(found[-1].cursor)


@pytest.mark.parametrize("told", [(), (Kind.COMPANY,)])
def test_an_org_that_says_no_time_is_walked_by_its_stamps(
    open_adapter: Opener, accounts: respx.MockRouter, told: tuple[Kind, ...]
) -> None:
    """Without a Date the newest stamp is where the next walk begins, never our own clock.

    Rows that were read before that was asked for are read again: one may have changed in between.
    """
    late = row(2, "2026-06-05T00:00:00")
    accounts.get(f"{BASE}/query").side_effect = answering(
        reply(date=None),
        reply(row(1, "2026-06-01T00:00:00"), row(2, "2026-06-02T00:00:00"), date=None),
        reply(late, date=None),
        reply(row(1, "2026-06-01T00:00:00"), late, date=None),
    )
    adapter = open_adapter(HOST, "t")
    adapter.ask_ahead(told)
    pages = list(adapter.pull(Kind.COMPANY, None))

    assert {"at": "2026-06-05T00:00:00Z", "second": True} == json.loads(pages[-1].cursor)
    assert [1, 5] == [record.updated_at.day for record in pages[0].records]


@pytest.mark.parametrize("seconds", [(50, 55), (55, 50)])
def test_a_walk_begins_when_the_first_of_its_answers_was_given(
    open_adapter: Opener, accounts: respx.MockRouter, seconds: tuple[int, int]
) -> None:
    """The count and the rows are asked for side by side; what is edited between the two comes with the next walk."""
    count, rows = (reply(row(1, "2026-06-01T00:00:00"), date=f"Wed, 10 Jun 2026 11:59:{at} GMT") for at in seconds)
    accounts.get(f"{BASE}/query").side_effect = answering(count, rows)
    pages = list(open_adapter(HOST, "t").pull(Kind.COMPANY, None))

    assert "2026-06-10T11:59:50Z" == json.loads(pages[-1].cursor)["at"]


@pytest.mark.parametrize("said", [{"done": False}, {}, {"done": None}])
def test_small_pages_end_nothing(
    open_adapter: Opener, accounts: respx.MockRouter, said: dict[str, bool | None]
) -> None:
    """Wide rows come in pages of 200 although more are there, and the rest is fetched (jsforce issue 1162, 1385)."""
    first = {"totalSize": 3, "nextRecordsUrl": "/services/data/v67.0/query/01g-200", **said}
    accounts.get(f"{BASE}/query").side_effect = answering(
        reply(), httpx.Response(200, json={**first, "records": [row(1, "2026-06-01T00:00:00")]})
    )
    accounts.get(f"{BASE}/query/01g-200").mock(
        return_value=reply(row(2, "2026-06-01T00:00:00"), row(3, "2026-06-01T00:00:00"))
    )
    found = list(open_adapter(HOST, "t").pull(Kind.COMPANY, None))

    assert [3, 0] == [len(page.records) for page in found]


def test_a_lost_locator_is_no_end(open_adapter: Opener, accounts: respx.MockRouter) -> None:
    """INVALID_QUERY_LOCATOR: the walk begins anew from its cursor later (SalesforceLabs/OrgCheck issue 72)."""
    lost = [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}]
    accounts.get(f"{BASE}/query").respond(400, json=lost)
    with pytest.raises(RetryLaterError) as caught:
        list(open_adapter(HOST, "t").pull(Kind.COMPANY, '{"at":"2026-05-01T00:00:00Z"}'))

    assert caught.value.after is not None


def test_a_query_that_times_out_is_no_success(open_adapter: Opener, accounts: respx.MockRouter) -> None:
    """QUERY_TIMEOUT is said, and the cursor stays (airbyte issue 17503)."""
    accounts.get(f"{BASE}/query").respond(400, json=[{"errorCode": "QUERY_TIMEOUT", "message": "took too long"}])
    with pytest.raises(RetryLaterError, match="took too long"):
        list(open_adapter(HOST, "t").pull(Kind.COMPANY, '{"at":"2026-05-01T00:00:00Z"}'))


def test_a_stamp_that_can_not_be_filtered_by_is_not_used(open_adapter: Opener) -> None:
    """describe says which times can; some objects have others (airbyte PR 68166)."""
    fields = [{"name": "Id", "type": "id"}, {"name": "Name", "type": "string"}]
    fields += [{"name": "SystemModstamp", "type": "datetime", "filterable": False}]  # type: ignore[dict-item]  # JSON
    fields += [{"name": "LastModifiedDate", "type": "datetime"}]
    with respx.mock:
        respx.get(f"{BASE}/sobjects/Account/describe").respond(json={"name": "Account", "fields": fields})
        route = respx.get(f"{BASE}/query").mock(return_value=reply())
        list(open_adapter(HOST, "t").pull(Kind.COMPANY, '{"at":"2026-05-01T00:00:00Z"}'))

    assert "WHERE LastModifiedDate >=" in route.calls.last.request.url.params["q"]


def test_many_columns_fit_without_a_long_url(open_adapter: Opener) -> None:
    """What would not fit in a URL goes in a body: ids first, then whole rows by POST (airbyte issue 20703)."""
    names = [f"A_rather_long_name_of_a_field_{number:03}__c" for number in range(500)]
    fields = [{"name": "Id", "type": "id"}, {"name": "SystemModstamp", "type": "datetime"}]
    fields += [{"name": name, "type": "string"} for name in ("Name", "StageName", *names)]
    wide = {"Id": "006Sb0000000001IAA", "StageName": "Talk", "SystemModstamp": "2026-06-01T00:00:00.000+0000"}
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{BASE}/sobjects/Opportunity/describe").respond(json={"name": "Opportunity", "fields": fields})
        ask = router.get(f"{BASE}/query").mock(return_value=reply(wide))
        fetch = router.post(f"{BASE}/composite/sobjects/Opportunity").respond(json=[{**wide, names[-1]: "there"}])
        router.get(f"{BASE}/queryAll").mock(return_value=reply())
        adapter = open_adapter(HOST, "t", fields={f"f{n}": name for n, name in enumerate(names)})
        ask.side_effect = [reply(wide), reply(), reply(), reply()]
        page = next(adapter.pull(Kind.DEAL, '{"at":"2026-06-09T00:00:00Z"}'))

    assert "there" == page.records[0].fields["f499"]
    assert 16_384 > max(len(str(call.request.url)) for call in ask.calls)
    assert 502 < len(json.loads(fetch.calls.last.request.content)["fields"])


def test_describing_may_take_minutes(open_adapter: Opener, accounts: respx.MockRouter) -> None:
    """An object with many fields takes more than half a minute to describe (singer-io tap-salesforce PR 126)."""
    accounts.get(f"{BASE}/query").mock(return_value=reply())
    list(open_adapter(HOST, "t").pull(Kind.COMPANY, '{"at":"2026-05-01T00:00:00Z"}'))

    describe = next(call.request for call in accounts.calls if "describe" in str(call.request.url))
    assert 120.0 == describe.extensions["timeout"]["read"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_many_deletions_come_on_several_pages(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """However many were deleted, a page stays small, and none is left out."""
    monkeypatch.setattr("crmbridge_salesforce.pull.STONES", 2)
    cursor = settle(adapter, clock)
    gone = state_of(org).deal_ids()[:count]
    for deal in gone:
        state_of(org).delete_deal(deal)
    clock.advance(timedelta(hours=1))
    pages = list(adapter.pull(Kind.DEAL, cursor))

    assert gone == sorted(stone.ref.id for page in pages for stone in page.tombstones)
    assert 2 >= max(len(page.tombstones) for page in pages)
    assert {"apart", "at"} == set(json.loads(pages[-1].cursor))


# ── Moves ───────────────────────────────────────────────────────────────────────────────────────────────


def edit_many_and_move_one(org: Served, adapter: Adapter, cursor: str) -> tuple[set[str], list[Page]]:
    """Let people edit eight deals, move another and make a new one; give those two, and what the next pull brings."""
    ids = state_of(org).deal_ids()
    for deal in ids[:8]:
        state_of(org).edit_deal(deal, NextStep="edited")
    open_ones = [deal for deal in ids if not state_of(org).tables.present("Opportunity", deal)["IsClosed"]]
    state_of(org).edit_deal(open_ones[-1], StageName="Closed Lost")
    made = state_of(org).insert("Opportunity", {"Name": "New", "StageName": "Prospecting", "CloseDate": "2026-12-31"})
    return {open_ones[-1], made}, list(adapter.pull(Kind.DEAL, cursor))


def test_a_deal_that_was_edited_during_the_first_walk_comes_with_its_moves(
    org: Served, open_adapter: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second walk brings it. Without them it would seem never to have left its first stage; the third asks less.

    And so it is where each of them is cut.
    """
    monkeypatch.setattr("crmbridge_salesforce.sources.FEW", 2)
    adapter = open_adapter(org.url, org.token, page_size=6)
    found = [next(adapter.pull(Kind.DEAL, None))]
    clock.advance(timedelta(seconds=5))
    for deal in sorted(set(state_of(org).deal_ids()) - set(deals(found)))[::2]:
        state_of(org).edit_deal(deal, NextStep="Meanwhile")
    found += adapter.pull(Kind.DEAL, found[-1].cursor)
    clock.advance(timedelta(hours=1))
    found.append(next(adapter.pull(Kind.DEAL, found[-1].cursor)))
    found += adapter.pull(Kind.DEAL, found[-1].cursor)
    every = set(state_of(org).deal_ids())
    clock.advance(timedelta(days=1))
    moved, pages = edit_many_and_move_one(org, adapter, found[-1].cursor)

    assert every == {move.deal.id for page in found for move in page.moves}
    assert moved == {move.deal.id for page in pages for move in page.moves}


def test_history_is_asked_for_what_moved(
    org: Served, open_adapter: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many edited deals only those that changed stage, or are new, are asked for their history."""
    monkeypatch.setattr("crmbridge_salesforce.sources.FEW", 3)
    adapter = open_adapter(org.url, org.token)
    moved, pages = edit_many_and_move_one(org, adapter, settle(adapter, clock))

    assert moved == {move.deal.id for page in pages for move in page.moves}
    assert 8 <= len(deals(pages))


def test_without_its_time_of_change_history_tells_who_moved(
    org: Served, open_adapter: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old API versions have no LastStageChangeDate: new snapshots say which deals moved, by one query."""
    monkeypatch.setattr("crmbridge_salesforce.sources.FEW", 3)
    columns = dict(state_of(org).tables.objects["Opportunity"].columns)
    del columns["LastStageChangeDate"]
    force_setattr(state_of(org).tables.objects["Opportunity"], "columns", columns)
    state_of(org).tables.objects["Opportunity"].__dict__.pop("_by_name", None)
    adapter = open_adapter(org.url, org.token)
    moved, pages = edit_many_and_move_one(org, adapter, settle(adapter, clock))

    assert moved == {move.deal.id for page in pages for move in page.moves}


# ── Fields by label ─────────────────────────────────────────────────────────────────────────────────────


def labelled(*labels: str) -> dict[str, Any]:
    """Describe an Opportunity with custom fields of these labels."""
    fields = [{"name": name, "label": name, "type": "string"} for name in ("Id", "Name", "StageName")]
    fields += [{"name": "SystemModstamp", "label": "Stamp", "type": "datetime"}]
    fields += [{"name": f"F{n}__c", "label": label, "type": "string"} for n, label in enumerate(labels)]
    return {"name": "Opportunity", "fields": fields}


def test_a_field_can_be_named_by_its_label(open_adapter: Opener) -> None:
    """People know labels; the API name is found by it, whatever its case."""
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=labelled("Budget agreed"))
        found = {"Id": "006Sb0000000001IAA", "StageName": "Talk", "F0__c": "50k"}
        found["SystemModstamp"] = "2026-06-01T00:00:00.000+0000"
        router.get(f"{BASE}/query").mock(side_effect=[reply(found), reply(), reply(), reply()])
        adapter = open_adapter(HOST, "t", fields={"budget": "budget Agreed"})
        page = next(adapter.pull(Kind.DEAL, '{"at":"2026-06-09T00:00:00Z"}'))

    assert "50k" == page.records[0].fields["budget"]


def test_a_label_of_two_fields_is_refused(open_adapter: Opener) -> None:
    """Which one is meant must be said, so both are named."""
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=labelled("Budget", "Budget"))
        adapter = open_adapter(HOST, "t", fields={"budget": "Budget"})
        with pytest.raises(ConfigurationError, match="F0__c and F1__c"):
            list(adapter.pull(Kind.DEAL, None))


def test_too_much_to_share_is_said(open_adapter: Opener, accounts: respx.MockRouter) -> None:
    """OPERATION_TOO_LARGE on activities without View All Data says what to do (singer-io tap-salesforce PR 98)."""
    too_large = [{"errorCode": "OPERATION_TOO_LARGE", "message": "exceeded 100000 distinct who/what's"}]
    accounts.get(f"{BASE}/query").respond(400, json=too_large)
    with pytest.raises(RefusedError, match="100000") as caught:
        list(open_adapter(HOST, "t").pull(Kind.COMPANY, '{"at":"2026-05-01T00:00:00Z"}'))

    assert "View All Data" in caught.value.advice


@pytest.mark.parametrize("bulk_above", [0, 2000])
def test_tracked_stages_fill_what_the_usual_history_lacks(
    org: Served, open_adapter: Opener, clock: VirtualClock, bulk_above: int
) -> None:
    """Where the org tracks StageName, a change that OpportunityHistory lost is a move, and no other comes twice."""
    state_of(org).tracked.add("StageName")
    tables = state_of(org).tables
    deal = next(i for i, row in tables.rows("Opportunity").items() if not row["IsClosed"])
    clock.advance(timedelta(days=1))
    state_of(org).edit_deal(deal, StageName="Contracting")
    lost = next(i for i, row in tables.rows("OpportunityHistory").items() if row["CreatedDate"] == clock.now())
    clock.advance(timedelta(days=1))
    state_of(org).edit_deal(deal, StageName="Closed Won")
    before = [move for page in open_adapter(org.url, org.token).pull(Kind.DEAL, None) for move in page.moves]
    tables.store("OpportunityHistory", {**tables.present("OpportunityHistory", lost), "IsDeleted": True})
    pages = list(open_adapter(org.url, org.token, bulk_above=bulk_above).pull(Kind.DEAL, None))
    after = [move for page in pages for move in page.moves]

    told = {(move.deal, move.at, move.after, move.before) for move in before}
    assert told == {(move.deal, move.at, move.after, move.before) for move in after}
    assert len(before) == len(after)
    assert "017" in {move.id[:3] for move in after if move.deal.id == deal}


def hide(org: Served, column: str) -> None:
    """Take the user's right to see a column of deals, or the column itself: the API shows no difference."""
    table = state_of(org).tables.objects["Opportunity"]
    force_setattr(table, "columns", {name: each for name, each in table.columns.items() if name != column})
    vars(table).clear()  # what was worked out from them


@pytest.mark.parametrize(
    ("column", "field"), [("Amount", "amount"), ("AccountId", "company"), ("discount__c", "discount")]
)
def test_a_column_that_is_hidden_between_two_pulls_is_not_empty(
    org: Served, open_adapter: Opener, clock: VirtualClock, column: str, field: str
) -> None:
    """Sync would else clear it in the other CRMs. Field-level security is taken within the hour of a set-up."""
    memory: dict[str, str] = {}
    cursor = settle(open_adapter(org.url, org.token, memory), clock)
    list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, cursor))
    hide(org, column)
    clock.advance(timedelta(minutes=5))
    state_of(org).edit_deal(min(state_of(org).deal_ids()), NextStep="Call")
    (deal,) = deals(list(open_adapter(org.url, org.token, memory).pull(Kind.DEAL, cursor))).values()

    assert field not in deal.fields
    assert [(column, field)] == [(each.path, each.field) for each in deal.problems]


# ── After a long time ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("days", [1, 13, 16, 100])
def test_a_contact_that_left_a_deal_is_missed_by_no_pull(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock, days: int
) -> None:
    """The deal itself does not change, and the role that is gone leaves the recycle bin after fifteen days."""
    before = deals(adapter.pull(Kind.DEAL, None))
    left = next(deal for deal in before.values() if deal.fields["contacts"])
    cursor = settle(adapter, clock)
    for contact in left.fields["contacts"]:
        state_of(org).remove_contact(left.ref.id, contact)
    clock.advance(timedelta(days=days))

    assert () == deals(adapter.pull(Kind.DEAL, cursor))[left.ref.id].fields["contacts"]


def test_a_pull_after_a_long_time_is_no_first_one(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """All deals come again, once; what is still in the recycle bin is told of, and the next pull is quiet."""
    cursor = settle(adapter, clock)
    clock.advance(timedelta(days=20))
    gone, *there = state_of(org).deal_ids()
    state_of(org).delete_deal(gone)
    clock.advance(timedelta(days=1))
    pages = list(adapter.pull(Kind.DEAL, cursor))
    clock.advance(timedelta(days=1))

    assert sorted(there) == sorted(record.ref.id for page in pages for record in page.records)
    assert [gone] == [stone.ref.id for page in pages for stone in page.tombstones]
    assert {} == deals(adapter.pull(Kind.DEAL, pages[-1].cursor))
