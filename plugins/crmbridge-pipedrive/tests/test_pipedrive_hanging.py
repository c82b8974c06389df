"""What hangs on a deal: its company and contacts are made, put on it and taken off, and read back as they are."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.ports import Adapter
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_pipedrive.contacts import ContactSteps, main_of, steps_of

Open = Callable[..., Adapter]
PEOPLE = "participants"


def create(kind: Kind, which: str = "", /, **after: Value) -> Change:
    edits = tuple(FieldEdit(field, None, value) for field, value in after.items())
    more = {"key": f"k {which}"} if kind is Kind.DEAL else {}
    id_ = f"{kind} {which} {after}"
    return make_change(id=id_, connection="pd", action=Action.CREATE, target=None, edits=edits, creates=kind, **more)


def update(deal: str, *edits: FieldEdit) -> Change:
    return make_change(deal, id=f"{edits}", connection="pd", target=Ref("pd", Kind.DEAL, deal), edits=edits)


def write(adapter: Adapter, change: Change) -> Receipt:
    return adapter.write([change])[0]


def read(adapter: Adapter, ref: Ref | None) -> Record:
    assert ref
    return adapter.read([ref])[ref]


def bare_deal(state: Any, *contacts: int) -> str:
    """Make a deal with these contacts, the first of them being the main one."""
    deal: str = state.create_deal(title="Bare")
    for contact in contacts:
        state.add_contact(deal, str(contact))
    return deal


class TestCompaniesAndContacts:
    """Pipedrive keeps nothing unique, so it is looked for before anything is made."""

    @pytest.mark.parametrize(
        ("kind", "after"),
        [
            (Kind.COMPANY, {"name": "Umbral & Söhne", "domain": "umbral.example"}),
            (Kind.COMPANY, {"name": "No Website Ltd"}),
            (Kind.CONTACT, {"name": "Ann Lee", "email": "Ann@umbral.example", "title": "CFO", "company": "1"}),
            (Kind.CONTACT, {"name": "Only Name"}),
        ],
    )
    def test_what_is_made_reads_as_it_was_sent(self, adapter: Adapter, kind: Kind, after: dict[str, Value]) -> None:
        """In one request, with the company of a contact; what was not said is empty."""
        receipt = write(adapter, create(kind, **after))
        found = read(adapter, receipt.ref)

        assert (Outcome.APPLIED, "") == (receipt.outcome, receipt.message)
        assert after == {name: value for name, value in found.fields.items() if value is not None}

    @pytest.mark.parametrize(
        ("key", "kind", "native"),
        [
            ("domain:ACME.example", Kind.COMPANY, {"name": "Acme", "website": "https://www.Acme.example/en?x=1"}),
            ("name:  acme LTD ", Kind.COMPANY, {"name": "Acme Ltd"}),
            ("name:caf\u00e9 ltd", Kind.COMPANY, {"name": "Cafe\u0301  Ltd"}),  # as plans have it
            ("email:ANN@acme.example", Kind.CONTACT, {"emails": [{"value": "ann@Acme.example", "primary": True}]}),
            (
                "email:ann@home.example",
                Kind.CONTACT,
                {"emails": [{"value": "a@b.example", "primary": True}, {"value": "ann@home.example"}]},
            ),
        ],
    )
    def test_they_are_found_by_their_natural_keys(
        self, adapter: Adapter, served: Served, key: str, kind: Kind, native: dict[str, Any]
    ) -> None:
        """Without case, however the website is written, by any address; never through search, which indexes late."""
        state = served.sandbox.state
        assert None is adapter.find(kind, key, None)
        made = (state.create_company if kind is Kind.COMPANY else state.create_contact)(**native)

        assert Ref("pd", kind, made) == adapter.find(kind, key, None)
        assert None is adapter.find(kind, key[:-2], None)
        assert () == served.sandbox.log.matching("GET", "search")

    def test_a_later_look_costs_one_request(self, adapter: Adapter, served: Served, clock: VirtualClock) -> None:
        """What was read once is kept; only what changed since is asked for, however many companies there are."""
        state = served.sandbox.state
        for number in range(1200):
            state.create_company(name=f"Company {number}", website=f"c{number}.example")
        clock.advance(timedelta(hours=1))
        state.create_company(name="Newest")
        served.sandbox.log.clear()
        adapter.find(Kind.COMPANY, "domain:nobody.example", None)
        first = len(served.sandbox.log.matching("GET", "organizations"))
        for _ in range(3):
            adapter.find(Kind.COMPANY, "domain:nobody.example", None)

        assert 4 == first
        assert 3 == len(served.sandbox.log.matching("GET", "organizations")) - first

    def test_a_key_that_moved_or_went_is_not_found(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """No list of companies tells who was deleted, so one that is remembered is looked at again."""
        made = state.create_company(name="Acme", website="acme.example")
        clock.advance(timedelta(hours=1))
        assert adapter.find(Kind.COMPANY, "domain:acme.example", None)
        clock.advance(timedelta(hours=1))
        state.tables.organizations[int(made)].update(website="other.example", update_time=state.now())

        assert None is adapter.find(Kind.COMPANY, "domain:acme.example", None)
        assert Ref("pd", Kind.COMPANY, made) == adapter.find(Kind.COMPANY, "domain:other.example", None)
        clock.advance(timedelta(hours=1))
        state.tables.organizations[int(made)].update(is_deleted=True, update_time=state.now())
        assert None is adapter.find(Kind.COMPANY, "domain:other.example", None)

    def test_a_walk_that_broke_off_goes_on(self, adapter: Adapter, clock: VirtualClock, served: Served) -> None:
        """It is only walked as far as it must; the rest is not taken for read, also after an error."""
        state = served.sandbox.state
        old = state.create_company(name="Old", website="old.example")
        for number in range(1600):
            state.create_company(name=f"Company {number}")
        clock.advance(timedelta(hours=1))
        state.create_company(name="Newest")
        adapter.find(Kind.COMPANY, "name:company 900", None)
        walked = len(served.sandbox.log.matching("GET", "organizations"))
        served.sandbox.faults.plan("error_500", times=99, method="GET", path="organizations")
        with pytest.raises(RetryLaterError, match="500"):
            adapter.find(Kind.COMPANY, "domain:old.example", None)
        served.sandbox.faults.clear()

        assert 4 > walked
        assert Ref("pd", Kind.COMPANY, old) == adapter.find(Kind.COMPANY, "domain:old.example", None)

    @pytest.mark.parametrize(
        ("kind", "first", "second"),
        [
            (Kind.COMPANY, {"name": "Acme", "domain": "acme.example"}, {"name": "ACME", "domain": "acme.example"}),
            (Kind.CONTACT, {"name": "Ann", "email": "ann@acme.example"}, {"name": "A", "email": "ANN@acme.example"}),
        ],
    )
    def test_none_is_made_twice(
        self, adapter: Adapter, served: Served, kind: Kind, first: dict[str, Value], second: dict[str, Value]
    ) -> None:
        """Not in one call, and not in a later one; there is no idempotency key (API v2, all of it)."""
        both = adapter.write([create(kind, **first), create(kind, **second)])
        later = write(adapter, create(kind, "later", **second))

        assert {Outcome.APPLIED} == {receipt.outcome for receipt in (*both, later)}
        assert 1 == len({receipt.ref for receipt in (*both, later)})
        assert 1 == len(served.sandbox.log.matching("POST", "/api/v2/"))

    @pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
    def test_an_unclear_creation_is_looked_for(self, adapter: Adapter, served: Served, fault: str) -> None:
        """It is unknown, is not sent again, holds back another one of its key, and is found where it was made."""
        served.sandbox.faults.plan(fault, method="POST", path="organizations")
        after: dict[str, Value] = {"name": "Acme", "domain": "acme.example"}
        receipts = adapter.write([create(Kind.COMPANY, n, **after) for n in ("one", "two")])

        assert [Outcome.UNKNOWN, Outcome.FAILED] == [receipt.outcome for receipt in receipts]
        assert 1 == len(served.sandbox.log.matching("POST", "organizations"))
        assert (fault == "drop_after") is (adapter.find(Kind.COMPANY, "domain:acme.example", None) is not None)

    def test_without_contact_sync_there_is_no_title(self, adapter: Adapter, state: Any) -> None:
        """The field is not there then and is refused ("Persons: Add a new person"); the contact is made anyway."""
        state.contact_sync = False
        receipt = write(adapter, create(Kind.CONTACT, name="Ann Lee", email="ann@acme.example", title="CFO"))

        assert Outcome.APPLIED == receipt.outcome
        assert "title" in receipt.message
        assert ("Ann Lee", None) == tuple(read(adapter, receipt.ref).fields[name] for name in ("name", "title"))

    def test_what_has_no_place_is_refused(self, adapter: Adapter, served: Served) -> None:
        """Rather than left out without a word."""
        receipt = write(adapter, create(Kind.COMPANY, name="Acme", industry="Glue"))

        assert (Outcome.REFUSED, ()) == (receipt.outcome, served.sandbox.log.matching("POST", "organizations"))
        assert "industry" in receipt.message


class TestOnADeal:
    """A deal has one main contact, and participants beside it; together they are its contacts."""

    def test_a_deal_is_made_with_its_company_and_contacts(self, adapter: Adapter, served: Served) -> None:
        """Company and main contact go in the one request; each further contact is one of its own."""
        receipt = write(adapter, create(Kind.DEAL, "A", name="A", company="2", contacts=("3", "4", "5")))
        found = read(adapter, receipt.ref)
        made = served.sandbox.log.matching("POST", "/api/v2/deals")

        assert Outcome.APPLIED == receipt.outcome
        assert ("2", ("3", "4", "5")) == (found.fields["company"], found.fields["contacts"])
        assert [(2, 3)] == [(request.body["org_id"], request.body["person_id"]) for request in made]

    @pytest.mark.parametrize("fault", ["limit_day", "drop_before", "partial"])
    def test_a_deal_without_all_its_contacts_is_not_called_made(
        self, adapter: Adapter, served: Served, clock: VirtualClock, fault: str
    ) -> None:
        """The receipt is unknown and names the deal; what lacks can be added later, and harms nothing."""
        served.sandbox.faults.plan(fault, method="POST", path=PEOPLE)
        receipt = write(adapter, create(Kind.DEAL, "A", name="A", contacts=("3", "4")))

        assert (Outcome.UNKNOWN, True) == (receipt.outcome, bool(receipt.message))
        clock.advance(timedelta(days=1))
        assert receipt.ref == adapter.find(Kind.DEAL, "k A", None)

    def test_what_lacks_is_added_later(self, adapter: Adapter, served: Served) -> None:
        """Twice, too: a participant who is there already stays there once."""
        served.sandbox.faults.plan("partial", method="POST", path=PEOPLE)
        ref = write(adapter, create(Kind.DEAL, "A", name="A", contacts=("3", "4"))).ref
        assert ref
        change = update(ref.id, FieldEdit("contacts", ("3",), ("3", "4")))
        outcomes = [write(adapter, change).outcome for _ in range(2)]

        assert [Outcome.APPLIED, Outcome.APPLIED] == outcomes
        assert ("3", "4") == read(adapter, ref).fields["contacts"]

    def test_a_participant_whose_answer_was_lost_is_looked_for(self, adapter: Adapter, served: Served) -> None:
        """It is never sent again: the list of participants tells."""
        served.sandbox.faults.plan("drop_after", method="POST", path=PEOPLE)
        receipt = write(adapter, create(Kind.DEAL, "A", name="A", contacts=("3", "4")))

        assert Outcome.APPLIED == receipt.outcome
        assert 1 == len(served.sandbox.log.matching("POST", PEOPLE))

    @pytest.mark.parametrize(
        ("there", "edited", "expected"),
        [
            ((), ((), ("3",)), (3, ("3",))),
            ((), ((), ("3", "4")), (3, ("3", "4"))),
            ((3,), (("3",), ("3", "4")), (3, ("3", "4"))),
            ((3,), (("3",), ("4",)), (4, ("4",))),
            ((3, 4, 5), (("3", "4", "5"), ("4", "5")), (4, ("4", "5"))),
            ((3, 4), (("3", "4"), ("3",)), (3, ("3",))),
            ((3, 4), (("3", "4"), ()), (None, ())),
            ((3, 9), (("3",), ("4",)), (4, ("4", "9"))),
            ((3, 9), (("3",), ("3", "4")), (3, ("3", "4", "9"))),
            ((3,), (("3", "4"), ("3",)), (3, ("3",))),
        ],
    )
    def test_contacts_are_added_and_removed(
        self, adapter: Adapter, state: Any, there: tuple[int, ...], edited: tuple[Value, Value], expected: Any
    ) -> None:
        """Only those that the edit names: whom a person put there meanwhile stays. A main contact leaves an heir."""
        deal = bare_deal(state, *there)
        receipt = write(adapter, update(deal, FieldEdit("contacts", *edited)))
        found = read(adapter, Ref("pd", Kind.DEAL, deal)).fields["contacts"]

        assert Outcome.APPLIED == receipt.outcome
        assert expected == (state.tables.deals[int(deal)]["person_id"], found)

    def test_the_rest_of_an_edit_goes_with_the_main_contact(self, adapter: Adapter, state: Any, served: Served) -> None:
        """Fields, company and main contact are one request."""
        deal = bare_deal(state, 3)
        edits = (FieldEdit("name", "Bare", "B"), FieldEdit("company", None, "2"), FieldEdit("contacts", ("3",), ("4",)))
        write(adapter, update(deal, *edits))
        sent = [request.body for request in served.sandbox.log.matching("PATCH", "/deals/")]

        assert [{"title": "B", "org_id": 2, "person_id": 4}] == sent

    @pytest.mark.parametrize(("company", "native"), [("2", 2), (None, None)])
    def test_a_company_is_set_and_taken_off(
        self, adapter: Adapter, state: Any, company: str | None, native: int | None
    ) -> None:
        """It is one of the deal's own fields."""
        state.set_company("1", "5")
        receipt = write(adapter, update("1", FieldEdit("company", "5", company)))

        assert (Outcome.APPLIED, native) == (receipt.outcome, state.tables.deals[1]["org_id"])
        assert company == read(adapter, Ref("pd", Kind.DEAL, "1")).fields["company"]

    def test_a_refusal_before_anything_was_done_is_one(self, adapter: Adapter, state: Any) -> None:
        """A contact that is gone can't be added; nothing else of the edit was sent."""
        deal = bare_deal(state, 3)
        state.tables.persons[4].update(is_deleted=True)
        receipt = write(adapter, update(deal, FieldEdit("contacts", ("3",), ("3", "4"))))

        assert (Outcome.REFUSED, "person_id is not valid") == (receipt.outcome, receipt.message[-22:])

    def test_a_refusal_half_way_is_not_called_one(self, adapter: Adapter, state: Any) -> None:
        """What was done before it stays done, so only reading back tells what is there."""
        deal = bare_deal(state, 3)
        state.tables.persons[5].update(is_deleted=True)
        edits = (FieldEdit("name", "Bare", "New"), FieldEdit("contacts", ("3",), ("3", "4", "5")))
        receipt = write(adapter, update(deal, *edits))

        assert Outcome.UNKNOWN == receipt.outcome
        assert ("3", "4") == read(adapter, Ref("pd", Kind.DEAL, deal)).fields["contacts"]

    def test_what_can_not_be_looked_up_stays_unknown(self, adapter: Adapter, served: Served) -> None:
        """An answer was lost, and nobody can say now what it was: that is not the same as not done."""
        deal = bare_deal(served.sandbox.state, 3)
        served.sandbox.faults.plan("drop_after", method="POST", path=PEOPLE)
        served.sandbox.faults.plan("error_500", times=99, method="GET", path=PEOPLE)
        receipt = write(adapter, update(deal, FieldEdit("contacts", ("3",), ("3", "4"))))

        assert Outcome.UNKNOWN == receipt.outcome

    @pytest.mark.parametrize(("fault", "outcome"), [("drop_after", "applied"), ("drop_before", "unknown")])
    def test_an_unclear_removal_is_looked_for(self, adapter: Adapter, served: Served, fault: str, outcome: str) -> None:
        """Once: it is not sent again."""
        deal = bare_deal(served.sandbox.state, 3, 4)
        served.sandbox.faults.plan(fault, method="DELETE", path=PEOPLE)
        receipt = write(adapter, update(deal, FieldEdit("contacts", ("3", "4"), ("3",))))

        assert (outcome, 1) == (receipt.outcome, len(served.sandbox.log.matching("DELETE", PEOPLE)))

    def test_what_people_do_to_contacts_is_pulled(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """Adding, removing and another company, each of them in the next pull."""
        deal = bare_deal(state, 3)
        ref = Ref("pd", Kind.DEAL, deal)
        cursor = list(adapter.pull(Kind.DEAL, None))[-1].cursor
        found = []
        for do, other in ((state.add_contact, "4"), (state.remove_contact, "3"), (state.set_company, "2")):
            clock.advance(timedelta(minutes=5))
            do(deal, other)
            pages = list(adapter.pull(Kind.DEAL, cursor))
            cursor = pages[-1].cursor
            fields = next(r.fields for page in pages for r in page.records if r.ref == ref)
            found.append((fields["contacts"], fields["company"]))

        assert [(("3", "4"), None), (("4",), None), (("4",), "2")] == found


def test_the_main_contact_is_not_added_again() -> None:
    """Who becomes the main one goes with the deal, and needs no request as a participant."""
    edit = FieldEdit("contacts", (), ("3", "4"))

    assert ContactSteps(sets_main=True, main=3, add=(4,)) == steps_of(edit, None)
    assert ContactSteps(add=(4,)) == steps_of(edit, 3)


@pytest.mark.parametrize(
    ("person", "main"), [(None, None), (7, 7), ("7", 7), ({"value": 7}, 7), ({"id": "7", "name": "Ann"}, 7)]
)
def test_the_main_contact_is_known_in_each_form(person: Any, main: int | None) -> None:
    """Taken for none, another one would be put in its place."""
    assert main == main_of({"id": 1, "person_id": person})


@pytest.mark.parametrize("row", [None, {"id": 1}, {"id": 1, "person_id": "Ann"}, {"id": 1, "person_id": []}])
def test_nothing_is_written_where_the_main_contact_can_not_be_told(row: Any) -> None:
    """The deal stays as it is, and a person hears of it."""
    with pytest.raises(RefusedError, match="main contact"):
        main_of(row)


@pytest.mark.parametrize("main", [None, 3, 4, 9])
def test_an_edit_that_changes_nothing_asks_for_nothing(main: int | None) -> None:
    """Whoever is the main contact."""
    assert ContactSteps() == steps_of(FieldEdit("contacts", ("3", "4"), ("4", "3")), main)
