"""Which requests go wrong: the planned ones in order, the others by a seed."""

from __future__ import annotations

import pytest

from crmbridge.sandbox import FAULTS, Faults

NAMES = tuple(FAULTS)


def drawn(seed: int, **shares: float) -> list[str]:
    """Give the faults of two hundred requests."""
    faults = Faults(shares, seed)
    return [faults.pick(NAMES, "GET", "/deals") for _ in range(200)]


def test_a_fault_that_is_not_known_is_refused() -> None:
    """At once, with the names there are; a typo must not look like a sandbox without faults."""
    with pytest.raises(ValueError, match=r"no fault 'drop'.*drop_before.*lag"):
        Faults({"drop": 0.5}, 1)
    with pytest.raises(ValueError, match="no fault 'gremlins'"):
        Faults({}, 1).plan("gremlins")


def test_the_same_seed_gives_the_same_faults() -> None:
    """Another one gives others, and about as many as the share says."""
    first = drawn(1, html=0.25, limit=0.25)

    assert first == drawn(1, html=0.25, limit=0.25)
    assert first != drawn(2, html=0.25, limit=0.25)
    assert {"html", "limit", ""} == set(first)
    assert 30 < first.count("limit") < 70


def test_shares_are_all_or_nothing_at_the_ends() -> None:
    """A share of one hits everything, a share of zero nothing."""
    assert {"html"} == set(drawn(1, html=1.0, limit=0.0))


def test_planned_faults_are_used_up_in_order() -> None:
    """First what was planned first, as often as it was planned, whatever their names."""
    faults = Faults({}, 1)
    faults.plan("drop_after", times=2)
    faults.plan("limit")
    faults.plan("drop_after")

    assert ["drop_after", "drop_after", "limit", "drop_after", ""] == [
        faults.pick(NAMES, "GET", "/deals") for _ in range(5)
    ]


def test_a_planned_fault_waits_for_its_request() -> None:
    """By method and by a part of the path; others pass, and one that waits holds no other back."""
    faults = Faults({}, 1)
    faults.plan("html", method="POST", path="/deals")
    faults.plan("limit", path="/notes")

    asked = [("GET", "/deals/1"), ("POST", "/tasks"), ("GET", "/notes"), ("POST", "/v3/deals"), ("POST", "/v3/deals")]
    assert ["", "", "limit", "html", ""] == [faults.pick(NAMES, method, path) for method, path in asked]


def test_only_faults_that_are_asked_for_strike() -> None:
    """A planned one stays for the place in a sandbox that can show it."""
    faults = Faults({}, 1)
    faults.plan("partial")

    assert "" == faults.pick(("limit", "html"), "POST", "/batch")
    assert not faults.strikes("lag", "POST", "/batch")
    assert [True, False] == [faults.strikes("partial", "POST", "/batch") for _ in range(2)]


def test_faults_can_be_forgotten() -> None:
    """Planned ones and shares."""
    faults = Faults({"html": 1.0}, 1)
    faults.plan("limit", times=9)
    faults.clear()

    assert "" == faults.pick(NAMES, "GET", "/deals")
