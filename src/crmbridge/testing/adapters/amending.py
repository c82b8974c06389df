"""The AdapterSuite's tests of amending tasks: one that was written is changed, done, and to be done again."""

from __future__ import annotations

from datetime import timedelta

from crmbridge.model.changes import Action, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import (
    batch_of,
    make_amendment,
    make_note,
    make_task,
    needs,
    open_deal,
    outcomes,
    write_one,
)
from crmbridge.testing.adapters.workbench import AdapterWorkbench, let_lag_pass, open_deals, pull_all


class AmendingTests:
    """A task is found by its marker and set to what it should be; other tasks stay as they are."""

    def test_a_task_is_amended(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """It says something else, to somebody else, for another day; its marker finds it as before."""
        needs(adapter, Action.AMEND)
        deal = open_deal(adapter)
        made = [write_one(adapter, make_task(bench, deal, number)).ref for number in ("1", "10")]
        other = next(user.ref.id for user in adapter.describe().users if user.ref.id != deal.fields["owner"])
        due = bench.clock.now().replace(microsecond=0) + timedelta(days=9)
        change = make_amendment(deal.ref, "1", subject="Amended", body="Ask < again >.", owner=other, due_at=due)

        receipt = write_one(adapter, change)
        assert (Outcome.APPLIED, made[0]) == (receipt.outcome, receipt.ref)
        assert made == [adapter.find(Kind.TASK, f"suite-task-{number}", deal.ref) for number in ("1", "10")]
        tasks = _tasks(bench, adapter, deal.ref)
        if tasks is not None:
            task = tasks["Amended"]
            assert (other, due.date(), False) == (task.fields["owner"], task.fields["at"].date(), task.fields["done"])  # type: ignore[union-attr]
            assert {"Amended", "Suite task 10"} <= set(tasks)

    def test_a_task_and_a_note_of_one_marker_are_two(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """What was first noted of a finding may become a task later, and both carry the finding's marker."""
        needs(adapter, Action.TASK)
        (deal,) = open_deals(pull_all(adapter), 1)
        task = make_task(bench, deal, "both")
        note = replace(make_note(deal.ref, "both"), key=task.key)
        assert [None, None] == [adapter.find(kind, task.key or "", deal.ref) for kind in (Kind.NOTE, Kind.TASK)]
        written = write_one(adapter, note)
        assert [written.ref, None] == [adapter.find(kind, task.key or "", deal.ref) for kind in (Kind.NOTE, Kind.TASK)]

        refs = [written.ref, write_one(adapter, task).ref]
        assert refs == [adapter.find(kind, task.key or "", deal.ref) for kind in (Kind.NOTE, Kind.TASK)]

    def test_a_task_is_done_and_to_be_done_again(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Only whether it is done changes; setting the same again is harmless."""
        needs(adapter, Action.AMEND)
        deal = open_deal(adapter)
        write_one(adapter, make_task(bench, deal, "1"))
        for done in (True, True, False):
            assert Outcome.APPLIED == write_one(adapter, make_amendment(deal.ref, "1", done=done)).outcome

            tasks = _tasks(bench, adapter, deal.ref)
            if tasks is not None:
                task = tasks["Suite task 1"]
                assert (done, deal.fields["owner"]) == (task.fields["done"], task.fields["owner"])

    def test_a_task_that_is_not_there_is_done(self, adapter: Adapter) -> None:
        """To end it is as good as done; to change it is refused with words. Others of the batch are not held up."""
        needs(adapter, Action.AMEND)
        deal = open_deal(adapter)
        changes = [make_amendment(deal.ref, "none", done=True), make_amendment(deal.ref, "none", subject="Nobody")]
        receipts = [write_one(adapter, change) for change in changes]

        assert [Outcome.APPLIED, Outcome.REFUSED] == outcomes(changes, receipts)
        assert all(receipt.message for receipt in receipts)

    def test_tasks_of_several_deals_are_amended_at_once(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Each by its own deal, also where they have one marker; with a receipt each, in order."""
        needs(adapter, Action.AMEND)
        deals = open_deals(pull_all(adapter), 2)
        made = [write_one(adapter, make_task(bench, deal, "same")).ref for deal in deals]
        changes = [make_amendment(deal.ref, "same", done=True) for deal in deals]
        size = batch_of(adapter, Action.AMEND)
        receipts = [*adapter.write(changes)] if size > 1 else [write_one(adapter, change) for change in changes]

        assert [Outcome.APPLIED] * 2 == outcomes(changes, receipts)
        assert made == [receipt.ref for receipt in receipts]


def _tasks(bench: AdapterWorkbench, adapter: Adapter, deal: Ref) -> dict[str, Record] | None:
    """Give the tasks on a deal by their subjects; None where the adapter reads none."""
    if Kind.ACTIVITY not in adapter.capabilities.kinds:
        return None
    let_lag_pass(bench, adapter)
    found = pull_all(adapter, Kind.ACTIVITY).records.values()
    return {str(r.fields["subject"]): r for r in found if deal.id in (r.fields.get("deals") or ())}  # type: ignore[operator]
