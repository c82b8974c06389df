"""Which Host and Origin a request may have, and where an address may lead."""

from __future__ import annotations

import pytest

from crmbridge.web.addresses import own_path
from crmbridge.web.gate import hosts_of
from crmbridge.web.rendering import link

PUBLIC = "https://crm.example.com"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8750", True),
        ("localhost", True),
        ("[::1]:8750", True),
        ("CRM.example.com", True),
        ("crm.internal:443", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil@localhost", False),
        ("localhost:8750, evil.example", False),
        ("", False),
        ("[::1", False),
        ("lоcalhost", False),  # noqa: RUF001  a Cyrillic letter
    ],
)
def test_only_its_own_names_are_answered(host: str, *, allowed: bool) -> None:
    """With any port, as a proxy may listen elsewhere; what can't be read is none."""
    assert allowed == hosts_of("127.0.0.1", PUBLIC, ["crm.internal"]).allow(host)


def test_an_address_that_others_reach_is_not_called_localhost() -> None:
    """Only by the names that were given."""
    hosts = hosts_of("0.0.0.0", None, ["crm.internal"])  # noqa: S104  nothing listens

    assert [False, False, True] == [hosts.allow(host) for host in ("localhost", "0.0.0.0", "crm.internal")]  # noqa: S104


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://127.0.0.1:8750", True),
        (PUBLIC, True),
        (None, False),
        ("null", False),
        ("http://127.0.0.1:9999", False),
        ("https://crm.example.com.evil.example", False),
        ("http://crm.example.com", False),
    ],
)
def test_only_its_own_pages_may_send_forms(origin: str | None, *, own: bool) -> None:
    """By the address that the browser is at, or the public one behind a proxy."""
    assert own == hosts_of("127.0.0.1", PUBLIC, []).is_own(origin, "127.0.0.1:8750")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/deals?page=2", "/deals?page=2"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_after_signing_in_one_stays_here(text: str, path: str) -> None:
    """Wherever the address says to go on to."""
    assert path == own_path(text)


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://crm.example/deal/1", True),
        ("http://crm.example", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt://x/%0aalert(1)", False),
        ("data:text/html,x", False),
        ("https://", False),
        ("https://[", False),
        (None, False),
    ],
)
def test_links_lead_to_pages_only(url: str | None, *, linked: bool) -> None:
    """What a CRM gives as an address may be anything."""
    assert linked == (link(url) is not None)
