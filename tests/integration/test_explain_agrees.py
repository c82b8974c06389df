"""Explaining a deal shows the decision that the cycle took, not another one."""

from __future__ import annotations

from crmbridge.files.reading import read_process
from crmbridge.files.shipped import shipped_folder
from crmbridge.services.cycle import run_cycle
from crmbridge.services.explaining import explain
from crmbridge.testing.workspaces import make_bench


def test_explain_shows_the_evaluation_that_the_cycle_acted_on() -> None:
    """For every deal of a world: the same findings with the values seen, and the same changes asked for."""
    process = read_process(shipped_folder() / "processes" / "b2b.yaml").model
    bench = make_bench(process=process, deals=40, enforce=[{"rule": "*", "action": "task"}])
    cycle = run_cycle(bench.workspace, "run", write=False)
    explained = {one.deal.ref: explain(bench.again().workspace, str(one.deal.ref)) for one in cycle.judged}

    assert 40 == len(cycle.judged)
    assert any(one.changes for one in cycle.judged)
    assert {one.deal.ref: one.evaluation for one in cycle.judged} == {
        ref: explanation.evaluation for ref, explanation in explained.items()
    }
    assert {one.deal.ref: one.changes for one in cycle.judged} == {
        ref: explanation.wanted for ref, explanation in explained.items()
    }
