"""Companies and contacts are made once, and found by what people know them by."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import RetryLaterError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.values import Value
from crmbridge.ports import Adapter
from crmbridge.testing import AdapterWorkbench
from crmbridge.testing.factories import make_change
from crmbridge_hubspot.api import LIST_PAGE
from crmbridge_hubspot.counterparts import MOST_PAGES

from .accounts import OBJECTS, Opener


def make_creation(creates: Kind, number: str = "1", connection: str = "hs", **fields: Value) -> Change:
    """Make the creation of a company or contact."""
    edits = tuple(FieldEdit(name, None, value) for name, value in fields.items())
    return make_change(number, connection=connection, action=Action.CREATE, target=None, edits=edits, creates=creates)


def sent(route: respx.Route) -> list[Any]:
    """Give the inputs of the last call."""
    return list(json.loads(route.calls.last.request.content)["inputs"])


def company(record_id: str, name: str = "", domain: str = "") -> dict[str, Any]:
    """Show a company."""
    return {"id": record_id, "properties": {"name": name, "domain": domain}}


@pytest.fixture
def nobody(hubspot: respx.MockRouter) -> respx.MockRouter:
    """Answer for an account without companies."""
    hubspot.post(path=f"{OBJECTS}/companies/search").respond(json={"total": 0, "results": []})
    hubspot.get(path=f"{OBJECTS}/companies").respond(json={"results": []})
    return hubspot


# ── Making ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_made_reads_back_as_it_was_given(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """Names, domain, e-mail, title and owner; a contact gets its company in the same request."""
    owner = next(iter(bench.hands.owners))  # type: ignore[attr-defined]  # of the sandbox's account
    (made,) = adapter.write(
        [make_creation(Kind.COMPANY, connection="bench", name="Acme Ltd", domain="acme.example", owner=owner)]
    )
    assert made.ref is not None
    values: dict[str, Value] = {"name": "Ann van Dyke", "email": "ann@acme.example", "title": "CEO"}
    (person,) = adapter.write([make_creation(Kind.CONTACT, connection="bench", company=made.ref.id, **values)])
    assert person.ref is not None
    read = adapter.read([made.ref, person.ref])

    assert ("Acme Ltd", "acme.example") == (read[made.ref].fields["name"], read[made.ref].fields["domain"])
    assert {**values, "company": made.ref.id} == dict(read[person.ref].fields)


def test_a_contact_hangs_on_its_company_at_once(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Type 1 is a contact's primary company; a name is kept in two properties."""
    route = hubspot.post(path=f"{OBJECTS}/contacts/batch/create").respond(201, json={"results": [{"id": "50"}]})
    open_adapter().write([make_creation(Kind.CONTACT, name="Ann  van Dyke", company="30")])
    (body,) = sent(route)

    assert {"firstname": "Ann", "lastname": "van Dyke"} == body["properties"]
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    assert [{"to": {"id": "30"}, "types": types}] == body["associations"]


@pytest.mark.parametrize("status", [207, 409])
@pytest.mark.parametrize("message", ["Contact already exists. Existing ID: 51", "Contact already exists"])
def test_a_contact_whose_mail_is_taken_is_that_contact(
    hubspot: respx.MockRouter, open_adapter: Opener, status: int, message: str
) -> None:
    """Its id is only in the words (hubspot-api-php#59); where it is not, the e-mail is asked for itself."""
    change = make_creation(Kind.CONTACT, name="Ann", email="Ann@acme.example")
    error = {"category": "CONFLICT", "message": message, "context": {"objectWriteTraceId": [change.id]}}
    answer = {"status": "COMPLETE", "results": [], "errors": [error]} if status == 207 else error
    hubspot.post(path=f"{OBJECTS}/contacts/batch/create").respond(status, json=answer)
    there = {"id": "51", "properties": {"email": "ann@acme.example"}}
    hubspot.post(path=f"{OBJECTS}/contacts/batch/read").respond(json={"results": [there]})
    (receipt,) = open_adapter().write([change])

    assert (Outcome.APPLIED, Ref("hs", Kind.CONTACT, "51")) == (receipt.outcome, receipt.ref)


def test_answers_are_told_apart_by_what_people_know_them_by(nobody: respx.MockRouter, open_adapter: Opener) -> None:
    """The recorded answer to a batch is not in the order of its inputs, and part of it may be refused."""
    changes = [make_creation(Kind.COMPANY, str(n), name=name) for n, name in enumerate(["A", "B", "C"])]
    error = {"category": "VALIDATION_ERROR", "message": "bad", "context": {"objectWriteTraceId": [changes[1].id]}}
    answer = {"results": [company("32", "C"), company("30", "A")], "errors": [error]}
    nobody.post(path=f"{OBJECTS}/companies/batch/create").respond(207, json=answer)
    receipts = open_adapter().write(changes)

    assert ["30", None, "32"] == [receipt.ref and receipt.ref.id for receipt in receipts]
    assert Outcome.REFUSED == receipts[1].outcome


def test_an_unclear_creation_is_not_sent_again(nobody: respx.MockRouter, open_adapter: Opener) -> None:
    """It is unknown, and found by its natural key later."""
    route = nobody.post(path=f"{OBJECTS}/companies/batch/create")
    route.side_effect = [httpx.ReadTimeout("slow")]
    (receipt,) = open_adapter().write([make_creation(Kind.COMPANY, name="Acme")])

    assert (Outcome.UNKNOWN, 1) == (receipt.outcome, route.call_count)


def test_two_companies_with_one_domain_are_one(nobody: respx.MockRouter, open_adapter: Opener) -> None:
    """HubSpot would make both; the second waits until the first can be found."""
    route = nobody.post(path=f"{OBJECTS}/companies/batch/create").respond(201, json={"results": [company("30")]})
    first, second = (
        make_creation(Kind.COMPANY, name, name=name, domain=domain)
        for name, domain in (("A", "a.example"), ("B", "A.example"))
    )
    receipts = open_adapter().write([first, second])

    assert [Outcome.APPLIED, Outcome.FAILED] == [receipt.outcome for receipt in receipts]
    assert 1 == len(sent(route))


def test_a_field_that_hubspot_has_not_is_refused_unsent(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Nothing is left out without a word."""
    (receipt,) = open_adapter().write([make_creation(Kind.CONTACT, email="a@b.example", shoe_size="43")])

    assert (Outcome.REFUSED, True) == (receipt.outcome, "'shoe_size'" in receipt.message)


def test_companies_and_contacts_of_one_call(nobody: respx.MockRouter, open_adapter: Opener) -> None:
    """Each goes to its object type; a limit at the second does not hide what the first did."""
    nobody.post(path=f"{OBJECTS}/companies/batch/create").respond(201, json={"results": [company("30")]})
    limit = {"message": "daily", "policyName": "DAILY"}
    nobody.post(path=f"{OBJECTS}/contacts/batch/create").respond(429, json=limit)
    changes = [make_creation(Kind.COMPANY, name="A"), make_creation(Kind.CONTACT, "2", email="a@b.example")]
    receipts = open_adapter().write(changes)

    assert [Outcome.APPLIED, Outcome.FAILED] == [receipt.outcome for receipt in receipts]


def test_a_deal_is_not_made_without_its_company(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """One request makes both; of a batch the deal whose company is gone is refused alone."""
    state: Any = bench.hands
    there = state.create_company(name="Acme")
    place = Position("default", "appointmentscheduled", Status.OPEN)
    changes = [
        make_change(
            key,
            connection="bench",
            action=Action.CREATE,
            target=None,
            key=key,
            position=place,
            edits=(FieldEdit("name", None, key), FieldEdit("company", None, known)),
        )
        for key, known in (("k1", "404"), ("k2", there))
    ]
    receipts = adapter.write(changes)

    assert [Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert None is adapter.find(Kind.DEAL, "k1", None)
    made = receipts[1].ref
    assert made is not None
    assert there == adapter.read([made])[made].fields["company"]


# ── Finding ─────────────────────────────────────────────────────────────────────────────────────────────


def test_natural_keys_are_compared_without_case(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """By domain, by name where there is no domain, by e-mail; old ones by search."""
    state: Any = bench.hands
    ids = {
        "domain:ACME.example": state.create_company(name="Acme", domain="acme.example"),
        "name:umbrella LTD": state.create_company(name="Umbrella Ltd"),
        "email:ANN@acme.example": state.create_contact(firstname="Ann", email="ann@acme.example"),
        "name:Bob the builder": state.create_contact(firstname="Bob", lastname="the Builder"),
    }
    kinds = (Kind.COMPANY, Kind.COMPANY, Kind.CONTACT, Kind.CONTACT)
    bench.clock.advance(timedelta(hours=1))
    found = [adapter.find(kind, key, None) for kind, key in zip(kinds, ids, strict=True)]

    assert [Ref("bench", kind, each) for kind, each in zip(kinds, ids.values(), strict=True)] == found
    assert None is adapter.find(Kind.COMPANY, "name:Acme", None)  # it is known by its domain
    assert None is adapter.find(Kind.COMPANY, "domain:nobody.example", None)
    assert None is adapter.find(Kind.CONTACT, "email:nobody@acme.example", None)
    assert None is adapter.find(Kind.COMPANY, "domain:", None)


@pytest.mark.parametrize("as_text", [False, True])
def test_what_search_does_not_have_yet_is_found_in_the_list(
    adapter: Adapter, bench: AdapterWorkbench, *, as_text: bool
) -> None:
    """Search is late "after a few moments" ("Search the CRM"), however it orders ids; the list is not."""
    state: Any = bench.hands
    state.ids_as_text = as_text
    bench.clock.advance(timedelta(hours=1))
    late = state.strikes
    state.strikes = lambda name, method, path: name == "lag" or late(name, method, path)
    made = [state.create_company(name=f"New {n}", domain=f"new{n}.example") for n in range(4)]
    found = [adapter.find(Kind.COMPANY, f"domain:new{n}.example", None) for n in range(4)]

    assert [Ref("bench", Kind.COMPANY, each) for each in made] == found


def test_a_company_that_search_still_has_is_not_found(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """One that was deleted may stand in the index for moments; it is read as it is now."""
    state: Any = bench.hands
    made = state.create_company(name="Gone", domain="gone.example")
    bench.clock.advance(timedelta(hours=1))
    state.archive(state.get("companies", made))

    assert None is adapter.find(Kind.COMPANY, "domain:gone.example", None)


def test_too_many_new_companies_to_look_through(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """During an import nobody can say yet: it is for later, and nothing is made."""
    hubspot.post(path=f"{OBJECTS}/companies/search").respond(json={"total": 0, "results": []})

    def answer(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params.get("after", "0")) + 1
        return httpx.Response(200, json={"results": [company(str(after))], "paging": {"next": {"after": str(after)}}})

    listed = hubspot.get(path=f"{OBJECTS}/companies").mock(side_effect=answer)
    made = hubspot.post(path=f"{OBJECTS}/companies/batch/create")

    with pytest.raises(RetryLaterError):
        open_adapter().write([make_creation(Kind.COMPANY, domain="acme.example")])
    assert (MOST_PAGES + 1, 0) == (listed.call_count, made.call_count)


@pytest.mark.parametrize("kind", [Kind.COMPANY, Kind.CONTACT])
def test_of_many_old_ones_none_is_too_new(adapter: Adapter, bench: AdapterWorkbench, kind: Kind) -> None:
    """`hs_createdate`, which deals have, is empty there (airbyte source-hubspot, expected_records).

    Looked for by it, a thousand companies would all be too new to look through, and no other could ever be made.
    """
    state: Any = bench.hands
    for number in range(MOST_PAGES * 100 + 1):
        if kind is Kind.COMPANY:
            state.create_company(name=f"Old {number}")
        else:
            state.create_contact(firstname=f"Old {number}")
    bench.clock.advance(timedelta(hours=1))

    assert None is adapter.find(kind, "name:Nobody", None)


def test_many_that_were_just_changed_are_waited_for_and_no_longer(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """An import may touch the newest thousand. Where the list is read from is asked anew when that is over.

    Kept, the place before all of them would have one adapter wait for ever.
    """
    state: Any = bench.hands
    made = [state.create_company(name=f"Old {number}") for number in range(MOST_PAGES * LIST_PAGE + 51)]
    bench.clock.advance(timedelta(hours=1))
    for company in made[50:]:
        state.tables["companies"][company].modified_at = bench.clock.now()
    with pytest.raises(RetryLaterError) as caught:
        adapter.find(Kind.COMPANY, "name:Nobody", None)
    assert caught.value.after is not None
    bench.clock.advance(caught.value.after + timedelta(seconds=1))

    assert None is adapter.find(Kind.COMPANY, "name:Nobody", None)


def test_looking_again_costs_a_search_and_a_page(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """From where on the list is read is asked once; what was made since the last look is found all the same."""
    state: Any = bench.hands
    bench.clock.advance(timedelta(hours=1))
    adapter.find(Kind.COMPANY, "domain:late.example", None)
    made = state.create_company(name="Late", domain="late.example")
    late = state.strikes
    state.strikes = lambda name, method, path: name == "lag" or late(name, method, path)
    bench.served.sandbox.log.clear()
    found = [adapter.find(Kind.COMPANY, f"domain:{name}.example", None) for name in ("late", "nobody")]

    assert [Ref("bench", Kind.COMPANY, made), None] == found
    assert 4 == len(bench.served.sandbox.log.all())


def test_the_end_of_the_list_is_read_once_for_a_batch(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """Looking for a hundred companies costs a search each, and the list once; one that is there is not made again."""
    state: Any = bench.hands
    there = state.create_company(name="Old", domain="old.example")
    bench.clock.advance(timedelta(hours=1))
    changes = [
        make_creation(Kind.COMPANY, name, connection="bench", name=name, domain=f"{name}.example")
        for name in ("old", "a", "b", "c")
    ]
    before = len(state.tables["companies"])
    receipts = adapter.write(changes)

    assert [Outcome.APPLIED] * 4 == [receipt.outcome for receipt in receipts]
    assert there == (receipts[0].ref and receipts[0].ref.id)
    assert before + 3 == len(state.tables["companies"])


def test_a_name_that_is_too_long_to_search_for_costs_no_other_company(adapter: Adapter) -> None:
    """A search may have 3,000 characters in all ("Search the CRM"): whether there is one of that name can't be told."""
    names = {"1": "Short Ltd", "2": "Very long " * 400, "3": "Another Ltd"}
    receipts = adapter.write(
        [make_creation(Kind.COMPANY, number, connection="bench", name=name) for number, name in names.items()]
    )

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "too long" in receipts[1].message
