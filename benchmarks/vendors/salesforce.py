"""Salesforce's stand-in: queries and their pages, bulk queries, rows by id, collections, describe and history."""

from __future__ import annotations

import bisect
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from vendors import soql
from vendors.columns import COLUMNS, OPTIONS
from vendors.deals import CHANGED, CREATED, EDITS_TAKE, ID, NAME, Deals, Sample, Templates, iso
from vendors.limits import Window
from vendors.salesforce_tables import COLUMN_TYPES, STAGE_NAMES, describe, other_rows
from vendors.wire import Reply, Request

DAILY = 100_000
PAGE = 2_000
COLLECTION, COMPOSITE = 200, 25
VERSION = r"/services/data/v[\d.]+"
DEAL = "006Sb0000"


class Result(NamedTuple):
    """What a query found: deals by their places, or rows as they are; `counted` where only that was asked for."""

    columns: tuple[str, ...]
    places: Sequence[int] = ()
    rows: Sequence[bytes] = ()
    counted: int | None = None

    def __len__(self) -> int:
        return len(self.rows) or len(self.places)


class Salesforce:
    """One org. `limited` switches its daily allowance on, which every answer tells of."""

    window: Window | None = None  # short requests are not limited by the second

    def __init__(self, count: int, *, moved: float, limited: bool) -> None:
        ids = [record_id(number) for number in range(count)]
        self.deals = Deals(count, moved=moved, times=_time, ids=ids, grain=1000)
        self._limited = limited
        self._used = 0
        self._names = itertools.count(1)
        self._json: dict[tuple[str, ...], Templates] = {}
        self._csv: dict[tuple[str, ...], Templates] = {}
        self._results: dict[str, Result] = {}
        self._ordered: dict[str, str] = {}  # bulk queries that nobody asked for yet
        self._written: dict[int, dict[str, Any]] = {}

    def touch(self, count: int) -> None:
        """Let some deals have been changed now."""
        step = max(1, len(self.deals) // count)
        self.deals.touch(range(0, step * count, step))

    def edit(self, places: range, field: str, value: str) -> None:
        """Let a person have written a value in one field of these deals now."""
        for place in places:
            self._written.setdefault(place, {})[f"{field}__c"] = value
        self.deals.touch(places, EDITS_TAKE)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        self._used += 1
        headers = (("Sforce-Limit-Info", f"api-usage={self._used}/{DAILY}"),) if self._limited else ()
        for pattern, call in ROUTES:
            found = re.fullmatch(pattern, f"{request.method} {request.path}")
            if found:
                try:
                    reply = call(self, request, **found.groupdict())
                except soql.QueryError as error:
                    body = [{"errorCode": "MALFORMED_QUERY", "message": str(error)}]
                    return Reply(json.dumps(body).encode(), 400, headers)
                return reply._replace(headers=(*reply.headers, *headers))
        return Reply(b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]', 404, headers)

    # ── Queries ─────────────────────────────────────────────────────────────────────────────────────────

    def query(self, request: Request) -> Reply:
        """Run a query and give its first page."""
        name = f"01gSb{next(self._names):010}MAQ"
        self._results[name] = self._run(request.query["q"])
        return self._page(name, 0)

    def more(self, _request: Request, name: str, start: str) -> Reply:
        """Give another page."""
        return self._page(name, int(start))

    def _page(self, name: str, start: int) -> Reply:
        result = self._results[name]
        if result.counted is not None:
            return Reply(b'{"totalSize":%d,"done":true,"records":[]}' % result.counted)
        end = min(start + PAGE, len(result))
        following = b""
        if end < len(result):
            following = b'"nextRecordsUrl":"/services/data/v67.0/query/%b-%d",' % (name.encode(), end)
        rows = result.rows[start:end] or self._rows(result.places[start:end], result.columns)
        done = b"false" if following else b"true"
        body = b'{"totalSize":%d,"done":%b,%b"records":[%b]}' % (len(result), done, following, b",".join(rows))
        return Reply(body, type="application/json;charset=UTF-8")

    def _run(self, text: str) -> Result:
        statement = soql.read(text)
        if statement.table == "Opportunity":
            places = self._places(statement)
            counted = statement.columns[0].lower() in {"count()", "count(id)"}
            return Result(statement.columns, places, counted=len(places) if counted else None)
        if statement.table == "OpportunityHistory":
            return Result(statement.columns, rows=list(self._history(statement)))
        return Result(statement.columns, rows=[json.dumps(row).encode() for row in other_rows(statement.table)])

    def _places(self, statement: soql.Statement) -> Sequence[int]:
        bounds = statement.bounds
        if bounds.nothing:
            return ()
        start, end = self._span(bounds)
        found: Sequence[int] = range(start, end)
        if bounds.among is not None:
            places = (self.deals.find(each) for each in bounds.among)
            found = [place for place in places if place is not None and start <= place < end]
        by_change = soql.ordered_by(statement, ("systemmodstamp", "lastmodifieddate"))
        if by_change or bounds.by_time:
            changed = self._changed(bounds)
            found = [place for place in changed if start <= place < end]
            found = found if by_change else sorted(found)
        return (found[::-1] if soql.descending(statement) else found)[: statement.limit]

    def _changed(self, bounds: soql.Bounds) -> Iterator[int]:
        since = bounds.since
        after = (0, -1)
        if bounds.after is not None:
            after = (bounds.after[0], self.deals.at_or_after(bounds.after[1]))
            since = max(since, after[0])
        return (place for at, place in self.deals.changed_between(since, bounds.until) if (at, place) > after)

    def _span(self, bounds: soql.Bounds) -> tuple[int, int]:
        start = bisect.bisect_left(self.deals.created, bounds.created_since)
        end = bisect.bisect_left(self.deals.created, bounds.created_until)
        for operator, each in bounds.ids:
            inside = operator in {">", "<="}
            place = bisect.bisect_right(self.deals.ids, each) if inside else self.deals.at_or_after(each)
            if operator in {">", ">="}:
                start = max(start, place)
            elif operator in {"<", "<="}:
                end = min(end, place)
        return start, max(start, end)

    def _history(self, statement: soql.Statement) -> Iterator[bytes]:
        """Give each deal's creation, and for one that has moved its move; a time asked for is that of the snapshot."""
        bounds = statement.bounds
        since, until = bounds.created_since, bounds.created_until
        bounds.created_since, bounds.created_until = 0, soql.MOST
        for place in self._places(statement):
            stage = STAGE_NAMES[self.deals.row(place)["stage"]]
            first = STAGE_NAMES["qualification"] if self.deals.moved[place] else stage
            snapshots = [(self.deals.created[place], first)]
            snapshots += [(self.deals.changed[place], stage)] if self.deals.moved[place] else []
            for number, (at, name) in enumerate(snapshots):
                if since <= at < until:
                    yield json.dumps(self._snapshot(place, number, at, name)).encode()

    def _snapshot(self, place: int, number: int, at: int, stage: str) -> dict[str, Any]:
        return {
            "attributes": {"type": "OpportunityHistory"},
            "Id": record_id(place * 2 + number, "008Sb0000"),
            "OpportunityId": self.deals.id_text(place).decode(),
            "StageName": stage,
            "CreatedDate": _time(at).decode(),
            "CreatedById": record_id(1, "005Sb0000"),
        }

    # ── Bulk ────────────────────────────────────────────────────────────────────────────────────────────

    def make_job(self, request: Request) -> Reply:
        """Take a bulk query; it is done when its maker asks for it, so that nothing else is answered late meanwhile."""
        name = f"750Sb{next(self._names):010}AAA"
        self._ordered[name] = request.json()["query"]
        return Reply(json.dumps(self._job(name, "UploadComplete")).encode())

    def job(self, request: Request, name: str) -> Reply:
        """Tell of a bulk query; DELETE forgets it."""
        if request.method == "DELETE":
            self._ordered.pop(name, None)
            self._results.pop(name, None)
            return Reply(b"", 204)
        body = {**self._job(name, "JobComplete"), "numberRecordsProcessed": len(self._done(name))}
        return Reply(json.dumps(body).encode())

    def job_results(self, request: Request, name: str) -> Reply:
        """Give a part of the rows as CSV."""
        result = self._done(name)
        start = int(request.query.get("locator") or 0)
        end = min(start + int(request.query.get("maxRecords") or 50_000), len(result))
        head = (",".join(f'"{column}"' for column in result.columns) + "\n").encode()
        rows = _as_csv(result.rows[start:end], result.columns) if result.rows else self._lines(result, start, end)
        headers = (
            ("Sforce-Locator", str(end) if end < len(result) else "null"),
            ("Sforce-NumberOfRecords", str(end - start)),
        )
        return Reply(head + b"".join(rows), headers=headers, type="text/csv; charset=UTF-8")

    def _done(self, name: str) -> Result:
        if name in self._ordered:
            self._results[name] = self._run(self._ordered.pop(name))
        return self._results[name]

    def _job(self, name: str, state: str) -> dict[str, Any]:
        kind = {"id": name, "operation": "query", "object": "Opportunity", "state": state, "apiVersion": 67.0}
        return {
            **kind,
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
            "concurrencyMode": "Parallel",
        }

    def _lines(self, result: Result, start: int, end: int) -> Iterator[bytes]:
        if result.columns not in self._csv:
            self._csv[result.columns] = self.deals.templates(lambda sample: _csv_row(sample, result.columns))
        return self._csv[result.columns].all(result.places[start:end])

    # ── Rows by id, writes, set-up ──────────────────────────────────────────────────────────────────────

    def by_ids(self, request: Request, table: str) -> Reply:
        """Give rows by id, null for the ones that are not there."""
        asked = request.json()
        if table != "Opportunity" or len(asked["ids"]) > PAGE:
            return Reply(json.dumps([None for _ in asked["ids"]]).encode())
        columns = ("Id", *(name for name in asked["fields"] if name != "Id"))
        places = [self.deals.find(each) for each in asked["ids"]]
        rows = [b"null" if place is None else self._rows([place], columns)[0] for place in places]
        return Reply(b"[%b]" % b",".join(rows))

    def update(self, request: Request) -> Reply:
        """Write up to 200 deals."""
        results = []
        for record in request.json()["records"][:COLLECTION]:
            place = self.deals.find(record["id"])
            if place is None:
                error = {"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": []}
                results.append({"success": False, "errors": [error]})
                continue
            self._write(place, {name: value for name, value in record.items() if name not in {"id", "attributes"}})
            results.append({"id": record["id"], "success": True, "errors": []})
        return Reply(json.dumps(results).encode())

    def composite(self, request: Request) -> Reply:
        """Carry out up to 25 updates of one deal each, unless a deal was changed after the time that it names."""
        answers = []
        for each in request.json()["compositeRequest"][:COMPOSITE]:
            place = self.deals.find(each["url"].rsplit("/", 1)[1])
            limit = each.get("httpHeaders", {}).get("If-Unmodified-Since")
            status = 204
            if place is None:
                status = 404
            elif limit and self.deals.changed[place] > parsedate_to_datetime(limit).timestamp() * 1000:
                status = 412
            else:
                self._write(place, each["body"])
            one = {"body": None, "httpHeaders": {}, "httpStatusCode": status, "referenceId": each["referenceId"]}
            answers.append(one)
        return Reply(json.dumps({"compositeResponse": answers}).encode())

    def _write(self, place: int, values: Mapping[str, Any]) -> None:
        self._written.setdefault(place, {}).update(values)
        self.deals.touch([place])

    def describe(self, _request: Request, table: str) -> Reply:
        """Describe an object."""
        return Reply(json.dumps(describe(table)).encode())

    def limits(self, _request: Request) -> Reply:
        """Tell what is left of the day."""
        left = {"Max": DAILY, "Remaining": DAILY - self._used}
        return Reply(json.dumps({"DailyApiRequests": left, "DailyBulkV2QueryJobs": left}).encode())

    def versions(self, _request: Request) -> Reply:
        """List the versions."""
        found = [{"label": f"v{n}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n in range(41, 69)]
        return Reply(json.dumps(found).encode())

    def _rows(self, places: Sequence[int], columns: tuple[str, ...]) -> list[bytes]:
        if columns not in self._json:
            self._json[columns] = self.deals.templates(lambda sample: _json_row(sample, columns))
        rows = list(self._json[columns].all(places))
        for number, place in enumerate(places):
            if place in self._written:
                body = json.loads(rows[number])
                body.update({n: v for n, v in self._written[place].items() if n in body})
                rows[number] = json.dumps(body).encode()
        return rows


ROUTES: tuple[tuple[str, Callable[..., Reply]], ...] = (
    (rf"GET {VERSION}/query(?:All)?/?", Salesforce.query),
    (rf"GET {VERSION}/query/(?P<name>\w+)-(?P<start>\d+)", Salesforce.more),
    (rf"POST {VERSION}/jobs/query", Salesforce.make_job),
    (rf"(?:GET|DELETE) {VERSION}/jobs/query/(?P<name>\w+)", Salesforce.job),
    (rf"GET {VERSION}/jobs/query/(?P<name>\w+)/results", Salesforce.job_results),
    (rf"POST {VERSION}/composite/sobjects/(?P<table>\w+)", Salesforce.by_ids),
    (rf"PATCH {VERSION}/composite/sobjects", Salesforce.update),
    (rf"POST {VERSION}/composite", Salesforce.composite),
    (rf"GET {VERSION}/sobjects/(?P<table>\w+)/describe", Salesforce.describe),
    (rf"GET {VERSION}/limits", Salesforce.limits),
    (r"GET /services/data/?", Salesforce.versions),
)


def record_id(number: int, prefix: str = DEAL) -> str:
    """Make an id of 18 characters; ids grow with the number."""
    short = f"{prefix}{number:06}"
    parts = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[_capitals(part)] for part in parts)


def _capitals(part: str) -> int:
    return sum(1 << place for place, char in enumerate(part) if "A" <= char <= "Z")


def _time(at: int) -> bytes:
    return iso(at, "%Y-%m-%dT%H:%M:%S.000+0000")


# ── One deal ────────────────────────────────────────────────────────────────────────────────────────────────


def _values(sample: Sample) -> dict[str, Any]:
    row = sample.row
    stage = row["stage"]
    own = {f"{column.name}__c": _custom(column.type, row[column.name]) for column in COLUMNS}
    return {
        **dict.fromkeys(COLUMN_TYPES),
        **own,
        "Id": ID,
        "Name": NAME,
        "Amount": float(row["amount"]),
        "CloseDate": row["close_date"],
        "StageName": STAGE_NAMES[stage],
        "OwnerId": record_id(row["owner"], "005Sb0000"),
        "AccountId": record_id(row["company"], "001Sb0000"),
        "LeadSource": OPTIONS[row["company"] % len(OPTIONS)],
        "IsClosed": stage in {"won", "lost"},
        "IsWon": stage == "won",
        "IsDeleted": False,
        "Probability": 50.0,
        "CreatedDate": CREATED,
        "CreatedById": record_id(1, "005Sb0000"),
        "LastModifiedById": record_id(1, "005Sb0000"),
        "LastModifiedDate": CHANGED,
        "SystemModstamp": CHANGED,
        "LastStageChangeDate": CHANGED if sample.moved else None,
    }


def _custom(kind: str, value: Any) -> Any:
    if kind in {"number", "money"}:
        return float(value)
    return ";".join(value) if kind == "choices" else value


def _json_row(sample: Sample, columns: Sequence[str]) -> bytes:
    values = _values(sample)
    url = f"/services/data/v67.0/sobjects/Opportunity/{ID}"
    shown = {"attributes": {"type": "Opportunity", "url": url}, **{name: values[name] for name in columns}}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def _csv_row(sample: Sample, columns: Sequence[str]) -> bytes:
    values = _values(sample)
    line = (",".join(_cell(values[name]) for name in columns) + "\n").encode()
    return line.replace(b"+0000", b"Z")


def _cell(value: Any) -> str:
    if value is None:
        return '""'
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + text.replace('"', '""') + '"'


def _as_csv(rows: Sequence[bytes], columns: Sequence[str]) -> Iterator[bytes]:
    for row in map(json.loads, rows):
        yield (",".join(_cell(row.get(name)) for name in columns) + "\n").replace("+0000", "Z").encode()
