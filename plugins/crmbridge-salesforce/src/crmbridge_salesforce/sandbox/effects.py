"""What follows from writing a row: values that the org computes, history, roles, activity dates."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crmbridge.adapting import bare_text
from crmbridge_salesforce.sandbox.answers import wire
from crmbridge_salesforce.sandbox.checks import Values
from crmbridge_salesforce.sandbox.objects import FORECAST_NAMES, STAGES, TASK_STATUSES
from crmbridge_salesforce.sandbox.tables import Tables

_STAGES = {stage.name: stage for stage in STAGES}
_CLOSED = dict(TASK_STATUSES)
_SNAPSHOT = ("StageName", "Amount", "Probability", "CloseDate")
_HISTORY = (*_SNAPSHOT, "ExpectedRevenue", "ForecastCategory")
# What goes into the recycle bin with a row: the objects, and their references to it.
_BELONGS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Account": (
        ("Opportunity", "AccountId"),
        ("Contact", "AccountId"),
        ("Task", "WhatId"),
        ("Event", "WhatId"),
        ("Note", "ParentId"),
        ("ContentDocumentLink", "LinkedEntityId"),
    ),
    "Contact": (("OpportunityContactRole", "ContactId"),),
    "Opportunity": (
        ("Task", "WhatId"),
        ("Event", "WhatId"),
        ("Note", "ParentId"),
        ("Attachment", "ParentId"),
        ("OpportunityContactRole", "OpportunityId"),
        ("ContentDocumentLink", "LinkedEntityId"),
    ),
    "ContentDocument": (("ContentNote", "Id"), ("ContentDocumentLink", "ContentDocumentId")),
    "ContentNote": (("ContentDocument", "Id"), ("ContentDocumentLink", "ContentDocumentId")),
}
_LONGEST_KEPT = 255  # characters of a text
_DATA_TYPES = defaultdict(
    lambda: "Text",
    {
        "boolean": "Boolean",
        "currency": "Currency",
        "date": "DateOnly",
        "percent": "Percent",
        "picklist": "DynamicEnum",
        "reference": "EntityId",
    },
)


def derive(tables: Tables, table: str, row: Values, before: Values | None) -> None:
    """Set the columns of a row that follow from its others."""
    if table == "Opportunity":
        _derive_deal(tables, row, before)
    elif table == "Task":
        row["IsClosed"] = _CLOSED.get(row.get("Status") or "", False)
        kept = before["CompletedDateTime"] if before is not None else None
        row["CompletedDateTime"] = (kept or tables.now()) if row["IsClosed"] else None
        row["AccountId"] = _account_of(tables, row)
    elif table == "Event":
        row["AccountId"] = _account_of(tables, row)
        row["ActivityDateTime"], row["ActivityDate"] = row["StartDateTime"], row["StartDateTime"].date()
    elif table == "ContentNote":
        row["TextPreview"] = _preview(row.get("Content"))
    elif table == "Contact":
        row["Name"] = " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)


def _preview(content: str | None) -> str | None:
    """Give the beginning of a note's text, without its markup."""
    return bare_text(base64.b64decode(content or "").decode())[:255] or None


def _account_of(tables: Tables, row: Values) -> str | None:
    deal = tables.get("Opportunity", row.get("WhatId") or "")
    account = tables.get("Account", row.get("WhatId") or "")
    found = deal["AccountId"] if deal else account["Id"] if account else None
    return None if found is None else str(found)


def after_write(tables: Tables, table: str, row: Values, before: Values | None) -> list[tuple[str, Values]]:
    """Write the history and dates that follow from a row; give the rows that must be created beside it."""
    if table == "Task":
        _after_task(tables, row)
    if table == "ContentNote" and before is None:
        return _beside_note(tables, row)
    if table != "Opportunity":
        return []
    _after_deal(tables, row, before)
    if before is not None or not row.get("ContactId"):
        return []
    role = {"OpportunityId": row["Id"], "ContactId": row["ContactId"], "IsPrimary": True}
    return [("OpportunityContactRole", role)]


def after_delete(tables: Tables, table: str, row: Values) -> None:
    """Take what belongs to a deleted row with it."""
    for name, column in _BELONGS.get(table, ()):
        for other in tables.find(name, column, row["Id"]):
            tables.touch(name, {**other, "IsDeleted": True}, "")
            after_delete(tables, name, other)
    if table == "Opportunity":
        for other in tables.find("OpportunityHistory", "OpportunityId", row["Id"]):
            tables.store("OpportunityHistory", {**other, "IsDeleted": True})


def after_undelete(tables: Tables, table: str, row: Values) -> None:
    """Bring back what went into the recycle bin with a row: not what had been deleted before."""
    for name, column in _BELONGS.get(table, ()):
        for other in list(tables.storage(name).where(column, {row["Id"]})):
            if other.get("IsDeleted") and other["SystemModstamp"] >= row["SystemModstamp"]:
                tables.touch(name, {**other, "IsDeleted": False}, "")
                after_undelete(tables, name, other)
    if table == "Opportunity":
        for other in list(tables.storage("OpportunityHistory").where("OpportunityId", {row["Id"]})):
            tables.store("OpportunityHistory", {**other, "IsDeleted": False})


def track(tables: Tables, tracked: set[str], row: Values, before: Values | None) -> None:
    """Keep the old and new values of a deal's tracked columns, one row each; a new deal is one row without values.

    Of a long text and of several choices only that they changed; of a reference one row has the names and one the ids
    (Object Reference, "EntityHistory").
    """
    names = [] if before is None else [name for name in sorted(tracked) if row.get(name) != before.get(name)]
    columns, now = tables.objects["Opportunity"].columns, tables.now()
    rows: list[Values] = [{"Field": "created", "DataType": "Text"}] if before is None and tracked else []
    for name in names:
        old, new = wire((before or {}).get(name)), wire(row.get(name))
        column, as_named = columns[name], name
        if column.type == "multipicklist" or column.length > _LONGEST_KEPT:
            old = new = None
        if column.type == "reference":
            as_named = name.removesuffix("Id")
            old_name, new_name = (_name_of(tables, column.refers, value) for value in (old, new))
            rows.append({"Field": as_named, "OldValue": old_name, "NewValue": new_name, "DataType": "Text"})
        rows.append({"Field": as_named, "OldValue": old, "NewValue": new, "DataType": _DATA_TYPES[column.type]})
    for values in rows:
        by = row["LastModifiedById"]
        tables.plant("OpportunityFieldHistory", {"OpportunityId": row["Id"], **values}, created=now, changed=now, by=by)


def _name_of(tables: Tables, table: str, row_id: Any) -> str | None:
    row = tables.get(table.split(",", maxsplit=1)[0], row_id) if row_id else None
    return None if row is None else str(row.get("Name"))


def _beside_note(tables: Tables, row: Values) -> list[tuple[str, Values]]:
    """Give a note its document, which has the same id and is shared with its owner."""
    values = {"Id": row["Id"], "Title": row["Title"], "FileType": "SNOTE", "FileExtension": "snote"}
    now, owner = tables.now(), row["OwnerId"]
    tables.plant("ContentDocument", values | {"OwnerId": owner}, created=now, changed=now, by=owner)
    return [("ContentDocumentLink", {"ContentDocumentId": row["Id"], "LinkedEntityId": owner, "ShareType": "I"})]


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
    if before is not None and before["HasOpportunityLineItem"]:
        row["Amount"] = before["Amount"]  # another one is left out without a word (Object Reference, "Opportunity")
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
    tasks = tables.find("Task", "WhatId", deal["Id"])
    days = [task["ActivityDate"] for task in tasks if task["IsClosed"] and task["ActivityDate"]]
    is_open = any(not task["IsClosed"] for task in tasks)
    tables.store("Opportunity", {**deal, "LastActivityDate": max(days, default=None), "HasOpenActivity": is_open})
