"""Find the name that someone probably meant."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 64  # characters that are compared; ids are never longer


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Give the allowed name that looks most like this one, or None when none comes close."""
    from difflib import get_close_matches  # noqa: PLC0415  only where a name is wrong

    by_folded = {known.casefold()[:LONGEST]: known for known in allowed}
    found = get_close_matches(name.casefold()[:LONGEST], by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None
