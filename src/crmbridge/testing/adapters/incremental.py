"""The AdapterSuite's tests of pulling what changed since a cursor."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crmbridge.model.changes import Action, Outcome
from crmbridge.model.records import Kind, Position, Status
from crmbridge.model.values import Value
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import make_update, needs, write_one
from crmbridge.testing.adapters.hands import NoteHands
from crmbridge.testing.adapters.workbench import (
    AdapterWorkbench,
    let_lag_pass,
    open_deals,
    pull_all,
    settle,
)

EDITED = "decision_maker"  # a text field that the world fills
MOMENT = timedelta(minutes=2)  # what the CRM's clock may be off, and the time that the edit takes


class IncrementalTests:
    """A later pull gives what changed, all of it, and little else."""

    def test_a_pull_where_nothing_happened_is_quiet(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Long after the last change, a pull gives nothing but a cursor."""
        # Users are few: an adapter may read them whole each time.
        kinds = sorted(adapter.capabilities.kinds - {Kind.USER})
        cursors = {kind: settle(bench, adapter, kind) for kind in kinds}
        bench.clock.advance(timedelta(days=1))

        for kind, cursor in cursors.items():
            assert 0 == pull_all(adapter, kind, cursor).delivered, kind

    def test_an_edit_is_seen_once_and_alone(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A person's edit comes with the next pull, once, with its new value and version, and nothing else comes."""
        cursor = settle(bench, adapter)
        deal = pull_all(adapter).records
        ref = min(deal)
        bench.hands.edit_deal(ref.id, **{bench.fields[EDITED]: "Someone new"})
        let_lag_pass(bench, adapter)
        changed = pull_all(adapter, since=cursor)

        assert {ref} == set(changed.records)
        assert 1 == changed.delivered
        assert "Someone new" == changed.records[ref].fields[EDITED]
        assert deal[ref].version != changed.records[ref].version
        assert deal[ref].updated_at < changed.records[ref].updated_at
        assert changed.records == dict(adapter.read([ref]))

    def test_what_happens_is_told_with_its_time(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """In UTC, whatever zone the CRM writes it in: which of two edits is the newer one is told by it."""
        cursor, hands = settle(bench, adapter), bench.hands
        ref, other = sorted(pull_all(adapter).records)[:2]
        at = bench.clock.now()
        hands.edit_deal(ref.id, **{bench.fields[EDITED]: "Just then"})
        hands.delete_deal(other.id)
        if isinstance(hands, NoteHands):
            hands.add_note(ref.id, "Just then")
        let_lag_pass(bench, adapter)
        told: list[Value] = [adapter.read([ref])[ref].updated_at]
        told += [stone.at for page in adapter.pull(Kind.DEAL, cursor) for stone in page.tombstones]
        if Kind.NOTE in adapter.capabilities.kinds:
            told += [note.fields["at"] for note in pull_all(adapter, Kind.NOTE).records.values()]

        assert [] == [time for time in told if not isinstance(time, datetime) or abs(time - at) > MOMENT]

    def test_two_edits_of_one_deal_both_come(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """The second comes soon after the first was pulled: what was seen is known by its version, not by its deal."""
        cursor = settle(bench, adapter)
        native_id, seen = bench.hands.deal_ids()[0], list[Value]()
        for number in range(3):
            bench.hands.edit_deal(native_id, **{bench.fields[EDITED]: f"Edit {number}"})
            changed = pull_all(adapter, since=cursor)
            cursor, seen = changed.cursor, [*seen, *(r.fields[EDITED] for r in changed.records.values())]
            bench.clock.advance(timedelta(milliseconds=300))
        let_lag_pass(bench, adapter)
        seen += [r.fields[EDITED] for r in pull_all(adapter, since=cursor).records.values()]

        assert "Edit 2" in seen

    def test_a_repeated_cursor_gives_the_same_again(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A run that died after pulling and before storing loses nothing."""
        cursor = settle(bench, adapter)
        bench.hands.edit_deal(bench.hands.deal_ids()[0], **{bench.fields[EDITED]: "Someone new"})
        let_lag_pass(bench, adapter)
        first, second = pull_all(adapter, since=cursor), pull_all(adapter, since=cursor)

        assert first.records == second.records
        assert 1 == len(second.records)

    def test_edits_at_one_moment_all_come(self, crowded: AdapterWorkbench) -> None:
        """A bulk edit gives more deals one modification time than fit on a page: none is missed, none comes twice."""
        adapter = crowded.open()
        cursor = settle(crowded, adapter)
        for native_id in crowded.hands.deal_ids():
            crowded.hands.edit_deal(native_id, **{crowded.fields[EDITED]: "Everybody"})
        let_lag_pass(crowded, adapter)
        changed = pull_all(adapter, since=cursor)
        adapter.close()

        assert set(crowded.hands.deal_ids()) == {ref.id for ref in changed.records}
        assert len(changed.records) == changed.delivered
        assert {"Everybody"} == {record.fields[EDITED] for record in changed.records.values()}

    def test_edits_in_a_row_all_come(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Pulling after each of several edits sees each of them, whatever the margins between cursor and clock."""
        cursor = settle(bench, adapter)
        for number, native_id in enumerate(bench.hands.deal_ids()[:5]):
            bench.hands.edit_deal(native_id, **{bench.fields[EDITED]: f"Person {number}"})
            let_lag_pass(bench, adapter)
            changed = pull_all(adapter, since=cursor)
            cursor = changed.cursor
            assert f"Person {number}" in {record.fields[EDITED] for record in changed.records.values()}

    def test_edits_within_a_second_all_come(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Edits at one moment with a pull between them, and a blink later: each comes with some pull."""
        cursor = settle(bench, adapter)
        edited, seen = bench.hands.deal_ids()[:6], set[str]()
        for number, native_id in enumerate(edited):
            bench.hands.edit_deal(native_id, **{bench.fields[EDITED]: f"Quick {number}"})
            changed = pull_all(adapter, since=cursor)
            cursor, seen = changed.cursor, seen | {ref.id for ref in changed.records}
            bench.clock.advance(timedelta(milliseconds=300 * (number % 2)))
        let_lag_pass(bench, adapter)
        seen |= {ref.id for ref in pull_all(adapter, since=cursor).records}

        assert set(edited) <= seen

    def test_an_edit_just_before_a_pull_is_not_lost(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """An edit in the same moment as a pull may come with that pull or with the next, but it comes."""
        cursor = settle(bench, adapter)
        native_id = bench.hands.deal_ids()[0]
        bench.hands.edit_deal(native_id, **{bench.fields[EDITED]: "Just now"})
        early = pull_all(adapter, since=cursor)
        let_lag_pass(bench, adapter)
        late = pull_all(adapter, since=early.cursor)

        assert native_id in {ref.id for ref in (*early.records, *late.records)}

    def test_a_late_index_costs_nothing(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Edits that the CRM's index shows too late for one pull, newer ones perhaps before older ones, come later."""
        cursor = settle(bench, adapter)
        bench.served.sandbox.faults.plan("lag", times=1000)
        edited = bench.hands.deal_ids()[:6]
        for native_id in edited:
            bench.hands.edit_deal(native_id, **{bench.fields[EDITED]: "Late"})
            bench.clock.advance(timedelta(seconds=1))
        early = pull_all(adapter, since=cursor)
        bench.served.sandbox.faults.clear()
        let_lag_pass(bench, adapter)
        late = pull_all(adapter, since=early.cursor)

        assert set(edited) <= {ref.id for ref in (*early.records, *late.records)}

    def test_a_move_comes_with_all_moves_of_its_deal(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal whose stage moved comes with its whole history, and the known moves keep their ids."""
        if not adapter.capabilities.history or Action.UPDATE not in adapter.capabilities.actions:
            pytest.skip("the adapter declares no history, or no updates to make any")
        before = pull_all(adapter)
        cursor = settle(bench, adapter)
        deal = open_deals(before, 1)[0]
        assert deal.position is not None
        steps = [native for name, native in bench.stages.items() if name not in {"won", "lost"}]
        target = next(step for step in steps if step != deal.position.stage)
        change = make_update(deal, position=Position(deal.position.pipeline, target, Status.OPEN))
        assert [Outcome.APPLIED] == [receipt.outcome for receipt in adapter.write([change])]
        let_lag_pass(bench, adapter)
        after = pull_all(adapter, since=cursor)

        moves = after.moves[deal.ref]
        assert before.moves[deal.ref] == moves[:-1]
        assert (deal.position, change.position) == (moves[-1].before, moves[-1].after)
        assert change.position == after.records[deal.ref].position

    def test_what_we_did_is_not_said_to_be_others(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Moves and edits of ours have one author, or none, whoever owns or made the deals."""
        needs(adapter, Action.UPDATE)
        cursor = settle(bench, adapter)
        deals = open_deals(pull_all(adapter), 6)
        assert len({deal.fields["owner"] for deal in deals}) > 1, "the deals have several owners"
        for deal in deals:
            assert deal.position is not None
            stage = next(native for native in bench.stages.values() if native != deal.position.stage)
            change = make_update(deal, position=Position(deal.position.pipeline, stage, Status.OPEN))
            assert Outcome.APPLIED == write_one(adapter, change).outcome
        let_lag_pass(bench, adapter)
        after = pull_all(adapter, since=cursor)

        assert 1 == len({after.records[deal.ref].updated_by for deal in deals})
        assert len({after.moves[deal.ref][-1].by for deal in deals if deal.ref in after.moves}) <= 1

    def test_a_deleted_deal_leaves_a_tombstone(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A deal that a person deleted is reported gone, and is not read any more."""
        if not adapter.capabilities.tombstones:
            pytest.skip("the adapter declares no tombstones")
        cursor = settle(bench, adapter)
        ref = min(pull_all(adapter).records)
        bench.hands.delete_deal(ref.id)
        let_lag_pass(bench, adapter)
        changed = pull_all(adapter, since=cursor)

        assert {ref} == changed.gone
        assert ref not in changed.records
        assert {} == dict(adapter.read([ref]))
        assert ref not in pull_all(adapter).records
