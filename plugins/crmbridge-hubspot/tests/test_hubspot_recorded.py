"""Real replies of HubSpot, read in place, go through the adapter's own decoding."""

import json
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.http import Reply
from crmbridge.model.changes import Action, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref, Status
from crmbridge.model.values import Money
from crmbridge.testing.factories import make_change
from crmbridge_hubspot.account import Account, native_stage
from crmbridge_hubspot.api import judge
from crmbridge_hubspot.history import moves_of
from crmbridge_hubspot.search_walk import SearchWalk
from crmbridge_hubspot.values import moment

from .accounts import Opener

BESIDE = Path(__file__).parents[3].parent / "shared" / "recorded"
FOLDER = Path(os.environ.get("CRMBRIDGE_RECORDED", BESIDE)) / "hubspot"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded replies are not on this machine")


def recorded(name: str) -> Any:
    """Read a recorded reply."""
    return json.loads((FOLDER / name).read_text("utf-8"))


def whole(name: str) -> httpx.Response:
    """Give a recorded reply as it was sent."""
    reply = recorded(name)
    return httpx.Response(reply["status"], headers=_kept(reply["headers"]), json=reply["body"])


def _kept(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower().startswith("x-")}


def no_links(hubspot: respx.MockRouter) -> None:
    """Let nothing hang on any record."""
    hubspot.post(path__regex=r"/crm/associations/.*").respond(json={"results": []})


def test_a_list_of_deals(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Deals of a real list become records: amounts, an unset close date, times with milliseconds."""
    no_links(hubspot)
    body = recorded("deals_list_page.json")
    hubspot.post(path="/crm/objects/2026-03/deals/batch/read").respond(json=body)
    refs = [Ref("hs", Kind.DEAL, deal["id"]) for deal in body["results"]]
    found = open_adapter().read(refs)

    assert set(refs) == set(found)
    for deal in body["results"]:
        record = found[Ref("hs", Kind.DEAL, deal["id"])]
        assert Money(amount=record.fields["amount"].amount, currency="EUR") == record.fields["amount"]  # type: ignore[union-attr]  # a deal's amount is Money
        assert deal["properties"]["amount"] == str(record.fields["amount"].amount)  # type: ignore[union-attr]  # the same
        assert deal["properties"]["dealname"] == record.fields["name"]
        assert "close_date" not in record.fields
        assert moment(deal["properties"]["hs_lastmodifieddate"]) == record.updated_at
        assert ("dealstage",) == tuple(problem.path for problem in record.problems)  # not a stage of the test's account


@pytest.mark.parametrize(("name", "count"), [("search_200_results.json", 2), ("search_200_empty.json", 0)])
def test_searches(hubspot: respx.MockRouter, open_adapter: Opener, name: str, count: int) -> None:
    """A search that fits has no `paging`; unset properties are absent or null; ids and times are read."""
    hubspot.post(path="/crm/objects/2026-03/companies/search").mock(return_value=whole(name))
    api = open_adapter()._api  # type: ignore[attr-defined]  # the walk alone, on the adapter's own connection
    found = [each for page in SearchWalk(api, "companies", "hs_lastmodifieddate").since(0) for each in page]

    expected = {each["id"]: each["updatedAt"] for each in recorded(name)["body"]["results"]}
    assert expected.keys() == {each.id for each in found}
    assert count == len(found)
    assert {each.id: int(moment(expected[each.id]).timestamp() * 1000) for each in found} == dict(found)


def test_a_company_from_a_search(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Companies of a real reply become records."""
    body = recorded("search_200_results.json")["body"]
    hubspot.post(path="/crm/objects/2026-03/companies/batch/read").respond(json=body)
    found = open_adapter().read([Ref("hs", Kind.COMPANY, each["id"]) for each in body["results"]])

    assert {(each["properties"]["name"], each["properties"]["domain"]) for each in body["results"]} == {
        (record.fields["name"], record.fields["domain"]) for record in found.values()
    }


@pytest.mark.parametrize("name", ["batch_update_200.json", "batch_update_clear_with_empty_string.json"])
def test_batch_updates(hubspot: respx.MockRouter, open_adapter: Opener, name: str) -> None:
    """A real answer to a batch update, not in the order of its inputs, gives a receipt for each."""
    inputs = recorded(name)["request"]["body"]["inputs"]
    hubspot.post(path="/crm/objects/2026-03/deals/batch/update").mock(return_value=whole(name))
    edits = (FieldEdit("name", None, "x"),)
    changes = [
        make_change(each["id"], connection="hs", target=Ref("hs", Kind.DEAL, each["id"]), edits=edits)
        for each in inputs
    ]
    receipts = open_adapter().write(changes)

    assert [(Outcome.APPLIED, each["id"]) for each in inputs] == [(r.outcome, r.ref.id) for r in receipts if r.ref]


def test_a_search_limit(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A real 429 of search, with nothing but a category, is waited for and asked again."""
    route = hubspot.post(path="/crm/objects/2026-03/companies/search")
    route.side_effect = [whole("search_429_secondly.json"), whole("search_200_empty.json")]
    hubspot.get(path="/crm/objects/2026-03/companies").respond(json={"results": []})

    assert [()] == [page.records for page in open_adapter().pull(Kind.COMPANY, '{"v":1,"at":1000000}')]
    assert 2 == route.call_count


def test_a_batch_create(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A real 201 with fifty items in it is read; what names none of our keys is unknown."""
    hubspot.post(path="/crm/objects/2026-03/deals/batch/create").mock(return_value=whole("batch_create_201.json"))
    changes = [
        make_change(n, connection="hs", action=Action.CREATE, target=None, edits=(), key=f"k{n}") for n in range(2)
    ]

    assert [Outcome.UNKNOWN] * 2 == [receipt.outcome for receipt in open_adapter().write(changes)]


def test_histories() -> None:
    """Real versions, newest first, with users, sources and empty lists, are read in order of time."""
    nowhere = Account(
        portal="1",
        ui_domain="app.example",
        zone=ZoneInfo("UTC"),
        pipelines=(),
        fields={},
        native_types={},
        home=None,
        currencies=(),
        owners=(),
    )
    for contact in recorded("contacts_list_with_history.json")["results"]:
        for versions in contact["propertiesWithHistory"].values():
            raw = {"properties": {}, "propertiesWithHistory": {"dealstage": versions, "pipeline": []}}
            moves = moves_of(Ref("hs", Kind.DEAL, "1"), raw, nowhere)
            assert sorted(move.at for move in moves) == [move.at for move in moves]
            changed = {version["value"] for version in versions if version["value"]}
            assert changed == {move.after.stage for move in moves}


def test_pipelines() -> None:
    """Real metadata tells won from lost from open, whatever the label says (v1's names put into v3's)."""
    stages = [
        native_stage({**stage, "id": stage["stageId"]})
        for pipeline in recorded("deal_pipelines_v1_shape.json")["results"]
        for stage in pipeline["stages"]
    ]
    statuses = {stage.id: stage.status for stage in stages}

    assert (Status.OPEN, "Closed Lost") == (statuses["66894120"], next(s.label for s in stages if s.id == "66894120"))
    assert (Status.WON, Status.WON, Status.LOST) == (
        statuses["customclosedwonstage"],
        statuses["closedwon"],
        statuses["closedlost"],
    )


EXPECTED: dict[int, type[CrmbridgeError]] = {
    400: RefusedError,
    401: AuthenticationError,
    403: AuthenticationError,
    404: RefusedError,
    409: RefusedError,
    429: RetryLaterError,
}


def test_error_bodies() -> None:
    """Every real error body is judged by what can be done about it, in its own words."""
    bodies = [each for each in recorded("error_bodies.json") if each["status"] >= 400]
    for each in bodies:
        reply = Reply(each["status"], {}, each["body"], json.dumps(each["body"]))
        error = judge(reply)
        assert isinstance(error, EXPECTED[each["status"]]), each["what"]
        assert error.message.isprintable()
        assert str(each["body"]["message"])[:20] in error.message
    assert bodies
