"""What every state store must remember of edits to deals: part of the StoreSuite."""

from __future__ import annotations

from decimal import Decimal

from crmbridge.model.records import Edit, Kind, Record
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.ports import StateStore
from crmbridge.testing.stores.makers import HOUR, OPEN, START, WON, make_page, make_record, make_ref, save


class EditSuite:
    """What deals held before."""

    def test_an_edit_is_remembered_with_both_values(self, store: StateStore) -> None:
        """And between which times it was made: those of the two copies."""
        first = make_record(fields={"name": "Old", "amount": Money(Decimal("1.50"), "EUR"), "source": "fair"})
        save(store, make_page(first))
        save(store, make_page(_edited(first, name="New", amount=None)))

        assert {
            make_ref(): (
                _edit("amount", Money(Decimal("1.50"), "EUR"), None),
                _edit("name", "Old", "New"),
            )
        } == store.records.edits_for([make_ref(), make_ref("9")])

    def test_edits_come_in_the_order_in_which_they_were_seen(self, store: StateStore) -> None:
        """Each from where the one before it ended, also when the CRM's clock stood still."""
        copy = make_record(fields={"name": "1"})
        save(store, make_page(copy))
        for number in ("2", "3"):
            copy = _edited(copy, name=number)
            save(store, make_page(copy))
        save(store, make_page(replace(copy, fields={"name": "4"})), at=START + 9 * HOUR)
        found = store.records.edits_for([make_ref()])[make_ref()]

        assert [("1", "2"), ("2", "3"), ("3", "4")] == [(edit.before, edit.after) for edit in found]
        assert [(0, 1), (1, 2), (2, 9)] == [((e.since - START) // HOUR, (e.at - START) // HOUR) for e in found]

    def test_what_did_not_change_is_no_edit(self, store: StateStore) -> None:
        """Neither a page that comes again, nor an older copy, nor another version of the same values."""
        first = make_record(fields={"name": "Deal", "amount": Decimal("3.0")})
        again = replace(first, fields={"name": "Deal", "amount": Decimal(3)}, version="v2", updated_at=START + HOUR)
        for copy in (first, first, again, _edited(replace(first, updated_at=START - 2 * HOUR), name="Older")):
            save(store, make_page(copy))

        assert {} == store.records.edits_for([make_ref()])

    def test_a_move_is_remembered_as_an_edit_of_the_stage(self, store: StateStore) -> None:
        """So it is known that the other fields were looked at before it."""
        first = make_record(position=OPEN)
        save(store, make_page(first))
        save(store, make_page(replace(first, position=WON, updated_at=START + HOUR)))

        assert (_edit("stage", "/".join(OPEN), "/".join(WON)),) == store.records.edits_for([make_ref()])[make_ref()]

    def test_counts_of_activities_are_not_remembered(self, store: StateStore) -> None:
        """Each call would be an edit, and activities say themselves when they were."""
        first = make_record(fields={"activities": Decimal(1), "last_activity_at": START})
        save(store, make_page(first))
        save(store, make_page(_edited(first, activities=Decimal(2), last_activity_at=START + HOUR)))

        assert {} == store.records.edits_for([make_ref()])

    def test_a_field_that_is_read_anew_was_not_edited(self, store: StateStore) -> None:
        """It comes with the time of the copy before; with a later time somebody filled it in."""
        first = make_record(fields={"name": "Deal"})
        save(store, make_page(first))
        save(store, make_page(replace(first, fields={"name": "Deal", "source": "fair"})))
        bound = store.records.edits_for([make_ref()])
        save(store, make_page(_edited(first, name="Deal", source="fair", pains="many")))

        assert {} == bound
        assert (_edit("pains", None, "many"),) == store.records.edits_for([make_ref()])[make_ref()]

    def test_what_is_read_outside_a_pull_is_remembered_too(self, store: StateStore) -> None:
        """With the time at which it was written, where the CRM does not say one yet."""
        first = make_record(fields={"name": "Old"})
        save(store, make_page(first))
        store.records.put([replace(first, fields={"name": "New"})], START + HOUR)

        assert (_edit("name", "Old", "New"),) == store.records.edits_for([make_ref()])[make_ref()]

    def test_only_deals_are_remembered(self, store: StateStore) -> None:
        """And each connection's for itself."""
        for copy in (contact := make_record(kind=Kind.CONTACT), _edited(contact, name="New")):
            save(store, make_page(copy), kind=Kind.CONTACT)
        for copy in (other := make_record(connection="sf"), _edited(other, name="New")):
            save(store, make_page(copy), "sf")

        refs = [contact.ref, make_ref(), other.ref]
        assert {other.ref: (_edit("name", "Deal 1", "New"),)} == store.records.edits_for(refs)


def _edited(record: Record, **fields: Value) -> Record:
    """Give the copy of an hour later."""
    return replace(record, fields={**record.fields, **fields}, updated_at=record.updated_at + HOUR)


def _edit(field: str, before: Value, after: Value) -> Edit:
    return Edit(field=field, since=START, at=START + HOUR, before=before, after=after)
