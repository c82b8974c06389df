"""The AdapterSuite's tests that no deletion is missed, however long nobody pulled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.model.changes import Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter, names_all
from crmbridge.testing.adapters.changes import make_create, make_update, write_one
from crmbridge.testing.adapters.hands import FileHands, NoteHands
from crmbridge.testing.adapters.workbench import AdapterWorkbench, let_lag_pass, pull_all, settle


class ForgettingTests:
    """A CRM may forget what is gone, if the adapter says when: what is known is looked for by its ids as often."""

    @pytest.mark.parametrize("days", [1, 20, 45, 400])
    def test_a_deletion_is_noticed_however_late(self, bench: AdapterWorkbench, adapter: Adapter, days: int) -> None:
        """The pull tells of it, or it is seen by what can't be read any more; of nothing else is either said."""
        if not adapter.capabilities.tombstones and Kind.DEAL not in adapter.capabilities.forgets:
            pytest.skip("the adapter declares no tombstones, and that no deal is looked for")
        cursor = settle(bench, adapter)
        known = set(pull_all(adapter).records)
        ref = min(known)
        bench.hands.delete_deal(ref.id)
        bench.clock.advance(timedelta(days=days))
        told = pull_all(adapter, since=cursor).gone

        assert {ref} == told | _missing(adapter, known)

    def test_a_deletion_is_told_for_as_long_as_is_said(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Until shortly before the CRM forgets it, a pull has its tombstone."""
        told_for = adapter.capabilities.forgets.get(Kind.DEAL)
        if told_for is None:
            pytest.skip("the CRM forgets no deletion of a deal")
        if not adapter.capabilities.tombstones:
            pytest.skip("the CRM tells of no deletion, so it is looked for as often")
        cursor = settle(bench, adapter)
        ref = min(pull_all(adapter).records)
        bench.hands.delete_deal(ref.id)
        bench.clock.advance(told_for - timedelta(hours=1))

        assert {ref} == pull_all(adapter, since=cursor).gone

    def test_a_new_deal_is_none_that_was_deleted(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Where a CRM gives the id of a deleted deal anew, a ref has to say more: links would tie the wrong two."""
        first = write_one(adapter, make_create(bench, "first"))
        assert first.ref is not None
        cursor, deal = settle(bench, adapter), adapter.read([first.ref])[first.ref]
        bench.hands.delete_deal(first.ref.id)
        bench.clock.advance(timedelta(minutes=1))
        second = write_one(adapter, make_create(bench, "second"))
        assert second.ref not in {None, first.ref}
        assert second.ref is not None
        late = write_one(adapter, make_update(deal, fields={"name": "Whose?"}))
        assert Outcome.APPLIED is not late.outcome
        let_lag_pass(bench, adapter)
        changed = pull_all(adapter, since=cursor)

        assert {second.ref} == set(changed.records)
        assert changed.gone <= {first.ref}
        assert {second.ref} == set(adapter.read([first.ref, second.ref]))
        assert "Suite deal second" == changed.records[second.ref].fields["name"]
        assert None is adapter.find(Kind.DEAL, "suite-first", None)

    @pytest.mark.parametrize("kind", sorted(Kind))
    def test_what_is_pulled_is_found_by_its_id(self, bench: AdapterWorkbench, adapter: Adapter, kind: Kind) -> None:
        """Of the kinds that are looked for, each record; one that is there must not be taken for gone."""
        if kind not in adapter.capabilities.forgets:
            pytest.skip(f"the CRM forgets no deletion of the kind {kind}")
        _hang_on(bench, min(pull_all(adapter).records).id)
        let_lag_pass(bench, adapter)
        found = pull_all(adapter, kind).records

        assert found
        assert set(found) == set(adapter.read(sorted(found), fields=()))

    @pytest.mark.parametrize("kind", sorted(Kind))
    def test_all_that_is_there_is_named(self, bench: AdapterWorkbench, adapter: Adapter, kind: Kind) -> None:
        """Of the kinds that can be; what was pulled once and is not named is looked for by its id."""
        if not names_all(adapter, kind):
            pytest.skip(f"the adapter can't name all of the kind {kind}")
        _hang_on(bench, min(pull_all(adapter).records).id)
        let_lag_pass(bench, adapter)
        named = adapter.name_all(kind)

        assert named is not None
        assert {ref.id for ref in pull_all(adapter, kind).records} == set(named)


def _hang_on(bench: AdapterWorkbench, deal: str) -> None:
    """Let a note and a file hang on a deal, where there are any; the sandbox is filled without."""
    hands: object = bench.hands
    if isinstance(hands, NoteHands):
        hands.add_note(deal, "By a person")
    if isinstance(hands, FileHands):
        hands.add_file(deal, "offer.pdf", size=9)


def _missing(adapter: Adapter, known: set[Ref]) -> set[Ref]:
    """Give what a look for all that is known does not find, where the CRM forgets."""
    if Kind.DEAL not in adapter.capabilities.forgets:
        return set()
    return known - adapter.read(sorted(known), fields=()).keys()
