"""The AdapterSuite's tests of companies and contacts that are created, and found by what people know them by."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crmbridge.model.changes import FOUND, Action, Change, Outcome
from crmbridge.model.records import Kind
from crmbridge.model.values import Value
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import (
    batch_of,
    learn_requests,
    make_company,
    make_contact,
    open_deal,
    outcomes,
    write_one,
)
from crmbridge.testing.adapters.hands import NoteHands
from crmbridge.testing.adapters.hostile import HOSTILE, storable
from crmbridge.testing.adapters.workbench import AdapterWorkbench, let_lag_pass, pull_all, settle

MAKERS: dict[Kind, Callable[..., Change]] = {Kind.COMPANY: make_company, Kind.CONTACT: make_contact}
BOTH = pytest.mark.parametrize("kind", MAKERS)
# What one is known by, and what looks like it and is another's.
LIKE = {
    "domain:acme.example": ("domain:ba.acme.example", "domain:me.example", "domain:acme.example.org", "domain:acme"),
    "name:Acme Ltd": ("name:Acme", "name:Acme Ltd 2", "name:The Acme Ltd", "name:Acme_Ltd", "name:Acme%"),
    "email:ann@acme.example": ("email:joann@acme.example", "email:ann@acme.example.org", "email:ann@acme", "email:ann"),
}


class CounterpartTests:
    """A company or contact is made once, as it was asked for, and found by its natural key and no other."""

    @BOTH
    def test_a_company_or_contact_is_made_whole(self, adapter: Adapter, kind: Kind) -> None:
        """What was written is read back at once, and pulled; what the CRM keeps otherwise is named in the receipt."""
        _needs(adapter, kind)
        of = {"company": min(pull_all(adapter, Kind.COMPANY).records).id, "title": "Head of Sales"}
        change = MAKERS[kind]("whole", **(of if kind is Kind.CONTACT else {}))
        receipt = write_one(adapter, change)
        assert (Outcome.APPLIED, True) == (receipt.outcome, receipt.ref is not None)
        assert receipt.ref is not None
        made = adapter.read([receipt.ref])[receipt.ref]

        kept = {name: value for name, value in change.after.items() if name not in receipt.message}
        assert kept == {name: made.fields.get(name) for name in kept}
        assert {"name", change.key.split(":")[0] if change.key else ""} <= set(kept)
        assert made.fields == pull_all(adapter, kind).records[receipt.ref].fields

    @BOTH
    def test_a_new_one_comes_with_the_next_pull(self, bench: AdapterWorkbench, adapter: Adapter, kind: Kind) -> None:
        """Alone, as it is read."""
        _needs(adapter, kind)
        cursor = settle(bench, adapter, kind)
        ref = write_one(adapter, MAKERS[kind]("new")).ref
        assert ref is not None
        let_lag_pass(bench, adapter)

        assert dict(adapter.read([ref])) == pull_all(adapter, kind, cursor).records

    @BOTH
    def test_several_are_made_at_once(self, adapter: Adapter, kind: Kind) -> None:
        """As many as fit in a call are made by it, with a receipt each, in order."""
        _needs(adapter, kind)
        words = ["one", "two", "three", "four"][: batch_of(adapter, Action.CREATE)]
        changes = [MAKERS[kind](word) for word in words]
        receipts = adapter.write(changes)

        assert {Outcome.APPLIED} == set(outcomes(changes, receipts))
        refs = [receipt.ref for receipt in receipts if receipt.ref is not None]
        found = adapter.read(refs)
        assert [change.after["name"] for change in changes] == [found[ref].fields["name"] for ref in refs]
        assert refs == [adapter.find(kind, change.key or "", None) for change in changes]

    @BOTH
    @pytest.mark.parametrize("what", HOSTILE)
    def test_hostile_names_survive_or_are_refused(self, adapter: Adapter, kind: Kind, what: str) -> None:
        """A name comes back as it was written, or is refused with words and nothing is made."""
        _needs(adapter, kind)
        change = MAKERS[kind]("hostile", name=HOSTILE[what].strip())
        receipt = write_one(adapter, change)

        assert receipt.outcome in {Outcome.APPLIED, Outcome.REFUSED}
        assert receipt.ref == adapter.find(kind, change.key or "", None)
        if receipt.ref is None:
            assert receipt.message
        else:
            came = str(adapter.read([receipt.ref])[receipt.ref].fields["name"])
            assert _spaced(storable(str(change.after["name"]))) == _spaced(storable(came))

    @BOTH
    def test_those_that_people_made_are_found(self, adapter: Adapter, kind: Kind) -> None:
        """By what each is known by, in whatever case it is asked for."""
        _needs(adapter, kind)
        name = "domain" if kind is Kind.COMPANY else "email"
        known = [record for record in pull_all(adapter, kind).records.values() if record.fields.get(name)][:5]
        found = [adapter.find(kind, f"{name}:{str(record.fields[name]).upper()}", None) for record in known]

        assert known
        assert [record.ref for record in known] == found

    @pytest.mark.parametrize("key", LIKE)
    def test_a_natural_key_finds_its_own_and_never_another(self, adapter: Adapter, key: str) -> None:
        """Without case; a part of a key, or more than it, is another key, and none of its signs is a wildcard."""
        name, _, value = key.partition(":")
        kind = Kind.CONTACT if name == "email" else Kind.COMPANY
        _needs(adapter, kind)
        only: dict[str, Value] = {"domain": None} if name == "name" else {}
        change = MAKERS[kind]("acme", **{**only, name: value})
        made = write_one(adapter, change)

        assert (Outcome.APPLIED, made.ref) == (made.outcome, adapter.find(kind, key, None))
        assert made.ref == adapter.find(kind, f"{name}:{value.upper()}", None)
        assert [None] * len(LIKE[key]) == [adapter.find(kind, other, None) for other in LIKE[key]]

    def test_a_company_with_a_domain_is_not_known_by_its_name(self, adapter: Adapter) -> None:
        """Two companies may have one name; their domains tell them apart."""
        _needs(adapter, Kind.COMPANY)
        made = write_one(adapter, make_company("acme", name="Acme Ltd"))

        assert (Outcome.APPLIED, None) == (made.outcome, adapter.find(Kind.COMPANY, "name:Acme Ltd", None))

    @BOTH
    @pytest.mark.parametrize("what", HOSTILE)
    def test_natural_keys_that_were_never_written_are_not_found(self, adapter: Adapter, kind: Kind, what: str) -> None:
        """Looking for strange text finds nothing and breaks nothing."""
        _needs(adapter, kind)
        name = "domain" if kind is Kind.COMPANY else "email"

        assert None is adapter.find(kind, f"{name}:{HOSTILE[what][:200]}", None)

    @BOTH
    def test_what_is_there_already_is_not_made_again(self, adapter: Adapter, kind: Kind) -> None:
        """A second creation with the same natural key, in other capitals, gives the first one or is refused.

        One that gives it says so: undoing that takes nothing away.
        """
        _needs(adapter, kind)
        before = len(pull_all(adapter, kind).records)
        name = "domain" if kind is Kind.COMPANY else "email"
        first = write_one(adapter, MAKERS[kind]("twice"))
        again = MAKERS[kind]("twice", **{name: str(MAKERS[kind]("twice").after[name]).title()})
        second = write_one(adapter, again)

        assert Outcome.APPLIED == first.outcome
        assert (second.outcome, second.ref) in {(Outcome.APPLIED, first.ref), (Outcome.REFUSED, None)}
        assert (second.outcome is Outcome.APPLIED) is second.message.startswith(FOUND)
        assert before + 1 == len(pull_all(adapter, kind).records)

    @BOTH
    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut_body"])
    def test_an_unclear_company_or_contact_is_looked_for(
        self, bench: AdapterWorkbench, adapter: Adapter, kind: Kind, fault: str
    ) -> None:
        """Its creation is unknown and is not sent again; finding it, or not, tells what became of it."""
        _needs(adapter, kind)
        probes = [MAKERS[kind](word) for word in ("probea", "probeb")]
        request = learn_requests(bench, adapter, probes)[-1]
        before = set(pull_all(adapter, kind).records)
        bench.served.sandbox.faults.plan(fault, method=request.method, path=request.path)
        sent = len(bench.served.sandbox.log.matching(*request))
        change = MAKERS[kind]("unclear")
        receipt = write_one(adapter, change)

        assert (Outcome.UNKNOWN, True) == (receipt.outcome, bool(receipt.message))
        assert sent + 1 == len(bench.served.sandbox.log.matching(*request))
        found = adapter.find(kind, change.key or "", None)
        assert (found is None) == (fault == "drop_before")
        assert ({found} - {None}) == set(pull_all(adapter, kind).records) - before

    def test_the_last_editor_is_a_user(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Who changed a record last, where the adapter says so, is one of the account's users."""
        deal = open_deal(adapter)
        bench.hands.edit_deal(deal.ref.id, **{bench.fields["decision_maker"]: "A person"})
        if isinstance(bench.hands, NoteHands):
            bench.hands.add_note(deal.ref.id, "By a person")
        let_lag_pass(bench, adapter)
        kinds = sorted(adapter.capabilities.kinds - {Kind.USER})
        named = {r.updated_by for kind in kinds for r in pull_all(adapter, kind).records.values()} - {None}
        if not named:
            pytest.skip("the CRM does not say who changed a record")

        assert set() == named - {ref.id for ref in pull_all(adapter, Kind.USER).records}


def _needs(adapter: Adapter, kind: Kind) -> None:
    if kind not in adapter.capabilities.creates or Action.CREATE not in adapter.capabilities.actions:
        pytest.skip(f"the adapter does not create a {kind}")


def _spaced(text: str) -> str:
    """Leave out spaces: what a CRM drops between the lines of a name, or makes of them, is its own business."""
    return "".join(text.split())
