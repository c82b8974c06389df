"""The sandbox's Bulk API 2.0: query jobs by the clock, pages of CSV, ingest jobs row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from crmbridge.sandbox import Served, VirtualClock
from crmbridge_salesforce.sandbox import State
from crmbridge_salesforce.soql import select

NEW = "Name,StageName,CloseDate,Amount\n"


def make(client: httpx.Client, kind: str = "query", **sent: Any) -> dict[str, Any]:
    """Make a job and give what is told of it."""
    answer = client.post(f"jobs/{kind}", json=sent)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def query(client: httpx.Client, statement: str, **more: str) -> str:
    """Make a query job and give its id."""
    return str(make(client, operation=more.pop("operation", "query"), query=statement, **more)["id"])


def load(client: httpx.Client, clock: VirtualClock, text: str, **sent: Any) -> str:
    """Run an ingest job to its end and give its id."""
    job = make(client, "ingest", **{"object": "Opportunity", "operation": "insert", "contentType": "CSV", **sent})["id"]
    headers = {"Content-Type": "text/csv; charset=UTF-8"}
    assert 201 == client.put(f"jobs/ingest/{job}/batches", content=text.encode(), headers=headers).status_code
    assert client.patch(f"jobs/ingest/{job}", json={"state": "UploadComplete"}).is_success
    clock.advance(timedelta(seconds=2))
    return str(job)


def told(client: httpx.Client, job: str, kind: str = "query") -> dict[str, Any]:
    """Ask where a job stands."""
    found: dict[str, Any] = client.get(f"jobs/{kind}/{job}").raise_for_status().json()
    return found


def results(client: httpx.Client, job: str, name: str) -> list[dict[str, str]]:
    """Read one of the three results of an ingest job."""
    return list(csv.DictReader(io.StringIO(client.get(f"jobs/ingest/{job}/{name}").raise_for_status().text)))


def error(answer: httpx.Response) -> tuple[int, str]:
    """Give an error answer's status and code."""
    return answer.status_code, answer.json()[0]["errorCode"]


def test_a_query_job_goes_on_by_the_clock(client: httpx.Client, clock: VirtualClock) -> None:
    """UploadComplete, InProgress, JobComplete; results only at the end."""
    job = query(client, "SELECT Id FROM Opportunity")
    seen = []
    for _ in range(3):
        seen.append(told(client, job)["state"])
        early = client.get(f"jobs/query/{job}/results")
        clock.advance(timedelta(seconds=1))

    assert ["UploadComplete", "InProgress", "JobComplete"] == seen
    assert 200 == early.status_code
    assert 20 == told(client, job)["numberRecordsProcessed"]
    assert {"Opportunity", "query", "COMMA", "LF", 67.0} <= set(told(client, job).values()) - {None}


def test_results_come_in_pages_with_a_locator(client: httpx.Client, clock: VirtualClock, state: State) -> None:
    """The last page's locator is the word null, and a page may be read again (BULK "Get Results for a Query Job")."""
    job = query(client, "select id, amount, closedate, isclosed, account.name, systemmodstamp from opportunity")
    clock.advance(timedelta(seconds=2))
    pages, locator = [], ""
    while locator != "null":
        answer = client.get(f"jobs/query/{job}/results", params={"maxRecords": 8, "locator": locator})
        again = client.get(f"jobs/query/{job}/results", params={"maxRecords": 8, "locator": locator})
        assert again.content == answer.content
        pages.append((answer.headers["Sforce-NumberOfRecords"], list(csv.DictReader(io.StringIO(answer.text)))))
        locator = answer.headers["Sforce-Locator"]
    rows = [row for _, page in pages for row in page]

    assert ["8", "8", "4"] == [count for count, _ in pages]
    assert sorted(state.deal_ids()) == sorted(row["Id"] for row in rows)
    assert ["Id", "Amount", "CloseDate", "IsClosed", "Account.Name", "SystemModstamp"] == list(rows[0])
    assert {"true", "false"} >= {row["IsClosed"] for row in rows}
    assert all(row["SystemModstamp"].endswith(".000Z") for row in rows)


def test_a_page_is_no_larger_than_the_org_says(client: httpx.Client, clock: VirtualClock, state: State) -> None:
    """Whatever was asked for, a further page may follow (jsforce PR 1278: only the first locator page was read)."""
    state.jobs.most_rows = 15
    job = query(client, "SELECT Id FROM Opportunity")
    clock.advance(timedelta(seconds=2))

    assert "15" == client.get(f"jobs/query/{job}/results").headers["Sforce-NumberOfRecords"]


def test_the_form_of_the_csv_is_the_jobs(client: httpx.Client, clock: VirtualClock, state: State) -> None:
    """Delimiter and line ending are kept, texts with both come back whole, large numbers may have an exponent."""
    deal = state.deal_ids()[0]
    state.edit_deal(deal, Name='a|b\n"c"', Amount="12345678.90")
    state.jobs.exponents = True
    job = query(
        client,
        select(["Name", "Amount", "NextStep"], "Opportunity", where=f"Id = '{deal}'"),
        columnDelimiter="PIPE",
        lineEnding="CRLF",
    )
    clock.advance(timedelta(seconds=2))
    text = client.get(f"jobs/query/{job}/results").content.decode()

    assert '"Name"|"Amount"|"NextStep"\r\n"a|b\n""c"""|"1.234567890E+7"|""\r\n' == text


def test_deleted_rows_are_found_by_query_all(client: httpx.Client, clock: VirtualClock, state: State) -> None:
    """The recycle bin shows only there."""
    state.delete_deal(state.deal_ids()[0])
    jobs = [query(client, "SELECT Id FROM Opportunity", operation=name) for name in ("query", "queryAll")]
    clock.advance(timedelta(seconds=2))

    assert [19, 20] == [told(client, job)["numberRecordsProcessed"] for job in jobs]


@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        ("SELECT Id FROM TaskStatus", "INVALIDENTITY", "is not supported by the Bulk API"),
        (
            "SELECT Id, BillingAddress FROM Account",
            "FUNCTIONALITY_NOT_ENABLED",
            "Selecting compound data not supported",
        ),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "FEATURENOTENABLED", "Aggregate Relationships"),
        ("SELECT COUNT(Id) FROM Account", "FEATURENOTENABLED", "Aggregate Relationships"),
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "is not supported"),
    ],
)
def test_what_only_rest_can_answer_is_refused(client: httpx.Client, statement: str, code: str, words: str) -> None:
    """The refusals on which a client falls back to REST (airbyte rate_limiting.py; jsforce issue 380, 732)."""
    answer = client.post("jobs/query", json={"operation": "query", "query": statement})

    assert (400, code) == error(answer)
    assert words in answer.json()[0]["message"]


@pytest.mark.parametrize("end", ["Failed", "Aborted"])
def test_a_job_can_end_badly(client: httpx.Client, clock: VirtualClock, state: State, end: Any) -> None:
    """A failed job says why, and one that was aborted is over, too (MeltanoLabs/tap-salesforce bulk2.py)."""
    state.jobs.plan(end, "Query timed out")
    job = query(client, "SELECT Id FROM Opportunity")
    clock.advance(timedelta(seconds=2))
    other = query(client, "SELECT Id FROM Opportunity")
    clock.advance(timedelta(seconds=2))

    assert (end, "Query timed out") == (told(client, job)["state"], told(client, job)["errorMessage"])
    assert (400, "INVALIDJOBSTATE") == error(client.get(f"jobs/query/{job}/results"))
    assert "JobComplete" == told(client, other)["state"]


def test_jobs_are_listed_aborted_and_deleted(client: httpx.Client, clock: VirtualClock) -> None:
    """A running job can't be deleted; one that is over can, and is gone after seven days anyway."""
    first, second, third = (query(client, "SELECT Id FROM Opportunity") for _ in range(3))
    busy = client.delete(f"jobs/query/{first}")
    aborted = client.patch(f"jobs/query/{first}", json={"state": "Aborted"}).json()
    clock.advance(timedelta(seconds=2))

    assert (400, "API_ERROR") == error(busy)
    assert "Aborted" == aborted["state"]
    assert (400, "INVALIDJOBSTATE") == error(client.patch(f"jobs/query/{second}", json={"state": "Aborted"}))
    assert [204, 204] == [client.delete(f"jobs/query/{job}").status_code for job in (first, second)]
    assert [third] == [job["id"] for job in client.get("jobs/query").json()["records"]]
    assert (404, "NOT_FOUND") == error(client.get(f"jobs/query/{first}"))
    assert 9997 == client.get("limits").json()["DailyBulkV2QueryJobs"]["Remaining"]
    clock.advance(timedelta(days=7))
    assert (404, "NOT_FOUND") == error(client.get(f"jobs/query/{third}"))


def test_results_are_read_with_the_jobs_own_version(client: httpx.Client, clock: VirtualClock, org: Served) -> None:
    """Another version's results are a conflict (BULK "Get Results for a Query Job")."""
    job = query(client, "SELECT Id FROM Opportunity")
    clock.advance(timedelta(seconds=2))

    assert 409 == client.get(f"{org.url}/services/data/v66.0/jobs/query/{job}/results").status_code


def test_rows_are_written_or_refused_one_by_one(client: httpx.Client, clock: VirtualClock, state: State) -> None:
    """A job that is complete says nothing of its rows: numberRecordsFailed does."""
    text = NEW + "A,Prospecting,2026-07-01,5\nB,Prospecting,soon,\n,Prospecting,2026-07-01,\n"
    job = load(client, clock, text)
    done, failed = results(client, job, "successfulResults"), results(client, job, "failedResults")

    assert ("JobComplete", 3, 2) == tuple(
        told(client, job, "ingest")[name] for name in ("state", "numberRecordsProcessed", "numberRecordsFailed")
    )
    assert [("A", "true")] == [(row["Name"], row["sf__Created"]) for row in done]
    assert done[0]["sf__Id"] in state.deal_ids()
    assert ["", "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"] == list(failed[1].values())[:2]
    assert [] == results(client, job, "unprocessedRecords")


def test_an_empty_cell_changes_nothing(client: httpx.Client, clock: VirtualClock, state: State) -> None:
    """Only #N/A clears a field (Exotic209093/WaveLink issue 45; rudderlabs/rudder-server PR 7151)."""
    deal = state.deal_ids()[0]
    state.edit_deal(deal, NextStep="call", Description="long")
    load(client, clock, f"Id,NextStep,Description\n{deal},,#N/A\n", operation="update")
    row = client.get(f"sobjects/Opportunity/{deal}").json()

    assert ("call", None) == (row["NextStep"], row["Description"])


def test_upserts_and_deletes(client: httpx.Client, clock: VirtualClock, state: State) -> None:
    """A new key creates and a known one changes; deleting takes ids and nothing else."""
    text = "CrmBridge_Key__c,Name,StageName,CloseDate\nk-1,A,Prospecting,2026-07-01\n"
    upsert = {"operation": "upsert", "externalIdFieldName": "CrmBridge_Key__c"}
    first, second = (results(client, load(client, clock, text, **upsert), "successfulResults") for _ in range(2))
    row_id = first[0]["sf__Id"]
    removed = load(client, clock, f"Id\n{row_id}\n", operation="delete")
    again = load(client, clock, f"Id\n{row_id}\n", operation="delete")

    assert [(row_id, "true"), (row_id, "false")] == [(r["sf__Id"], r["sf__Created"]) for r in (*first, *second)]
    assert [row_id] == [row["sf__Id"] for row in results(client, removed, "successfulResults")]
    assert results(client, again, "failedResults")[0]["sf__Error"].startswith("ENTITY_IS_DELETED:")
    assert row_id not in state.deal_ids()


def test_a_job_that_stops_leaves_rows_unprocessed(client: httpx.Client, clock: VirtualClock, state: State) -> None:
    """What was not reached is given back as it came."""
    state.jobs.plan("Failed", "InternalServerError : stopped", after=1)
    job = load(client, clock, NEW + "A,Prospecting,2026-07-01,5\nB,Prospecting,2026-07-01,6\n")

    assert "Failed" == told(client, job, "ingest")["state"]
    assert ["A"] == [row["Name"] for row in results(client, job, "successfulResults")]
    assert [["B", "6"]] == [[row["Name"], row["Amount"]] for row in results(client, job, "unprocessedRecords")]


def test_a_file_with_a_wrong_header_fails_as_a_whole(client: httpx.Client, clock: VirtualClock) -> None:
    """No row is written, and all of them are unprocessed."""
    job = load(client, clock, "Name,Nope\nA,1\n")

    assert "InvalidBatch : Field name not found : Nope" == told(client, job, "ingest")["errorMessage"]
    assert 1 == len(results(client, job, "unprocessedRecords"))


def test_data_may_come_in_chunks_and_once(client: httpx.Client, clock: VirtualClock) -> None:
    """Clients send it without a length (jsforce lib/api/bulk2); a second time it is refused."""

    def chunks() -> Iterator[bytes]:
        yield NEW.encode()
        yield b"A,Prospecting,2026-07-01,5\n"

    job = make(client, "ingest", object="Opportunity", operation="insert", contentType="CSV")
    url, headers = f"/{job['contentUrl']}", {"Content-Type": "text/csv"}
    early = client.get(f"jobs/ingest/{job['id']}/successfulResults")
    base = str(client.base_url).split("/services")[0]

    assert "Open" == job["state"]
    assert (400, "INVALIDJOBSTATE") == error(early)
    assert 415 == client.put(base + url, content=b"x", headers={"Content-Type": "application/json"}).status_code
    assert 201 == client.put(base + url, content=chunks(), headers=headers).status_code
    assert (400, "INVALIDJOBSTATE") == error(client.put(base + url, content=chunks(), headers=headers))
    client.patch(f"jobs/ingest/{job['id']}", json={"state": "UploadComplete"})
    clock.advance(timedelta(seconds=2))
    assert 1 == len(results(client, job["id"], "successfulResults"))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"operation": "hardDelete", "object": "Task"}, "FEATURENOTENABLED"),
        ({"operation": "insert", "object": "Nope"}, "NOT_FOUND"),
        ({"operation": "upsert", "object": "Task", "externalIdFieldName": "Subject"}, "NOT_FOUND"),
        ({"operation": "insert", "object": "Task", "contentType": "XML"}, "INVALIDJOB"),
        ({"operation": "stir", "object": "Task"}, "INVALIDJOB"),
    ],
)
def test_jobs_that_can_not_be_are_refused(client: httpx.Client, sent: dict[str, str], code: str) -> None:
    """At once, not when it is their turn."""
    assert code == error(client.post("jobs/ingest", json=sent))[1]
