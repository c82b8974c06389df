"""Scheduling: which parts of the schedule are due, so that one crontab line can drive all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from crmbridge.ports import RunStore
from crmbridge.settings import Settings


class Due(NamedTuple):
    """Something that is due. `command` is the name its runs are noted under."""

    command: str
    step: str  # cycle, pull, enforce or report
    report: str | None
    since: datetime


class Entry(NamedTuple):
    """One entry of the schedule, from whichever part of the settings it comes."""

    step: str  # cycle, pull, enforce or report
    report: str | None
    cron: str
    zone: str


def command_of(step: str, report: str | None = None) -> str:
    """Name the runs of a step of the schedule."""
    return f"{step} {report}" if report else step


def due(settings: Settings, runs: RunStore, now: datetime) -> tuple[Due, ...]:
    """Say what is due: what has not been started since its schedule last came round. Reports come last."""
    found: dict[str, Due] = {}
    for step, report, cron, zone in entries(settings):
        command = command_of(step, report)
        tick = last_tick(cron, zone, now)
        last = runs.last(command, now)
        if command not in found and (last is None or last.started_at < tick):
            found[command] = Due(command, step, report, tick)
    return tuple(sorted(found.values(), key=lambda item: item.step == "report"))


def entries(settings: Settings) -> tuple[Entry, ...]:
    """Give the whole schedule: the entries of `schedule`, then the reports that have a time of their own."""
    scheduled = [Entry(entry.run, entry.report, entry.cron, entry.timezone) for entry in settings.schedule]
    reports = [Entry("report", report.name, report.cron, report.timezone) for report in settings.reports if report.cron]
    return (*scheduled, *reports)


def next_tick(cron: str, zone: str, now: datetime) -> datetime:
    """Give the next time that a cron expression comes round, in UTC, after now."""
    ticks = (tick.astimezone(UTC) for tick in CronSim(cron, now.astimezone(ZoneInfo(zone))))
    return next(tick for tick in ticks if tick > now)  # in an hour that clocks repeat, the first ones are over


def last_tick(cron: str, zone: str, now: datetime) -> datetime:
    """Give the last time that a cron expression came round, in UTC, at or before now."""
    # Walking back starts before the time given, and counted in UTC no second is skipped or repeated.
    after = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    tick = next(CronSim(cron, after.astimezone(ZoneInfo(zone)), reverse=True)).astimezone(UTC)
    while (later := next_tick(cron, zone, tick)) <= now:  # what walking back misses in an hour that clocks repeat
        tick = later
    return tick
