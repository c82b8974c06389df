"""Who calls: whoever is connected, or whom a proxy of ours names."""

from __future__ import annotations

import pytest

from crmbridge.web.callers import Proxies, counted_as


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["203.0.113.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["203.0.113.1", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["198.51.100.7, 10.0.0.6"], "198.51.100.7"),
        ("10.0.0.5", ["198.51.100.7:49152"], "198.51.100.7"),
        ("10.0.0.5", ["[2001:db8::7]:49152"], "2001:db8::7"),
        ("10.0.0.5", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["unknown"], "10.0.0.5"),
        ("10.0.0.5", ["198.51.100.7, <script>"], "10.0.0.5"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("", ["198.51.100.7"], ""),
    ],
)
def test_the_last_address_that_is_no_proxy_calls(peer: str, forwarded: list[str], expected: str) -> None:
    """What a caller wrote itself stands before it, and is not read."""
    assert expected == Proxies(["10.0.0.0/24"]).caller(peer, forwarded)


def test_without_proxies_the_header_is_not_read() -> None:
    """Anybody can write it."""
    assert "10.0.0.5" == Proxies().caller("10.0.0.5", ["198.51.100.7"])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("2001:db8::ffff:7", "2001:db8::/64"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:198.51.100.7", "::ffff:198.51.100.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_network_of_ipv6_is_one_caller(address: str, expected: str) -> None:
    """Else whoever has one would be a new caller at every try."""
    assert expected == counted_as(address)
