"""Orgs with several currencies: a deal has one for all its amounts, which goes along with each that is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crmbridge.adapting import turned_amounts
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_salesforce.encode import CURRENCY
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.mapping import Shape
from crmbridge_salesforce.org import Org, Row
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.values import cell_of, money


class Currencies:
    """Looks at the amounts that deals have, where writing one of them could turn the others into another currency."""

    def __init__(self, org: Org, setup: Setup, shape: Shape) -> None:
        self._org = org
        self._setup = setup
        self._shape = shape

    def turning(self, changes: Sequence[Change]) -> list[tuple[Change, str, str]]:
        """Give the changes that would turn amounts of their deal into another currency, with which, and the column."""
        deals = [change for change in changes if change.kind is Kind.DEAL]
        asked = [change for change in deals if any(isinstance(value, Money) for value in change.after.values())]
        amounts = self._amounts() if asked else {}
        if len(amounts) < 2:
            return []
        there = list(dict.fromkeys(_target(each) for each in asked if each.action is Action.UPDATE and each.target))
        rows = self._org.rows(self._shape.object, there, ["Id", CURRENCY, *amounts.values()]) if there else ()
        held = {to_18(str(row["Id"])): _held(row, amounts) for row in rows}
        said = [(each, turned_amounts(each.after, held.get(_target(each), {}))) for each in asked]
        return [(change, why, CURRENCY) for change, why in said if why]

    def _amounts(self) -> Mapping[str, str]:
        """Give the columns of a deal's amounts by the names of their fields, where the org has several currencies."""
        table = self._setup.table_if_there(self._shape.object)
        if table is None or CURRENCY not in table.columns:
            return {}
        bound = [(each.name, table.find(each.native)) for each in self._shape.bindings if each.type is FieldType.MONEY]
        return {name: column.name for name, column in bound if column is not None}


def _target(change: Change) -> str:
    return to_18(change.target.id) if change.target else ""


def _held(row: Row, amounts: Mapping[str, str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, column in amounts.items():
        if cell := cell_of(row.get(column)):
            try:
                found[name] = money(cell, str(row.get(CURRENCY) or "") or None)
            except ValueError:  # no amount, whatever the currency
                continue
    return found
