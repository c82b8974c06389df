"""The stand-in's org: the columns of its objects, its stages, and the rows of everything that is no deal."""

from __future__ import annotations

from typing import Any

from vendors.columns import COLUMNS, OPTIONS, STAGES

STAGE_NAMES = {stage: {"won": "Closed Won", "lost": "Closed Lost"}.get(stage, stage.title()) for stage in STAGES}
NATIVE = {
    "text": "string",
    "number": "double",
    "money": "currency",
    "bool": "boolean",
    "date": "date",
    "choice": "picklist",
    "choices": "multipicklist",
}
SYSTEM = {
    "Id": "id",
    "IsDeleted": "boolean",
    "CreatedDate": "datetime",
    "CreatedById": "reference",
    "LastModifiedDate": "datetime",
    "LastModifiedById": "reference",
    "SystemModstamp": "datetime",
}
COLUMN_TYPES = {
    **SYSTEM,
    "Name": "string",
    "Amount": "currency",
    "CloseDate": "date",
    "StageName": "picklist",
    "OwnerId": "reference",
    "AccountId": "reference",
    "LeadSource": "picklist",
    "Probability": "percent",
    "IsClosed": "boolean",
    "IsWon": "boolean",
    "LastActivityDate": "date",
    "LastStageChangeDate": "datetime",
    "NextStep": "string",
    "Description": "textarea",
    "CrmBridge_Key__c": "string",
    **{f"{column.name}__c": NATIVE[column.type] for column in COLUMNS},
}
TABLES = {
    "Opportunity": COLUMN_TYPES,
    "Account": {**SYSTEM, "Name": "string", "Website": "url"},
    "Contact": {**SYSTEM, "Name": "string", "Email": "email", "Title": "string", "AccountId": "reference"},
    "User": {**SYSTEM, "Name": "string", "Email": "email", "IsActive": "boolean"},
    "Task": {**SYSTEM, "WhatId": "reference", "Subject": "string", "IsClosed": "boolean", "ActivityDate": "date"},
    "OpportunityContactRole": {**SYSTEM, "OpportunityId": "reference", "ContactId": "reference"},
    "OpportunityHistory": {
        "Id": "id",
        "OpportunityId": "reference",
        "StageName": "picklist",
        "CreatedDate": "datetime",
        "CreatedById": "reference",
        "SystemModstamp": "datetime",
    },
}


def describe(table: str) -> dict[str, Any]:
    """Describe an object, as far as an adapter looks."""
    master = {"active": True, "available": True, "master": True, "name": "Master", "recordTypeId": "012000000000000AAA"}
    return {
        "name": table,
        "label": table,
        "fields": [_field(name, type_) for name, type_ in TABLES.get(table, SYSTEM).items()],
        "recordTypeInfos": [master],
        "urls": {"uiDetailTemplate": "https://bench.example/{ID}"},
    }


def _field(name: str, type_: str) -> dict[str, Any]:
    options = tuple(STAGE_NAMES.values()) if name == "StageName" else OPTIONS
    key = name == "CrmBridge_Key__c"
    number = type_ in {"double", "currency", "percent"}
    return {
        "name": name,
        "label": name,
        "type": type_,
        "picklistValues": [{"value": each, "label": each, "active": True} for each in options if "picklist" in type_],
        "createable": name not in SYSTEM,
        "updateable": name not in SYSTEM,
        "filterable": type_ != "textarea",
        "nillable": True,
        "unique": key,
        "externalId": key,
        "idLookup": key,
        "length": 255,
        "precision": 18 if number else 0,
        "scale": 2 if number else 0,
        "referenceTo": ["User"] if name in {"OwnerId", "CreatedById", "LastModifiedById"} else [],
    }


def other_rows(table: str) -> list[dict[str, Any]]:
    """Give the rows of a table that holds no deals; most are empty."""
    if table == "OpportunityStage":
        return [_stage(place, stage) for place, stage in enumerate(STAGES)]
    if table == "Organization":
        return [{"Name": "Bench", "Id": "00DSb0000000001MAA", "DefaultCurrencyIsoCode": "EUR"}]
    if table == "TaskStatus":
        return [{"ApiName": "Completed", "IsClosed": True}]
    return []


def _stage(place: int, stage: str) -> dict[str, Any]:
    won, lost = stage == "won", stage == "lost"
    return {
        "ApiName": STAGE_NAMES[stage],
        "MasterLabel": STAGE_NAMES[stage],
        "IsActive": True,
        "IsClosed": won or lost,
        "IsWon": won,
        "DefaultProbability": 100.0 if won else 50.0,
        "SortOrder": place,
    }
