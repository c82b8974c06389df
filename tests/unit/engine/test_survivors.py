"""What becomes of links when their records are merged into others."""

from __future__ import annotations

from crmbridge.engine.survivors import follow_merges
from crmbridge.testing.factories import make_ref


def test_a_merge_is_followed_to_its_end() -> None:
    """One that was merged into a deal which was merged itself."""
    a, b, c, other = make_ref("a"), make_ref("b"), make_ref("c"), make_ref("x", connection="south")

    assert {"l": (c, other)} == follow_merges({"l": (a, other)}, {a: b, b: c})


def test_a_survivor_with_a_link_of_its_own_keeps_it() -> None:
    """A deal stands in one link only; of two that were merged into a new one, the first link gets it."""
    a, b, c = make_ref("a"), make_ref("b"), make_ref("c")
    own = {"l": (a,), "m": (c,)}

    assert own == follow_merges(own, {a: c})
    assert {"l": (c,), "m": (b,)} == follow_merges({"l": (a,), "m": (b,)}, {a: c, b: c})


def test_a_survivor_takes_the_place_that_has_counterparts() -> None:
    """The first link by name may have none, or only some that are gone; it would be given new ones beside the old."""
    a, b, c = make_ref("a"), make_ref("b"), make_ref("c")
    gone, there = make_ref("x", connection="south"), make_ref("y", connection="south")

    alone = {"l": (a,), "m": (b, there)}
    assert {"l": (a,), "m": (c, there)} == follow_merges(alone, {a: c, b: c})
    left = {"l": (a, gone), "m": (b, there)}
    assert {"l": (a, gone), "m": (c, there)} == follow_merges(left, {a: c, b: c}, {gone})
    assert {"l": (c, gone), "m": (b, there)} == follow_merges(left, {a: c, b: c}, {gone, there})
    assert {"l": (a, gone), "m": (c, there)} == follow_merges(left, {a: c, b: c}, likeness={"l": 1, "m": 2})


def test_merges_in_a_circle_lead_nowhere() -> None:
    """A CRM that says such a thing does not hang us."""
    a, b = make_ref("a"), make_ref("b")

    assert {"l": (a,)} == follow_merges({"l": (a,)}, {a: b, b: a})
