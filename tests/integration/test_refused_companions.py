"""Companies and contacts that a CRM refuses to make: their deals wait for them, and nothing is tried in vain."""

from __future__ import annotations

import pytest
from tests.integration.two_way import FIRM, add, crm, entry, only, run
from tests.unit.services.able import able_bench

from crmbridge.model.records import Kind
from crmbridge.services.by_hand.retrying import retry
from crmbridge.testing.workspaces import Bench

USUAL = {"companies": "create", "contacts": "create"}


def _made(bench: Bench) -> int:
    """Count the rows of the journal."""
    return len(list(bench.workspace.store.journal.entries()))


def _reasons(bench: Bench) -> dict[str, str]:
    return {each.item.name: each.item.reason for each in bench.workspace.store.waiting.all()}


@pytest.mark.parametrize("kind", [Kind.COMPANY, Kind.CONTACT])
def test_a_deal_waits_for_what_was_refused(kind: Kind) -> None:
    """It is said once of each, nothing is written meanwhile, and one run makes both when it may be tried again."""
    bench = able_bench(**entry(**USUAL))
    if kind is Kind.COMPANY:
        crm(bench, "north").create_deal(
            "Rollout", stage="qualification", company=add(bench, "north", Kind.COMPANY, "c1", **FIRM)
        )
    else:
        ann = add(bench, "north", Kind.CONTACT, "n1", name="Ann", email="ann@acme.example")
        crm(bench, "north").create_deal("Rollout", stage="qualification", contacts=(ann,))
    crm(bench, "south").faults.append("refuse")
    run(bench)
    rows = _made(bench)
    plans = [run(bench).plan.changes for _ in range(2)]
    name = "company" if kind is Kind.COMPANY else "contacts"

    assert ([(), ()], rows) == (plans, _made(bench))
    assert "south refused to make" in _reasons(bench)[name]

    refused = next(each for each in bench.workspace.store.waiting.all() if each.item.name != name)
    retry(bench.workspace, [refused.item])
    run(bench)
    run(bench)

    assert only(bench, "south").fields[name]
    assert {} == _reasons(bench)


def test_a_contact_and_its_deal_wait_for_a_refused_company() -> None:
    """What hangs on what is missing is not sent either."""
    bench = able_bench(**entry(**USUAL))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    ann = add(bench, "north", Kind.CONTACT, "n1", name="Ann", email="ann@acme.example", company=firm)
    crm(bench, "north").create_deal("Rollout", stage="qualification", contacts=(ann,))
    crm(bench, "south").faults.append("refuse")
    run(bench)

    assert () == run(bench).plan.changes
    assert [] == crm(bench, "south").deal_ids()


def test_an_edit_does_not_wait_for_a_company_that_is_refused() -> None:
    """A deal is given another company, and another name: the name gets there."""
    bench = able_bench(**entry(**USUAL))
    north = crm(bench, "north").create_deal("Rollout", stage="qualification").id
    run(bench)
    run(bench)
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    crm(bench, "north").edit_deal(north, name="Renamed", company=firm)
    crm(bench, "south").faults.append("refuse")
    run(bench)
    run(bench)
    rows = _made(bench)
    run(bench)

    assert "Renamed" == only(bench, "south").fields["name"]
    assert rows == _made(bench)
    assert "south refused to make 'Acme Ltd', which it needs; settle that first" == _reasons(bench)["company"]


def test_what_no_deal_needs_any_more_waits_no_longer() -> None:
    """A deal loses its refused company and the contact that waits for it: it is made, and nobody is asked of them."""
    bench = able_bench(**entry(**USUAL))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    ann = add(bench, "north", Kind.CONTACT, "n1", name="Ann", email="ann@acme.example", company=firm)
    deal = crm(bench, "north").create_deal("Rollout", stage="qualification", company=firm, contacts=(ann,))
    crm(bench, "south").faults.append("refuse")
    run(bench)
    run(bench)
    waiting = [each.item for each in bench.workspace.store.waiting.all()]
    run(bench)

    assert waiting == [each.item for each in bench.workspace.store.waiting.all()]
    assert 4 == len(waiting)

    crm(bench, "north").edit_deal(deal.id, company=None, contacts=())
    run(bench)

    assert "Rollout" == only(bench, "south").fields["name"]
    assert {} == _reasons(bench)
