"""What clears a rule that does not hold, in words."""

from __future__ import annotations

from collections.abc import Collection

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.rules.files import FILES, UNREAD


def remedy(missing: Collection[str], subject: Subject) -> str:
    """Say what to do about what a rule misses: fields of the deal, files on it, or the right to look for them."""
    fields = [name for name in missing if name not in {FILES, UNREAD}]
    said = [f"Fill in or correct: {subject.field_names(fields)}."] if fields else []
    if FILES in missing:
        said.append("Attach the file to the deal.")
    if UNREAD in missing:
        said.append(f"{'Or let' if fields else 'Let'} files be read; `crmbridge doctor` says how.")
    return " ".join(said) or "Make it hold."
