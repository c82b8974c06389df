"""The AdapterSuite's tests of what fields held before, for adapters that declare that their CRM can tell."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Action, Outcome
from crmbridge.model.courses import Course
from crmbridge.model.records import Record, Ref
from crmbridge.model.values import Money
from crmbridge.ports import Adapter, tells_field_history
from crmbridge.testing.adapters.changes import make_update, open_deal, write_one
from crmbridge.testing.adapters.hands import TrackingHands
from crmbridge.testing.adapters.workbench import CURRENCY, AdapterWorkbench, pull_all

EDITED = "decision_maker"  # a text field that the world fills
MINUTE = timedelta(minutes=1)
MANY = 120  # more than fit in one batch of any CRM that is known


class FieldHistoryTests:
    """What a CRM recorded is told as it was, and what it did not is never taken for what did not change."""

    def test_field_history_is_declared_where_it_is(self, adapter: Adapter) -> None:
        """An adapter that declares it can be asked; of no fewer than no deals at all."""
        declared = adapter.capabilities.field_history

        assert 0 <= declared
        assert callable(getattr(adapter, "field_history", None)) or not declared

    def test_a_field_is_told_as_it_was_at_each_moment(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Before an edit, between two of them and after: in the form in which the field itself is read."""
        _prepare(bench, adapter)
        before, since = open_deal(adapter, 0), bench.clock.now()
        for value in ("First", "Second"):
            bench.clock.advance(MINUTE)
            bench.hands.edit_deal(before.ref.id, **{bench.fields[EDITED]: value})
        bench.clock.advance(MINUTE)
        (course,) = _ask(adapter, [deal := _read(adapter, before.ref)], {EDITED}, since)

        moments = [since + MINUTE / 2 + number * MINUTE for number in range(2)]
        assert [before.fields.get(EDITED), "First"] == [held and held.value for held in map(course.at, moments)]
        assert (before.ref, EDITED, deal.updated_at) == (course.deal, course.field, course.until)
        assert "Second" == course.held[-1].value == deal.fields[EDITED]

    def test_values_are_of_the_type_of_the_field(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """An amount that was changed is told as an amount, with its currency, before and after."""
        _prepare(bench, adapter)
        if Action.UPDATE not in adapter.capabilities.actions:
            pytest.skip("the adapter changes nothing")
        before, since, after = open_deal(adapter, 0), bench.clock.now(), Money(Decimal("4321.50"), CURRENCY)
        bench.clock.advance(MINUTE)
        assert Outcome.APPLIED == write_one(adapter, make_update(before, fields={"amount": after})).outcome
        bench.clock.advance(MINUTE)
        bench.hands.edit_deal(before.ref.id, **{bench.fields[EDITED]: "Later"})
        (course,) = _ask(adapter, [_read(adapter, before.ref)], {"amount"}, since)

        moments = [since + MINUTE / 2, since + 3 * MINUTE / 2]
        assert [before.fields["amount"], after] == [held and held.value for held in map(course.at, moments)]

    def test_a_field_that_nobody_changed_held_its_value(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """It is known at a moment before an edit of another field."""
        _prepare(bench, adapter)
        deal, since = open_deal(adapter, 0), bench.clock.now()
        bench.clock.advance(MINUTE)
        bench.hands.edit_deal(deal.ref.id, **{bench.fields["objections"]: "None that we know"})
        (course,) = _ask(adapter, [_read(adapter, deal.ref)], {EDITED}, since)

        held = course.at(since)
        assert held is not None
        assert deal.fields.get(EDITED) == held.value

    def test_what_the_crm_can_not_tell_says_why(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A field that is none has no values, and words instead."""
        _prepare(bench, adapter)
        (course,) = _ask(adapter, [open_deal(adapter, 0)], {"no_such_field"}, bench.clock.now())

        assert () == course.held
        assert course.why

    def test_many_deals_each_get_their_answer(self, crowded: AdapterWorkbench) -> None:
        """More than fit in one request: each is told of once, and by itself."""
        adapter = crowded.open()
        _prepare(crowded, adapter)
        deals = list(pull_all(adapter).records.values())[: min(MANY, adapter.capabilities.field_history)]
        courses = _ask(adapter, deals, {EDITED, "amount"}, crowded.clock.now())
        adapter.close()

        assert sorted((deal.ref, field) for deal in deals for field in (EDITED, "amount")) == sorted(
            (course.deal, course.field) for course in courses
        )

    def test_no_course_is_made_up_for_what_was_not_read(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A CRM that does not answer raises; what it did not say is not taken for no change."""
        _prepare(bench, adapter)
        deal, another = open_deal(adapter, 0), bench.open()  # which has read nothing yet
        bench.served.sandbox.faults.plan("error_503", times=1000)

        with pytest.raises(CrmbridgeError):
            _ask(another, [deal], {EDITED}, bench.clock.now())


def _prepare(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Let fields be tracked where that is a choice, and have been changed before; without the capability, skip."""
    if not adapter.capabilities.field_history:
        pytest.skip("the adapter declares no field history")
    if isinstance(bench.hands, TrackingHands):
        bench.hands.track_fields(bench.fields[EDITED])
    bench.hands.edit_deal(max(bench.hands.deal_ids()), **{bench.fields[EDITED]: "Whoever it was"})
    bench.clock.advance(timedelta(days=1))


def _read(adapter: Adapter, ref: Ref) -> Record:
    return adapter.read([ref])[ref]


def _ask(adapter: Adapter, deals: Sequence[Record], fields: Collection[str], since: datetime) -> list[Course]:
    assert tells_field_history(adapter)
    return list(adapter.field_history(deals, fields, since))
