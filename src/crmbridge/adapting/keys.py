"""What records are found by without an external key: companies and contacts by what they are, notes by a marker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from crmbridge.adapting.columns import Form
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value

KNOWN_BY: Mapping[Kind, tuple[str, ...]] = {Kind.COMPANY: ("domain", "name"), Kind.CONTACT: ("email",)}


def natural_key(kind: Kind, fields: Mapping[str, Value]) -> str | None:
    """Give what a company or contact with these fields is known by, as `Adapter.find` is asked for it.

    A company with a domain is not known by its name. None where there is nothing to know it by. Case and spaces are
    evened out, so that keys of the same thing are equal.
    """
    found = ((name, fields.get(name)) for name in KNOWN_BY[kind])
    return next((folded_key(f"{name}:{value}") for name, value in found if value), None)


def folded_key(key: str) -> str:
    """Even out a natural key that comes from elsewhere, to be compared with what `natural_key` gives."""
    name, _, value = key.partition(":")
    return f"{name}:{' '.join(value.split()).casefold()}"


def known_by(key: str, records: Iterable[Record]) -> Ref | None:
    """Give the first of these companies or contacts that is known by a key.

    For a CRM whose search finds what is like a key; what it found in excess is left out here.
    """
    wanted = folded_key(key)
    return next((record.ref for record in records if natural_key(record.ref.kind, record.fields) == wanted), None)


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
