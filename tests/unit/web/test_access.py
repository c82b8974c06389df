"""Who may come in: tokens, sessions, and how often one may guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmbridge.sandbox import VirtualClock
from crmbridge.web.access import (
    LASTS,
    MOST_SESSIONS,
    TRIES,
    WITHIN,
    Access,
    Key,
    Role,
    TooManyTriesError,
    carries,
    digest_of,
)

NOON = datetime(2026, 6, 8, 12, tzinfo=UTC)
HERE = "10.0.0.1"


def access_at(clock: VirtualClock) -> Access:
    """Let anna act and the team read."""
    keys = [Key("anna", Role.ACT, digest_of("token-of-anna")), Key("team", Role.READ, digest_of("token-of-team"))]
    return Access(keys, clock.now)


def test_a_token_begins_a_session_of_its_role() -> None:
    """And anything else begins none."""
    access = access_at(VirtualClock(NOON))
    sessions = [
        access.session(access.sign_in(token, HERE)) for token in ("token-of-anna", "token-of-team", "", "x\udc80")
    ]

    assert [("anna", True), ("team", False), None, None] == [s and (s.name, s.may_act) for s in sessions]


def test_a_session_ends_by_itself() -> None:
    """Twelve hours after it began, however much it was used."""
    clock = VirtualClock(NOON)
    access = access_at(clock)
    cookie = access.sign_in("token-of-anna", HERE)
    clock.advance(LASTS - timedelta(seconds=1))
    assert access.session(cookie)
    clock.advance(timedelta(seconds=1))

    assert access.session(cookie) is None


def test_signing_out_ends_that_session_only() -> None:
    """The other one of the same token goes on."""
    access = access_at(VirtualClock(NOON))
    first, second = access.sign_in("token-of-anna", HERE), access.sign_in("token-of-anna", HERE)
    access.sign_out(first)

    assert (None, "anna") == (access.session(first), (access.session(second) or pytest.fail("none")).name)


def test_a_form_is_good_for_its_own_session() -> None:
    """Not for another one, even of the same person; nor is an empty one, or the cookie itself."""
    access = access_at(VirtualClock(NOON))
    cookies = [access.sign_in("token-of-anna", HERE) for _ in range(2)]
    mine, other = (access.session(cookie) for cookie in cookies)
    assert mine
    assert other

    assert [True, False, False, False] == [carries(mine, f) for f in (mine.form, other.form, "", str(cookies[0]))]


def test_guessing_is_slowed_down() -> None:
    """After ten wrong tokens even the right one is not looked at for a while; other addresses go on."""
    clock = VirtualClock(NOON)
    access = access_at(clock)
    for _ in range(TRIES):
        assert access.sign_in("guessed", HERE) is None
    with pytest.raises(TooManyTriesError) as caught:
        access.sign_in("token-of-anna", HERE)

    assert WITHIN.total_seconds() + 1 == caught.value.seconds
    assert access.sign_in("token-of-anna", "10.0.0.2")
    clock.advance(WITHIN + timedelta(seconds=1))
    assert access.sign_in("token-of-anna", HERE)


def test_guessing_from_many_addresses_of_one_network_is_slowed_down() -> None:
    """Whoever has one address of IPv6 has some 18 quintillions of them."""
    access = access_at(VirtualClock(NOON))
    for number in range(TRIES):
        access.sign_in("wrong", f"2001:db8::{number + 1:x}")

    with pytest.raises(TooManyTriesError):
        access.sign_in("wrong", "2001:db8::dead:beef")

    assert access.sign_in("wrong", "2001:db8:0:1::1") is None


def test_sessions_do_not_fill_the_memory() -> None:
    """The oldest ends when there are too many."""
    access = access_at(VirtualClock(NOON))
    cookies = [access.sign_in("token-of-team", HERE) for _ in range(MOST_SESSIONS + 1)]

    assert [True, False, False] == [access.session(cookies[i]) is None for i in (0, 1, -1)]
