"""What CRMs recorded of a field is one course, however often and in which parts it is read."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from crmbridge.model.courses import Course, Held, joined, without_repeats
from crmbridge.model.records import Kind, Ref
from crmbridge.testing.factories import NOON

HOUR = timedelta(hours=1)
DEAL = Ref("north", Kind.DEAL, "1")
STEPS = st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abc")), min_size=1, max_size=8)


def course(*held: tuple[int, str], until: int, **parts: object) -> Course:
    """Make a course of values held since hours after NOON."""
    values = tuple(Held(NOON + at * HOUR, value) for at, value in held)
    return Course(deal=DEAL, field="source", until=NOON + until * HOUR, held=values, **parts)  # type: ignore[arg-type]


def seen_from(history: list[tuple[int, str]], since: int, until: int) -> Course:
    """Make the course that a CRM with this history gives of a time."""
    before = [one for one in history if one[0] <= since][-1:]
    return course(*before, *(one for one in history if since < one[0] <= until), until=until)


def test_a_value_is_told_from_its_beginning_to_the_end_of_the_course() -> None:
    """Before and after, nothing is."""
    found = course((2, "a"), (4, "b"), until=6)

    assert [None, "a", "a", "b", "b", None] == [
        held and held.value for held in (found.at(NOON + hour * HOUR) for hour in (1, 2, 3, 4, 6, 7))
    ]


@given(STEPS, st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_two_readings_that_meet_are_one(steps: list[tuple[int, str]], since: int, middle: int, again: int) -> None:
    """They tell at every moment what one reading of all of it does, and tell of no change twice."""
    history = sorted(dict(steps).items())
    first, second = seen_from(history, min(since, middle), middle), seen_from(history, min(again, middle), 20)
    whole = joined(first, second)
    begins = min((part.held[0].at for part in (first, second) if part.held), default=None)

    assert list(without_repeats(whole.held)) == list(whole.held) or not first.held
    for hour in range(21):
        moment = NOON + hour * HOUR
        if begins is not None and moment >= begins and whole.at(moment):
            assert [value for at, value in history if at <= hour][-1] == whole.at(moment).value  # type: ignore[union-attr]


def test_what_is_read_in_another_way_replaces_it() -> None:
    """A field that is bound to another one of the CRM's has another course."""
    other = course((3, "x"), until=5, reading="new")

    assert other == joined(course((1, "a"), until=5, reading="old"), other)


def test_an_older_answer_changes_nothing() -> None:
    """Of two readings the one that reaches further stays."""
    known = course((1, "a"), until=5)

    assert known == joined(known, course((1, "b"), until=4))
