"""Record ids in their one form: 18 characters."""

from __future__ import annotations

import re
from functools import lru_cache

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
SHORT = 15  # characters of an id as old exports and the address bar show it
_FORM = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def is_id(text: str) -> bool:
    """Tell whether a text has the form of a record id, of 15 or 18 characters."""
    return _FORM.fullmatch(text) is not None


def to_18(record_id: str) -> str:
    """Write an id in its 18-character form; what is no id stays as it is.

    The last three characters say which of the fifteen before them are capitals, five at a time, so that ids stay
    apart where case is lost.
    """
    if len(record_id) != SHORT or not is_id(record_id):
        return record_id
    return record_id + "".join(_check(record_id[start : start + 5]) for start in (0, 5, 10))


@lru_cache(maxsize=4096)  # ids of one object differ in their last characters only
def _check(part: str) -> str:
    return _ALPHABET[sum(1 << place for place, char in enumerate(part) if "A" <= char <= "Z")]
