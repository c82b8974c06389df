"""Changes that speak of links are written in each CRM's own ids, and remembered in links."""

from __future__ import annotations

import pytest
from tests.unit.services.able import able_bench

from crmbridge.engine.sync.matching import link_id
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.services.apply.applied import Applied
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.apply.reconciling import reconcile
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.factories import make_change, make_plan
from crmbridge.testing.fake_records import at
from crmbridge.testing.workspaces import Bench

COMPANY = Ref("north", Kind.COMPANY, "77")
DEAL = Ref("north", Kind.DEAL, "d77")
ACME, ROLLOUT = link_id(COMPANY), link_id(DEAL)


def create_company(name: str = "Acme", domain: str | None = "acme.example") -> Change:
    """Create the company that the north has in the south."""
    edits = (FieldEdit("domain", None, domain), FieldEdit("name", None, name))
    return make_change(
        id="company",
        action=Action.CREATE,
        connection="south",
        target=None,
        edits=edits,
        creates=Kind.COMPANY,
        link=ACME,
        key=f"domain:{domain}",
    )


def create_deal() -> Change:
    """Create the deal that hangs on it."""
    return make_change(
        id="deal",
        action=Action.CREATE,
        connection="south",
        target=None,
        edits=(FieldEdit("company", None, ACME), FieldEdit("name", None, "Rollout")),
        position=at("qualification"),
        link=ROLLOUT,
        key=f"crmbridge:{ROLLOUT}",
        linked=("company",),
    )


@pytest.fixture
def bench() -> Bench:
    """Give two CRMs, with a deal and its company in the north that the south lacks."""
    made = able_bench()
    north = made.crms["north"]
    north.store(COMPANY, {"name": "Acme", "domain": "acme.example"}, None, created=made.clock.now())
    north.store(DEAL, {"name": "Rollout", "company": "77"}, at("qualification"), created=made.clock.now())
    pull(made.workspace)
    made.workspace.store.links.save({ACME: [COMPANY], ROLLOUT: [DEAL]})
    return made


def applied(bench: Bench, *changes: Change, run: str = "r1") -> Applied:
    """Apply these changes."""
    return apply_plan(bench.workspace, make_plan(*changes, settings=bench.workspace.project.digest), run)


def receipts(done: Applied) -> dict[str, Receipt]:
    """Give the receipts by change."""
    return {change.id: receipt for change, receipt in done.done}


def test_a_deal_finds_the_company_that_was_created_before_it(bench: Bench) -> None:
    """One plan makes both; the CRM and the journal have the company's own id, the base has its link."""
    done = receipts(applied(bench, create_company(), create_deal()))
    company, deal = done["company"].ref, done["deal"].ref
    assert company is not None
    assert deal is not None
    store = bench.workspace.store
    journaled = next(entry.change for entry in store.journal.entries() if entry.change.id == "deal")

    assert company.id == bench.crms["south"].deal(deal.id).fields["company"] == journaled.after["company"]
    assert ACME == store.links.bases()[deal]["company"]
    assert {ACME: (COMPANY, company), ROLLOUT: (DEAL, deal)} == store.links.get([ACME, ROLLOUT])
    assert {company, deal} == set(store.records.get([company, deal]))


def test_a_deal_is_not_created_without_its_company(bench: Bench) -> None:
    """It waits for the next plan, whatever became of the company."""
    bench.crms["south"].faults.append("refuse")
    done = receipts(applied(bench, create_company(), create_deal()))

    assert (Outcome.REFUSED, Outcome.STALE) == (done["company"].outcome, done["deal"].outcome)
    assert "its company is not in south yet" == done["deal"].message
    assert [] == bench.crms["south"].named("Rollout")


def test_a_company_that_somebody_made_meanwhile_is_taken(bench: Bench) -> None:
    """By its natural key, not made twice."""
    there = Ref("south", Kind.COMPANY, "s1")
    bench.crms["south"].store(there, {"name": "ACME", "domain": "Acme.example"}, None, created=bench.clock.now())
    done = receipts(applied(bench, create_company()))

    assert (Outcome.APPLIED, there) == (done["company"].outcome, done["company"].ref)
    assert 0 == bench.crms["south"].effects["company"]
    assert (COMPANY, there) == bench.workspace.store.links.get([ACME])[ACME]


@pytest.mark.parametrize(("fault", "outcome"), [("drop_after", Outcome.APPLIED), ("drop_before", Outcome.FAILED)])
def test_an_unclear_company_is_looked_for_by_its_natural_key(bench: Bench, fault: str, outcome: Outcome) -> None:
    """It is linked when it is there, and never made twice."""
    bench.crms["south"].faults.append(fault)
    done = receipts(applied(bench, create_company(), create_deal()))
    assert (Outcome.UNKNOWN, Outcome.STALE) == (done["company"].outcome, done["deal"].outcome)
    bench.clock.sleep(600)

    assert [outcome] == [receipt.outcome for receipt in reconcile(bench.workspace, "r2")]
    assert (2 if fault == "drop_after" else 1) == len(bench.workspace.store.links.get([ACME])[ACME])


def test_what_was_sent_a_moment_ago_may_still_arrive(bench: Bench) -> None:
    """So a company that is not there yet is not said to have failed, which would make a second one of it."""
    bench.crms["south"].faults.append("drop_before")
    applied(bench, create_company())
    bench.clock.sleep(59)
    (early,) = reconcile(bench.workspace, "r2")
    bench.clock.sleep(1)
    (late,) = reconcile(bench.workspace, "r3")

    assert (Outcome.UNKNOWN, Outcome.FAILED) == (early.outcome, late.outcome)


def test_an_unclear_deal_keeps_its_company_in_links(bench: Bench) -> None:
    """Reading back finds the CRM's own ids; what is remembered are links."""
    applied(bench, create_company())
    bench.crms["south"].faults.append("drop_after")
    applied(bench, create_deal(), run="r2")
    bench.clock.sleep(600)
    (receipt,) = reconcile(bench.workspace, "r3")
    assert receipt.ref is not None

    assert ACME == bench.workspace.store.links.bases()[receipt.ref]["company"]


def with_contacts(bench: Bench) -> tuple[Ref, dict[str, str]]:
    """Give a deal in the south with contacts 1 and 2, where contact 2 stands in no link, and the links of 1 and 3."""
    south = bench.crms["south"]
    deal = south.create_deal("Rollout", contacts=("1", "2"))
    people = {number: Ref("south", Kind.CONTACT, number) for number in ("1", "2", "3")}
    for ref in people.values():
        south.store(ref, {"name": ref.id}, None, created=bench.clock.now())
    pull(bench.workspace)
    links = {f"lnk{number}": [people[number]] for number in ("1", "3")}
    known = bench.workspace.store.links.get([ROLLOUT])
    bench.workspace.store.links.save({**links, ROLLOUT: [*known.get(ROLLOUT, ()), deal]})
    return deal, {number: f"lnk{number}" for number in ("1", "3")}


def associate(deal: Ref, before: tuple[str, ...], after: tuple[str, ...]) -> Change:
    """Change the contacts of a deal."""
    edits = (FieldEdit("contacts", before, after),)
    return make_change(id="hang", connection="south", target=deal, edits=edits, linked=("contacts",), link=ROLLOUT)


def test_contacts_that_nobody_spoke_of_stay_on_the_deal(bench: Bench) -> None:
    """Somebody's own contact that no other CRM has is not taken away."""
    deal, links = with_contacts(bench)
    bench.workspace.store.links.save_bases({decided_ref(ROLLOUT): {"contacts": (links["3"],)}})
    done = receipts(applied(bench, associate(deal, (links["1"],), (links["3"],))))

    assert Outcome.APPLIED == done["hang"].outcome
    assert ("2", "3") == bench.crms["south"].deal(deal.id).fields["contacts"]
    assert (links["3"],) == bench.workspace.store.links.bases()[deal]["contacts"]


def test_the_last_contact_can_go(bench: Bench) -> None:
    """Nothing after it is not taken for another kind of value than what was before."""
    south = bench.crms["south"]
    deal = south.create_deal("Rollout", contacts=("1",))
    pull(bench.workspace)
    link = link_id(Ref("north", Kind.CONTACT, "1"))
    bench.workspace.store.links.save({link: [Ref("south", Kind.CONTACT, "1")]})
    edits = (FieldEdit("contacts", (link,), None),)
    done = applied(bench, make_change(id="hang", connection="south", target=deal, edits=edits, linked=("contacts",)))

    assert Outcome.APPLIED == receipts(done)["hang"].outcome
    assert not south.deal(deal.id).fields["contacts"]


def test_contacts_that_changed_since_the_plan_are_stale(bench: Bench) -> None:
    """In the CRM, or in what was pulled meanwhile."""
    deal, links = with_contacts(bench)
    bench.crms["south"].edit_deal(deal.id, contacts=("2",))
    first = receipts(applied(bench, associate(deal, (links["1"],), (links["3"],))))
    pull(bench.workspace)
    second = receipts(applied(bench, associate(deal, (links["1"],), (links["3"],)), run="r2"))

    assert [Outcome.STALE] * 2 == [first["hang"].outcome, second["hang"].outcome]
    assert "contacts changed since the plan was made: it is now 2" == first["hang"].message


def archive(deal: Ref, **overrides: str | None) -> Change:
    """Archive a deal of the south."""
    change = make_change(id="gone", action=Action.ARCHIVE, connection="south", target=deal, edits=(), expects=None)
    return replace(change, **overrides)  # type: ignore[arg-type]


def test_an_archived_record_is_gone_here_as_well(bench: Bench) -> None:
    """Before any pull says so."""
    deal = bench.crms["south"].create_deal("Rollout")
    pull(bench.workspace)
    done = receipts(applied(bench, archive(deal)))

    assert Outcome.APPLIED == done["gone"].outcome
    assert {} == bench.workspace.store.records.get([deal])
    assert [deal] == [tombstone.ref for tombstone in bench.workspace.store.records.gone("south")]


@pytest.mark.parametrize("expects", [None, "seen"])
def test_an_edit_beats_a_delete(bench: Bench, expects: str | None) -> None:
    """Whether the plan noted a version or not."""
    deal = bench.crms["south"].create_deal("Rollout")
    pull(bench.workspace)
    held = bench.workspace.store.records.get([deal])[deal].version
    bench.crms["south"].edit_deal(deal.id, name="By hand")
    done = receipts(applied(bench, archive(deal, expects=expects and held)))

    assert Outcome.STALE == done["gone"].outcome
    assert "By hand" == bench.crms["south"].deal(deal.id).fields["name"]


def test_what_is_gone_already_needs_no_archiving(bench: Bench) -> None:
    """It is done, and nothing is sent."""
    deal = bench.crms["south"].create_deal("Rollout")
    pull(bench.workspace)
    bench.crms["south"].delete_deal(deal.id)
    writes = bench.crms["south"].writes
    done = receipts(applied(bench, archive(deal)))

    assert (Outcome.APPLIED, "it was gone already") == (done["gone"].outcome, done["gone"].message)
    assert writes == bench.crms["south"].writes


@pytest.mark.parametrize(("fault", "outcome"), [("drop_after", Outcome.APPLIED), ("drop_before", Outcome.FAILED)])
def test_an_unclear_archive_is_what_can_be_read(bench: Bench, fault: str, outcome: Outcome) -> None:
    """Gone is done."""
    deal = bench.crms["south"].create_deal("Rollout")
    pull(bench.workspace)
    bench.crms["south"].faults.append(fault)
    applied(bench, archive(deal))

    assert [outcome] == [receipt.outcome for receipt in reconcile(bench.workspace, "r2")]
    assert (fault == "drop_before") == (deal in bench.workspace.store.records.get([deal]))
