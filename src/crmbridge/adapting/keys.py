"""What records are found by without an external key: companies and contacts by what they are, notes by a marker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from crmbridge.adapting.columns import Form
from crmbridge.model.records import Record, Ref
from crmbridge.model.values import Value, folded


def folded_key(key: str) -> str:
    """Even out a natural key that comes from elsewhere, to be compared with what `natural_key` gives."""
    name, _, value = key.partition(":")
    return f"{name}:{folded(value)}"


def known_by(key: str, records: Iterable[Record]) -> Ref | None:
    """Give the first of these companies or contacts that is known by a key.

    For a CRM whose search finds what is like a key; what it found in excess is left out here.
    """
    wanted = folded_key(key)
    return next((record.ref for record in records if record.natural_key == wanted), None)


def marked(body: Value, marker: str | None) -> str:
    """Write a marker below the plain text of a note or task, which it is found by later."""
    return f"{body}\n\n[{marker}]" if marker else str(body)


def has_marker(text: str | None, marker: str) -> bool:
    """Tell whether a text has this marker, and not one that only begins with it."""
    return f"[{marker}]" in (text or "")


def domain_of(website: str) -> str | None:
    """Reduce a website, with or without its scheme, to the domain that companies are matched by."""
    text = website.strip()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return None
    return host.removeprefix("www.").rstrip(".") or None


def _read(value: Any) -> Value:
    return domain_of(value) if isinstance(value, str) else None


# The domain of a company in a CRM that keeps the address of its website.
WEBSITE = Form(_read, lambda domain: f"https://{domain}" if domain else None)
