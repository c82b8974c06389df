"""Answers in another shape than documented are said in words for a person, and nothing of them is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import respx

from crmbridge.adapting.written import FEWEST
from crmbridge.errors import CrmbridgeError, RetryLaterError
from crmbridge.model.records import Kind, Ref
from crmbridge_salesforce.adapter import SalesforceAdapter

HOST = "https://acme.my.salesforce.com"
BASE = f"{HOST}/services/data/v67.0"
STAMP = "2026-06-01T10:00:00.000+0000"
ROW = {"Id": "003Sb0000000001IAA", "SystemModstamp": STAMP, "Name": "Ann"}
FIELDS = [
    {"name": name, "label": name, "type": kind}
    for name, kind in (
        ("Id", "id"),
        ("Name", "string"),
        ("SystemModstamp", "datetime"),
        ("CreatedDate", "datetime"),
    )
]
DESCRIBED = {"name": "Contact", "fields": FIELDS, "recordTypeInfos": []}


@pytest.fixture
def routes() -> Iterator[respx.MockRouter]:
    """Stub the org."""
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def stubbed(open_adapter: Callable[..., SalesforceAdapter]) -> SalesforceAdapter:
    """Give an adapter on the stubbed org."""
    return open_adapter(HOST, "00D-token")


def failing(adapter: SalesforceAdapter, routes: respx.MockRouter, described: Any, *rows: Any) -> CrmbridgeError:
    """Let the org answer so, and give what a pull of contacts ends with."""
    routes.get(f"{BASE}/sobjects/Contact/describe").respond(json=described)
    records: list[Any] = list(rows)
    routes.get(f"{BASE}/query").respond(json={"totalSize": len(rows), "done": True, "records": records})
    routes.get(f"{BASE}/queryAll").respond(json={"totalSize": 0, "done": True, "records": []})
    with pytest.raises(CrmbridgeError) as caught:
        list(adapter.pull(Kind.CONTACT, None))
    return caught.value


DESCRIPTIONS: Mapping[str, Any] = {
    "fields are a flag": {**DESCRIBED, "fields": True},
    "fields are null": {**DESCRIBED, "fields": None},
    "a field is null": {**DESCRIBED, "fields": [*FIELDS, None]},
    "a field has no name": {**DESCRIBED, "fields": [*FIELDS, {"type": "string"}]},
    "a list is a number": {**DESCRIBED, "fields": [{**FIELDS[0], "referenceTo": 7}]},
    "options are texts": {**DESCRIBED, "fields": [{**FIELDS[0], "picklistValues": ["a"]}]},
    "a record type is a text": {**DESCRIBED, "recordTypeInfos": ["x"]},
    "a number as the name of a field": {**DESCRIBED, "fields": [*FIELDS, {"name": 7, "type": "string"}]},
    "an object as its name": {**DESCRIBED, "name": {}},
    "nothing but a list": [DESCRIBED],
}


@pytest.mark.parametrize("how", DESCRIPTIONS)
def test_a_description_that_can_not_be_read_is_said(
    stubbed: SalesforceAdapter, routes: respx.MockRouter, how: str
) -> None:
    """It names the connection and the object, and what to do; it is no bug of the adapter's."""
    error = failing(stubbed, routes, DESCRIPTIONS[how], ROW)

    assert RetryLaterError is type(error)
    assert error.message.startswith("sf: what the org answers to 'describe Contact' can't be read")
    assert "report this" in error.advice


@pytest.mark.parametrize("count", [1, 2 * FEWEST])
@pytest.mark.parametrize("odd", [["Ann"], {"first": "Ann"}])
def test_a_text_that_is_several_is_a_problem_of_its_field(
    stubbed: SalesforceAdapter, routes: respx.MockRouter, odd: Any, count: int
) -> None:
    """What stands for it here is nobody's name, and an empty one would be carried over."""
    routes.get(f"{BASE}/sobjects/Contact/describe").respond(json=DESCRIBED)
    rows = [{**ROW, "Id": f"003Sb000000{n:04}IAA"} for n in range(count)]
    rows[-1] = {**rows[-1], "Name": odd}
    routes.get(f"{BASE}/query").respond(json={"totalSize": count, "done": True, "records": rows})
    routes.get(f"{BASE}/queryAll").respond(json={"totalSize": 0, "done": True, "records": []})
    found = [record for page in stubbed.pull(Kind.CONTACT, None) for record in page.records]

    assert ["Ann"] * (count - 1) == [record.fields["name"] for record in found[: count - 1]]
    assert ({"name"}, False) == (found[-1].unreadable & {"name"}, "name" in found[-1].fields)


ROWS: Mapping[str, Any] = {
    "nothing": None,
    "a text": "row",
    "no columns": {},
    "no id": {**ROW, "Id": None},
    "a number as its id": {**ROW, "Id": 7},
    "no time of change": {**ROW, "SystemModstamp": None},
    "a time of change that is none": {**ROW, "SystemModstamp": "today"},
    "a time of making that is none": {**ROW, "CreatedDate": "long ago"},
}


@pytest.mark.parametrize("how", ROWS)
def test_what_is_no_row_is_said_and_not_left_out(
    stubbed: SalesforceAdapter, routes: respx.MockRouter, how: str
) -> None:
    """The walk would go on past it, and what is left out counts as gone."""
    error = failing(stubbed, routes, DESCRIBED, ROW, ROWS[how])

    assert (RetryLaterError, True) == (type(error), "report this" in error.advice)
    assert error.message.startswith("sf: ")


@pytest.mark.parametrize("answer", [{"records": []}, "none", [ROW, "row"], [ROW, []]], ids=str)
def test_a_read_by_ids_that_is_answered_with_no_rows_leaves_none_out(
    stubbed: SalesforceAdapter, routes: respx.MockRouter, answer: Any
) -> None:
    """Only null says that a row is not there."""
    routes.get(f"{BASE}/sobjects/Contact/describe").respond(json=DESCRIBED)
    routes.post(f"{BASE}/composite/sobjects/Contact").respond(json=answer)
    with pytest.raises(RetryLaterError, match="no list of rows") as caught:
        stubbed.read([Ref("sf", Kind.CONTACT, ROW["Id"]), Ref("sf", Kind.CONTACT, "003Sb0000000099IAA")])

    assert "report this" in caught.value.advice
