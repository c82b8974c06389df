"""What becomes of links when their records are merged into others."""

from __future__ import annotations

from crmbridge.engine.sync.survivors import follow_merges, left_over
from crmbridge.model.records import Kind, Ref
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


def test_of_places_that_are_alike_the_first_by_name_is_taken() -> None:
    """In whatever order the state gives them, so that every run says the same."""
    a, b, c = make_ref("a"), make_ref("b"), make_ref("c")

    for links in ({"l": (a,), "m": (b,)}, {"m": (b,), "l": (a,)}):
        assert {"l": (c,), "m": (b,)} == follow_merges(links, {a: c, b: c})


def test_what_is_left_of_a_merge_is_known_by_the_link_of_the_survivor() -> None:
    """Of deals, of which each has a link of its own; one that was merged into a deal without a link left nothing."""
    a, b, c, other = make_ref("a"), make_ref("b"), make_ref("c"), make_ref("x", connection="south")
    firms = {name: Ref("north", Kind.COMPANY, name) for name in "pq"}
    links = {"l": (a, other), "m": (b,), "p": (firms["p"],), "q": (firms["q"],)}

    assert {"m": {"l"}} == left_over(links, {a: b, firms["p"]: firms["q"]})
    assert {} == left_over(links, {a: c})


def test_merges_in_a_circle_lead_nowhere() -> None:
    """A CRM that says such a thing does not hang us."""
    a, b = make_ref("a"), make_ref("b")

    assert {"l": (a,)} == follow_merges({"l": (a,)}, {a: b, b: a})
