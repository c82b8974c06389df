"""Two clocks, ours and a CRM's, either of which may be put to another time."""

from __future__ import annotations

from datetime import datetime, timedelta

SLACK = timedelta(minutes=1)  # clocks that differ by less, from one pull to the next, are taken for steady
# No CRM's clock is put back by more; one of ours may have been in another year, and to read that again costs much.
FURTHEST = timedelta(days=1)


def apart(ours: datetime, theirs: datetime) -> int:
    """Give how many seconds our clock is ahead of a CRM's, which its answer says; to be kept in the cursor."""
    return round((ours - theirs).total_seconds())


def put_back(before: int | None, after: int | None) -> timedelta:
    """Tell how far a CRM's clock was put back since the last pull, or ours forward, by how far apart they were.

    What people did since may have times so much older than what was delivered, and is to be asked for. None: nobody
    knows.
    """
    if before is None or after is None:
        return timedelta(0)
    changed = timedelta(seconds=after - before)
    return min(changed, FURTHEST) if changed > SLACK else timedelta(0)
