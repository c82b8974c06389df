"""The Bulk API 2.0 resources: query jobs with their results, ingest jobs with their data."""

from __future__ import annotations

import base64
import re

from starlette.responses import Response

from crmbridge_salesforce.sandbox.answers import ApiError, answer, refusal
from crmbridge_salesforce.sandbox.ingest import work_off
from crmbridge_salesforce.sandbox.jobs import Job, cell, read_csv, read_form, write_csv
from crmbridge_salesforce.sandbox.routes import Call
from crmbridge_salesforce.sandbox.select import Selection
from crmbridge_salesforce.sandbox.soql import parse

# Objects that only REST can be asked for (airbyte rate_limiting.py; singer-io tap-salesforce __init__.py).
UNSUPPORTED = frozenset({"TaskStatus", "OrderStatus", "CaseStatus", "RecentlyViewed"})
COMPOUND = frozenset({"address", "location"})
_SUB_QUERY = re.compile(r"\(\s*SELECT\b", re.IGNORECASE)
_AGGREGATE = re.compile(r"\b(?:COUNT|SUM|AVG|MIN|MAX)\s*\(|\bGROUP\s+BY\b|\bOFFSET\b", re.IGNORECASE)


async def create_query(call: Call) -> Response:
    """Make a query job. What it will find is what is there now."""
    sent = await call.row()
    operation, text = sent.get("operation"), sent.get("query")
    if operation not in {"query", "queryAll"} or not isinstance(text, str) or not text:
        raise ApiError("INVALIDJOB", "operation is query or queryAll, and query is a statement")
    selection = _selection(call, text)
    job = call.state.jobs.add(
        kind="query", version=call.version, object=selection.table, operation=operation, **read_form(sent)
    )
    call.state.jobs.start(job)
    job.header, job.selection = selection.names, selection
    job.rows = selection.found(deleted_too=operation == "queryAll")
    return _told(call, job)


def _selection(call: Call, text: str) -> Selection:
    """Understand a statement; raises ApiError for what REST could answer and Bulk can't."""
    if _SUB_QUERY.search(text) or _AGGREGATE.search(text):
        words = "Aggregate Relationships not supported in Bulk V2 Query with CSV content type"
        raise ApiError("FEATURENOTENABLED", words)
    selection = Selection(parse(text), call.state.tables)
    if selection.table in UNSUPPORTED:
        raise ApiError("INVALIDENTITY", f"Entity '{selection.table}' is not supported by the Bulk API.")
    if COMPOUND & {column.type for column in selection.columns}:
        raise ApiError("FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query")
    return selection


async def results(call: Call) -> Response:
    """Give a page of what a query found; the last one's locator is the word null."""
    jobs = call.state.jobs
    job = _job(call, "query")
    if job.version != call.version:
        raise ApiError("VERSION_MISMATCH", f"the job was made with API version {job.version}", status=409)
    if jobs.state(job) != "JobComplete":
        raise ApiError("INVALIDJOBSTATE", f"the job's state is {jobs.state(job)}; there are no results")
    asked = call.query("maxRecords") or str(jobs.most_rows)
    if not asked.isdigit() or int(asked) < 1:
        raise ApiError("INVALIDJOB", "maxRecords is not valid")
    begin = _place(call.query("locator"))
    rows = job.rows[begin : begin + min(int(asked), jobs.most_rows)]
    values = job.selection.values(rows) if job.selection else []
    exponents = jobs.exponents
    cells = (
        ["" if one is None else one if type(one) is str else cell(one, exponents=exponents) for one in row]
        for row in values
    )
    end = begin + len(rows)
    locator = _locator(end) if end < len(job.rows) else "null"
    headers = {"Sforce-NumberOfRecords": str(len(rows)), "Sforce-Locator": locator}
    return _csv(write_csv(job, job.header, cells), headers)


def _locator(place: int) -> str:
    return base64.urlsafe_b64encode(f"row {place}".encode()).decode().rstrip("=")


def _place(locator: str) -> int:
    """Read where a page begins; locators may be read again while the job is there."""
    if not locator:
        return 0
    try:
        return int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode().removeprefix("row "))
    except ValueError:
        raise ApiError("INVALID_QUERY_LOCATOR", "the locator is not valid") from None


async def create_ingest(call: Call) -> Response:
    """Make a job that takes rows."""
    sent = await call.row()
    operation, key_field = sent.get("operation"), str(sent.get("externalIdFieldName") or "")
    if operation == "hardDelete":
        raise ApiError("FEATURENOTENABLED", "hardDelete needs the permission Bulk API Hard Delete")
    if operation not in {"insert", "update", "upsert", "delete"}:
        raise ApiError("INVALIDJOB", f"operation {operation} is not supported")
    one = call.state.tables.object(str(sent.get("object") or ""))
    if operation == "upsert":
        call.state.tables.by_external_id(one, key_field, "")
    job = call.state.jobs.add(
        kind="ingest",
        version=call.version,
        object=one.name,
        operation=operation,
        key_field=key_field if operation == "upsert" else "",
        **read_form(sent),
    )
    return _told(call, job)


async def upload(call: Call) -> Response:
    """Take a job's rows, once."""
    job = _job(call, "ingest")
    if job.uploaded is not None or call.state.jobs.state(job) != "Open":
        raise ApiError("INVALIDJOBSTATE", "the job takes no more data")
    if not call.request.headers.get("content-type", "").startswith("text/csv"):
        raise ApiError("INVALIDJOB", "the data of a CSV job is text/csv", status=415)
    job.uploaded = await call.request.body()
    return Response(status_code=201)


async def change(call: Call) -> Response:
    """Close an ingest job, or abort a job of either kind."""
    jobs = call.state.jobs
    job, state = _job(call, _kind(call)), (await call.row()).get("state")
    if jobs.is_over(job):
        raise ApiError("INVALIDJOBSTATE", f"the job is over: {jobs.state(job)}")
    if state == "Aborted":
        job.aborted = True
        job.left = job.left or (read_csv(job, job.uploaded)[1:] if job.uploaded and job.started_at is None else [])
        return _told(call, job)
    if state != "UploadComplete" or job.kind == "query" or jobs.state(job) != "Open":
        raise ApiError("INVALIDJOBSTATE", f"the state can't be set to {state}")
    work_off(call.state, job, stop_after=jobs.start(job))
    return _told(call, job)


async def tell(call: Call) -> Response:
    """Tell where a job stands."""
    return _told(call, _job(call, _kind(call)))


async def all_jobs(call: Call) -> Response:
    """List the jobs of a kind."""
    kind, jobs = _kind(call), call.state.jobs
    found = [jobs.info(job, call.state.tables.author) for job in jobs.all.values() if job.kind == kind]
    return answer({"done": True, "nextRecordsUrl": None, "records": found})


async def drop(call: Call) -> Response:
    """Delete a job that is over."""
    job = _job(call, _kind(call))
    if not call.state.jobs.is_over(job):
        return refusal(ApiError("API_ERROR", "a job can be deleted when it is over or aborted"))
    del call.state.jobs.all[job.id]
    return Response(status_code=204)


async def successful(call: Call) -> Response:
    """Give the rows that were written."""
    job = _finished(call)
    return _csv(write_csv(job, ("sf__Id", "sf__Created", *job.header), job.done))


async def failed(call: Call) -> Response:
    """Give the rows that were refused, and why."""
    job = _finished(call)
    return _csv(write_csv(job, ("sf__Id", "sf__Error", *job.header), job.failed))


async def unprocessed(call: Call) -> Response:
    """Give the rows that were not reached, as they came."""
    job = _finished(call)
    return _csv(write_csv(job, job.header, job.left))


def _finished(call: Call) -> Job:
    job = _job(call, "ingest")
    if not call.state.jobs.is_over(job):
        raise ApiError("INVALIDJOBSTATE", f"the job's state is {call.state.jobs.state(job)}; there are no results")
    return job


def _kind(call: Call) -> str:
    return "query" if "/jobs/query" in call.request.scope["path"] else "ingest"


def _job(call: Call, kind: str) -> Job:
    return call.state.jobs.get(kind, call.part("job"))


def _told(call: Call, job: Job) -> Response:
    return answer(call.state.jobs.info(job, call.state.tables.author))


def _csv(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, media_type="text/csv", headers=headers)
