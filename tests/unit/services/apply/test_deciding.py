"""What a plan writes must still be somebody's value when it is applied."""

from __future__ import annotations

import pytest

from crmbridge.engine.sync.merge import APART
from crmbridge.model.changes import FieldEdit
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge.services.apply.deciding import Decisions
from crmbridge.testing.factories import make_change

NORTH, SOUTH = Ref("north", Kind.DEAL, "1"), Ref("south", Kind.DEAL, "1")


def lost(after: Value, north: Value, south: Value, decided: dict[str, dict[str, Value]] | None = None) -> bool:
    """Tell whether writing a value to the south is found to be nobody's any more."""
    change = make_change(id="c", connection="south", target=SOUTH, edits=(FieldEdit("f", south, after),), link="lnk")
    views: dict[Ref, dict[str, Value]] = {NORTH: {"f": north}, SOUTH: {"f": south}}
    decisions = Decisions(
        edits={"c": {"f": after}},
        changes={"lnk": [change]},
        views={"lnk": views},
        decided=decided or {},
        members={"lnk": (NORTH, SOUTH)},
    )
    return decisions.lost(change)


@pytest.mark.parametrize(
    ("after", "north", "expected"),
    [
        ("b", "b", False),
        ("b", "c", True),
        (None, "c", True),
        (("1", "2", "3"), ("1", "2"), False),  # both sides added one: no side holds the merged set as a whole
        (("1", "2", "4"), ("1", "2"), True),
        (None, ("1",), False),  # one removed this member, the other that
    ],
)
def test_what_nobody_holds_any_more_is_lost(after: Value, north: Value, expected: bool) -> None:  # noqa: FBT001
    """A set is held where each of its members is."""
    south = ("1", "3") if isinstance(north, tuple) else "a"

    assert expected == lost(after, north, south)


def test_that_sides_may_differ_is_nobodys_value() -> None:
    """What stands in the place of an agreed value then has no members."""
    assert lost(None, "c", "a", {"lnk": {"f": APART}})
