"""What follows from writing a row: values that the org computes, history, roles, activity dates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crmbridge_salesforce.sandbox.checks import Values
from crmbridge_salesforce.sandbox.objects import FORECAST_NAMES, STAGES, TASK_STATUSES
from crmbridge_salesforce.sandbox.tables import Tables

_STAGES = {stage.name: stage for stage in STAGES}
_CLOSED = dict(TASK_STATUSES)
_SNAPSHOT = ("StageName", "Amount", "Probability", "CloseDate")
_HISTORY = (*_SNAPSHOT, "ExpectedRevenue", "ForecastCategory")


def derive(tables: Tables, table: str, row: Values, before: Values | None) -> None:
    """Set the columns of a row that follow from its others."""
    if table == "Opportunity":
        _derive_deal(tables, row, before)
    elif table == "Task":
        row["IsClosed"] = _CLOSED.get(row.get("Status") or "", False)
        deal = tables.get("Opportunity", row.get("WhatId") or "")
        account = tables.get("Account", row.get("WhatId") or "")
        row["AccountId"] = deal["AccountId"] if deal else account["Id"] if account else None
    elif table == "Contact":
        row["Name"] = " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)


def after_write(tables: Tables, table: str, row: Values, before: Values | None) -> list[tuple[str, Values]]:
    """Write the history and dates that follow from a row; give the rows that must be created beside it."""
    if table == "Task":
        _after_task(tables, row)
    if table != "Opportunity":
        return []
    _after_deal(tables, row, before)
    if before is not None or not row.get("ContactId"):
        return []
    role = {"OpportunityId": row["Id"], "ContactId": row["ContactId"], "IsPrimary": True}
    return [("OpportunityContactRole", role)]


def after_delete(tables: Tables, table: str, row: Values) -> None:
    """Take what belongs to a deleted row with it; a deal's history goes for good."""
    if table != "Opportunity":
        return
    for name, column in (("Task", "WhatId"), ("OpportunityContactRole", "OpportunityId")):
        for other in tables.rows(name).values():
            if other[column] == row["Id"]:
                tables.touch(name, {**other, "IsDeleted": True}, "")
    for other in tables.rows("OpportunityHistory").values():
        if other["OpportunityId"] == row["Id"]:
            other["IsDeleted"] = True


def set_stage(row: Values) -> None:
    """Set what follows from a deal's stage. The org takes a stage that it does not know, and calls the deal open."""
    stage = _STAGES.get(row["StageName"])
    row["IsClosed"], row["IsWon"] = (stage.closed, stage.won) if stage else (False, False)
    row["Probability"] = Decimal(stage.probability if stage else 0)
    row["ForecastCategory"] = stage.forecast if stage else "Pipeline"
    row["ForecastCategoryName"] = FORECAST_NAMES[row["ForecastCategory"]]


def set_revenue(row: Values) -> None:
    """Set the expected revenue from amount and probability."""
    amount, chance = row.get("Amount"), row.get("Probability") or Decimal(0)
    row["ExpectedRevenue"] = None if amount is None else (amount * chance / 100).quantize(Decimal("0.01"))


def snapshot(row: Values) -> dict[str, Any]:
    """Give what a deal's history keeps of it."""
    return {"OpportunityId": row["Id"], **{name: row.get(name) for name in _HISTORY}}


def _derive_deal(tables: Tables, row: Values, before: Values | None) -> None:
    if before is None or row["StageName"] != before["StageName"]:
        set_stage(row)
        row["LastStageChangeDate"] = None if before is None else tables.now()
    set_revenue(row)


def _after_deal(tables: Tables, row: Values, before: Values | None) -> None:
    if before is None or any(row.get(name) != before.get(name) for name in _SNAPSHOT):
        now = tables.now()
        tables.plant("OpportunityHistory", snapshot(row), created=now, changed=now, by=row["LastModifiedById"])


def _after_task(tables: Tables, row: Values) -> None:
    """Show a task on its deal. The deal's stamp stays: it was not changed itself."""
    deal = tables.get("Opportunity", row.get("WhatId") or "")
    if deal is None:
        return
    tasks = [task for task in tables.rows("Task").values() if task["WhatId"] == deal["Id"]]
    days = [task["ActivityDate"] for task in tasks if task["IsClosed"] and task["ActivityDate"]]
    deal["LastActivityDate"] = max(days, default=None)
    deal["HasOpenActivity"] = any(not task["IsClosed"] for task in tasks)
