"""Addresses on this page that came from outside."""

from __future__ import annotations

from urllib.parse import urlsplit


def own_path(text: str) -> str:
    """Give a path of this page to go on to; the start page for what could lead elsewhere."""
    odd = "\\" in text or any(ord(letter) <= 32 for letter in text)
    if odd or not text.startswith("/") or text.startswith("//"):
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else text
