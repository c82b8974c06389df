"""What is said of pages that come where answers should."""

from __future__ import annotations

import pytest

from crmbridge.http.quoting import words_of


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
