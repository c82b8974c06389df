"""What headers say is read where it says something of use, and passed over where it is nonsense."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx

from crmbridge.errors import RetryLaterError
from crmbridge.http import Budget, Dialect, HttpClient
from crmbridge.http.headers import count_in, said_at, wait_in
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.factories import NOON

URL = "https://crm.example"
SAID = "Wed, 10 Jun 2026 12:00:00 GMT"

WAITS = {
    "11": 11,
    "0": 0,
    "1.5": 1.5,
    "1.50000000000": 1.5,
    " 7 ": 7,
    "86400": 86_400,
    "9999999": 86_400,  # a day at most
    "9" * 400: 86_400,
    "Wed, 10 Jun 2026 12:00:30 GMT": 30,
    "Wednesday, 10-Jun-26 12:00:30 GMT": 30,  # the older forms of RFC 9110
    "Wed Jun 10 12:00:30 2026": 30,
    "Wed, 10 Jun 2026 14:00:30 +0200": 30,  # not as it should be written, but plain enough
    "Wed, 10 Jun 2026 11:59:00 GMT": 0,  # over already
    "Fri, 31 Dec 9999 23:59:59 GMT": 86_400,
}
NO_WAITS = ["", "-5", "soon", "1e3", "nan", "inf", "٣", "0x10", "12 s", "Wed, 99 Jun 2026 12:00:00 GMT", "2026-06-10"]
NO_WAITS += ["Wed, 10 Jun 2026 12:00:30 +" + "9" * 30]  # Python raises another error for this one


@pytest.mark.parametrize(("said", "seconds"), WAITS.items())
def test_a_wait_is_read(said: str, seconds: float) -> None:
    """Seconds, or a date by the clock of whoever sent it, which need not be ours ("Retry-After", RFC 9110)."""
    assert timedelta(seconds=seconds) == wait_in(httpx.Headers({"retry-after": said, "date": SAID}))


@pytest.mark.parametrize("said", NO_WAITS)
def test_nonsense_is_no_wait(said: str) -> None:
    """What it stands for is left to the status."""
    assert None is wait_in({"retry-after": said, "date": SAID})


def test_a_date_without_the_time_it_was_said_at_is_no_wait() -> None:
    """Our clock may be hours beside the CRM's."""
    assert None is wait_in({"retry-after": "Wed, 10 Jun 2026 12:00:30 GMT"})
    assert None is wait_in({})


@pytest.mark.parametrize("date", ["", "noon", "Wed, 31 Feb 2026 12:00:00 GMT", "Wed, 10 Jun 2026 12:00:00 +0200"])
def test_nonsense_is_no_time(date: str) -> None:
    """Then nobody knows what time it is there."""
    assert None is said_at({"date": date})


def test_of_several_times_the_last_is_the_crms_own() -> None:
    """What stands between puts its own in front."""
    assert datetime(2026, 6, 10, 12, tzinfo=UTC) == said_at({"date": f"Wed, 10 Jun 2026 12:07:00 GMT, {SAID}"})


@pytest.mark.parametrize(
    ("said", "count"),
    [("7", 7), (" 0 ", 0), ("-1", None), ("", None), ("1.5", None), ("٣", None), ("9" * 13, None), ("9" * 5000, None)],
)
def test_a_count_is_one_that_a_crm_could_mean(said: str, count: int | None) -> None:
    """Python refuses to read a number of five thousand digits, and no budget could hold one of four hundred."""
    assert count == count_in({"left": said}, "left")


@respx.mock
@pytest.mark.parametrize("said", ["99999999", "9" * 400, "Fri, 31 Dec 2026 12:00:00 GMT"])
def test_who_asks_for_a_very_long_wait_is_not_asked_again(said: str) -> None:
    """The run ends, and says when to come back; nobody is hammered because a number is too long to be read."""
    clock = VirtualClock(NOON)
    route = respx.get(f"{URL}/deals").respond(429, headers={"retry-after": said, "date": SAID})
    budget, dialect = Budget((), clock), Dialect(judge=lambda _reply: None)
    client = HttpClient(connection="c", base_url=URL, clock=clock, budget=budget, dialect=dialect)
    with pytest.raises(RetryLaterError) as caught:
        client.read("GET", "/deals")
    client.close()

    assert (1, timedelta(days=1), NOON) == (route.call_count, caught.value.after, clock.now())
