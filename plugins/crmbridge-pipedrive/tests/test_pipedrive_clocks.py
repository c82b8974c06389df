"""Our clock and Pipedrive's are two, either may be put to another time, and no edit is missed by it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crmbridge.model.records import Kind
from crmbridge.ports import Adapter, Page
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.clocks import ClockBeside


@pytest.fixture
def ours(clock: VirtualClock) -> ClockBeside:
    return ClockBeside(clock)


@pytest.fixture
def adapter(opened: Callable[..., Adapter], ours: ClockBeside) -> Adapter:
    return opened(clock=ours)


def edit(state: Any, kind: Kind, native_id: str) -> None:
    """Let a person edit a record."""
    if kind is Kind.DEAL:
        state.edit_deal(native_id, title="Edited")
    else:
        tables = {Kind.COMPANY: state.tables.organizations, Kind.CONTACT: state.tables.persons}
        tables |= {Kind.ACTIVITY: state.tables.activities, Kind.NOTE: state.tables.notes, Kind.FILE: state.tables.files}
        tables[kind][int(native_id)].update(update_time=state.now(), name="Edited", content="Edited", subject="Edited")


def pull(adapter: Adapter, kind: Kind, since: str | None) -> tuple[set[str], list[Page], str]:
    """Pull to the end; give the ids of the records, the pages, and the cursor."""
    pages = list(adapter.pull(kind, since))
    return {record.ref.id for page in pages for record in page.records}, pages, pages[-1].cursor


def some(state: Any, adapter: Adapter, kind: Kind) -> list[str]:
    """Give three records of a kind, which are made where there are too few."""
    first, second, *_ = state.deal_ids()
    for number in range(3):
        if kind is Kind.NOTE:
            state.add_note(first, f"Note {number}")
        elif kind is Kind.FILE:
            state.add_file(second, f"{number}.pdf", size=1)
    return sorted(pull(adapter, kind, None)[0], key=int)[:3]


def settle(adapter: Adapter, kind: Kind, clock: VirtualClock) -> str:
    """Pull everything, let a day pass, and give the cursor of a quiet pull."""
    cursor = pull(adapter, kind, None)[2]
    clock.advance(timedelta(days=1))
    return pull(adapter, kind, cursor)[2]


KINDS = (Kind.DEAL, Kind.COMPANY, Kind.CONTACT, Kind.ACTIVITY, Kind.NOTE, Kind.FILE)


@pytest.mark.parametrize("again", [timedelta(minutes=15), timedelta(hours=30)])
@pytest.mark.parametrize("back", [timedelta(minutes=1), timedelta(minutes=12), timedelta(days=1)])
@pytest.mark.parametrize("kind", KINDS)
def test_pipedrives_clock_may_be_put_back(
    adapter: Adapter,
    state: Any,
    clock: VirtualClock,
    ours: ClockBeside,
    *,
    kind: Kind,
    back: timedelta,
    again: timedelta,
) -> None:
    """What is edited then has times before those that were delivered; it comes with the next pull, and so on."""
    newest, first, second = some(state, adapter, kind)
    cursor = settle(adapter, kind, clock)
    edit(state, kind, newest)
    cursor = pull(adapter, kind, cursor)[2]
    clock.advance(-back)
    ours.beside = back
    clock.advance(timedelta(seconds=5))
    edit(state, kind, first)
    clock.advance(again)
    found, _, cursor = pull(adapter, kind, cursor)
    clock.advance(timedelta(minutes=10))
    edit(state, kind, second)
    clock.advance(timedelta(minutes=10))

    assert first in found
    assert second in pull(adapter, kind, cursor)[0]


def test_a_deal_that_is_archived_then_is_told_of(
    adapter: Adapter, state: Any, clock: VirtualClock, ours: ClockBeside
) -> None:
    """Archived deals are a list of their own, which is asked by time as well; so are activities."""
    newest, gone, disturbed = state.deal_ids()[:3]
    cursor = settle(adapter, Kind.DEAL, clock)
    edit(state, Kind.DEAL, newest)
    cursor = pull(adapter, Kind.DEAL, cursor)[2]
    clock.advance(-timedelta(hours=3))
    ours.beside = timedelta(hours=3)
    clock.advance(timedelta(seconds=5))
    state.archive_deal(gone)
    activity = next(row for row in state.tables.activities.values() if row["deal_id"] == int(disturbed))
    activity.update(update_time=state.now(), subject="Edited")
    clock.advance(timedelta(minutes=15))
    pages = pull(adapter, Kind.DEAL, cursor)[1]

    assert [gone] == [stone.ref.id for page in pages for stone in page.tombstones]


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_from_the_future_hides_none_of_the_present(
    adapter: Adapter, state: Any, clock: VirtualClock, kind: Kind
) -> None:
    """A server of Pipedrive's whose clock is ahead: what others take meanwhile has times before that one's."""
    early, other, _ = some(state, adapter, kind)
    cursor = settle(adapter, kind, clock)
    clock.advance(timedelta(hours=3))
    edit(state, kind, early)
    clock.advance(-timedelta(hours=3))
    cursor = pull(adapter, kind, cursor)[2]
    clock.advance(timedelta(minutes=10))
    edit(state, kind, other)
    clock.advance(timedelta(minutes=1))

    assert {other} == pull(adapter, kind, cursor)[0]


@pytest.mark.parametrize("minutes", [-6000, -90, -3, 3, 90, 6000])
@pytest.mark.parametrize("kind", KINDS)
def test_our_clock_may_be_put_to_another_time_between_two_pulls(
    adapter: Adapter, state: Any, clock: VirtualClock, ours: ClockBeside, *, kind: Kind, minutes: int
) -> None:
    """Only Pipedrive's own times say what is new."""
    records = some(state, adapter, kind)
    cursor = settle(adapter, kind, clock)
    for number, each in enumerate(records):
        ours.beside = timedelta(minutes=minutes if number == 1 else 0)
        clock.advance(timedelta(minutes=20))
        edit(state, kind, each)
        clock.advance(timedelta(minutes=20))
        found, _, cursor = pull(adapter, kind, cursor)

        assert {each} <= found
