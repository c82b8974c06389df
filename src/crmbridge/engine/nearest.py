"""Find the name that someone probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 64  # characters that are compared; ids are never longer


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Give the allowed name that looks most like this one, or None when none comes close."""
    by_folded = {known.casefold()[:LONGEST]: known for known in allowed}
    found = difflib.get_close_matches(name.casefold()[:LONGEST], by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None
