"""What a deal's fields held earlier is read off the edits that were seen."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.history import fields_at, intervals, is_known, seen_since
from crmbridge.engine.subject import Subject
from crmbridge.model.records import Edit, Kind
from crmbridge.model.values import Value
from crmbridge.testing.factories import NOON, make_deal, make_record, make_subject

DAY = timedelta(days=1)


def edit(since: int, at: int, before: Value, after: Value, field: str = "source") -> Edit:
    """Make an edit that was made between two days, counted from NOON."""
    return Edit(field=field, since=NOON + since * DAY, at=NOON + at * DAY, before=before, after=after)


def subject(*edits: Edit, changed: int = 0, **fields: Value) -> Subject:
    """Make a deal that was last changed on a day."""
    return make_subject(deal=make_deal(fields=fields, updated_at=NOON + changed * DAY), edits=edits)


def source_at(deal: Subject, *days: int) -> list[Value]:
    """Give what the field held on each of these days."""
    return [fields_at(deal, NOON + day * DAY).get("source") for day in days]


TWICE = (edit(-9, -6, "web", "fair"), edit(-6, -2, "fair", None))


def test_edits_are_walked_back() -> None:
    """The value before counts until the copy that shows the one after; other fields are as they are."""
    deal = subject(*TWICE, changed=-2)

    assert ["web", "web", "fair", "fair", None, None] == source_at(deal, -20, -7, -6, -3, -2, 5)
    assert "Deal 1" == fields_at(deal, NOON - 20 * DAY)["name"]


def test_edits_may_come_in_any_order() -> None:
    """They are sorted by time."""
    assert source_at(subject(*TWICE), -8, -4) == source_at(subject(*reversed(TWICE)), -8, -4)


@pytest.mark.parametrize(
    ("day", "known"), [(-10, False), (-9, True), (-7, False), (-6, True), (-4, False), (-2, True), (1, True)]
)
def test_between_two_copies_nobody_knows(day: int, known: bool) -> None:  # noqa: FBT001  a column of the table
    """At the moments of the copies it is known, and before the first one not."""
    assert known is is_known(subject(*TWICE, changed=-2), ["source"], NOON + day * DAY)


def test_a_field_without_edits_is_known_since_the_deal_is() -> None:
    """Even between two copies; without any edit, since it was last changed."""
    deal = subject(*TWICE, changed=-2)

    assert NOON - 9 * DAY == seen_since(deal)
    assert [False, True] == [is_known(deal, ["owner"], NOON + day * DAY) for day in (-10, -7)]
    assert [False, True] == [is_known(subject(changed=-2), ["owner"], NOON + day * DAY) for day in (-3, -2)]


def test_the_position_is_no_field() -> None:
    """It is remembered so that it is known when the deal was looked at."""
    deal = subject(edit(-9, -6, "a", "b", field="stage"))

    assert "stage" not in fields_at(deal, NOON - 8 * DAY)


def test_activities_are_counted_as_of_then() -> None:
    """Where they were pulled; else nobody knows how many there were."""
    activities = [make_record(Kind.ACTIVITY, n, fields={"done": True, "at": NOON - n * DAY}) for n in (1, 5)]
    deal = make_deal(fields={"activities_done": Decimal(2)})
    pulled, unknown = make_subject(deal=deal, activities=activities), make_subject(deal=deal)
    moment = NOON - 3 * DAY

    assert (Decimal(1), True) == (
        fields_at(pulled, moment)["activities_done"],
        is_known(pulled, ["activities"], moment),
    )
    assert not is_known(unknown, ["activities"], NOON + DAY)


def days(found: Sequence[tuple[Any, Any]]) -> list[tuple[int, int | None]]:
    """Give intervals as days from NOON."""
    return [((start - NOON) // DAY, None if end is None else (end - NOON) // DAY) for start, end in found]


WAITING = (
    edit(-9, -8, "us", "customer", "waiting_on"),
    edit(-8, -5, "customer", "legal", "waiting_on"),
    edit(-5, -3, "legal", "us", "waiting_on"),
    edit(-3, -1, "us", "customer", "waiting_on"),
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["customer"], [(-8, -5), (-1, None)]),
        (["customer", "legal"], [(-8, -3), (-1, None)]),
        (["us"], [(-9, -8), (-3, -1)]),
        (["nobody"], []),
    ],
)
def test_intervals_say_when_a_field_held_a_value(values: list[str], expected: list[tuple[int, int | None]]) -> None:
    """Values that follow each other are one; the last one goes on; before the first copy nothing is known."""
    assert expected == days(intervals(subject(*WAITING, waiting_on="customer"), "waiting_on", values))


def test_intervals_know_yes_and_choices() -> None:
    """A yes/no field goes by yes and no, one with several choices by each of them."""
    assert [(0, None)] == days(intervals(subject(paused=True), "paused", ["yes"]))
    assert [(0, None)] == days(intervals(subject(paused=("a", "b")), "paused", ["b"]))
    assert [] == days(intervals(subject(paused=None), "paused", ["yes"]))


@given(values=st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=8), shuffled=st.data())
def test_fields_and_intervals_agree(values: list[Value], shuffled: st.DataObject) -> None:
    """On each day the field held one of the values exactly where an interval says so."""
    made = [edit(day, day + 1, was, now) for day, (was, now) in enumerate(itertools.pairwise(values)) if was != now]
    deal = subject(*shuffled.draw(st.permutations(made)), changed=len(values) - 1, source=values[-1])
    found = intervals(deal, "source", ["a", "b"])
    first = seen_since(deal)

    for day in range(len(values) + 1):
        moment = NOON + day * DAY
        inside = any(start <= moment and (end is None or moment < end) for start, end in found)
        assert moment < first or inside == (fields_at(deal, moment).get("source") in {"a", "b"})
