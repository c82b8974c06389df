"""Which addresses are this machine's own."""

from __future__ import annotations

import pytest

from crmbridge.loopback import is_loopback


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "http://LOCALHOST:8700/x",
        "http://127.0.0.1:8700",
        "http://127.8.9.10",
        "http://[::1]:8700/",
        "http://someone@localhost",
    ],
)
def test_this_machine(url: str) -> None:
    """By name or by number, on any port."""
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://localhost@crm.example",
        "http://crm.example/localhost",
        "http://crm.example?@localhost",
        "http://crm.example#@localhost",
        "http://10.0.0.1",
        "http://[2001:db8::1]",
        "http://[::1",
        "http://",
        "",
    ],
)
def test_somewhere_else(url: str) -> None:
    """Also where it only looks like this machine, or can't be read."""
    assert not is_loopback(url)
