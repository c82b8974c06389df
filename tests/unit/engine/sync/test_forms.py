"""What a CRM makes of the values it is given: looked at once, quiet from then on, and no edit is taken for it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crmbridge.engine.sync.forms import Read, has_missed, missed, overwritten, read, refused, sent, was_refused
from crmbridge.model.values import Money, Value

CASES = [
    pytest.param(Decimal("10.126"), Decimal("10.13"), Decimal("10.14"), id="rounded"),
    pytest.param(Money(Decimal(0), "EUR"), None, Money(Decimal(5), "EUR"), id="no empty amount"),
    pytest.param("a very long name of a deal", "a very long name of a", "another name", id="cut"),
    pytest.param("Acme  Ltd ", "acme ltd", "acme inc", id="case and spaces"),
    pytest.param(
        datetime(2026, 6, 10, 12, 0, 31, tzinfo=UTC),
        datetime(2026, 6, 10, 12, 0, tzinfo=UTC),
        datetime(2026, 6, 10, 12, 5, tzinfo=UTC),
        id="seconds",
    ),
]


def look(now: Value, base: dict[str, Value], version: str) -> Read:
    """Look at a record as sync does: what is remembered of it is kept."""
    found = read({"x": now}, base, version)
    base.update(found.news)
    return found


@pytest.mark.parametrize(("written", "kept", "edited"), CASES)
def test_a_form_stands_for_the_whole_value(written: Value, kept: Value, edited: Value) -> None:
    """After one look there is nothing more to remember, and it is the whole value; an edit is seen as what it is."""
    base = sent([("x", written)], "1")

    assert written == look(kept, base, "2").now["x"]
    assert Read({"x": written}, {}) == look(kept, base, "3")
    assert edited == look(edited, base, "4").now["x"]
    assert kept == look(kept, base, "5").now["x"], "what was edited since is no form any more"


@pytest.mark.parametrize(("written", "kept", "edited"), CASES)
def test_what_is_no_form_is_an_edit(written: Value, kept: Value, edited: Value) -> None:
    """An edit before the first look, too, unless it could be a form."""
    base = sent([("x", written)], "1")

    assert edited == look(edited, base, "2").now["x"]
    assert kept == look(kept, base, "3").now["x"]


def test_the_form_of_an_older_value_is_forgotten_when_another_is_written() -> None:
    """A person who writes what looks like the old form writes a value of their own."""
    base = sent([("x", "Acme")], "1")
    look("acme", base, "2")
    base.update(sent([("x", "Other")], "2"))

    assert "acme" == look("acme", base, "3").now["x"]


def test_the_form_of_a_later_value_takes_the_place_of_an_older_one() -> None:
    """In whatever order the marks are kept, the new form stays."""
    base = sent([("x", Decimal("1.21"))], "1")
    look(Decimal("1.2"), base, "2")
    base.update(sent([("x", Decimal("7.77"))], "2"))
    look(Decimal("7.8"), base, "3")

    assert Decimal("7.77") == look(Decimal("7.8"), base, "4").now["x"]


def test_a_record_without_marks_stands_for_what_it_holds() -> None:
    """Nothing was written there."""
    assert Read({"x": "held"}, {}) == read({"x": "held"}, {"x": "base"}, "1")


THIRD, ROUNDED = Decimal("0.333333"), Decimal("0.33")


def test_what_a_deal_was_made_with_is_looked_at_once_as_well() -> None:
    """It had no version before. Its CRM kept it as it was, so what a person types later is no form of it."""
    base = sent([("x", "Acme Ltd")], None)

    assert "Acme Ltd" == look("Acme Ltd", base, "1").now["x"]
    assert "ACME LTD" == look("ACME LTD", base, "2").now["x"]


@pytest.mark.parametrize("looked", [True, False])
def test_what_was_taken_back_is_no_form_of_what_was_sent(*, looked: bool) -> None:
    """An undo wrote something else there, as if a person had: also where that looks like a form."""
    base = sent([("x", THIRD)], "1")
    if looked:
        look(ROUNDED, base, "2")
    base.update(overwritten(["x"]))

    assert ROUNDED == look(ROUNDED, base, "3").now["x"]


def test_a_copy_from_before_the_write_that_may_be_a_form_is_no_edit() -> None:
    """A CRM that keeps the same form as before may show no new version; the next one is looked at all the same."""
    base = sent([("x", THIRD)], "1")

    assert Read({"x": THIRD}, {}) == look(ROUNDED, base, "1")
    assert THIRD == look(Decimal("0.3333"), base, "2").now["x"]


@pytest.mark.parametrize("cleared", [None, "", "other"])
def test_what_was_emptied_or_replaced_since_does_not_come_back(cleared: Value) -> None:
    """What was sent before is compared with nothing once something else was written."""
    base = {**sent([("x", THIRD)], "1"), **sent([("x", cleared)], "2")}

    assert {"x": ROUNDED} == read({"x": ROUNDED}, base, "3").now


@pytest.mark.parametrize(("written", "kept", "edited"), CASES)
def test_a_field_that_is_left_out_comes_back_as_it_was(written: Value, kept: Value, edited: Value) -> None:
    """It stands for nothing while the connection does not bind it, and what was kept of it is no edit after that."""
    base = sent([("x", written)], "1")
    look(kept, base, "2")

    assert Read({}, {}) == read({}, base, "3")
    assert written == look(kept, base, "3").now["x"]
    assert edited == look(edited, base, "4").now["x"]


def test_what_was_refused_counts_until_the_field_holds_it() -> None:
    """Whatever else stands there, it was refused before; once a person entered it, it can be taken back and tried."""
    base: dict[str, Value] = {"x": "old", **refused([("x", "new")])}

    assert Read({"x": "other"}, {}) == look("other", base, "1")
    assert (True, False) == (was_refused("x", "new", base), was_refused("x", "newer", base))
    assert {"@refused:x": None} == look("new", base, "2").news
    assert not was_refused("x", "new", base)


def test_what_was_missed_counts_until_something_is_agreed_on_with_it() -> None:
    """What people edit there stands for itself in any case; what nobody edited has missed nothing."""
    base: dict[str, Value] = {"x": None}
    base |= missed("x", base)

    assert Read({"x": "old"}, {}) == look("old", base, "1")
    assert has_missed("x", base)
    assert not has_missed("x", {**base, "x": "new"})
    assert {"@missed:x": None} == look(None, base, "1").news
    assert not has_missed("x", base)
