"""Collections: many rows in one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from starlette.responses import Response

from crmbridge_salesforce.ids import is_id, to_18
from crmbridge_salesforce.sandbox.answers import ApiError, answer, not_found, wire_row
from crmbridge_salesforce.sandbox.checks import read_values
from crmbridge_salesforce.sandbox.routes import Call
from crmbridge_salesforce.sandbox.tables import shows

MOST_ROWS = 200
MOST_CHUNKS = 10
PARTIAL = "This row was refused by a rule of the sandbox"


async def create_rows(call: Call) -> Response:
    """Create rows; the answer has one result each, in order."""
    return await _each(call, lambda table, row: {"id": call.state.insert(table, row), "success": True, "errors": []})


async def update_rows(call: Call) -> Response:
    """Change rows by their ids."""

    def change(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        row_id = str(row.get("id") or row.get("Id") or "")
        if not is_id(row_id):
            raise ApiError("MISSING_ARGUMENT", "Id not specified in an update call", fields=["Id"])
        call.state.update(table, row_id, _without(row, "id"))
        return {"id": to_18(row_id), "success": True, "errors": []}

    return await _each(call, change)


async def upsert_rows(call: Call) -> Response:
    """Change the rows with these external ids, or create them."""
    field = call.part("field")

    def put(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        key = next((value for name, value in row.items() if name.lower() == field.lower()), None)
        found = call.state.tables.by_external_id(call.state.tables.object(table), field, key) if key else []
        if key is None and field.lower() != "id":
            raise ApiError("MISSING_ARGUMENT", f"{field} not specified", fields=[])
        if len(found) > 1:
            raise ApiError("DUPLICATE_EXTERNAL_ID", f"{field}: more than one record found", fields=[field])
        if found:
            call.state.update(table, found[0]["Id"], _without(row, field))
            return {"id": found[0]["Id"], "success": True, "errors": [], "created": False}
        return {"id": call.state.insert(table, _without(row, "id")), "success": True, "errors": [], "created": True}

    call.state.tables.by_external_id(call.object, field, "")
    return await _each(call, put)


async def delete_rows(call: Call) -> Response:
    """Delete rows by their ids, whatever their type."""
    ids = [row_id for row_id in call.query("ids").split(",") if row_id]
    if not 0 < len(ids) <= MOST_ROWS:
        raise ApiError("MALFORMED_ID", f"between 1 and {MOST_ROWS} ids are needed")
    return answer([_attempt(partial(_delete, call, row_id)) for row_id in ids])


def _delete(call: Call, row_id: str) -> dict[str, Any]:
    one = next((one for one in call.state.tables.objects.values() if one.prefix == row_id[:3]), None)
    if one is None:
        raise not_found()
    call.state.delete(one.name, row_id)
    return {"id": to_18(row_id), "success": True, "errors": []}


async def get_rows(call: Call) -> Response:
    """Give rows by their ids, in order, null for those that are gone. GET and POST read the same."""
    if call.request.method == "POST":
        body = await call.row()
        ids, names = body.get("ids"), body.get("fields")
    else:
        ids, names = call.query("ids").split(","), call.query("fields").split(",")
    if not isinstance(ids, list) or not isinstance(names, list) or not names:
        raise ApiError("JSON_PARSER_ERROR", "ids and fields are needed")
    if len(ids) > MOST_ROWS:
        raise ApiError("EXCEEDED_ID_LIMIT", f"at most {MOST_ROWS} records fit in one request")
    one = call.object
    columns = [one.column(str(name)) for name in names]
    if None in columns:
        wrong = names[columns.index(None)]
        raise ApiError("INVALID_FIELD", f"No such column '{wrong}' on sobject of type {one.name}")
    shown = [column for column in columns if column]
    tables = call.state.tables
    rows = [tables.get(one.name, str(row_id)) for row_id in ids]
    seen = [row if row is not None and shows(tables, row, deleted_too=False) else None for row in rows]
    return answer([wire_row(call.version, one.name, row, shown) if row else None for row in seen])


async def _each(call: Call, work: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> Response:
    """Do one thing to every row of a collection; a row that is refused costs only itself, or all with allOrNone."""
    body = await call.row()
    records = _records(body)
    for record in records:  # a value of the wrong form spoils the whole request
        _read_early(call, record)
    unlucky = spoiled(call, len(records))
    whole = body.get("allOrNone") is True
    call.state.tables.begin()
    results = [
        _failed(ApiError("FIELD_CUSTOM_VALIDATION_EXCEPTION", PARTIAL))
        if number == unlucky
        else _attempt(partial(work, _type(record), _without(record, "attributes")))
        for number, record in enumerate(records)
    ]
    spoilt = whole and not all(result["success"] for result in results)
    call.state.tables.end(keep=not spoilt)
    if spoilt:
        rolled_back = ApiError("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because another one failed")
        results = [_failed(rolled_back) if result["success"] else result for result in results]
    return answer(results)


def spoiled(call: Call, count: int) -> int:
    """Choose the one of several that the fault `partial` has refused; -1 for none."""
    return count // 2 if call.state.faults.strikes("partial", call.request.method, call.request.scope["path"]) else -1


def _read_early(call: Call, record: Mapping[str, Any]) -> None:
    try:
        read_values(call.state.tables.object(_type(record)), _without(record, "id"))
    except ApiError as error:
        if error.code == "JSON_PARSER_ERROR":
            raise


def _attempt(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except ApiError as error:
        return _failed(error)


def _failed(error: ApiError) -> dict[str, Any]:
    return {"success": False, "errors": [error.item()]}


def _records(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) and _type(record) for record in records):
        raise ApiError("JSON_PARSER_ERROR", "records is a list of rows with attributes.type")
    if len(records) > MOST_ROWS:
        raise ApiError("EXCEEDED_ID_LIMIT", f"at most {MOST_ROWS} records fit in one request")
    types = [_type(record) for record in records]
    if sum(one != other for one, other in pairwise(types)) >= MOST_CHUNKS:
        raise ApiError("LIMIT_EXCEEDED", f"at most {MOST_CHUNKS} chunks of one type fit in one request")
    return records


def _type(record: Mapping[str, Any]) -> str:
    attributes = record.get("attributes")
    return str(attributes.get("type") or "") if isinstance(attributes, dict) else ""


def _without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key.lower() != name.lower()}
