"""Rows and answers in another shape than documented: nothing of them counts as empty, as gone, or as the end."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx

from crmbridge.adapting.written import FEWEST
from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import FieldType, Money
from crmbridge.ports import AdapterContext, FieldBinding
from crmbridge.sandbox import VirtualClock
from crmbridge_pipedrive.account import BoundField, DealFields
from crmbridge_pipedrive.adapter import open_adapter
from crmbridge_pipedrive.mapping import DealReader, organization_record, person_record, user_record
from crmbridge_pipedrive.settings import PipedriveSettings
from crmbridge_pipedrive.values import FieldDefinition

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOST = "https://acme.pipedrive.com"
CODE = "a" * 40
BOUND = BoundField(
    binding=FieldBinding(name="site", native="Site", type=FieldType.TEXT),
    definition=FieldDefinition(code=CODE, label="Site", native_type="varchar", options=(), custom=True),
)
ROW: dict[str, Any] = {
    "id": 1,
    "title": "A deal",
    "owner_id": 7,
    "org_id": 8,
    "person_id": 9,
    "participants_count": 1,
    "value": 10,
    "currency": "EUR",
    "stage_id": 1,
    "pipeline_id": 1,
    "status": "open",
    "lost_reason": None,
    "expected_close_date": None,
    "update_time": "2026-06-01T10:00:00Z",
    "custom_fields": {CODE: "here"},
}
USUAL = {
    "name": "A deal",
    "amount": Money(Decimal(10), "EUR"),
    "owner": "7",
    "company": "8",
    "contacts": ("9",),
    "site": "here",
    "lost_reason": None,
}


def read(*rows: dict[str, Any]) -> list[Record]:
    """Read rows of an account with one field of its own."""
    known = DealFields(definitions=(), bound={"site": BOUND}, key=None, channels={})
    return DealReader(connection="pd", currency=None, fields=known, company=None).records(rows)


def told(record: Record) -> dict[str, Any]:
    """Give the fields of interest that a record has."""
    return {name: record.fields[name] for name in USUAL if name in record.fields}


READABLE: dict[str, Any] = {
    "owner_id": ("7", {"id": 7, "name": "Ann"}, {"value": 7}),
    "org_id": ("8", {"value": 8, "name": "Acme"}),
    "person_id": ("9", {"value": 9}),
}


@pytest.mark.parametrize("count", [1, 2 * FEWEST])
@pytest.mark.parametrize(("native", "raw"), [(native, raw) for native, raws in READABLE.items() for raw in raws])
def test_ids_are_read_as_texts_and_as_v1_and_webhooks_send_them(native: str, raw: Any, count: int) -> None:
    """Were they not, somebody would seem to have taken the owner, the company or the contact off."""
    found = read(*[{**ROW, "id": n} for n in range(1, count)], {**ROW, "id": count, native: raw})

    assert [USUAL] * count == [told(record) for record in found]
    assert () == found[-1].problems


UNREADABLE = {
    "title": ("name", [[], {"a": 1}, True]),
    "owner_id": ("owner", ["Ann", [], {}, True, {"id": None}, "0", -1.5]),
    "org_id": ("company", ["Acme", [8], False]),
    "value": ("amount", ["1e999999999", "1e-999999999", "9" * 61]),
    "lost_reason": ("lost_reason", [["price"], {"label": "price"}]),
    "person_id": ("contacts", ["Ann", [9], True]),
    "participants_count": ("contacts", [None, "1", [], True]),
    "custom_fields": ("site", [None, [], "none"]),
}


@pytest.mark.parametrize("count", [1, 2 * FEWEST])
@pytest.mark.parametrize(
    ("native", "name", "raw"), [(native, name, raw) for native, (name, raws) in UNREADABLE.items() for raw in raws]
)
def test_what_can_not_be_read_is_left_out_and_not_empty(native: str, name: str, raw: Any, count: int) -> None:
    """Empty would be carried over. `custom_fields` may be null itself, which says nothing of each (Airbyte's notes)."""
    found = read(*[{**ROW, "id": n} for n in range(1, count)], {**ROW, "id": count, native: raw})

    assert [USUAL] * (count - 1) == [told(record) for record in found[:-1]]
    assert {key: value for key, value in USUAL.items() if key != name} == told(found[-1])
    assert {name} == found[-1].unreadable


@pytest.mark.parametrize("count", [1, 2 * FEWEST])
@pytest.mark.parametrize(
    ("native", "name"),
    [
        ("title", "name"),
        ("owner_id", "owner"),
        ("org_id", "company"),
        ("value", "amount"),
        ("expected_close_date", "close_date"),
        ("lost_reason", "lost_reason"),
        ("person_id", "contacts"),
        ("participants_count", "contacts"),
    ],
)
def test_what_a_deal_comes_without_is_not_empty(native: str, name: str, count: int) -> None:
    """What is empty comes as null ("Get all deals"); without the count, one contact would pass for all of them."""
    odd = {key: value for key, value in ROW.items() if key != native}
    found = read(*[{**ROW, "id": n} for n in range(1, count)], {**odd, "id": count})

    assert [frozenset()] * (count - 1) + [frozenset({name})] == [record.unreadable for record in found]
    assert [True] * (count - 1) + [False] == [name in record.fields for record in found]


@pytest.mark.parametrize(
    ("read_one", "native", "raw", "name"),
    [
        (person_record, "name", ["Ann"], "name"),
        (person_record, "emails", "ann@acme.example", "email"),
        (person_record, "emails", ["ann@acme.example"], "email"),
        (person_record, "emails", [{"value": ["ann@acme.example"], "primary": True}], "email"),
        (person_record, "org_id", "Acme", "company"),
        (organization_record, "name", {"en": "Acme"}, "name"),
        (organization_record, "website", ["acme.example"], "domain"),
        (user_record, "email", {"value": "ann@acme.example"}, "email"),
    ],
)
def test_what_others_are_known_by_is_not_empty_where_it_can_not_be_read(
    read_one: Callable[[dict[str, Any], str], Record], native: str, raw: Any, name: str
) -> None:
    """Somebody without an e-mail is made anew elsewhere; of one whose e-mail can't be read that is not known."""
    found = read_one(
        {"id": 1, "update_time": "2026-06-01T10:00:00Z", "modified": "2026-06-01 10:00:00", native: raw}, "pd"
    )

    assert ({name}, False) == (found.unreadable, name in found.fields)


def test_a_page_of_deals_without_their_custom_fields_clears_none() -> None:
    """Also where all of them come so, and are read together."""
    found = read(*[{**ROW, "id": n, "custom_fields": None} for n in range(2 * FEWEST)])

    assert [frozenset({"site"})] * 2 * FEWEST == [record.unreadable for record in found]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    """Stand in for the vendor's host."""
    monkeypatch.setenv("PD_TOKEN", "0123456789abcdef")
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        yield router


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"1": ROW}},
        {"data": "none"},
        {"data": 0},
        {"data": [ROW, None]},
        {"data": [ROW, {**ROW, "id": "2"}]},
        {"data": [ROW, {**ROW, "id": None}]},
        {"data": [{"name": "Acme"}]},
        {"data": [ROW], "additional_data": {"next_cursor": 7}},
        {"data": [ROW], "additional_data": {"next_cursor": {"id": 7}}},
        {"data": [ROW], "additional_data": ["next"]},
        {},
    ],
    ids=str,
)
def test_a_list_that_can_not_be_read_is_not_taken_for_a_short_one(
    vendor: respx.MockRouter, answer: dict[str, Any]
) -> None:
    """All that it leaves out would seem to be gone, or would never come."""
    vendor.get("/api/v2/organizations").respond(json={"success": True, **answer})
    settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
    adapter = open_adapter(settings, AdapterContext(connection="pd", clock=VirtualClock(NOON)))
    with pytest.raises(RetryLaterError, match="can't be read") as caught:
        list(adapter.pull(Kind.COMPANY, None))
    adapter.close()

    assert "report this" in caught.value.advice


@pytest.mark.parametrize("kind", [Kind.COMPANY, Kind.DEAL, Kind.NOTE, Kind.FILE, Kind.USER])
def test_null_instead_of_an_answer_is_not_taken_for_the_end_of_a_list(vendor: respx.MockRouter, kind: Kind) -> None:
    """A 200 whose whole body is `null` has been seen (tap-pipedrive PR 131); the rest of the list would never come."""
    more = {"success": True, "data": [ROW], "additional_data": {"next_cursor": "abc", "more_items_in_collection": True}}
    vendor.get(path__regex="/(dealFields|pipelines|stages)$").respond(json={"success": True, "data": []})
    vendor.route().mock(side_effect=[httpx.Response(200, json=more), *[httpx.Response(200, content=b"null")] * 99])
    settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
    adapter = open_adapter(settings, AdapterContext(connection="pd", clock=VirtualClock(NOON)))
    with pytest.raises(RetryLaterError, match="another shape"):
        [*adapter.pull(kind, None), *adapter.pull(kind, None)]
    adapter.close()


@pytest.mark.parametrize(
    ("person", "contacts"),
    [({"value": "8"}, ("8", "9")), ("8", ("8", "9")), (8, ("8", "9")), ({"name": "Ann"}, None), ("Ann", None)],
    ids=str,
)
def test_a_participant_in_another_form_is_not_taken_off_the_deal(
    vendor: respx.MockRouter, person: Any, contacts: tuple[str, ...] | None
) -> None:
    """Left out, it would be taken off the deal's counterparts; where nobody can tell who it is, nothing is said."""
    people = [{"id": 1, "person_id": {"value": 9}}, {"id": 2, "person_id": person}]
    vendor.get(path__regex="/deals/1/participants$").respond(json={"success": True, "data": people})
    vendor.get("/api/v2/deals").respond(json={"success": True, "data": [{**ROW, "participants_count": 2}]})
    vendor.route().respond(json={"success": True, "data": []})
    settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
    adapter = open_adapter(settings, AdapterContext(connection="pd", clock=VirtualClock(NOON)))
    (found,) = adapter.read([Ref("pd", Kind.DEAL, "1")]).values()
    adapter.close()

    assert (contacts, contacts is None) == (found.fields.get("contacts"), "contacts" in found.unreadable)


def test_null_instead_of_a_flow_costs_a_deal_only_its_moves(vendor: respx.MockRouter) -> None:
    """Flow alone was seen to answer so (tap-pipedrive 1.1.8, PR 131); what the deal itself tells stays."""
    deal = {**ROW, "add_time": "2026-05-01T10:00:00Z", "stage_change_time": "2026-06-01T10:00:00Z"}
    flow = vendor.get(path__regex="/deals/1/flow$").respond(content=b"null")
    vendor.get("/api/v2/deals").respond(json={"success": True, "data": [deal]})
    vendor.route().respond(json={"success": True, "data": []})
    settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
    adapter = open_adapter(settings, AdapterContext(connection="pd", clock=VirtualClock(NOON)))
    moves = [move.at for page in adapter.pull(Kind.DEAL, None) for move in page.moves]
    adapter.close()

    assert (1, [datetime(2026, 6, 1, 10, tzinfo=UTC)]) == (flow.call_count, moves)


@pytest.mark.parametrize("data", [{"1": {"id": 1}}, "none", 0, [{"id": 1}, None], [{"id": "1"}]], ids=str)
def test_users_that_can_not_be_read_are_not_taken_for_none(vendor: respx.MockRouter, data: Any) -> None:
    """A user who is not there counts as gone, and nobody would own the deals of a first pull."""
    vendor.get("/api/v1/users").respond(json={"success": True, "data": data})
    settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
    adapter = open_adapter(settings, AdapterContext(connection="pd", clock=VirtualClock(NOON)))
    for read in (lambda: list(adapter.pull(Kind.USER, None)), lambda: adapter.read([Ref("pd", Kind.USER, "1")])):
        with pytest.raises(RetryLaterError, match="can't be read"):
            read()
    adapter.close()


@pytest.mark.parametrize("kind", [Kind.NOTE, Kind.FILE])
@pytest.mark.parametrize("data", [[], "none", 0, True, {"id": "1"}, {"content": "Hello"}], ids=str)
def test_a_row_that_can_not_be_read_is_not_gone(vendor: respx.MockRouter, kind: Kind, data: Any) -> None:
    """Gone, it would be taken for deleted elsewhere too."""
    vendor.get(path__regex=r"/(notes|files)/1$").respond(json={"success": True, "data": data})
    settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
    adapter = open_adapter(settings, AdapterContext(connection="pd", clock=VirtualClock(NOON)))
    with pytest.raises(RetryLaterError, match="can't be read"):
        adapter.read([Ref("pd", kind, "1")])
    adapter.close()


@pytest.mark.parametrize("data", [7, "EUR", {"EUR": True}, [None, "EUR"]])
def test_an_account_whose_currencies_can_not_be_read_has_none_to_name(vendor: respx.MockRouter, data: Any) -> None:
    """They are only shown; that ends no look at an account."""
    vendor.get(path__regex=r"/currencies$").respond(json={"success": True, "data": data})
    vendor.route().respond(json={"success": True, "data": None})
    settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
    adapter = open_adapter(settings, AdapterContext(connection="pd", clock=VirtualClock(NOON)))
    found = adapter.describe().currencies
    adapter.close()

    assert () == found
