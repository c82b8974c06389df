"""What a first walk begins with, asked for while the org's set-up is read: its columns need not be known for that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from crmbridge.errors import RefusedError
from crmbridge.http import together
from crmbridge.model.records import Kind
from crmbridge_salesforce.mapping import OBJECTS
from crmbridge_salesforce.org import COLLECTION, Answer, Org
from crmbridge_salesforce.schema import STAMPS
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.soql import select

STAMP = STAMPS[0]  # where an object can't be sorted by it, this is of no use
MOST = COLLECTION  # rows, which one request reads by their ids; the details of so many take one query each


class Beginning(NamedTuple):
    """The count of an object's rows, and the ids of the first of them with their stamps; when that was asked for."""

    counted: Answer
    first: Answer
    most: int  # ids that were asked for
    at: datetime

    @property
    def now(self) -> datetime | None:
        """The org's own time when it began, where the answers say it."""
        return min((answer.now for answer in (self.counted, self.first) if answer.now is not None), default=None)


def begin(org: Org, setup: Setup, kind: Kind, most: int, at: datetime) -> Beginning | None:
    """Ask for all of it side by side, and of deals whether their stages are tracked; None where that is refused."""
    table = OBJECTS[kind]
    first = select(["Id", STAMP], table, order=f"{STAMP}, Id", limit=most)
    jobs: list[Callable[[], Any]] = [
        partial(org.query_now, select(["COUNT()"], table)),
        partial(org.query_now, first),
        *([setup.tracks_stages] if kind is Kind.DEAL else []),  # which it remembers
    ]
    try:
        counted, named, *_ = together(jobs)
    except RefusedError:
        return None
    return Beginning(counted, named, most, at)
