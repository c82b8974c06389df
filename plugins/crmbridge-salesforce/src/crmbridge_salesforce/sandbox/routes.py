"""The org's REST resources, except for the composite ones."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from crmbridge.http import load_json
from crmbridge.sandbox import RateWindow
from crmbridge_salesforce.ids import is_id
from crmbridge_salesforce.sandbox.answers import ApiError, answer, not_found, refusal, row_url, wire, wire_row
from crmbridge_salesforce.sandbox.checks import Values
from crmbridge_salesforce.sandbox.describe import describe, describe_basic, describe_global
from crmbridge_salesforce.sandbox.jobs import DAILY_QUERY_JOBS
from crmbridge_salesforce.sandbox.objects import Column, Object
from crmbridge_salesforce.sandbox.select import Selection
from crmbridge_salesforce.sandbox.soql import Token, parse
from crmbridge_salesforce.sandbox.state import Locator, State

OLDEST, NEWEST = 31, 68
LONGEST_URI = 16_384
LOCATOR_LIVES = timedelta(days=2)


class Call(Struct, frozen=True):
    """One request: the org, the version asked for, and the request itself."""

    state: State
    version: str
    request: Request

    @property
    def object(self) -> Object:
        """The object named in the path."""
        return self.state.tables.object(self.request.path_params["table"])

    def part(self, name: str) -> str:
        """Give a part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        """Give a query parameter; empty when it is missing."""
        return self.request.query_params.get(name, "")

    async def body(self) -> Any:
        """Decode the body; raises ApiError JSON_PARSER_ERROR."""
        try:
            return load_json(await self.request.body())
        except ValueError:
            raise ApiError("JSON_PARSER_ERROR", "The body is not JSON") from None

    async def row(self) -> Mapping[str, Any]:
        """Decode the body as a row."""
        body = await self.body()
        if not isinstance(body, dict):
            raise ApiError("JSON_PARSER_ERROR", "A row is a JSON object")
        return body


Handler = Callable[[Call], Awaitable[Response]]


def endpoint(state: State, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Turn a handler into a route's endpoint: checks the version and the URI, and words errors as the org does."""

    async def respond(request: Request) -> Response:
        uri = len(request.scope["raw_path"]) + len(request.scope["query_string"]) + 1
        if uri > LONGEST_URI:
            return HTMLResponse("<h1>URI Too Long</h1>", status_code=414)
        if uri + sum(len(name) + len(value) + 4 for name, value in request.headers.raw) > LONGEST_URI:
            return HTMLResponse("<h1>Request Header Fields Too Large</h1>", status_code=431)
        version = str(request.path_params.get("version", ""))
        try:
            _check_version(version)
            return await handler(Call(state, version, request))
        except ApiError as error:
            return refusal(error)

    return respond


def _check_version(version: str) -> None:
    if not re.fullmatch(r"\d{1,3}\.0", version) or int(version[:-2]) > NEWEST:
        raise not_found()
    if int(version[:-2]) < OLDEST:
        raise ApiError("GONE", f"API version v{version} has been retired", status=410)


async def versions(_request: Request) -> Response:
    """List the versions; this needs no token."""
    found = [
        {"label": f"v{n}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n in range(OLDEST, NEWEST + 1)
    ]
    return answer(found)


async def resources(call: Call) -> Response:
    """List the resources of a version."""
    base = f"/services/data/v{call.version}"
    return answer({name: f"{base}/{name}" for name in ("composite", "limits", "query", "queryAll", "sobjects")})


async def run_query(call: Call) -> Response:
    """Answer a query."""
    return _select(call, deleted_too=False)


async def run_query_all(call: Call) -> Response:
    """Answer a query that looks into the recycle bin too."""
    return _select(call, deleted_too=True)


def _select(call: Call, *, deleted_too: bool) -> Response:
    state = call.state
    if not call.query("q"):
        raise ApiError("MALFORMED_QUERY", "SOQL statements cannot be empty or null")
    selection = Selection(parse(call.query("q")), state.tables)
    _check_links(selection)
    struck = selection.table == "Opportunity" and selection.orders_by_stamp
    lagging = struck and state.faults.strikes("lag", "GET", call.request.scope["path"])
    rows = selection.found(deleted_too=deleted_too, lagging=lagging)
    if selection.counts is not None:
        return answer(_counted(selection.counts, len(rows)))
    locator = Locator(selection, rows, state.clock.now(), _page_size(call, selection))
    name = f"01gSb0000{len(state.locators) + 1:06}MAQ"
    if len(rows) > locator.page:
        state.locators[name] = locator
    return answer(_page(call, locator, name, 0))


def _check_links(selection: Selection) -> None:
    """Refuse to look through all links between documents and rows, as the org does."""
    if selection.table != "ContentDocumentLink":
        return
    ends = {"Id", "ContentDocumentId", "LinkedEntityId"}
    named = {one.column.lower() for one in selection.choices()} | selection.joined()
    if named.isdisjoint(map(str.lower, ends)):
        words = "Implementation restriction: filter by Ids on ContentDocumentId or LinkedEntityId, with equals or IN"
        raise ApiError("MALFORMED_QUERY", words)


def _counted(what: Token, number: int) -> dict[str, Any]:
    if what.text == "()":
        return {"totalSize": number, "done": True, "records": []}
    record = {"attributes": {"type": "AggregateResult"}, "expr0": number}
    return {"totalSize": 1, "done": True, "records": [record]}


def _page_size(call: Call, selection: Selection) -> int:
    asked = re.search(r"batchSize=(\d+)", call.request.headers.get("sforce-query-options", ""))
    size = min(max(int(asked[1]), 200), 2000) if asked else 2000
    wide = sum(column.type == "textarea" for column in selection.columns) > 1
    return 200 if wide else size  # rows with several long texts come in small pages, whatever was asked


def _page(call: Call, locator: Locator, name: str, start: int) -> dict[str, Any]:
    end = start + locator.page
    body: dict[str, Any] = {"totalSize": len(locator.rows), "done": end >= len(locator.rows)}
    if not body["done"]:
        body["nextRecordsUrl"] = f"/services/data/v{call.version}/query/{name}-{end}"
    return {**body, "records": [locator.selection.record(row, call.version) for row in locator.rows[start:end]]}


async def more(call: Call) -> Response:
    """Answer the rest of a query."""
    name, _, start = call.part("locator").partition("-")
    locator = call.state.locators.get(name)
    if locator is None or not start.isdigit() or call.state.clock.now() - locator.made_at > LOCATOR_LIVES:
        raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
    return answer(_page(call, locator, name, int(start)))


async def all_objects(call: Call) -> Response:
    """Describe the org's objects in short."""
    return answer(describe_global(list(call.state.tables.objects.values()), call.version))


async def one_object(call: Call) -> Response:
    """Describe an object in short."""
    return answer(describe_basic(call.object, call.version, list(call.state.tables.rows(call.object.name))[:5]))


async def object_describe(call: Call) -> Response:
    """Describe an object with its fields, unless nothing changed since the caller last looked."""
    known, changed = call.request.headers.get("if-modified-since"), call.state.described_at
    headers = {"Last-Modified": format_datetime(changed.replace(microsecond=0), usegmt=True)}
    if known is not None and _http_date(known) >= changed.replace(microsecond=0):
        return Response(status_code=304, headers=headers)
    told = answer(describe(call.object, call.version, str(call.request.base_url).rstrip("/")))
    told.headers.update(headers)
    return told


async def create(call: Call) -> Response:
    """Create a row."""
    row_id = call.state.insert(call.object.name, await call.row())
    return answer({"id": row_id, "success": True, "errors": []}, 201)


def _named(call: Call) -> tuple[Object, str]:
    """Read the object and row id of a path."""
    if not is_id(call.part("id")):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {call.part('id')}")
    return call.object, call.part("id")


def _fields(call: Call, one: Object) -> list[Column]:
    names = [name for name in call.query("fields").split(",") if name]
    columns = [one.column(name) for name in names]
    if None in columns:
        wrong = names[columns.index(None)]
        raise ApiError("INVALID_FIELD", f"No such column '{wrong}' on sobject of type {one.name}")
    return [column for column in columns if column] or list(one.columns.values())


async def get_row(call: Call) -> Response:
    """Give a row."""
    one, row_id = _named(call)
    row = call.state.tables.get(one.name, row_id)
    if row is None:
        raise not_found()
    return answer(wire_row(call.version, one.name, row, _fields(call, one)))


async def update_row(call: Call) -> Response:
    """Change a row, unless it is newer than the caller says."""
    one, row_id = _named(call)
    row, limit = call.state.tables.get(one.name, row_id), call.request.headers.get("if-unmodified-since")
    if row is not None and limit is not None and row["SystemModstamp"] > _http_date(limit):
        return Response(status_code=412)
    call.state.update(one.name, row_id, await call.row())
    return Response(status_code=204)


def _http_date(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        raise ApiError("INVALID_FIELD", "a conditional header holds no HTTP date") from None


async def delete_row(call: Call) -> Response:
    """Put a row into the recycle bin."""
    one, row_id = _named(call)
    call.state.delete(one.name, row_id)
    return Response(status_code=204)


def _matching(call: Call) -> list[Values]:
    return call.state.tables.by_external_id(call.object, call.part("field"), call.part("value"))


def _several(call: Call, rows: list[Values]) -> Response:
    return answer([row_url(call.version, call.object.name, row["Id"]) for row in rows], 300)


async def get_by_external_id(call: Call) -> Response:
    """Give the row with an external id, or a row's large value by its id and the column's name."""
    if is_id(call.part("field")) and call.part("value") in call.object.columns:
        return _large(call)
    rows = _matching(call)
    if len(rows) > 1:
        return _several(call, rows)
    if not rows:
        raise not_found()
    return answer(wire_row(call.version, call.object.name, rows[0], _fields(call, call.object)))


def _large(call: Call) -> Response:
    row = call.state.tables.present(call.object.name, call.part("field"))
    column = call.object.column(call.part("value"))
    if column is None or column.type != "base64" or row.get(column.name) is None:
        raise not_found()
    return Response(base64.b64decode(row[column.name]), media_type="application/octet-stream")


async def upsert(call: Call) -> Response:
    """Change the row with an external id, or create it."""
    rows, sent = _matching(call), await call.row()
    if call.part("field").lower() in map(str.lower, sent):
        raise ApiError("INVALID_FIELD", f"The {call.part('field')} field should not be specified in the sobject data.")
    if len(rows) > 1:
        return _several(call, rows)
    result = {"success": True, "errors": []}
    if rows:
        call.state.update(call.object.name, rows[0]["Id"], sent)
        return answer({"id": rows[0]["Id"], **result, "created": False})
    if call.query("updateOnly").lower() == "true":
        raise not_found()
    row_id = call.state.insert(call.object.name, {**sent, call.part("field"): call.part("value")})
    return answer({"id": row_id, **result, "created": True}, 201)


async def updated(call: Call) -> Response:
    """Name the rows that changed in a span of time."""
    start, end = _span(call, timedelta(days=30))
    rows = call.state.tables.rows(call.object.name).values()
    ids = [row["Id"] for row in rows if start <= row["SystemModstamp"] < end]
    return answer({"ids": ids, "latestDateCovered": wire(min(end, call.state.tables.now()))})


async def deleted(call: Call) -> Response:
    """Name the rows that were deleted in a span of time."""
    start, end = _span(call, timedelta(days=15))
    rows = call.state.tables.rows(call.object.name, deleted_too=True).values()
    gone = [row for row in rows if row["IsDeleted"] and start <= row["SystemModstamp"] < end]
    body = {
        "deletedRecords": [{"id": row["Id"], "deletedDate": wire(row["SystemModstamp"])} for row in gone],
        "earliestDateAvailable": wire(call.state.tables.now() - timedelta(days=15)),
        "latestDateCovered": wire(min(end, call.state.tables.now())),
    }
    return answer(body)


def _span(call: Call, longest: timedelta) -> tuple[datetime, datetime]:
    try:
        start, end = (datetime.fromisoformat(call.query(name)).astimezone(UTC) for name in ("start", "end"))
    except ValueError:
        raise ApiError("INVALID_REPLICATION_DATE", "start and end are ISO 8601 times") from None
    if not start < end or start < call.state.clock.now() - longest:
        raise ApiError("INVALID_REPLICATION_DATE", "startDate must be before endDate and within the replication span")
    return start, end


async def record_count(call: Call) -> Response:
    """Count rows; objects without any are left out."""
    names = [call.state.tables.object(name).name for name in call.query("sObjects").split(",") if name]
    counts = [{"count": len(call.state.tables.rows(name)), "name": name} for name in names or call.state.tables.objects]
    return answer({"sObjects": [item for item in counts if item["count"]]})


def limits(window: RateWindow) -> Handler:
    """Make the handler that tells how much of the allowance is left."""

    async def handler(call: Call) -> Response:
        left = window.remaining(call.state.clock.now())
        daily = {"DailyApiRequests": {"Max": window.requests, "Remaining": left}}
        used = call.state.jobs.made_since("query", call.state.clock.now() - timedelta(days=1))
        bulk = {"DailyBulkV2QueryJobs": {"Max": DAILY_QUERY_JOBS, "Remaining": DAILY_QUERY_JOBS - used}}
        storage = {"DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562}}
        return answer({**daily, **bulk, **storage})

    return handler
