"""The StoreSuite's tests of the journal: what was meant, what came of it, and what is not settled yet."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from crmbridge.errors import StateError
from crmbridge.model.changes import Outcome, Receipt
from crmbridge.model.records import Ref
from crmbridge.model.values import Money, Value
from crmbridge.ports import StateStore
from crmbridge.testing.stores.makers import HOUR, START, WON, make_change, make_ref


class JournalSuite:
    """Intents and outcomes."""

    def test_an_intent_without_an_outcome_is_unsettled(self, store: StateStore) -> None:
        """It comes back as it was written, oldest first."""
        one, two = make_change("c1"), make_change("c2", position=WON, key="k", expects="v1")
        store.journal.intend("r1", [one, two], START)
        store.journal.intend("r1", [], START)

        found = store.journal.unsettled()
        assert [one, two] == [entry.change for entry in found]
        assert [("r1", START, None, None, "")] * 2 == [(e.run, e.at, e.outcome, e.ref, e.message) for e in found]
        assert store.journal.outcomes(["c1", "c2"]) == {}

    @pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.UNKNOWN])
    def test_an_outcome_settles_an_intent(self, store: StateStore, outcome: Outcome) -> None:
        """Every outcome but unknown does."""
        store.journal.intend("r1", [make_change("c1"), make_change("c2")], START)
        receipt = Receipt(change="c1", outcome=outcome, ref=make_ref("9"), message="because")
        store.journal.settle("r1", [receipt], {}, START + HOUR)

        assert ["c2"] == [entry.change.id for entry in store.journal.unsettled()]
        entry = store.journal.outcomes(["c1", "c2", "c3"])["c1"]
        assert (make_change("c1"), outcome, make_ref("9"), "because", START + HOUR) == (
            entry.change,
            entry.outcome,
            entry.ref,
            entry.message,
            entry.at,
        )

    def test_an_unknown_outcome_stays_unsettled_until_it_is_resolved(self, store: StateStore) -> None:
        """A later run may resolve it."""
        store.journal.intend("r1", [make_change()], START)
        store.journal.settle("r1", [Receipt(change="c1", outcome=Outcome.UNKNOWN)], {}, START)

        assert ["c1"] == [entry.change.id for entry in store.journal.unsettled()]
        assert store.journal.outcomes(["c1"])["c1"].outcome is Outcome.UNKNOWN

        store.journal.settle("r2", [Receipt(change="c1", outcome=Outcome.APPLIED)], {}, START + HOUR)

        assert store.journal.unsettled() == ()
        assert store.journal.outcomes(["c1"])["c1"].outcome is Outcome.APPLIED

    def test_a_change_that_is_intended_again_is_unsettled_again(self, store: StateStore) -> None:
        """Once, with its newest intent; its last outcome is still known."""
        store.journal.intend("r1", [make_change()], START)
        store.journal.settle("r1", [Receipt(change="c1", outcome=Outcome.FAILED)], {}, START)
        store.journal.intend("r2", [make_change()], START + HOUR)

        assert [("r2", START + HOUR)] == [(entry.run, entry.at) for entry in store.journal.unsettled()]
        assert store.journal.outcomes(["c1"])["c1"].outcome is Outcome.FAILED

    def test_outcomes_and_bases_are_written_together(self, store: StateStore) -> None:
        """The base moves with the outcome."""
        store.links.save_bases({make_ref(): {"name": "A", "amount": None}})
        store.journal.intend("r1", [make_change()], START)
        bases: Mapping[Ref, Mapping[str, Value]] = {make_ref(): {"amount": Money(Decimal("10.50"), "EUR")}}
        store.journal.settle("r1", [Receipt(change="c1", outcome=Outcome.APPLIED)], bases, START)

        assert {make_ref(): {"name": "A", "amount": Money(Decimal("10.50"), "EUR")}} == store.links.bases()

    def test_an_outcome_without_an_intent_is_refused_with_everything_beside_it(self, store: StateStore) -> None:
        """Neither the other outcomes nor the bases are written."""
        store.journal.intend("r1", [make_change("c1")], START)
        receipts = [Receipt(change=id_, outcome=Outcome.APPLIED) for id_ in ("c1", "c2")]
        with pytest.raises(StateError, match="c2"):
            store.journal.settle("r1", receipts, {make_ref(): {"name": "B"}}, START)

        assert ["c1"] == [entry.change.id for entry in store.journal.unsettled()]
        assert store.links.bases() == {}

    def test_the_rows_about_a_record_are_found(self, store: StateStore) -> None:
        """Those meant for it and those that made it, and no others that only speak of it."""
        made, other = make_ref("42"), make_ref("43")
        store.journal.intend("r1", [make_change("c1", target=None), make_change("c2", target=made)], START)
        store.journal.intend("r1", [make_change("c3", target=other, key=made.id)], START)
        store.journal.settle("r1", [Receipt(change="c1", outcome=Outcome.APPLIED, ref=made)], {}, START)

        assert [("c2", None), ("c1", "applied")] == [(e.change.id, e.outcome) for e in store.journal.about([made])]
        assert ["c3"] == [entry.change.id for entry in store.journal.about([other])]
        assert store.journal.about([]) == ()

    def test_the_rows_about_very_many_records_are_found(self, store: StateStore) -> None:
        """More than one statement of a database can name, in the order of the journal, what was tried twice as well."""
        refs = [make_ref(str(number)) for number in range(2500)]
        changes = [make_change(f"c{number}", target=ref) for number, ref in enumerate(refs)]
        store.journal.intend("r1", changes, START)
        store.journal.intend("r2", changes[:1], START)

        about = [entry.change.id for entry in store.journal.about(refs)]
        assert [change.id for change in (*changes, changes[0])] == about

    def test_the_journal_keeps_every_row_in_order(self, store: StateStore) -> None:
        """All of them, or those of one run."""
        store.journal.intend("r1", [make_change("c1"), make_change("c2")], START)
        store.journal.settle("r1", [Receipt(change="c1", outcome=Outcome.APPLIED)], {}, START)
        store.journal.intend("r2", [make_change("c3")], START)
        store.journal.settle("r2", [Receipt(change="c2", outcome=Outcome.STALE)], {}, START)
        rows = list(store.journal.entries())

        expected = [("c1", None), ("c2", None), ("c1", "applied"), ("c3", None), ("c2", "stale")]
        assert expected == [(entry.change.id, entry.outcome) for entry in rows]
        assert sorted({entry.seq for entry in rows}) == [entry.seq for entry in rows]
        assert rows[3:] == list(store.journal.entries("r2"))
        assert list(store.journal.entries("r9")) == []

    def test_outcomes_are_found_however_many_are_asked_for(self, store: StateStore) -> None:
        """More than one statement can name."""
        changes = [make_change(f"c{number}") for number in range(1200)]
        store.journal.intend("r1", changes, START)
        receipts = [Receipt(change=change.id, outcome=Outcome.APPLIED) for change in changes]
        store.journal.settle("r1", receipts, {}, START)

        assert {change.id for change in changes} == set(store.journal.outcomes([c.id for c in changes]))
        assert store.journal.unsettled() == ()
