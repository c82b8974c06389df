"""A report's figures in an org: rows of the custom object by their keys, and what an admin makes for them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import httpx
import pytest

from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import FieldWish
from crmbridge.sandbox import Served
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox.objects import FIGURE_FIELD
from crmbridge_salesforce.steps import steps

AS_OF = datetime.fromisoformat("2026-06-10T12:00:00+00:00")


def make_row(value: Value, **more: Value) -> Change:
    """Make the change that sets the row of a figure."""
    values = {"report": "weekly", "indicator": "wins", "period": "2026-06", "value": value, "as_of": AS_OF, **more}
    return make_change(
        f"row {value}",
        connection="sf",
        action=Action.CREATE,
        creates=Kind.FIGURE,
        target=None,
        edits=tuple(FieldEdit(name, None, each) for name, each in values.items()),
        key="weekly|wins|2026-06",
    )


def rows_of(client: httpx.Client) -> list[tuple[str, object]]:
    query = "SELECT Key__c, Value__c FROM CrmBridge_Indicator__c"
    found = client.get("query", params={"q": query}).json()["records"]
    return [(row["Key__c"], row["Value__c"]) for row in found]


def test_a_row_is_set_by_its_key(adapter: SalesforceAdapter, client: httpx.Client) -> None:
    """A second value of the same indicator and period takes the place of the first: one row, one record."""
    receipts = [adapter.write([make_row(value)])[0] for value in (Decimal("0.225"), Decimal("0.25"))]

    assert [Outcome.APPLIED] * 2 == [receipt.outcome for receipt in receipts]
    assert receipts[0].ref == receipts[1].ref
    assert [("weekly|wins|2026-06", 0.25)] == rows_of(client)


def test_hostile_names_are_only_text(adapter: SalesforceAdapter, client: httpx.Client) -> None:
    """A name that would end a statement or a row is kept as it is, and nothing else happens."""
    name = 'x\' OR Name != \'"},{"attributes"'
    (receipt,) = adapter.write([make_row(Decimal(1), name=name)])

    assert Outcome.APPLIED is receipt.outcome
    assert 1 == len(rows_of(client))


def test_an_org_without_the_object_says_so(adapter: SalesforceAdapter, org: Served) -> None:
    """It is refused before anything is sent, and names the object."""
    org.sandbox.state.tables.visible.pop("crmbridge_indicator__c")
    (receipt,) = adapter.write([make_row(Decimal(1))])

    assert Outcome.REFUSED is receipt.outcome
    assert "CrmBridge_Indicator__c" in receipt.message


@pytest.mark.parametrize(("on", "expected"), [(Kind.COMPANY, "Account"), (Kind.USER, "User")])
def test_an_admin_is_told_where_the_field_goes(on: Kind, expected: str) -> None:
    """The steps name the object and a number with enough places."""
    text = "\n".join(steps(FieldWish(name=FIGURE_FIELD, label="Figure", type=FieldType.NUMBER, on=on)))

    assert f"Object Manager → {expected} →" in text
    assert "decimal places 6" in text
