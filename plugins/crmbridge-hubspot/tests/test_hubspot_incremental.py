"""A pull of what changed is cheap, misses nothing, and learns of what is gone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter, Page
from crmbridge.sandbox import SandboxOptions, VirtualClock
from crmbridge.testing import AdapterWorkbench, plugin_workbench
from crmbridge.testing.factories import NOON
from crmbridge_hubspot import plugin

from .accounts import Opener, pull

LISTED = "/crm/objects/2026-03/deals"


def settled(bench: AdapterWorkbench, run: Opener) -> str:
    """Pull everything, and once more when the lag has passed; give the cursor."""
    first = pull(run(), None)[-1].cursor
    bench.clock.advance(timedelta(minutes=20))
    return pull(run(), first)[-1].cursor


def refs_of(pages: list[Page]) -> list[Ref]:
    """Give the refs of the records."""
    return [record.ref for page in pages for record in page.records]


def test_ten_changes_take_five_requests(bench: AdapterWorkbench, run: Opener) -> None:
    """Search, read with history, two kinds of links, deletions; the account's set-up is remembered."""
    cursor = settled(bench, run)
    ids = bench.hands.deal_ids()[:10]
    for each in ids:
        bench.hands.edit_deal(each, dealname="Edited")
    bench.clock.advance(timedelta(minutes=6))
    bench.served.sandbox.log.clear()
    pages = pull(run(), cursor)

    assert set(ids) == {ref.id for ref in refs_of(pages)}
    assert 5 == len(bench.served.sandbox.log.all())


def test_nothing_new_takes_two_requests(bench: AdapterWorkbench, run: Opener) -> None:
    """Nobody asks for the links of no deals."""
    cursor = settled(bench, run)
    bench.clock.advance(timedelta(minutes=6))
    cursor = pull(run(), cursor)[-1].cursor
    bench.served.sandbox.log.clear()

    assert [()] == [page.records for page in pull(run(), cursor)]
    assert 2 == len(bench.served.sandbox.log.all())


def test_where_there_is_nothing_nothing_is_walked_again(bench: AdapterWorkbench, run: Opener) -> None:
    """An account without deals pays two requests for a pull, as any does; its first deal is a change like others."""
    for each in bench.hands.deal_ids():
        bench.hands.delete_deal(each)
    cursor = settled(bench, run)
    bench.served.sandbox.log.clear()
    cursor = pull(run(), cursor)[-1].cursor
    asked = len(bench.served.sandbox.log.all())
    made = bench.hands.create_deal(dealname="The first", dealstage="appointmentscheduled")

    assert 2 == asked
    assert [made] == [ref.id for ref in refs_of(pull(run(), cursor))]


# ── After a bulk edit ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a cursor remember few records: as if there had been thousands."""
    monkeypatch.setattr("crmbridge_hubspot.cursor.MOST_SEEN", 2)


@pytest.mark.usefixtures("forgetful")
def test_a_bulk_edit_is_not_read_again_all_night(bench: AdapterWorkbench, run: Opener) -> None:
    """What is within the overlap of the newest edit stays there until the next one; once the lag is over it is done."""
    cursor = settled(bench, run)
    for each in bench.hands.deal_ids()[:8]:
        bench.hands.edit_deal(each, dealname="Scored")
    pages = [pull(run(), cursor)]
    for _ in range(3):
        bench.clock.advance(timedelta(minutes=3))
        pages.append(pull(run(), pages[-1][-1].cursor))

    assert [8, 6, 6, 0] == [len(refs_of(each)) for each in pages]


@pytest.mark.usefixtures("forgetful")
def test_an_edit_that_shows_late_is_not_passed_over(bench: AdapterWorkbench, run: Opener) -> None:
    """Pulls in a row settle nothing: the time that the index may take has to pass between them."""
    cursor = settled(bench, run)
    ids = bench.hands.deal_ids()
    late, first = (next(each for each in ids if int(each) % 2 == rest) for rest in (0, 1))  # even ones show late
    bench.served.sandbox.faults.plan("lag", times=1000)
    bench.hands.edit_deal(late, dealname="Late")
    bench.clock.advance(timedelta(seconds=1))
    bench.hands.edit_deal(first, dealname="Edited")
    found: list[set[str]] = []
    for _ in range(3):
        pages = pull(run(), cursor)
        cursor = pages[-1].cursor
        found.append({ref.id for ref in refs_of(pages)})
    bench.served.sandbox.faults.clear()
    bench.clock.advance(timedelta(minutes=1))

    assert [{first}, set(), set()] == found
    assert [late] == [ref.id for ref in refs_of(pull(run(), cursor))]


# ── Deletions ───────────────────────────────────────────────────────────────────────────────────────────


def archived_pages(bench: AdapterWorkbench) -> int:
    """Count the pages of the list of deletions that were read."""
    return sum("archived=true" in each.query for each in bench.served.sandbox.log.matching("GET", LISTED))


@pytest.fixture
def many_gone(tmp_path: Path, clock: VirtualClock) -> Iterator[AdapterWorkbench]:
    """Serve an account where 250 of 260 deals were deleted: three pages."""
    with plugin_workbench(plugin, SandboxOptions(seed=3, deals=260, clock=clock), tmp_path) as workbench:
        for each in workbench.hands.deal_ids()[:250]:
            workbench.hands.delete_deal(each)
        yield workbench


def test_a_long_list_of_deletions_rests(many_gone: AdapterWorkbench, request: pytest.FixtureRequest) -> None:
    """It can't be asked by time ("Using Object APIs"): three pages are read every three minutes, not in each pull."""
    adapter = many_gone.open()
    cursor = pull(adapter, None)[-1].cursor
    request.addfinalizer(adapter.close)
    assert 3 == archived_pages(many_gone)
    many_gone.served.sandbox.log.clear()
    last = many_gone.hands.deal_ids()[-1]
    many_gone.hands.delete_deal(last)
    many_gone.clock.advance(timedelta(minutes=2))
    early = pull(adapter, cursor)
    assert 0 == archived_pages(many_gone)
    many_gone.clock.advance(timedelta(minutes=2))
    late = pull(adapter, early[-1].cursor)

    assert 3 == archived_pages(many_gone)
    assert last in {tombstone.ref.id for page in late for tombstone in page.tombstones}


# ── Merges ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("new_id", [False, True])
def test_a_merge_is_followed(bench: AdapterWorkbench, run: Opener, *, new_id: bool) -> None:
    """The survivor has the primary deal's id, or a new one ("Deals now support merging"); both losers are told."""
    cursor = settled(bench, run)
    state = bench.served.sandbox.state
    state.merges_make_new_ids = new_id
    winner, loser = bench.hands.deal_ids()[:2]
    state.merge_deals(winner, loser)
    bench.clock.advance(timedelta(minutes=6))
    pages = pull(run(), cursor)
    (survivor,) = refs_of(pages)
    gone = {t.ref.id: t.merged_into for page in pages for t in page.tombstones}

    assert ({winner, loser} if new_id else {loser}) == set(gone)
    assert {survivor} == set(gone.values())
    assert (survivor.id != winner) is new_id


def test_what_was_merged_into_a_deal_that_was_deleted_before_a_pull_is_gone(
    bench: AdapterWorkbench, run: Opener
) -> None:
    """Nobody sees the survivor any more, which alone lists what it took in. Else that would be written to for ever."""
    cursor = settled(bench, run)
    state = bench.served.sandbox.state
    winner, loser = bench.hands.deal_ids()[:2]
    state.merge_deals(winner, loser)
    state.delete_deal(winner)
    bench.clock.advance(timedelta(minutes=6))
    gone = {t.ref.id: t.merged_into for page in pull(run(), cursor) for t in page.tombstones}

    assert {winner: None, loser: Ref("bench", Kind.DEAL, winner)} == gone


def test_the_id_of_a_merged_deal_leads_to_the_survivor(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """HubSpot answers a read of the loser with the survivor, under the survivor's id ("Deals now support merging")."""
    winner, loser = bench.hands.deal_ids()[:2]
    bench.served.sandbox.state.merge_deals(winner, loser)

    assert {Ref("bench", Kind.DEAL, winner)} == set(adapter.read([Ref("bench", Kind.DEAL, loser)]))


# ── No edit missed ──────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_during_the_walk_comes_with_the_next_pull(bench: AdapterWorkbench, run: Opener) -> None:
    """The walk goes by id; an edit behind it has a later time than the newest one when it began."""
    walk = run().pull(Kind.DEAL, None)
    first = next(walk)
    bench.clock.advance(timedelta(seconds=5))
    bench.hands.edit_deal(first.records[0].ref.id, dealname="Edited meanwhile")
    cursor = [first, *walk][-1].cursor
    bench.clock.advance(timedelta(minutes=6))

    assert first.records[0].ref in refs_of(pull(run(), cursor))


def test_a_clock_that_is_wrong_misses_nothing(bench: AdapterWorkbench, run: Opener) -> None:
    """What is new is told by HubSpot's modification times alone, so that our clock may be hours off."""
    cursor = settled(bench, run)
    edited = bench.hands.deal_ids()[0]
    bench.hands.edit_deal(edited, dealname="Edited")
    fast = VirtualClock(bench.clock.now() + timedelta(hours=9))

    assert edited in {ref.id for ref in refs_of(pull(run(fast), cursor))}


def test_a_row_that_shows_up_late_is_found(bench: AdapterWorkbench, run: Opener) -> None:
    """Search is late without a bound; the last five minutes are read again (airbyte PR 69203, supaglue#665)."""
    cursor = settled(bench, run)
    late, early = (next(i for i in bench.hands.deal_ids() if int(i) % 2 == rest) for rest in (0, 1))
    bench.hands.edit_deal(late, dealname="Indexed late")
    bench.clock.advance(timedelta(seconds=1))
    bench.hands.edit_deal(early, dealname="Indexed at once")
    bench.served.sandbox.faults.plan("lag", times=1)
    first = pull(run(), cursor)
    bench.clock.advance(timedelta(minutes=2))
    second = pull(run(), first[-1].cursor)

    assert (early, late) == tuple(ref.id for ref in refs_of([*first, *second]))


def test_the_links_of_what_changed_are_asked_for_side_by_side(tmp_path: Path) -> None:
    """Companies and contacts are two calls that need not wait for each other; without links there is one call."""
    clock = VirtualClock(NOON)
    with plugin_workbench(plugin, SandboxOptions(seed=3, deals=6, clock=clock, latency_ms=50), tmp_path) as bench:
        adapter = bench.open()
        ref = Ref("bench", Kind.DEAL, bench.hands.deal_ids()[0])
        adapter.read([ref])  # reads the account's set-up as well
        log = bench.served.sandbox.log
        log.clear()
        adapter.read([ref])
        whole = (len(log.all()), log.most_at_once)
        log.clear()
        adapter.read([ref], fields={"name"})
        adapter.close()

    assert ((3, 2), 1) == (whole, len(log.all()))


def test_a_search_says_all_of_its_parts_and_times_in_milliseconds(bench: AdapterWorkbench, run: Opener) -> None:
    """The reference marks all five parts as needed, and the guide filters by epoch milliseconds ("Search the CRM")."""
    cursor = settled(bench, run)
    bench.hands.edit_deal(bench.hands.deal_ids()[0], dealname="Edited")
    pull(run(), cursor)
    bodies = [each.body for each in bench.served.sandbox.log.matching("POST", "/search")]
    values = [each["value"] for body in bodies for group in body["filterGroups"] for each in group.get("filters", [])]

    assert [{"after", "filterGroups", "limit", "properties", "sorts"}] * len(bodies) == [set(body) for body in bodies]
    assert "0" == bodies[0]["after"]
    assert values
    assert all(isinstance(value, str) and value.isdecimal() for value in values)


def test_a_deal_that_leaves_the_recycle_bin_for_good_stays_gone(bench: AdapterWorkbench, run: Opener) -> None:
    """After 90 days it is in no list any more ("Using Object APIs"): it did not come back, and is not told of again."""
    cursor = settled(bench, run)
    deal = bench.hands.deal_ids()[0]
    bench.hands.delete_deal(deal)
    told = pull(run(), cursor)
    bench.clock.advance(timedelta(days=91))
    later = pull(run(), told[-1].cursor)

    assert [deal] == [tombstone.ref.id for page in told for tombstone in page.tombstones]
    assert ([], []) == (refs_of(later), [tombstone for page in later for tombstone in page.tombstones])
