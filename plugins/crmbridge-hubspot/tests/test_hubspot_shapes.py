"""Answers in another shape than documented: read where their meaning is certain, else said in words for a person."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import respx

from crmbridge.errors import AuthenticationError, CrmbridgeError, RetryLaterError
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import FieldType, Money
from crmbridge.ports import Adapter, FieldBinding
from crmbridge_hubspot.account import native_stage
from crmbridge_hubspot.shapes import ShapeError

Opener = Callable[..., Adapter]
Answer = Callable[..., None]
READ = "/crm/objects/2026-03/deals/batch/read"
OWN = (
    FieldBinding(name="memo", native="note_to_self", type=FieldType.TEXT),
    FieldBinding(name="closed", native="hs_is_closed", type=FieldType.BOOL),
)
USUAL = {
    "dealname": "One",
    "pipeline": "default",
    "dealstage": "first",
    "hs_lastmodifieddate": "2026-06-01T10:00:00Z",
    "lastmodifieddate": "2026-06-01T10:00:00Z",  # as contacts have it
    "hs_createdate": "2026-05-01T10:00:00Z",
}


def make_raw(number: int, **properties: Any) -> dict[str, Any]:
    """Make a deal as HubSpot sends it, with values of any kind."""
    return {"id": str(number), "properties": {**USUAL, **properties}, "createdAt": "x", "updatedAt": "x"}


def read(router: respx.MockRouter, open_adapter: Opener, *raws: Any, fields: tuple[FieldBinding, ...] = OWN) -> Any:
    """Let the router answer with these records, and read them; links are not asked for."""
    router.post(path=READ).respond(json={"results": list(raws)})
    refs = [Ref("hs", Kind.DEAL, str(number)) for number in range(1, len(raws) + 1)]
    return list(open_adapter(fields=fields).read(refs, fields=["name"]).values())


def test_numbers_and_flags_are_read_as_the_texts_that_they_should_be(
    hubspot: respx.MockRouter, open_adapter: Opener
) -> None:
    """Guides show them in requests ("Properties" guide); were they to come back, nothing of a deal would be lost."""
    raw = make_raw(1, amount=1500.5, hs_is_closed=False, note_to_self=7)
    (found,) = read(hubspot, open_adapter, raw)

    assert (Money(Decimal("1500.5"), "EUR"), False, "7") == tuple(
        found.fields[name] for name in ("amount", "closed", "memo")
    )
    assert () == found.problems


@pytest.mark.parametrize("count", [1, 20])
def test_a_value_that_is_several_is_a_problem_of_its_field(
    hubspot: respx.MockRouter, open_adapter: Opener, count: int
) -> None:
    """It is left out, not taken for empty: that would clear the field elsewhere. The page's other deals are whole."""
    raws = [make_raw(number, note_to_self="fine") for number in range(1, count)]
    found: list[Record] = read(hubspot, open_adapter, *raws, make_raw(count, note_to_self=["a"], amount={"v": 1}))

    assert ["fine"] * (count - 1) == [record.fields["memo"] for record in found[:-1]]
    assert {"memo", "amount"} == found[-1].unreadable
    assert "One" == found[-1].fields["name"]


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("text", ["1e999999999", "1e-999999999", "9" * 61, "0." + "1" * 61])
def test_a_number_of_endless_digits_is_a_problem_of_its_field(
    hubspot: respx.MockRouter, open_adapter: Opener, text: str, count: int
) -> None:
    """A few characters would fill the memory of whoever shows it, and no other CRM could be sent it."""
    own = (*OWN, FieldBinding(name="seats", native="seats", type=FieldType.NUMBER))
    raws = [make_raw(number, amount="12.5", seats="3") for number in range(1, count)]
    odd = make_raw(count, amount=text, seats=text)
    found: list[Record] = read(hubspot, open_adapter, *raws, odd, fields=own)

    assert [(Money(Decimal("12.5"), "EUR"), Decimal(3))] * (count - 1) == [
        (record.fields["amount"], record.fields["seats"]) for record in found[:-1]
    ]
    assert {"amount", "seats"} == found[-1].unreadable


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"isClosed": "true"},
        {"isClosed": "true", "probability": None},
        {"isClosed": "true", "probability": "certain"},
        {"probability": {"value": "1.0"}},
    ],
    ids=str,
)
def test_a_stage_that_may_be_won_or_lost_is_not_taken_for_either(metadata: Any) -> None:
    """Every deal in it would be lost, or open again, elsewhere too."""
    with pytest.raises(ShapeError, match="closedwon"):
        native_stage({"id": "closedwon", "label": "Won", "metadata": metadata})


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"isClosed": "false"}, Status.OPEN),
        ({"probability": "1.0"}, Status.WON),
        ({"isClosed": True, "probability": 0}, Status.LOST),
        ({"probability": "0.5"}, Status.OPEN),
    ],
    ids=str,
)
def test_a_stage_whose_metadata_are_enough_is_read(metadata: Any, status: Status) -> None:
    """Texts as documented, or the values that they stand for."""
    assert status is native_stage({"id": "a", "label": "A", "metadata": metadata}).status


def test_a_time_of_making_that_is_none_is_a_problem(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """The deal is kept."""
    (found,) = read(hubspot, open_adapter, make_raw(1, hs_createdate="long ago"))

    assert (None, ["createdAt"]) == (found.created_at, [each.path for each in found.problems])


ODD: dict[str, Any] = {
    "nothing": None,
    "a text": "record",
    "no id": {"properties": {}},
    "a flag as its id": {"id": True, "properties": {}},
    "no properties": {"id": "1", "updatedAt": "2026-06-01T10:00:00Z"},
    "null for properties": {"id": "1", "properties": None},
    "no time of change": {"id": "1", "properties": {"dealname": "One"}},
    "a time of change that is none": make_raw(1, hs_lastmodifieddate="today"),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_record_is_said_and_not_left_out(hubspot: respx.MockRouter, open_adapter: Opener, odd: str) -> None:
    """What is left out counts as gone. The message names the connection, and what to do about it."""
    with pytest.raises(RetryLaterError) as caught:
        read(hubspot, open_adapter, ODD[odd])

    assert caught.value.message.startswith("hs: ")
    assert "report this" in caught.value.advice


BROKEN: dict[str, Any] = {
    "results are null": {"results": None},
    "results are an object": {"results": {"1": {}}},
    "a number": 7,
    "paging is a text": {"results": [make_raw(1)], "paging": "2"},
    "the next page is a flag": {"results": [make_raw(1)], "paging": {"next": {"after": True}}},
    "links are a text": {"results": [{**make_raw(1), "associations": {"companies": "7"}}]},
    "a link has no id": {"results": [{**make_raw(1), "associations": {"companies": {"results": [{}]}}}]},
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_page_that_can_not_be_read_ends_the_pull_and_nothing_else(
    hubspot: respx.MockRouter, open_adapter: Opener, how: str
) -> None:
    """Never as if the list had ended there: the rest would seem to be gone. No bug of the adapter's is told of."""
    hubspot.post(path__regex=r"/search$").respond(json={"total": 1, "results": []})
    hubspot.get(path="/crm/objects/2026-03/contacts").respond(json=BROKEN[how])
    with pytest.raises(CrmbridgeError) as caught:
        list(open_adapter().pull(Kind.CONTACT, None))

    assert (RetryLaterError, True) == (type(caught.value), caught.value.message.startswith("hs: "))


def test_an_unreadable_property_costs_only_the_fields_that_are_bound_to_it(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener
) -> None:
    """An account has a thousand of them, and most are nobody's concern."""
    odd = [{"name": name} for name in ("dealname", "amount", "closedate", "hubspot_owner_id")]
    odd += [{"name": None}, {"name": "note_to_self", "options": "many"}, {"name": "hs_is_closed", "type": "bool"}]
    answer_account(router, properties={"results": odd})
    (found,) = read(router, open_adapter, {**make_raw(1, hs_is_closed="true")})

    assert (True, {"memo"}) == (found.fields["closed"], found.unreadable)


def test_a_standard_property_that_is_hidden_from_us_is_not_empty(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener
) -> None:
    """Where it is not listed and deals come without it, nobody cleared it: that would be carried over."""
    answer_account(router, properties={"results": [{"name": "dealname", "type": "string"}]})
    (found,) = read(router, open_adapter, make_raw(1), fields=())

    assert {"amount", "close_date", "owner"} == found.unreadable


STAGES = [{"id": "first", "label": None, "displayOrder": "soon", "metadata": {"isClosed": "false"}}]


def test_stages_without_a_name_or_place_are_told_apart_by_their_ids(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener
) -> None:
    """The id is what counts; a name is for people."""
    answer_account(router, pipelines={"results": [{"id": 7, "label": "", "stages": STAGES}]})
    router.post(path__regex=r"/token/introspect$").respond(404)
    (pipeline,) = open_adapter().describe().pipelines

    assert (("7", "7"), ["first"]) == ((pipeline.id, pipeline.label), [stage.label for stage in pipeline.stages])


def test_a_set_up_that_could_not_be_read_is_asked_for_again(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener
) -> None:
    """It is not kept for an hour as a good one is."""
    adapter = open_adapter()
    router.post(path=READ).respond(json={"results": [make_raw(1)]})
    answer_account(router, pipelines={"results": [{"id": "7", "stages": [{"id": "first"}]}]})
    with pytest.raises(RetryLaterError, match="won or lost"):
        adapter.read([Ref("hs", Kind.DEAL, "1")], fields=["name"])
    answer_account(router)

    assert ["One"] == [
        each.fields["name"] for each in adapter.read([Ref("hs", Kind.DEAL, "1")], fields=["name"]).values()
    ]


@pytest.mark.parametrize("part", ["errors", "context"])
@pytest.mark.parametrize("odd", [7, "none", ["x"], {"x": 1}, [{"context": ["x"]}], True])
def test_a_refusal_in_another_shape_is_the_same_refusal(
    hubspot: respx.MockRouter, open_adapter: Opener, part: str, odd: Any
) -> None:
    """Every part of an error is optional ("Error handling"); what stands in its place breaks nothing off."""
    hubspot.post(path=READ).respond(403, json={"message": "no", part: odd})

    with pytest.raises(AuthenticationError, match="does not allow"):
        open_adapter().read([Ref("hs", Kind.DEAL, "1")], fields=["name"])


@pytest.mark.parametrize("told", [{}, {"amount": None, "note_to_self": None}, {"amount": "", "note_to_self": ""}])
def test_nothing_has_three_forms(hubspot: respx.MockRouter, open_adapter: Opener, told: dict[str, Any]) -> None:
    """A list gives null, a search nothing, an answer to a write "" (recorded); "Using Object APIs" says otherwise."""
    (found,) = read(hubspot, open_adapter, make_raw(1, **told))

    assert (None, None, ()) == (found.fields.get("amount"), found.fields.get("memo"), found.problems)
