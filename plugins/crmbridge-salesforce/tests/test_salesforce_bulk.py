"""Big first pulls by Bulk API 2.0: what comes, what it costs, where it ends, and what happens when jobs go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind, Move, Record, Ref
from crmbridge.ports import Page
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge_salesforce import bulk, bulk_walk
from crmbridge_salesforce.bulk import BulkUnavailableError, Part, rows_of
from crmbridge_salesforce.sandbox import build_org
from crmbridge_salesforce.sandbox import bulk as jobs_of_sandbox
from crmbridge_salesforce.sandbox.jobs import Job, Jobs

from .orgs import BASE, HOST, Opener, asked, settle, state_of

COUNT = 60
FEW = 7


@pytest.fixture
def big(clock: VirtualClock) -> Iterator[Served]:
    """Serve an org of a few dozen deals, which tests call big."""
    with serve(build_org(SandboxOptions(seed=5, deals=COUNT, clock=clock), multi_currency=True)) as served:
        yield served


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let parts and pages be so small that there are several."""
    monkeypatch.setattr(bulk_walk, "PAGE", 10)
    monkeypatch.setattr(bulk, "PART", 25)
    monkeypatch.setattr(bulk_walk, "SMALL_ROWS", 40)
    monkeypatch.setattr(bulk.QueryJobs.parts, "__kwdefaults__", {"size": 25})


def deals(pages: Iterable[Page]) -> dict[Ref, Record]:
    """Give the deals of some pages."""
    return {record.ref: record for page in pages for record in page.records}


def moves(pages: Iterable[Page]) -> dict[Ref, list[Move]]:
    """Give the moves of some pages, by deal."""
    found: dict[Ref, list[Move]] = {}
    for move in (move for page in pages for move in page.moves):
        found.setdefault(move.deal, []).append(move)
    return found


def paths(org: Served, method: str, path: str) -> int:
    """Count requests."""
    return len(org.sandbox.log.matching(method, path))


@pytest.mark.usefixtures("in_parts")
def test_a_bulk_pull_is_what_a_pull_by_pages_is(big: Served, open_adapter: Opener) -> None:
    """Records, versions, contacts and moves are the same whichever way they came: CSV and JSON are one."""
    by_pages = list(open_adapter(big.url, big.token).pull(Kind.DEAL, None))
    in_bulk = list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None))

    assert 3 == paths(big, "POST", "/jobs/query")
    assert COUNT == sum(len(page.records) for page in in_bulk)
    assert deals(by_pages) == deals(in_bulk)
    assert moves(by_pages) == moves(in_bulk)
    assert {COUNT} == {page.total for page in in_bulk if page.records}


@pytest.mark.usefixtures("in_parts")
def test_the_first_deals_come_before_any_job_is_looked_at(big: Served, open_adapter: Opener) -> None:
    """They are asked for by REST beside the count, come whole, and jobs give the others: each deal once."""
    by_pages = list(open_adapter(big.url, big.token).pull(Kind.DEAL, None))
    big.sandbox.log.clear()
    walk = open_adapter(big.url, big.token, bulk_above=FEW).pull(Kind.DEAL, None)
    first = next(walk)
    looked_at = paths(big, "GET", "/jobs/query")
    pages = [first, *walk]

    assert (FEW, COUNT, 0) == (len(first.records), first.total, looked_at)
    assert "job" not in json.loads(first.cursor)
    assert 3 == paths(big, "POST", "/jobs/query")
    assert COUNT == sum(len(page.records) for page in pages)
    assert deals(by_pages) == deals(pages)
    assert moves(by_pages) == moves(pages)


@pytest.mark.usefixtures("in_parts")
def test_a_walk_that_was_cut_after_the_first_deals_goes_on_behind_them(
    big: Served, open_adapter: Opener, clock: VirtualClock
) -> None:
    """Everything else comes, with its moves, although no job was named yet; so does what changed in between."""
    first = next(open_adapter(big.url, big.token, bulk_above=FEW).pull(Kind.DEAL, None))
    clock.advance(timedelta(minutes=5))
    edited = first.records[0].ref
    state_of(big).edit_deal(edited.id, Name="Meanwhile")
    rest = list(open_adapter(big.url, big.token, bulk_above=FEW).pull(Kind.DEAL, first.cursor))

    assert COUNT == len(deals([first, *rest]))
    assert set(deals(rest)) == set(moves(rest))
    assert COUNT - FEW + 1 == len(deals(rest))
    assert "Meanwhile" == deals(rest)[edited].fields["name"]


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_first_deals_come_whatever_becomes_of_the_jobs(big: Served, open_adapter: Opener, number: int) -> None:
    """One that fails leads to reading the others by pages, or their details."""
    by_pages = list(open_adapter(big.url, big.token).pull(Kind.DEAL, None))
    for place in range(3):
        state_of(big).jobs.plan("Failed" if place == number else "JobComplete")
    pages = list(open_adapter(big.url, big.token, bulk_above=FEW).pull(Kind.DEAL, None))

    assert COUNT == sum(len(page.records) for page in pages)
    assert deals(by_pages) == deals(pages)
    assert moves(by_pages) == moves(pages)


@pytest.mark.usefixtures("in_parts")
def test_deals_come_while_their_history_is_still_on_its_way(
    big: Served, open_adapter: Opener, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page waits for no history, and later ones only for seconds: they are complete all the same."""
    by_pages = list(open_adapter(big.url, big.token).pull(Kind.DEAL, None))
    start = Jobs.start

    def start_late(jobs: Jobs, job: Job) -> int | None:
        rows = start(jobs, job)
        if job.object == "OpportunityHistory":
            job.started_at = clock.now() + timedelta(seconds=60)
        return rows

    monkeypatch.setattr(Jobs, "start", start_late)
    walk = open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None)
    pages = [next(walk)]
    history = json.loads(pages[0].cursor)["history"]

    begun = clock.now()
    pages.append(next(walk))
    assert timedelta(seconds=3) <= clock.now() - begun < timedelta(seconds=10)
    assert 0 == paths(big, "GET", f"/jobs/query/{history}/results")

    clock.advance(timedelta(seconds=60))
    pages += walk
    assert 1 <= paths(big, "GET", f"/jobs/query/{history}/results")
    assert deals(by_pages) == deals(pages)
    assert moves(by_pages) == moves(pages)


def tracked(org: Served) -> None:
    """Let the org track stages and amounts, and somebody move a deal since; the usual history has lost that."""
    state_of(org).tracked |= {"StageName", "Amount"}
    tables = state_of(org).tables
    known = set(tables.rows("OpportunityHistory"))
    deal = next(i for i, row in tables.rows("Opportunity").items() if not row["IsClosed"])
    state_of(org).edit_deal(deal, StageName="Contracting", Amount=7)
    for lost in set(tables.rows("OpportunityHistory")) - known:
        tables.store("OpportunityHistory", {**tables.present("OpportunityHistory", lost), "IsDeleted": True})


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("prepared", [lambda _org: None, tracked], ids=["usual", "tracked"])
def test_what_lies_beside_deals_comes_from_jobs(
    big: Served, open_adapter: Opener, prepared: Callable[[Served], None]
) -> None:
    """Each part of a job is fetched once; the org is asked for the details of the first page, and of no other."""
    prepared(big)
    by_pages = list(open_adapter(big.url, big.token).pull(Kind.DEAL, None))
    big.sandbox.log.clear()
    in_bulk = list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None))
    read = [(one.path, one.query) for one in big.sandbox.log.matching("GET", "/results")]
    statements = asked(big)

    assert moves(by_pages) == moves(in_bulk)
    assert len(read) == len(set(read))
    for table in ("OpportunityHistory", "OpportunityContactRole", "OpportunityFieldHistory"):
        assert 1 >= sum("IN (" in each for each in statements if f" FROM {table} " in each)
    assert {} == state_of(big).jobs.all


@pytest.mark.parametrize("table", ["OpportunityHistory", "OpportunityContactRole", "OpportunityFieldHistory"])
def test_what_no_job_can_be_ordered_for_is_asked_for(
    big: Served, open_adapter: Opener, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Without that job the others would tell of deals that have no contacts, or did not move."""
    tracked(big)
    by_pages = list(open_adapter(big.url, big.token).pull(Kind.DEAL, None))
    monkeypatch.setattr(jobs_of_sandbox, "UNSUPPORTED", {table})
    in_bulk = list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None))

    assert deals(by_pages) == deals(in_bulk)
    assert moves(by_pages) == moves(in_bulk)
    assert set(moves(in_bulk)) == set(deals(in_bulk))


def test_cells_with_exponents_are_the_same_numbers(big: Served, open_adapter: Opener) -> None:
    """Large numbers may come with an exponent in CSV; amounts and versions stay what they are."""
    by_pages = deals(open_adapter(big.url, big.token).pull(Kind.DEAL, None))
    state_of(big).jobs.exponents = True

    assert by_pages == deals(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None))


@pytest.mark.parametrize("kind", [Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.ACTIVITY])
def test_every_kind_can_come_in_bulk(big: Served, open_adapter: Opener, kind: Kind) -> None:
    """Accounts, contacts and tasks may be more than deals; the org archives old tasks, which come all the same."""
    state_of(big).archive_activity(state_of(big).add_task(state_of(big).deal_ids()[0], Subject="Call"))
    by_pages = deals(open_adapter(big.url, big.token).pull(kind, None))

    assert by_pages
    assert by_pages == deals(open_adapter(big.url, big.token, bulk_above=0).pull(kind, None))
    assert 1 <= paths(big, "POST", "/jobs/query")


def test_a_small_org_is_read_by_pages(big: Served, open_adapter: Opener) -> None:
    """Up to two thousand rows, a job is more trouble than it saves ("Bulk API and Bulk API 2.0 Limits")."""
    list(open_adapter(big.url, big.token, bulk_above=COUNT).pull(Kind.DEAL, None))
    assert 0 == paths(big, "POST", "/jobs/query")

    list(open_adapter(big.url, big.token, bulk_above=COUNT - 1).pull(Kind.DEAL, None))
    assert 3 == paths(big, "POST", "/jobs/query")


def test_jobs_are_taken_away(big: Served, open_adapter: Opener) -> None:
    """Nothing stays behind once everything was read."""
    list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None))

    assert {} == state_of(big).jobs.all


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize(("cut", "again"), [(1, 10), (2, 20), (3, 0), (4, 10), (6, 0)])
def test_a_cut_walk_goes_on_with_its_job(
    big: Served, open_adapter: Opener, clock: VirtualClock, cut: int, again: int
) -> None:
    """The cursor names jobs and part: a new process orders nothing, and reads no more than a part twice."""
    early = list(islice(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None), cut))
    clock.advance(timedelta(days=2))
    rest = list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, early[-1].cursor))

    assert 3 == paths(big, "POST", "/jobs/query")
    assert COUNT == len(deals([*early, *rest]))
    assert set(deals(rest)) == set(moves(rest))
    assert COUNT + again == sum(len(page.records) for page in [*early, *rest])


@pytest.mark.usefixtures("in_parts")
def test_a_walk_that_was_cut_after_all_rows_tells_what_is_gone(
    big: Served, open_adapter: Opener, clock: VirtualClock
) -> None:
    """It reads no row again, and owes deletions, and contacts that left, since the walk before it."""
    adapter = open_adapter(big.url, big.token, page_size=5, bulk_above=10)
    cursor = settle(adapter, clock)
    state = state_of(big)
    gone, *edited = state.deal_ids()
    state.delete_deal(gone)
    for deal in edited:
        state.edit_deal(deal, NextStep="Everybody at once")
    clock.advance(timedelta(days=1))
    pages = list(adapter.pull(Kind.DEAL, cursor))
    last = [page.cursor for page in pages if page.records][-1]
    rest = list(open_adapter(big.url, big.token).pull(Kind.DEAL, last))

    assert set(edited) == {ref.id for ref in deals(pages)}
    assert {} == deals(rest)
    assert [gone] == [stone.ref.id for page in rest for stone in page.tombstones]


@pytest.mark.usefixtures("in_parts")
def test_a_cut_walk_whose_job_is_gone_begins_again(big: Served, open_adapter: Opener, clock: VirtualClock) -> None:
    """Jobs are kept for seven days; after that everything is read anew, and nothing is missing."""
    early = list(islice(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None), 4))
    clock.advance(timedelta(days=8))
    rest = list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, early[-1].cursor))

    assert COUNT == len(deals(rest))
    assert set(deals(rest)) == set(moves(rest))


@pytest.mark.usefixtures("in_parts")
def test_what_is_edited_during_a_bulk_walk_comes_with_the_next(
    big: Served, open_adapter: Opener, clock: VirtualClock
) -> None:
    """A job finds what was there when it was ordered; the next pull begins before that."""
    adapter = open_adapter(big.url, big.token, bulk_above=0)
    walk = adapter.pull(Kind.DEAL, None)
    first = next(walk)
    clock.advance(timedelta(minutes=30))
    ids = state_of(big).deal_ids()
    for deal in (ids[0], ids[-1]):
        state_of(big).edit_deal(deal, Name="Meanwhile")
    state_of(big).delete_deal(ids[1])
    rest = list(walk)
    later = list(adapter.pull(Kind.DEAL, rest[-1].cursor))

    gone = {stone.ref.id for page in [*rest, *later] for stone in page.tombstones}
    assert ["Meanwhile"] * 2 == [deals(later)[Ref("sf", Kind.DEAL, deal)].fields["name"] for deal in (ids[0], ids[-1])]
    assert {ids[1]} == gone
    assert first.records


@pytest.mark.parametrize("end", ["Failed", "Aborted"])
def test_a_job_that_ends_badly_ends_the_wait(big: Served, open_adapter: Opener, end: Any) -> None:
    """Failed and Aborted lead to reading by pages; a poll that knows only one of them never ends (MeltanoLabs tap)."""
    jobs = state_of(big).jobs
    for _ in range(3):  # those beside may come first
        jobs.plan(end, "the job was stopped")
    pages = list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None))

    assert COUNT == len(deals(pages))
    assert set(deals(pages)) == set(moves(pages))
    assert 10 > paths(big, "GET", "/jobs/query")


@pytest.mark.parametrize("number", [1, 2])
def test_a_job_beside_that_fails_costs_only_itself(big: Served, open_adapter: Opener, number: int) -> None:
    """Without the history or the contacts in bulk they are asked for page by page."""
    jobs = state_of(big).jobs
    for place in range(3):
        jobs.plan("Failed" if place == number else "JobComplete")
    pages = list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None))
    jobs.planned.clear()

    assert deals(open_adapter(big.url, big.token).pull(Kind.DEAL, None)) == deals(pages)
    assert set(deals(pages)) == set(moves(pages))


def test_a_job_that_never_ends_is_given_up(big: Served, open_adapter: Opener) -> None:
    """After half an hour rows are read by pages; looks at the job come ever more rarely."""
    state_of(big).jobs.takes = timedelta(days=1)
    pages = list(open_adapter(big.url, big.token, bulk_above=0).pull(Kind.DEAL, None))

    assert COUNT == len(deals(pages))
    assert paths(big, "GET", "/jobs/query") < 120


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, "INVALIDENTITY", "Entity 'Opportunity' is not supported by the Bulk API."),
        (400, "FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query"),
        (400, "INVALIDJOB", "Unable to find object: Opportunity"),
        (403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
    ],
)
def test_what_bulk_can_not_answer_is_read_by_pages(open_adapter: Opener, status: int, code: str, words: str) -> None:
    """Objects and columns that jobs refuse are asked for by REST (airbyte source-salesforce rate_limiting.py)."""
    fields = [{"name": name, "type": "string"} for name in ("Name", "StageName")]
    system = [{"name": "Id", "type": "id"}, {"name": "SystemModstamp", "type": "datetime"}]
    with respx.mock:
        respx.get(f"{BASE}/sobjects/Account/describe").respond(json={"name": "Account", "fields": [*system, *fields]})
        respx.post(f"{BASE}/jobs/query").respond(status, json=[{"errorCode": code, "message": words}])
        row = {"Id": "001Sb0000000001IAA", "Name": "Acme", "SystemModstamp": "2026-06-01T00:00:00.000+0000"}
        said = {"Date": "Wed, 10 Jun 2026 12:00:00 GMT"}
        count = httpx.Response(200, json={"totalSize": 5000, "done": True, "records": []}, headers=said)
        pages = [[row], [{**row, "Id": "001Sb0000000002IAA", "Name": "Bolt"}]]
        bodies = [{"totalSize": 1, "done": True, "records": page} for page in pages]
        rows = iter([httpx.Response(200, json=body, headers=said) for body in bodies])
        respx.get(f"{BASE}/query").mock(side_effect=lambda asked: count if "COUNT" in str(asked.url) else next(rows))
        found = list(open_adapter(HOST, "t", bulk_above=1).pull(Kind.COMPANY, None))

    assert ["Acme", "Bolt"] == [record.fields["name"] for page in found for record in page.records]


@pytest.fixture
def answers() -> Iterator[respx.MockRouter]:
    """Stub an org with five thousand accounts, whose bulk job is complete."""
    described = [{"name": "Id", "type": "id"}, {"name": "SystemModstamp", "type": "datetime"}]
    described += [{"name": "Name", "type": "string"}, {"name": "IsDeleted", "type": "boolean"}]
    nothing = {"totalSize": 0, "done": True, "records": []}
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{BASE}/sobjects/Account/describe").respond(json={"name": "Account", "fields": described})
        router.get(f"{BASE}/query").respond(json={**nothing, "totalSize": 5000})
        router.get(f"{BASE}/queryAll").respond(json=nothing)
        router.post(f"{BASE}/jobs/query").respond(json={"id": "750X", "state": "UploadComplete"})
        router.get(f"{BASE}/jobs/query/750X").respond(json={"id": "750X", "state": "JobComplete"})
        router.delete(f"{BASE}/jobs/query/750X").respond(204)
        yield router


def csv_reply(*names: str, locator: str = "null", **headers: str) -> httpx.Response:
    """Make a part of a job's results."""
    lines = [f'"001Sb000000000{n}IAA","2026-06-0{n + 1}T00:00:00.000Z","{name}"' for n, name in enumerate(names)]
    body = "\n".join(['"Id","SystemModstamp","Name"', *lines, ""])
    said = {"Sforce-Locator": locator, "Sforce-NumberOfRecords": str(len(names)), "Content-Type": "text/csv", **headers}
    return httpx.Response(200, content=body.encode(), headers=said)


def test_the_requests_of_a_job(open_adapter: Opener, answers: respx.MockRouter) -> None:
    """Ordered once, looked at, fetched by locator until it says null, taken away ("Get Results for a Query Job").

    Only the first part was read by a client that took it for all (jsforce PR 1278).
    """
    results = answers.get(f"{BASE}/jobs/query/750X/results")
    results.side_effect = [csv_reply("One", "Two", locator="MTAw"), csv_reply("Three")]
    found = [
        record.fields["name"] for page in open_adapter(HOST, "t").pull(Kind.COMPANY, None) for record in page.records
    ]

    assert ["One", "Two", "Three"] == found
    order = next(call.request for call in answers.calls if call.request.method == "POST")
    assert (
        b'{"operation":"query","query":"SELECT Id, SystemModstamp, Name FROM Account","contentType":"CSV"}'
        == order.content
    )
    asked = [dict(call.request.url.params) for call in results.calls]
    assert [{"maxRecords": "2500"}, {"maxRecords": "2500", "locator": "MTAw"}] == asked
    assert "DELETE" == answers.calls[-2].request.method or "DELETE" in {c.request.method for c in answers.calls}


@pytest.mark.parametrize("kept", ["Sforce-NumberOfRecords", "Content-Type"])
def test_a_part_that_does_not_say_whether_it_is_the_last_one_ends_nothing(
    open_adapter: Opener, answers: respx.MockRouter, kept: str
) -> None:
    """Something on the way may take headers off. Taken for the last one, all behind it would never come."""
    whole = csv_reply("One", "Two")
    told = httpx.Response(200, content=whole.content, headers={kept: whole.headers[kept]})
    answers.get(f"{BASE}/jobs/query/750X/results").mock(return_value=told)
    with pytest.raises(RetryLaterError, match="where the next one begins"):
        list(open_adapter(HOST, "t").pull(Kind.COMPANY, None))


def test_a_locator_that_comes_twice_ends_the_walk(open_adapter: Opener, answers: respx.MockRouter) -> None:
    """An org that sends us round in a circle is not followed for ever."""
    answers.get(f"{BASE}/jobs/query/750X/results").side_effect = lambda _: csv_reply("One", locator="MTAw")
    with pytest.raises(RetryLaterError, match="twice"):
        list(open_adapter(HOST, "t").pull(Kind.COMPANY, None))


@pytest.mark.parametrize(
    "reply",
    [
        csv_reply("One", "Two", **{"Sforce-NumberOfRecords": "3"}),
        httpx.Response(
            200, content=b'"Id","SystemModstamp","Name"\n"001","2026-06', headers={"Content-Type": "text/csv"}
        ),
        httpx.Response(
            200, content=b'"Id","SystemModstamp","Name"\n"1","2","\xff"\n', headers={"Content-Type": "text/csv"}
        ),
        httpx.Response(200, html="<h1>Setting things up</h1>"),
    ],
)
def test_a_part_that_broke_off_is_no_whole_one(
    open_adapter: Opener, answers: respx.MockRouter, reply: httpx.Response
) -> None:
    """Too few rows, half a row, or a page for people: the walk ends there, and its cursor has not passed it."""
    answers.get(f"{BASE}/jobs/query/750X/results").mock(return_value=reply)
    with pytest.raises(RetryLaterError):
        list(open_adapter(HOST, "t").pull(Kind.COMPANY, None))


def test_cells_keep_lines_quotes_and_lose_nul() -> None:
    """Line ends and quotes stand inside a cell; NUL bytes occur and are no text (heroku/salesforce-bulk issue 35)."""
    content = b'"Id","Name"\n"1","a ""quoted""\nline"\n"2","nu\x00l"\n"3",""\n'

    assert [["1", 'a "quoted"\nline'], ["2", "nul"], ["3", ""]] == list(
        rows_of(Part(content, 3, "", None), ["Id", "Name"])
    )


def test_columns_are_found_by_their_names() -> None:
    """A job may answer them in another order; one that is missing means that the job is not ours any more."""
    content = b'"NAME","Id"\n"A","1"\n'

    assert [["1", "A"]] == list(rows_of(Part(content, 1, "", None), ["Id", "Name"]))
    with pytest.raises(BulkUnavailableError):
        list(rows_of(Part(content, 1, "", None), ["Id", "Amount"]))
