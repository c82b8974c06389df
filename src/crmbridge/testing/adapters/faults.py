"""The AdapterSuite's tests of what an adapter says and does when requests go wrong."""

from __future__ import annotations

import pytest

from crmbridge.errors import RetryLaterError
from crmbridge.model.changes import Action, Change, Outcome
from crmbridge.model.records import Kind
from crmbridge.ports import Adapter
from crmbridge.sandbox.server import listen
from crmbridge.testing.adapters.changes import (
    batch_of,
    make_create,
    make_note,
    make_task,
    make_update,
    named,
    needs,
    outcomes,
    strike,
    write_one,
)
from crmbridge.testing.adapters.workbench import AdapterWorkbench, open_deals, pull_all


class FaultTests:
    """Nothing is lost, nothing is done twice, and what is not known is said to be unknown."""

    def test_a_shaky_crm_loses_nothing(self, shaky: AdapterWorkbench) -> None:
        """With one request in ten going wrong, every kind is still pulled whole."""
        adapter = shaky.open()
        found = {kind: pull_all(adapter, kind) for kind in sorted(adapter.capabilities.kinds)}
        adapter.close()

        assert {deal.name for deal in shaky.deals} == {r.fields["name"] for r in found[Kind.DEAL].records.values()}
        assert len(shaky.deals) == found[Kind.DEAL].delivered
        assert any(request.fault for request in shaky.served.sandbox.log.all())

    def test_a_limit_without_end_is_said(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A CRM that keeps limiting us raises RetryLaterError; it does not hang."""
        bench.served.sandbox.faults.plan("limit", times=1000)

        with pytest.raises(RetryLaterError):
            pull_all(adapter)

    @pytest.mark.parametrize("fault", ["drop_after", "cut_body"])
    @pytest.mark.parametrize("action", [Action.CREATE, Action.TASK, Action.NOTE])
    def test_an_unclear_creation_is_found_again(
        self, bench: AdapterWorkbench, adapter: Adapter, action: Action, fault: str
    ) -> None:
        """A creation whose answer is lost is unknown, is not sent again, and is found by its key: exactly one."""
        needs(adapter, action)
        deal = open_deals(pull_all(adapter), 1)[0]
        change: Change = {
            Action.CREATE: lambda: make_create(bench, "unclear"),
            Action.TASK: lambda: make_task(bench, deal, "unclear"),
            Action.NOTE: lambda: make_note(deal.ref, "unclear"),
        }[action]()
        request = strike(bench, adapter, action, fault)
        sent = len(bench.served.sandbox.log.matching(*request))

        receipt = write_one(adapter, change)
        assert (Outcome.UNKNOWN, True) == (receipt.outcome, bool(receipt.message))
        assert sent + 1 == len(bench.served.sandbox.log.matching(*request))
        found = adapter.find(change.kind, change.key or "", change.target)
        assert found is not None
        if action is Action.CREATE:
            assert [found] == named(pull_all(adapter), "Suite deal unclear")

    @pytest.mark.parametrize("fault", ["drop_before", "error_500", "empty_body"])
    def test_an_unclear_update_is_unknown(self, bench: AdapterWorkbench, adapter: Adapter, fault: str) -> None:
        """An update that got no clear answer is unknown, also when nothing was done; it is not sent again."""
        deals = open_deals(pull_all(adapter), 2)
        request = strike(bench, adapter, Action.UPDATE, fault)
        sent = len(bench.served.sandbox.log.matching(*request))
        changes = [make_update(deal, fields={"name": "Unclear"}) for deal in deals]
        changes = changes[: batch_of(adapter, Action.UPDATE)]

        results = outcomes(changes, adapter.write(changes))
        # One request carries all of them, or each has its own, of which one goes wrong.
        assert results.count(Outcome.UNKNOWN) in {1, len(changes)}
        assert {*results} <= {Outcome.UNKNOWN, Outcome.APPLIED}
        assert len(bench.served.sandbox.log.matching(*request)) - sent in {1, len(changes)}
        after = adapter.read([deal.ref for deal in deals])
        for deal, outcome in zip(deals, results, strict=False):
            expected = deal.fields["name"] if outcome is Outcome.UNKNOWN else "Unclear"
            assert expected == after[deal.ref].fields["name"]

    def test_a_creation_that_never_arrived_is_not_found(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """After an unclear answer, not finding the key means that nothing was made."""
        strike(bench, adapter, Action.CREATE, "drop_before")
        change = make_create(bench, "lost")

        assert Outcome.UNKNOWN == write_one(adapter, change).outcome
        assert None is adapter.find(Kind.DEAL, change.key or "", None)

    def test_one_refused_item_costs_only_itself(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Of several updates one is refused: it says why, and the others are made."""
        deals = open_deals(pull_all(adapter), 3)
        strike(bench, adapter, Action.UPDATE, "partial")
        changes = [make_update(deal, fields={"name": f"Part {n}"}) for n, deal in enumerate(deals)]
        size = batch_of(adapter, Action.UPDATE)
        receipts = [r for start in range(0, 3, size) for r in adapter.write(changes[start : start + size])]

        results = outcomes(changes, receipts)
        assert [Outcome.APPLIED, Outcome.APPLIED, Outcome.REFUSED] == sorted(results)
        assert receipts[results.index(Outcome.REFUSED)].message
        after = adapter.read([deal.ref for deal in deals])
        assert [outcome is Outcome.APPLIED for outcome in results] == [
            after[deal.ref].fields["name"] == f"Part {n}" for n, deal in enumerate(deals)
        ]

    def test_a_crm_that_is_not_there_is_said(self, bench: AdapterWorkbench) -> None:
        """Opening touches no network; the first call says that nobody answers, writing included."""
        listener = listen(0)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.close()
        adapter = bench.open(base_url=address)

        for call in (adapter.describe, lambda: write_one(adapter, make_create(bench, "nobody"))):
            with pytest.raises(RetryLaterError) as caught:
                call()
            assert caught.value.advice
        adapter.close()
