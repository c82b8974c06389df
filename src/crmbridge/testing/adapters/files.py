"""The AdapterSuite's tests of pulling what is told of files on deals, where an adapter declares the kind."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crmbridge.errors import NotGrantedError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import open_deal
from crmbridge.testing.adapters.hands import FileHands
from crmbridge.testing.adapters.workbench import CONNECTION, AdapterWorkbench, Pulled, let_lag_pass, pull_all

NAME = 'Proposta "Zoë" v2.final <b>.pdf'  # as people name files; nothing of it is markup
SIZE = 48_123


class FileTests:
    """Files on deals: what they are called, never what stands in them."""

    def test_a_new_file_is_seen(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """It comes with the next pull, alone: its name, kind and size, its deal, and when and by whom it was added."""
        hands = _needs_files(bench, adapter)
        deal, cursor = open_deal(adapter), _settled(bench, adapter)
        when = bench.clock.now().replace(microsecond=0)
        ref = _add(hands, deal)
        let_lag_pass(bench, adapter)
        changed = pull_all(adapter, Kind.FILE, cursor).records

        assert {ref} == set(changed)
        file = changed[ref]
        wanted = {"name": NAME, "type": "pdf", "size": Decimal(SIZE), "at": when, "owner": deal.fields["owner"]}
        assert {**wanted, "deals": (deal.ref.id,)} == {**file.fields, "at": _to_the_second(file.fields["at"])}
        assert when == _to_the_second(file.created_at)
        assert changed == dict(adapter.read([ref])) == pull_all(adapter, Kind.FILE).records

    def test_every_file_hangs_on_its_deal(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Two on one deal and one on another; none is taken for one of the other deal, or for another file."""
        hands = _needs_files(bench, adapter)
        first, second = list(pull_all(adapter).records.values())[:2]
        names = {"a.pdf": first, "b.docx": first, "c.pdf": second}
        refs = {name: _add(hands, deal, name) for name, deal in names.items()}
        let_lag_pass(bench, adapter)
        found = pull_all(adapter, Kind.FILE).records

        assert {ref: name for name, ref in refs.items()} == {ref: file.fields["name"] for ref, file in found.items()}
        assert {refs[n]: (d.ref.id,) for n, d in names.items()} == {r: f.fields["deals"] for r, f in found.items()}

    def test_what_has_not_changed_is_not_pulled_again(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A day after a file came, the next pull brings nothing."""
        hands = _needs_files(bench, adapter)
        _add(hands, open_deal(adapter))
        cursor = _settled(bench, adapter)

        assert {} == pull_all(adapter, Kind.FILE, cursor).records

    def test_a_deleted_file_leaves_a_tombstone(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A file that a person took off the deal is reported gone; the one beside it stays."""
        hands = _needs_files(bench, adapter)
        if not adapter.capabilities.tombstones:
            pytest.skip("the adapter declares no tombstones")
        deal = open_deal(adapter)
        ref, other = _add(hands, deal), _add(hands, deal, "other.docx")
        cursor = _settled(bench, adapter)
        hands.delete_file(ref.id)
        changed = _changed(bench, adapter, cursor)

        assert {ref} == changed.gone
        assert ref not in changed.records
        assert {other} == set(pull_all(adapter, Kind.FILE).records)

    def test_a_deleted_file_is_not_read(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Nor is it pulled any more, whether the CRM tells of deletions or not."""
        hands = _needs_files(bench, adapter)
        ref = _add(hands, open_deal(adapter))
        let_lag_pass(bench, adapter)
        assert {ref} == set(adapter.read([ref]))
        hands.delete_file(ref.id)
        let_lag_pass(bench, adapter)

        assert {} == dict(adapter.read([ref]))
        assert {} == pull_all(adapter, Kind.FILE).records

    def test_files_that_may_not_be_read_are_said_to_be(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """With what must be granted; it is never taken for there being none, and all else can be pulled."""
        hands = _needs_files(bench, adapter)
        _add(hands, open_deal(adapter))
        hands.forbid_files()
        other = bench.open()
        try:
            with pytest.raises(NotGrantedError) as raised:
                pull_all(other, Kind.FILE)
            assert raised.value.advice
            assert len(bench.deals) == len(pull_all(other).records)
        finally:
            other.close()


def _to_the_second(at: object) -> datetime | None:
    return at.replace(microsecond=0) if isinstance(at, datetime) else None


def _needs_files(bench: AdapterWorkbench, adapter: Adapter) -> FileHands:
    if Kind.FILE not in adapter.capabilities.kinds:
        pytest.skip("the adapter does not declare the kind file")
    hands = bench.hands
    assert isinstance(hands, FileHands), "the adapter declares files, so a person can add one"
    return hands


def _add(hands: FileHands, deal: Record, name: str = NAME) -> Ref:
    return Ref(CONNECTION, Kind.FILE, hands.add_file(deal.ref.id, name, size=SIZE))


def _settled(bench: AdapterWorkbench, adapter: Adapter) -> str:
    """Pull everything, let a day pass, and give the cursor from which changes are seen."""
    first = pull_all(adapter, Kind.FILE)
    bench.clock.advance(timedelta(days=1))
    return pull_all(adapter, Kind.FILE, first.cursor).cursor


def _changed(bench: AdapterWorkbench, adapter: Adapter, cursor: str) -> Pulled:
    let_lag_pass(bench, adapter)
    return pull_all(adapter, Kind.FILE, cursor)
