"""Deals that a CRM moves by buttons of its own, and writes only as they were read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from crmbridge.adapting.columns import Row
from crmbridge.adapting.keys import marked, natural_key
from crmbridge.adapting.receipts import partly
from crmbridge.adapting.steps import Step, in_steps
from crmbridge.adapting.tables import Table
from crmbridge.errors import RefusedError, StaleError
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind, Ref


class Button(NamedTuple):
    """A method of a CRM's that moves deals to a stage from any of some others, and does nothing elsewhere."""

    name: str
    lefts: Collection[str]


class Desk(Protocol):
    """What a workflow asks of its CRM, and by what names. A row is a deal as the CRM gives it."""

    @property
    def tables(self) -> Mapping[Kind, Table]:
        """Where the CRM keeps what."""
        ...

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a record, as `Adapter.find` does."""
        ...

    def row(self, deal: Ref) -> Row:
        """Read a deal as it is now; raises RefusedError where it is gone."""
        ...

    def values(self, change: Change, row: Row) -> dict[str, Any]:
        """Give what a change writes on a deal's row, under the CRM's names; the row of a new deal is empty."""
        ...

    def add(self, kind: Kind, values: Mapping[str, Any]) -> Ref:
        """Make a record; a deal, in the first stage."""
        ...

    def note(self, on: Ref, text: str) -> Ref:
        """Write a note on a deal or company."""
        ...

    def tell(self, row: Row, method: str, *params: Any) -> None:
        """Call a button's method, or the one that writes values, of a deal that is still as it was read.

        Raises StaleError where it is not.
        """
        ...


class Workflow(Struct, frozen=True, kw_only=True):
    """How deals are made, edited and moved with a CRM's buttons.

    A button leads to each stage that has one. A move that takes several is refused: they could break off between
    them, and would leave the deal where nobody put it. A deal that is edited and moved takes two requests. Whatever
    goes wrong after the first is unclear, and what somebody else wrote meanwhile is not overwritten.
    """

    buttons: Mapping[str, Button]  # by the stage that they lead to
    first: str  # the stage that deals are made in
    closed: Collection[str]  # stages in which a deal takes few edits, so that it is moved first
    write: str = "write"  # the method that takes values

    def make(self, change: Change, desk: Desk) -> Ref:
        """Make one change and give what was written; raises RefusedError for what there is no way to do.

        A company or contact that is there already, by its natural key, is not made again.
        """
        match change.action, change.kind, change.target:
            case Action.CREATE, Kind.DEAL, _:
                return self.create(change, desk)
            case Action.CREATE, (Kind.COMPANY | Kind.CONTACT) as kind, _:
                key = natural_key(kind, change.after)
                there = desk.find(kind, key, None) if key else None
                return there or desk.add(kind, desk.tables[kind].values(change.after, {}))
            case Action.UPDATE, Kind.DEAL, Ref() as deal:
                return self.update(change, deal, desk)
            case Action.NOTE, _, Ref() as on:
                return desk.note(on, marked(change.after["body"], change.key))
        raise RefusedError(f"there is no way to {change.action} a {change.kind}")

    def create(self, change: Change, desk: Desk) -> Ref:
        """Make a deal and move it to its stage; gives its name."""
        after = change.position.stage if change.position else self.first
        button = self._button(self.first, after)
        deal = desk.add(Kind.DEAL, desk.values(change, {}))
        if button:
            with partly(f"the deal was made in stage {self.first} and is not in {after} yet"):
                self._click(desk, button, after, desk.row(deal))
        return deal

    def update(self, change: Change, deal: Ref, desk: Desk) -> Ref:
        """Edit a deal and move it; gives its name."""
        deals, row = desk.tables[Kind.DEAL], desk.row(deal)
        if change.expects not in {None, row[deals.version]}:
            raise StaleError("somebody changed the deal since it was read")
        before = deals.stage(row)
        after = change.position.stage if change.position else before
        button, values = self._button(before, after), desk.values(change, row)
        steps = [Step(lambda row: desk.tell(row, self.write, values), values)] if values else []
        steps += [Step(lambda row: self._click(desk, button, after, row))] if button else []
        in_steps(reversed(steps) if before in self.closed else steps, row, lambda: desk.row(deal))
        return deal

    def _button(self, before: str, after: str) -> str | None:
        if before == after:
            return None
        button = self.buttons.get(after)
        if button is None or before not in button.lefts:
            raise RefusedError(f"no button of the CRM leads from {before} to {after}")
        return button.name

    def _click(self, desk: Desk, button: str, after: str, row: Row) -> None:
        deals = desk.tables[Kind.DEAL]
        desk.tell(row, button)
        with partly(f"the CRM took the click on {button}"):
            if (stage := deals.stage(desk.row(deals.ref("", row[deals.id])))) != after:  # some wait for a second person
                raise RefusedError(f"it left the deal in {stage}")
