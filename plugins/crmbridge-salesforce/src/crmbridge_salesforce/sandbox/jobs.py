"""Bulk API 2.0 jobs: made, worked on for a while, over, and gone; and the CSV that goes into them and comes out."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from crmbridge.ports import Clock
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.sandbox.answers import ApiError, not_found, wire
from crmbridge_salesforce.sandbox.select import Selection

KEPT = timedelta(days=7)  # how long a job that is over can be asked for
DAILY_QUERY_JOBS = 10_000
DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
FINAL = frozenset({"JobComplete", "Failed", "Aborted"})
End = Literal["JobComplete", "Failed", "Aborted"]


@dataclass(kw_only=True)
class Job:
    """One job. `ends_as` is what it becomes when its time is over; `started_at` is None while data may still come."""

    id: str
    kind: Literal["query", "ingest"]
    version: str
    object: str
    operation: str
    delimiter: str
    line_ending: str
    made_at: datetime
    started_at: datetime | None = None
    aborted: bool = False
    ends_as: End = "JobComplete"
    message: str = ""
    key_field: str = ""  # of an upsert
    header: tuple[str, ...] = ()
    selection: Selection | None = None  # of a query
    rows: list[Mapping[str, Any]] = field(default_factory=list)  # what it found, as the rows were when it was made
    done: list[list[str]] = field(default_factory=list)  # rows of an ingest job that were written, with id and created
    failed: list[list[str]] = field(default_factory=list)  # those that were refused, with id and error
    left: list[list[str]] = field(default_factory=list)  # those that were not reached
    uploaded: bytes | None = None


@dataclass(kw_only=True)
class Jobs:
    """All jobs. Tests may change its figures, and `plan` how the next job ends.

    `takes` is how long a job is worked on, `most_rows` how many rows a page of results has at most; with `exponents`
    large numbers are written with one.
    """

    clock: Clock
    takes: timedelta = timedelta(seconds=2)
    most_rows: int = 50_000
    exponents: bool = False
    all: dict[str, Job] = field(default_factory=dict)
    made: list[tuple[str, datetime]] = field(default_factory=list)  # kind and time of every job, deleted ones too
    planned: deque[tuple[End, str, int | None]] = field(default_factory=deque)

    def plan(self, end: End, message: str = "", *, after: int | None = None) -> None:
        """Say how the next job ends that has no end yet; an ingest job stops `after` so many rows."""
        self.planned.append((end, message, after))

    def add(self, **values: Any) -> Job:
        """Make a job."""
        job = Job(id=to_18(f"750Sb00000{len(self.made) + 1:05}"), made_at=self.clock.now(), **values)
        self.made.append((job.kind, job.made_at))
        self.all[job.id] = job
        return job

    def get(self, kind: str, job_id: str) -> Job:
        """Find a job; raises ApiError NOT_FOUND for one that is not there any more, or of the other kind."""
        job = self.all.get(to_18(job_id))
        if job is None or job.kind != kind or (self.is_over(job) and self.clock.now() - job.made_at > KEPT):
            raise not_found()
        return job

    def start(self, job: Job) -> int | None:
        """Let the org begin to work on a job; gives how many rows it does, or None for all."""
        job.started_at = self.clock.now()
        if not self.planned:
            return None
        job.ends_as, job.message, after = self.planned.popleft()
        return after

    def state(self, job: Job) -> str:
        """Tell where a job stands now."""
        if job.aborted:
            return "Aborted"
        if job.started_at is None:
            return "Open"
        spent = self.clock.now() - job.started_at
        if spent < self.takes / 2:
            return "UploadComplete"
        return "InProgress" if spent < self.takes else job.ends_as

    def is_over(self, job: Job) -> bool:
        """Tell whether a job has come to its end."""
        return self.state(job) in FINAL

    def made_since(self, kind: str, since: datetime) -> int:
        """Count the jobs of a kind that were made since then."""
        return sum(one == kind and at >= since for one, at in self.made)

    def info(self, job: Job, author: str) -> dict[str, Any]:
        """Give what is told of a job."""
        body: dict[str, Any] = {
            "id": job.id,
            "operation": job.operation,
            "object": job.object,
            "createdById": author,
            "createdDate": wire(job.made_at),
            "systemModstamp": wire(job.started_at or job.made_at),
            "state": self.state(job),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(job.version),
            "jobType": "V2Query" if job.kind == "query" else "V2Ingest",
            "lineEnding": job.line_ending,
            "columnDelimiter": job.delimiter,
        }
        if job.kind == "ingest":
            body |= {"contentUrl": f"services/data/v{job.version}/jobs/ingest/{job.id}/batches"}
            body |= {"externalIdFieldName": job.key_field} if job.key_field else {}
        return body | (self._figures(job) if self.is_over(job) else {})

    def _figures(self, job: Job) -> dict[str, Any]:
        figures: dict[str, Any] = {"retries": 0, "totalProcessingTime": int(self.takes.total_seconds() * 1000)}
        if job.kind == "query":
            figures["numberRecordsProcessed"] = len(job.rows) if self.state(job) == "JobComplete" else 0
        else:
            figures |= {"numberRecordsProcessed": len(job.done) + len(job.failed)}
            figures |= {"numberRecordsFailed": len(job.failed)}
        return figures | ({"errorMessage": job.message} if job.message else {})


def read_form(sent: Mapping[str, Any]) -> dict[str, str]:
    """Read how a job's CSV looks; raises ApiError for a form that there is not."""
    delimiter, ending = str(sent.get("columnDelimiter") or "COMMA"), str(sent.get("lineEnding") or "LF")
    if delimiter not in DELIMITERS or ending not in LINE_ENDINGS or sent.get("contentType", "CSV") != "CSV":
        raise ApiError("INVALIDJOB", "columnDelimiter, lineEnding or contentType is not supported")
    return {"delimiter": delimiter, "line_ending": ending}


def write_csv(job: Job, header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows in a job's form; every cell stands in quotes."""
    out = io.StringIO()
    ending = LINE_ENDINGS[job.line_ending]
    writer = csv.writer(out, delimiter=DELIMITERS[job.delimiter], lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", "replace")


def read_csv(job: Job, data: bytes) -> list[list[str]]:
    """Read rows in a job's form, the header first."""
    text = io.StringIO(data.decode("utf-8-sig", "replace"), newline="")
    return [row for row in csv.reader(text, delimiter=DELIMITERS[job.delimiter]) if row]


def cell(value: Any, *, exponents: bool) -> str:
    """Write one value as a result's CSV has it: cells have no types, and null is an empty one."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:E}" if exponents and abs(value) >= 10_000_000 else f"{value:f}"
    return str(value)


@lru_cache(maxsize=65_536)
def _moment(value: datetime) -> str:
    return str(wire(value)).replace("+0000", "Z")  # unlike JSON, where it is +0000
