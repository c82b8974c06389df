"""Deals with products: their amount is the sum of these, and the org leaves any other that is written out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind
from crmbridge.model.values import Money
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.mapping import Shape
from crmbridge_salesforce.org import Org, Row
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.values import cell_of, number_of

AMOUNT, HAS_PRODUCTS = "Amount", "HasOpportunityLineItem"
SUM = "its amount is the sum of its products, and Salesforce takes no other; change the products there"


class Products:
    """Looks at deals whose amount a change writes: the org answers that all is well, and leaves the amount as it is.

    Taken for written, the sum would come back as somebody's edit ("Opportunity", in the Object Reference).
    """

    def __init__(self, org: Org, setup: Setup, shape: Shape) -> None:
        self._org = org
        self._setup = setup
        self._shape = shape

    def fixing(self, changes: Sequence[Change]) -> list[tuple[Change, str, str]]:
        """Give the changes whose amount would not be written, say why, and name the column that it is about."""
        names = self._names() if changes and changes[0].action is Action.UPDATE else set()
        asked = [
            each for each in changes if each.kind is Kind.DEAL and each.target and not names.isdisjoint(each.after)
        ]
        if not asked:
            return []
        ids = list(dict.fromkeys(_target(each) for each in asked))
        rows = self._org.rows(self._shape.object, ids, ["Id", AMOUNT, HAS_PRODUCTS])
        priced = {to_18(str(row["Id"])): row for row in rows if row.get(HAS_PRODUCTS) is True}
        return [
            (each, SUM, AMOUNT)
            for each in asked
            if _target(each) in priced and _differs(each, names, priced[_target(each)])
        ]

    def _names(self) -> set[str]:
        """Give the fields that stand for the amount, where the org tells which deals have products."""
        table = self._setup.table_if_there(self._shape.object)
        if table is None or not {AMOUNT, HAS_PRODUCTS} <= table.columns.keys():
            return set()
        bound = [(each.name, table.find(each.native)) for each in self._shape.bindings]
        return {name for name, column in bound if column is not None and column.name == AMOUNT}


def _target(change: Change) -> str:
    return to_18(change.target.id) if change.target else ""


def _differs(change: Change, names: set[str], row: Row) -> bool:
    wanted = [value for name, value in change.after.items() if name in names]
    numbers = [value.amount if isinstance(value, Money) else value for value in wanted]
    held = _number(row.get(AMOUNT))
    return any(number != held for number in numbers)


def _number(raw: Any) -> Decimal | None:
    try:
        return number_of(cell) if (cell := cell_of(raw)) else None
    except ValueError:  # no amount that anybody could have written
        return None
