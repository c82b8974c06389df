"""What the adapter asks HubSpot for, and what it makes of answers, errors and limits on the way."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError, RefusedError, RetryLaterError
from crmbridge.model.changes import Action, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.factories import NOON, make_change

from .accounts import LINKS, OBJECTS, Answer, Opener


def make_deal(number: int | str, **properties: str | None) -> dict[str, Any]:
    """Make a deal as HubSpot sends it."""
    usual = {"dealname": f"Deal {number}", "dealstage": "first", "pipeline": "default"}
    stamps = {"hs_lastmodifieddate": "2026-06-01T10:00:00.500Z", "hs_createdate": "2026-05-01T10:00:00Z"}
    return {
        "id": str(number),
        "properties": {**usual, **stamps, **properties},
        "createdAt": "2020-01-01T00:00:00Z",
        "updatedAt": "2026-06-01T10:00:00.500Z",
        "archived": False,
    }


def no_links(router: respx.MockRouter) -> None:
    """Let nothing hang on any deal."""
    error = {"category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND", "context": {}}
    router.post(path__regex=rf"{LINKS}/\w+/batch/read").respond(
        207, json={"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}
    )


PLACES = {
    "2026-03": "/crm/objects/2026-03/deals",
    "2026-09": "/crm/objects/2026-09/deals",
    "v3": "/crm/v3/objects/deals",
}


@pytest.mark.parametrize("version", PLACES)
def test_the_version_is_in_the_path(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener, token: str, version: str
) -> None:
    """A dated path names family, date, resource; the numbered one goes on working ("CRM API overview")."""
    answer_account(router, version)
    read = router.post(path=f"{PLACES[version]}/batch/read").respond(json={"results": []})
    adapter = open_adapter(api_version=version)

    assert {} == dict(adapter.read([Ref("hs", Kind.DEAL, "1")]))
    assert f"Bearer {token}" == read.calls.last.request.headers["authorization"]


def test_properties_are_sent_with_every_page(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """The page token does not remember them (hubspot-api-python#248)."""
    hubspot.post(path=f"{OBJECTS}/companies/search").respond(json={"total": 0, "results": []})
    pages = [
        {"results": [make_deal(1)], "paging": {"next": {"after": "2"}}},
        {"results": [], "paging": {"next": {"after": "3"}}},  # empty, and not the last (airbyte PR 80745)
        {"results": [make_deal(3)]},
        {"results": []},  # the archived ones
    ]
    listed = hubspot.get(path=f"{OBJECTS}/companies").mock(side_effect=[httpx.Response(200, json=p) for p in pages])
    records = [record for page in open_adapter().pull(Kind.COMPANY, None) for record in page.records]

    assert ["1", "3"] == [record.ref.id for record in records]
    asked = [call.request.url.params for call in listed.calls]
    assert [None, "2", "3", None] == [params.get("after") for params in asked]
    assert 1 == len({params["properties"] for params in asked[:3]})
    assert "domain" in asked[0]["properties"]


def test_a_page_token_that_comes_twice_ends_the_pull(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A list that leads in a circle is an error, not an endless pull."""
    hubspot.post(path=f"{OBJECTS}/companies/search").respond(json={"total": 0, "results": []})
    hubspot.get(path=f"{OBJECTS}/companies").respond(json={"results": [], "paging": {"next": {"after": "2"}}})

    with pytest.raises(RetryLaterError, match="twice"):
        list(open_adapter().pull(Kind.COMPANY, None))


def test_history_is_asked_for_in_fifties(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """More than 50 with history are refused with 400, for ever (activepieces PR 9359, hubspot-api-python#143)."""
    no_links(hubspot)
    deals = {str(number): make_deal(number) for number in range(1, 121)}
    stamps = [{"id": each, "properties": deal["properties"]} for each, deal in deals.items()]
    hubspot.post(path=f"{OBJECTS}/deals/search").respond(json={"total": 120, "results": stamps})
    listed = hubspot.get(path=f"{OBJECTS}/deals").respond(json={"results": []})

    def read(request: httpx.Request) -> httpx.Response:
        ids = [each["id"] for each in json.loads(request.content)["inputs"]]
        return httpx.Response(200, json={"results": [deals[each] for each in reversed(ids)]})

    reads = hubspot.post(path=f"{OBJECTS}/deals/batch/read").mock(side_effect=read)
    adapter = open_adapter()
    (page, *_) = adapter.pull(Kind.DEAL, '{"v":1,"at":1780000000000}')
    list(adapter.pull(Kind.DEAL, None))

    bodies = [json.loads(call.request.content) for call in reads.calls]
    assert [20, 50, 50] == sorted(len(body["inputs"]) for body in bodies)
    assert {("dealstage", "pipeline")} == {tuple(body["propertiesWithHistory"]) for body in bodies}
    assert list(deals) == [record.ref.id for record in page.records]
    (asked,) = [params for call in listed.calls if "propertiesWithHistory" in (params := call.request.url.params)]
    assert ("50", "dealstage,pipeline") == (asked["limit"], asked["propertiesWithHistory"])


def test_found_records_are_kept_when_others_are_missing(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """207 carries what was found beside what was not (hubspot-api-php#619)."""
    no_links(hubspot)
    errors = [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["2", "3"]}}]
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(207, json={"results": [make_deal(1)], "errors": errors})
    found = open_adapter().read([Ref("hs", Kind.DEAL, each) for each in ("1", "2", "3")])

    assert ["1"] == [ref.id for ref in found]


@pytest.mark.parametrize("place", ["deals", "links"])
def test_what_was_not_read_this_time_is_not_gone(hubspot: respx.MockRouter, open_adapter: Opener, place: str) -> None:
    """Any other error of a batch: the deal would count as deleted, or as one without contacts."""
    trouble = {"status": "COMPLETE", "results": [], "errors": [{"category": "INTERNAL_ERROR", "message": "try later"}]}
    found = {"results": [make_deal(1)]}
    no_links(hubspot)
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json=found)
    if place == "links":
        hubspot.post(path__regex=rf"{LINKS}/\w+/batch/read").respond(207, json=trouble)
    else:
        hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(207, json={**trouble, **found})

    with pytest.raises(RetryLaterError, match="try later"):
        open_adapter().read([Ref("hs", Kind.DEAL, each) for each in ("1", "2")])


def test_all_missing_may_come_as_404(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """When none of a batch is found, reports name both 207 and 404 (ingestr#1203)."""
    none = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "none"}
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(404, json=none)

    assert {} == dict(open_adapter().read([Ref("hs", Kind.DEAL, "1")]))


NO_PATH = {"json": {"status": "error", "message": "resource not found"}}
PAGE = {"html": "<!doctype html><title>404 Not Found</title>", "headers": {"content-type": "text/html"}}


def test_a_page_instead_of_an_answer_says_nothing_of_records(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Not every 404 means "none found" (ingestr#1203, review): what stands before HubSpot answers so, too."""
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(404, **PAGE)

    with pytest.raises(RetryLaterError, match="none of HubSpot's own") as caught:
        open_adapter().read([Ref("hs", Kind.DEAL, "1")])

    assert "base_url and api_version" in caught.value.advice


def test_a_path_that_is_gone_says_nothing_of_records(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Versions of the API end: every deal would seem to be deleted, and go from every other CRM."""
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(404, **NO_PATH)

    with pytest.raises(RefusedError, match="resource not found") as caught:
        open_adapter().read([Ref("hs", Kind.DEAL, "1")])

    assert "base_url and api_version" in caught.value.advice


def test_a_path_that_is_gone_archives_nothing(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """The deal may well be there still."""
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json={"results": [make_deal(1)]})
    hubspot.post(path=f"{OBJECTS}/deals/batch/archive").respond(404, **NO_PATH)
    change = make_change(1, connection="hs", action=Action.ARCHIVE, target=Ref("hs", Kind.DEAL, "1"), expects=None)

    assert [Outcome.REFUSED] == [receipt.outcome for receipt in open_adapter().write([change])]


def test_a_page_instead_of_an_answer_archives_nothing(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Taken for "gone already", the deal would stay there, and be counted as archived."""
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json={"results": [make_deal(1)]})
    hubspot.post(path=f"{OBJECTS}/deals/batch/archive").respond(404, **PAGE)
    change = make_change(1, connection="hs", action=Action.ARCHIVE, target=Ref("hs", Kind.DEAL, "1"), expects=None)

    with pytest.raises(RetryLaterError, match="none of HubSpot's own"):
        open_adapter().write([change])


@pytest.mark.parametrize("answer", [NO_PATH, PAGE])
def test_a_path_that_is_gone_does_not_take_all_contacts_off_all_deals(
    hubspot: respx.MockRouter, open_adapter: Opener, answer: dict[str, Any]
) -> None:
    """v4's associations end before the rest ("Legacy APIs": 30 March 2027); contacts would go in every other CRM."""
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json={"results": [make_deal(1)]})
    hubspot.post(path__regex=rf"{LINKS}/\w+/batch/read").respond(404, **answer)

    with pytest.raises((RefusedError, RetryLaterError), match="404"):
        open_adapter().read([Ref("hs", Kind.DEAL, "1")])


def test_a_deal_is_read_with_its_problems(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """What can't be read is named, the record is kept, and a back-dated `createdate` counts for nothing."""
    no_links(hubspot)
    deal = make_deal(1, amount="a lot", createdate="2001-01-01T00:00:00Z", dealstage="gone", hs_is_closed="false")
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json={"results": [deal]})
    (record,) = open_adapter().read([Ref("hs", Kind.DEAL, "1")]).values()

    assert {"amount", "dealstage"} == {problem.path for problem in record.problems}
    assert "Deal 1" == record.fields["name"]
    assert datetime(2026, 5, 1, 10, tzinfo=UTC) == record.created_at
    assert "https://app.example/contacts/42/record/0-3/1" == record.url


def test_links_are_read_page_by_page(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Each record's links have a page token of their own; a link comes once per type (airbyte#56447)."""
    deal = make_deal(1)
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json={"results": [deal]})

    def contacts(request: httpx.Request) -> httpx.Response:
        (asked,) = json.loads(request.content)["inputs"]
        start = 11 if asked.get("after") else 1
        to = [{"toObjectId": n, "associationTypes": []} for n in (start, start, start + 1)]
        paging = {} if asked.get("after") else {"paging": {"next": {"after": "MTE="}}}
        return httpx.Response(200, json={"results": [{"from": {"id": "1"}, "to": to, **paging}]})

    hubspot.post(path=f"{LINKS}/contacts/batch/read").mock(side_effect=contacts)
    hubspot.post(path=f"{LINKS}/companies/batch/read").respond(
        json={
            "results": [
                {
                    "from": {"id": "1"},
                    "to": [
                        {"toObjectId": 900, "associationTypes": [{"typeId": 341}]},
                        {"toObjectId": 901, "associationTypes": [{"typeId": 341}, {"typeId": 5}]},
                    ],
                }
            ]
        }
    )
    hubspot.post(path__regex=rf"{LINKS}/\w+/batch/read").respond(json={"results": []})
    (record,) = open_adapter().read([Ref("hs", Kind.DEAL, "1")]).values()

    assert ("1", "11", "12", "2") == record.fields["contacts"]
    assert "901" == record.fields["company"]  # the primary one


# ── Errors and limits ───────────────────────────────────────────────────────────────────────────────────


def test_a_missing_scope_is_named(router: respx.MockRouter, open_adapter: Opener, token: str) -> None:
    """403 lists the scopes that would do ("Error handling"); the advice names them, and the token is not shown."""
    error = {"message": "m", "context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}
    body = {
        "status": "error",
        "category": "MISSING_SCOPES",
        "message": "This app hasn't been granted",
        "errors": [error],
    }
    router.get(path="/account-info/2026-03/details").respond(403, json=body)
    router.route().respond(json={"results": []})  # what is asked beside it

    with pytest.raises(AuthenticationError) as caught:
        open_adapter().describe()
    assert "crm.objects.deals.read" in caught.value.advice
    assert "/account-info/2026-03/details" in caught.value.message
    assert token not in f"{caught.value!r}{caught.value.advice}"


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"message": "You have reached your secondly limit.", "errorType": "RATE_LIMIT", "policyName": "SECONDLY"}, 1),
        ({"message": "You have reached your secondly limit.", "category": "RATE_LIMITS"}, 1),
        ({"message": "You have reached your ten_secondly_rolling limit.", "policyName": "TEN_SECONDLY_ROLLING"}, 10),
        ({}, 1),
    ],
)
def test_a_limit_is_waited_for(
    hubspot: respx.MockRouter,
    open_adapter: Opener,
    clock: VirtualClock,
    body: dict[str, str],
    seconds: int,
) -> None:
    """HubSpot sends no Retry-After (none in 44 recorded replies), so the policy tells how long to wait."""
    route = hubspot.post(path=f"{OBJECTS}/deals/batch/read")
    route.side_effect = [httpx.Response(429, json=body), httpx.Response(200, json={"results": []})]

    assert {} == dict(open_adapter().read([Ref("hs", Kind.DEAL, "1")]))
    assert NOON + timedelta(seconds=seconds) <= clock.now() < NOON + timedelta(seconds=1.2 * seconds + 0.2)


def test_a_days_limit_ends_the_run(router: respx.MockRouter, open_adapter: Opener) -> None:
    """Nobody waits until midnight ("API usage guidelines")."""
    body = {"status": "error", "message": "You have reached your daily limit.", "policyName": "DAILY"}
    route = router.get(path="/account-info/2026-03/details").respond(429, json=body)
    router.route().respond(json={"results": []})  # what is asked beside it

    with pytest.raises(RetryLaterError, match="daily"):
        open_adapter().describe()
    assert 1 == route.call_count


@pytest.mark.parametrize(("status", "headers"), [(423, {}), (477, {"Retry-After": "7"}), (502, {}), (524, {})])
def test_what_passes_is_waited_for(
    hubspot: respx.MockRouter,
    open_adapter: Opener,
    clock: VirtualClock,
    status: int,
    headers: dict[str, str],
) -> None:
    """A locked record, an account on the move and a gateway that gave up are all over in a while ("Error handling")."""
    route = hubspot.post(path=f"{OBJECTS}/deals/batch/read")
    route.side_effect = [httpx.Response(status, headers=headers), httpx.Response(200, json={"results": []})]

    assert {} == dict(open_adapter().read([Ref("hs", Kind.DEAL, "1")]))
    assert NOON < clock.now()


@pytest.mark.parametrize("status", [522, 525, 526])
def test_a_broken_way_to_hubspot_is_not_knocked_at(
    hubspot: respx.MockRouter, open_adapter: Opener, clock: VirtualClock, status: int
) -> None:
    """These do not pass in seconds, whatever the size of a page: "do not loop" ("Error handling")."""
    hubspot.post(path__regex=r"/search$").respond(json={"total": 0, "results": []})
    listed = hubspot.get(path=f"{OBJECTS}/companies").respond(status)
    with pytest.raises(RetryLaterError) as caught:
        list(open_adapter().pull(Kind.COMPANY, None))

    assert (1, NOON) == (listed.call_count, clock.now())
    assert caught.value.after is not None
    assert caught.value.after > timedelta(minutes=1)


def test_a_move_between_data_centres_takes_its_time(router: respx.MockRouter, open_adapter: Opener) -> None:
    """477 can ask for a day; the run ends and says so."""
    route = router.get(path="/account-info/2026-03/details").respond(477, headers={"Retry-After": "86400"})
    router.route().respond(json={"results": []})  # what is asked beside it

    with pytest.raises(RetryLaterError) as caught:
        open_adapter().describe()
    assert (1, timedelta(days=1)) == (route.call_count, caught.value.after)


def test_vendor_words_are_shown_on_one_line(router: respx.MockRouter, open_adapter: Opener) -> None:
    """An error body is the CRM's text: no control characters get to the terminal."""
    router.get(path="/account-info/2026-03/details").respond(400, json={"message": "bad\x1b[31m\nvalue"})
    router.route().respond(json={"results": []})  # what is asked beside it

    with pytest.raises(RefusedError) as caught:
        open_adapter().describe()
    assert caught.value.message.isprintable()
    assert "value" in caught.value.message


def test_what_is_said_of_another_window_is_not_the_bursts(
    hubspot: respx.MockRouter, open_adapter: Opener, clock: VirtualClock
) -> None:
    """One a second is no limit of one in ten seconds; headers of a window that is not ours are passed over."""
    limits = {"max": "1", "remaining": "0", "interval-milliseconds": "1000"}
    headers = {f"x-hubspot-ratelimit-{name}": value for name, value in limits.items()}
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json={"results": []}, headers=headers)
    adapter = open_adapter()
    for _ in range(5):
        adapter.read([Ref("hs", Kind.DEAL, "1")])

    assert clock.now() - NOON < timedelta(seconds=10)


def test_searches_have_a_budget_of_their_own(
    hubspot: respx.MockRouter, open_adapter: Opener, clock: VirtualClock
) -> None:
    """Five searches a second for the whole account, beside the burst limit ("Search the CRM"); we take four."""
    times = []

    def search(request: httpx.Request) -> httpx.Response:
        times.append(clock.now())
        body = json.loads(request.content)
        stamp = int(body["filterGroups"][0]["filters"][0]["value"]) + 60_000 if body["filterGroups"] else 1
        found = {"id": str(len(times)), "properties": {"hs_lastmodifieddate": str(stamp)}}
        more = {"paging": {"next": {"after": "200"}}} if len(times) < 12 else {}
        return httpx.Response(200, json={"total": 1, "results": [found], **more})

    hubspot.post(path=f"{OBJECTS}/companies/search").mock(side_effect=search)
    hubspot.post(path=f"{OBJECTS}/companies/batch/read").respond(json={"results": []})
    hubspot.get(path=f"{OBJECTS}/companies").respond(json={"results": []})
    list(open_adapter().pull(Kind.COMPANY, '{"v":1,"at":1000000}'))

    assert 12 == len(times)
    windows = [sum(start <= at < start + timedelta(seconds=1) for at in times) for start in times]
    assert 4 == max(windows)


def test_links_are_asked_for_a_thousand_at_a_time(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """The batch takes 1,000 ids; docs that said 100 were wrong (hubspot-api-python#135)."""
    contacts = {str(number): make_deal(number) for number in range(1, 1_202)}

    def read(request: httpx.Request) -> httpx.Response:
        ids = [each["id"] for each in json.loads(request.content)["inputs"]]
        return httpx.Response(200, json={"results": [contacts[each] for each in ids]})

    hubspot.post(path=f"{OBJECTS}/contacts/batch/read").mock(side_effect=read)
    links = hubspot.post(path="/crm/associations/2026-03/contacts/companies/batch/read").respond(json={"results": []})
    found = open_adapter(requests_per_10s=1000).read([Ref("hs", Kind.CONTACT, each) for each in contacts])

    assert 1_201 == len(found)
    assert [1_000, 201] == [len(json.loads(call.request.content)["inputs"]) for call in links.calls]


def test_what_changed_comes_with_its_links_and_its_moves(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Search gives neither (airbyte#14390, airbyte#14639, hubspot-api-python#244): both are read beside it.

    Stage journeys were lost for years where nobody read the history from day one (tap-hubspot#118).
    """
    deal = make_deal(1, dealstage="second")
    versions = [("second", "2026-06-01T10:00:00.500Z"), ("first", "2026-05-01T10:00:00Z")]
    history = {"dealstage": [{"value": value, "timestamp": at} for value, at in versions], "pipeline": []}
    hubspot.post(path=f"{OBJECTS}/deals/search").respond(json={"total": 1, "results": [deal]})
    whole = {**deal, "propertiesWithHistory": history}
    hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json={"results": [whole]})
    hubspot.get(path=f"{OBJECTS}/deals").respond(json={"results": []})
    contact = {"from": {"id": "1"}, "to": [{"toObjectId": 77, "associationTypes": [{"typeId": 3}]}]}
    hubspot.post(path=f"{LINKS}/contacts/batch/read").respond(json={"results": [contact]})
    hubspot.post(path=f"{LINKS}/companies/batch/read").respond(404, json={"category": "OBJECT_NOT_FOUND"})
    (page, _) = open_adapter().pull(Kind.DEAL, '{"v":1,"at":1780000000000}')

    assert [("77",)] == [record.fields["contacts"] for record in page.records]
    assert ["first", "second"] == [move.after.stage for move in page.moves]


def test_batches_of_one_read_go_side_by_side(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """After a bulk edit each page of a search takes four; one by one, most of the burst limit would be unused."""
    both = threading.Barrier(2, timeout=10)

    def answer(request: httpx.Request) -> httpx.Response:
        both.wait()
        ids = [each["id"] for each in json.loads(request.content)["inputs"]]
        return httpx.Response(200, json={"results": [make_company(each) for each in ids]})

    hubspot.post(path="/crm/objects/2026-03/companies/batch/read").mock(side_effect=answer)
    refs = [Ref("hs", Kind.COMPANY, str(number)) for number in range(200)]

    assert refs == list(open_adapter().read(refs))


def make_company(native_id: str) -> dict[str, Any]:
    """Make a company as HubSpot sends it."""
    stamp = "2026-06-01T10:00:00Z"
    return {"id": native_id, "properties": {"name": "Acme"}, "createdAt": stamp, "updatedAt": stamp}
