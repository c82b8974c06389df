"""The sandbox answers as the org would: SOQL, paging, rows, collections, composite, errors."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.sandbox import SandboxOptions, Served, VirtualClock
from crmbridge_salesforce.sandbox import State, build
from crmbridge_salesforce.sandbox.answers import ApiError
from crmbridge_salesforce.sandbox.select import Selection
from crmbridge_salesforce.sandbox.soql import parse
from crmbridge_salesforce.soql import select


def rows(client: httpx.Client, statement: str, resource: str = "query") -> list[dict[str, Any]]:
    """Run a query and give its first page without attributes."""
    answer = client.get(resource, params={"q": statement}).raise_for_status().json()
    return [{k: v for k, v in row.items() if k != "attributes"} for row in answer["records"]]


def error(answer: httpx.Response) -> tuple[int, str]:
    """Give an error answer's status and code."""
    return answer.status_code, answer.json()[0]["errorCode"]


def put(client: httpx.Client, method: str, path: str, *records: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Send a collection of opportunities and give the results."""
    typed = [{"attributes": {"type": "Opportunity"}, **record} for record in records]
    answer = client.request(method, path, json={"records": typed, **more}).raise_for_status().json()
    assert isinstance(answer, list)
    return answer


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("Name = 'closed won'", 0),
        ("StageName = 'closed won' OR StageName != 'Closed Won'", 20),
        ("Name LIKE '%: %' AND NOT (Name LIKE 'zzz%')", 20),
        ("Amount > 0 AND (StageName IN ('Closed Won', 'Closed Lost') OR IsClosed = false)", 20),
        ("Amount = null", 0),
        ("CloseDate < 2000-01-01", 0),
        ("CreatedDate <= 2026-06-10T12:00:00Z", 20),
        ("CreatedDate <= 2026-06-10T14:00:00+02:00", 20),
        ("Account.Name != null AND Owner.IsActive = true", 20),
        ("StageName NOT IN ('Prospecting')  AND StageName = 'Prospecting'", 0),
    ],
)
def test_conditions_select(client: httpx.Client, condition: str, count: int) -> None:
    """Texts compare without case, brackets and NOT mean what they say, parents can be asked."""
    answer = client.get("query", params={"q": select(["count()"], "Opportunity", where=condition)}).json()

    assert {"totalSize": count, "done": True, "records": []} == answer


def test_fields_come_with_parents_and_attributes(client: httpx.Client) -> None:
    """Parents nest an object of their own; a missing parent is null; names come in the org's own case."""
    query = "select id, account.name, Owner.Email from opportunity order by Amount desc nulls last, Id limit 1"
    record = client.get("query", params={"q": query}).json()["records"][0]

    assert f"/services/data/v67.0/sobjects/Opportunity/{record['Id']}" == record["attributes"]["url"]
    assert ["attributes", "Name"] == list(record["Account"])
    assert "@lumenworks.example" in record["Owner"]["Email"]


def test_counting(client: httpx.Client) -> None:
    """COUNT of a field is an aggregate row."""
    answer = client.get("query", params={"q": "select count(Id) from Opportunity"}).json()

    assert {"attributes": {"type": "AggregateResult"}, "expr0": 20} == answer["records"][0]


@pytest.mark.parametrize(
    ("statement", "code", "column"),
    [
        ("select count() from XYZZY", "INVALID_TYPE", 21),
        ("SELECT Nope FROM Opportunity", "INVALID_FIELD", 8),
        ("SELECT Nope.Name FROM Opportunity", "INVALID_FIELD", 8),
        ("SELECT Id FROM Opportunity WHERE Description = 'x'", "INVALID_FIELD", 34),
        ("SELECT Id FROM Opportunity WHERE CloseDate > 2026-01-01T00:00:00Z", "INVALID_FIELD", 46),
        ("SELECT Id FROM Opportunity WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD", 48),
        ("SELECT Id FROM Opportunity WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY", 60),
        ("SELECT Id FROM Opportunity WHERE", "MALFORMED_QUERY", 33),
        ("SELECT Id, FROM Opportunity", "MALFORMED_QUERY", 17),
        ("SELECT Id FROM Opportunity WHERE Name = 'open", "MALFORMED_QUERY", 41),
    ],
)
def test_bad_statements_are_pointed_at(client: httpx.Client, statement: str, code: str, column: int) -> None:
    """Errors have the recorded form: the statement, a caret, the place, and why."""
    answer = client.get("query", params={"q": statement})
    lines = answer.json()[0]["message"].split("\n")

    assert (400, code) == error(answer)
    assert f"ERROR at Row:1:Column:{column}" == lines[3]
    assert len(lines[2]) == column or column > 80


@given(st.text(alphabet="SELECTFROMWHEREid ,()='<>!\\%0123456789-:TZ.null"))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No statement breaks the parser: it is understood or refused as malformed."""
    codes = []
    try:
        parse(select(["Id"], "Opportunity") + " " + text)
    except ApiError as refused:
        codes.append(refused.code)

    assert codes in ([], ["MALFORMED_QUERY"])


def test_pages_and_locators(client: httpx.Client, org: Served, clock: VirtualClock) -> None:
    """A page holds what was asked for, at least 200; its locator names the rest, for two days."""
    state: State = org.sandbox.state
    for number in range(250):
        state.add_task(state.deal_ids()[0], Subject=f"Task {number}")
    headers = {"Sforce-Query-Options": "batchSize=1"}
    query = {"q": "SELECT Id FROM Task"}
    first = client.get("query", params=query, headers=headers).json()
    second = client.get(f"{org.url}{first['nextRecordsUrl']}").json()

    assert (200, False, True) == (len(first["records"]), first["done"], second["done"])
    assert first["totalSize"] == second["totalSize"] == 200 + len(second["records"])
    assert "nextRecordsUrl" not in second
    assert "/query/" in client.get("queryAll", params=query, headers=headers).json()["nextRecordsUrl"]
    clock.advance(timedelta(days=3))
    assert (400, "INVALID_QUERY_LOCATOR") == error(client.get(f"{org.url}{first['nextRecordsUrl']}"))


def test_uris_have_a_longest(client: httpx.Client) -> None:
    """Beyond 16,384 bytes there is no answer in JSON."""
    answer = client.get("query", params={"q": "SELECT Id FROM Task" + " " * 16_400})

    assert (414, False) == (answer.status_code, answer.headers["content-type"].startswith("application/json"))


def test_writing_a_row_and_what_follows(client: httpx.Client, org: Served, clock: VirtualClock) -> None:
    """A stage sets the flags, the probability, the history and the time of the last change of stage."""
    made = client.post(
        "sobjects/Opportunity/", json={"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-07-01"}
    )
    row_id = made.json()["id"]
    clock.advance(timedelta(minutes=1))
    changed = client.patch(f"sobjects/Opportunity/{row_id[:15]}", json={"StageName": "Closed Won", "Amount": "10.005"})
    row = client.get(f"sobjects/Opportunity/{row_id}").json()
    history = select(["StageName"], "OpportunityHistory", where=f"OpportunityId = '{row_id}'", order="CreatedDate")

    assert {"id": row_id, "success": True, "errors": []} == made.json()
    assert (201, 204, b"") == (made.status_code, changed.status_code, changed.content)
    assert (True, True, 100, 10.01) == (row["IsClosed"], row["IsWon"], row["Probability"], row["Amount"])
    assert "2026-06-10T12:01:00.000+0000" == row["LastStageChangeDate"]
    assert ["Prospecting", "Closed Won"] == [item["StageName"] for item in rows(client, history)]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"Name": "N"}, "REQUIRED_FIELD_MISSING"),
        ({"Nope": 1}, "INVALID_FIELD"),
        ({"IsWon": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"CloseDate": "soon"}, "JSON_PARSER_ERROR"),
        ({"Name": "x" * 121, "StageName": "Prospecting", "CloseDate": "2026-07-01"}, "STRING_TOO_LONG"),
        ({"Name": "N", "StageName": "P", "CloseDate": "2026-07-01", "OwnerId": "x"}, "INVALID_CROSS_REFERENCE_KEY"),
        (
            {"Name": "N", "StageName": "P", "CloseDate": "2026-07-01", "bant_need__c": "Perhaps"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
    ],
)
def test_bad_rows_are_refused(client: httpx.Client, sent: dict[str, Any], code: str) -> None:
    """Each kind of mistake has its code."""
    assert (400, code) == error(client.post("sobjects/Opportunity", json=sent))


def test_an_unknown_stage_is_accepted(client: httpx.Client) -> None:
    """As recorded: the picklist is not restricted, and the deal counts as open."""
    sent = {"Name": "N", "StageName": "In Progress", "CloseDate": "2026-07-01"}
    row_id = client.post("sobjects/Opportunity", json=sent).json()["id"]

    assert [{"IsClosed": False}] == rows(client, select(["IsClosed"], "Opportunity", where=f"Id = '{row_id}'"))


def test_upserts_by_external_id(client: httpx.Client, org: Served) -> None:
    """A new key creates, a known one changes, whatever its case; an unknown field is not found.

    The key is in the path and not in the body ("sObject Rows by External ID").
    """
    path = "sobjects/Opportunity/CrmBridge_Key__c/k-1"
    sent = {"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-07-01"}
    first, second = client.patch(path, json=sent), client.patch(path.replace("k-1", "K-1"), json=sent)
    other = org.sandbox.state.deal_ids()[0]

    assert [(201, True), (200, False)] == [(a.status_code, a.json()["created"]) for a in (first, second)]
    assert first.json()["id"] == client.get(path).json()["Id"]
    assert (404, "NOT_FOUND") == error(client.get("sobjects/Opportunity/Namez/foo"))
    assert (404, "NOT_FOUND") == error(client.patch(f"{path}2?updateOnly=true", json=sent))
    assert (400, "INVALID_FIELD") == error(client.patch(path, json={**sent, "CrmBridge_Key__c": "k-1"}))
    taken = client.patch(f"sobjects/Opportunity/{other}", json={"CrmBridge_Key__c": "k-1"})
    assert (400, "DUPLICATE_VALUE") == error(taken)


def test_collections_answer_row_by_row(client: httpx.Client, org: Served) -> None:
    """Good rows are written beside bad ones; all or none goes back; too many are refused."""
    first, second = org.sandbox.state.deal_ids()[:2]
    path = "composite/sobjects"
    mixed = [{"id": first, "Name": "A"}, {"id": second, "Nope": 1}]
    results = put(client, "PATCH", path, *mixed)
    rolled = put(client, "PATCH", path, {"id": first, "Name": "B"}, mixed[1], allOrNone=True)
    many = [{"attributes": {"type": "Opportunity"}, "id": first}] * 201

    assert [True, False] == [result["success"] for result in results]
    assert {"statusCode", "message", "fields"} == set(results[1]["errors"][0])
    assert "ALL_OR_NONE_OPERATION_ROLLED_BACK" == rolled[0]["errors"][0]["statusCode"]
    assert [{"Name": "A"}] == rows(client, select(["Name"], "Opportunity", where=f"Id = '{first}'"))
    assert 400 == client.patch(path, json={"records": many}).status_code
    got = client.get(f"{path}/Opportunity", params={"ids": f"{first},006Sb0000099999", "fields": "Name"}).json()
    assert ["A", None] == [row and row["Name"] for row in got]
    asked = client.post(f"{path}/Opportunity", json={"ids": [first] * 201, "fields": ["Name"]})
    assert (400, "EXCEEDED_ID_LIMIT") == error(asked)


def test_deletions_show_in_the_recycle_bin(client: httpx.Client, org: Served) -> None:
    """A deleted row is seen by queryAll and the replication resources only."""
    gone, kept = org.sandbox.state.deal_ids()[:2]
    assert 204 == client.delete(f"sobjects/Opportunity/{gone}").status_code
    span = {"start": "2026-06-10T11:00:00+00:00", "end": "2026-06-10T13:00:00+00:00"}
    query = select(["IsDeleted"], "Opportunity", where=f"Id IN ('{gone}')")

    assert [] == rows(client, query)
    assert [{"IsDeleted": True}] == rows(client, query, "queryAll")
    assert (404, "NOT_FOUND") == error(client.get(f"sobjects/Opportunity/{gone}"))
    assert (404, "ENTITY_IS_DELETED") == error(client.delete(f"sobjects/Opportunity/{gone}"))
    deleted = client.get("sobjects/Opportunity/deleted/", params=span).json()
    assert [gone] == [item["id"] for item in deleted["deletedRecords"]]
    assert kept not in client.get("sobjects/Opportunity/updated/", params=span).json()["ids"]
    backwards = {"start": span["end"], "end": span["start"]}
    answer = client.get("sobjects/Opportunity/updated/", params=backwards)
    assert (400, "INVALID_REPLICATION_DATE") == error(answer)


def test_composite_answers_each_request(client: httpx.Client) -> None:
    """Later requests use the results of earlier ones, and one that fails does not spoil the others."""
    base = "/services/data/v67.0"
    made = {"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-07-01"}
    counted = select(["count()"], "Task", where="WhatId='@{deal.id}'")
    requests = [
        {"method": "POST", "url": f"{base}/sobjects/Opportunity", "referenceId": "deal", "body": made},
        {"method": "POST", "url": f"{base}/sobjects/Task", "referenceId": "task", "body": {"WhatId": "@{deal.id}"}},
        {"method": "GET", "url": f"{base}/sobjects/Foo", "referenceId": "foo"},
        {
            "method": "GET",
            "url": f"{base}/query/?q={counted}",
            "referenceId": "n",
        },
    ]
    found = client.post("composite", json={"compositeRequest": requests}).json()["compositeResponse"]

    assert [201, 201, 404, 200] == [item["httpStatusCode"] for item in found]
    assert {"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"} == found[2]["body"][0]
    assert 1 == found[3]["body"]["totalSize"]


def test_only_what_was_not_changed_is_written(client: httpx.Client, org: Served, clock: VirtualClock) -> None:
    """If-Unmodified-Since stops a write over a newer row (REST "Conditional Request Headers")."""
    deal = org.sandbox.state.deal_ids()[0]
    clock.advance(timedelta(hours=1))
    org.sandbox.state.edit_deal(deal, Name="Newer")
    old = {"If-Unmodified-Since": "Wed, 10 Jun 2026 12:30:00 GMT"}

    assert 412 == client.patch(f"sobjects/Opportunity/{deal}", json={"Name": "Older"}, headers=old).status_code
    assert [{"Name": "Newer"}] == rows(client, select(["Name"], "Opportunity", where=f"Id = '{deal}'"))


def test_discovery(client: httpx.Client, org: Served) -> None:
    """Versions need no token; limits and counts are told; every object describes itself."""
    listed = httpx.get(f"{org.url}/services/data", trust_env=False).json()
    limits = client.get("limits")
    counts = client.get("limits/recordCount", params={"sObjects": "Opportunity,Organization"}).json()["sObjects"]

    assert {"label", "url", "version"} == set(listed[-1])
    assert {"Max", "Remaining"} == set(limits.json()["DailyApiRequests"])
    assert "api-usage=2/100000" == limits.headers["Sforce-Limit-Info"]
    assert [{"count": 20, "name": "Opportunity"}, {"count": 1, "name": "Organization"}] == counts
    for one in client.get("sobjects").json()["sobjects"]:
        assert "Id" in {field["name"] for field in client.get(f"sobjects/{one['name']}/describe").json()["fields"]}
    assert (401, "INVALID_SESSION_ID") == error(httpx.get(f"{client.base_url}limits", trust_env=False))


def test_a_day_that_is_used_up_looks_like_too_many_at_once(client: httpx.Client, org: Served) -> None:
    """One code, no Retry-After: only the words and the usage differ (LIM "API Request Limits and Allocations")."""
    org.sandbox.faults.plan("limit_day")
    spent = client.get("limits")
    org.sandbox.faults.plan("limit")
    busy = client.get("limits")

    assert (403, "REQUEST_LIMIT_EXCEEDED") == error(spent) == error(busy)
    assert "TotalRequests Limit exceeded." == spent.json()[0]["message"] != busy.json()[0]["message"]
    assert ["api-usage=100000/100000", "api-usage=0/100000"] == [
        answer.headers["Sforce-Limit-Info"] for answer in (spent, busy)
    ]
    assert "Retry-After" not in spent.headers


def rows_of(state: State) -> list[dict[str, dict[str, Any]]]:
    """Give all rows of an org."""
    return [state.tables.rows(name, deleted_too=True) for name in state.tables.objects]


def test_the_same_seed_makes_the_same_org(clock: VirtualClock) -> None:
    """Two orgs of one seed hold the same rows; another seed makes others."""
    first, second, other = (build(SandboxOptions(seed=seed, deals=9, clock=clock)).state for seed in (1, 1, 2))

    assert rows_of(first) == rows_of(second)
    assert rows_of(first) != rows_of(other)


def test_a_uri_and_its_headers_have_a_longest(client: httpx.Client) -> None:
    """Together they may have no more than the URI alone, and the refusal is HTML (airbyte issue 20703)."""
    answer = client.get("query", params={"q": "SELECT Id FROM Task"}, headers={"X-Long": "x" * 16_300})

    assert (431, False) == (answer.status_code, answer.headers["content-type"].startswith("application/json"))


def test_a_description_that_is_known_is_not_sent_again(client: httpx.Client, org: Served, clock: VirtualClock) -> None:
    """If-Modified-Since gives 304 until somebody changes the set-up (REST "Status Codes and Error Responses")."""
    first = client.get("sobjects/Opportunity/describe")
    known = {"If-Modified-Since": first.headers["Last-Modified"]}
    second = client.get("sobjects/Opportunity/describe", headers=known)
    org.sandbox.state.described_at = clock.now()

    assert (304, b"") == (second.status_code, second.content)
    assert 200 == client.get("sobjects/Opportunity/describe", headers=known).status_code
    wrong = {"If-Modified-Since": "yesterday"}
    assert 400 == client.get("sobjects/Opportunity/describe", headers=wrong).status_code


def test_tracked_columns_have_a_history_of_their_own(client: httpx.Client, org: Served) -> None:
    """Only where the org tracks them; old and new values can't be filtered by (OBJ "OpportunityFieldHistory")."""
    state: State = org.sandbox.state
    first, second = state.deal_ids()[:2]
    state.edit_deal(first, NextStep="unseen")
    state.tracked = {"Amount", "StageName"}
    state.edit_deal(second, Amount="12.5", StageName="Contracting", NextStep="unseen")
    columns = ["Field", "NewValue", "DataType"]
    found = rows(client, select(columns, "OpportunityFieldHistory", where=f"OpportunityId IN ('{first}', '{second}')"))
    filtered = select(["Id"], "OpportunityFieldHistory", where="NewValue = '12.5'")

    assert [("Amount", 12.5, "Currency"), ("StageName", "Contracting", "DynamicEnum")] == [
        (row["Field"], row["NewValue"], row["DataType"]) for row in found
    ]
    assert (400, "INVALID_FIELD") == error(client.get("query", params={"q": filtered}))
    stamped = select(["SystemModstamp"], "OpportunityFieldHistory")
    assert (400, "INVALID_FIELD") == error(client.get("query", params={"q": stamped}))


def test_a_merge_takes_along_what_pointed_to_the_loser(client: httpx.Client, org: Served) -> None:
    """The loser goes into the recycle bin and names the survivor; its deals and contacts are the survivor's."""
    state: State = org.sandbox.state
    deal = client.get(f"sobjects/Opportunity/{state.deal_ids()[0]}").json()
    loser = deal["AccountId"]
    winner = next(account for account in state.tables.rows("Account") if account != loser)
    state.merge("Account", winner, loser)

    gone = select(["MasterRecordId"], "Account", where=f"IsDeleted = true AND Id = '{loser}'")
    assert [{"MasterRecordId": winner}] == rows(client, gone, "queryAll")
    assert winner == client.get(f"sobjects/Opportunity/{deal['Id']}").json()["AccountId"]
    assert [] == rows(client, select(["Id"], "Contact", where=f"AccountId = '{loser}'"))
    assert (404, "ENTITY_IS_DELETED") == error(client.patch(f"sobjects/Account/{loser}", json={"Name": "x"}))


def test_a_note_is_a_document_that_is_linked(client: httpx.Client, org: Served) -> None:
    """Its text is told by its path; links can only be looked through from one of their ends (OBJ "ContentNote")."""
    deal = org.sandbox.state.deal_ids()[0]
    text = base64.b64encode("<p>é</p>".encode()).decode()
    note = client.post("sobjects/ContentNote", json={"Title": "T", "Content": text}).json()["id"]
    link = {"ContentDocumentId": note, "LinkedEntityId": deal, "ShareType": "V"}
    assert 201 == client.post("sobjects/ContentDocumentLink", json=link).status_code
    found = rows(
        client,
        select(["ContentDocument.Title"], "ContentDocumentLink", where=f"LinkedEntityId = '{deal}'"),
    )
    path = rows(client, select(["Content"], "ContentNote", where=f"Id = '{note}'"))[0]["Content"]
    everything = {"q": select(["Id"], "ContentDocumentLink")}

    assert "T" == found[0]["ContentDocument"]["Title"]
    assert "<p>é</p>" == client.get(f"{org.url}{path}").text
    assert (400, "MALFORMED_QUERY") == error(client.get("query", params=everything))
    assert 2 == len(rows(client, select(["Id"], "ContentDocumentLink", where=f"ContentDocumentId = '{note}'")))
    assert 204 == client.delete(f"sobjects/ContentDocument/{note}").status_code
    assert [] == rows(client, select(["Id"], "ContentNote", where=f"Id = '{note}'"))


def test_events_and_classic_notes_stand_on_deals(client: httpx.Client, org: Served) -> None:
    """An event's day follows from its start; both go with their deal."""
    deal = org.sandbox.state.deal_ids()[0]
    event = {"Subject": "Visit", "WhatId": deal, "StartDateTime": "2026-06-11T09:00:00Z", "DurationInMinutes": 30}
    assert 201 == client.post("sobjects/Event", json=event).status_code
    assert 201 == client.post("sobjects/Note", json={"ParentId": deal, "Title": "N", "Body": "text"}).status_code
    day = select(["ActivityDate", "Account.Id"], "Event", where=f"WhatId = '{deal}'")

    assert "2026-06-11" == rows(client, day)[0]["ActivityDate"]
    assert 400 == client.post("sobjects/Event", json={"Subject": "no start"}).status_code
    client.delete(f"sobjects/Opportunity/{deal}")
    for table, column in (("Event", "WhatId"), ("Note", "ParentId"), ("OpportunityHistory", "OpportunityId")):
        assert [] == rows(client, select(["Id"], table, where=f"{column} = '{deal}'"))


@given(
    where=st.lists(
        st.sampled_from(
            [
                "Id = '{first}'",
                "Id > '{first}'",
                "Id IN ('{first}', '{second}')",
                "AccountId = '{account}'",
                "SystemModstamp > {stamp}",
                "SystemModstamp <= {stamp}",
                "((SystemModstamp = {stamp} AND Id > '{first}') OR SystemModstamp > {stamp})",
                "NOT (SystemModstamp > {stamp})",
                "(AccountId = '{account}' OR Amount > 1000)",
                "StageName != 'Prospecting'",
            ]
        ),
        max_size=3,
    ),
    order=st.sampled_from(["", "Id", "SystemModstamp", "SystemModstamp, Id", "SystemModstamp DESC", "Amount, Id DESC"]),
    limit=st.sampled_from([None, 1, 7]),
)
def test_a_narrowed_query_finds_what_a_whole_scan_finds(where: list[str], order: str, limit: int | None) -> None:
    """Whatever index a condition lets the sandbox use, the rows are those of looking at every row."""
    tables = _ORG.tables
    deals = list(tables.rows("Opportunity").values())
    stamps = sorted(deal["SystemModstamp"] for deal in deals)
    values = {
        "first": deals[3]["Id"],
        "second": deals[9]["Id"],
        "account": deals[0]["AccountId"],
        "stamp": f"{stamps[8]:%Y-%m-%dT%H:%M:%SZ}",
    }
    condition = " AND ".join(where).format(**values)
    some = limit if order else None  # without an order, nothing says which rows a limit leaves
    selection = Selection(parse(select(["Id"], "Opportunity", where=condition, order=order, limit=some)), tables)
    narrowed = [row["Id"] for row in selection.found(deleted_too=False)]
    whole = selection._sorted(row for row in deals if selection._where is None or selection._where(row))

    assert [row["Id"] for row in whole][:some] == (narrowed if order else sorted(narrowed))


_ORG: State = build(SandboxOptions(seed=5, deals=40, clock=VirtualClock(datetime(2026, 6, 10, tzinfo=UTC)))).state
