"""What hangs on records is taken from a list where it stands there whole, and asked for where it does not."""

import json
from collections.abc import Callable
from itertools import product
from typing import Any

import httpx
import pytest
import respx

from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter

from .accounts import LINKS, OBJECTS, STAMP

SOME = ([], ["8"], ["8", "8"], ["30", "8"], ["100", "7", "30", "7"])
DEALS = {str(number): both for number, both in enumerate(product(SOME, SOME), start=1)}  # companies and contacts


def shown(ids: list[str], **more: Any) -> dict[str, Any]:
    """Show links as a list does."""
    return {"results": [{"id": int(each) if place % 2 else each} for place, each in enumerate(ids)], **more}


def whole(ids: list[str]) -> Any:
    """Show all links of a deal; none are left out, or null."""
    return shown(ids) if ids else None


def cut(ids: list[str]) -> Any:
    """Show the first links of a deal, with the token of the next ones."""
    return shown(ids[:1], paging={"next": {"after": "2"}})


def unsaid(_ids: list[str]) -> Any:
    """Show links in a form that says nothing of them."""
    return {"results": None}


@pytest.fixture
def serve(hubspot: respx.MockRouter) -> Callable[[Callable[[list[str]], Any]], None]:
    """Give a way to let the router answer for the deals, with their links shown in one way."""

    def start(show: Callable[[list[str]], Any]) -> None:
        def make(number: str) -> dict[str, Any]:
            properties = {"dealstage": "first", "pipeline": "default", "hs_lastmodifieddate": STAMP}
            return {"id": number, "properties": properties, "createdAt": STAMP, "updatedAt": STAMP}

        def listed(request: httpx.Request) -> httpx.Response:
            gone = request.url.params.get("archived") == "true"
            found = [
                {**make(number), "associations": {"companies": show(companies), "contacts": show(contacts)}}
                for number, (companies, contacts) in DEALS.items()
            ]
            return httpx.Response(200, json={"results": [] if gone else found})

        def links(request: httpx.Request, other: str) -> httpx.Response:
            asked = [each["id"] for each in json.loads(request.content)["inputs"]]
            place = ("companies", "contacts").index(other)
            found = {number: [{"toObjectId": int(each)} for each in DEALS[number][place]] for number in asked}
            results = [{"from": {"id": number}, "to": to} for number, to in found.items() if to]
            return httpx.Response(200, json={"results": results})

        hubspot.get(path=f"{OBJECTS}/deals").mock(side_effect=listed)
        hubspot.post(path=f"{OBJECTS}/deals/search").respond(json={"total": 0, "results": []})
        hubspot.post(path=f"{OBJECTS}/deals/batch/read").respond(json={"results": [make(each) for each in DEALS]})
        hubspot.post(path__regex=rf"{LINKS}/(?P<other>\w+)/batch/read").mock(side_effect=links)

    return start


@pytest.mark.parametrize("show", [whole, shown, cut, unsaid])
def test_a_list_says_of_links_what_asking_for_them_says(
    serve: Callable[[Callable[[list[str]], Any]], None],
    open_adapter: Callable[..., Adapter],
    show: Callable[[list[str]], Any],
) -> None:
    """Whether a deal was listed or read alone, its company and contacts are the same; ids come as numbers and texts."""
    serve(show)
    adapter = open_adapter()
    listed = {record.ref: record.fields for page in adapter.pull(Kind.DEAL, None) for record in page.records}
    asked = {ref: record.fields for ref, record in adapter.read([Ref("hs", Kind.DEAL, each) for each in DEALS]).items()}

    assert len(DEALS) == len(asked)
    assert asked == listed
    assert {None, "8", "7"} == {fields.get("company") for fields in listed.values()}
    assert {(), ("8",), ("30", "8"), ("100", "30", "7")} == {fields["contacts"] for fields in listed.values()}
