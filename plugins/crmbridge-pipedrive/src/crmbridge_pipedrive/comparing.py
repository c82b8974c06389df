"""Comparing what was sent with what is there, however Pipedrive writes numbers, blanks and texts."""

from __future__ import annotations

from typing import Any

from crmbridge_pipedrive.api import Row
from crmbridge_pipedrive.values import decimal


def differences(sent: Row, shown: Row) -> list[str]:
    """Name the fields whose value is not what was sent; one that is not shown at all counts as empty."""
    found = [name for name, value in sent.items() if name != "custom_fields" and not same(value, shown.get(name))]
    ours, theirs = sent.get("custom_fields") or {}, shown.get("custom_fields") or {}
    return found + [code for code, value in ours.items() if not same(value, theirs.get(code))]


def same(sent: Any, answered: Any) -> bool:
    """Tell whether an answer holds what was sent, however it writes numbers and blanks."""
    if sent in (None, "", []) or answered in (None, "", []):
        return (sent in (None, "", [], 0)) == (answered in (None, "", [], 0))
    if isinstance(sent, dict) and isinstance(answered, dict):
        return all(same(value, answered.get(name)) for name, value in sent.items())
    if isinstance(sent, list) and isinstance(answered, list):
        return sorted(map(str, sent)) == sorted(map(str, answered))
    try:
        return decimal(sent) == decimal(answered)
    except ValueError:
        return _letters(str(sent)) == _letters(str(answered))


def _letters(text: str) -> str:
    """Leave out what a CRM may drop or replace in a text: blanks, control characters, halves of characters."""
    return "".join(c for c in text if c.isprintable() and not c.isspace() and c != "\ufffd")
