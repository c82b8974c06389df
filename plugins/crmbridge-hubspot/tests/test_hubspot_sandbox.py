"""The sandbox keeps HubSpot's limits, forms and refusals, so that what works here has a chance there."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from crmbridge.model.changes import FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter
from crmbridge.sandbox import SandboxOptions, VirtualClock, serve
from crmbridge.testing import AdapterWorkbench
from crmbridge.testing.adapters.changes import make_task, make_update, write_one
from crmbridge.testing.adapters.workbench import let_lag_pass, pull_all, settle
from crmbridge.testing.factories import NOON, make_change
from crmbridge_hubspot.sandbox import build

DEALS = "/crm/v3/objects/deals"


@pytest.fixture
def client(bench: AdapterWorkbench) -> Iterator[httpx.Client]:
    """Speak to the sandbox as any HTTP client would."""
    headers = {"Authorization": f"Bearer {bench.served.token}"}
    with httpx.Client(base_url=bench.served.url, headers=headers) as opened:
        yield opened


def find(client: httpx.Client, **body: Any) -> httpx.Response:
    """Search deals."""
    return client.post(f"{DEALS}/search", json={"filterGroups": [], "sorts": [], "properties": [], **body})


def first_deal(bench: AdapterWorkbench) -> str:
    """Give the id of a deal."""
    return bench.hands.deal_ids()[0]


def test_one_seed_gives_one_account() -> None:
    """Two sandboxes of one seed answer alike, to the byte."""

    def listed() -> bytes:
        with serve(build(SandboxOptions(seed=5, deals=8, clock=VirtualClock(NOON)))) as served:
            headers = {"Authorization": f"Bearer {served.token}"}
            params = {"limit": "50", "propertiesWithHistory": "dealstage", "properties": "amount,pains"}
            return httpx.get(f"{served.url}{DEALS}", headers=headers, params=params).content

    assert listed() == listed()
    assert 8 == listed().count(b"propertiesWithHistory")


@pytest.mark.parametrize("token", ["", "Bearer wrong"])
def test_a_bad_token_is_refused(bench: AdapterWorkbench, token: str) -> None:
    """401 comes with HubSpot's own category."""
    answer = httpx.get(f"{bench.served.url}{DEALS}", headers={"Authorization": token})

    assert (401, "INVALID_AUTHENTICATION") == (answer.status_code, answer.json()["category"])


def test_numbered_and_dated_paths_give_the_same(client: httpx.Client) -> None:
    """The bodies are the same in every version ("CRM API overview")."""
    answers = {client.get(f"{base}/deals").content for base in ("/crm/v3/objects", "/crm/objects/2026-03")}

    assert 1 == len(answers)


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"limit": "100"}, 200),
        ({"limit": "101"}, 400),
        ({"limit": "51", "propertiesWithHistory": "dealstage"}, 400),
        ({"properties": "x" * 9000}, 414),
    ],
)
def test_lists_have_limits(client: httpx.Client, params: dict[str, str], status: int) -> None:
    """100 a page, 50 with history (hubspot-api-python#143), and a URL that is not too long (dlt#305)."""
    assert status == client.get(DEALS, params=params).status_code


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"limit": 200}, 200),
        ({"limit": 201}, 400),
        ({"limit": 200, "after": "9800"}, 200),
        ({"limit": 200, "after": "9801"}, 400),
        ({"sorts": ["dealname", "amount"]}, 400),
        ({"sorts": ["-amount"]}, 200),
        ({"properties": ["x" * 3000]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "no_such", "operator": "EQ", "value": "1"}]}]}, 400),
        ({"filterGroups": [{"filters": [{"propertyName": "amount", "operator": "LIKE", "value": "1"}]}]}, 400),
        ({"filterGroups": [{"filters": []}] * 6}, 400),
    ],
)
def test_searches_have_limits(client: httpx.Client, body: dict[str, Any], status: int) -> None:
    """200 a page, 10,000 in all, one sort, 3,000 characters ("Search the CRM")."""
    assert status == find(client, **body).status_code


def test_the_sixth_search_in_a_second_is_one_too_many(client: httpx.Client) -> None:
    """429 without Retry-After, and without the burst headers, as recorded from the real search."""
    statuses = [find(client) for _ in range(6)]

    assert [200] * 5 + [429] == [answer.status_code for answer in statuses]
    assert "RATE_LIMITS" == statuses[-1].json()["category"]
    assert "retry-after" not in statuses[-1].headers
    assert "x-hubspot-ratelimit-max" not in statuses[0].headers
    assert "x-hubspot-ratelimit-max" in client.get(DEALS).headers


def test_unset_properties_differ_by_call(client: httpx.Client, bench: AdapterWorkbench) -> None:
    """null in a list, nothing in a search, "" in the reply to the write that cleared it, as recorded."""
    deal = first_deal(bench)
    written = client.patch(f"{DEALS}/{deal}", json={"properties": {"pains": ""}})
    got = client.get(f"{DEALS}/{deal}", params={"properties": "pains,no_such_thing"})
    found = find(client, limit=100, properties=["pains"]).json()["results"]
    searched = next(each for each in found if each["id"] == deal)

    assert "" == written.json()["properties"]["pains"]
    assert None is got.json()["properties"]["pains"]
    assert "no_such_thing" not in got.json()["properties"]
    assert "pains" not in searched["properties"]


@pytest.mark.parametrize(
    ("properties", "status", "code"),
    [
        ({"no_such_thing": "1"}, 400, "PROPERTY_DOESNT_EXIST"),
        ({"hs_is_closed": "true"}, 400, "READ_ONLY_VALUE"),
        ({"icp_match": "yes"}, 400, "INVALID_OPTION"),
        ({"industry_tags": "Food"}, 400, "INVALID_OPTION"),
        ({"amount": "1.2.3"}, 400, "INVALID_LONG"),
        ({"presented_on": "1771545600001"}, 400, "INVALID_DATE"),
        ({"dealstage": "renewalwon"}, 400, "INVALID_OPTION"),
        ({"hubspot_owner_id": "5190801"}, 400, "INVALID_OWNER_ID"),  # a userId
        ({"deal_currency_code": "JPY"}, 400, "INVALID_OPTION"),
        ({"dealname": "x" * 65_537}, 400, "INVALID_STRING"),
        ({"pains": None}, 400, "INVALID_VALUE"),  # whether null clears is not documented; "" does
        ({"presented_on": "1771545600000", "amount": 12.5, "icp_match": True}, 200, ""),
    ],
)
def test_values_are_checked(
    client: httpx.Client, bench: AdapterWorkbench, properties: dict[str, Any], status: int, code: str
) -> None:
    """What HubSpot refuses is refused, with its code ("Error handling", "Properties" guide)."""
    answer = client.patch(f"{DEALS}/{first_deal(bench)}", json={"properties": properties})

    assert (status, code) == (answer.status_code, (answer.json().get("errors") or [{"code": ""}])[0]["code"])


def test_a_deal_may_be_back_dated(client: httpx.Client, adapter: Adapter, bench: AdapterWorkbench) -> None:
    """`createdAt` follows `createdate`, and `hs_createdate`, which counts, does not (recorded)."""
    deal = first_deal(bench)
    before = adapter.read([Ref("bench", Kind.DEAL, deal)])[Ref("bench", Kind.DEAL, deal)]
    client.patch(f"{DEALS}/{deal}", json={"properties": {"createdate": "2001-01-01T00:00:00Z"}})
    shown = client.get(f"{DEALS}/{deal}", params={"properties": "hs_createdate"}).json()
    after = adapter.read([Ref("bench", Kind.DEAL, deal)])[Ref("bench", Kind.DEAL, deal)]

    assert "2001-01-01T00:00:00Z" == shown["createdAt"] != shown["properties"]["hs_createdate"]
    assert before.created_at == after.created_at


def test_a_leading_semicolon_adds(client: httpx.Client, bench: AdapterWorkbench) -> None:
    """Multi-checkbox values replace, unless they begin with ; ("Properties" guide)."""
    path = f"{DEALS}/{first_deal(bench)}"
    values = [
        client.patch(path, json={"properties": {"industry_tags": each}}).json()["properties"]["industry_tags"]
        for each in ("food;steel", ";print", "solar")
    ]

    assert ["food;steel", "food;steel;print", "solar"] == values


def test_without_trace_ids_a_batch_is_all_or_nothing(client: httpx.Client, bench: AdapterWorkbench) -> None:
    """With them, the bad item fails alone ("Deals" guide)."""
    good, bad = bench.hands.deal_ids()[:2]
    inputs = [{"id": good, "properties": {"pains": "new"}}, {"id": bad, "properties": {"amount": "x"}}]

    assert 400 == client.post(f"{DEALS}/batch/update", json={"inputs": inputs}).status_code
    got = client.get(f"{DEALS}/{good}", params={"properties": "pains"}).json()
    assert "new" != got["properties"]["pains"]
    traced = [{**each, "objectWriteTraceId": f"t{n}"} for n, each in enumerate(inputs)]
    answer = client.post(f"{DEALS}/batch/update", json={"inputs": traced})
    assert (207, [["t1"]]) == (
        answer.status_code,
        [error["context"]["objectWriteTraceId"] for error in answer.json()["errors"]],
    )
    assert [good] == [each["id"] for each in answer.json()["results"]]


def test_upserts_go_by_a_unique_property(client: httpx.Client) -> None:
    """The first makes, the second changes; two of one key in a batch are refused (action-destinations PR 3969)."""
    values = {"dealname": "U", "dealstage": "qualifiedtobuy"}
    item = {"id": "key-1", "idProperty": "crmbridge_key", "properties": values, "objectWriteTraceId": "t"}
    path = f"{DEALS}/batch/upsert"
    answers = [client.post(path, json={"inputs": [item]}).json()["results"][0] for _ in range(2)]

    assert [True, False] == [answer["new"] for answer in answers]
    assert 1 == len({answer["id"] for answer in answers})
    assert 400 == client.post(path, json={"inputs": [item, item]}).status_code
    by_name = {**item, "idProperty": "dealname"}
    assert 207 == client.post(path, json={"inputs": [by_name]}).status_code


def test_deleted_deals_are_only_where_they_are_asked_for(client: httpx.Client, bench: AdapterWorkbench) -> None:
    """GET is 404 without `archived=true`, the archived list has nothing else, search never shows them ("Deals")."""
    deal = first_deal(bench)
    assert 204 == client.delete(f"{DEALS}/{deal}").status_code

    assert 404 == client.get(f"{DEALS}/{deal}").status_code
    assert client.get(f"{DEALS}/{deal}", params={"archived": "true"}).json()["archivedAt"]
    assert [deal] == [each["id"] for each in client.get(DEALS, params={"archived": "true"}).json()["results"]]
    assert deal not in {each["id"] for each in find(client, limit=200).json()["results"]}
    assert 204 == client.delete(f"{DEALS}/1234567").status_code  # n8n#3219


def test_rules_of_the_account_bind_the_newest_version_only(client: httpx.Client, bench: AdapterWorkbench) -> None:
    """From 2026-09 on a won deal needs its close date ("CRM API write validation enforcement")."""
    deal = first_deal(bench)
    client.patch(f"{DEALS}/{deal}", json={"properties": {"closedate": "", "dealstage": "qualifiedtobuy"}})
    won = {"properties": {"dealstage": "closedwon"}}

    assert 400 == client.patch(f"/crm/objects/2026-09/deals/{deal}", json=won).status_code
    assert 200 == client.patch(f"/crm/objects/2026-03/deals/{deal}", json=won).status_code


def test_stages_come_in_no_order_and_owners_have_two_numbers(client: httpx.Client) -> None:
    """As recorded: order is `displayOrder`, a deactivated owner has no `userId`."""
    pipelines = client.get("/crm/v3/pipelines/deals").json()["results"]
    orders = [[stage["displayOrder"] for stage in pipeline["stages"]] for pipeline in pipelines]
    gone = client.get("/crm/v3/owners/", params={"archived": "true"}).json()["results"]

    assert all(order != sorted(order) for order in orders)
    assert [None] == [owner["userId"] for owner in gone]


# ── The adapter against what is special in HubSpot ──────────────────────────────────────────────────────


def test_a_merged_deal_leads_to_the_winner(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """The loser's id goes on resolving to another record; for us it is gone, merged ("Deals now support merging")."""
    deals = pull_all(adapter).records
    cursor = settle(bench, adapter)
    winner, loser = sorted(deals)[:2]
    bench.served.sandbox.state.merge_deals(winner.id, loser.id)
    let_lag_pass(bench, adapter)
    pages = list(adapter.pull(Kind.DEAL, cursor))

    assert [(loser, winner)] == [(t.ref, t.merged_into) for page in pages for t in page.tombstones]
    assert {winner} == set(adapter.read([winner, loser]))
    assert Outcome.REFUSED == write_one(adapter, make_update(deals[loser], fields={"name": "x"})).outcome


def test_a_task_is_an_activity_of_its_deal(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """What crmbridge writes as a task is pulled as an activity, to be counted with the others."""
    deal = min(pull_all(adapter).records.values(), key=lambda record: record.ref.id)
    before = set(pull_all(adapter, Kind.ACTIVITY).records)
    receipt = write_one(adapter, make_task(bench, deal, 1))
    after = pull_all(adapter, Kind.ACTIVITY).records
    (made,) = set(after) - before

    assert receipt.ref is not None
    assert f"task-{receipt.ref.id}" == made.id
    assert ("task", False, (deal.ref.id,)) == tuple(after[made].fields[name] for name in ("type", "done", "deals"))


def test_a_label_that_lies_is_not_believed(adapter: Adapter) -> None:
    """A recorded pipeline has an open stage called Closed Lost; the metadata counts ("Pipelines" guide)."""
    stages = {stage.id: stage for pipeline in adapter.describe().pipelines for stage in pipeline.stages}

    assert ("Closed Lost", "open") == (stages["66894120"].label, stages["66894120"].status)
    assert ("Renewed", "won") == (stages["renewalwon"].label, stages["renewalwon"].status)
    assert ("Gone", "lost") == (stages["renewalgone"].label, stages["renewalgone"].status)


@pytest.mark.parametrize("version", ["2026-03", "2026-09", "v3"])
def test_every_version_reads_the_same(bench: AdapterWorkbench, version: str) -> None:
    """The version is a setting, and nothing else changes; a cursor also tells how long its pull took."""
    adapter, usual = bench.open(api_version=version), bench.open()
    try:
        read = pull_all(adapter)
        assert pull_all(usual)._replace(cursor=read.cursor) == read
        assert version == adapter.describe().api_version
    finally:
        adapter.close()
        usual.close()


def test_an_interrupted_walk_goes_on_where_it_was(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """The cursor of a page continues a full walk, and what changed meanwhile comes after it."""
    everything = pull_all(adapter)
    deals = bench.served.sandbox.state.tables["deals"]
    for number in range(300):  # more than a page
        name = {"dealname": f"More {number}", "dealstage": "qualifiedtobuy"}
        bench.served.sandbox.state.create("deals", name)
    first = next(iter(adapter.pull(Kind.DEAL, None)))
    bench.hands.edit_deal(first.records[0].ref.id, pains="While nobody looked")
    rest = pull_all(adapter, since=first.cursor)
    let_lag_pass(bench, adapter)
    later = pull_all(adapter, since=rest.cursor)

    assert len(everything.records) + 300 == len(deals)
    assert set(deals) == {record.ref.id for record in first.records} | {ref.id for ref in rest.records}
    assert first.records[0].ref not in rest.records
    assert first.records[0].ref in later.records


def test_a_clock_that_is_fast_loses_nothing(bench: AdapterWorkbench) -> None:
    """What is new is decided by HubSpot's own times: the cursor never holds a time of this machine."""
    adapter = bench.open()
    cursor = pull_all(adapter).cursor
    adapter.close()

    newest = max(deal.modified_at for deal in bench.served.sandbox.state.tables["deals"].values())
    assert f'"at":{int(newest.timestamp() * 1000)}' in cursor


def test_plugin_is_light() -> None:
    """Every command imports the plugin's module; it must not bring in HTTP clients or servers."""
    code = "import sys, crmbridge_hubspot.plugin; print({'httpx', 'starlette', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  our own code

    assert "set()" == done.stdout.strip()


def test_reading_is_light() -> None:
    """Most runs find nothing to write; opening the adapter must not load how HubSpot is written to."""
    code = "import sys, crmbridge_hubspot.adapter as it; print({it.__package__ + '.writing'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  our own code

    assert "set()" == done.stdout.strip()


def test_what_a_stage_requires_is_refused_by_name_and_costs_only_its_deal(bench: AdapterWorkbench) -> None:
    """From 2026-09 on a won deal needs its close date ("CRM API write validation enforcement"), not before."""
    won = Position("default", "closedwon", Status.WON)
    deals = bench.hands.deal_ids()[:2]
    for deal in deals:
        bench.hands.edit_deal(deal, closedate="")
    changes = [make_change(each, connection="bench", target=Ref("bench", Kind.DEAL, each), edits=()) for each in deals]
    changes = [replace(changes[0], position=won), replace(changes[1], edits=(FieldEdit("name", None, "Renamed"),))]
    newest, usual = bench.open(api_version="2026-09"), bench.open()
    try:
        refused, renamed = newest.write(changes)
        (taken,) = usual.write(changes[:1])
    finally:
        newest.close()
        usual.close()

    assert (Outcome.REFUSED, "closedate" in refused.message) == (refused.outcome, True)
    assert [Outcome.APPLIED] * 2 == [renamed.outcome, taken.outcome]
