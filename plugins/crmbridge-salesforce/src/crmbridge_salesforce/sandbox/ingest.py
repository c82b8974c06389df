"""Writing the rows of an ingest job, one after the other: each is written or refused by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from crmbridge_salesforce.ids import is_id, to_18
from crmbridge_salesforce.sandbox.answers import ApiError
from crmbridge_salesforce.sandbox.jobs import Job, read_csv
from crmbridge_salesforce.sandbox.objects import Object
from crmbridge_salesforce.sandbox.state import State

NULL = "#N/A"  # clears a column; an empty cell leaves it as it is (rudderlabs/rudder-server PR 7151)
MOST_CHARACTERS = 32_000  # of one cell
Row = dict[str, Any]


def work_off(state: State, job: Job, *, stop_after: int | None) -> None:
    """Write a job's rows. A file that can't be read as a whole fails the job; its rows stay unprocessed."""
    rows = read_csv(job, job.uploaded or b"")
    job.header = tuple(rows[0]) if rows else ()
    one = state.tables.object(job.object)
    wrong = _spoiled(one, job, rows)
    if wrong:
        job.ends_as, job.message, job.left = "Failed", wrong, rows[1:]
        return
    end = len(rows) if stop_after is None else 1 + stop_after
    for cells in rows[1:end]:
        _write(state, one, job, cells)
    job.left = rows[end:]


def _spoiled(one: Object, job: Job, rows: list[list[str]]) -> str:
    """Say what makes a file unreadable; nothing where it is fine."""
    if not rows:
        return "InvalidBatch : Field name not found : "
    unknown = [name for name in job.header if one.column(name) is None]
    if unknown:
        return f"InvalidBatch : Field name not found : {unknown[0]}"
    if job.operation == "delete" and [name.lower() for name in job.header] != ["id"]:
        return "InvalidBatch : Records for a delete must have the column Id and no other"
    if any(len(row) != len(job.header) for row in rows[1:]):
        return "InvalidBatch : The number of fields in a row is not that of the header"
    return ""


def _write(state: State, one: Object, job: Job, cells: list[str]) -> None:
    sent = dict(zip(job.header, cells, strict=True))
    try:
        _check_length(cells)
        row_id, created = _OPERATIONS[job.operation](state, one, job, sent)
    except ApiError as error:
        words = f"{error.code}:{error.message}:{','.join(error.fields or [])} --"
        given = next((text for name, text in sent.items() if name.lower() == "id"), "")
        job.failed.append([given, words, *cells])
    else:
        job.done.append([row_id, str(created).lower(), *cells])


def _check_length(cells: list[str]) -> None:
    if any(len(text) > MOST_CHARACTERS for text in cells):
        raise ApiError("STRING_TOO_LONG", f"a cell is longer than {MOST_CHARACTERS} characters", fields=[])


def _values(sent: Mapping[str, str], *without: str) -> Row:
    left_out = {name.lower() for name in without}
    kept = {name: text for name, text in sent.items() if text and name.lower() not in left_out}
    return {name: None if text == NULL else text for name, text in kept.items()}


def _id(sent: Mapping[str, str]) -> str:
    found = next((text for name, text in sent.items() if name.lower() == "id"), "")
    if not is_id(found):
        raise ApiError("MISSING_ARGUMENT", "Id not specified in an update call", fields=["Id"])
    return to_18(found)


def _insert(state: State, one: Object, _job: Job, sent: Mapping[str, str]) -> tuple[str, bool]:
    return state.insert(one.name, _values(sent, "Id")), True


def _update(state: State, one: Object, _job: Job, sent: Mapping[str, str]) -> tuple[str, bool]:
    row_id = _id(sent)
    state.update(one.name, row_id, _values(sent, "Id"))
    return row_id, False


def _upsert(state: State, one: Object, job: Job, sent: Mapping[str, str]) -> tuple[str, bool]:
    if job.key_field.lower() == "id":
        return _update(state, one, job, sent) if _values(sent).get("Id") else _insert(state, one, job, sent)
    key = next((text for name, text in sent.items() if name.lower() == job.key_field.lower()), "")
    if not key:
        raise ApiError("MISSING_ARGUMENT", f"{job.key_field} not specified", fields=[])
    found = state.tables.by_external_id(one, job.key_field, key)
    if len(found) > 1:
        raise ApiError("DUPLICATE_EXTERNAL_ID", f"{job.key_field}: more than one record found", fields=[job.key_field])
    if not found:
        return _insert(state, one, job, sent)
    state.update(one.name, found[0]["Id"], _values(sent, "Id", job.key_field))
    return str(found[0]["Id"]), False


def _delete(state: State, one: Object, _job: Job, sent: Mapping[str, str]) -> tuple[str, bool]:
    row_id = _id(sent)
    state.delete(one.name, row_id)
    return row_id, False


_OPERATIONS: Mapping[str, Callable[[State, Object, Job, Mapping[str, str]], tuple[str, bool]]] = MappingProxyType(
    {"insert": _insert, "update": _update, "upsert": _upsert, "delete": _delete}
)
