"""Calls, e-mails, meetings, tasks and notes are pulled whole, with what they hang on."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import respx

from crmbridge.errors import AuthenticationError
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter
from crmbridge.testing import AdapterWorkbench

from .accounts import OBJECTS, Opener


def test_every_activity_of_the_world_is_pulled(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Each comes once, with its type, whether it is done, when it was, and the deal it hangs on."""
    # Before anybody waits: the world is made as of the clock's time.
    expected = sorted((d.name, each.at, each.kind, each.done) for d in bench.deals for each in d.activities)
    names = {r.ref.id: r.fields["name"] for page in adapter.pull(Kind.DEAL, None) for r in page.records}
    records = [record for page in adapter.pull(Kind.ACTIVITY, None) for record in page.records]
    found = sorted(
        (names[deal], record.fields["at"], str(record.fields["type"]), record.fields["done"])
        for record in records
        for deal in record.fields["deals"]  # type: ignore[union-attr]  # a tuple of ids
    )
    expected = sorted((d.name, each.at, each.kind, each.done) for d in bench.deals for each in d.activities)

    assert [(name, *rest) for name, _, *rest in expected] == [(name, *rest) for name, _, *rest in found]
    # The sandbox enters what belongs to a move a second before it.
    assert {timedelta(), timedelta(seconds=1)} >= {
        one[1] - other[1] for one, other in zip(expected, found, strict=True)
    }
    assert len(records) == len({record.ref for record in records})


def test_activities_without_their_emails_are_not_taken_for_all(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """E-mails take a scope beside that of contacts (HubSpot's description of "Emails", 2026-03), which is named."""
    state: Any = bench.hands
    state.oauth.scopes -= {"sales-email-read"}
    with pytest.raises(AuthenticationError, match=r"\(403\)") as raised:
        list(adapter.pull(Kind.ACTIVITY, None))

    assert "Give the token these scopes: sales-email-read." == raised.value.advice


def test_ids_of_two_types_do_not_meet(adapter: Adapter) -> None:
    """Ids are unique within an object type only, so they carry the type ("Using Object APIs")."""
    refs = [record.ref for page in adapter.pull(Kind.ACTIVITY, None) for record in page.records]
    found = adapter.read([*refs, Ref("bench", Kind.ACTIVITY, "fax-1")])

    assert set(refs) == set(found)
    assert {"call", "email", "meeting", "task"} >= {ref.id.partition("-")[0] for ref in refs}


def test_an_activity_that_changed_comes_again(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Each object type goes on where it was: one search for each, and nothing else."""
    first = list(adapter.pull(Kind.ACTIVITY, None))
    bench.clock.advance(timedelta(days=1))
    cursor = list(adapter.pull(Kind.ACTIVITY, first[-1].cursor))[-1].cursor
    state = bench.served.sandbox.state
    task = min(state.tables["tasks"].values(), key=lambda each: each.id)
    state.update(task, {"hs_task_status": "COMPLETED", "hs_task_subject": "Done at last"})
    bench.clock.advance(timedelta(minutes=6))
    bench.served.sandbox.log.clear()
    pages = list(adapter.pull(Kind.ACTIVITY, cursor))

    assert [("Done at last", True)] == [(r.fields["subject"], r.fields["done"]) for p in pages for r in p.records]
    assert 4 == len(bench.served.sandbox.log.matching("POST", "/search"))


@pytest.mark.parametrize(
    ("type_", "properties", "hours", "done"),
    [
        ("meeting", {}, -1, True),
        ("meeting", {}, 1, False),  # in the calendar
        ("meeting", {"hs_meeting_outcome": "SCHEDULED"}, -1, False),  # nobody has said that it took place
        ("meeting", {"hs_meeting_outcome": "COMPLETED"}, 1, True),
        ("meeting", {"hs_meeting_outcome": "NO_SHOW"}, -1, False),
        ("call", {}, -1, True),  # logged afterwards
        ("call", {"hs_call_status": "COMPLETED"}, -1, True),
        ("call", {"hs_call_status": "QUEUED"}, 1, False),
        ("email", {}, -1, True),
        ("task", {"hs_task_status": "WAITING"}, -1, False),
        ("task", {"hs_task_status": "COMPLETED"}, 1, True),
    ],
)
def test_what_is_done(
    hubspot: respx.MockRouter,
    open_adapter: Opener,
    type_: str,
    properties: dict[str, str],
    *,
    hours: int,
    done: bool,
) -> None:
    """What HubSpot says of its state counts; without one, a call or e-mail has happened, a meeting when it was."""
    at = datetime(2026, 6, 10, 12, tzinfo=UTC) + timedelta(hours=hours)
    stamp = "2026-06-01T10:00:00Z"
    raw = {
        "id": "7",
        "createdAt": stamp,
        "updatedAt": stamp,
        "properties": {**properties, "hs_timestamp": at.isoformat()},
    }
    read = hubspot.post(path=f"{OBJECTS}/{type_}s/batch/read").respond(json={"results": [raw]})
    hubspot.post(path__regex=r"/crm/associations/.*").respond(json={"results": []})
    (record,) = open_adapter().read([Ref("hs", Kind.ACTIVITY, f"{type_}-7")]).values()

    assert (type_, done, at) == tuple(record.fields[name] for name in ("type", "done", "at"))
    assert ((), ()) == (record.fields["deals"], record.fields["contacts"])
    assert {*properties} <= set(json.loads(read.calls.last.request.content)["properties"])


@pytest.mark.parametrize(
    ("due", "completed", "status", "at"),
    [
        ("2026-07-01T12:00:00Z", "2026-06-10T09:00:00Z", "COMPLETED", "2026-06-10T09:00:00Z"),
        ("2026-06-09T12:00:00Z", "2026-06-10T09:00:00Z", "COMPLETED", "2026-06-09T12:00:00Z"),  # noted afterwards
        ("2026-07-01T12:00:00Z", "2026-06-10T09:00:00Z", "WAITING", "2026-07-01T12:00:00Z"),
        ("2026-07-01T12:00:00Z", "", "COMPLETED", "2026-07-01T12:00:00Z"),
        ("2026-07-01T12:00:00Z", "soon", "COMPLETED", "2026-07-01T12:00:00Z"),
    ],
)
def test_a_task_that_is_done_before_it_is_due_was_done_then(
    hubspot: respx.MockRouter, open_adapter: Opener, due: str, completed: str, *, status: str, at: str
) -> None:
    """Who calls today what is due next month has called today, and not next month."""
    properties = {"hs_timestamp": due, "hs_task_completion_date": completed, "hs_task_status": status}
    stamp = "2026-06-10T10:00:00Z"
    raw = {"id": "7", "createdAt": stamp, "updatedAt": stamp, "properties": properties}
    read = hubspot.post(path=f"{OBJECTS}/tasks/batch/read").respond(json={"results": [raw]})
    hubspot.post(path__regex=r"/crm/associations/.*").respond(json={"results": []})
    (record,) = open_adapter().read([Ref("hs", Kind.ACTIVITY, "task-7")]).values()

    assert datetime.fromisoformat(at) == record.fields["at"]
    assert {*properties} <= set(json.loads(read.calls.last.request.content)["properties"])


def test_a_task_of_next_week_is_done_when_somebody_does_it(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """It is pulled with the time at which it was ticked off."""
    state = bench.served.sandbox.state
    task = min(state.tables["tasks"].values(), key=lambda each: each.id)
    state.update(task, {"hs_task_status": "NOT_STARTED", "hs_timestamp": "2026-12-31T12:00:00Z"})
    bench.clock.advance(timedelta(minutes=6))
    done_at = bench.clock.now()
    state.update(task, {"hs_task_status": "COMPLETED"})
    (record,) = adapter.read([Ref("bench", Kind.ACTIVITY, f"task-{task.id}")]).values()

    assert (True, done_at) == (record.fields["done"], record.fields["at"])


def test_notes_are_pulled_as_text(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Bodies are HTML; records hold what people see."""
    state = bench.served.sandbox.state
    note = state.create(
        "notes", {"hs_timestamp": "2026-06-01T10:00:00Z", "hs_note_body": "<p>One &amp; two<br>three</p>"}
    )
    (deal, *_) = state.tables["deals"].values()
    state.links.link(note, deal)
    (record,) = [record for page in adapter.pull(Kind.NOTE, None) for record in page.records]

    assert ("One & two\nthree", (deal.id,)) == (record.fields["body"], record.fields["deals"])
    assert {record.ref: record} == dict(adapter.read([record.ref]))


@pytest.mark.parametrize("body", ["&#" + "1" * 5000, "<" * 60_000, '<p title="' * 6_000])
def test_no_note_ends_a_pull(bench: AdapterWorkbench, adapter: Adapter, body: str) -> None:
    """Whatever somebody's program wrote as a note: the others come, and so does what there is of it."""
    state = bench.served.sandbox.state
    stamp = {"hs_timestamp": "2026-06-01T10:00:00Z"}
    notes = {state.create("notes", {**stamp, "hs_note_body": each}).id for each in (body, "<p>Budget</p>")}

    assert notes == {record.ref.id for page in adapter.pull(Kind.NOTE, None) for record in page.records}
