"""How the org describes its objects."""

from __future__ import annotations

from typing import Any

from crmbridge_salesforce.sandbox.objects import Column, Object

_SOAP = {
    "boolean": "xsd:boolean",
    "currency": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "id": "tns:ID",
    "int": "xsd:int",
    "percent": "xsd:double",
    "reference": "tns:ID",
}
MASTER = "012000000000000AAA"


def describe_global(objects: list[Object], version: str) -> dict[str, Any]:
    """List all objects."""
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [_summary(one, version) for one in objects]}


def describe_basic(one: Object, version: str, recent: list[str]) -> dict[str, Any]:
    """Describe an object in short, with some of its rows."""
    rows = [{"attributes": {"type": one.name, "url": f"{_urls(one, version)['sobject']}/{i}"}, "Id": i} for i in recent]
    return {"objectDescribe": _summary(one, version), "recentItems": rows}


def describe(one: Object, version: str, host: str) -> dict[str, Any]:
    """Describe an object with its fields."""
    return {
        **_summary(one, version),
        "childRelationships": [],
        "fields": [_field(column) for column in one.columns.values()],
        "recordTypeInfos": [
            {
                "active": True,
                "available": True,
                "defaultRecordTypeMapping": True,
                "developerName": "Master",
                "master": True,
                "name": "Master",
                "recordTypeId": MASTER,
                "urls": {"layout": f"{_urls(one, version)['describe']}/layouts/{MASTER}"},
            }
        ],
        "supportedScopes": [{"label": f"All {one.name}", "name": "everything"}],
        "urls": {**_urls(one, version), "uiDetailTemplate": f"{host}/{{ID}}"},
    }


def _summary(one: Object, version: str) -> dict[str, Any]:
    return {
        "createable": one.writable,
        "custom": False,
        "deletable": one.writable,
        "keyPrefix": one.prefix,
        "label": one.name,
        "labelPlural": f"{one.name}s",
        "name": one.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": one.writable,
        "updateable": one.writable,
        "urls": _urls(one, version),
    }


def _urls(one: Object, version: str) -> dict[str, str]:
    base = f"/services/data/v{version}/sobjects/{one.name}"
    return {"sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}"}


def _field(column: Column) -> dict[str, Any]:
    number = column.type in {"currency", "percent", "double"}
    return {
        "calculated": False,
        "caseSensitive": False,
        "createable": "c" in column.write,
        "custom": column.custom,
        "defaultedOnCreate": column.default is not None,
        "digits": 0,
        "externalId": column.external_id,
        "filterable": column.filterable,
        "groupable": column.filterable,
        "idLookup": column.external_id or column.type == "id",
        "label": column.label,
        "length": column.length,
        "name": column.name,
        "nameField": column.name == "Name",
        "nillable": not column.required and column.type not in {"boolean", "id"},
        "picklistValues": [_option(column, value) for value in column.values],
        "precision": 18 if number else 0,
        "referenceTo": column.refers.split(",") if column.refers else [],
        "relationshipName": column.relation or None,
        "restrictedPicklist": column.restricted,
        "scale": column.scale,
        "soapType": _SOAP.get(column.type, "xsd:string"),
        "sortable": column.filterable,
        "type": column.type,
        "unique": column.unique,
        "updateable": "u" in column.write,
    }


def _option(column: Column, value: str) -> dict[str, Any]:
    return {"active": True, "defaultValue": value == column.default, "label": value, "validFor": None, "value": value}
