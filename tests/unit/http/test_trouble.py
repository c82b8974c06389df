"""What is said of servers that were not reached, and of pages that come where answers should."""

from __future__ import annotations

import httpx
import pytest

from crmbridge.http.trouble import advice_for, why, words_of

CERTIFICATE = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "connection refused"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "name or service not known"),
        (httpx.ConnectError(CERTIFICATE), "certificate verify failed: self-signed certificate"),
        (
            httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
            "it does not speak https there",
        ),
        (httpx.ConnectError(""), "connect error"),
        (httpx.ConnectTimeout("timed out"), "connect timeout"),
        (httpx.ProxyError("403 Forbidden"), "proxy error"),
    ],
)
def test_it_is_said_why_a_server_was_not_reached(error: Exception, said: str) -> None:
    """In the system's words, without its numbers; where it has none, by the kind of error."""
    assert said == why(error)


def test_a_certificate_that_nobody_knows_has_advice_of_its_own() -> None:
    """It comes of a proxy more often than of a wrong address."""
    assert ("SSL_CERT_FILE" in advice_for(httpx.ConnectError(CERTIFICATE))) is True
    assert ("SSL_CERT_FILE" in advice_for(httpx.ConnectError("[Errno 111] Connection refused"))) is False


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"<!DOCTYPE HTML>\n<html><head><title>Not found &amp; gone</title></head><body><h1>x",
            'a page, "Not found & gone"',
        ),
        (b" <html><body>We are back soon", "a page"),
        (b"<html><title></title>", "a page"),
        (b"<errors><error>INVALID</error></errors>", "<errors><error>INVALID</error></errors>"),
        (b'{"error": "<html>"}', '{"error": "<html>"}'),
        ("não".encode(), "não"),
    ],
)
def test_of_a_page_only_its_title_is_told(content: bytes, said: str) -> None:
    """Anything else that came is the CRM's own words."""
    assert said == words_of(content)
