"""Activities: what those that were pulled come to, deal by deal."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crmbridge.engine.deals.activities import asks_for_activities, by_deal, counted
from crmbridge.model.records import Kind, Record
from crmbridge.model.values import Value
from crmbridge.testing.factories import NOON, make_deal, make_process, make_record, make_stage

DAY = timedelta(days=1)


def activity(number: int, at: datetime | None, *, done: bool = False, deals: Value = ("1",)) -> Record:
    """Make an activity on deal 1."""
    return make_record(Kind.ACTIVITY, number, fields={"done": done, "at": at, "deals": deals})


def of_deal(*activities: Record, **fields: Value) -> dict[str, Value]:
    """Give what deal 1 has of its activities."""
    deal = counted(make_deal(fields=fields), by_deal(activities).get("1", ()))
    return {name: value for name, value in deal.fields.items() if "activit" in name}


def test_activities_are_counted_by_what_became_of_them() -> None:
    """With the latest that is done and the earliest that is open, also where that is overdue."""
    done = [activity(1, NOON - 3 * DAY, done=True), activity(2, NOON - DAY, done=True)]
    waiting = [activity(3, NOON + DAY), activity(4, NOON - 2 * DAY), activity(5, None)]

    assert {
        "activities": Decimal(5),
        "activities_done": Decimal(2),
        "activities_open": Decimal(3),
        "last_activity_at": NOON - DAY,
        "next_activity_at": NOON - 2 * DAY,
    } == of_deal(*done, *waiting)


def test_a_deal_without_activities_has_none() -> None:
    """Counted as zero: they were pulled, and there are none. What the CRM counted before is not believed."""
    zero = dict.fromkeys(("activities", "activities_done", "activities_open"), Decimal(0))
    found = of_deal(activity(1, NOON, deals=("2",)), activities=Decimal(7))

    assert {**zero, "last_activity_at": None, "next_activity_at": None} == found


def test_an_activity_counts_for_each_deal_once() -> None:
    """However often the CRM names it; one on no deal counts for none."""
    found = by_deal(
        [activity(1, NOON, deals=("1", "2", "1")), activity(2, NOON, deals=()), activity(3, NOON, deals=None)]
    )

    assert {"1": 1, "2": 1} == {deal: len(activities) for deal, activities in found.items()}


def test_times_that_the_crm_gives_stay() -> None:
    """It may know of activities that nobody may read any more."""
    given = {"last_activity_at": NOON - 9 * DAY, "next_activity_at": None}
    found = of_deal(activity(1, NOON, done=True), activity(2, NOON + DAY), **given)

    assert (NOON - 9 * DAY, NOON + DAY) == (found["last_activity_at"], found["next_activity_at"])


@pytest.mark.parametrize(
    ("asks", "rule"),
    [
        (True, {"check": {"activities": {"at_least": 2, "state": "done"}}}),
        (True, {"check": {"required": ["amount"]}, "when": {"activities": {}}}),
        (True, {"check": {"dates": {"field": "next_activity_at", "from_days": 0}}}),
        (False, {"check": {"required": ["amount"]}}),
    ],
)
def test_a_process_asks_for_activities_where_a_rule_looks_at_them(asks: bool, rule: dict[str, Any]) -> None:  # noqa: FBT001  a parameter of the test
    """In what must hold, or in when it must."""
    process = make_process(stages=[make_stage(exit=[{"id": "r", **rule}])])

    assert asks is asks_for_activities(process)
