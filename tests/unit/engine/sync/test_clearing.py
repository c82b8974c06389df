"""A field that is emptied in very many deals of a CRM is emptied in none; what else was edited goes on."""

from __future__ import annotations

from crmbridge.engine.sync.clearing import hold_clears
from crmbridge.model.changes import Cause, Change, FieldEdit
from crmbridge.settings import Cap
from crmbridge.testing.factories import make_change

CAP = Cap(records=2, percent=0)
MANY = [("before", "after"), (None, "after"), (None, ()), ("", None)] * 3


def emptied(number: int, *names: str, connection: str = "south") -> Change:
    edits = tuple(FieldEdit(name, f"{name} before", None) for name in names)
    return make_change(number, connection=connection, link=f"l{number}", edits=edits)


def test_each_field_of_each_crm_is_counted_alone() -> None:
    """Some that empty this field here, and as many that empty it elsewhere, or another one, are no mass."""
    changes = [emptied(n, "source", "need") for n in range(2)]
    changes += [emptied(n, "source", connection="north") for n in range(2)]

    assert (changes, []) == hold_clears(changes, CAP, lambda: 4)


def test_one_field_that_is_emptied_too_often_is_held_and_nothing_else() -> None:
    """Each deal waits under its own link, with what it still holds."""
    changes = [emptied(0, "need", "source"), emptied(1, "source"), emptied(2, "source"), emptied(3, "need")]
    kept, held = hold_clears(changes, CAP, lambda: 4)

    assert [("l0", ["need"]), ("l3", ["need"])] == [(each.link, [edit.name for edit in each.edits]) for each in kept]
    assert ["l0", "l1", "l2"] == [item.link for item in held]
    assert {("source", Cause.CLEAR)} == {(item.name, item.cause) for item in held}
    assert {"south": "source before"} == held[0].values


def test_what_is_written_or_was_empty_before_is_no_emptying() -> None:
    """However many deals get another value, or another way of being empty."""
    changes = [make_change(n, edits=(FieldEdit("source", before, after),)) for n, (before, after) in enumerate(MANY)]

    assert (changes, []) == hold_clears(changes, CAP, lambda: len(MANY))


def test_the_cap_grows_with_the_deals_that_are_linked() -> None:
    """A part of very many is more than a few."""
    changes = [emptied(n, "source") for n in range(5)]

    assert (changes, []) == hold_clears(changes, Cap(records=2, percent=5), lambda: 100)
    assert [] == hold_clears(changes, Cap(records=2, percent=5), lambda: 99)[0]
