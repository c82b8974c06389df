"""A walk through everything: how many requests it takes, where it goes on, and what stands behind each way."""

import json
import threading
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.model.records import Kind, Move, Record
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, FieldBinding, Page, asks_ahead
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.factories import NOON

from .accounts import LINKS, OBJECTS, STAMP, Answer, Opener

MADE = "2026-05-01T10:00:00.000Z"


def make_deal(number: int, **properties: str | None) -> dict[str, Any]:
    """Make a deal that never moved, with its links as lists show them."""
    usual = {"dealname": f"Deal {number}", "dealstage": "first", "pipeline": "default", "hs_createdate": MADE}
    entered = {f"hs_v2_date_entered_{stage}": None for stage in ("closedwon", "second", "lied", "elsewhere")}
    return {
        "id": str(number),
        "properties": {
            **usual, **entered, "hs_v2_date_entered_first": MADE, "hs_lastmodifieddate": STAMP, **properties,
        },
        "createdAt": MADE,
        "updatedAt": STAMP,
        "archived": False,
        "associations": {
            "companies": {
                "results": [{"id": "8", "type": "deal_to_company"}, {"id": "8", "type": "deal_to_company_unlabeled"}]
            },
            "contacts": {"results": [{"id": "31", "type": "deal_to_contact"}, {"id": "30", "type": "deal_to_contact"}]},
        },
    }  # fmt: skip


class Server:
    """Answers lists, searches and reads of deals as HubSpot does, and counts them."""

    def __init__(self, deals: list[dict[str, Any]]) -> None:
        self.deals = {int(deal["id"]): deal for deal in deals}
        self.ids = sorted(self.deals)
        self.lists: list[httpx.QueryParams] = []
        self.searches = self.reads = self.histories = 0
        self.order: Callable[[int], Any] = int
        self.token: Callable[[int], str] = str
        self.start: Callable[[str], int] = int
        self.hidden: set[int] = set()

    def listed(self, request: httpx.Request) -> httpx.Response:
        """Answer a list."""
        asked = request.url.params
        if asked.get("archived") == "true":
            return httpx.Response(200, json={"results": []})
        self.lists.append(asked)
        place = bisect_left(self.ids, self.start(asked["after"])) if "after" in asked else 0
        found = self.ids[place : place + int(asked["limit"])]
        body: dict[str, Any] = {"results": [self.deals[each] for each in found if each not in self.hidden]}
        if place + len(found) < len(self.ids):
            body["paging"] = {"next": {"after": self.token(self.ids[place + len(found)])}}
        return httpx.Response(200, json=body)

    def search(self, request: httpx.Request) -> httpx.Response:
        """Answer a search for the newest, the highest, or a range of ids."""
        self.searches += 1
        body = json.loads(request.content)
        found = sorted(self.ids, key=self.order, reverse=body["sorts"][0]["direction"] == "DESCENDING")
        for each in body["filterGroups"][0]["filters"] if body["filterGroups"] else ():
            limit = self.order(int(each["value"]))
            found = [i for i in found if (self.order(i) >= limit) == (each["operator"] == "GTE")]
        results = [{"id": str(each), "properties": {"hs_lastmodifieddate": STAMP}} for each in found[: body["limit"]]]
        return httpx.Response(200, json={"total": len(found), "results": results})

    def read(self, request: httpx.Request) -> httpx.Response:
        """Answer a batch read."""
        body = json.loads(request.content)
        self.reads += 1
        self.histories += "propertiesWithHistory" in body
        found = [self.deals[int(each["id"])] for each in body["inputs"] if int(each["id"]) in self.deals]
        plain = [{name: value for name, value in deal.items() if name != "associations"} for deal in found]
        if "propertiesWithHistory" in body:
            versions = [{"value": "second", "timestamp": STAMP}, {"value": "first", "timestamp": MADE}]
            plain = [{**deal, "propertiesWithHistory": {"dealstage": versions, "pipeline": []}} for deal in plain]
        return httpx.Response(200, json={"results": plain})


PROPERTIES = [
    {"name": name, "label": name, "type": "string", "fieldType": "text"}
    for name in ("dealname", "amount", "dealstage", "pipeline")
]
ENTERED = [
    {"name": f"hs_v2_date_entered_{stage}", "label": f"Entered {stage}", "type": "datetime", "calculated": True}
    for stage in ("closedwon", "first", "second", "lied", "elsewhere")
]


@pytest.fixture
def serve(router: respx.MockRouter, answer_account: Answer) -> Callable[..., Server]:
    """Give a way to let the router answer for an account with these deals."""

    def start(
        deals: list[dict[str, Any]],
        properties: list[dict[str, Any]] | None = None,
        links: dict[str, list[dict[str, Any]]] | None = None,
    ) -> Server:
        server = Server(deals)
        answer_account(router, properties={"results": [*PROPERTIES, *(ENTERED if properties is None else properties)]})
        router.get(path=f"{OBJECTS}/deals").mock(side_effect=server.listed)
        router.post(path=f"{OBJECTS}/deals/search").mock(side_effect=server.search)
        router.post(path=f"{OBJECTS}/deals/batch/read").mock(side_effect=server.read)
        for other in ("companies", "contacts"):
            route = router.post(path=f"{LINKS}/{other}/batch/read", name=other)
            route.respond(json={"results": (links or {}).get(other, [])})
        return server

    return start


def uneven(count: int) -> list[int]:
    """Give ids that lie far apart at first, and close together later on."""
    return [*range(7, 700 * count // 4, 700), *range(10**10, 10**10 + 3 * (count - count // 4), 3)]


def records_of(pages: list[Page]) -> list[Record]:
    """Give the records of pages."""
    return [record for page in pages for record in page.records]


def moves_of(pages: list[Page]) -> list[Move]:
    """Give the moves of pages."""
    return [move for page in pages for move in page.moves]


# ── Requests ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hundred_deals_take_one_request(serve: Callable[..., Server], open_adapter: Opener) -> None:
    """Properties, links and the stage that a deal was made in all come with the list; a slice costs a page or two."""
    server = serve([make_deal(each) for each in uneven(6_000)])
    pages = list(open_adapter(requests_per_10s=1000).pull(Kind.DEAL, None))
    records = records_of(pages)

    assert server.ids == sorted(int(record.ref.id) for record in records)
    assert {("8", ("30", "31"))} == {(r.fields["company"], r.fields["contacts"]) for r in records}
    assert {(None, "first")} == {(move.before, move.after.stage) for move in moves_of(pages)}
    assert 6_000 == len(moves_of(pages))
    assert (0, 2) == (server.reads, server.searches)
    assert 60 <= len(server.lists) <= 60 * 1.5


def test_a_walk_begins_with_one_round_of_requests(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """The first page, the newest time and the highest id don't wait for each other's answers."""
    server = serve([make_deal(each) for each in range(1, 301)])
    together = threading.Barrier(3, timeout=5)
    asked: list[str] = []

    def meet(answer: Callable[[httpx.Request], httpx.Response]) -> Callable[[httpx.Request], httpx.Response]:
        def answered(request: httpx.Request) -> httpx.Response:
            asked.append(request.method)
            if len(asked) <= 3:
                together.wait()
            return answer(request)

        return answered

    router.get(path=f"{OBJECTS}/deals").mock(side_effect=meet(server.listed))
    router.post(path=f"{OBJECTS}/deals/search").mock(side_effect=meet(server.search))
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert 300 == len(records_of(pages))
    assert ["GET", "POST", "POST"] == sorted(asked[:3])


def tell(adapter: Adapter, *kinds: Kind) -> Adapter:
    """Tell an adapter what is pulled next, and look at the account, as a first pull does."""
    if asks_ahead(adapter):
        adapter.ask_ahead(kinds)
    adapter.describe()
    return adapter


def test_a_first_pull_begins_before_the_set_up_is_known(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """The list and both searches are under way while the account's properties are not told yet; nothing comes twice."""
    server, asked = serve([make_deal(each) for each in range(1, 301)]), threading.Semaphore(0)

    def wait(_request: httpx.Request) -> httpx.Response:
        assert all(asked.acquire(timeout=5) for _ in range(3))
        return httpx.Response(200, json={"results": [*PROPERTIES, *ENTERED]})

    def tell_of(answer: Callable[[httpx.Request], httpx.Response]) -> Callable[[httpx.Request], httpx.Response]:
        def answered(request: httpx.Request) -> httpx.Response:
            asked.release()
            return answer(request)

        return answered

    router.get(path="/crm/properties/2026-03/deals").mock(side_effect=wait)
    router.get(path=f"{OBJECTS}/deals").mock(side_effect=tell_of(server.listed))
    router.post(path=f"{OBJECTS}/deals/search").mock(side_effect=tell_of(server.search))
    pages = list(tell(open_adapter(), Kind.USER, Kind.DEAL).pull(Kind.DEAL, None))

    assert list(range(1, 301)) == sorted(int(record.ref.id) for record in records_of(pages))
    assert {("8", ("30", "31"))} == {(r.fields["company"], r.fields["contacts"]) for r in records_of(pages)}
    assert ["50", *["100"] * 3] == sorted((each["limit"] for each in server.lists), key=int)
    assert 2 == server.searches
    assert NOON == pages[0].begun


def test_a_label_is_asked_for_once_it_is_known(serve: Callable[..., Server], open_adapter: Opener) -> None:
    """What was asked for without the field is not taken: it would be empty in the deals of the first page."""
    labelled = {"name": "bant_need", "label": "Need", "type": "string", "fieldType": "text"}
    server = serve([make_deal(each, bant_need="yes") for each in range(1, 4)], properties=[*ENTERED, labelled])
    fields = (FieldBinding(name="bant.need", native="Need", type=FieldType.TEXT),)
    pages = list(tell(open_adapter(fields=fields), Kind.DEAL).pull(Kind.DEAL, None))

    assert ["yes"] * 3 == [record.fields["bant.need"] for record in records_of(pages)]
    assert [False, True] == ["bant_need" in each["properties"].split(",") for each in server.lists]


def test_a_list_that_is_refused_ahead_is_asked_for_again(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """What HubSpot does not take is no error, as long as it takes what is asked for today."""
    server = serve([make_deal(each) for each in range(1, 4)])

    def answer(request: httpx.Request) -> httpx.Response:
        found = server.listed(request)
        refused = httpx.Response(400, json={"status": "error", "message": "no"})
        return refused if "propertiesWithHistory" in request.url.params else found

    router.get(path=f"{OBJECTS}/deals").mock(side_effect=answer)
    pages = list(tell(open_adapter(), Kind.DEAL).pull(Kind.DEAL, None))

    assert 3 == len(records_of(pages))
    assert 2 == len(server.lists)


def test_what_goes_wrong_ahead_is_raised_by_the_pull(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """A credential that may not read deals is refused by the pull, in the words that it has without asking ahead."""
    serve([make_deal(1)])
    refusal = {"status": "error", "message": "no scope", "category": "MISSING_SCOPES"}
    router.get(path=f"{OBJECTS}/deals").respond(403, json=refusal)
    adapter = open_adapter()
    with pytest.raises(AuthenticationError) as usual:
        list(adapter.pull(Kind.DEAL, None))
    with pytest.raises(AuthenticationError) as found:
        list(tell(adapter, Kind.DEAL).pull(Kind.DEAL, None))

    assert (usual.value.message, usual.value.advice) == (found.value.message, found.value.advice)


def test_only_deals_that_moved_are_asked_for_their_history(serve: Callable[..., Server], open_adapter: Opener) -> None:
    """Two stage-entered values are a move; so is one that is not the stage, or not of the day the deal was made."""
    moved = make_deal(1, dealstage="second", hs_v2_date_entered_second=STAMP)
    from_deleted = make_deal(2, hs_v2_date_entered_first=STAMP)
    silent = make_deal(3, hs_v2_date_entered_first=None)
    and_back = make_deal(5, hs_v2_date_entered_second=STAMP)
    server = serve([moved, from_deleted, silent, make_deal(4), and_back])
    pages = list(open_adapter().pull(Kind.DEAL, None))
    counts = {number: sum(move.deal.id == str(number) for move in moves_of(pages)) for number in range(1, 6)}

    assert {1: 2, 2: 2, 3: 2, 4: 1, 5: 2} == counts
    assert 1 == server.reads


def test_an_account_without_stage_clocks_gives_histories_for_all(
    serve: Callable[..., Server], open_adapter: Opener
) -> None:
    """Where one stage has no stage-entered property, nobody can tell that a deal never moved."""
    server = serve([make_deal(each) for each in range(1, 121)], properties=ENTERED[1:])
    list(open_adapter().pull(Kind.DEAL, None))

    assert {("50", "dealstage,pipeline")} == {(each["limit"], each["propertiesWithHistory"]) for each in server.lists}


def test_a_page_with_an_edit_in_between_is_read_again(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """A deal that is edited between the list and its history would have properties and moves of different moments."""
    server = serve([make_deal(1, dealstage="second", hs_v2_date_entered_second=STAMP)])

    def edited(request: httpx.Request) -> httpx.Response:
        answer = server.listed(request)
        server.deals[1]["properties"] |= {"dealname": "New", "hs_lastmodifieddate": "2026-06-02T00:00:00Z"}
        return answer

    router.get(path=f"{OBJECTS}/deals").mock(side_effect=edited)
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert ["New"] == [record.fields["name"] for record in records_of(pages)]
    assert 2 == server.histories


def test_many_properties_are_read_by_post(serve: Callable[..., Server], open_adapter: Opener) -> None:
    """A URL with some 900 properties is refused with 414 (airbyte#33976, PostHog#31617, dlt#305): ids, then a read."""
    names = [f"a_rather_long_name_of_a_property_{number}" for number in range(300)]
    fields = tuple(FieldBinding(name=name, native=name, type=FieldType.TEXT) for name in names)
    there = [{"name": name, "label": name, "type": "string", "fieldType": "text"} for name in names]
    deals = [make_deal(1, a_rather_long_name_of_a_property_7="x"), make_deal(2)]
    server = serve(deals, properties=[*ENTERED, *there])
    pages = list(open_adapter(fields).pull(Kind.DEAL, None))
    told = list(tell(open_adapter(fields), Kind.DEAL).pull(Kind.DEAL, None))

    assert ["x", None] == [record.fields.get("a_rather_long_name_of_a_property_7") for record in records_of(pages)]
    assert records_of(pages) == records_of(told)
    assert {"hs_lastmodifieddate"} == {each["properties"] for each in server.lists}
    assert {("30", "31")} == {record.fields["contacts"] for record in records_of(pages)}


def test_links_that_are_cut_short_are_read_in_full(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """A list shows at most a hundred links of a record, with a page token of their own (airbyte#56447)."""
    deal = make_deal(1)
    deal["associations"]["contacts"]["paging"] = {"next": {"after": "MTAw"}}
    whole = {"from": {"id": "1"}, "to": [{"toObjectId": number, "associationTypes": []} for number in range(30, 150)]}
    server = serve([deal, make_deal(2)], links={"contacts": [whole]})
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert [120, 2] == [len(record.fields["contacts"]) for record in records_of(pages)]  # type: ignore[arg-type]  # a tuple
    assert [[{"id": "1"}]] == [json.loads(call.request.content)["inputs"] for call in router["contacts"].calls]
    assert 0 == server.reads


def test_the_primary_company_is_asked_for_where_there_are_several(
    serve: Callable[..., Server], open_adapter: Opener
) -> None:
    """A list names a link's type in words that are not documented; the batch says which one is primary."""
    deal = make_deal(1)
    deal["associations"]["companies"]["results"].append({"id": "9", "type": "deal_to_company_unlabeled"})
    to = [{"toObjectId": 8, "associationTypes": []}, {"toObjectId": 9, "associationTypes": [{"typeId": 5}]}]
    serve([deal, make_deal(2)], links={"companies": [{"from": {"id": "1"}, "to": to}]})
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert ["9", "8"] == [record.fields["company"] for record in records_of(pages)]


def test_a_page_that_is_too_much_is_halved(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """HubSpot answers large pages with 500 at times; half as much goes through (tap-hubspot PR 234)."""
    server = serve([make_deal(each) for each in range(1, 131)])
    limits: list[str] = []

    def too_much(request: httpx.Request) -> httpx.Response:
        limits.append(request.url.params["limit"])
        return httpx.Response(500) if int(limits[-1]) > 50 else server.listed(request)

    router.get(path=f"{OBJECTS}/deals").mock(side_effect=too_much)
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert 130 == len(records_of(pages))
    assert [*["100"] * 5, "50", "50", "50", "50"] == limits  # the last one is of what was deleted


def test_a_hubspot_that_is_down_ends_the_pull(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """When even the smallest page fails, the run ends and says so."""
    serve([make_deal(1)])
    router.get(path=f"{OBJECTS}/deals").respond(503)

    with pytest.raises(RetryLaterError, match="503"):
        list(open_adapter().pull(Kind.DEAL, None))


# ── What stands behind ──────────────────────────────────────────────────────────────────────────────────


def test_page_tokens_that_are_no_ids_are_followed(serve: Callable[..., Server], open_adapter: Opener) -> None:
    """That `after` is an id is not documented; with any other token the list is read page after page."""
    server = serve([make_deal(each) for each in uneven(900)])
    server.token, server.start = lambda each: f"t{each}", lambda token: int(token[1:])
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert server.ids == [int(record.ref.id) for record in records_of(pages)]
    assert [None, *(f"t{each}" for each in server.ids[100::100])] == [each.get("after") for each in server.lists]


def test_page_tokens_that_are_other_numbers_are_noticed(serve: Callable[..., Server], open_adapter: Opener) -> None:
    """Where `after` is an offset, slices would overlap: ids are walked by search instead."""
    server = serve([make_deal(each) for each in uneven(900)])
    places = {each: place for place, each in enumerate(server.ids)}
    server.token = lambda each: str(places[each])
    server.start = lambda token: server.ids[int(token)] if int(token) < len(server.ids) else 10**12
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert set(server.ids) == {int(record.ref.id) for record in records_of(pages)}
    assert server.histories > 0


def test_search_that_goes_by_text_is_left_for_the_list(serve: Callable[..., Server], open_adapter: Opener) -> None:
    """Whether `hs_object_id` is ordered as a number is not documented (airbyte PR 79666): then page after page."""
    server = serve([make_deal(each) for each in (*range(5, 500), *range(1_000, 1_500))])
    places = {each: place for place, each in enumerate(server.ids)}
    server.token = lambda each: str(places[each])
    server.start = lambda token: server.ids[int(token)] if int(token) < len(server.ids) else 10**12
    server.order = str
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert set(server.ids) == {int(record.ref.id) for record in records_of(pages)}


def test_records_that_the_list_holds_back_are_missed_and_found(
    serve: Callable[..., Server], open_adapter: Opener
) -> None:
    """What was listed is counted against search's total; when it is too few, the ids are walked by search."""
    server = serve([make_deal(each) for each in range(1, 1_001)])
    server.hidden = {500, 501}
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert set(server.ids) == {int(record.ref.id) for record in records_of(pages)}


def test_a_list_that_refuses_to_begin_at_any_id_is_left_for_search(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """A token that HubSpot did not give may be refused; then the pull does not end, ids are walked by search."""
    server = serve([make_deal(each) for each in uneven(900)])

    def answer(request: httpx.Request) -> httpx.Response:
        after = request.url.params.get("after")
        if after is not None and int(after) not in server.deals:
            return httpx.Response(400, json={"status": "error", "message": "no such page"})
        return server.listed(request)

    router.get(path=f"{OBJECTS}/deals").mock(side_effect=answer)
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert set(server.ids) == {int(record.ref.id) for record in records_of(pages)}
    assert server.histories > 0


def test_page_tokens_that_stop_being_numbers_are_noticed(serve: Callable[..., Server], open_adapter: Opener) -> None:
    """The first token may look like an id by chance; the pull goes on by search when a later one does not."""
    server = serve([make_deal(each) for each in uneven(900)])
    server.token = lambda each: str(each) if each == server.ids[100] else f"t{each}"
    server.start = lambda token: int(token.removeprefix("t"))
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert set(server.ids) == {int(record.ref.id) for record in records_of(pages)}


@pytest.mark.parametrize("hidden", [{450}, {899, 900}])
def test_records_that_search_holds_back_are_missed_and_found(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener, hidden: set[int]
) -> None:
    """Search counts records that it does not show, in the middle or at the end: then the list, page after page."""
    server = serve([make_deal(each) for each in range(1, 901)])
    server.token = lambda each: str(each) if each == server.ids[100] else f"t{each}"  # so it is left for search at once
    server.start = lambda token: int(token.removeprefix("t"))

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(server.search(request).content)
        body["results"] = [each for each in body["results"] if int(each["id"]) not in hidden]
        return httpx.Response(200, json=body)

    router.post(path=f"{OBJECTS}/deals/search").mock(side_effect=answer)
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert set(server.ids) == {int(record.ref.id) for record in records_of(pages)}


# ── Killed ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stored", [1, 2, 9, 20])
def test_a_killed_pull_goes_on_where_it_was(serve: Callable[..., Server], open_adapter: Opener, stored: int) -> None:
    """Each slice's place is in the cursor: what was stored is not read again, and what was not is not left out."""
    server = serve([make_deal(each) for each in uneven(3_000)])
    walk = open_adapter(requests_per_10s=1000).pull(Kind.DEAL, None)
    before = [next(walk) for _ in range(stored)]
    walk.close()  # type: ignore[attr-defined]
    server.lists.clear()
    after = list(open_adapter(requests_per_10s=1000).pull(Kind.DEAL, before[-1].cursor))
    ids = [int(record.ref.id) for record in records_of([*before, *after])]

    assert server.ids == sorted(ids)
    assert len(server.lists) <= (3_000 - len(records_of(before))) / 100 + 40


def test_the_next_pull_asks_for_what_changed_since_the_walk_began(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener
) -> None:
    """An edit during the walk has a later time than the newest one at its beginning, so it is not lost."""
    serve([make_deal(each) for each in uneven(600)])
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert 1780308000500 == json.loads(pages[-1].cursor)["at"]
    assert "left" not in json.loads(pages[-1].cursor)


def test_an_edit_while_the_newest_time_is_asked_for_is_not_lost(
    serve: Callable[..., Server], router: respx.MockRouter, open_adapter: Opener, clock: VirtualClock
) -> None:
    """The first page may be older than the answer about the newest time by all that this one took, such as in retries.

    Changes are asked for from as long before it.
    """
    server = serve([make_deal(each) for each in range(1, 11)])

    def late(request: httpx.Request) -> httpx.Response:
        clock.sleep(200)
        return server.search(request)

    router.post(path=f"{OBJECTS}/deals/search").mock(side_effect=late)
    pages = list(open_adapter().pull(Kind.DEAL, None))

    assert 1780308000500 - 200_000 >= json.loads(pages[-1].cursor)["at"]
