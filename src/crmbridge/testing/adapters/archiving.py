"""The AdapterSuite's tests of archiving: it is done, seen, settled by reading, and people can take it back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.model.changes import Action, Change, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import (
    batch_of,
    learn_requests,
    make_archive,
    make_company,
    make_contact,
    make_note,
    make_task,
    needs,
    open_deal,
    outcomes,
    write_one,
)
from crmbridge.testing.adapters.hands import RestoringHands
from crmbridge.testing.adapters.workbench import AdapterWorkbench, let_lag_pass, open_deals, pull_all, settle

KEPT = ("name", "amount", "owner", "company", "contacts", "decision_maker")


class ArchivingTests:
    """What is archived is gone for us, and only that; what was restored is there again."""

    def test_an_archived_deal_is_gone(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """The next pull has its tombstone, it is not read any more, and it is in no list; the others stay."""
        needs(adapter, Action.ARCHIVE)
        cursor = settle(bench, adapter)
        before = pull_all(adapter).records
        ref = open_deal(adapter).ref
        receipt = write_one(adapter, make_archive(ref))
        let_lag_pass(bench, adapter)

        assert (Outcome.APPLIED, ref) == (receipt.outcome, receipt.ref)
        assert {} == dict(adapter.read([ref]))
        assert {each for each in before if each != ref} == set(pull_all(adapter).records)
        changed = pull_all(adapter, since=cursor)
        assert ref not in changed.records
        assert changed.gone == ({ref} if adapter.capabilities.tombstones else set())

    def test_archiving_twice_is_harmless(self, adapter: Adapter) -> None:
        """What is archived already is as it should be: that is applied, and nothing else goes."""
        needs(adapter, Action.ARCHIVE)
        before, ref = set(pull_all(adapter).records), open_deal(adapter).ref
        receipts = [write_one(adapter, make_archive(ref)) for _ in range(2)]

        assert [Outcome.APPLIED] * 2 == [receipt.outcome for receipt in receipts]
        assert before - {ref} == set(pull_all(adapter).records)

    def test_several_are_archived_at_once(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """One of them is gone already: each has its receipt, in order, and the others are archived."""
        needs(adapter, Action.ARCHIVE)
        deals = [deal.ref for deal in open_deals(pull_all(adapter), 4)]
        bench.hands.delete_deal(deals[1].id)
        changes = [make_archive(ref) for ref in deals[:3]][: batch_of(adapter, Action.ARCHIVE)]
        receipts = adapter.write(changes)

        assert {Outcome.APPLIED} == set(outcomes(changes, receipts))
        gone = {change.target for change in changes} | {deals[1]}
        assert set(deals) - gone == set(adapter.read(deals))

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_500"])
    def test_an_unclear_archive_is_settled_by_reading(
        self, bench: AdapterWorkbench, adapter: Adapter, fault: str
    ) -> None:
        """Without a clear answer it is unknown and not sent again; whether the deal is read tells what became of it."""
        needs(adapter, Action.ARCHIVE)
        ref, *probes = [deal.ref for deal in open_deals(pull_all(adapter), 3)]
        request = learn_requests(bench, adapter, [make_archive(probe) for probe in probes])[-1]
        bench.served.sandbox.faults.plan(fault, method=request.method, path=request.path)
        sent = len(bench.served.sandbox.log.matching(*request))
        receipt = write_one(adapter, make_archive(ref))

        assert (Outcome.UNKNOWN, True) == (receipt.outcome, bool(receipt.message))
        assert sent + 1 == len(bench.served.sandbox.log.matching(*request))
        assert (set() if fault == "drop_after" else {ref}) == set(adapter.read([ref]))

    def test_a_restored_deal_comes_back(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """What people take back comes with the next pull, with what it held, and is no longer said to be gone."""
        needs(adapter, Action.ARCHIVE)
        hands = bench.hands
        assert isinstance(hands, RestoringHands), "the adapter archives, so the sandbox can restore"
        cursor, deal = settle(bench, adapter), open_deal(adapter)
        assert Outcome.APPLIED == write_one(adapter, make_archive(deal.ref)).outcome
        let_lag_pass(bench, adapter)
        cursor = pull_all(adapter, since=cursor).cursor
        bench.clock.advance(timedelta(days=1))
        cursor = pull_all(adapter, since=cursor).cursor
        hands.restore_deal(deal.ref.id)
        let_lag_pass(bench, adapter)
        changed = pull_all(adapter, since=cursor)

        assert ({deal.ref}, set()) == (set(changed.records), changed.gone)
        assert deal.position == changed.records[deal.ref].position
        held = [deal.fields.get(name) for name in KEPT]
        assert held == [changed.records[deal.ref].fields.get(name) for name in KEPT]
        assert {deal.ref} == set(adapter.read([deal.ref]))

    @pytest.mark.parametrize("kind", [Kind.COMPANY, Kind.CONTACT, Kind.TASK, Kind.NOTE])
    def test_what_we_made_can_be_archived(self, bench: AdapterWorkbench, adapter: Adapter, kind: Kind) -> None:
        """So that a run can be undone: what was made is found, read and pulled no more, and what it hung on stays."""
        needs(adapter, Action.ARCHIVE)
        deal = open_deal(adapter)
        change: Change = {
            Kind.COMPANY: lambda: make_company("brief"),
            Kind.CONTACT: lambda: make_contact("brief"),
            Kind.TASK: lambda: make_task(bench, deal, "brief"),
            Kind.NOTE: lambda: make_note(deal.ref, "brief"),
        }[kind]()
        needs(adapter, change.action)
        if kind in {Kind.COMPANY, Kind.CONTACT} - adapter.capabilities.creates:
            pytest.skip(f"the adapter does not create a {kind}")
        read_as, declared = Kind.ACTIVITY if kind is Kind.TASK else kind, adapter.capabilities
        before = _there(adapter, read_as)
        made = write_one(adapter, change)
        assert (Outcome.APPLIED, True) == (made.outcome, isinstance(made.ref, Ref))
        assert made.ref is not None
        let_lag_pass(bench, adapter)
        new = _there(adapter, read_as) - before
        cursor = settle(bench, adapter, read_as) if read_as in declared.kinds else None
        receipt = write_one(adapter, make_archive(made.ref, change.key))

        assert (Outcome.APPLIED, None) == (receipt.outcome, adapter.find(kind, change.key or "", change.target))
        assert {deal.ref} == set(adapter.read([deal.ref]))
        if cursor is not None:
            let_lag_pass(bench, adapter)
            changed = pull_all(adapter, read_as, cursor)
            assert before == _there(adapter, read_as)
            assert {} == {**changed.records, **adapter.read(sorted(new))}
            assert changed.gone <= new
            assert changed.gone or read_as in declared.forgets or not declared.tombstones


def _there(adapter: Adapter, kind: Kind) -> set[Ref]:
    return set(pull_all(adapter, kind).records) if kind in adapter.capabilities.kinds else set()
