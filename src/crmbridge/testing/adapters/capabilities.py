"""The AdapterSuite's tests that what an adapter declares is true: of merges, batches, conditional writes and fields."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, Change, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import Adapter, tells_bound
from crmbridge.testing.adapters.changes import (
    batch_of,
    make_create,
    make_field,
    make_update,
    open_deal,
    outcomes,
    write_one,
)
from crmbridge.testing.adapters.hands import CompanyMergingHands, DealMergingHands
from crmbridge.testing.adapters.workbench import AdapterWorkbench, let_lag_pass, pull_all

EDITED = "decision_maker"
MOST_MADE = 250  # creations in one call, however many the adapter takes
FIELDS: tuple[tuple[FieldType, dict[str, Value]], ...] = (
    (FieldType.TEXT, {}),
    (FieldType.NUMBER, {}),
    (FieldType.DATE, {}),
    (FieldType.BOOL, {}),
    (FieldType.CHOICE, {"options": ("low", "high")}),
    (FieldType.TEXT, {"unique": True}),
)


class CapabilityTests:
    """What is declared holds; a declaration that is not true fails here."""

    def test_declarations_agree_with_each_other(self, adapter: Adapter) -> None:
        """Each action has its batch size, and what is declared is the same each time."""
        declared = adapter.capabilities

        assert declared == adapter.capabilities
        assert declared.actions == set(declared.batch)
        assert all(size >= 1 for size in declared.batch.values())
        assert timedelta(0) <= declared.lag
        assert declared.forgets.keys() <= declared.kinds
        assert declared.names_all <= declared.forgets.keys()
        assert all(timedelta(0) < told_for for told_for in declared.forgets.values())

    def test_bound_fields_are_told_by_what_the_account_calls_them(
        self, bench: AdapterWorkbench, adapter: Adapter
    ) -> None:
        """Each is one of the fields that `describe` lists, and what is told is the same each time."""
        if not tells_bound(adapter):
            pytest.skip("the adapter does not declare that it tells")
        listed = {field.name for field in adapter.describe().fields}
        told = adapter.bound_fields()

        assert bench.fields.keys() <= told.keys()
        assert {source.native for source in told.values()} <= listed
        assert told == adapter.bound_fields()

    def test_a_merged_record_names_its_survivor(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """After a merge the loser's tombstone says into what; the survivor is there, and the loser nowhere else."""
        if not adapter.capabilities.merges:
            pytest.skip("the adapter declares no merges")
        kind = _merged_kind(bench)
        winner, loser = sorted(pull_all(adapter, kind).records)[:2]
        bench.clock.advance(timedelta(days=1))
        cursor = pull_all(adapter, kind, pull_all(adapter, kind).cursor).cursor
        _merge(bench, winner, loser)
        let_lag_pass(bench, adapter)
        changed = list(adapter.pull(kind, cursor))

        assert {loser: winner} == {t.ref: t.merged_into for page in changed for t in page.tombstones}
        assert {winner} == set(adapter.read([winner]))
        assert {winner} >= {record.ref for record in adapter.read([loser]).values()}
        assert loser not in {record.ref for page in changed for record in page.records}
        assert {winner} == {winner, loser} & set(pull_all(adapter, kind).records)

    def test_an_outdated_change_is_stale(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """What a person edited since the plan was made is left as they made it, and the receipt says stale."""
        if not adapter.capabilities.conditional_write:
            pytest.skip("the adapter declares no conditional writes")
        deal, other = open_deal(adapter, 0), open_deal(adapter, 1)
        bench.clock.advance(timedelta(minutes=1))
        bench.hands.edit_deal(deal.ref.id, **{bench.fields[EDITED]: "A person"})
        edited = adapter.read([deal.ref])
        bench.clock.advance(timedelta(minutes=1))
        receipts = [write_one(adapter, make_update(d, fields={"name": "By us"})) for d in (deal, other)]

        assert [Outcome.STALE, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
        assert receipts[0].message
        assert edited == dict(adapter.read([deal.ref]))

    def test_a_change_that_is_not_outdated_is_written(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """One that expects the version there is goes through, also after many others."""
        ref = open_deal(adapter, 0).ref
        for number in range(3):
            bench.hands.edit_deal(ref.id, **{bench.fields[EDITED]: f"Person {number}"})
            bench.clock.advance(timedelta(minutes=1))
            change = make_update(adapter.read([ref])[ref], fields={"name": f"Ours {number}"})
            assert Outcome.APPLIED == write_one(adapter, change).outcome
            bench.clock.advance(timedelta(minutes=1))

    def test_a_full_batch_is_made(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """As many creations as are declared to fit in one call are made by one call, each once."""
        count = min(MOST_MADE, batch_of(adapter, Action.CREATE))
        changes = [make_create(bench, f"full-{n}") for n in range(count)]
        receipts = adapter.write(changes)

        assert {Outcome.APPLIED} == set(outcomes(changes, receipts))
        refs = [receipt.ref for receipt in receipts if receipt.ref]
        found = adapter.read(refs)
        assert [change.key for change in changes] == [found[ref].key for ref in refs]

    def test_one_more_than_a_batch_is_not_half_done(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Too many changes at once are the caller's mistake: all are answered for, or none is made."""
        count = min(MOST_MADE, batch_of(adapter, Action.CREATE)) + 1
        changes = [make_create(bench, f"more-{n}") for n in range(count)]
        try:
            made = outcomes(changes, adapter.write(changes)).count(Outcome.APPLIED)
        except (ValueError, CrmbridgeError):
            made = 0

        names = {record.fields["name"] for record in pull_all(adapter).records.values()}
        assert made == sum(f"Suite deal more-{n}" in names for n in range(count))

    @pytest.mark.parametrize("number", range(len(FIELDS)))
    def test_a_field_is_made_once(self, adapter: Adapter, number: int) -> None:
        """A field that was made is found by its name and described as it was asked for; or it is refused with words."""
        if Action.FIELD not in adapter.capabilities.actions:
            pytest.skip("the adapter makes no fields")
        type_, more = FIELDS[number]
        change = make_field(f"suite_field_{number}", type_, **more)
        before = adapter.describe().fields
        receipt = write_one(adapter, change)

        if receipt.outcome is Outcome.REFUSED:
            assert more or type_ is not FieldType.TEXT, "a field of text can be made"
            assert (True, before) == (bool(receipt.message), adapter.describe().fields)
            return
        assert Outcome.APPLIED == receipt.outcome
        _described(adapter, change, receipt.ref)
        again = write_one(adapter, change)
        assert (again.outcome, again.ref) in {(Outcome.APPLIED, receipt.ref), (Outcome.REFUSED, None)}
        assert len(before) + 1 == len(adapter.describe().fields)

    def test_a_field_that_was_never_made_is_not_found(self, adapter: Adapter) -> None:
        """None means that it is certainly not there."""
        if Action.FIELD not in adapter.capabilities.actions:
            pytest.skip("the adapter makes no fields")

        assert None is adapter.find(Kind.FIELD, "suite_field_never_made", None)


def _merged_kind(bench: AdapterWorkbench) -> Kind:
    hands = bench.hands
    if isinstance(hands, DealMergingHands):
        return Kind.DEAL
    assert isinstance(hands, CompanyMergingHands), "the adapter declares merges, so the sandbox can merge something"
    return Kind.COMPANY


def _merge(bench: AdapterWorkbench, winner: Ref, loser: Ref) -> None:
    hands = bench.hands
    if isinstance(hands, DealMergingHands):
        hands.merge_deals(winner=winner.id, loser=loser.id)
    elif isinstance(hands, CompanyMergingHands):
        hands.merge_companies(winner=winner.id, loser=loser.id)


def _described(adapter: Adapter, change: Change, ref: Ref | None) -> None:
    assert ref is not None
    assert ref == adapter.find(Kind.FIELD, change.key or "", None)
    asked = change.after
    made = next(field for field in adapter.describe().fields if field.name == ref.id)
    # Where people see no other name than the one that it is found by, that is its label.
    assert made.label in {asked["label"], asked["name"]}
    assert asked["type"] == made.type
    assert asked["options"] in {(), made.options}
    assert made.unique or not asked["unique"]
    assert made.writable
