"""Explaining a deal shows the decision that was taken, not another one: now, and when it is asked for later."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from crmbridge.files.reading import read_process
from crmbridge.files.shipped import shipped_folder
from crmbridge.model.findings import Finding
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Ref
from crmbridge.services.answers.explaining import explain
from crmbridge.services.runs.cycle import run_cycle
from crmbridge.store import open_store
from crmbridge.testing.workspaces import Bench, make_bench

DECISIONS = int(os.environ.get("CRMBRIDGE_DECISIONS", "400"))  # 10,000 by night
STEPS = 6
ONE_CRM = {"parts": {"north": (0, 1)}, "sync": []}
STAGES = ("prospecting", "qualification", "diagnosis", "proposal", "negotiation", "closing", "won", "lost")
YES_OR_NO = ("bant__budget", "bant__authority", "bant__need", "bant__timeline", "icp_match", "scope_agreed")


def shipped() -> Process:
    """Give the seven-stage process."""
    process = read_process(shipped_folder() / "processes" / "b2b.yaml").model
    assert process is not None
    return process


def refs_of(bench: Bench) -> list[Ref]:
    """Name all deals that are known."""
    return [deal.ref for name in bench.crms for deal in bench.workspace.store.records.records(name, Kind.DEAL)]


@contextmanager
def on_sqlite(folder: Path, deals: int) -> Iterator[Bench]:
    """Give a CRM with so many deals, before a state in a file."""
    store = open_store(f"sqlite:///{folder / 'state.db'}")
    try:
        yield make_bench(process=shipped(), store=store, deals=deals, **ONE_CRM)
    finally:
        store.close()


def test_explain_shows_the_evaluation_that_the_cycle_acted_on() -> None:
    """For every deal of a world: the same findings with the values seen, and the same changes asked for."""
    bench = make_bench(process=shipped(), deals=40, enforce=[{"rule": "*", "action": "task"}])
    cycle = run_cycle(bench.workspace, "run", write=False)
    explained = [explain(bench.again().workspace, str(ref)) for ref in refs_of(bench)]
    decided = {stored.finding.id: stored.finding for stored in bench.workspace.store.findings.findings()}
    planned = {change.id: change for change in cycle.plan.changes if change.finding} if cycle.plan else {}

    assert 40 == cycle.judged
    assert planned
    assert decided == {finding.id: finding for one in explained for finding in one.evaluation.findings}
    assert planned == {change.id: change for one in explained for change in one.wanted}


def test_decisions_are_explained_as_they_were_stored(tmp_path: Path) -> None:
    """From a state in a file: each deal's findings, and each of its visits and SLA clocks."""
    with on_sqlite(tmp_path, DECISIONS) as bench:
        run_cycle(bench.workspace, "run", write=False)
        store = bench.workspace.store.findings
        explained = [explain(bench.workspace, str(ref)).evaluation for ref in refs_of(bench)]

        assert DECISIONS == len(explained)
        assert {s.finding.id: s.finding for s in store.findings()} == {f.id: f for e in explained for f in e.findings}
        assert set(store.visits()) == {visit for one in explained for visit in one.visits}
        assert set(store.clocks()) == {clock for one in explained for clock in one.clocks}


def play(bench: Bench, rng: random.Random) -> None:
    """Let people work on some deals for a day: move them, fill them in, and do things."""
    crm = bench.crms["north"]
    for native in crm.deal_ids():
        if rng.random() < 0.5:
            crm.edit_deal(native, **{rng.choice(YES_OR_NO): rng.choice(["yes", "no", None])})
        if rng.random() < 0.3:
            crm.move_deal(native, rng.choice(STAGES))
        bench.clock.advance(timedelta(minutes=rng.randrange(1, 40)))


def facts(findings: object) -> set[tuple[str, str, str]]:
    """Give what is said by findings; of which moment the values are is not told apart where they are the same."""
    assert isinstance(findings, list | tuple)
    return {_fact(finding) for finding in findings}


def _fact(finding: Finding) -> tuple[str, str, str]:
    return finding.id, finding.kind.value, finding.message


@pytest.mark.parametrize("seed", range(3))
def test_what_was_decided_earlier_is_explained_as_it_was_decided_then(tmp_path: Path, seed: int) -> None:
    """People move and edit deals for days; afterwards each day's findings come out again, deal by deal."""
    rng = random.Random(seed)
    with on_sqlite(tmp_path, 15) as bench:
        decided: dict[datetime, dict[Ref, list[Finding]]] = {}
        for _ in range(STEPS):
            run_cycle(bench.workspace, "run", write=False)
            found: dict[Ref, list[Finding]] = {ref: [] for ref in refs_of(bench)}
            for stored in bench.workspace.store.findings.findings():
                found[stored.finding.deal].append(stored.finding)
            decided[bench.clock.now()] = found
            bench.clock.advance(timedelta(hours=1))
            play(bench, rng)
        run_cycle(bench.workspace, "run", write=False)

        for at, by_deal in decided.items():
            for ref, findings in by_deal.items():
                told = explain(bench.workspace, str(ref), at)
                assert facts(findings) == facts(told.evaluation.findings), (at, ref)
