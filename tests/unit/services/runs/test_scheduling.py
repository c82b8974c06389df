"""What is due: every round of the schedule is run once, not early, whatever the zone and its clock changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.ports import Run
from crmbridge.services.runs.scheduling import Entry, due, entries, last_tick, next_tick
from crmbridge.settings import Settings
from crmbridge.store.memory import MemoryStore
from crmbridge.testing.factories import NOON, make_settings

QUARTER = {"run": "cycle", "cron": "*/15 * * * *"}
CRONS = ("*/15 * * * *", "30 2 * * *", "0,20,40 2 * * *", "0 3 * * *", "5 0 * * mon-fri", "*/10 * * * * *", "0 9 L * *")
ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata")
Ended = Callable[..., None]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ended(store: MemoryStore) -> Ended:
    """Note a run that began at a time, and ended unless said otherwise."""

    def note(command: str, at: datetime, *, exit_code: int | None = 0) -> None:
        run = f"{command} {at}"
        store.runs.start(Run(id=run, command=command, started_at=at))
        if exit_code is not None:
            store.runs.finish(run, at + timedelta(minutes=1), exit_code, {})

    return note


def scheduled(*entry: dict[str, str], **overrides: object) -> Settings:
    return make_settings(schedule=list(entry), **overrides)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# ── When a schedule comes round ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        ("2026-06-08T09:15:00Z", "2026-06-08T09:15:00Z", "2026-06-08T09:30:00Z"),
        ("2026-06-08T09:14:59.999Z", "2026-06-08T09:00:00Z", "2026-06-08T09:15:00Z"),
        ("2026-06-08T09:15:00.001Z", "2026-06-08T09:15:00Z", "2026-06-08T09:30:00Z"),
    ],
    ids=["on the minute", "just before", "just after"],
)
def test_a_round_begins_with_its_minute(now: str, last: str, following: str) -> None:
    """Not a second before, and then at once."""
    assert (at(last), at(following)) == tuple(tick("*/15 * * * *", "UTC", at(now)) for tick in (last_tick, next_tick))


def test_a_schedule_keeps_its_zone() -> None:
    """Nine in Berlin is another time in summer than in winter, and again another in India."""
    summer, winter = at("2026-06-08T12:00Z"), at("2026-12-08T12:00Z")

    assert at("2026-06-08T07:00Z") == last_tick("0 9 * * *", "Europe/Berlin", summer)
    assert at("2026-12-08T08:00Z") == last_tick("0 9 * * *", "Europe/Berlin", winter)
    assert at("2026-12-08T03:30Z") == last_tick("0 9 * * *", "Asia/Kolkata", winter)
    assert at("2026-12-09T08:00Z") == next_tick("0 9 * * *", "Europe/Berlin", winter)


def test_a_time_that_is_left_out_comes_round_right_after() -> None:
    """On 29 March 2026 Berlin has no half past two; what was due then is due at three."""
    night = at("2026-03-29T02:10Z")

    assert at("2026-03-29T01:00Z") == last_tick("30 2 * * *", "Europe/Berlin", night)
    assert at("2026-03-28T01:30Z") == last_tick("30 2 * * *", "Europe/Berlin", at("2026-03-29T00:59:59Z"))


@pytest.mark.parametrize("minute", ["00:30", "00:45", "01:00", "01:29", "01:30", "01:59", "05:00"])
def test_a_time_that_comes_twice_comes_round_once(minute: str) -> None:
    """On 25 October 2026 Berlin has half past two twice; the first one counts, also while the hour is repeated."""
    now = at(f"2026-10-25T{minute}Z")

    assert at("2026-10-25T00:30Z") == last_tick("30 2 * * *", "Europe/Berlin", now)
    assert at("2026-10-26T01:30Z") == next_tick("30 2 * * *", "Europe/Berlin", now)


def test_every_quarter_of_a_repeated_hour_comes_round() -> None:
    """What runs all day long takes no break when clocks are put back."""
    assert at("2026-10-25T01:15Z") == last_tick("*/15 * * * *", "Europe/Berlin", at("2026-10-25T01:20Z"))


@given(
    st.sampled_from(CRONS),
    st.sampled_from(ZONES),
    st.sampled_from([at("2026-03-29T00:00Z"), at("2026-10-24T14:00Z"), at("2026-04-04T14:00Z"), NOON]),
    st.integers(0, 2 * 86_400_000),
)
def test_now_lies_between_the_last_round_and_the_next(cron: str, zone: str, day: datetime, passed: int) -> None:
    """And there is no round between the two, in the nights when clocks change as on any other day."""
    now = day + timedelta(milliseconds=passed)
    last, following = last_tick(cron, zone, now), next_tick(cron, zone, now)

    assert last <= now < following
    assert following == next_tick(cron, zone, last)
    assert last == last_tick(cron, zone, last)


# ── What is due ─────────────────────────────────────────────────────────────────────────────────────────


def test_what_never_ran_is_due(store: MemoryStore) -> None:
    """Since its schedule last came round, under the name its runs are noted by."""
    (item,) = due(scheduled(QUARTER), store.runs, NOON + timedelta(minutes=4))

    assert ("cycle", "cycle", None, NOON) == item


def test_each_round_is_run_once(store: MemoryStore, ended: Ended) -> None:
    """A crontab line that looks every minute starts four cycles an hour, each in the first minute of its quarter."""
    started = []
    for minute in range(60):
        now = NOON + timedelta(minutes=minute, seconds=7)
        if due(scheduled(QUARTER), store.runs, now):
            ended("cycle", now)
            started.append(minute)

    assert [0, 15, 30, 45] == started


def test_several_missed_rounds_are_made_up_for_by_one_run(store: MemoryStore, ended: Ended) -> None:
    """The machine was off since yesterday."""
    ended("cycle", NOON - timedelta(days=1))

    assert 1 == len(due(scheduled(QUARTER), store.runs, NOON))


def test_a_clock_that_was_ahead_stops_no_schedule(store: MemoryStore, ended: Ended) -> None:
    """What ran by it says nothing of today; else nothing would be due, in silence, until that day."""
    ended("cycle", NOON + timedelta(days=3650))

    assert 1 == len(due(scheduled(QUARTER), store.runs, NOON))
    ended("cycle", NOON)
    assert () == due(scheduled(QUARTER), store.runs, NOON + timedelta(minutes=5))


def test_a_run_that_failed_has_had_its_turn(store: MemoryStore, ended: Ended) -> None:
    """It was told with its exit code; the next round tries again."""
    ended("cycle", NOON, exit_code=5)

    assert () == due(scheduled(QUARTER), store.runs, NOON + timedelta(minutes=5))
    assert due(scheduled(QUARTER), store.runs, NOON + timedelta(minutes=15))


def test_a_run_that_did_not_end_does_not_count(store: MemoryStore, ended: Ended) -> None:
    """It may have been killed. While it still runs, it holds the state, and a second one is turned away."""
    ended("cycle", NOON, exit_code=None)

    assert due(scheduled(QUARTER), store.runs, NOON + timedelta(minutes=1))


def test_runs_of_other_commands_do_not_count(store: MemoryStore, ended: Ended) -> None:
    """A pull by hand is no cycle, and one report's run not another's."""
    ended("pull", NOON)
    ended("report monthly", NOON)
    settings = scheduled(QUARTER, reports=[{"name": "weekly", "cron": "0 12 * * *"}])

    assert ["cycle", "report weekly"] == [item.command for item in due(settings, store.runs, NOON)]


def test_reports_come_last(store: MemoryStore) -> None:
    """So that they tell of the cycle before them; otherwise in the order of the file, and each thing once."""
    settings = scheduled(
        {"run": "report", "cron": "0 * * * *"},
        {"run": "pull", "cron": "0 * * * *"},
        QUARTER,
        {"run": "cycle", "cron": "0 12 * * *"},
        reports=[{"name": "weekly", "cron": "0 8 * * *"}, {"name": "manual"}],
    )

    assert ["pull", "cycle", "report", "report weekly"] == [item.command for item in due(settings, store.runs, NOON)]


def test_a_later_entry_of_the_same_thing_counts_too(store: MemoryStore, ended: Ended) -> None:
    """Two entries for cycles: it is due as soon as one of them came round."""
    ended("cycle", NOON - timedelta(minutes=30))
    settings = scheduled({"run": "cycle", "cron": "0 8 * * *"}, {"run": "cycle", "cron": "0 12 * * *"})

    assert [NOON] == [item.since for item in due(settings, store.runs, NOON)]


def test_the_schedule_is_listed_in_the_order_of_the_file() -> None:
    """The entries of `schedule` first, then the reports that have a time."""
    settings = scheduled(
        {"run": "report", "cron": "0 8 * * mon", "report": "weekly"},
        {**QUARTER, "timezone": "Europe/Berlin"},
        reports=[{"name": "weekly"}, {"name": "monthly", "cron": "0 8 1 * *", "timezone": "Asia/Tokyo"}],
    )

    assert (
        Entry("report", "weekly", "0 8 * * mon", "UTC"),
        Entry("cycle", None, "*/15 * * * *", "Europe/Berlin"),
        Entry("report", "monthly", "0 8 1 * *", "Asia/Tokyo"),
    ) == entries(settings)


def test_nothing_is_due_without_a_schedule(store: MemoryStore) -> None:
    """Reports without a time belong to the cycle."""
    assert () == due(make_settings(reports=[{"name": "weekly"}]), store.runs, NOON)
