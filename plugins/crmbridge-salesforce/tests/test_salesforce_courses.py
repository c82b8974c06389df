"""What deals' fields held before is read off what an org records: some of it always, the rest where people chose to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crmbridge.model.courses import Course
from crmbridge.model.records import Ref
from crmbridge.model.values import Money
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.adapters.workbench import pull_all
from crmbridge_salesforce.adapter import SalesforceAdapter

MINUTE = timedelta(minutes=1)


class Desk:
    """An org, an adapter on it, and one of its deals."""

    def __init__(self, org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
        self.served, self.adapter, self.clock = org, adapter, clock
        self.state: Any = org.sandbox.state
        self.ref, self.other = sorted(pull_all(adapter).records)[:2]

    def edit(self, **values: Any) -> None:
        """A minute later, edit the deal."""
        self.clock.advance(MINUTE)
        self.state.edit_deal(self.ref.id, **values)

    def track(self, *names: str, **values: Any) -> None:
        """Track columns, which leaves a trace as soon as somebody edits them."""
        self.state.track_fields(*names)
        self.state.edit_deal(self.other.id, **values)
        self.clock.advance(timedelta(days=1))

    def ask(self, *fields: str, refs: Collection[Ref] = ()) -> list[Course]:
        """Ask what fields held in the last hour."""
        deals = list(self.adapter.read(list(refs or [self.ref])).values())
        return list(self.adapter.field_history(deals, fields, self.clock.now() - 60 * MINUTE))

    def queries(self) -> int:
        """Count the queries sent so far."""
        return sum("/query" in str(each.path) for each in self.served.sandbox.log.all())


@pytest.fixture
def desk(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> Desk:
    """Give an org with a deal."""
    return Desk(org, adapter, clock)


def values(course: Course) -> list[Any]:
    """Give the values of a course."""
    return [held.value for held in course.held]


def test_amount_and_close_date_are_recorded_in_every_org(desk: Desk) -> None:
    """There is a snapshot of each change, tracked or not (Object Reference, "OpportunityHistory")."""
    desk.edit(Amount=100)
    desk.edit(CloseDate="2026-12-24")
    desk.edit(Amount=200)
    amount, day = desk.ask("amount", "close_date")

    assert [Money(Decimal(100), "EUR"), Money(Decimal(200), "EUR")] == values(amount)[-2:]
    assert "2026-12-24" == str(values(day)[-1])


def test_a_field_that_is_not_tracked_is_unknown(desk: Desk) -> None:
    """No row is no sign that nothing changed, and it is said whose choice that is."""
    desk.edit(discount__c=10)
    (course,) = desk.ask("discount")

    assert () == course.held
    assert "may not track" in course.why


def test_a_tracked_field_is_told(desk: Desk) -> None:
    """From the old value of its first change on, in the field's type."""
    desk.track("discount__c", discount__c=5)
    desk.state.edit_deal(desk.ref.id, discount__c=10)
    desk.edit(discount__c=20)
    (course,) = desk.ask("discount")

    assert [Decimal(10), Decimal(20)] == values(course)[-2:]
    assert course.at(desk.clock.now() - 30 * MINUTE) is not None


def test_before_the_oldest_row_nobody_knows(desk: Desk) -> None:
    """A field may be tracked since yesterday, and rows of old times are deleted."""
    desk.edit(discount__c=10)
    desk.state.track_fields("discount__c")
    desk.edit(discount__c=20)
    (course,) = desk.ask("discount")

    assert [Decimal(20)] == values(course)[-1:]
    assert None is course.at(desk.clock.now() - 30 * MINUTE)


def test_where_a_field_is_tracked_no_more_nobody_knows(desk: Desk) -> None:
    """The rows of before stay, and no newer one is no sign that nothing changed."""
    desk.track("discount__c", discount__c=5)
    desk.state.untrack_fields("discount__c")
    desk.state.edit_deal(desk.ref.id, discount__c=10)
    desk.edit(discount__c=20)
    (course,) = desk.ask("discount")

    assert ((), True) == (course.held, "any more" in course.why)


def test_a_user_who_may_not_see_what_is_tracked_knows_of_what_has_rows(desk: Desk) -> None:
    """Of a deal without any, it may not be tracked any more."""
    del desk.state.tables.visible["fielddefinition"]
    desk.track("discount__c", discount__c=5)
    (silent,) = desk.ask("discount")
    desk.edit(discount__c=20)
    (told,) = desk.ask("discount")

    assert ((), True) == (silent.held, "may not see" in silent.why)
    assert [Decimal(20)] == values(told)[-1:]


def test_of_a_long_text_only_that_it_changed_is_recorded(desk: Desk, org: Served, open_adapter: Any) -> None:
    """What it held before is not (Object Reference, "EntityHistory"): unknown, not empty."""
    desk.adapter = open_adapter(org.url, org.token, fields={"pains": "pains__c"})
    desk.track("pains__c", pains__c="long")
    desk.edit(pains__c="other")
    rows = [r for r in desk.state.tables.rows("OpportunityFieldHistory").values() if r["Field"] == "pains__c"]
    (course,) = desk.ask("pains")

    assert {(None, None)} == {(row["OldValue"], row["NewValue"]) for row in rows}
    assert [(desk.clock.now(), "other")] == [(held.at, held.value) for held in course.held]


def test_a_change_of_owner_is_two_rows_and_one_change(desk: Desk) -> None:
    """One row has the names that people see, one the ids (Object Reference, "EntityHistory")."""
    users = sorted(desk.state.tables.rows("User"))
    for ref, user in ((desk.ref, users[0]), (desk.other, users[2])):
        desk.state.edit_deal(ref.id, OwnerId=user)
    desk.track("OwnerId", OwnerId=users[1])
    desk.edit(OwnerId=users[2])
    (course,) = desk.ask("owner")

    assert users[2] == values(course)[-1]
    assert 2 == len(course.held)
    assert 4 == len([r for r in desk.state.tables.rows("OpportunityFieldHistory").values() if r["Field"] == "Owner"])


def test_many_deals_cost_few_queries(desk: Desk) -> None:
    """One for the snapshots and one for the tracked fields of a few hundred deals; since when is asked once an hour."""
    desk.track("discount__c", discount__c=5)
    refs = list(pull_all(desk.adapter).records)
    desk.ask("amount", "discount", refs=refs)
    before = desk.queries()
    found = desk.ask("amount", "discount", refs=refs)

    assert 2 * len(refs) == len(found)
    assert 2 == desk.queries() - before - desk_reads(desk, refs)


def desk_reads(desk: Desk, refs: Collection[Ref]) -> int:
    """Count the queries that reading the deals themselves takes."""
    before = desk.queries()
    desk.adapter.read(list(refs))
    return desk.queries() - before
