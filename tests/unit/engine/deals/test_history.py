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

from crmbridge.engine.deals.history import fields_at, intervals, is_known, last_seen, recorded, seen_since, untold_of
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.hindsight import rewind
from crmbridge.model.courses import Course, Held
from crmbridge.model.records import Edit, Kind
from crmbridge.model.replacing import replace
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


def recorded_course(*held: tuple[int, Value], until: int, problem: str = "", field: str = "source") -> Course:
    """Make a course of values that held since days counted from NOON."""
    values = tuple(Held(NOON + day * DAY, value, None, problem) for day, value in held)
    return Course(deal=make_deal().ref, field=field, until=NOON + until * DAY, held=values)


def test_what_the_crm_recorded_comes_first() -> None:
    """Between two copies it is known by that; before and after, by what was seen."""
    course = recorded_course((-8, "web"), (-7, "ad"), (-6, "fair"), until=-5)
    deal = replace(subject(*TWICE, changed=-2), courses={"source": course})

    assert ["web", "ad", "fair", None] == source_at(deal, -8, -7, -6, -2)
    assert [True, True, False] == [is_known(deal, ["source"], NOON + day * DAY) for day in (-8, -7, -4)]
    assert [True, False] == [recorded(deal, "source", NOON + day * DAY) is not None for day in (-7, -4)]


def test_what_can_not_be_read_is_not_known() -> None:
    """What was seen counts then, and it is said what is wrong."""
    course = recorded_course((-9, None), until=-2, problem="no text")
    deal = replace(subject(*TWICE, changed=-2), courses={"source": course})

    assert ["web", False] == [source_at(deal, -7)[0], is_known(deal, ["source"], NOON - 7 * DAY)]
    assert "no text" == untold_of(deal, "source", NOON - 7 * DAY)


def test_it_is_said_why_the_crm_can_not_tell() -> None:
    """In its own words, or that its record begins later; nothing where it was not asked of that time."""
    course = Course(deal=make_deal().ref, field="source", until=NOON, why="not tracked")
    deal = replace(subject(), courses={"source": course, "owner": recorded_course((-1, "7"), until=0, field="owner")})

    assert "not tracked" == untold_of(deal, "source", NOON - DAY)
    assert "does not go back" in untold_of(deal, "owner", NOON - 2 * DAY)
    assert ["", ""] == [untold_of(deal, name, NOON + day * DAY) for name, day in (("name", 0), ("source", 1))]


@given(st.lists(st.tuples(st.integers(-20, 0), st.sampled_from(["a", "b", None])), max_size=8), st.integers(-20, 0))
def test_a_course_tells_the_truth_wherever_it_reaches(changes: list[tuple[int, Value]], begins: int) -> None:
    """Whatever the copies that were seen had: here one was seen at the beginning and one at the end."""
    true = sorted({-30: "x", **dict(changes)}.items())

    def held(day: int) -> Value:
        return [value for at, value in true if at <= day][-1]

    seen = [edit(-30, 0, "x", held(0))] if held(0) != "x" else []
    course = recorded_course((begins, held(begins)), *((at, v) for at, v in true if at > begins), until=0)
    known = subject(*seen, changed=0, source=held(0))
    made = replace(known.deal, created_at=NOON - 40 * DAY)
    deal = replace(known, deal=made, courses={"source": course})

    for day in range(begins, 1):
        assert (held(day), True) == (source_at(deal, day)[0], is_known(deal, ["source"], NOON + day * DAY))
        then = rewind(deal, NOON + day * DAY)
        assert then is not None
        assert held(day) == then.deal.fields.get("source")
        assert (held(begins), True) == (source_at(then, begins)[0], is_known(then, ["source"], NOON + begins * DAY))


def test_the_last_time_that_a_deal_was_seen_is_told() -> None:
    """The time of a copy, not later than the moment; none before the first."""
    deal = subject(*TWICE, changed=-2)

    assert [None, -6, -2] == [
        at and (at - NOON) // DAY for at in (last_seen(deal, NOON + day * DAY) for day in (-10, -3, 5))
    ]


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
