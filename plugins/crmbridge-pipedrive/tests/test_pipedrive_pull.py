"""What a pull of deals brings, what it costs, and where it goes on after it was cut off."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind, Move, Ref, Status
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, FieldBinding, Page
from crmbridge.sandbox import Served, VirtualClock
from crmbridge_pipedrive import cursors, walking
from crmbridge_pipedrive import deals as deals_module
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.mapping import DealReader
from crmbridge_pipedrive.standard import Surroundings


def pull(adapter: Adapter, since: str | None = None, kind: Kind = Kind.DEAL) -> list[Page]:
    return list(adapter.pull(kind, since))


def deals(pages: list[Page]) -> list[str]:
    return [record.ref.id for page in pages for record in page.records]


def moves_of(pages: list[Page], native_id: str) -> list[Move]:
    return [move for page in pages for move in page.moves if move.deal.id == native_id]


def gone(pages: list[Page]) -> list[str]:
    return [tombstone.ref.id for page in pages for tombstone in page.tombstones]


def paths(served: Served, since: int) -> list[str]:
    return [request.path for request in served.sandbox.log.all()[since:]]


def settle(adapter: Adapter, clock: VirtualClock) -> str:
    cursor = pull(adapter)[-1].cursor
    clock.advance(timedelta(days=1))
    return pull(adapter, cursor)[-1].cursor


def quiet_deal_with_a_plan(state: Any) -> tuple[str, dict[str, Any]]:
    """Give an open deal that was not the last one edited, with its one planned activity."""
    newest = max(state.tables.deals.values(), key=lambda row: str(row["update_time"]))["id"]
    rows = state.tables.activities.values()
    planned = next(row for row in rows if not row["done"] and row["deal_id"] != newest)
    state.tables.deals[planned["deal_id"]]["update_time"] = state.tables.deals[planned["deal_id"]]["add_time"]
    return str(planned["deal_id"]), planned


class TestCost:
    """Every request costs the company tokens, so a quiet pull asks for little ("Rate limiting")."""

    def test_a_quiet_pull_reads_no_history(self, adapter: Adapter, served: Served, clock: VirtualClock) -> None:
        """Where nothing moved, no changelog is read: 20 tokens per deal are spent on moves only."""
        cursor = settle(adapter, clock)
        before = len(served.sandbox.log.all())
        pages = pull(adapter, cursor)

        assert [] == deals(pages)
        assert [] == [path for path in paths(served, before) if "changelog" in path or "flow" in path]
        assert len(paths(served, before)) <= 5

    def test_an_edited_field_reads_no_history(
        self, adapter: Adapter, served: Served, state: Any, clock: VirtualClock
    ) -> None:
        """A deal whose place cannot have changed comes without its moves."""
        cursor = settle(adapter, clock)
        open_deal = next(n for n in state.deal_ids() if state.tables.deals[int(n)]["status"] == "open")
        state.edit_deal(open_deal, title="Renamed")
        before = len(served.sandbox.log.all())
        pages = pull(adapter, cursor)

        assert [open_deal] == deals(pages)
        assert [] == [path for path in paths(served, before) if "changelog" in path]

    def test_a_look_right_before_a_write_is_one_request(self, adapter: Adapter, served: Served, state: Any) -> None:
        """Nobody can hold a deal until it is written, so no other request lengthens the time in between."""
        number, _ = quiet_deal_with_a_plan(state)
        ref = Ref("pd", Kind.DEAL, number)
        adapter.read([ref])
        before = len(served.sandbox.log.all())
        (deal,) = adapter.read([ref], fields={"name"}).values()

        assert ["/api/v2/deals"] == paths(served, before)
        assert state.tables.deals[int(number)]["title"] == deal.fields["name"]
        assert "contacts" not in deal.fields, "they were not asked for"
        assert "next_activity_at" in adapter.read([ref], fields={"next_activity_at"})[ref].fields

    def test_lists_are_read_at_the_largest_page(self, adapter: Adapter, served: Served) -> None:
        """A list costs 10 tokens whatever its length, so pages hold the most there may be: 500."""
        pull(adapter)
        listed = [request.query for request in served.sandbox.log.matching("GET", "/api/v2/deals")]

        assert [q for q in listed if "limit=500" in q] == listed


class TestChanges:
    """Whatever changes on or around a deal comes with the next pull."""

    def test_two_edits_in_one_second_both_come(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """`updated_since` has whole seconds: an edit in the second of the last one seen is not taken for that one."""
        cursor = settle(adapter, clock)
        seen = []
        for title in ("First", "Second"):
            state.edit_deal("3", title=title)
            clock._now = clock.now().replace(microsecond=0)
            pages = pull(adapter, cursor)
            cursor = pages[-1].cursor
            seen += [record.fields["name"] for page in pages for record in page.records]

        assert ["First", "Second"] == seen

    def test_versions_differ_within_a_second(self, adapter: Adapter, state: Any) -> None:
        """The time of the last change has whole seconds, so it does not make a version alone."""
        ref = Ref("pd", Kind.DEAL, "3")
        state.edit_deal("3", title="First")
        first = adapter.read([ref])[ref]
        state.edit_deal("3", title="Second")
        state.tables.deals[3]["update_time"] = f"{first.updated_at:%Y-%m-%dT%H:%M:%SZ}"
        second = adapter.read([ref])[ref]

        assert first.updated_at == second.updated_at
        assert first.version != second.version

    @pytest.mark.parametrize("edit", [{"done": True}, {"due_time": "23:15:00"}], ids=["done", "put off"])
    def test_a_changed_activity_brings_its_deal(
        self, adapter: Adapter, state: Any, clock: VirtualClock, edit: dict[str, Any]
    ) -> None:
        """Whether activities count as edits of their deal is not documented, so they are looked at too."""
        deal, activity = quiet_deal_with_a_plan(state)
        cursor = settle(adapter, clock)
        before = adapter.read([Ref("pd", Kind.DEAL, deal)])[Ref("pd", Kind.DEAL, deal)]
        activity.update(edit, update_time=state.now())
        pages = pull(adapter, cursor)
        again = pull(adapter, pages[-1].cursor)

        assert [deal] == deals(pages)
        assert before.fields["next_activity_at"] != pages[0].records[0].fields["next_activity_at"]
        assert before.version == pages[0].records[0].version
        assert [] == deals(again)

    def test_an_activity_put_off_on_a_deal_in_the_overlap_is_seen(
        self, adapter: Adapter, state: Any, clock: VirtualClock
    ) -> None:
        """The deal's own row is as before and is read again anyway; only its activity tells the difference."""
        deal, activity = quiet_deal_with_a_plan(state)
        state.edit_deal(deal, title="The last one edited")
        cursor = settle(adapter, clock)
        activity.update(due_time="23:15:00", update_time=state.now())

        assert [deal] == deals(pull(adapter, cursor))

    @pytest.mark.parametrize("status", ["open", "lost", "won"])
    @pytest.mark.parametrize("gone", ["archived", "deleted"])
    def test_a_deal_that_was_gone_before_the_first_pull_comes_back_with_its_moves(
        self, adapter: Adapter, state: Any, clock: VirtualClock, gone: str, status: str
    ) -> None:
        """It did not move since, and what nobody ever pulled is not known from before."""
        number = next(
            str(n)
            for n, row in state.tables.deals.items()
            if row["status"] == status and row["stage_change_time"] not in {None, row["add_time"]}
        )
        known = moves_of(pull(adapter), number)
        if gone == "archived":
            state.archive_deal(number)
        else:
            state.delete_deal(number)
        clock.advance(timedelta(days=1))
        cursor = pull(adapter)[-1].cursor
        clock.advance(timedelta(days=1))
        state.restore_deal(number)

        assert len(known) > 1
        assert known == moves_of(pull(adapter, cursor), number)

    @pytest.mark.parametrize("keeps_times", [False, True])
    @pytest.mark.parametrize("status", ["lost", "won"])
    def test_reopening_a_deal_is_a_move(
        self, adapter: Adapter, state: Any, clock: VirtualClock, status: str, *, keeps_times: bool
    ) -> None:
        """Whether reopening clears the closing times is not documented; the log is read either way."""
        lost = next(str(n) for n, row in state.tables.deals.items() if row["status"] == status)
        times = {name: state.tables.deals[int(lost)][name] for name in (f"{status}_time", "close_time")}
        cursor = settle(adapter, clock)
        state.edit_deal(lost, status="open")
        if keeps_times:
            state.tables.deals[int(lost)].update(times)
        pages = pull(adapter, cursor)
        last = moves_of(pages, lost)[-1]

        assert (Status(status), Status.OPEN) == (last.before and last.before.status, last.after.status)

    def test_a_switch_of_pipeline_is_a_move(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """Stages belong to one pipeline, so the stage changes with it; the log need not say the pipeline."""
        cursor = settle(adapter, clock)
        deal = next(n for n in state.deal_ids() if state.tables.deals[int(n)]["status"] == "open")
        state.edit_deal(deal, pipeline_id=2, stage_id=7)
        log = state.tables.history[int(deal)]
        state.tables.history[int(deal)] = [row for row in log if row["field_key"] != "pipeline_id"]
        moved = moves_of(pull(adapter, cursor), deal)[-1]

        assert ("1", "2", "7") == (moved.before and moved.before.pipeline, moved.after.pipeline, moved.after.stage)

    def test_contacts_that_can_not_be_read_are_left_out(self, state: Any) -> None:
        """A call for a deal merged meanwhile is a 404 (airbyte's AGENTS.md §6); its main contact is not all."""
        fields = DealFields(definitions=(), bound={}, key=None, channels={})
        reader = DealReader(connection="pd", currency=None, fields=fields, company=None)
        row = {**state.tables.deals[3], "participants_count": 2}
        unread, read = (reader.record(row, Surroundings(contacts={3: people})) for people in (None, [4, 5]))

        assert "contacts" not in unread.fields
        assert ["participants"] == [problem.path for problem in unread.problems]
        assert tuple(sorted({str(row["person_id"]), "4", "5"})) == read.fields["contacts"]

    def test_an_archived_deal_is_gone(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """Archived deals vanish from the list ("Archived deals and leads"); the archived list tells of them, once."""
        cursor = settle(adapter, clock)
        state.archive_deal("4")
        pages = pull(adapter, cursor)
        again = pull(adapter, pages[-1].cursor)

        assert (["4"], []) == (gone(pages), gone(again))
        assert {} == dict(adapter.read([Ref("pd", Kind.DEAL, "4")]))

    def test_a_deleted_deal_is_gone(self, adapter: Adapter, served: Served, state: Any, clock: VirtualClock) -> None:
        """Deleted deals are in the list only where their status is asked for (tap-pipedrive PR #149); once."""
        cursor = settle(adapter, clock)
        state.delete_deal("4")
        pages = pull(adapter, cursor)
        asked = [request.query for request in served.sandbox.log.matching("GET", "/api/v2/deals")]

        assert (["4"], []) == (gone(pages), gone(pull(adapter, pages[-1].cursor)))
        assert any("status=open%2Cwon%2Clost%2Cdeleted" in query for query in asked)

    @pytest.mark.parametrize(("kind", "table"), [(Kind.COMPANY, "organizations"), (Kind.CONTACT, "persons")])
    def test_changed_companies_and_contacts_come_alone(
        self, adapter: Adapter, state: Any, clock: VirtualClock, kind: Kind, table: str
    ) -> None:
        """By `updated_since`, as v1's recents are gone (airbyte #49859); the last one seen is not told again."""
        cursor = pull(adapter, kind=kind)[-1].cursor
        clock.advance(timedelta(days=1))
        row = getattr(state.tables, table)[2]
        row |= {"name": "Renamed", "update_time": state.now()}
        pages = pull(adapter, cursor, kind)

        assert ["2"] == deals(pages)
        assert [] == deals(pull(adapter, pages[-1].cursor, kind))

    def test_the_loser_of_a_merge_is_gone(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """A deal that turns up deleted may have been merged; the API does not say into which ("Deals", API v1)."""
        cursor = settle(adapter, clock)
        state.merge_deals(loser="4", winner="5")
        pages = pull(adapter, cursor)

        assert ["4"] == gone(pages)
        assert None is pages[0].tombstones[0].merged_into


class TestGoingOn:
    """A pull that was cut off goes on where it was, and loses nothing."""

    @pytest.fixture(autouse=True)
    def _small_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(deals_module, "LOT", 2)
        monkeypatch.setattr(walking, "LIMIT", 5)

    @pytest.mark.parametrize(("lot", "most"), [(2, 250), (50, 3), (50, 1)])
    def test_every_cursor_is_good(
        self, adapter: Adapter, state: Any, monkeypatch: pytest.MonkeyPatch, lot: int, most: int
    ) -> None:
        """Whichever page was the last one stored, the next pull brings exactly the rest; a list page may be several."""
        monkeypatch.setattr(deals_module, "LOT", lot)
        monkeypatch.setattr(deals_module, "MOST", most)
        whole = pull(adapter)

        assert max(len(page.records) for page in whole) <= most

        for stored in range(1, len(whole)):
            before, after = deals(whole[:stored]), deals(pull(adapter, whole[stored - 1].cursor))
            assert state.deal_ids() == sorted({*before, *after}, key=int)
            assert [] == sorted(set(before) & set(after))

    def test_an_edit_during_a_walk_is_not_lost(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """A deal that was already passed comes with the next pull (airbyte #27502: cursors past unread pages).

        Or with this one, where the part that has what people edit meanwhile was not asked for yet.
        """
        walk = adapter.pull(Kind.DEAL, None)
        next(walk)
        clock.advance(timedelta(minutes=30))
        state.edit_deal("1", title="Meanwhile")
        rest = list(walk)
        after = pull(adapter, rest[-1].cursor)
        names = [record.fields["name"] for page in (*rest, *after) for record in page.records]

        assert 1 == names.count("Meanwhile")

    def test_a_refused_marker_begins_again(self, adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is promised about how long Pipedrive's page markers live ("Pagination")."""
        monkeypatch.setattr(walking, "LIMIT", 2)
        markers = ((page, part.page) for page in pull(adapter) for part in cursors.read_cursor(page.cursor).parts)
        stored, marker = next((page, marker) for page, marker in markers if marker)
        spoilt = stored.cursor.replace(marker or "", "bm90IGEgbWFya2Vy")

        assert spoilt != stored.cursor
        assert set(deals(pull(adapter, stored.cursor))) == set(deals(pull(adapter, spoilt)))

    @pytest.mark.parametrize("text", ["", "rubbish", "[]", '{"since": 5, "lost": "x", "seen": []}'])
    def test_an_unreadable_cursor_pulls_everything(self, adapter: Adapter, state: Any, text: str) -> None:
        """Rather everything twice than something never."""
        assert state.deal_ids() == sorted(deals(pull(adapter, text)), key=int)


class TestFinding:
    """Finding again what was written."""

    def test_keys_are_found_on_archived_deals(self, adapter: Adapter, served: Served, state: Any) -> None:
        """A deal that was made and archived at once is not made a second time; search is never asked."""
        code = next(c for c, row in state.tables.fields.items() if row["field_name"] == "crmbridge key")
        state.edit_deal("4", **{code: "k4"})
        state.archive_deal("4")

        assert Ref("pd", Kind.DEAL, "4") == adapter.find(Kind.DEAL, "k4", None)
        assert None is adapter.find(Kind.DEAL, "k", None)
        assert () == served.sandbox.log.matching("GET", "search")

    def test_a_deleted_deal_has_no_key_any_more(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """Also where it was found before; the list of changes tells that it went."""
        code = next(c for c, row in state.tables.fields.items() if row["field_name"] == "crmbridge key")
        made = state.create_deal(title="New", **{code: "k9"})
        assert Ref("pd", Kind.DEAL, made) == adapter.find(Kind.DEAL, "k9", None)
        clock.advance(timedelta(hours=1))
        state.delete_deal(made)

        assert None is adapter.find(Kind.DEAL, "k9", None)

    def test_a_new_deal_costs_one_page(self, adapter: Adapter, served: Served, state: Any) -> None:
        """The newest deals are looked at first, because a key is looked for after an unclear create."""
        code = next(c for c, row in state.tables.fields.items() if row["field_name"] == "crmbridge key")
        made = state.create_deal(title="New", **{code: "k9"})
        adapter.find(Kind.DEAL, "nothing", None)
        before = len(served.sandbox.log.all())

        assert Ref("pd", Kind.DEAL, made) == adapter.find(Kind.DEAL, "k9", None)
        assert ["/api/v2/deals"] == paths(served, before)


class TestFields:
    """Custom fields are found by their code or their label."""

    def test_values_of_every_type_are_read(self, adapter: Adapter, state: Any) -> None:
        """Options come as ids, fields as hashes, and read as people named them (dlt verified-sources #683, #119)."""
        codes = {row["field_name"]: code for code, row in state.tables.fields.items()}
        options = {o["label"]: o["id"] for row in state.tables.fields.values() for o in row["options"] or ()}
        values = {
            codes["Region"]: options["APAC"],
            codes["Competitors"]: [options["Northwind"], options["Contoso"]],
            codes["List price"]: {"value": 12, "currency": "BRL"},
            codes["Second seller"]: 14200001,
            codes["Site"]: {"value": "Rua Augusta 1", "country": "Portugal"},
        }
        state.edit_deal("2", **values)
        found = adapter.read([Ref("pd", Kind.DEAL, "2")])[Ref("pd", Kind.DEAL, "2")]

        assert ("APAC", ("Contoso", "Northwind"), "14200001", "Rua Augusta 1") == tuple(
            found.fields[name] for name in ("region", "competitors", "second_seller", "site")
        )
        assert "12 BRL" == str(found.fields["list_price"])
        assert () == found.problems

    def test_a_deleted_option_is_a_problem_and_costs_nothing_else(self, adapter: Adapter, state: Any) -> None:
        """Deleted options vanish from the definition while deals keep their ids."""
        code = next(c for c, row in state.tables.fields.items() if row["field_name"] == "Region")
        state.tables.deals[2]["custom_fields"][code] = 987654
        found = adapter.read([Ref("pd", Kind.DEAL, "2")])[Ref("pd", Kind.DEAL, "2")]

        assert [code] == [problem.path for problem in found.problems]
        assert ("region" in found.fields, bool(found.fields["name"])) == (False, True)

    def test_two_fields_of_one_label_need_the_code(self, opened: Callable[..., Adapter], state: Any) -> None:
        """Labels are not unique; which field is meant is not guessed."""
        code = next(c for c, row in state.tables.fields.items() if row["field_name"] == "Pains")
        state.tables.fields["f" * 40] = {**state.tables.fields[code], "field_code": "f" * 40}
        by_label = opened(fields=(FieldBinding(name="pains", native="Pains", type=FieldType.TEXT),))
        by_code = opened(fields=(FieldBinding(name="pains", native=code, type=FieldType.TEXT),))

        with pytest.raises(ConfigurationError, match="2 deal fields") as caught:
            pull(by_label)
        assert code in caught.value.advice
        assert by_label.describe().fields
        assert "pains" in pull(by_code)[0].records[0].fields

    def test_a_field_that_is_not_there_is_said(self, opened: Callable[..., Adapter]) -> None:
        """A binding to nothing stops the pull: no field, let alone all of them, is left out unsaid (airbyte #55741)."""
        adapter = opened(fields=(FieldBinding(name="pains", native="Panes", type=FieldType.TEXT),))

        with pytest.raises(ConfigurationError, match="'Panes'"):
            pull(adapter)

    def test_a_field_that_was_deleted_is_said(
        self, opened: Callable[..., Adapter], served: Served, state: Any, clock: VirtualClock
    ) -> None:
        """Deals come without it and without a word, and it would seem to be empty: sync would clear the others'."""
        memory: dict[str, str] = {}
        cursor = settle(opened(memory=memory), clock)
        code = next(code for code, row in state.tables.fields.items() if row["field_name"] == "Region")
        del state.tables.fields[code]
        state.edit_deal(state.deal_ids()[0], title="Renamed")
        with pytest.raises(ConfigurationError, match="region"):
            pull(opened(memory=memory), cursor)

    def test_few_custom_fields_are_asked_for_by_name(self, adapter: Adapter, served: Served) -> None:
        """Otherwise every field that the account has comes with every deal, most of them empty."""
        pull(adapter)
        queries = [r.query for r in served.sandbox.log.matching("GET", "/api/v2/deals")]

        assert 8 == queries[0].partition("custom_fields=")[2].partition("&")[0].count("%2C") + 1

    def test_lists_without_a_cursor_block_end(self, adapter: Adapter) -> None:
        """Companies and contacts are pulled to the end and come once."""
        for kind in (Kind.COMPANY, Kind.CONTACT):
            pages = pull(adapter, kind=kind)
            assert deals(pages)
            assert [] == deals(pull(adapter, pages[-1].cursor, kind))
