"""Big first pulls: in parts side by side, checked for gaps, with old history put off, and cheap pulls after them."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.model.records import Kind, Move
from crmbridge.ports import Adapter, BoundTo, Page, tells_bound
from crmbridge.sandbox import LoggedRequest, Served, VirtualClock
from crmbridge_pipedrive import deals, limits, lists, walking
from crmbridge_pipedrive.api import Api

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
DEALS = 90
pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.fixture
def deal_count() -> int:
    return DEALS


def pull(adapter: Adapter, since: str | None = None) -> list[Page]:
    return list(adapter.pull(Kind.DEAL, since))


def ids(pages: list[Page]) -> list[str]:
    return [record.ref.id for page in pages for record in page.records]


def moves(pages: list[Page]) -> dict[str, list[Move]]:
    """Give each deal's moves as the store would keep them: the ones that came last."""
    found: dict[str, list[Move]] = {}
    for page in pages:
        for deal in {move.deal.id for move in page.moves}:
            found[deal] = [move for move in page.moves if move.deal.id == deal]
    return found


def listed(served: Served) -> list[LoggedRequest]:
    return [
        r for r in served.sandbox.log.matching("GET", "/api/v2/deals") if "sort_by=id" in r.query and "asc" in r.query
    ]


class TestParts:
    """A list is cut by times of change that touch, and read side by side."""

    def test_parts_bring_everything_once(self, adapter: Adapter, served: Served, state: Any) -> None:
        """No deal is missing or comes twice; each part asks for its own times, and they touch (airbyte #58634).

        Nobody asks for what the first page has brought already: there is one part between the last two.
        """
        pages = pull(adapter)
        ranges = {
            (r.query.partition("updated_since=")[2][:24], r.query.partition("updated_until=")[2][:24])
            for r in listed(served)
        }
        starts, ends = {start for start, _ in ranges}, {end for _, end in ranges}

        assert state.deal_ids() == sorted(ids(pages), key=int)
        assert walking.PARTS + 1 == len(ranges)  # of which the last has what changed last
        assert (1, 1) == (len(starts - ends), len(ends - starts))
        assert max(ends) < max(starts)
        assert DEALS == pages[0].total

    def test_a_reader_that_has_no_part_left_reads_another_one_from_its_end(
        self, adapter: Adapter, served: Served, state: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where all of a list was changed at once there is one part worth reading, and still two are at work."""
        monkeypatch.setattr(walking, "PARTS", 1)
        found = ids(pull(adapter))
        asked = [r.query for r in served.sandbox.log.matching("GET", "/api/v2/deals") if "sort_by=id" in r.query]

        assert state.deal_ids() == sorted(found, key=int)
        assert {"asc", "desc"} == {"desc" if "desc" in query else "asc" for query in asked if "limit=8" in query}

    def test_what_was_archived_long_before_the_list_was_read_is_asked_for_again(
        self, adapter: Adapter, state: Any, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The next pull looks for what was archived since the list was read, and a bit before; not for earlier ones."""
        real = Api.walk

        def slow(api: Api, call: str, params: Any, start: str | None = None) -> Any:
            found = list(real(api, call, params, start))
            if call == "deals.archived" and not state.tables.deals[7]["is_archived"]:
                clock.advance(timedelta(minutes=5))
                state.edit_deal("7", is_archived=True)
            return iter(found)

        monkeypatch.setattr(Api, "walk", slow)
        pages = pull(adapter)

        assert "7" in {tombstone.ref.id for page in pages for tombstone in page.tombstones}

    def test_a_list_that_does_not_turn_round_is_read_in_one(
        self, adapter: Adapter, state: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Backwards is looked at like the ranges: rows in another order than asked for would leave a gap."""
        real = Api.walk

        def bent(api: Api, call: str, params: Any, start: str | None = None) -> Any:
            return real(api, call, {**params, "sort_direction": "asc"}, start)

        monkeypatch.setattr(walking, "PARTS", 1)
        monkeypatch.setattr(Api, "walk", bent)

        assert set(state.deal_ids()) == set(ids(pull(adapter)))

    def test_a_list_in_another_order_is_no_list_of_all_deals(
        self, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where it goes by time although ids were asked for, half of it would be passed over without a word."""
        real = Api.walk

        def by_time(api: Api, call: str, params: Any, start: str | None = None) -> Any:
            return real(api, call, {**params, "sort_by": "update_time"} if "sort_by" in params else params, start)

        monkeypatch.setattr(Api, "walk", by_time)

        with pytest.raises(RetryLaterError, match="another order"):
            pull(adapter)

    def test_a_first_page_that_is_not_in_the_order_of_changes_is_read_again(
        self, adapter: Adapter, state: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It then holds any deals, and more than these changed since the oldest: no part is taken from it."""
        real = Api.page

        def in_order_of_ids(api: Api, call: str, params: Any) -> Any:
            return real(api, call, {**params, "sort_by": "id"} if params.get("sort_by") == "update_time" else params)

        monkeypatch.setattr(Api, "page", in_order_of_ids)

        assert state.deal_ids() == sorted(ids(pull(adapter)), key=int)

    def test_a_deal_that_comes_back_during_the_walk_is_there(self, adapter: Adapter, state: Any) -> None:
        """What is archived is told of before the deals, so that the newer word is the last one."""
        state.edit_deal("7", is_archived=True)
        walk = adapter.pull(Kind.DEAL, None)
        first = next(walk)
        state.tables.deals[7].update(is_archived=False, archive_time=None)  # by the app: the API edits none
        pages = [first, *walk]

        assert ["7"] == [tombstone.ref.id for tombstone in first.tombstones]
        assert not any(page.tombstones for page in pages[1:])
        assert state.deal_ids() == sorted(ids(pages), key=int)

    def test_a_deal_that_the_list_shows_as_it_was_is_told_of_again(self, adapter: Adapter, state: Any) -> None:
        """The list may show late what was archived already; the next pull then has the last word."""
        row = state.tables.deals[7]
        before = dict(row)
        state.archive_deal("7")
        archived = dict(row)
        walk = adapter.pull(Kind.DEAL, None)
        first = next(walk)
        row.update(before)
        pages = [first, *walk]
        row.update(archived)
        after = pull(adapter, pages[-1].cursor)

        assert ["7"] == [tombstone.ref.id for tombstone in first.tombstones]
        assert "7" in ids(pages)
        assert ["7"] == [tombstone.ref.id for page in after for tombstone in page.tombstones]

    def test_small_accounts_need_no_threads(
        self, adapter: Adapter, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What fits on a page is one request for the deals, and one for the archived ones."""
        monkeypatch.setattr(walking, "LIMIT", 500)
        pull(adapter)
        paths = [r.path for r in served.sandbox.log.all() if r.path.startswith("/api/v2/deals")]

        assert ["/api/v2/deals", "/api/v2/deals/archived"] == paths

    def test_a_bulk_edit_is_not_cut(self, adapter: Adapter, state: Any) -> None:
        """Where all deals changed in one second there is no time to cut at, and all of them come."""
        for row in state.tables.deals.values():
            row["update_time"] = "2026-06-01T10:00:00Z"

        assert state.deal_ids() == sorted(ids(pull(adapter)), key=int)

    def test_an_edit_during_the_walk_is_not_lost(self, adapter: Adapter, state: Any, clock: VirtualClock) -> None:
        """A deal that moves from a part that is read later to one that was read comes later (airbyte #27502).

        Parts are read side by side, so its older copy may come after the newer one; the store keeps the newer one.
        """
        walk = adapter.pull(Kind.DEAL, None)
        first = next(walk)
        clock.advance(timedelta(minutes=30))
        for number in state.deal_ids():
            state.edit_deal(number, title=f"Meanwhile {number}")
        rest = list(walk)
        after = pull(adapter, rest[-1].cursor)
        brought = [record for page in (first, *rest, *after) for record in page.records]
        names = {r.ref.id: r.fields["name"] for r in sorted(brought, key=lambda record: record.updated_at)}

        assert {number: f"Meanwhile {number}" for number in state.deal_ids()} == names

    def test_a_deal_edited_while_the_first_pull_lasts_comes_with_its_moves(
        self, adapter: Adapter, state: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An edit moves a deal from its part to the last one, which is read when all others are: it comes from there.

        Passed by, it would come with the next pull, without its moves, and seem never to have left its first stage.
        """
        real, last_is_read = Api.walk, threading.Event()
        oldest = sorted(map(int, state.deal_ids()), key=lambda number: state.tables.deals[number]["update_time"])[:5]

        def uneven(api: Api, call: str, params: Any, start: str | None = None) -> Any:
            if "updated_until" in params and "updated_since" not in params:  # the part with the oldest changes is slow
                last_is_read.wait(1)
                for number in oldest:
                    state.edit_deal(str(number), title="Meanwhile")
            try:
                yield from real(api, call, params, start)
            finally:
                if "updated_since" in params and "updated_until" not in params:
                    last_is_read.set()

        monkeypatch.setattr(Api, "walk", uneven)
        pages = pull(adapter)

        assert state.deal_ids() == sorted(set(ids(pages)), key=int)
        assert set(state.deal_ids()) == set(moves(pages))

    def test_a_deal_deleted_after_the_first_page_stays_deleted(
        self, adapter: Adapter, state: Any, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """That page shows it as it was before; the part that says so comes after it, and so has the last word."""
        read_before = walking._read_before
        number = ""

        def slow(newest: Any, *others: Any) -> Iterator[walking.Found]:
            nonlocal number
            number = str(newest.rows[0]["id"])
            clock.advance(timedelta(minutes=1))
            state.delete_deal(number)
            yield from read_before(newest, *others)

        monkeypatch.setattr(walking, "_read_before", slow)
        pages = pull(adapter)
        shown = next(place for place, page in enumerate(pages) if number in ids([page]))
        gone = next(place for place, page in enumerate(pages) if page.tombstones)

        assert [number] == [tombstone.ref.id for page in pages for tombstone in page.tombstones]
        assert shown < gone
        assert DEALS == len(ids(pages))

    @pytest.mark.parametrize("broken", ["ignored", "gap"])
    def test_a_list_that_does_not_keep_its_ranges_is_read_in_one(
        self, adapter: Adapter, state: Any, broken: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rows from outside a part, or a row of the sample that came in none, mean reading the list in one piece."""
        real = walking.times

        def bent(since: datetime | None, until: datetime | None) -> dict[str, str]:
            if broken == "ignored":
                return {}
            return real(since + timedelta(days=6) if since and until else since, until)

        monkeypatch.setattr(walking, "times", bent)

        brought = ids(pull(adapter))

        assert set(state.deal_ids()) == set(brought)
        assert len(brought) < 3 * DEALS

    def test_many_changes_are_read_and_nothing_else(
        self, adapter: Adapter, served: Served, state: Any, clock: VirtualClock
    ) -> None:
        """More than a page of them: they are walked by id from where the last pull ended, in one part, unsurveyed."""
        cursor = pull(adapter)[-1].cursor
        clock.advance(timedelta(days=1))
        cursor = pull(adapter, cursor)[-1].cursor
        changed = [str(number) for number in range(10, 40)]
        for number in changed:
            state.edit_deal(number, title="Meanwhile")
        before = len(served.sandbox.log.matching("GET", "/api/v2/deals"))
        found = ids(pull(adapter, cursor))
        asked = [r for r in served.sandbox.log.matching("GET", "/api/v2/deals")[before:] if r.path == "/api/v2/deals"]

        assert changed == sorted(found, key=int)
        assert all("updated_since=" in each.query for each in asked)
        assert 1 + -(-len(changed) // walking.LIMIT) == len(asked)

    def test_a_list_that_is_refused_from_its_start_is_an_error(
        self, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There is no marker that it could be refused for."""

        def refuse(*_given: Any, **_named: Any) -> Iterator[Any]:
            raise RefusedError("Pipedrive answered 400")

        monkeypatch.setattr(Api, "walk", refuse)

        with pytest.raises(RefusedError, match="answered 400"):
            pull(adapter)

    def test_two_clocks_need_not_agree(self, opened: Callable[..., Adapter], state: Any, clock: VirtualClock) -> None:
        """A machine that is an hour ahead of Pipedrive misses nothing: only Pipedrive's own times are compared."""
        adapter = opened(ahead=timedelta(hours=1))
        cursor = pull(adapter)[-1].cursor
        clock.advance(timedelta(minutes=5))
        state.edit_deal("7", title="Meanwhile")

        assert "7" in ids(pull(adapter, cursor))

    def test_a_pull_that_was_cut_off_goes_on_in_its_parts(self, adapter: Adapter, served: Served, state: Any) -> None:
        """Each part's place is in the cursor: what was stored is not asked for again."""
        whole = pull(adapter)
        for stored in range(1, len(whole), 7):
            before, after = ids(whole[:stored]), ids(pull(adapter, whole[stored - 1].cursor))
            assert state.deal_ids() == sorted([*before, *after], key=int)

    def test_a_pull_that_was_cut_off_within_its_first_page_goes_on(
        self, adapter: Adapter, state: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What that page holds comes first, in lots; the rest of it is read again, and nothing comes twice."""
        monkeypatch.setattr(deals, "MOST", 3)
        for stored in (1, 2):
            walk = adapter.pull(Kind.DEAL, None)
            cut = [next(walk) for _ in range(stored)]
            walk.close()
            before, after = ids(cut), ids(pull(adapter, cut[-1].cursor))

            assert state.deal_ids() == sorted([*before, *after], key=int)

    def test_a_pull_that_was_cut_off_between_two_readers_goes_on(
        self, adapter: Adapter, state: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What lies between the places of both is read, and nothing that either of them brought comes again."""
        monkeypatch.setattr(walking, "PARTS", 1)
        whole = pull(adapter)
        for stored in range(1, len(whole)):
            before, after = ids(whole[:stored]), ids(pull(adapter, whole[stored - 1].cursor))
            assert state.deal_ids() == sorted([*before, *after], key=int)

        assert any("before" in page.cursor for page in whole)

    @pytest.mark.parametrize("attempt", range(5))
    def test_the_page_where_two_readers_meet_is_read_again(
        self,
        adapter: Any,
        state: Any,
        monkeypatch: pytest.MonkeyPatch,
        attempt: int,
    ) -> None:
        """Where a pull is cut off before what the other reader brought was taken, none of it is passed over.

        Where they meet is left to the threads, so it is tried a few times.
        """
        monkeypatch.setattr(walking, "PARTS", 1)
        walk = walking.Walk(adapter._api, "deals", {}, None)
        found = sorted(walk._read(), key=lambda page: page.is_backwards)  # one of the orders in which they may come
        taken: list[int] = []
        for page in found:
            taken += lists.ids_of(page.rows)
            after = walking.Walk(adapter._api, "deals", {}, walk.stand(page, lists.ids_of(page.rows), is_last=True))
            rest = [number for each in after._read() for number in lists.ids_of(each.rows)]
            assert state.deal_ids() == [str(number) for number in sorted({*taken, *rest})]


class TestPutOff:
    """The logs of thousands of deals cost more than a day: the deals come at once, their old moves in time."""

    @pytest.fixture(autouse=True)
    def _poor(self, monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
        monkeypatch.setattr(limits, "AT_ONCE", 10**6)
        served.sandbox.state.limits.daily_tokens = 2_600

    def test_the_deals_come_first_and_all_moves_in_the_end(
        self, opened: Callable[..., Adapter], state: Any, clock: VirtualClock
    ) -> None:
        """A pull ends quietly when old history has had its share, and the next days go on; nothing is lost."""
        adapter = opened()
        first = pull(adapter)
        seen, cursor = [*first], first[-1].cursor
        for _ in range(12):
            clock.advance(timedelta(days=1, minutes=1))
            seen += pull(adapter, cursor)
            cursor = seen[-1].cursor
        state.limits.daily_tokens = 10**6
        complete = moves(pull(opened(daily_tokens=10**6)))

        assert set(state.deal_ids()) == set(ids(first))
        assert "backlog" in first[-1].cursor
        assert "backlog" not in cursor
        assert complete != moves(first)
        assert complete == moves(seen)

    def test_the_share_of_the_day_is_kept(self, opened: Callable[..., Adapter], served: Served, state: Any) -> None:
        """Daily work keeps half of the share, and the company the rest ("Rate limiting")."""
        pull(opened())
        used = state.limits.daily_tokens - state.limits.remaining
        logs = 20 * len(served.sandbox.log.matching("GET", "/changelog"))

        assert used <= 2_600 * 0.8
        assert 0 < logs <= 2_600 * 0.8 / 2

    def test_old_moves_are_not_read_at_all(self, opened: Callable[..., Adapter], served: Served) -> None:
        """Deals that moved before `history_days` come with what they tell of their last moves by themselves."""
        pages = pull(opened(history_days=30))
        read = {r.path.split("/")[4] for r in served.sandbox.log.matching("GET", "/changelog")}
        late = {deal for deal, known in moves(pages).items() if known[-1].at >= NOON - timedelta(days=30)}

        assert read
        assert read <= late
        assert set(ids(pages)) == set(moves(pages))


class TestDay:
    """Pipedrive's tokens are the company's; a share of a day is never overdrawn."""

    def test_running_out_loses_nothing(self, opened: Callable[..., Adapter], state: Any, clock: VirtualClock) -> None:
        """A pull that meets the end of its share stops with a time, and goes on next day where it was."""
        state.limits.daily_tokens = 400
        adapter = opened()
        found: list[Page] = []
        left: list[int] = []
        for _ in range(40):
            pages = adapter.pull(Kind.DEAL, found[-1].cursor if found else None)
            with contextlib.suppress(RetryLaterError):
                found.extend(pages)
            left.append(state.limits.remaining)
            clock.advance(timedelta(days=1, minutes=1))

        assert state.deal_ids() == sorted(set(ids(found)), key=int)
        assert "parts" not in found[-1].cursor
        assert min(left) >= 400 * 0.2

    def test_another_apps_tokens_are_not_ours(self, opened: Callable[..., Adapter], state: Any) -> None:
        """What the header says is used by others counts (undocumented, and used where it is there)."""
        state.limits.daily_tokens = 10_000
        state.limits._used = 9_900
        with pytest.raises(RetryLaterError):
            pull(opened())

        assert state.limits.remaining > 0


class TestQuietPulls:
    """A later pull costs few requests, also in a new process."""

    def test_ten_changes_cost_five_requests(
        self,
        opened: Callable[..., Adapter],
        served: Served,
        state: Any,
        clock: VirtualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """One list, what is around the deals, and what was archived; the account's set-up is kept for an hour."""
        monkeypatch.setattr(walking, "LIMIT", 500)
        memory: dict[str, str] = {}
        cursor = pull(opened(memory=memory))[-1].cursor
        clock.advance(timedelta(minutes=30))
        cursor = pull(opened(memory=memory), cursor)[-1].cursor
        clock.advance(timedelta(minutes=20))
        single = [n for n in state.deal_ids() if len(state.tables.participants[int(n)]) < 2]
        for number in single[:10]:
            state.edit_deal(number, title="Changed")
        others = {int(number) for number in single[10:]}
        planned = next(row for row in state.tables.activities.values() if row["deal_id"] in others)
        planned.update(subject="Later", due_time="23:00:00", update_time=state.now())
        served.sandbox.log.clear()
        pages = pull(opened(memory=memory), cursor)

        assert set(single[:10]) < set(ids(pages))
        assert len(served.sandbox.log.all()) <= 5

    def test_what_is_kept_is_not_trusted_for_long(
        self, opened: Callable[..., Adapter], served: Served, clock: VirtualClock
    ) -> None:
        """After an hour, or for another account, fields, pipelines and stages are read anew."""
        memory: dict[str, str] = {}
        cursor = pull(opened(memory=memory))[-1].cursor

        def reads(**settings: Any) -> int:
            served.sandbox.log.clear()
            pull(opened(memory=memory, **settings), cursor)
            return sum(r.status == 200 for r in served.sandbox.log.matching("GET", "dealFields"))

        assert 0 == reads()
        clock.advance(timedelta(minutes=61))
        assert (1, 0) == (reads(), reads())
        memory["account"] = json.dumps({**json.loads(memory["account"]), "place": "https://other.pipedrive.com"})
        assert 1 == reads()
        memory["account"] = "rubbish"
        assert 1 == reads()

    def test_an_option_made_meanwhile_is_learnt(
        self, opened: Callable[..., Adapter], state: Any, clock: VirtualClock
    ) -> None:
        """An option id that is not known from before means reading the definitions anew, not a problem."""
        memory: dict[str, str] = {}
        cursor = pull(opened(memory=memory))[-1].cursor
        code = next(c for c, row in state.tables.fields.items() if row["field_name"] == "Region")
        state.tables.fields[code]["options"].append({"id": 4711, "label": "Moon"})
        state.edit_deal("3", **{code: 4711})
        found = next(r for page in pull(opened(memory=memory), cursor) for r in page.records if r.ref.id == "3")

        assert ("Moon", ()) == (found.fields["region"], found.problems)

    def test_a_field_made_anew_under_its_name_is_told_from_the_old_one(
        self, opened: Callable[..., Adapter], state: Any, clock: VirtualClock
    ) -> None:
        """It has another code, told as soon as a deal comes without the old one, and is empty, which nobody did."""
        memory: dict[str, str] = {}
        before, after = opened(memory=memory), opened(memory=memory)
        assert tells_bound(before)
        assert tells_bound(after)
        cursor, told = pull(before)[-1].cursor, before.bound_fields()
        old = next(row for row in state.tables.fields.values() if row["field_name"] == "Site")
        fields = state.tables.fields
        state.tables.fields = {c: row for c, row in fields.items() if row is not old} | {
            "f" * 40: {**old, "field_code": "f" * 40}
        }
        clock.advance(timedelta(minutes=1))
        state.edit_deal("3", title="Renamed")
        pull(after, cursor)

        assert {**told, "site": BoundTo("f" * 40)} == after.bound_fields() != told

    def test_new_deals_need_no_log(self, adapter: Adapter, served: Served, state: Any, clock: VirtualClock) -> None:
        """A deal that stands where it was made tells its only move itself."""
        cursor = pull(adapter)[-1].cursor
        clock.advance(timedelta(minutes=5))
        made = state.create_deal(title="New")
        served.sandbox.log.clear()
        pages = pull(adapter, cursor)

        assert [clock.now().replace(microsecond=0)] == [move.at for move in moves(pages)[made]]
        assert () == served.sandbox.log.matching("GET", "changelog")
