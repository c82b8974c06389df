"""The sandbox answers as Pipedrive does, also to clients other than ours."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge_pipedrive.sandbox import build

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HASH = "d" * 40


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, headers={"x-api-token": served.token}, trust_env=False) as opened:
        yield opened


def test_the_same_seed_gives_the_same_account() -> None:
    """To the byte, so that a demo can be repeated."""
    one, two = [build(SandboxOptions(seed=3, deals=9, now=NOON, clock=VirtualClock(NOON))) for _ in range(2)]

    assert one.state.tables == two.state.tables
    assert one.state.tables != build(SandboxOptions(seed=4, deals=9, now=NOON, clock=VirtualClock(NOON))).state.tables


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"value": "12"}, "value"),
        ({HASH: 1}, f"Parameter '{HASH}' is not allowed"),
        ({"custom_fields": {HASH: 1}}, HASH),
        ({"title": ""}, "title"),
        ({"stage_id": 999}, "stage_id"),
        ({"stage_id": 7, "pipeline_id": 1}, "stage_id"),
        ({"lost_reason": "Price", "status": "open"}, "lost_reason"),
        ({"lost_reason": None, "status": "open"}, "lost_reason"),
        ({"won_time": "2026-06-10T12:00:00Z", "status": "lost"}, "won_time"),
        ({"expected_close_date": "31.12.2026"}, "expected_close_date"),
        ({"owner_id": 1}, "owner_id"),
    ],
)
def test_bodies_are_checked_strictly(client: httpx.Client, body: dict[str, Any], complaint: str) -> None:
    """Unknown keys, hashes at the root and numbers in quotes are 400 (client-nodejs #651), and nothing is changed."""
    before = client.get("/api/v2/deals/1").json()
    answer = client.patch("/api/v2/deals/1", json=body)

    assert (400, "ERR_SCHEMA_VALIDATION_FAILED") == (answer.status_code, answer.json()["code"])
    assert complaint in answer.json()["error"]
    assert before == client.get("/api/v2/deals/1").json()


@pytest.mark.parametrize(
    "query",
    [
        "deals?updated_since=2026-01-01T00:00:00.5Z",
        "deals?updated_since=2026-01-01 00:00:00",
        "deals?sort_by=title",
        "deals?since=1",
        "deals?cursor=xx",
        f"deals?ids={','.join(map(str, range(1, 102)))}",
        f"deals?custom_fields={','.join('k' * 16)}",
        "deals?include_fields=nothing",
        "deals?status=closed",
        "deals/archived?include_option_labels=true",
        "stages?updated_since=2026-01-01T00:00:00Z",
        "pipelines?ids=1",
    ],
)
def test_queries_are_checked_strictly(client: httpx.Client, query: str) -> None:
    """Times need whole seconds and a Z, pipelines and stages can't say what changed ("Pagination", API v2)."""
    assert 400 == client.get(f"/api/v2/{query}").status_code


def test_pages_are_cut_and_marked(client: httpx.Client) -> None:
    """A marker leads to the next page, in the order that it was made with; the last page has none."""
    first = client.get("/api/v2/deals?limit=5&sort_by=update_time&sort_direction=desc").json()
    marker = first["additional_data"]["next_cursor"]
    rest = client.get("/api/v2/deals", params={"cursor": marker}).json()
    times = [row["update_time"] for row in (*first["data"], *rest["data"])]

    assert (5, 7) == (len(first["data"]), len(rest["data"]))
    assert sorted(times, reverse=True) == times
    assert None is rest["additional_data"]["next_cursor"]


def test_optional_fields_come_when_asked_for(client: httpx.Client) -> None:
    """Counts are left out otherwise; labels and custom fields come as asked."""
    plain = client.get("/api/v2/deals/1").json()["data"]
    asked = client.get("/api/v2/deals/1?include_fields=activities_count&include_option_labels=true").json()["data"]

    assert "activities_count" not in plain
    assert isinstance(asked["activities_count"], int)
    assert any(isinstance(value, dict) and "label" in value for value in asked["custom_fields"].values())
    assert 26 == len(plain["custom_fields"])


def test_deleted_deals_show_up_only_when_asked_for(client: httpx.Client) -> None:
    """Deleting is soft: the deal leaves the list and single reads, and a second delete finds nothing."""
    assert {"id": 2} == client.delete("/api/v2/deals/2").json()["data"]
    listed = client.get("/api/v2/deals").json()["data"]
    deleted = client.get("/api/v2/deals?status=deleted").json()["data"]

    assert 2 not in [row["id"] for row in listed]
    assert [(2, True, "deleted")] == [(row["id"], row["is_deleted"], row["status"]) for row in deleted]
    assert (404, 404) == (client.get("/api/v2/deals/2").status_code, client.delete("/api/v2/deals/2").status_code)


def test_archived_deals_cannot_be_edited(client: httpx.Client, state: Any) -> None:
    """They are in a list of their own, and no edit gets through ("Archived deals and leads")."""
    state.archive_deal("3")

    assert [3] == [row["id"] for row in client.get("/api/v2/deals/archived").json()["data"]]
    assert 3 not in [row["id"] for row in client.get("/api/v2/deals").json()["data"]]
    assert 400 == client.patch("/api/v2/deals/3", json={"title": "x"}).status_code


def test_every_write_makes_history(client: httpx.Client) -> None:
    """Stage moves and statuses written through the API stand in the changelog and the flow, with their source."""
    made = client.post("/api/v2/deals", json={"title": "New", "stage_id": 2}).json()["data"]
    client.patch(f"/api/v2/deals/{made['id']}", json={"stage_id": 3, "status": "won"})
    log = client.get(f"/v1/deals/{made['id']}/changelog").json()["data"]
    flow = client.get(f"/api/v1/deals/{made['id']}/flow?items=dealChange").json()["data"]

    assert [("status", "open", "won", "api"), ("stage_id", "2", "3", "api")] == [
        (row["field_key"], row["old_value"], row["new_value"], row["change_source"]) for row in log
    ]
    assert ["status", "stage_id", "add_time"] == [row["data"]["field_key"] for row in flow]
    formatted = {"old_value_formatted": "Qualification", "new_value_formatted": "Diagnosis"}
    assert [[], formatted, []] == [row["data"]["additional_data"] for row in flow]


def test_changelogs_have_pages(client: httpx.Client) -> None:
    """Nothing is missing between two pages."""
    for number in range(5):
        client.patch("/api/v2/deals/1", json={"title": f"Title {number}"})
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/v1/deals/1/changelog", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [row["new_value"] for row in page["data"] if row["field_key"] == "title"]
        cursor = page["additional_data"]["next_cursor"]

    assert [f"Title {number}" for number in (4, 3, 2, 1, 0)] == found


def test_v1_speaks_v1(client: httpx.Client) -> None:
    """An empty list is null, an unknown path has its own error, notes answer 201 and are cleaned."""
    empty = client.get("/v1/notes?deal_id=1").json()
    made = client.post("/v1/notes", json={"content": "<script>x</script>Hello<br>", "deal_id": 1})

    assert (None, False) == (empty["data"], empty["additional_data"]["pagination"]["more_items_in_collection"])
    assert {"status": False, "error": "Unknown method ."} == client.get("/v1/nothing").json()
    assert (201, "xHello<br>") == (made.status_code, made.json()["data"]["content"])
    assert 400 == client.post("/v1/notes", json={"content": "Nowhere"}).status_code
    assert 404 == client.get("/api/v2/nothing").status_code


def test_persons_organizations_and_activities_can_be_written(client: httpx.Client) -> None:
    """What people and other clients need to try things out."""
    org = client.post("/api/v2/organizations", json={"name": "New Org"}).json()["data"]["id"]
    person = client.post("/api/v2/persons", json={"name": "A B", "org_id": org}).json()["data"]["id"]
    who = [{"person_id": person, "primary": True}]
    task = client.post("/api/v2/activities", json={"subject": "Go", "deal_id": 1, "participants": who}).json()["data"]
    done = client.patch(f"/api/v2/activities/{task['id']}", json={"done": True}).json()["data"]

    assert (person, "2026-06-10T12:00:00Z") == (task["person_id"], done["marked_as_done_time"])
    assert 400 == client.post("/api/v2/organizations", json={"name": "X", "address": "a text"}).status_code
    assert 404 == client.post("/api/v2/activities", json={"subject": "x", "deal_id": 999}).status_code


def test_a_custom_field_can_be_made(client: httpx.Client) -> None:
    """Setting up a connection makes the key field; the deals have it at once, empty."""
    body = {"field_name": "Another key", "field_type": "varchar"}
    code = client.post("/api/v2/dealFields", json=body).json()["data"]["field_code"]

    assert 40 == len(code)
    assert None is client.get("/api/v2/deals/1").json()["data"]["custom_fields"][code]
    assert 200 == client.patch("/api/v2/deals/1", json={"custom_fields": {code: "k"}}).status_code


def test_search_is_late_when_told_so(client: httpx.Client, served: Served) -> None:
    """How long the index takes is not documented; with the fault it takes half a minute."""
    client.post("/api/v2/deals", json={"title": "Needle in hay"})
    served.sandbox.faults.plan("lag", path="search")
    found = [client.get("/api/v2/deals/search?term=needle").json()["data"]["items"] for _ in range(2)]

    assert [0, 1] == [len(items) for items in found]


def test_too_many_requests_at_once(client: httpx.Client, clock: VirtualClock) -> None:
    """20 requests in two seconds, 10 of them searches; the headers say which limit it was ("Rate limiting")."""
    answers = [client.get("/v1/users/me") for _ in range(21)]
    clock.advance(timedelta(seconds=2))
    searches = [client.get("/api/v2/deals/search?term=ab") for _ in range(11)]

    assert ([200] * 20, 429) == ([answer.status_code for answer in answers[:20]], answers[20].status_code)
    assert ("0", "2") == tuple(answers[20].headers[f"x-ratelimit-{name}"] for name in ("remaining", "reset"))
    assert ([200] * 10, 429) == ([answer.status_code for answer in searches[:10]], searches[10].status_code)


def test_hammering_on_is_answered_with_a_page(client: httpx.Client) -> None:
    """Who keeps sending after 429 is shut out with HTML."""
    answers = [client.get("/v1/users/me") for _ in range(80)]

    assert 403 == answers[-1].status_code
    assert answers[-1].text.startswith("<html>")


def test_the_days_tokens_run_out(client: httpx.Client, clock: VirtualClock, state: Any) -> None:
    """Each request has its price; when the day's tokens are gone all get 429 with room left in the window."""
    state.limits.daily_tokens = 25
    answers = [client.get("/api/v2/deals") for _ in range(3)]
    clock.advance(timedelta(days=1))

    assert [200, 200, 429] == [answer.status_code for answer in answers]
    assert ["15", "5", "0"] == [answer.headers["x-daily-ratelimit-token-remaining"] for answer in answers]
    assert "0" != answers[-1].headers["x-ratelimit-remaining"]
    assert 200 == client.get("/api/v2/deals").status_code


def test_a_bad_token_is_answered_by_the_gateway(served: Served) -> None:
    """The same on both versions, with the gateway's header; a token in the query is none."""
    for path in ("/api/v2/deals", "/v1/users/me", f"/v1/users/me?api_token={served.token}"):
        answer = httpx.get(f"{served.url}{path}", trust_env=False)
        assert (401, "true") == (answer.status_code, answer.headers["x-401-by-gw"])
        assert (False, 401) == (answer.json()["success"], answer.json()["errorCode"])


def test_without_limits_nothing_is_limited() -> None:
    """For demos and load tests."""
    options = SandboxOptions(deals=3, now=NOON, clock=VirtualClock(NOON), limit="none")
    with serve(build(options)) as running:
        headers = {"x-api-token": running.token}
        with httpx.Client(base_url=running.url, headers=headers, trust_env=False) as client:
            assert {200} == {client.get("/v1/users/me").status_code for _ in range(60)}
