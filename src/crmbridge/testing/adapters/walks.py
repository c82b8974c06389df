"""The AdapterSuite's tests of long walks: cut off, gone on with, disturbed, read side by side, and small in memory."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

import pytest

from crmbridge.model.changes import Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.ports import Adapter, Page
from crmbridge.testing.adapters.changes import make_create, write_one
from crmbridge.testing.adapters.workbench import AdapterWorkbench, let_lag_pass, settle

EDITED = "decision_maker"
PAGES_HELD = 3  # the one that is handed over, the next one, and one on its way
READERS = 10  # parts that may be read side by side


class WalkTests:
    """A walk through a long list misses nothing, whatever happens meanwhile and wherever it ends."""

    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_a_cut_pull_goes_on_where_it_ended(self, crowded: AdapterWorkbench, share: float) -> None:
        """A new adapter goes on from the last page that was stored: nothing is missing, and little comes again."""
        stored = _begun(crowded, share)
        seen = [record.ref for page in stored for record in page.records]
        ids = crowded.hands.deal_ids()
        early = seen[0].id
        late = next((native_id for native_id in ids if native_id not in {ref.id for ref in seen}), "")
        assert late, "set `crowd` in the config to more deals than fit on a page"
        if share == 0.5:  # the next run may come a day later, when the CRM knows no token of the first one any more
            crowded.clock.advance(timedelta(days=1))
        adapter = crowded.open()
        for native_id in {early, late}:
            crowded.hands.edit_deal(native_id, **{crowded.fields[EDITED]: "Meanwhile"})
        made = write_one(adapter, make_create(crowded, "meanwhile"))
        rest = [*adapter.pull(Kind.DEAL, stored[-1].cursor)]
        let_lag_pass(crowded, adapter)
        rest += [*adapter.pull(Kind.DEAL, rest[-1].cursor)]
        adapter.close()
        found = _last(stored, rest)

        assert {*crowded.hands.deal_ids()} == {ref.id for ref in found}
        assert made.ref in found
        assert ["Meanwhile"] * 2 == [found[_of(found, native_id)].fields[EDITED] for native_id in (early, late)]
        _hardly_again(stored, rest, {early, late, made.ref.id})

    def test_a_cut_incremental_pull_goes_on_too(self, crowded: AdapterWorkbench) -> None:
        """Also where more deals than fit on a page share the moment of their change."""
        adapter = crowded.open()
        cursor = settle(crowded, adapter)
        for native_id in crowded.hands.deal_ids():
            crowded.hands.edit_deal(native_id, **{crowded.fields[EDITED]: "Everybody"})
        let_lag_pass(crowded, adapter)
        stored = list(islice(adapter.pull(Kind.DEAL, cursor), 1))
        adapter.close()
        other = crowded.open()
        rest = list(other.pull(Kind.DEAL, stored[-1].cursor))
        other.close()

        assert {*crowded.hands.deal_ids()} == {ref.id for ref in _last(stored, rest)}

    def test_what_happens_during_a_walk_is_not_lost(self, crowded: AdapterWorkbench) -> None:
        """Deals that are edited, made and deleted while a walk is under way are seen by it or by the next one."""
        adapter = crowded.open()
        walk = adapter.pull(Kind.DEAL, None)
        pages = [next(walk)]
        crowded.clock.advance(timedelta(seconds=1))
        ids = crowded.hands.deal_ids()
        for native_id in (ids[0], ids[len(ids) // 2], ids[-1]):
            crowded.hands.edit_deal(native_id, **{crowded.fields[EDITED]: "Meanwhile"})
        crowded.hands.delete_deal(ids[1])
        crowded.hands.delete_deal(ids[-2])
        made = write_one(adapter, make_create(crowded, "meanwhile"))
        pages += walk
        let_lag_pass(crowded, adapter)
        pages += adapter.pull(Kind.DEAL, pages[-1].cursor)
        found = _last(pages)
        tells = adapter.capabilities.tombstones
        adapter.close()

        assert (Outcome.APPLIED, True) == (made.outcome, made.ref in found)
        there = {ref.id: record for ref, record in found.items()}
        assert ["Meanwhile"] * 3 == [there[i].fields[EDITED] for i in (ids[0], ids[len(ids) // 2], ids[-1])]
        assert {*crowded.hands.deal_ids()} == (set(there) if tells else set(there) - {ids[1], ids[-2]})

    def test_two_walks_at_once_are_both_whole(self, crowded: AdapterWorkbench) -> None:
        """Where one of them is belongs to it, and not to the adapter."""
        adapter = crowded.open()
        walk = adapter.pull(Kind.DEAL, None)
        pages = [next(walk), *(page for part in (adapter.pull(Kind.DEAL, None), walk) for page in part)]
        adapter.close()
        names = Counter(record.fields["name"] for page in pages for record in page.records)
        moved = Counter(ref for page in pages for ref in {move.deal for move in page.moves})

        assert {deal.name: 2 for deal in crowded.deals} == names
        assert {2} == set(moved.values()) or not adapter.capabilities.history

    def test_a_big_pull_comes_whole_and_in_parts(self, vast: AdapterWorkbench, slicing: Adapter) -> None:
        """A first pull of many deals has each once, with its moves, and holds few pages of them in memory at a time.

        Where slices are declared, several requests are under way at once.
        """
        declared, before = slicing.capabilities, _alive()
        names, moved, most, largest = Counter[Value](), set[Ref](), 0, 0
        for page in slicing.pull(Kind.DEAL, None):
            most, largest = max(most, _alive() - before), max(largest, len(page.records))
            names.update(record.fields["name"] for record in page.records)
            moved.update(move.deal for move in page.moves)

        assert Counter(deal.name for deal in vast.deals) == names
        assert len(moved) == (len(vast.deals) if declared.history else 0)
        assert largest * PAGES_HELD < len(vast.deals), "set `big` in the config so that pages can be told apart"
        held = PAGES_HELD + (READERS * 2 if declared.slices else 0)
        assert most <= min(largest * held, len(vast.deals) - 1)
        assert vast.served.sandbox.log.most_at_once > 1 or not declared.slices, "slices are read side by side"

    def test_a_cut_sliced_pull_goes_on_in_each_slice(
        self, vast: AdapterWorkbench, slicing: Adapter, slicing_again: Adapter
    ) -> None:
        """Cut when most was read, with edits before it goes on: nothing is missing, and little comes again."""
        if not slicing.capabilities.slices:
            pytest.skip("the adapter declares no slices")
        whole, ids = len(vast.deals), vast.hands.deal_ids()
        stored: list[Page] = []
        for page in slicing.pull(Kind.DEAL, None):
            stored.append(page)
            if sum(len(each.records) for each in stored) > whole * 2 // 3:
                break
        edited = {ids[0], ids[whole // 2], ids[-1]}
        for native_id in edited:
            vast.hands.edit_deal(native_id, **{vast.fields[EDITED]: "Meanwhile"})
        rest = [*slicing_again.pull(Kind.DEAL, stored[-1].cursor)]
        let_lag_pass(vast, slicing_again)
        rest += slicing_again.pull(Kind.DEAL, rest[-1].cursor)
        found = {ref.id: record for ref, record in _last(stored, rest).items()}

        assert {*ids} == set(found)
        assert {"Meanwhile"} == {found[native_id].fields[EDITED] for native_id in edited}
        assert len(_twice(stored, rest) - edited) <= whole // 3


def _begun(bench: AdapterWorkbench, share: float) -> list[Page]:
    """Give the pages that a run has stored when it is killed: the first, or that share of what can be gone on from."""
    adapter = bench.open()
    walk = adapter.pull(Kind.DEAL, None)
    pages = [page for page in (islice(walk, 1) if share == 0 else walk) if page.records]
    adapter.close()
    return pages[: max(1, 1 + round(share * (len(pages) - 2)))]


def _last(*parts: Iterable[Page]) -> dict[Ref, Record]:
    """Give what a store would hold after these pages."""
    held: dict[Ref, Record] = {}
    for page in (page for part in parts for page in part):
        held |= {record.ref: record for record in page.records}
        for tombstone in page.tombstones:
            held.pop(tombstone.ref, None)
    return held


def _of(found: Iterable[Ref], native_id: str) -> Ref:
    return next(ref for ref in found if ref.id == native_id)


def _hardly_again(stored: list[Page], rest: list[Page], edited: set[str]) -> None:
    """Assert that of what nobody touched at most one page comes twice, for the overlap that makes sure."""
    assert len(_twice(stored, rest) - edited) <= max(len(page.records) for page in stored)


def _twice(stored: list[Page], rest: list[Page]) -> set[str]:
    counted = Counter(record.ref.id for page in (*stored, *rest) for record in page.records)
    return {native_id for native_id, times in counted.items() if times > 1}


def _alive() -> int:
    return sum(1 for _ in _records())


def _records() -> Iterator[Record]:
    return (thing for thing in gc.get_objects() if type(thing) is Record)
