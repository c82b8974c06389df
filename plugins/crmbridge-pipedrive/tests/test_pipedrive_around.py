"""Activities and notes: pulled whole and by what changed, with texts as plain text and times in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Adapter, Page
from crmbridge.sandbox import Served, VirtualClock
from crmbridge_pipedrive import api as api_module
from crmbridge_pipedrive import limits, reading
from crmbridge_pipedrive.engagements import activity_record, note_record

AT = datetime(2026, 6, 11, 14, 30, tzinfo=UTC)


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
    """No list tells of any deleted ones but deals; who was there yesterday and is not found any more is gone."""

    @pytest.fixture(params=[Kind.ACTIVITY, Kind.NOTE, Kind.COMPANY, Kind.CONTACT])
    def kind(self, request: pytest.FixtureRequest) -> Kind:
        return Kind(request.param)

    @pytest.fixture
    def made(self, kind: Kind, state: Any) -> list[str]:
        return [self.make(kind, state, f"Number {n}") for n in range(4)]

    def make(self, kind: Kind, state: Any, name: str) -> str:
        makers: dict[Kind, Callable[[], str]] = {
            Kind.NOTE: lambda: state.add_note("3", name),
            Kind.ACTIVITY: lambda: state.add_activity("3", type="call", subject=name, at=AT, done=True),
            Kind.COMPANY: lambda: state.create_company(name=name),
            Kind.CONTACT: lambda: state.create_contact(name=name),
        }
        return makers[kind]()

    def delete(self, kind: Kind, state: Any, number: str) -> None:
        hands = {Kind.NOTE: "note", Kind.ACTIVITY: "activity", Kind.COMPANY: "company", Kind.CONTACT: "contact"}
        getattr(state, f"delete_{hands[kind]}")(number)

    def gone(self, pages: list[Page]) -> list[str]:
        return [tombstone.ref.id for page in pages for tombstone in page.tombstones]

    def test_the_roll_is_called_once_a_day(
        self, opened: Any, state: Any, clock: VirtualClock, served: Served, *, kind: Kind, made: list[str]
    ) -> None:
        """Also in a new process; in between a pull costs what it did."""
        memory: dict[str, str] = {}
        cursor = pull(opened(memory=memory), kind)[-1].cursor
        self.delete(kind, state, made[1])
        clock.advance(timedelta(hours=1))
        served.sandbox.log.clear()
        early = pull(opened(memory=memory), kind, cursor)
        asked = len(served.sandbox.log.all())
        clock.advance(timedelta(days=1))
        late = pull(opened(memory=memory), kind, early[-1].cursor)
        again = pull(opened(memory=memory), kind, late[-1].cursor)

        assert ([], [made[1]], []) == (self.gone(early), self.gone(late), self.gone(again))
        assert 1 == asked

    def test_what_came_between_two_calls_is_known(
        self, opened: Any, state: Any, clock: VirtualClock, kind: Kind, made: list[str]
    ) -> None:
        """One that was made and deleted since the last call is gone, too."""
        memory: dict[str, str] = {}
        cursor = pull(opened(memory=memory), kind)[-1].cursor
        clock.advance(timedelta(hours=1))
        new = self.make(kind, state, "x")
        cursor = pull(opened(memory=memory), kind, cursor)[-1].cursor
        self.delete(kind, state, new)
        clock.advance(timedelta(days=1))

        assert [new] == self.gone(pull(opened(memory=memory), kind, cursor))

    def test_a_gap_in_the_list_makes_nobody_gone(
        self, opened: Any, clock: VirtualClock, kind: Kind, made: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who is missing from the list is asked for by id before a tombstone says so."""
        memory: dict[str, str] = {}
        cursor = pull(opened(memory=memory), kind)[-1].cursor
        clock.advance(timedelta(days=1, hours=1))
        for name in ("_everybody", "_all_notes"):
            monkeypatch.setattr(reading, name, lambda *_: iter(()))

        assert [] == self.gone(pull(opened(memory=memory), kind, cursor))

    @pytest.mark.parametrize("kept", [{}, {f"roll of {kind}": "rubbish" for kind in Kind}])
    def test_without_memory_nobody_is_gone(
        self, opened: Any, state: Any, clock: VirtualClock, *, kind: Kind, made: list[str], kept: dict[str, str]
    ) -> None:
        """What is not remembered is not missed; from now on it is."""
        cursor = pull(opened(), kind)[-1].cursor
        self.delete(kind, state, made[1])
        clock.advance(timedelta(days=2))
        cursor = pull(opened(memory=kept), kind, cursor)[-1].cursor
        clock.advance(timedelta(days=2))
        cursor = pull(opened(memory=kept), kind, cursor)[-1].cursor
        self.delete(kind, state, made[2])
        clock.advance(timedelta(days=2))

        assert [made[2]] == self.gone(pull(opened(memory=kept), kind, cursor))

    def test_a_long_roll_is_not_called(
        self,
        opened: Any,
        state: Any,
        clock: VirtualClock,
        *,
        kind: Kind,
        made: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Where the list costs more than a small part of the day's tokens, only webhooks tell."""
        memory: dict[str, str] = {}
        cursor = pull(opened(memory=memory), kind)[-1].cursor
        self.delete(kind, state, made[1])
        clock.advance(timedelta(days=2))
        monkeypatch.setattr(limits, "AT_ONCE", 10**6)

        assert [] == self.gone(pull(opened(memory=memory), kind, cursor))

    def test_most_of_them_gone_at_once_is_believed_a_day_later(
        self, opened: Any, state: Any, clock: VirtualClock, served: Served
    ) -> None:
        """A user who may see nothing any more looks like an account where all was deleted; only the latter stays so."""
        memory: dict[str, str] = {}
        made = [state.create_company(name=f"Number {n}") for n in range(30)]
        cursor = pull(opened(memory=memory), Kind.COMPANY)[-1].cursor
        companies = state.tables.organizations
        hidden = dict(companies)
        found: list[list[str]] = []
        for now in ({}, hidden, {}, {}):
            companies.clear()
            companies.update(now)
            clock.advance(timedelta(days=1, hours=1))
            pages = pull(opened(memory=memory), Kind.COMPANY, cursor)
            cursor = pages[-1].cursor
            found.append(self.gone(pages))

        assert [[], [], []] == found[:-1]
        assert set(made) <= set(found[-1])

    def test_a_few_gone_at_once_are_believed(self, opened: Any, state: Any, clock: VirtualClock) -> None:
        """In a small account half of what there is may well be thrown away in a day."""
        memory: dict[str, str] = {}
        made = [state.create_company(name=f"Number {n}") for n in range(15)]
        cursor = pull(opened(memory=memory), Kind.COMPANY)[-1].cursor
        for number in made:
            state.delete_company(number)
        clock.advance(timedelta(days=1, hours=1))

        assert made == sorted(self.gone(pull(opened(memory=memory), Kind.COMPANY, cursor)), key=int)
