"""The walk through what changed gets past all of search's limits, and notices when it does not."""

import json
import operator
from collections.abc import Callable, Container
from typing import Any

import httpx
import pytest
import respx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from crmbridge.http import StaticToken
from crmbridge.model.records import Kind
from crmbridge.ports import AdapterContext
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.factories import NOON
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.search_walk import LostCountError, SearchWalk
from crmbridge_hubspot.settings import HubSpotSettings

from .accounts import Opener

PATH = "/crm/objects/2026-03/companies/search"
MODIFIED = "hs_lastmodifieddate"
Rows = list[tuple[int, int]]  # (id, modified at, in milliseconds)


def make_search(
    rows: Rows,
    *,
    order: Callable[[int], Any] = int,
    compare: Callable[[int], Any] | None = None,
    hidden: Container[int] = (),
    greater: Callable[[Any, Any], bool] = operator.gt,
    equal: Callable[[Any, Any], bool] = operator.eq,
) -> Callable[..., httpx.Response]:
    """Answer searches over rows as HubSpot does.

    Ids are sorted by `order` and filtered by `compare`, the same unless said, and by which are `greater`; times by
    which are `equal`. `hidden` ids take up room on their pages.
    """
    by = compare or order

    def holds(row: tuple[int, int], each: dict[str, Any]) -> bool:
        value, wanted = (row[1], int(each["value"])) if each["propertyName"] == MODIFIED else (by(row[0]), None)
        wanted = by(int(each["value"])) if wanted is None else wanted
        return bool({"GTE": operator.ge, "EQ": equal, "GT": greater}[each["operator"]](value, wanted))

    def search(request: httpx.Request) -> httpx.Response:
        assert len(request.content) <= 3_000
        body = json.loads(request.content)
        after, limit = int(body["after"]), body["limit"]
        if after + limit > 10_000:
            return httpx.Response(400, json={"status": "error", "message": "beyond 10000"})
        filters = body["filterGroups"][0]["filters"]
        by_id = body["sorts"][0]["propertyName"] == "hs_object_id"
        found = sorted(
            (row for row in rows if all(holds(row, each) for each in filters)),
            key=lambda row: order(row[0]) if by_id else (row[1], row[0]),
        )
        page = found[after : after + limit]
        reply: dict[str, Any] = {
            "total": len(found),
            "results": [{"id": str(i), "properties": {MODIFIED: str(at)}} for i, at in page if i not in hidden],
        }
        if after + limit < len(found):
            reply["paging"] = {"next": {"after": str(after + limit)}}
        return httpx.Response(200, json=reply)

    return search


def walk(
    rows: Rows, since: int = 0, *, meanwhile: Callable[[], None] = lambda: None, **how: Any
) -> list[tuple[int, int]]:
    """Walk over rows, and give what came in its order; something may happen after the first page."""
    read = HubSpotSettings.model_validate({"token": {"env": "NONE"}})
    context = AdapterContext(connection="hs", clock=VirtualClock(NOON))
    api = HubSpotApi(read, context, StaticToken(SecretStr("pat-sandbox")))
    with respx.mock(base_url="https://api.hubapi.com") as router:
        router.post(path=PATH).mock(side_effect=make_search(rows, **how))
        pages = SearchWalk(api, "companies", MODIFIED).since(since)
        found = next(pages)
        meanwhile()
        found += [each for page in pages for each in page]
    api.close()
    return [(int(each.id), each.stamp) for each in found]


def test_more_than_search_pages_are_walked() -> None:
    """Past 10,000 results search answers 400 in mid-sync (airbyte PR 10700); the walk never gets there."""
    rows = [(number, 1_000 + number) for number in range(1, 10_500)]

    assert rows == walk(rows)


def test_a_bulk_edit_of_more_than_search_pages_ends() -> None:
    """More than 10,000 records with one modification time made a connector loop for ever (airbyte#43317)."""
    rows = [(number, 5_000) for number in range(1, 10_300)] + [(99_999_999, 6_000)]
    found = walk(rows)

    assert sorted(rows) == sorted(found)
    assert len(rows) == len(found)


@pytest.mark.parametrize("order", [int, str])
def test_ids_may_be_numbers_or_texts(order: Callable[[int], Any]) -> None:
    """How `hs_object_id` is ordered is not documented; either way nothing is skipped (airbyte PR 79666)."""
    rows = [(number, 5_000) for number in range(1, 10_300)]

    assert rows == sorted(walk(rows, order=order))


@pytest.mark.parametrize("edited", [1, 50, 250, 500])
def test_an_edit_of_one_of_many_of_one_time_hides_none_of_the_others(edited: int) -> None:
    """It takes the record away from its place, and those behind it would move up into a page that was read."""
    rows = [(number, 5_000) for number in range(1, 501)]

    def edit() -> None:
        rows[edited - 1] = (edited, 9_000)

    found = walk(rows, 5_000, meanwhile=edit)

    assert set(rows) <= set(found)


@pytest.mark.parametrize("deleted", [1, 50, 250, 500])
def test_a_deletion_of_one_of_many_of_one_time_hides_none_of_the_others(deleted: int) -> None:
    """The same, where the record is in no place at all any more."""
    rows = [(number, 5_000) for number in range(1, 501)]
    found = walk(rows, 5_000, meanwhile=lambda: rows.__delitem__(deleted - 1))

    assert set(rows) <= set(found)


def test_what_is_held_back_is_noticed() -> None:
    """Sorted one way and filtered the other, some would be skipped without a word: the count tells."""
    rows = [(number, 5_000) for number in range(1, 10_300)]

    with pytest.raises(LostCountError, match="of 10299"):
        walk(rows, order=int, compare=str)


@pytest.mark.parametrize("hidden", [range(1, 1), range(150, 170), range(1, 450), range(401, 601)])
def test_short_and_empty_pages_end_nothing(hidden: range) -> None:
    """A page may be short, or empty, and name a next one all the same (airbyte PR 80745)."""
    rows = [(number, 1_000 + number) for number in range(1, 601)]

    assert [row for row in rows if row[0] not in hidden] == walk(rows, hidden=hidden)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 12), min_size=0, max_size=900).map(lambda at: [(n, 100 + a) for n, a in enumerate(at, 1)]),
    st.integers(95, 110),
)
def test_every_change_comes_once(rows: Rows, since: int) -> None:
    """Whatever the ties and page borders, each record that changed since comes exactly once, in order of time."""
    found = walk(rows, since)

    assert sorted(row for row in rows if row[1] >= since) == sorted(found)
    assert sorted(at for _, at in found) == [at for _, at in found]


def test_what_was_edited_a_millisecond_after_many_others_comes() -> None:
    """The walk goes on right behind a time that it has read by id."""
    rows = [(number, 5_000) for number in range(1, 501)] + [(501, 5_001), (502, 5_002)]

    assert rows == sorted(walk(rows))


def test_a_search_that_does_not_go_on_by_id_is_noticed() -> None:
    """It gives one page again and again, which would count as many records."""
    rows = [(number, 5_000) for number in range(1, 501)]

    with pytest.raises(LostCountError, match="do not go on"):
        walk(rows, greater=lambda _value, _wanted: True)


def test_a_search_that_finds_no_time_to_the_millisecond_is_noticed() -> None:
    """How exactly `EQ` takes a time is not documented: where it finds none of many, these would be left out."""
    rows = [(number, 5_123) for number in range(1, 501)]

    with pytest.raises(LostCountError, match="none of"):
        walk(rows, equal=lambda _value, _wanted: False)


def test_what_search_holds_back_comes_by_the_list(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """When the count does not add up, the pull walks through the list instead, and loses nothing."""
    rows = [(number, 1_781_000_000_000) for number in range(1, 10_300)]
    honest = make_search(rows)

    def dishonest(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if not body["filterGroups"]:
            return httpx.Response(200, json={"total": 0, "results": []})
        reply = honest(request)
        if b"hs_object_id" in request.content:
            data = json.loads(reply.content)
            return httpx.Response(200, json={**data, "results": data["results"][1:]})
        return reply

    stamps = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-06-09T10:13:20Z"}
    whole = {"id": "77", "properties": {"name": "Only in the list", MODIFIED: "2026-06-09T10:13:20Z"}, **stamps}
    hubspot.post(path=PATH).mock(side_effect=dishonest)
    hubspot.post(path="/crm/objects/2026-03/companies/batch/read").respond(json={"results": []})
    hubspot.get(path="/crm/objects/2026-03/companies", params={"archived": "true"}).respond(json={"results": []})
    hubspot.get(path="/crm/objects/2026-03/companies").respond(json={"results": [whole]})
    pages = list(open_adapter().pull(Kind.COMPANY, '{"v":1,"at":1780999999999}'))

    assert "Only in the list" in {record.fields["name"] for page in pages for record in page.records}
