"""What a monitor scrapes: how old the last run is, how it ended, and how much is open. No text of a CRM is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crmbridge.model.changes import Cause, Outcome
from crmbridge.model.findings import Severity
from crmbridge.services.answers.overview import Overview, look_over
from crmbridge.services.workspace import Workspace

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ALL, RECENT = 1_000_000, 500  # runs that are looked at: the first time, and from then on


class Tally:
    """Counts the journal's outcomes without reading all of it each time: runs that are over are counted once."""

    def __init__(self) -> None:
        self._counts: Counter[Outcome] = Counter()
        self._counted: set[str] = set()
        self._lock = Lock()

    def count(self, workspace: Workspace) -> Counter[Outcome]:
        """Give how many changes ended in which way, since the journal began."""
        with self._lock:
            unfinished: Counter[Outcome] = Counter()
            for run in workspace.store.runs.runs(RECENT if self._counted else ALL):
                if run.id in self._counted:
                    continue
                found = Counter(e.outcome for e in workspace.store.journal.entries(run.id) if e.outcome is not None)
                if run.finished_at is None:
                    unfinished += found
                else:
                    self._counts += found
                    self._counted.add(run.id)
            return self._counts + unfinished


def exposition(workspace: Workspace, tally: Tally) -> bytes:
    """Write all figures as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(_State(workspace, tally))
    return generate_latest(registry)


class _State(Collector):
    """Reads the figures from the state when they are asked for."""

    def __init__(self, workspace: Workspace, tally: Tally) -> None:
        self._workspace = workspace
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """Give all figures."""
        seen = look_over(self._workspace)
        yield from _of_runs(seen)
        yield _by("findings_open", "Open findings that nobody waived", "severity", seen.findings, Severity)
        yield _by("waiting", "What waits for a person", "cause", seen.waiting, Cause)
        yield _one("unknown_writes", "Writes of which nobody knows whether they happened", seen.unknown)
        yield _one("waivers_ending", "Waivers that end within a week", len(seen.ending))
        yield _one("deals_open", "Deals that were evaluated and are open", seen.open_deals)
        yield _pulled(seen)
        yield _outcomes(self._tally.count(self._workspace))


def _of_runs(seen: Overview) -> Iterator[Metric]:
    yield _one("run_active", "1 while a run is under way", int(seen.running is not None))
    if seen.last and seen.last.finished_at:
        age = (seen.now - seen.last.finished_at).total_seconds()
        yield _one("last_run_age_seconds", "Since the last run ended", age)
        yield _one("last_run_exit_code", "How the last run ended; 0 is well", seen.last.exit_code or 0)


def _pulled(seen: Overview) -> Metric:
    found = GaugeMetricFamily(
        "crmbridge_last_pull_age_seconds", "Since deals of a connection were pulled", labels=["connection"]
    )
    for connection, at in seen.pulled.items():
        if at is not None:
            found.add_metric([connection], (seen.now - at).total_seconds())
    return found


def _outcomes(counts: Mapping[Outcome, int]) -> Metric:
    found = CounterMetricFamily("crmbridge_journal_outcomes", "Outcomes in the journal", labels=["outcome"])
    for outcome in Outcome:
        found.add_metric([outcome.value], counts.get(outcome, 0))
    return found


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"crmbridge_{name}", text, value=value)


def _by(name: str, text: str, label: str, counts: Mapping[Any, int], members: Iterable[StrEnum]) -> Metric:
    found = GaugeMetricFamily(f"crmbridge_{name}", text, labels=[label])
    for member in members:
        found.add_metric([member.value], counts.get(member, 0))
    return found
