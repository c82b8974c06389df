"""Explaining a deal shows the decision that the cycle took, not another one."""

from __future__ import annotations

from crmbridge.files.reading import read_process
from crmbridge.files.shipped import shipped_folder
from crmbridge.model.records import Kind
from crmbridge.services.cycle import run_cycle
from crmbridge.services.explaining import explain
from crmbridge.testing.workspaces import make_bench


def test_explain_shows_the_evaluation_that_the_cycle_acted_on() -> None:
    """For every deal of a world: the same findings with the values seen, and the same changes asked for."""
    process = read_process(shipped_folder() / "processes" / "b2b.yaml").model
    bench = make_bench(process=process, deals=40, enforce=[{"rule": "*", "action": "task"}])
    cycle = run_cycle(bench.workspace, "run", write=False)
    refs = [deal.ref for name in bench.crms for deal in bench.workspace.store.records.records(name, Kind.DEAL)]
    explained = [explain(bench.again().workspace, str(ref)) for ref in refs]
    decided = {stored.finding.id: stored.finding for stored in bench.workspace.store.findings.findings()}
    planned = {change.id: change for change in cycle.plan.changes if change.finding} if cycle.plan else {}

    assert 40 == cycle.judged
    assert planned
    assert decided == {finding.id: finding for one in explained for finding in one.evaluation.findings}
    assert planned == {change.id: change for one in explained for change in one.wanted}
