"""What the headers of an answer say: the time there, how long to wait, and how many of something there are."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=1)  # nobody is asked to come back later than that; what says so is a mistake
_DATE = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
_COUNT = re.compile(r"[0-9]{1,12}")
_SECONDS = re.compile(r"([0-9]+)(?:\.[0-9]*)?")

Headers = Mapping[str, str]


def said_at(headers: Headers) -> datetime | None:
    """Read what time it is where an answer comes from, where it says that."""
    found = _DATE.findall(headers.get("date", ""))
    return _moment(found[-1]) if found else None  # of several, the last: what stands between puts its own in front


def wait_in(headers: Headers) -> timedelta | None:
    """Read how long an answer asks us to wait: in seconds, or until a date by the clock of who sent it.

    What is said in another way says nothing, as does a date without the time at which it was said. It is a day at most.
    """
    text = headers.get("retry-after", "").strip()
    if found := _SECONDS.fullmatch(text):
        return min(LONGEST, timedelta(seconds=float(text))) if len(found[1]) < 10 else LONGEST
    until, now = _moment(text), said_at(headers)
    return min(LONGEST, max(timedelta(0), until - now)) if until is not None and now is not None else None


def count_in(headers: Headers, name: str) -> int | None:
    """Read a number of things; None where it is not said, or is none that a CRM could mean."""
    text = headers.get(name, "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


@functools.lru_cache(maxsize=64)  # all that is answered within a second says the same
def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
