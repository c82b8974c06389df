"""The AdapterSuite's tests of pulling activities and notes, where an adapter declares them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, time
from typing import NamedTuple

import pytest

from crmbridge.model.changes import Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import make_note, make_task, open_deal, write_one
from crmbridge.testing.adapters.hands import ActivityHands, NoteHands
from crmbridge.testing.adapters.workbench import CONNECTION, AdapterWorkbench, let_lag_pass, pull_all, settle

BODY = 'Budget is < 5,000 & they <b>decide</b> on Friday.\nCall "Zoë" before.'


class ActivityTests:
    """Calls, meetings, e-mails and tasks on deals."""

    def test_every_activity_is_pulled(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """What was done, and what is to be done, on which deal and by whom; each once."""
        _needs(adapter, Kind.ACTIVITY)
        deals = {str(r.fields["name"]): r.ref.id for r in pull_all(adapter).records.values()}
        owners = {str(r.fields["email"]): r.ref.id for r in pull_all(adapter, Kind.USER).records.values()}
        emails = {user.number: user.email for user in bench.world.users}
        pulled = pull_all(adapter, Kind.ACTIVITY)
        told = Counter(_told(record) for record in pulled.records.values())
        days = {one.at for one in told if one.at == _midnight(one.at)}
        expected = Counter(
            _Told(a.kind, a.subject, a.done, owners[emails[a.owner]], (deals[deal.name],), _as_kept(a.at, days))
            for deal in bench.deals
            for a in deal.activities
        )

        assert expected == told
        assert len(pulled.records) == pulled.delivered

    @pytest.mark.parametrize("type_", ["call", "meeting", "email", "task"])
    def test_a_new_activity_is_seen(self, bench: AdapterWorkbench, adapter: Adapter, type_: str) -> None:
        """It comes with the next pull, alone, and is read as it was pulled."""
        _needs(adapter, Kind.ACTIVITY)
        deal, cursor = open_deal(adapter), settle(bench, adapter, Kind.ACTIVITY)
        when = bench.clock.now().replace(microsecond=0)
        done = type_ == "email"  # an e-mail that was logged is one that was sent
        ref = _note_activity(bench, deal, type_, when, done=done)
        let_lag_pass(bench, adapter)
        changed = pull_all(adapter, Kind.ACTIVITY, cursor)

        assert {ref} == set(changed.records)
        told = _told(changed.records[ref])
        at = _as_kept(when, {told.at})
        assert _Told(type_, f"A new {type_}", done, str(deal.fields["owner"]), (deal.ref.id,), at) == told
        assert changed.records == dict(adapter.read([ref]))

    def test_a_deleted_activity_leaves_a_tombstone(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """An activity that a person deleted is reported gone."""
        _needs(adapter, Kind.ACTIVITY)
        ref = _note_activity(bench, open_deal(adapter), "call", bench.clock.now(), done=True)
        cursor = settle(bench, adapter, Kind.ACTIVITY)
        _delete(bench, ref)

        _is_told(bench, adapter, ref, cursor)

    def test_a_deleted_activity_is_not_read(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Nor is it pulled any more, whether the CRM tells of deletions or not."""
        _needs(adapter, Kind.ACTIVITY)
        ref = _note_activity(bench, open_deal(adapter), "call", bench.clock.now(), done=True)
        assert {ref} == set(adapter.read([ref]))
        _delete(bench, ref)

        _is_gone(bench, adapter, ref)

    def test_a_written_task_is_pulled_as_an_activity(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """The task that we made is one that is to be done on its deal."""
        _needs(adapter, Kind.ACTIVITY)
        deal, cursor = open_deal(adapter), settle(bench, adapter, Kind.ACTIVITY)
        assert Outcome.APPLIED == write_one(adapter, make_task(bench, deal, "pulled")).outcome
        let_lag_pass(bench, adapter)
        found = pull_all(adapter, Kind.ACTIVITY, cursor).records

        names = ("type", "subject", "done", "owner", "deals")
        told = [tuple(record.fields[name] for name in names) for record in found.values()]
        assert [("task", "Suite task pulled", False, deal.fields["owner"], (deal.ref.id,))] == told


class NoteTests:
    """Notes on deals."""

    def test_a_new_note_is_seen(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """It comes with the next pull, alone, as plain text whatever the CRM keeps, and is read as it was pulled."""
        _needs(adapter, Kind.NOTE)
        deal, cursor = open_deal(adapter), settle(bench, adapter, Kind.NOTE)
        ref = _write_note(bench, deal)
        let_lag_pass(bench, adapter)
        changed = pull_all(adapter, Kind.NOTE, cursor)

        assert {ref} == set(changed.records)
        assert (BODY, (deal.ref.id,)) == tuple(changed.records[ref].fields[name] for name in ("body", "deals"))
        assert changed.records == dict(adapter.read([ref])) == pull_all(adapter, Kind.NOTE).records

    def test_a_deleted_note_leaves_a_tombstone(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A note that a person deleted is reported gone."""
        _needs(adapter, Kind.NOTE)
        ref = _write_note(bench, open_deal(adapter))
        cursor = settle(bench, adapter, Kind.NOTE)
        _delete(bench, ref)

        _is_told(bench, adapter, ref, cursor)

    def test_a_deleted_note_is_not_read(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Nor is it pulled any more, whether the CRM tells of deletions or not."""
        _needs(adapter, Kind.NOTE)
        ref = _write_note(bench, open_deal(adapter))
        assert {ref} == set(adapter.read([ref]))
        _delete(bench, ref)

        _is_gone(bench, adapter, ref)

    def test_a_written_note_is_pulled(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """With its words, on its deal; the marker may stand beside them."""
        _needs(adapter, Kind.NOTE)
        deal, cursor = open_deal(adapter), settle(bench, adapter, Kind.NOTE)
        receipt = write_one(adapter, make_note(deal.ref, "pulled", body=BODY))
        let_lag_pass(bench, adapter)
        found = pull_all(adapter, Kind.NOTE, cursor).records

        assert [receipt.ref] == list(found)
        assert receipt.ref is not None
        assert BODY in str(found[receipt.ref].fields["body"])
        assert (deal.ref.id,) == found[receipt.ref].fields["deals"]

    def test_a_note_on_a_company_is_on_no_deal(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """It is pulled as a note on that company, or not at all."""
        _needs(adapter, Kind.NOTE)
        company, cursor = min(pull_all(adapter, Kind.COMPANY).records), settle(bench, adapter, Kind.NOTE)
        receipt = write_one(adapter, make_note(company, "of a company"))
        let_lag_pass(bench, adapter)
        found = pull_all(adapter, Kind.NOTE, cursor).records

        assert {receipt.ref} >= set(found)
        for note in found.values():
            assert (company.id, ()) == (note.fields.get("company"), note.fields.get("deals") or ())


class _Told(NamedTuple):
    """What an activity says."""

    type: Value
    subject: Value
    done: Value
    owner: Value
    deals: Value
    at: Value  # when it was, or midnight where the CRM keeps the day only


def _told(record: Record) -> _Told:
    return _Told(*(record.fields[name] for name in _Told._fields))


def _midnight(at: Value) -> datetime | None:
    return datetime.combine(at.date(), time(), UTC) if isinstance(at, datetime) else None


def _as_kept(at: datetime, days: Collection[Value]) -> Value:
    """Give when an activity was; a CRM that keeps only its day gave that midnight."""
    midnight = _midnight(at)
    return midnight if midnight in days else at


def _needs(adapter: Adapter, kind: Kind) -> None:
    if kind not in adapter.capabilities.kinds:
        pytest.skip(f"the adapter does not declare the kind {kind}")


def _note_activity(bench: AdapterWorkbench, deal: Record, type_: str, at: datetime, *, done: bool) -> Ref:
    hands = bench.hands
    assert isinstance(hands, ActivityHands), "the adapter declares activities, so a person can note one"
    at = at.replace(microsecond=0)
    native = hands.add_activity(deal.ref.id, type=type_, subject=f"A new {type_}", at=at, done=done)
    return Ref(CONNECTION, Kind.ACTIVITY, native)


def _write_note(bench: AdapterWorkbench, deal: Record) -> Ref:
    hands = bench.hands
    assert isinstance(hands, NoteHands), "the adapter declares notes, so a person can write one"
    return Ref(CONNECTION, Kind.NOTE, hands.add_note(deal.ref.id, BODY))


def _delete(bench: AdapterWorkbench, ref: Ref) -> None:
    hands: object = bench.hands
    if ref.kind is Kind.NOTE:
        assert isinstance(hands, NoteHands)
        hands.delete_note(ref.id)
    else:
        assert isinstance(hands, ActivityHands)
        hands.delete_activity(ref.id)


def _is_told(bench: AdapterWorkbench, adapter: Adapter, ref: Ref, cursor: str) -> None:
    if not adapter.capabilities.tombstones:
        pytest.skip("the adapter declares no tombstones")
    let_lag_pass(bench, adapter)
    changed = pull_all(adapter, ref.kind, cursor)
    assert {ref} == changed.gone
    assert ref not in changed.records


def _is_gone(bench: AdapterWorkbench, adapter: Adapter, ref: Ref) -> None:
    let_lag_pass(bench, adapter)
    assert {} == dict(adapter.read([ref]))
    assert ref not in pull_all(adapter, ref.kind).records
