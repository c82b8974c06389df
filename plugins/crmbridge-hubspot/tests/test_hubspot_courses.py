"""What deals' properties held before is read off HubSpot's histories, as far as those reach."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import RetryLaterError
from crmbridge.http import load_json
from crmbridge.model.courses import Course
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.values import FieldType, Money
from crmbridge.ports import Adapter, FieldBinding
from crmbridge.testing import AdapterWorkbench
from crmbridge.testing.adapters.workbench import pull_all
from crmbridge.testing.factories import NOON

from .accounts import Opener

MINUTE = timedelta(minutes=1)
FIELDS = (FieldBinding(name="note", native="note_to_self", type=FieldType.TEXT),)
READ = "/crm/objects/2026-03/deals/batch/read"


def deal(number: int = 9, **fields: Any) -> Record:
    """Make a deal that was made a day ago and last changed now."""
    return Record(
        ref=Ref("hs", Kind.DEAL, str(number)),
        fields=fields,
        version="v",
        created_at=NOON - timedelta(days=1),
        updated_at=NOON,
        position=Position("default", "first", Status.OPEN),
    )


def versions(*values: tuple[int, str]) -> list[dict[str, Any]]:
    """Make versions of so many minutes before NOON, newest first, as HubSpot sends them."""
    return [
        {"value": value, "timestamp": (NOON - ago * MINUTE).isoformat(), "sourceType": "CRM_UI"}
        for ago, value in sorted(values)
    ]


def ask(hubspot: respx.MockRouter, adapter: Any, name: str, histories: dict[str, Any], **properties: Any) -> Course:
    """Ask what a field of one deal held in the last hour, HubSpot having these histories of it."""
    raw = {"id": "9", "properties": properties, "propertiesWithHistory": histories}
    hubspot.post(READ).respond(200, json={"status": "COMPLETE", "results": [raw]})
    (course,) = adapter.field_history([deal()], {name}, NOON - 60 * MINUTE)
    assert isinstance(course, Course)
    return course


def told(course: Course) -> list[tuple[int, Any]]:
    """Give what a course has, by minutes before NOON."""
    return [((NOON - held.at) // MINUTE, held.value) for held in course.held]


def test_versions_become_a_course(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """They come newest first; it begins with the value that held when the time asked about began."""
    found = ask(hubspot, open_adapter(FIELDS), "note", {"note_to_self": versions((90, "a"), (70, "b"), (20, "c"))})

    assert [(70, "b"), (20, "c")] == told(found)
    assert NOON == found.until


def test_before_its_first_value_a_property_had_none(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """As long as the history was not cut; a property that never had a value has an empty one. A cleared one is "" ."""
    adapter = open_adapter(FIELDS)

    assert [(24 * 60, None), (20, "a"), (10, None)] == told(
        ask(hubspot, adapter, "note", {"note_to_self": versions((20, "a"), (10, ""))})
    )
    assert [(24 * 60, None)] == told(ask(hubspot, adapter, "note", {"note_to_self": []}))


def test_a_history_that_may_be_cut_begins_where_it_begins(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """HubSpot keeps a limited number of versions: with twenty nobody knows what was before the oldest."""
    many = versions(*((number, str(number)) for number in range(1, 21)))
    found = ask(hubspot, open_adapter(FIELDS), "note", {"note_to_self": many})

    assert (20, "20") == told(found)[0]
    assert None is found.at(NOON - 21 * MINUTE)


def test_an_amount_is_in_the_currency_of_its_time(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Each change of either is one of the amount; what is no number is kept with its problem."""
    histories = {
        "amount": versions((50, "100"), (10, "much")),
        "deal_currency_code": versions((50, "USD"), (30, "GBP")),
    }
    found = ask(hubspot, open_adapter(), "amount", histories, deal_currency_code="GBP")

    dollars, pounds = Money(Decimal(100), "USD"), Money(Decimal(100), "GBP")
    assert [None, dollars, pounds, None] == [held.value for held in found.held]
    assert "no number" in found.held[-1].problem


def test_versions_count_by_their_times_in_whatever_order_they_come(
    hubspot: respx.MockRouter, open_adapter: Opener
) -> None:
    """What came last need not be the oldest: a value of another time would be taken for that of then."""
    mixed = [versions((50, "100"))[0], *versions((10, "300"), (30, "200"))]
    histories = {"amount": mixed, "deal_currency_code": versions((50, "USD"))}
    found = ask(hubspot, open_adapter(), "amount", histories, deal_currency_code="USD")

    assert [None, *(Money(Decimal(100 * n), "USD") for n in (1, 2, 3))] == [held.value for held in found.held]


@pytest.mark.parametrize(
    ("name", "histories", "why"),
    [
        ("note", {}, "gave no history of note_to_self"),  # an undefined name is dropped without a word
        ("note", {"note_to_self": [{"value": "a", "timestamp": "sometime"}]}, "can't be read"),
        ("note", {"note_to_self": ["a"]}, "can't be read"),
        ("contacts", {}, "keeps no history"),
    ],
)
def test_what_is_not_told_is_said(
    hubspot: respx.MockRouter, open_adapter: Opener, name: str, histories: dict[str, Any], why: str
) -> None:
    """It is not taken for what did not change."""
    found = ask(hubspot, open_adapter(FIELDS), name, histories)

    assert () == found.held
    assert why in found.why


def test_fifty_deals_fit_in_a_request(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """More with histories is refused, and a poller was stuck on its backlog (activepieces PR 9359)."""

    def answer(request: httpx.Request) -> httpx.Response:
        inputs = load_json(request.content)["inputs"]
        if len(inputs) > 50:
            return httpx.Response(400, json={"status": "error", "category": "VALIDATION_ERROR"})
        raws = [{"id": i["id"], "properties": {}, "propertiesWithHistory": {"note_to_self": []}} for i in inputs]
        return httpx.Response(200, json={"results": raws})

    route = hubspot.post(READ).mock(side_effect=answer)
    found = list(open_adapter(FIELDS).field_history([deal(n) for n in range(120)], {"note"}, NOON - MINUTE))

    assert (3, 120) == (route.call_count, sum(bool(course.held) for course in found))


def test_deals_that_are_gone_do_not_take_the_others_along(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A 207 has what was found (hubspot-api-php#619); the missing one says so."""
    raw = {"id": "9", "properties": {}, "propertiesWithHistory": {"note_to_self": versions((20, "a"))}}
    missing = {"status": "error", "category": "OBJECT_NOT_FOUND", "context": {"ids": ["8"]}}
    hubspot.post(READ).respond(207, json={"results": [raw], "numErrors": 1, "errors": [missing]})
    found = {c.deal.id: c for c in open_adapter(FIELDS).field_history([deal(8), deal(9)], {"note"}, NOON - MINUTE)}

    assert found["9"].held
    assert ("", True) == ("" if not found["8"].held else "held", "not there" in found["8"].why)


def test_an_answer_that_is_none_is_no_history(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """It is asked for again later."""
    hubspot.post(READ).respond(200, json={"status": "PENDING"})

    with pytest.raises(RetryLaterError):
        list(open_adapter(FIELDS).field_history([deal()], {"note"}, NOON - MINUTE))


def test_the_sandbox_keeps_twenty_values(bench: AdapterWorkbench, adapter: Any) -> None:
    """So what was before them is not known, there as here."""
    native, ref = bench.fields["decision_maker"], min(pull_all(adapter).records)
    since = bench.clock.now()
    for number in range(25):
        bench.clock.advance(MINUTE)
        bench.hands.edit_deal(ref.id, **{native: f"Person {number}"})
    (course,) = adapter.field_history([adapter.read([ref])[ref]], {"decision_maker"}, since)

    assert [f"Person {number}" for number in range(5, 25)] == [held.value for held in course.held]


def test_a_user_is_named_as_owners_are(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Histories name users by another number than deals do ("Owners" guide)."""
    ref = min(pull_all(adapter).records)
    bench.clock.advance(MINUTE)
    bench.hands.edit_deal(ref.id, **{bench.fields["decision_maker"]: "Somebody"})
    deal_ = adapter.read([ref])[ref]
    (course,) = adapter.field_history([deal_], {"decision_maker"}, bench.clock.now())  # type: ignore[attr-defined]

    assert course.held[-1].by in {None, *(user.id for user in pull_all(adapter, Kind.USER).records)}
