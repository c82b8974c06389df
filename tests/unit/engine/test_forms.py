"""What a record stands for, where its CRM made something else of what it was given."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crmbridge.engine.forms import Read, read, sent
from crmbridge.model.values import Value

THIRD, ROUNDED = Decimal("0.333333"), Decimal("0.33")


def kept(value: Value = THIRD, form: Value = ROUNDED) -> dict[str, Value]:
    """Give the base after a value was written at version 1 and its form was seen at version 2."""
    base = sent([("x", value)], "1")
    return {**base, **read({"x": form}, base, "2").news}


def test_without_marks_a_record_stands_for_what_it_holds() -> None:
    """Nothing was written there that could have become something else."""
    assert ({"x": ROUNDED}, {}) == read({"x": ROUNDED}, {"x": THIRD}, "2")


def test_a_form_that_is_seen_after_a_write_stands_for_what_was_written() -> None:
    """Also in every later version, as long as the form is there."""
    assert {"x": THIRD} == read({"x": ROUNDED}, sent([("x", THIRD)], "1"), "2").now
    assert ({"x": THIRD}, {}) == read({"x": ROUNDED}, kept(), "3")


def test_what_is_seen_later_is_an_edit() -> None:
    """A person may round as well; what was sent is looked at once."""
    base = sent([("x", THIRD)], "1")
    looked = {**base, **read({"x": THIRD}, base, "2").news}

    assert {"x": ROUNDED} == read({"x": ROUNDED}, looked, "3").now


def test_what_no_crm_makes_of_a_value_is_an_edit() -> None:
    """However soon after the write it is seen."""
    assert {"x": Decimal(7)} == read({"x": Decimal(7)}, sent([("x", THIRD)], "1"), "2").now


def test_an_edit_of_a_form_is_an_edit() -> None:
    """The form is forgotten, so that typing it later is an edit as well."""
    seen = read({"x": Decimal(7)}, kept(), "3")

    assert {"x": Decimal(7)} == seen.now
    assert {"x": ROUNDED} == read({"x": ROUNDED}, {**kept(), **seen.news}, "4").now


def test_the_form_of_an_earlier_value_does_not_stand_for_a_later_one() -> None:
    """A person types what the CRM had made of an earlier value, before the later one was seen there."""
    base = {**kept(), **sent([("x", Decimal(200))], "2")}

    assert {"x": ROUNDED} == read({"x": ROUNDED}, base, "4").now


def test_the_form_of_a_later_value_takes_the_place_of_an_earlier_one() -> None:
    """In whichever order the marks of both are kept."""
    base = {**kept(), **sent([("x", Decimal("0.777777"))], "3")}
    for marks in (base, dict(reversed(base.items()))):
        seen = read({"x": Decimal("0.78")}, marks, "4")

        assert {"x": Decimal("0.777777")} == seen.now
        assert {"x": Decimal("0.777777")} == read({"x": Decimal("0.78")}, {**base, **seen.news}, "5").now


def test_a_copy_from_before_the_write_settles_nothing() -> None:
    """A CRM that keeps the same form as before may show no new version; the next one is looked at all the same."""
    base = sent([("x", THIRD)], "1")
    early = read({"x": ROUNDED}, base, "1")

    assert Read({"x": THIRD}, {}) == early
    assert {"x": THIRD} == read({"x": Decimal("0.3333")}, {**base, **early.news}, "2").now


@pytest.mark.parametrize("cleared", [None, "", "other"])
def test_what_was_emptied_or_replaced_since_does_not_come_back(cleared: Value) -> None:
    """What was sent before is compared with nothing once something else was written."""
    base = {**sent([("x", THIRD)], "1"), **sent([("x", cleared)], "2")}

    assert {"x": ROUNDED} == read({"x": ROUNDED}, base, "3").now


def test_a_field_that_is_gone_stands_for_nothing() -> None:
    """The connection does not bind it any more."""
    assert {} == read({}, kept(), "3").now
