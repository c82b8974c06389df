"""Activities and notes: from which objects they come, what they say, and when they come again."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import force_setattr

from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Action, FieldEdit, Outcome
from crmbridge.model.records import STANDARD_FIELDS, Kind, Record, Ref
from crmbridge.ports import Page
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.encode import NOTE_SUBJECT
from crmbridge_salesforce.notes import titled

from .orgs import Opener, state_of


def records(pages: Iterable[Page]) -> dict[str, Record]:
    """Give the records of some pages by id."""
    return {record.ref.id: record for page in pages for record in page.records}


def settled(adapter: SalesforceAdapter, kind: Kind, clock: VirtualClock) -> str:
    """Pull everything, let a day pass, and give the cursor of a quiet pull."""
    cursor = list(adapter.pull(kind, None))[-1].cursor
    clock.advance(timedelta(days=1))
    return list(adapter.pull(kind, cursor))[-1].cursor


def make_note(org: Served, body: str, *places: str, title: str = "Talk") -> str:
    """Write an enhanced note and tie it to records."""
    content = base64.b64encode(body.encode()).decode()
    note = state_of(org).insert("ContentNote", {"Title": title, "Content": content})
    for place in places:
        state_of(org).insert(
            "ContentDocumentLink", {"ContentDocumentId": note, "LinkedEntityId": place, "ShareType": "V"}
        )
    return note


@pytest.mark.parametrize("kind", [Kind.ACTIVITY, Kind.NOTE])
def test_an_archived_task_is_read_as_it_was_pulled(org: Served, adapter: SalesforceAdapter, kind: Kind) -> None:
    """The org archives old activities, which are no less there for that; one that is deleted is gone."""
    subject = NOTE_SUBJECT if kind is Kind.NOTE else "Call"
    old, gone = (state_of(org).add_task(state_of(org).deal_ids()[0], Subject=subject) for _ in range(2))
    for each in (old, gone):
        state_of(org).archive_activity(each)
    pulled = {record.ref: record for page in adapter.pull(kind, None) for record in page.records}
    state_of(org).delete("Task", gone)
    found = adapter.read(sorted(pulled))

    assert {Ref("sf", kind, old), Ref("sf", kind, gone)} <= set(pulled)
    assert {ref: record for ref, record in pulled.items() if ref.id != gone} == found


@pytest.mark.parametrize("action", [Action.TASK, Action.NOTE])
def test_an_archived_task_of_ours_is_found_by_its_marker(
    org: Served, adapter: SalesforceAdapter, action: Action
) -> None:
    """A plain query does not look into the archive (Object Reference, "Task"): `undo` would think it was gone."""
    deal = Ref("sf", Kind.DEAL, state_of(org).deal_ids()[0])
    edits = (FieldEdit("subject", None, "Call"), FieldEdit("body", None, "x"))
    (made,) = adapter.write([make_change("m", action=action, target=deal, edits=edits, key="m-1")])
    assert made.ref is not None
    state_of(org).archive_activity(made.ref.id)
    kind = Kind.TASK if action is Action.TASK else Kind.NOTE
    found = adapter.find(kind, "m-1", deal)
    state_of(org).delete("Task", made.ref.id)

    assert made.ref == found
    assert None is adapter.find(kind, "m-1", deal)


def test_tasks_and_events_are_activities(org: Served, adapter: SalesforceAdapter) -> None:
    """Both objects make one list, with the fields that every adapter fills in."""
    deal = state_of(org).deal_ids()[0]
    begin = "2026-06-09T10:00:00Z"
    values = {"WhatId": deal, "Subject": "Meet", "StartDateTime": begin, "EndDateTime": "2026-06-09T11:00:00Z"}
    event = state_of(org).insert("Event", values)
    found = records(adapter.pull(Kind.ACTIVITY, None))

    tasks = state_of(org).tables.rows("Task")
    assert {*tasks, event} == set(found)
    assert {*STANDARD_FIELDS[Kind.ACTIVITY]} == set(found[event].fields)
    meeting = found[event].fields
    assert ("meeting", "Meet", True, (deal,)) == tuple(meeting[name] for name in ("type", "subject", "done", "deals"))
    assert datetime(2026, 6, 9, 10, tzinfo=UTC) == meeting["at"]
    assert state_of(org).tables.present("Opportunity", deal)["AccountId"] == meeting["company"]
    assert found == records([Page(records=tuple(adapter.read([r.ref for r in found.values()]).values()), cursor="")])


def test_an_event_is_done_when_it_is_over(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """Nobody ticks a meeting off, and its row does not change: it comes again after its end."""
    deal = state_of(org).deal_ids()[0]
    soon = clock.now() + timedelta(days=3)
    values = {"WhatId": deal, "Subject": "Meet", "StartDateTime": f"{soon:%Y-%m-%dT%H:%M:%SZ}"}
    values["EndDateTime"] = f"{soon + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    event = state_of(org).insert("Event", values)
    cursor = settled(adapter, Kind.ACTIVITY, clock)
    assert adapter.read([Ref("sf", Kind.ACTIVITY, event)])[Ref("sf", Kind.ACTIVITY, event)].fields["done"] is False
    quiet = list(adapter.pull(Kind.ACTIVITY, cursor))
    clock.advance(timedelta(days=3))
    later = list(adapter.pull(Kind.ACTIVITY, quiet[-1].cursor))

    assert {} == records(quiet)
    assert {event: True} == {ref: record.fields["done"] for ref, record in records(later).items()}


@pytest.mark.parametrize(
    ("begin", "minutes", "done"),
    [
        ("2026-06-10T11:00:00Z", 60, True),
        ("2026-06-10T11:00:00Z", 61, False),
        ("9999-12-31T23:30:00Z", 60, False),
        ("2026-06-10T11:00:00Z", None, True),
    ],
)
def test_an_event_whose_end_is_hidden_ends_after_its_length(
    org: Served, open_adapter: Opener, begin: str, minutes: int | None, *, done: bool
) -> None:
    """Also one that would end after the last year."""
    events = state_of(org).tables.objects["Event"]
    values = {"Subject": "Meet", "StartDateTime": begin, "DurationInMinutes": minutes}
    event = state_of(org).insert("Event", values)
    for row in state_of(org).tables.rows("Event").values():
        row["DurationInMinutes"] = minutes
    force_setattr(events, "columns", {name: each for name, each in events.columns.items() if name != "EndDateTime"})
    vars(events).clear()
    found = records(open_adapter(org.url, org.token).pull(Kind.ACTIVITY, None))

    assert done is found[event].fields["done"]


@pytest.mark.parametrize(("subtype", "kind"), [("Call", "call"), ("Email", "email"), ("Task", "task")])
def test_a_tasks_subtype_is_its_type(org: Served, adapter: SalesforceAdapter, subtype: str, kind: str) -> None:
    """Calls and e-mails are tasks of their own kind."""
    deal = state_of(org).deal_ids()[0]
    task = state_of(org).add_task(deal, Subject="S", TaskSubtype=subtype, ActivityDate="2026-06-20")
    fields = records(adapter.pull(Kind.ACTIVITY, None))[task].fields

    assert (kind, False, datetime(2026, 6, 20, tzinfo=UTC)) == (fields["type"], fields["done"], fields["at"])


@pytest.mark.parametrize(
    ("day", "status", "hours", "at"),
    [
        ("2026-06-20", "Completed", 0, datetime(2026, 6, 10, 12, tzinfo=UTC)),  # before it was due
        ("2026-06-10", "Completed", 0, datetime(2026, 6, 10, 12, tzinfo=UTC)),  # on its day
        ("2026-06-10", "Completed", 12, datetime(2026, 6, 10, tzinfo=UTC)),  # noted afterwards
        (None, "Completed", 0, datetime(2026, 6, 10, 12, tzinfo=UTC)),
        ("2026-06-20", "Not Started", 0, datetime(2026, 6, 20, tzinfo=UTC)),
        (None, "Not Started", 0, None),
    ],
)
def test_a_task_that_is_done_in_time_was_done_when_it_was_completed(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock, *, day: str | None, status: str, hours: int, at: Any
) -> None:
    """Its day is when it is due, and has no time; only that it was done later says nothing of when."""
    deal = state_of(org).deal_ids()[0]
    task = state_of(org).add_task(deal, Subject="S", ActivityDate=day)
    clock.advance(timedelta(hours=hours))
    state_of(org).update("Task", task, {"Status": status})
    ref = Ref("sf", Kind.ACTIVITY, task)

    assert at == adapter.read([ref])[ref].fields["at"]


def test_our_notes_are_notes_and_no_activities(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """A note is a finished task in the org: it is pulled as what we wrote."""
    cursors = {kind: settled(adapter, kind, clock) for kind in (Kind.ACTIVITY, Kind.NOTE)}
    deal = Ref("sf", Kind.DEAL, state_of(org).deal_ids()[0])
    note = make_change(action=Action.NOTE, target=deal, key="m-1", edits=(FieldEdit("body", None, "Look here"),))
    receipt = adapter.write([note])[0]

    assert Outcome.APPLIED == receipt.outcome
    assert receipt.ref is not None
    assert {} == records(adapter.pull(Kind.ACTIVITY, cursors[Kind.ACTIVITY]))
    found = records(adapter.pull(Kind.NOTE, cursors[Kind.NOTE]))
    assert {receipt.ref.id} == set(found)
    assert str(found[receipt.ref.id].fields["body"]).startswith("Look here")
    assert {receipt.ref} == set(adapter.read([receipt.ref]))
    assert {} == dict(adapter.read([Ref("sf", Kind.ACTIVITY, receipt.ref.id)]))


def test_classic_and_enhanced_notes_are_read(org: Served, adapter: SalesforceAdapter) -> None:
    """An org may have both kinds: each is one note with its plain text, on the records that it hangs on."""
    first, second = state_of(org).deal_ids()[:2]
    classic = state_of(org).insert("Note", {"ParentId": first, "Title": "Call", "Body": "They decide on Friday"})
    enhanced = make_note(org, "<p>Budget is &lt; 5,000</p><p>Next <b>week</b></p>", first, second)
    found = records(adapter.pull(Kind.NOTE, None))

    assert {classic, enhanced} == set(found)
    assert ("Call\n\nThey decide on Friday", (first,)) == tuple(found[classic].fields[n] for n in ("body", "deals"))
    assert (first, second) == found[enhanced].fields["deals"]
    assert "Budget is < 5,000" in str(found[enhanced].fields["body"])
    assert {*STANDARD_FIELDS[Kind.NOTE]} == set(found[classic].fields) == set(found[enhanced].fields)


def test_a_note_is_fetched_whole(org: Served, adapter: SalesforceAdapter) -> None:
    """The row holds a cut preview only: each note on a record of ours costs a request, an empty one none."""
    deal = state_of(org).deal_ids()[0]
    long = make_note(org, "".join(f"<p>Line {n}</p>" for n in range(100)), deal, title="Long")
    make_note(org, "", deal)
    make_note(org, "<p>on nothing</p>")
    body = str(records(adapter.pull(Kind.NOTE, None))[long].fields["body"])

    assert body.startswith("Long\n\nLine 0\nLine 1")
    assert body.endswith("Line 98\nLine 99")
    assert 1 == sum(request.path.endswith("/Content") for request in org.sandbox.log.all())


def test_notes_that_hang_on_nothing_of_ours_are_left_out(org: Served, adapter: SalesforceAdapter) -> None:
    """A person's own notes are nobody's business, and so are private ones."""
    make_note(org, "<p>shopping list</p>")
    deal = state_of(org).deal_ids()[0]
    state_of(org).insert("Note", {"ParentId": deal, "Title": "Mine", "Body": "x", "IsPrivate": True})

    assert {} == records(adapter.pull(Kind.NOTE, None))


@pytest.mark.parametrize("table", ["Task", "Event", "Note", "ContentNote"])
def test_what_was_deleted_is_gone(org: Served, adapter: SalesforceAdapter, clock: VirtualClock, table: str) -> None:
    """Each object tells its deletions, once, under the kind that it is."""
    deal = state_of(org).deal_ids()[0]
    kind = Kind.NOTE if "Note" in table else Kind.ACTIVITY
    values = {"WhatId": deal, "Subject": "S", "StartDateTime": "2026-06-09T10:00:00Z"}
    row = {
        "Task": lambda: state_of(org).add_task(deal, Subject="S"),
        "Event": lambda: state_of(org).insert("Event", values),
        "Note": lambda: state_of(org).insert("Note", {"ParentId": deal, "Title": "T", "Body": "B"}),
        "ContentNote": lambda: make_note(org, "<p>x</p>", deal),
    }[table]()
    cursor = settled(adapter, kind, clock)
    state_of(org).delete(table, row)
    pages = list(adapter.pull(kind, cursor))

    assert {Ref("sf", kind, row)} == {stone.ref for page in pages for stone in page.tombstones}
    assert {} == dict(adapter.read([Ref("sf", kind, row)]))


def test_a_cut_walk_through_two_objects_goes_on(org: Served, open_adapter: Opener) -> None:
    """The cursor knows how far each object was read."""
    for n, deal in enumerate(state_of(org).deal_ids()):
        values = {"WhatId": deal, "Subject": f"E{n}", "StartDateTime": "2026-06-09T10:00:00Z"}
        state_of(org).insert("Event", values)
    adapter = open_adapter(org.url, org.token, page_size=7)
    whole = records(adapter.pull(Kind.ACTIVITY, None))
    count = sum(1 for page in adapter.pull(Kind.ACTIVITY, None) if page.records)
    for cut in range(1, count):
        walk = adapter.pull(Kind.ACTIVITY, None)
        early = [next(walk) for _ in range(cut)]
        rest = list(adapter.pull(Kind.ACTIVITY, early[-1].cursor))
        assert set(whole) == set(records([*early, *rest]))
        assert len(whole) == sum(len(page.records) for page in [*early, *rest])


def test_a_cursor_of_one_object_is_no_cursor_of_several(adapter: SalesforceAdapter) -> None:
    """A state that was mixed up is said, not walked."""
    for cursor in ("tomorrow", "[]", '{"at":"2026-01-01T00:00:00Z"}', '{"of":[]}'):
        with pytest.raises(ConfigurationError):
            list(adapter.pull(Kind.ACTIVITY, cursor))


def test_an_org_without_notes_has_none(org: Served, open_adapter: Opener) -> None:
    """Objects that describe does not show are passed over, not stumbled on."""
    for name in ("note", "contentnote", "event"):
        del state_of(org).tables.visible[name]
    adapter = open_adapter(org.url, org.token)

    assert {} == records(adapter.pull(Kind.NOTE, None))
    assert set(state_of(org).tables.rows("Task")) == set(records(adapter.pull(Kind.ACTIVITY, None)))


@pytest.mark.parametrize("markup", ["&#" + "1" * 5000, "<a " * 50_000, '<p title="' * 50_000])
def test_no_note_ends_a_pull(org: Served, adapter: SalesforceAdapter, markup: str) -> None:
    """Whatever somebody's program wrote as a note: the others come, and so does what there is of it."""
    deal = state_of(org).deal_ids()[0]
    notes = {make_note(org, markup, deal), make_note(org, "<p>Budget</p>", deal)}

    assert notes <= set(records(adapter.pull(Kind.NOTE, None)))


def test_a_title_stands_above_the_text() -> None:
    """Unless the text begins with it, or there is none."""
    assert "T\n\nbody" == titled("T", "body")
    assert "T is it" == titled("T", "T is it")
    assert "body" == titled("", "body")
    assert "T" == titled("T", "")
