"""The AdapterSuite's tests of writing while nothing goes wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from crmbridge.model.changes import DEAL_ACTIONS, Action, Outcome
from crmbridge.model.records import Kind, Position, Status
from crmbridge.model.values import Money, Value
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import (
    batch_of,
    first_stage,
    make_create,
    make_note,
    make_task,
    make_update,
    named,
    needs,
    outcomes,
    write_one,
)
from crmbridge.testing.adapters.workbench import (
    CURRENCY,
    AdapterWorkbench,
    let_lag_pass,
    open_deals,
    pull_all,
)

LINKS = ("company", "contacts")  # what hangs on a deal, as far as the CRM has it
MOST = 30  # how many changes a test writes at once, however many the adapter takes


class WritingTests:
    """What is written is what can be read back."""

    def test_fields_of_every_type_are_written(self, adapter: Adapter) -> None:
        """Text, money, dates, numbers and yes-or-no come back as they were written, and only they changed."""
        deal = open_deals(pull_all(adapter), 1)[0]
        fields: dict[str, Value] = {
            "name": "Renamed",
            "amount": Money(Decimal("98765.43"), CURRENCY),
            "close_date": date(2026, 12, 24),
            "decision_maker": "Someone else",
            "discount": Decimal("7.5"),
            "bant.need": not deal.fields.get("bant.need"),
            "presented_on": date(2026, 2, 28),
        }

        receipt = write_one(adapter, make_update(deal, fields=fields))
        after = adapter.read([deal.ref])[deal.ref]

        assert (Outcome.APPLIED, deal.ref) == (receipt.outcome, receipt.ref)
        assert {**_kept(deal.fields), **fields} == _kept(after.fields)
        assert deal.version != after.version
        assert deal.position == after.position

    def test_the_owner_is_written(self, adapter: Adapter) -> None:
        """A deal can be handed to another user."""
        deal = open_deals(pull_all(adapter), 1)[0]
        other = next(r.ref.id for r in adapter.describe().users if r.ref.id != deal.fields["owner"])

        assert Outcome.APPLIED == write_one(adapter, make_update(deal, fields={"owner": other})).outcome
        assert other == adapter.read([deal.ref])[deal.ref].fields["owner"]

    def test_a_field_is_cleared(self, adapter: Adapter) -> None:
        """Writing no value empties the field, whatever its type."""
        deal = open_deals(pull_all(adapter), 1)[0]
        names = ("decision_maker", "discount", "presented_on")
        filled = make_update(deal, fields=dict(zip(names, ("Someone", Decimal(5), date(2026, 1, 2)), strict=True)))
        assert Outcome.APPLIED == write_one(adapter, filled).outcome
        deal = adapter.read([deal.ref])[deal.ref]
        assert Outcome.APPLIED == write_one(adapter, make_update(deal, fields=dict.fromkeys(names))).outcome

        after = adapter.read([deal.ref])[deal.ref].fields
        assert [None, None, None] == [after.get(name) for name in names]

    def test_a_stage_is_written(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal stands where it was put: in another stage, won, lost, and open again; or it is refused clearly.

        Refused is only what the description says that nobody can write.
        """
        stages = next(p.stages for p in adapter.describe().pipelines if p.id == bench.pipeline)
        unwritable = {stage.id for stage in stages if not stage.writable}
        deal = open_deals(pull_all(adapter), 1)[0]
        assert deal.position is not None
        proposal = Position(bench.pipeline, bench.stages["proposal"], Status.OPEN)
        in_stage = adapter.capabilities.status_in_stage
        closed = [
            Position(bench.pipeline, bench.stages[status.value] if in_stage else proposal.stage, status)
            for status in (Status.WON, Status.LOST)
        ]

        # Opened again where deals begin: not every CRM leads from lost straight into the middle.
        again = Position(bench.pipeline, first_stage(bench), Status.OPEN)
        for position in (proposal, *closed, again, proposal):
            now = adapter.read([deal.ref])[deal.ref]
            receipt, there = write_one(adapter, make_update(now, position=position)), position
            if position.stage in unwritable:
                assert (Outcome.REFUSED, True) == (receipt.outcome, bool(receipt.message))
                assert now.position is not None
                there = now.position
            else:
                assert Outcome.APPLIED == receipt.outcome
            assert there == adapter.read([deal.ref])[deal.ref].position

    def test_a_stage_and_fields_are_written_at_once(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A change of both is made of both."""
        deal = open_deals(pull_all(adapter), 1)[0]
        assert deal.position is not None
        steps = [native for name, native in bench.stages.items() if name not in {"won", "lost"}]
        position = Position(bench.pipeline, next(s for s in steps if s != deal.position.stage), Status.OPEN)
        fields: dict[str, Value] = {"name": "Moved", "decision_maker": "Ada", "discount": Decimal(5)}

        assert Outcome.APPLIED == write_one(adapter, make_update(deal, position=position, fields=fields)).outcome
        after = adapter.read([deal.ref])[deal.ref]
        assert (position, fields) == (after.position, {name: after.fields[name] for name in fields})

    def test_a_deal_is_created_whole(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A created deal has its fields and owner, the company and contacts it can have, its key and place, at once."""
        able = {"owner", *adapter.capabilities.associates}  # to others crmbridge gives neither company nor contacts
        deals = [{name: r.fields[name] for name in able & r.fields.keys()} for r in open_deals(pull_all(adapter), 5)]
        links = next(each for each in deals if all(each.get(name, "none here") for name in LINKS))
        change = make_create(bench, "whole", **links, decision_maker="Ada")

        receipt = write_one(adapter, change)
        assert (Outcome.APPLIED, True) == (receipt.outcome, receipt.ref is not None)
        assert receipt.ref is not None
        made = adapter.read([receipt.ref])[receipt.ref]

        assert change.after == {name: made.fields.get(name) for name in change.after}
        assert (change.position, change.key) == (made.position, made.key)
        let_lag_pass(bench, adapter)
        assert made == pull_all(adapter).records[receipt.ref]

    def test_a_created_deal_is_found_by_its_key(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """The key finds exactly the deal that was created with it."""
        changes = [make_create(bench, number) for number in ("1", "10")]
        receipts = [write_one(adapter, change) for change in changes]

        assert [r.ref for r in receipts] == [adapter.find(Kind.DEAL, c.key or "", None) for c in changes]

    def test_creating_twice_with_one_key_makes_one_deal(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Where the CRM keeps the key unique, a repeated create makes no second deal."""
        if not adapter.capabilities.external_key:
            pytest.skip("the adapter declares that the CRM does not keep a key unique")
        first, second = [write_one(adapter, make_create(bench, "twice")) for _ in range(2)]

        assert Outcome.APPLIED == first.outcome
        assert (second.outcome, second.ref) in {(Outcome.APPLIED, first.ref), (Outcome.REFUSED, None)}
        assert [first.ref] == named(pull_all(adapter), "Suite deal twice")

    def test_a_task_is_found_by_its_marker(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """The marker finds the task on its deal, and nowhere else; one that only begins with it is another."""
        needs(adapter, Action.TASK)
        deal, other = open_deals(pull_all(adapter), 2)
        changes = [make_task(bench, deal, number) for number in ("1", "10", "1.2", "1:2")]
        receipts = [write_one(adapter, change) for change in changes]

        assert [Outcome.APPLIED] * 4 == [receipt.outcome for receipt in receipts]
        assert [r.ref for r in receipts] == [adapter.find(Kind.TASK, c.key or "", deal.ref) for c in changes]
        assert None is adapter.find(Kind.TASK, changes[0].key or "", other.ref)

    def test_a_note_is_found_by_its_marker(self, adapter: Adapter) -> None:
        """The marker finds the note on its deal, and nowhere else; one that only begins with it is another."""
        deal, other = open_deals(pull_all(adapter), 2)
        changes = [make_note(deal.ref, number) for number in ("1", "10", "1.2", "1:2")]
        receipts = [write_one(adapter, change) for change in changes]

        assert [Outcome.APPLIED] * 4 == [receipt.outcome for receipt in receipts]
        assert [r.ref for r in receipts] == [adapter.find(Kind.NOTE, c.key or "", deal.ref) for c in changes]
        assert None is adapter.find(Kind.NOTE, changes[0].key or "", other.ref)

    def test_a_note_can_hang_on_a_company(self, adapter: Adapter) -> None:
        """Reports go to companies too."""
        company = min(pull_all(adapter, Kind.COMPANY).records)
        change = make_note(company, "company")
        receipt = write_one(adapter, change)

        assert Outcome.APPLIED == receipt.outcome
        assert receipt.ref == adapter.find(Kind.NOTE, change.key or "", company)

    def test_a_task_without_an_owner_or_body_is_written(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """What a task need not have may be missing."""
        needs(adapter, Action.TASK)
        deal = open_deals(pull_all(adapter), 1)[0]

        assert Outcome.APPLIED == write_one(adapter, make_task(bench, deal, "bare", owner=None, body=None)).outcome

    def test_batches_are_answered_in_order(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """As many changes as the adapter takes at once are all made, with a receipt each, in order."""
        declared = adapter.capabilities.batch
        count = {action: min(MOST, declared.get(action, 0)) for action in DEAL_ACTIONS}
        # Open ones first: some CRMs take few edits of closed deals.
        found = pull_all(adapter).records.values()
        deals = sorted(found, key=lambda d: d.position is None or d.position.status is not Status.OPEN)
        updates = [make_update(d, fields={"name": f"B {n}"}) for n, d in enumerate(deals[: count[Action.UPDATE]])]
        creates = [make_create(bench, n) for n in range(count[Action.CREATE])]
        tasks = [make_task(bench, deals[n % len(deals)], n) for n in range(count[Action.TASK])]
        notes = [make_note(deals[n % len(deals)].ref, n) for n in range(count[Action.NOTE])]

        for changes in filter(None, (updates, creates, tasks, notes)):
            receipts = adapter.write(changes)
            assert {Outcome.APPLIED} == set(outcomes(changes, receipts))
            assert len(changes) == len({receipt.ref for receipt in receipts})
            for change, receipt in ((changes[0], receipts[0]), (changes[-1], receipts[-1])):
                key = change.key
                assert receipt.ref == (adapter.find(change.kind, key, change.target) if key else change.target)
        after = adapter.read([deal.ref for deal in deals])
        assert [f"B {n}" for n in range(len(updates))] == [
            after[deal.ref].fields["name"] for deal in deals[: len(updates)]
        ]

    def test_an_update_of_a_deal_that_is_gone_is_not_applied(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Others in the batch are written; the one for a deal that is not there says so."""
        deal, other = open_deals(pull_all(adapter), 2)
        gone = make_update(deal, fields={"name": "Gone"})
        bench.hands.delete_deal(deal.ref.id)
        changes = [gone, make_update(other, fields={"name": "Here"})]
        size = batch_of(adapter, Action.UPDATE)
        receipts = [*adapter.write(changes)] if size > 1 else [write_one(adapter, change) for change in changes]

        assert [False, True] == [outcome is Outcome.APPLIED for outcome in outcomes(changes, receipts)]
        assert receipts[0].message

    def test_an_unknown_stage_is_refused(self, adapter: Adapter) -> None:
        """A stage that the pipeline does not have is refused with words, and nothing changes."""
        deal = open_deals(pull_all(adapter), 1)[0]
        assert deal.position is not None
        nowhere = Position(deal.position.pipeline, "999999", Status.OPEN)
        receipt = write_one(adapter, make_update(deal, position=nowhere))

        assert Outcome.REFUSED == receipt.outcome
        assert receipt.message
        assert deal == adapter.read([deal.ref])[deal.ref]


def _kept(fields: object) -> dict[str, Value]:
    """Leave out fields without a value: whether an adapter names them is its own business."""
    return {name: value for name, value in dict(fields).items() if value is not None}  # type: ignore[call-overload]
