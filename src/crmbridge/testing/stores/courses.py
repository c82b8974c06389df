"""What every state store must remember of what CRMs recorded: part of the StoreSuite."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from crmbridge.model.courses import Course, Held
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.ports import StateStore
from crmbridge.testing.stores.makers import HOUR, START, make_ref

VALUES = (
    None,
    "a text, and ünïcode",
    True,
    Decimal("1.50"),
    Money(Decimal("1234.50"), "EUR"),
    date(2026, 6, 10),
    START,
    ("a", "b"),
)


class CourseSuite:
    """What fields of deals held before, as their CRMs recorded it."""

    def test_a_course_is_remembered_with_all_its_values(self, store: StateStore) -> None:
        """Of every type, with who set them and what is wrong with one; by deal and field."""
        held = tuple(Held(START + number * HOUR, value, "7") for number, value in enumerate(VALUES))
        course = _course(held=(*held, Held(START + 9 * HOUR, None, None, "no number")), until=START + 10 * HOUR)
        other = replace(course, deal=make_ref("2"), field="amount", held=(), why="not tracked")
        store.courses.save([course, other])

        found = store.courses.of([make_ref(), make_ref("2"), make_ref("3")])
        assert {make_ref(): {"source": course}, make_ref("2"): {"amount": other}} == found

    def test_nothing_is_known_of_what_was_not_asked(self, store: StateStore) -> None:
        """No deals, no courses."""
        store.courses.save([])

        assert ({}, {}) == (store.courses.of([]), store.courses.of([make_ref()]))

    def test_one_that_is_known_of_is_found_among_many(self, store: StateStore) -> None:
        """Wherever its id stands in the order of letters, beside what other connections have."""
        letters = "\x00 ~AZaz\x7f\u00e9\u4e2d\uffff\U0001f600"
        ids = [*map(str, range(5, 30)), *(f"{letter}1" for letter in letters), ""]
        for number, known in enumerate(ids):
            many = [make_ref(each, connection=f"c{number}") for each in ids]
            before = len(store.courses.of(many))
            store.courses.save([_course(deal=make_ref(known, connection=f"c{number}"))])

            assert (0, 1) == (before, len(store.courses.of(many))), ascii(known)

    def test_what_is_read_again_is_joined(self, store: StateStore) -> None:
        """The same change, read twice, is one; what is known of earlier stays."""
        first = _course(held=(Held(START, "fair"), Held(START + 2 * HOUR, "web")), until=START + 3 * HOUR)
        again = _course(held=(Held(START + 2 * HOUR, "web"), Held(START + 4 * HOUR, "ad")), until=START + 5 * HOUR)
        store.courses.save([first])
        store.courses.save([again])

        found = store.courses.of([make_ref()])[make_ref()]["source"]
        assert ["fair", "web", "ad"] == [one.value for one in found.held]
        assert START + 5 * HOUR == found.until

    def test_a_crm_that_can_not_tell_any_more_takes_nothing_away(self, store: StateStore) -> None:
        """What was known stays known, and it is remembered up to when the CRM was asked."""
        first = _course(held=(Held(START, "fair"),), until=START + HOUR)
        store.courses.save([first])
        store.courses.save([_course(held=(), until=START + 3 * HOUR, why="not tracked any more")])

        found = store.courses.of([make_ref()])[make_ref()]["source"]
        assert (first.held, START + HOUR, START + 3 * HOUR) == (found.held, found.until, found.asked_until)


def _course(**parts: object) -> Course:
    usual = {"deal": make_ref(), "field": "source", "reading": "r", "until": START, "held": ()}
    return Course(**{**usual, **parts})  # type: ignore[arg-type]
