"""The AdapterSuite's tests of asking ahead, for adapters that declare that they can be told what is pulled next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from crmbridge.model.records import Kind
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter, asks_ahead
from crmbridge.testing.adapters.workbench import AdapterWorkbench, Pulled, let_lag_pass, pull_all

AROUND = (Kind.COMPANY, Kind.CONTACT, Kind.DEAL)
EDITED = "decision_maker"  # a text field that the world fills


class AskingAheadTests:
    """What was asked for before the account was known is what would be asked for then, or is asked for again."""

    def test_asking_ahead_is_declared_where_it_is(self, adapter: Adapter) -> None:
        """An adapter that declares it can be told."""
        assert callable(getattr(adapter, "ask_ahead", None)) or not adapter.capabilities.ahead

    @pytest.mark.parametrize("kind", AROUND)
    def test_what_is_asked_ahead_is_what_is_pulled(self, crowded: AdapterWorkbench, kind: Kind) -> None:
        """The pull after it gives the same records with the same moves, each once, and a later one goes on from it."""
        crowded.clock.advance(timedelta(minutes=1))  # past what is due at noon, and while adapters wait is not any more
        usual, told = crowded.open(), crowded.open()
        usual.describe()
        _begin(told, [kind])
        found, expected = pull_all(told, kind), pull_all(usual, kind)

        assert _said(expected) == _said(found)
        assert len(found.records) == found.delivered
        crowded.clock.advance(timedelta(days=1))
        assert _said(pull_all(usual, kind, expected.cursor)) == _said(pull_all(told, kind, found.cursor))

    def test_several_kinds_are_pulled_in_their_order(self, bench: AdapterWorkbench) -> None:
        """Told of all kinds, an adapter gives each of them as if it had been told of none."""
        bench.clock.advance(timedelta(minutes=1))  # the same
        usual, told = bench.open(), bench.open()
        kinds = [Kind.USER, *AROUND]
        _begin(told, kinds)

        assert [_said(pull_all(usual, kind)) for kind in kinds] == [_said(pull_all(told, kind)) for kind in kinds]

    def test_an_edit_meanwhile_is_not_lost(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """What people do between the asking and the pull comes with it, or with the next one."""
        _begin(adapter, [Kind.DEAL])
        edited = bench.hands.deal_ids()[0]
        bench.hands.edit_deal(edited, **{bench.fields[EDITED]: "Meanwhile"})
        first = pull_all(adapter)
        let_lag_pass(bench, adapter)
        second = pull_all(adapter, since=first.cursor)

        records = {**first.records, **second.records}
        assert ["Meanwhile"] == [record.fields[EDITED] for ref, record in records.items() if ref.id == edited]

    def test_nothing_is_asked_twice(self, bench: AdapterWorkbench) -> None:
        """Two pulls after one asking: the second one sees what is there by then."""
        adapter = bench.open()
        _begin(adapter, [Kind.DEAL])
        first = pull_all(adapter)
        edited = min(first.records)
        bench.hands.edit_deal(edited.id, **{bench.fields[EDITED]: "Later"})
        let_lag_pass(bench, adapter)

        assert "Later" == pull_all(adapter).records[edited].fields[EDITED]


def _begin(adapter: Adapter, kinds: Sequence[Kind]) -> None:
    """Tell an adapter what is pulled next, as a first pull does."""
    if asks_ahead(adapter):
        adapter.ask_ahead(kinds)
    else:
        pytest.skip("the adapter asks nothing ahead")
    adapter.describe()


def _said(pulled: Pulled) -> tuple[object, object, object]:
    # Who moved a deal may be known by one way of asking for it only.
    moves = {ref: [replace(move, by=None) for move in found] for ref, found in pulled.moves.items()}
    return pulled.records, moves, pulled.gone
