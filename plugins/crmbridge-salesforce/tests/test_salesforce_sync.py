"""The adapter on its sandbox where the facts warn: late rows, cut walks, quiet activity, locks, rules, merges."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice, pairwise

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Record, Status
from crmbridge.model.values import Money, Value
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox import Rule

from .orgs import Opener, deals, state_of


def settle(adapter: SalesforceAdapter, clock: VirtualClock) -> tuple[dict[str, Record], str]:
    """Pull everything, let a day pass, and give the deals with the cursor of a quiet pull."""
    pages = list(adapter.pull(Kind.DEAL, None))
    clock.advance(timedelta(days=1))
    return deals(pages), list(adapter.pull(Kind.DEAL, pages[-1].cursor))[-1].cursor


def make_update(record: Record, place: Position | None = None, **fields: Value) -> Change:
    """Make the change of a deal."""
    edits = tuple(FieldEdit(name, record.fields.get(name), value) for name, value in fields.items())
    return make_change(record.ref.id, target=record.ref, edits=edits, position=place, position_before=record.position)


def test_a_walk_that_was_cut_goes_on_where_it_was(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """A full pull that died after two pages is continued: all deals come once, also those changed in between."""
    adapter = open_adapter(org.url, org.token, page_size=6)
    whole = deals(list(adapter.pull(Kind.DEAL, None)))
    early = list(islice(adapter.pull(Kind.DEAL, None), 2))
    clock.advance(timedelta(minutes=30))
    missing = sorted(set(whole) - set(deals(early)))
    state_of(org).edit_deal(missing[0], NextStep="changed while nobody walked")
    rest = list(adapter.pull(Kind.DEAL, early[-1].cursor))

    assert 12 == len(deals(early))
    assert set(whole) == set(deals(early)) | set(deals(rest))
    assert set() == set(deals(early)) & set(deals(rest))


def test_rows_of_one_second_are_walked_by_id(org: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """More rows than a page share one stamp: none is lost at a page's end, and the walk ends (airbyte issue 17148)."""
    adapter = open_adapter(org.url, org.token, page_size=6)
    known, cursor = settle(adapter, clock)
    for deal in known:
        state_of(org).edit_deal(deal, NextStep="Everybody at once")
    pages = list(adapter.pull(Kind.DEAL, cursor))

    assert [6, 6, 6, 2, 0] == [len(page.records) for page in pages]
    assert set(known) == set(deals(pages))


def test_a_row_that_was_committed_late_is_not_lost(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock
) -> None:
    """A row stamped before rows that were already pulled becomes visible afterwards (airbyte issue 27146)."""
    known, cursor = settle(adapter, clock)
    first, second = sorted(known)[:2]
    clock.advance(timedelta(minutes=1))
    org.sandbox.faults.plan("lag", times=1000)
    state_of(org).edit_deal(first, Name="Slow transaction")
    clock.advance(timedelta(seconds=10))
    early = list(adapter.pull(Kind.DEAL, cursor))
    org.sandbox.faults.clear()
    clock.advance(timedelta(seconds=30))
    state_of(org).edit_deal(second, Name="Fast transaction")
    late = list(adapter.pull(Kind.DEAL, early[-1].cursor))

    assert first not in deals(early)
    assert {"Slow transaction", "Fast transaction"} == {record.fields["name"] for record in deals(late).values()}


def test_a_contact_that_was_added_shows_although_the_deal_did_not_change(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock
) -> None:
    """A contact role need not touch the stamp of its deal; its deal comes with the next pull all the same."""
    known, cursor = settle(adapter, clock)
    deal = min(known)
    others = {record.ref.id for page in adapter.pull(Kind.CONTACT, None) for record in page.records}
    new = min(others - set(known[deal].fields["contacts"] or ()))  # type: ignore[arg-type]  # a tuple of ids
    clock.advance(timedelta(minutes=1))
    state_of(org).insert("OpportunityContactRole", {"OpportunityId": deal, "ContactId": new})
    clock.advance(timedelta(hours=1))
    found = deals(list(adapter.pull(Kind.DEAL, cursor)))

    assert {deal} == set(found)
    assert new in (found[deal].fields["contacts"] or ())  # type: ignore[operator]  # a tuple of ids
    assert known[deal].version == found[deal].version


def test_our_notes_are_no_activities(adapter: SalesforceAdapter) -> None:
    """A note is a finished task in the org, and would pass a rule that asks for activities if it counted."""
    deal = min(record.ref for record in deals(list(adapter.pull(Kind.DEAL, None))).values())
    before = adapter.read([deal])[deal].fields
    note = make_change(action=Action.NOTE, target=deal, key="m-1", edits=(FieldEdit("body", None, "Look here"),))

    assert Outcome.APPLIED == adapter.write([note])[0].outcome
    assert before == adapter.read([deal])[deal].fields


def test_runs_of_one_stage_are_one_move(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """OpportunityHistory has a row per change of amount too; only changes of stage are moves."""
    known, cursor = settle(adapter, clock)
    deal = next(r for r in known.values() if r.position and r.position.status is Status.OPEN)
    for amount in (100, 200):
        clock.advance(timedelta(minutes=1))
        state_of(org).edit_deal(deal.ref.id, Amount=amount)
    clock.advance(timedelta(minutes=1))
    state_of(org).edit_deal(deal.ref.id, StageName="Closed Lost")
    moves = [move for page in adapter.pull(Kind.DEAL, cursor) for move in page.moves]

    stages = [move.after.stage for move in moves]
    assert all(one != other for one, other in pairwise(stages))
    assert (deal.position, Position("default", "Closed Lost", Status.LOST)) == (moves[-1].before, moves[-1].after)
    assert state_of(org).human == moves[-1].by


def test_two_edits_in_one_second_are_two_versions(org: Served, adapter: SalesforceAdapter) -> None:
    """Stamps have whole seconds, so what stands in the row is part of its version."""
    deal = min(record.ref for record in deals(list(adapter.pull(Kind.DEAL, None))).values())
    versions = []
    for step in ("one", "two"):
        state_of(org).edit_deal(deal.id, Name=step)
        versions.append(adapter.read([deal])[deal].version)

    assert versions[0] != versions[1]


@pytest.mark.parametrize(("held_for", "outcome"), [(2, Outcome.APPLIED), (99, Outcome.FAILED)])
def test_locked_rows_are_tried_again(
    org: Served, adapter: SalesforceAdapter, monkeypatch: pytest.MonkeyPatch, held_for: int, outcome: Outcome
) -> None:
    """Somebody else holds a row: nothing but trying again helps (jsforce issue 1018); held on, it failed for now."""
    free, held = sorted(deals(list(adapter.pull(Kind.DEAL, None))).values(), key=lambda r: r.ref)[:2]
    state = state_of(org)
    state.locked.add(held.ref.id)
    seen: list[str] = []

    def pass_time(_seconds: float) -> None:
        seen.append("waited")
        if len(seen) >= held_for:
            state.locked.clear()

    monkeypatch.setattr(org.sandbox.clock, "sleep", pass_time)
    receipts = adapter.write([make_update(free, name="Free"), make_update(held, name="Held")])

    assert [Outcome.APPLIED, outcome] == [receipt.outcome for receipt in receipts]
    assert 2 == len(seen)
    requests = org.sandbox.log.matching("PATCH", "/composite/sobjects")
    assert [2, 1, 1] == [len(request.body["records"]) for request in requests]


def test_a_validation_rule_refuses_with_its_own_words(org: Served, adapter: SalesforceAdapter) -> None:
    """The org's own rule stops a stage, and people read why in the receipt."""
    deal = next(
        r
        for r in deals(list(adapter.pull(Kind.DEAL, None))).values()
        if r.position and r.position.stage != "Closed Won"
    )
    words = "Say who signed before you close"
    rule = Rule(refuses=lambda before, after: before is not None and after["StageName"] == "Closed Won", message=words)
    state_of(org).rules.append(rule)
    receipt = adapter.write([make_update(deal, Position("default", "Closed Won", Status.WON))])[0]

    assert Outcome.REFUSED == receipt.outcome
    assert words in receipt.message
    assert deal.position == adapter.read([deal.ref])[deal.ref].position


def test_contacts_are_added_and_taken_off(org: Served, adapter: SalesforceAdapter) -> None:
    """A deal's contacts lie in another object, and are brought to what is wanted there."""
    deal = next(r for r in deals(list(adapter.pull(Kind.DEAL, None))).values() if r.fields["contacts"])
    others = [record.ref.id for page in adapter.pull(Kind.CONTACT, None) for record in page.records]
    wanted = tuple(sorted(set(others) - set(deal.fields["contacts"] or ())))[:2]  # type: ignore[arg-type]  # a tuple of ids
    receipt = adapter.write([make_update(deal, contacts=wanted)])[0]

    assert Outcome.APPLIED == receipt.outcome
    assert wanted == adapter.read([deal.ref])[deal.ref].fields["contacts"]
    again = adapter.write([make_update(deal, contacts=("003Sb00000zzzzz",))])[0]
    assert (Outcome.REFUSED, True) == (again.outcome, "contacts" in again.message)


def test_a_checkbox_is_ticked_and_never_empty(adapter: SalesforceAdapter) -> None:
    """A checkbox knows only yes and no; clearing it unticks it."""
    deal = min(deals(list(adapter.pull(Kind.DEAL, None))).values(), key=lambda r: r.ref)
    found = []
    for value in (True, None):
        assert Outcome.APPLIED == adapter.write([make_update(deal, review=value)])[0].outcome
        found.append(adapter.read([deal.ref])[deal.ref].fields["review"])

    assert [True, False] == found


def test_merged_accounts_say_into_which(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """The recycle bin tells a merge from a deletion by the winner's id."""
    pages = list(adapter.pull(Kind.COMPANY, None))
    winner, loser = sorted(record.ref for page in pages for record in page.records)[:2]
    clock.advance(timedelta(minutes=1))
    state_of(org).merge("Account", winner.id, loser.id)
    gone = [stone for page in adapter.pull(Kind.COMPANY, pages[-1].cursor) for stone in page.tombstones]

    assert [(loser, winner, clock.now())] == [(stone.ref, stone.merged_into, stone.at) for stone in gone]


def test_an_org_with_one_currency_has_no_currency_field(adapter: SalesforceAdapter) -> None:
    """CurrencyIsoCode is absent there, not null: it is not asked for, and the connection's currency stands in."""
    described = adapter.describe()

    assert ("EUR",) == described.currencies
    assert "CurrencyIsoCode" not in {field.name for field in described.fields}
    amounts = [record.fields["amount"] for record in deals(list(adapter.pull(Kind.DEAL, None))).values()]
    assert {"EUR"} == {amount.currency for amount in amounts if isinstance(amount, Money)}


def test_a_cursor_of_something_else_is_refused(adapter: SalesforceAdapter) -> None:
    """A state that was mixed up is said, not walked."""
    for cursor in ("tomorrow", "[]", '{"at": "2026-01-01"}'):
        with pytest.raises(ConfigurationError):
            list(adapter.pull(Kind.DEAL, cursor))
