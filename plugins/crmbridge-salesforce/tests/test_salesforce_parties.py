"""Creating companies and contacts, and finding them by what they are known by."""

from __future__ import annotations

from datetime import timedelta

import pytest
import respx

from crmbridge.errors import RefusedError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox import Rule, State

from .orgs import HOST, Opener


def make_create(kind: Kind, key: str | None = None, **fields: Value) -> Change:
    """Make the change that creates a company or contact."""
    edits = tuple(FieldEdit(name, None, value) for name, value in fields.items())
    return make_change(
        f"{kind}-{key}", action=Action.CREATE, creates=kind, target=None, edits=edits, key=key, expects=None
    )


def created(adapter: SalesforceAdapter, change: Change) -> Ref:
    """Write a creation that succeeds, and give what was created."""
    receipt = adapter.write([change])[0]
    assert Outcome.APPLIED == receipt.outcome, receipt.message
    assert receipt.ref is not None
    return receipt.ref


def test_a_company_is_read_as_it_was_written(adapter: SalesforceAdapter) -> None:
    """The domain stands in Website, and comes back as it was."""
    fields = {"name": "Acme & Söhne", "domain": "acme.example"}
    ref = created(adapter, make_create(Kind.COMPANY, "domain:acme.example", **fields))

    assert Kind.COMPANY is ref.kind
    assert fields == adapter.read([ref])[ref].fields
    assert ref == adapter.find(Kind.COMPANY, "domain:acme.example", None)


@pytest.mark.parametrize("name", ["Ann Smith", "Ann Maria Smith", "Cher", "张 伟"])
def test_a_contact_is_read_as_it_was_written(state: State, adapter: SalesforceAdapter, name: str) -> None:
    """The org keeps first and last names; whole, the name is what it was."""
    company = state.create_company(Name="Acme")
    fields = {"name": name, "email": "ann@acme.example", "title": "CFO", "company": company}
    ref = created(adapter, make_create(Kind.CONTACT, "email:ann@acme.example", **fields))

    assert Kind.CONTACT is ref.kind
    assert fields == adapter.read([ref])[ref].fields
    assert ref == adapter.find(Kind.CONTACT, "email:ann@acme.example", None)


def test_what_has_no_name_gets_what_it_is_known_by(adapter: SalesforceAdapter) -> None:
    """Name and LastName are needed; nobody is left out of a deal for want of one."""
    company = created(adapter, make_create(Kind.COMPANY, name=None, domain="acme.example"))
    contact = created(adapter, make_create(Kind.CONTACT, name="  ", email="info@acme.example"))
    nobody = adapter.write([make_create(Kind.CONTACT, title="CFO")])[0]

    assert "acme.example" == adapter.read([company])[company].fields["name"]
    assert "info@acme.example" == adapter.read([contact])[contact].fields["name"]
    assert (Outcome.REFUSED, True) == (nobody.outcome, "without a name" in nobody.message)


def test_many_are_created_in_one_request(org: Served, adapter: SalesforceAdapter) -> None:
    """One that is refused costs no other ("Create Records Using sObject Collections")."""
    changes = [make_create(Kind.COMPANY, f"name:{number}", name=f"Company {number}") for number in range(200)]
    changes[7] = make_create(Kind.COMPANY, "name:long", name="x" * 300)
    receipts = adapter.write(changes)

    assert [changes[7].id] == [receipt.change for receipt in receipts if receipt.outcome is not Outcome.APPLIED]
    assert 1 == len(org.sandbox.log.matching("POST", "/composite/sobjects"))


def test_a_duplicate_rule_refuses_in_its_own_words(state: State, adapter: SalesforceAdapter) -> None:
    """DUPLICATES_DETECTED is for a person to settle; crmbridge does not save past the rule."""
    kind = {"object": "Contact", "code": "DUPLICATES_DETECTED"}
    words = "You're creating a duplicate record. Use one of these?"
    rule = Rule(refuses=lambda before, _after: before is None, message=words, **kind)
    state.rules.append(rule)
    receipt = adapter.write([make_create(Kind.CONTACT, name="Ann Smith")])[0]

    assert (Outcome.REFUSED, f"{words} [DUPLICATES_DETECTED]") == (receipt.outcome, receipt.message)


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("acme.example", "acme.example"),
        ("HTTPS://WWW.Acme.Example/", "acme.example"),
        ("http://acme.example:8080/a?b=c", "acme.example"),
        ("under_score.example", "under_score.example"),
        ("o'neill.example", "o'neill.example"),
    ],
)
def test_a_company_is_found_however_its_website_is_written(
    state: State, adapter: SalesforceAdapter, website: str, domain: str
) -> None:
    """With a scheme, a path, capitals: it is the domain that is compared."""
    company = state.create_company(Name="Acme", Website=website)

    assert Ref("sf", Kind.COMPANY, company) == adapter.find(Kind.COMPANY, f"domain:{domain}", None)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (Kind.COMPANY, "domain:cme.example"),  # a part of another
        (Kind.COMPANY, "domain:acme.example.org"),
        (Kind.COMPANY, "domain:acmeXexample"),
        (Kind.COMPANY, "domain:%"),  # no wildcard
        (Kind.COMPANY, "domain:acme_example"),
        (Kind.COMPANY, "name:Acm_"),
        (Kind.COMPANY, "name:' OR Name != '"),
        (Kind.COMPANY, "name:\\' OR Name != \\'"),
        (Kind.CONTACT, "email:' OR Name LIKE '%"),
        (Kind.CONTACT, "email:nobody@acme.example"),
    ],
)
def test_what_is_not_there_is_not_found(state: State, adapter: SalesforceAdapter, kind: Kind, key: str) -> None:
    """Parts of a domain are no match, and nothing in a key is read as SOQL ("Reserved Characters")."""
    state.create_company(Name="Acme", Website="https://acme.example")
    state.create_company(Name="Other", Website="https://other.example/?from=acme.example")

    assert adapter.find(kind, key, None) is None


def test_names_and_mail_addresses_are_compared_without_case(state: State, adapter: SalesforceAdapter) -> None:
    """As people write them; what was deleted is not found."""
    company = state.create_company(Name="O'Neill \\ Söhne")
    contact = state.create_contact(LastName="Lee", Email="Ann.Lee@Acme.example")
    deleted = state.create_company(Name="Gone")
    state.delete("Account", deleted)

    assert Ref("sf", Kind.COMPANY, company) == adapter.find(Kind.COMPANY, "name:o'neill \\ söhne", None)
    assert Ref("sf", Kind.CONTACT, contact) == adapter.find(Kind.CONTACT, "email:ann.lee@acme.EXAMPLE", None)
    assert Ref("sf", Kind.CONTACT, contact) == adapter.find(Kind.CONTACT, "name:lee", None)
    assert adapter.find(Kind.COMPANY, "name:Gone", None) is None


def test_what_was_created_is_found_again_however_its_name_is_spaced(adapter: SalesforceAdapter) -> None:
    """An org takes away the spaces around a value: after an unclear answer no second one is made."""
    ref = created(adapter, make_create(Kind.COMPANY, name="  Acme  and Sons "))

    assert ref == adapter.find(Kind.COMPANY, "name:  Acme  and Sons ", None)
    assert "Acme  and Sons" == adapter.read([ref])[ref].fields["name"]


def test_blanks_within_a_name_keep_nobody_from_finding_it(state: State, adapter: SalesforceAdapter) -> None:
    """An org keeps them as they were typed, and keys have them evened out."""
    company = state.create_company(Name="Acme  of  North_East")

    assert Ref("sf", Kind.COMPANY, company) == adapter.find(Kind.COMPANY, "name:acme of north_east", None)
    assert [None, None] == [
        adapter.find(Kind.COMPANY, key, None) for key in ("name:acme north_east", "name:acme of north east")
    ]


def test_other_keys_are_refused(adapter: SalesforceAdapter) -> None:
    """None would say that it is certainly not there."""
    for kind, key in ((Kind.COMPANY, "email:a@b.example"), (Kind.CONTACT, "acme"), (Kind.TASK, "marker")):
        with pytest.raises(RefusedError):
            adapter.find(kind, key, None)


def test_the_statement_that_looks_for_a_company(open_adapter: Opener) -> None:
    """LIKE has its own wildcards, escaped beside the quote and the backslash."""
    with respx.mock as router:
        rows = [{"Id": "001Sb0000000001IAA", "Website": r"http://a_b%c.example"}]
        route = router.get(f"{HOST}/services/data/v67.0/query").respond(
            json={"totalSize": 1, "done": True, "records": rows}
        )
        adapter = open_adapter(HOST, "00D-token")
        adapter.find(Kind.COMPANY, r"domain:a_b%c\'.example", None)

    expected = r"SELECT Id, Website FROM Account WHERE Website LIKE '%a\_b\%c\\\'.example%' ORDER BY Id"
    assert expected == route.calls.last.request.url.params["q"]


def test_a_company_that_can_not_be_looked_for_costs_only_itself(state: State, adapter: SalesforceAdapter) -> None:
    """A name of another CRM may be longer than a query, and was the end of all that was written with it.

    4,000 characters fit in a literal, and 16,384 in a URI ("SOQL and SOSL Limits").
    """
    changes = [make_create(Kind.COMPANY, name="x" * 20_000), make_create(Kind.COMPANY, name="Acme")]
    receipts = adapter.write([replace(change, id=name) for name, change in zip("ab", changes, strict=True)])

    assert ["refused", "applied"] == [receipt.outcome for receipt in receipts]
    assert receipts[0].message


def test_records_say_who_changed_them_last(state: State, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """From LastModifiedById, whichever the kind; who it was is no part of the version."""
    clock.advance(timedelta(hours=1))
    deal = state.create_deal(Name="Theirs")
    refs = [
        Ref("sf", Kind.DEAL, deal),
        Ref("sf", Kind.COMPANY, state.create_company(Name="Acme")),
        Ref("sf", Kind.CONTACT, state.create_contact(LastName="Lee")),
        Ref("sf", Kind.ACTIVITY, state.add_task(deal, Subject="Call")),
        Ref("sf", Kind.NOTE, state.add_note(deal, "Met")),
    ]
    found = adapter.read(refs)
    state.update("Opportunity", deal, {"Name": "Theirs"}, by=state.tables.author)
    again = adapter.read(refs)[refs[0]]

    assert [state.human] * 5 == [found[ref].updated_by for ref in refs]
    assert (state.tables.author, found[refs[0]].version) == (again.updated_by, again.version)
