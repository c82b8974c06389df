"""Changes that take several requests, and deals that are moved by buttons, for CRMs that are worked that way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from crmbridge.adapting.columns import Row
from crmbridge.adapting.receipts import partly
from crmbridge.errors import RefusedError, StaleError


class Step(NamedTuple):
    """One of the requests that a change takes: `do` makes it of a row that was just read, and writes these fields."""

    do: Callable[[Row], None]
    fields: Collection[str] = ()


def in_steps(steps: Sequence[Step], row: Row, read: Callable[[], Row]) -> None:
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


class Button(NamedTuple):
    """A method of a CRM's that moves deals to a stage from any of some others, and does nothing elsewhere."""

    name: str
    lefts: Collection[str]


def button_between(buttons: Mapping[str, Button], before: str, after: str) -> str | None:
    """Name the one button that leads from a stage to another; None where they are the same.

    Raises RefusedError where none does. Several in a row could break off between them, and would leave the deal where
    nobody put it.
    """
    if before == after:
        return None
    button = buttons.get(after)
    if button is None or before not in button.lefts:
        raise RefusedError(f"no button of the CRM leads from {before} to {after}")
    return button.name
