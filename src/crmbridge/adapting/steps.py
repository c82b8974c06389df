"""Changes that take several requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from crmbridge.adapting.columns import Row
from crmbridge.adapting.receipts import partly
from crmbridge.errors import StaleError


class Step(NamedTuple):
    """One of the requests that a change takes: `do` makes it of a row that was just read, and writes these fields."""

    do: Callable[[Row], None]
    fields: Collection[str] = ()


def in_steps(steps: Iterable[Step], row: Row, read: Callable[[], Row]) -> None:
    """Make a change of a row step by step; before each but the first the row is read again.

    What somebody else wrote meanwhile, in a field that the next step writes, is not overwritten: the rest is left
    undone. Whatever goes wrong after the first step is unclear.
    """
    for done, step in enumerate(steps):
        with partly("only a part was written" if done else ""):
            before, row = row, read() if done else row
            if any(before.get(name) != row.get(name) for name in step.fields):
                raise StaleError("somebody changed it meanwhile")
            step.do(row)
