"""Our clock and HubSpot's are two, either may be put to another time, and no edit is missed by it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Clock, Page
from crmbridge.sandbox import SandboxOptions, VirtualClock
from crmbridge.testing import AdapterWorkbench, plugin_workbench
from crmbridge.testing.clocks import ClockBeside
from crmbridge_hubspot import plugin

from .accounts import Opener, pull


@pytest.fixture
def bench(tmp_path: Path, clock: VirtualClock) -> Iterator[AdapterWorkbench]:
    """Serve a few deals without limits, which a clock that goes back would confuse."""
    options = SandboxOptions(seed=3, deals=12, clock=clock, limit="none")
    with plugin_workbench(plugin, options, tmp_path) as workbench:
        yield workbench


def refs_of(pages: list[Page]) -> list[Ref]:
    """Give the refs of the records."""
    return [record.ref for page in pages for record in page.records]


def rests(bench: AdapterWorkbench, run: Opener, clock: Clock) -> str:
    """Pull everything, and until nothing is asked for again; give the cursor."""
    cursor = pull(run(clock), None)[-1].cursor
    for _ in range(3):
        bench.clock.advance(timedelta(minutes=10))
        cursor = pull(run(clock), cursor)[-1].cursor
    return cursor


@pytest.mark.parametrize("minutes", [-600, -90, -3, 3, 90, 600])
def test_our_clock_may_be_put_to_another_time_between_two_pulls(
    bench: AdapterWorkbench, run: Opener, minutes: int
) -> None:
    """A leap is no rest: what the index was late with is asked for until HubSpot's own five minutes are over."""
    clock = ClockBeside(bench.clock)
    cursor = rests(bench, run, clock)
    late, first = (next(i for i in bench.hands.deal_ids() if int(i) % 2 == rest) for rest in (0, 1))
    bench.served.sandbox.faults.plan("lag", times=1000)
    bench.hands.edit_deal(late, dealname="Late")
    bench.clock.advance(timedelta(seconds=1))
    bench.hands.edit_deal(first, dealname="Edited")
    cursor = pull(run(clock), cursor)[-1].cursor
    clock.beside = timedelta(minutes=minutes)
    cursor = pull(run(clock), cursor)[-1].cursor
    bench.served.sandbox.faults.clear()
    bench.clock.advance(timedelta(minutes=2))

    assert late in {ref.id for ref in refs_of(pull(run(clock), cursor))}


@pytest.mark.parametrize("rested", [False, True])
@pytest.mark.parametrize("minutes", [2, 7, 90, 600])
def test_hubspots_clock_may_be_put_back(bench: AdapterWorkbench, run: Opener, minutes: int, *, rested: bool) -> None:
    """What is edited then has times before those that were delivered, and so has what is deleted."""
    clock = ClockBeside(bench.clock)
    edited, again, gone, before = bench.hands.deal_ids()[:4]
    bench.hands.delete_deal(before)
    cursor = rests(bench, run, clock)
    bench.hands.edit_deal(again, dealname="Before")
    cursor = pull(run(clock), cursor)[-1].cursor
    for _ in range(2 * rested):
        bench.clock.advance(timedelta(minutes=6))
        cursor = pull(run(clock), cursor)[-1].cursor
    bench.clock.advance(-timedelta(minutes=minutes))
    clock.beside = timedelta(minutes=minutes)
    found: list[str] = []
    for each in (edited, again):
        bench.clock.advance(timedelta(seconds=5))
        bench.hands.edit_deal(each, dealname="After")
        bench.clock.advance(timedelta(seconds=30))
        pages = pull(run(clock), cursor)
        cursor = pages[-1].cursor
        found += [ref.id for ref in refs_of(pages)]
    bench.hands.delete_deal(gone)
    bench.clock.advance(timedelta(seconds=30))
    pages = pull(run(clock), cursor)

    assert {edited, again} <= set(found)
    assert gone in {tombstone.ref.id for page in pages for tombstone in page.tombstones}


@pytest.mark.parametrize("beside", [timedelta(0), timedelta(hours=3), -timedelta(hours=3)], ids=str)
def test_a_first_pull_after_hubspots_clock_was_put_back_hides_no_edit(
    bench: AdapterWorkbench, run: Opener, beside: timedelta
) -> None:
    """What was edited before that has times still to come. Later edits have earlier ones, whatever our clock says."""
    clock = ClockBeside(bench.clock)
    clock.beside = beside
    before, after = bench.hands.deal_ids()[:2]
    bench.hands.edit_deal(before, dealname="Before")
    bench.clock.advance(-timedelta(hours=2))
    cursor = pull(run(clock), None)[-1].cursor
    bench.clock.advance(timedelta(minutes=1))
    bench.hands.edit_deal(after, dealname="After")

    assert after in {ref.id for ref in refs_of(pull(run(clock), cursor))}


def test_an_edit_from_the_future_hides_none_of_the_present(bench: AdapterWorkbench, run: Opener) -> None:
    """A server of HubSpot's whose clock is ahead: what others take meanwhile has times before that one's."""
    clock = ClockBeside(bench.clock)
    cursor = rests(bench, run, clock)
    early, other = bench.hands.deal_ids()[:2]
    bench.clock.advance(timedelta(hours=3))
    bench.hands.edit_deal(early, dealname="Three hours ahead")
    bench.clock.advance(-timedelta(hours=3))
    cursor = pull(run(clock), cursor)[-1].cursor
    bench.clock.advance(timedelta(minutes=1))
    bench.hands.edit_deal(other, dealname="Now")
    bench.clock.advance(timedelta(minutes=1))

    assert [other] == [ref.id for ref in refs_of(pull(run(clock), cursor))]


@pytest.mark.parametrize("minutes", [-90, 0, 90])
def test_a_company_that_was_just_made_is_found_by_any_clock(bench: AdapterWorkbench, run: Opener, minutes: int) -> None:
    """Which of them search surely has is told by HubSpot's time: by ours, those of the last minutes might be passed."""
    clock = ClockBeside(bench.clock)
    clock.beside = timedelta(minutes=minutes)
    bench.clock.advance(timedelta(hours=3))
    bench.served.sandbox.faults.plan("lag", times=1000)
    made = [bench.hands.create_company(name=f"New {n}", domain=f"new{n}.example") for n in range(4)]
    found = [run(clock).find(Kind.COMPANY, f"domain:new{n}.example", None) for n in range(4)]

    assert [Ref("bench", Kind.COMPANY, each) for each in made] == found
