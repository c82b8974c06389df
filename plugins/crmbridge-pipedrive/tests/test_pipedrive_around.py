"""Activities and notes: pulled whole and by what changed, with texts as plain text and times in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter, Page, names_all
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.services.pull.pulling import pull as crmbridge_pull
from crmbridge.testing.workspaces import fake_plugins, make_bench
from crmbridge_pipedrive import api as api_module
from crmbridge_pipedrive import limits
from crmbridge_pipedrive.engagements import activity_record, note_record

AT = datetime(2026, 6, 11, 14, 30, tzinfo=UTC)
TABLES = {Kind.ACTIVITY: "activities", Kind.NOTE: "notes", Kind.COMPANY: "organizations", Kind.CONTACT: "persons"}
TABLES |= {Kind.FILE: "files"}


def pull(adapter: Adapter, kind: Kind, since: str | None = None) -> list[Page]:
    return list(adapter.pull(kind, since))


def records(pages: list[Page]) -> dict[str, Record]:
    return {record.ref.id: record for page in pages for record in page.records}


class TestActivities:
    """`GET /activities` says what changed."""

    def test_all_of_them_come(self, adapter: Adapter, state: Any) -> None:
        """Every activity that is not deleted, with its deal, owner and whether it is done."""
        found = records(pull(adapter, Kind.ACTIVITY))
        rows = {str(n): row for n, row in state.tables.activities.items()}

        assert rows.keys() == found.keys()
        for number, record in found.items():
            assert (rows[number]["done"], (str(rows[number]["deal_id"]),)) == (
                record.fields["done"],
                record.fields["deals"],
            )
            assert str(rows[number]["owner_id"]) == record.fields["owner"]

    def test_what_changed_comes_once(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """A new one and one that was done come with the next pull, and not with the one after."""
        cursor = pull(adapter, Kind.ACTIVITY)[-1].cursor
        clock.advance(timedelta(hours=1))
        new = state.add_activity("3", type="meeting", subject="Demo", at=AT, done=False)
        planned = next(n for n, row in state.tables.activities.items() if not row["done"] and str(n) != new)
        state.tables.activities[planned].update(done=True, update_time=state.now())
        pages = pull(adapter, Kind.ACTIVITY, cursor)

        assert {new, str(planned)} == records(pages).keys()
        assert ("meeting", "Demo", AT) == tuple(records(pages)[new].fields[n] for n in ("type", "subject", "at"))
        assert {} == records(pull(adapter, Kind.ACTIVITY, pages[-1].cursor))

    def test_a_deleted_one_is_gone_where_it_is_told(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """Lists leave deleted activities out, as far as is known; a row that says so is a tombstone."""
        number = state.add_activity("3", type="call", subject="x", at=AT, done=False)
        state.delete_activity(number)

        assert number not in records(pull(adapter, Kind.ACTIVITY))
        assert {} == dict(adapter.read([Ref("pd", Kind.ACTIVITY, number)]))

    def test_types_are_ours_where_they_are_stock(self) -> None:
        """`call`, `meeting`, `email` and `task` are stock keys; a company's own type keeps its key."""
        row = {"id": 1, "update_time": "2026-06-01T10:00:00Z", "add_time": "2026-06-01T10:00:00Z"}
        types = ["call", "meeting", "email", "task", "site_visit"]

        assert types == [activity_record({**row, "type": t}, "pd").fields["type"] for t in types]

    @pytest.mark.parametrize(
        ("row", "at"),
        [
            ({"due_date": "2026-06-11", "due_time": "14:30:00"}, AT),
            ({"due_date": "2026-06-11", "due_time": "14:30"}, AT),
            ({"due_date": "2026-06-11", "due_time": None}, AT.replace(hour=0, minute=0)),
            ({"due_date": None, "marked_as_done_time": "2026-06-11 14:30:00"}, AT),
            ({"due_date": None}, None),
            ({"due_date": "9999-12-31", "due_time": "99:99:99"}, datetime(9999, 12, 31, tzinfo=UTC)),
            ({"due_date": "2026-06-11", "due_time": "9" * 5000}, AT.replace(hour=0, minute=0)),
        ],
    )
    def test_when_it_is(self, row: dict[str, Any], at: datetime | None) -> None:
        """Due times are UTC, of the form HH:MM or HH:MM:SS (airbyte's AGENTS.md §3)."""
        about = {"id": 1, "update_time": "2026-06-01T10:00:00Z", "participants": [{"person_id": 4, "primary": True}]}
        record = activity_record({**about, **row}, "pd")

        assert (at, ("4",), ()) == (record.fields["at"], record.fields["contacts"], record.fields["deals"])


class TestNotes:
    """Notes are only in v1, which pages by position."""

    def test_notes_come_as_plain_text(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """Whole, then what changed; read by id one by one."""
        first = state.add_note("3", "Budget: 5 < 6 & rising\nDecides in May")
        pages = pull(adapter, Kind.NOTE)
        clock.advance(timedelta(hours=1))
        second = state.add_note("4", "Later")
        later = pull(adapter, Kind.NOTE, pages[-1].cursor)
        note = records(pages)[first]

        assert ("Budget: 5 < 6 & rising\nDecides in May", ("3",)) == (note.fields["body"], note.fields["deals"])
        assert {second} == records(later).keys()
        assert {} == records(pull(adapter, Kind.NOTE, later[-1].cursor))
        assert {note.ref: note} == dict(adapter.read([note.ref, Ref("pd", Kind.NOTE, "99")]))

    def test_a_note_tells_who_changed_it_last(self, adapter: Adapter, state: Any) -> None:
        """No other row of Pipedrive's does ("Notes: Get all notes")."""
        number = state.add_note("3", "x")
        owner = state.tables.deals[3]["owner_id"]

        assert str(owner) == records(pull(adapter, Kind.NOTE))[number].updated_by
        assert {None} == {record.updated_by for record in records(pull(adapter, Kind.DEAL)).values()}

    def test_a_note_deleted_during_the_walk_hides_no_other(
        self, adapter: Adapter, state: Any, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Positions shift when an earlier note goes; the walk notices, and begins again without repeating."""
        monkeypatch.setattr(api_module, "LIMIT", 5)
        numbers = [state.add_note("3", f"Note {n}") for n in range(17)]
        walk = adapter.pull(Kind.NOTE, None)
        pages = [next(walk)]
        for number in numbers[:2]:
            state.delete_note(number)
        pages += walk
        brought = [record.ref.id for page in pages for record in page.records]

        assert numbers == brought

    def test_names_beside_a_note_are_no_part_of_it(self) -> None:
        """The title of its deal comes along; a deal that is renamed does not change its notes."""
        row = {"id": 1, "content": "x", "update_time": "2026-06-01 10:00:00", "deal_id": 3}
        renamed = [note_record({**row, "deal": {"title": title}}, "pd") for title in ("One", "Two")]

        assert renamed[0] == renamed[1]

    @pytest.mark.parametrize("content", ["&#" + "1" * 5000, "<a " * 50_000, '<p title="' * 50_000])
    def test_no_note_ends_a_pull(self, adapter: Adapter, state: Any, content: str) -> None:
        """Whatever somebody's program wrote as a note: the others come, and so does what there is of it."""
        number, other = state.add_note("3", "x"), state.add_note("3", "Budget")
        state.tables.notes[int(number)]["content"] = content
        found = records(pull(adapter, Kind.NOTE))

        assert {number, other} == found.keys()
        assert "Budget" == found[other].fields["body"]


class TestDeleted:
    """No list tells of any deleted ones but deals, so all that are there are named, and who is not is looked for."""

    @pytest.fixture(params=[Kind.ACTIVITY, Kind.NOTE, Kind.COMPANY, Kind.CONTACT, Kind.FILE])
    def kind(self, request: pytest.FixtureRequest) -> Kind:
        return Kind(request.param)

    @pytest.fixture
    def made(self, kind: Kind, state: Any) -> list[str]:
        makers: dict[Kind, Callable[[str], str]] = {
            Kind.NOTE: lambda name: state.add_note("3", name),
            Kind.ACTIVITY: lambda name: state.add_activity("3", type="call", subject=name, at=AT, done=True),
            Kind.COMPANY: lambda name: state.create_company(name=name),
            Kind.CONTACT: lambda name: state.create_contact(name=name),
            Kind.FILE: lambda name: state.add_file("3", name, size=9),
        }
        return [makers[kind](f"Number {n}") for n in range(4)]

    def delete(self, kind: Kind, state: Any, number: str) -> None:
        getattr(state, f"delete_{kind}")(number)

    def test_who_is_gone_is_not_named(self, adapter: Adapter, state: Any, kind: Kind, made: list[str]) -> None:
        """All others are."""
        self.delete(kind, state, made[1])
        named = adapter.name_all(kind) if names_all(adapter, kind) else None

        assert named is not None
        assert {made[0], *made[2:]} <= set(named)
        assert records(pull(adapter, kind)).keys() == set(named)

    def test_a_pull_names_nobody(
        self, adapter: Adapter, clock: VirtualClock, served: Served, *, kind: Kind, made: list[str]
    ) -> None:
        """It costs one request, however long ago the last one was; crmbridge asks once a day."""
        cursor = pull(adapter, kind)[-1].cursor
        clock.advance(timedelta(days=2))
        served.sandbox.log.clear()
        pages = pull(adapter, kind, cursor)

        assert [] == [stone for page in pages for stone in page.tombstones]
        assert 1 == len(served.sandbox.log.all())

    def test_a_long_list_is_not_read(
        self, adapter: Adapter, kind: Kind, made: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where it costs more than a small part of the day's tokens, only webhooks tell."""
        monkeypatch.setattr(limits, "AT_ONCE", 10**6)

        assert names_all(adapter, kind)
        assert adapter.name_all(kind) is None

    @pytest.mark.parametrize("kind", [Kind.COMPANY, Kind.CONTACT])
    def test_a_deletion_is_found_out_within_a_day(
        self, adapter: Adapter, state: Any, clock: VirtualClock, *, kind: Kind, made: list[str]
    ) -> None:
        """What can be seen again, as the user had lost the right to for a month, is there again as soon."""
        bench = make_bench(parts={"pd": (0.0, 1.0)})
        plugins = fake_plugins(bench.crms, wrap=lambda *_: adapter)
        workspace = replace(bench.workspace, plugins=plugins, clock=clock)
        table = getattr(state.tables, TABLES[kind])
        refs = {Ref("pd", kind, number) for number in made[1:3]}
        crmbridge_pull(workspace)
        self.delete(kind, state, made[1])
        hidden = table.pop(int(made[2]))
        clock.advance(timedelta(hours=1))
        crmbridge_pull(workspace)
        early = workspace.store.records.tombstones(refs).keys()
        for _ in range(30):
            clock.advance(timedelta(days=1))
            crmbridge_pull(workspace)
        late = workspace.store.records.tombstones(refs).keys()
        table[int(made[2])] = hidden
        clock.advance(timedelta(days=1))
        crmbridge_pull(workspace)

        assert (set(), refs) == (early, late)
        assert {Ref("pd", kind, made[1])} == workspace.store.records.tombstones(refs).keys()
