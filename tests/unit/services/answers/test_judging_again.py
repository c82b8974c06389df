"""What ended is judged once; what today would say stands beside it, never over it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crmbridge.cli.slas_view import slas_form, slas_lines
from crmbridge.model.findings import SlaClock, SlaState
from crmbridge.model.process import Process
from crmbridge.model.replacing import replace
from crmbridge.services.answers.judging_again import compare
from crmbridge.services.enforce.awaiting import dealt
from crmbridge.services.enforce.evaluating import judge_pending
from crmbridge.services.pull.pulling import pull
from crmbridge.services.workspace import Workspace
from crmbridge.testing.factories import make_calendar, make_process, make_stage
from crmbridge.testing.workspaces import Bench, make_bench

DAY = timedelta(days=1)


def process_of(goal: str = "5bd", **overrides: Any) -> Process:
    """Give a process whose first stage may last so long."""
    stages = [make_stage("qualification", sla={"goal": goal, "calendar": "office"}), make_stage("proposal")]
    return make_process(stages=[*stages, make_stage("care", status="won")], **overrides)


def judged(process: Process) -> Bench:
    """Give a state in which a deal left qualification after three business days, and was judged."""
    bench = make_bench(process=process, parts={"north": (0, 0)}, sync=[])
    ref = bench.crms["north"].create_deal("Acme", stage="qualification")
    bench.clock.advance(5 * DAY)  # from a Wednesday to a Monday
    bench.crms["north"].move_deal(ref.id, "proposal")
    evaluate(bench.workspace)
    return bench


def evaluate(workspace: Workspace) -> list[SlaClock]:
    """Judge what is pending, and give the clocks that are saved."""
    pull(workspace)
    dealt(workspace, judge_pending(workspace), ())
    return list(workspace.store.findings.clocks())


def under(bench: Bench, process: Process) -> Workspace:
    """Give the same state under another process, as after an edit of the file."""
    project = replace(bench.workspace.project, process=process, digest="other")
    return replace(bench.workspace, project=project)


def test_a_changed_process_does_not_touch_what_ended() -> None:
    """Everything is judged anew under it, and the closed cycle stays as it was, in the state."""
    bench = judged(process_of())
    before = list(bench.workspace.store.findings.clocks())
    after = evaluate(under(bench, process_of("1bd")))

    assert [(SlaState.ON_TIME, "5bd")] == [(clock.state, str(clock.limit)) for clock in before]
    assert before == after


def test_both_judgements_stand_side_by_side() -> None:
    """Today's goal is shorter; what was said then is not changed by asking."""
    bench = judged(process_of())
    said = compare(under(bench, process_of("1bd")))
    (tally,), (cycle,) = said.slas.values(), said.differing

    assert ("qualification.sla", 1, 1, 0) == (tally.sla, tally.closed, tally.kept_then, tally.kept_now)
    assert (SlaState.ON_TIME, SlaState.BREACHED) == (cycle.again.then.state, cycle.again.now.state)  # type: ignore[union-attr]
    assert [SlaState.ON_TIME] == [clock.state for clock in bench.workspace.store.findings.clocks()]
    assert 6 == len(list(slas_lines(said)))
    assert {"then": "on_time", "now": "breached"} == {
        when: slas_form(said)["differing"][0][when]["state"] for when in ("then", "now")
    }


def test_a_calendar_that_was_edited_counts_as_well() -> None:
    """Closed on the Friday and the Monday, it took less."""
    bench = judged(process_of("2bd"))
    open_wednesdays = make_calendar(hours={"wed": ["09:00-17:00"], "thu": ["09:00-17:00"]})
    said = compare(under(bench, process_of("2bd", calendars={"office": open_wednesdays})))

    assert [(0, 1)] == [(tally.kept_then, tally.kept_now) for tally in said.slas.values()]


def test_the_same_process_says_the_same() -> None:
    """And an SLA that is gone from the file asks for nothing."""
    bench = judged(process_of())
    same = compare(bench.workspace)
    stages = [make_stage("qualification"), make_stage("proposal", sla={"goal": "5bd", "calendar": "office"})]
    gone = make_process(stages=[*stages, make_stage("care", status="won")])

    assert ([], 1) == (same.differing, same.slas["qualification.sla"].kept_now)
    assert [None] == [one.again.now for one in compare(under(bench, gone)).differing]
