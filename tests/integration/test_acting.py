"""What is done about findings over time: one task, escalated once, ended when nothing is asked; waivers; notices."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crmbridge.model.changes import Action, Cause, Outcome
from crmbridge.model.findings import Waiver
from crmbridge.model.lives import Turn
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import FindingQuery, StateStore
from crmbridge.sandbox import make_world
from crmbridge.services.answers.explaining import explain
from crmbridge.services.apply import notices
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.apply.reconciling import reconcile
from crmbridge.services.by_hand.retrying import retry
from crmbridge.services.by_hand.undoing import find_run, plan_undo
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.services.runs.planning import make_plan
from crmbridge.testing import fake_adapter
from crmbridge.testing.factories import make_process, make_stage
from crmbridge.testing.workspaces import MONDAY, Bench, make_bench

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
RULE = "qualification.bant"
SELLER, LEADER = (user.email for user in make_world(7, 3, MONDAY).users[:2])


def shop(store: StateStore, *enforce: dict[str, Any], able: bool = True, **settings: Any) -> Bench:
    """Make a bench with one connection whose CRM lets tasks be amended, and bindings for the rule on BANT."""
    bindings = [{"rule": "*"}, *({"rule": RULE, **binding} for binding in enforce)]
    bench = make_bench(deals=3, parts={"north": (0, 0)}, store=store, enforce=bindings, **settings)
    bench.crms["north"].able = able
    return bench


def broken_deal(bench: Bench, **fields: Any) -> Ref:
    """Make a deal that went on without BANT."""
    crm = bench.crms["north"]
    ref = crm.create_deal("Rollout", stage="qualification", owner="1", **fields)
    bench.clock.advance(HOUR)
    crm.move_deal(ref.id, "proposal")
    return ref


def mend(bench: Bench, ref: Ref) -> None:
    """Fill in what the rule asks for."""
    bench.crms["north"].edit_deal(ref.id, **{f"bant__{part}": "yes" for part in ("budget", "authority", "need")})


def run(bench: Bench, after: timedelta = HOUR) -> Cycle:
    """Run one cycle, as the command does, some time later."""
    bench.clock.advance(after)
    with writing(bench.workspace, "run") as name:
        cycle = run_cycle(bench.workspace, name)
        finish(bench.workspace, name, "run", cycle.exit_code(), cycle.summary())
    return cycle


def tasks(bench: Bench, ref: Ref) -> list[Record]:
    return bench.crms["north"].hanging_on(ref.id, Kind.TASK)


def done(cycle: Cycle) -> list[Action]:
    return [change.action for change, receipt in cycle.applied.done if receipt.outcome is Outcome.APPLIED]


def test_ten_runs_make_one_task_and_end_it_when_the_finding_clears(store: StateStore) -> None:
    """Whatever else changes on the deal; after the end nothing more is written."""
    bench = shop(store, {"action": "task"})
    ref = broken_deal(bench)
    for number in range(10):
        bench.crms["north"].edit_deal(ref.id, name=f"Rollout {number}")
        run(bench)
    (task,) = tasks(bench, ref)
    assert not task.fields.get("done")

    mend(bench, ref)
    first, second = run(bench), run(bench)

    assert ([Action.AMEND], []) == (done(first), done(second))
    assert [True] == [task.fields["done"] for task in tasks(bench, ref)]


def test_a_finding_that_comes_back_gets_a_task_of_its_own(store: StateStore) -> None:
    """The first one stays done."""
    bench = shop(store, {"action": "task"})
    ref = broken_deal(bench)
    run(bench)
    mend(bench, ref)
    run(bench)
    bench.crms["north"].edit_deal(ref.id, bant__need=None)
    run(bench)
    run(bench)

    assert [True, None] == [task.fields.get("done") for task in tasks(bench, ref)]


TO_LEADER = {"after": "2d", "to": "leader", "action": "task", "severity": "error"}


def test_a_finding_is_escalated_once(store: StateStore) -> None:
    """The same task goes to the leader, and the finding is graver; a step that is over makes nothing more."""
    bench = shop(store, {"action": "task", "escalate": [TO_LEADER]}, people={"leader": LEADER})
    ref = broken_deal(bench)
    cycles = [run(bench), run(bench, DAY), run(bench, DAY), run(bench, DAY), run(bench, 9 * DAY)]

    assert [[Action.TASK], [], [Action.AMEND], [], []] == [done(cycle) for cycle in cycles]
    (task,) = tasks(bench, ref)
    assert ("2", True) == (task.fields["owner"], f"For: {LEADER}" in str(task.fields["body"]))
    assert ["error"] == [stored.finding.severity for stored in store.findings.findings()]
    assert [Turn.OPENED, Turn.ESCALATED] == [event.turn for event in store.findings.events(ref, RULE)]


def test_a_task_that_could_not_be_made_is_made_as_it_stands_then(store: StateStore) -> None:
    """For the leader, when the CRM was out of reach until the step fell due; and not amended on top."""
    bench = shop(store, {"action": "task", "escalate": [TO_LEADER]}, people={"leader": LEADER})
    ref = broken_deal(bench)
    bench.crms["north"].faults = ["limit"]
    cycles = [run(bench), run(bench, 2 * DAY), run(bench)]

    assert [[], [Action.TASK], []] == [done(cycle) for cycle in cycles]
    assert ["2"] == [task.fields["owner"] for task in tasks(bench, ref)]


def test_a_task_that_a_crm_refused_is_tried_once_more_under_other_settings(store: StateStore) -> None:
    """They may be why, as where they ask for a kind of task that it does not have; nothing else would try it again."""
    bench = shop(store, {"action": "task"})
    broken_deal(bench)
    crm = bench.crms["north"]
    crm.faults = ["refuse"]
    refused = [run(bench), run(bench)]
    writes = crm.writes
    settings = bench.workspace.project.settings
    others = [bench.again(settings.model_copy(update={"language": language})) for language in ("pt", "zh")]
    crm.faults = ["refuse"]
    again = [run(others[0]), run(others[0]), run(others[1]), run(others[1])]

    assert ([[], []], [7, 7], 1) == ([done(one) for one in refused], [one.exit_code() for one in refused], writes)
    assert [[], [], [Action.TASK], []] == [done(cycle) for cycle in again]
    assert [7, 7, 0, 0] == [cycle.exit_code() for cycle in again]
    assert 3 == crm.writes


def test_a_task_that_a_crm_refused_stays_refused_when_the_run_is_killed_after_that(store: StateStore) -> None:
    """The next run has the same settings, so there is no reason to try it again."""
    bench = shop(store, {"action": "task"})
    broken_deal(bench)
    crm = bench.crms["north"]
    crm.faults = ["refuse"]
    killed = replace(bench, workspace=replace(bench.workspace, progress=_killed_by_its_first_answer))
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    cycle = run(bench)

    assert ([], 1, 1) == (done(cycle), crm.writes, len(store.waiting.all()))


def _killed_by_its_first_answer(step: str, _said: str) -> None:
    if step == "apply":
        raise KeyboardInterrupt


def test_a_task_that_an_error_kept_from_being_tried_anew_is_tried_by_the_next_run(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three that were refused under other settings one is refused again before the CRM has had enough."""
    monkeypatch.setattr(fake_adapter, "BATCH", 1)
    bench = shop(store, {"action": "task"})
    crm = bench.crms["north"]
    for _ in range(3):
        broken_deal(bench)
    crm.faults = ["refuse"] * 3
    run(bench)
    other = bench.again(bench.workspace.project.settings.model_copy(update={"language": "pt"}))
    crm.faults = ["refuse", "limit"]
    again = [run(other), run(other), run(other)]

    assert [[], [Action.TASK, Action.TASK], []] == [done(cycle) for cycle in again]
    assert 1 == len(store.waiting.all())


def test_a_task_that_a_crm_refused_is_tried_again_when_somebody_says_so(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Say, as the user whom it is for is active again; once, and the one beside it is not."""
    monkeypatch.setattr(fake_adapter, "BATCH", 1)
    bench = shop(store, {"action": "task"})
    crm = bench.crms["north"]
    broken_deal(bench), broken_deal(bench)
    crm.faults = ["refuse", "refuse"]
    run(bench)
    one, other = (each.item for each in store.waiting.all())
    retry(bench.workspace, [one])
    crm.faults = ["refuse"]
    again = [run(bench), run(bench)]
    retry(bench.workspace, [one])
    last = [run(bench), run(bench)]

    assert [[], [], [Action.TASK], []] == [done(cycle) for cycle in (*again, *last)]
    assert [other] == [each.item for each in store.waiting.all()]


def test_business_time_counts_while_the_office_is_open(store: StateStore) -> None:
    """Two business days after a Friday are not over on Sunday."""
    step = {**TO_LEADER, "after": "2bd"}
    bench = shop(store, {"action": "task", "escalate": [step]}, people={"leader": LEADER})
    bench.clock.advance(4 * DAY)
    broken_deal(bench)
    cycles = [run(bench), run(bench, 2 * DAY), run(bench, 2 * DAY)]

    assert [[Action.TASK], [], [Action.AMEND]] == [done(cycle) for cycle in cycles]


def test_a_task_that_was_ticked_off_is_to_be_done_again(store: StateStore) -> None:
    """When its finding is escalated: it still holds."""
    bench = shop(store, {"action": "task", "escalate": [TO_LEADER]}, people={"leader": LEADER})
    ref = broken_deal(bench)
    run(bench)
    (change,) = (entry.change for entry in store.journal.entries() if entry.outcome)
    bench.crms["north"].tick_off(change.key or "")
    assert [True] == [task.fields["done"] for task in tasks(bench, ref)]
    run(bench, 2 * DAY)

    assert [False] == [task.fields["done"] for task in tasks(bench, ref)]


def test_where_tasks_cannot_be_amended_a_note_tells_of_the_escalation(store: StateStore) -> None:
    """Once; and the task stays as it is when the finding clears."""
    binding = {"action": "task", "escalate": [TO_LEADER]}
    bench = shop(store, binding, able=False, people={"leader": LEADER})
    ref = broken_deal(bench)
    cycles = [run(bench), run(bench, 2 * DAY), run(bench, DAY)]
    mend(bench, ref)
    cycles.append(run(bench))

    assert [[Action.TASK], [Action.NOTE], [], []] == [done(cycle) for cycle in cycles]
    assert 1 == len(tasks(bench, ref))


def test_a_task_that_somebody_deleted_is_told_of_by_a_note(store: StateStore) -> None:
    """The CRM refuses to change what is gone, and the next run says it otherwise."""
    bench = shop(store, {"action": "task", "escalate": [TO_LEADER]}, people={"leader": LEADER})
    ref = broken_deal(bench)
    run(bench)
    (task,) = tasks(bench, ref)
    bench.crms["north"].remove(task.ref)
    cycles = [run(bench, 2 * DAY), run(bench), run(bench)]

    assert [[], [Action.NOTE], []] == [done(cycle) for cycle in cycles]
    mend(bench, ref)
    assert [0, 0] == [run(bench).exit_code(), run(bench).exit_code()]


def test_a_deal_is_given_to_another_once(store: StateStore) -> None:
    """A person who gives it back is not fought."""
    bench = shop(store, {"action": "reassign", "to": LEADER})
    ref = broken_deal(bench)
    assert [Action.UPDATE] == done(run(bench))
    bench.crms["north"].edit_deal(ref.id, owner="1")

    assert [[], []] == [done(run(bench)), done(run(bench))]
    assert "1" == bench.crms["north"].deal(ref.id).fields["owner"]


def test_a_deal_for_nobody_waits_for_a_person(store: StateStore) -> None:
    """Nobody in that CRM has the e-mail; it waits until somebody has."""
    bench = shop(store, {"action": "reassign", "to": "manager"}, people={"manager": {"north": "gone@acme.example"}})
    broken_deal(bench)
    cycles = [run(bench), run(bench)]

    assert [7, 7] == [cycle.exit_code() for cycle in cycles]
    (waits,) = store.waiting.all()
    assert (Cause.COUNTERPART, "owner") == (waits.item.cause, waits.item.name)
    why = "north has no user with the e-mail gone@acme.example, so the deal keeps its owner"
    assert f"{why} (qualification.bant: `enforce` 2)" == waits.item.reason


def test_a_deal_is_moved_back_once_and_then_waits_for_a_person(store: StateStore) -> None:
    """Who moves it forward again is not fought, however often; it waits as long as it stands there."""
    bench = shop(store, {"action": "revert"})
    ref, crm = broken_deal(bench), bench.crms["north"]
    assert [Action.UPDATE] == done(run(bench))
    assert "qualification" == crm.deal(ref.id).position.stage  # type: ignore[union-attr]
    for _ in range(2):
        crm.move_deal(ref.id, "proposal")
        cycles = [run(bench), run(bench)]
        assert ([[], []], [7, 7]) == ([done(cycle) for cycle in cycles], [cycle.exit_code() for cycle in cycles])
        assert "proposal" == crm.deal(ref.id).position.stage  # type: ignore[union-attr]
        (waits,) = store.waiting.all()
        assert (Cause.MOVE, "stage") == (waits.item.cause, waits.item.name)
        crm.move_deal(ref.id, "qualification")
        run(bench)

    assert ((), 0) == (store.waiting.all(), run(bench).exit_code())


def test_bindings_are_for_some_stages_and_some_deals(store: StateStore) -> None:
    """The last one that fits a deal counts; others keep the one before."""
    small = {"action": "note", "when": {"one_of": {"field": "bant.timeline", "values": ["later"]}}}
    bench = shop(store, {"action": "task"}, small, {"action": "revert", "stages": ["closing"]})
    urgent, later = broken_deal(bench), broken_deal(bench, **{"bant.timeline": "later"})
    run(bench)

    assert [1, 0] == [len(tasks(bench, ref)) for ref in (urgent, later)]
    assert [0, 1] == [len(bench.crms["north"].hanging_on(ref.id, Kind.NOTE)) for ref in (urgent, later)]
    assert {"note", "task"} == {
        action for ref in (urgent, later) for action in explain(bench.workspace, ref.id).actions.values()
    }


# ── Waivers ─────────────────────────────────────────────────────────────────────────────────────────────


def waive(bench: Bench, ref: Ref, lasts: timedelta) -> None:
    now = bench.clock.now()
    given = Waiver(deal=ref, rule=RULE, by="Rita", why="a pilot", until=now + lasts, at=now)
    bench.workspace.store.waivers.put(given)


def test_a_waived_finding_asks_for_nothing_and_comes_back_by_itself(store: StateStore) -> None:
    """Its task is ended; nobody touches the deal, and when the waiver runs out there is a new one."""
    bench = shop(store, {"action": "task", "severity": "error"})
    ref = broken_deal(bench)
    run(bench)
    waive(bench, ref, 3 * DAY)
    assert {} == store.findings.counts()
    cycles = [run(bench), run(bench, DAY), run(bench, DAY), run(bench, DAY), run(bench, DAY)]

    assert [[Action.AMEND], [], [], [Action.TASK], []] == [done(cycle) for cycle in cycles]
    assert [{}, {"error": 1}] == [dict(cycles[n].findings) for n in (2, 3)]
    assert [True, None] == [task.fields.get("done") for task in tasks(bench, ref)]
    turns = [event.turn for event in store.findings.events(ref, RULE)]
    assert [Turn.OPENED, Turn.WAIVED, Turn.RESUMED] == turns


def test_a_waiver_survives_that_its_finding_clears_and_comes_back(store: StateStore) -> None:
    """It is of the rule and the deal."""
    bench = shop(store, {"action": "task"})
    ref = broken_deal(bench)
    run(bench)
    waive(bench, ref, 9 * DAY)
    run(bench)
    mend(bench, ref)
    run(bench)
    bench.crms["north"].edit_deal(ref.id, bant__need=None)

    assert [] == done(run(bench))
    (stored,) = store.findings.findings()
    assert "Rita" == stored.finding.waived.by  # type: ignore[union-attr]


def test_an_earlier_moment_is_explained_by_the_waiver_of_then(store: StateStore) -> None:
    """Whoever renews a waiver, or takes it back, changes nothing of what was accepted before."""
    bench = shop(store, {"action": "task"})
    ref = broken_deal(bench)
    run(bench)
    moments = [bench.clock.now()]
    for lasts in (3 * DAY, 9 * DAY):
        bench.clock.advance(HOUR)
        waive(bench, ref, lasts)
        moments.append(bench.clock.now() + MINUTE)
        bench.clock.advance(DAY)
    bench.clock.advance(HOUR)
    store.waivers.drop(ref, RULE, bench.clock.now(), "Rita")
    moments.append(bench.clock.now() + MINUTE)
    bench.clock.advance(HOUR)

    found = [explain(bench.workspace, ref.id, at).evaluation.findings for at in moments]
    until = [finding.waived and finding.waived.until for (finding,) in found]
    assert [None, moments[1] - MINUTE + 3 * DAY, moments[2] - MINUTE + 9 * DAY, None] == until


def test_a_waiver_that_is_taken_back_counts_no_more(store: StateStore) -> None:
    """The next run asks again, and only then."""
    bench = shop(store, {"action": "task"})
    ref = broken_deal(bench)
    run(bench)
    waive(bench, ref, 9 * DAY)
    run(bench)
    assert store.waivers.drop(ref, RULE, bench.clock.now(), "Rita")
    assert {"warning": 1} == dict(store.findings.counts())

    assert [[Action.TASK], []] == [done(run(bench)), done(run(bench))]


def test_an_escalation_counts_from_the_end_of_a_waiver(store: StateStore) -> None:
    """Who accepted a finding for a week does not hear from the leader on its first day."""
    bench = shop(store, {"action": "task", "escalate": [TO_LEADER]}, people={"leader": LEADER})
    ref = broken_deal(bench)
    run(bench)
    waive(bench, ref, 7 * DAY)
    cycles = [run(bench), run(bench, 7 * DAY), run(bench, DAY), run(bench, DAY)]

    assert [[Action.AMEND], [Action.TASK], [], [Action.AMEND]] == [done(cycle) for cycle in cycles]


def approving() -> Process:
    """Make a process in which a field approves an exception until a day."""
    rule = {
        "id": "bant",
        "check": {"required": ["bant.need"]},
        "waived_by": {"field": "approved_by", "until": "approved_until"},
    }
    fields = [
        {"id": "bant.need", "name": "Need"},
        {"id": "approved_by", "name": "Approved by"},
        {"id": "approved_until", "name": "Until", "type": "date"},
    ]
    return make_process(fields=fields, stages=[make_stage("qualification", exit=[rule]), make_stage("proposal")])


def test_an_approval_in_the_crm_is_a_waiver(store: StateStore) -> None:
    """With the name of who approved; after its last day it counts no more, though nobody touches the deal."""
    bench = shop(store, {"action": "task"}, process=approving())
    today = bench.clock.now().date()
    ref = broken_deal(bench, approved_by="Ann Lee", approved_until=today + DAY)
    cycles = [run(bench), run(bench, DAY), run(bench, DAY), run(bench)]

    assert [[], [], [Action.TASK], []] == [done(cycle) for cycle in cycles]
    opened, waived, resumed = store.findings.events(ref, RULE)
    assert (Turn.OPENED, Turn.WAIVED, Turn.RESUMED) == (opened.turn, waived.turn, resumed.turn)
    assert waived.said.startswith("by Ann Lee until ")


def test_what_is_waived_is_explained_as_it_was_decided(store: StateStore) -> None:
    """And so is what is left to do."""
    bench = shop(store, {"action": "task", "escalate": [TO_LEADER]}, people={"leader": LEADER})
    ref = broken_deal(bench)
    run(bench)
    waive(bench, ref, DAY)
    run(bench)

    said = explain(bench.workspace, ref.id)
    assert [stored.finding for stored in store.findings.findings()] == list(said.evaluation.findings)
    assert [Action.AMEND] == [change.action for change in said.wanted]


# ── Notices ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_notice_goes_out_once_and_a_sink_that_fails_holds_up_nothing(store: StateStore, tmp_path: Path) -> None:
    """Each sink is told by itself: the one that failed is told when it works again, the other one not twice."""
    blocked = tmp_path / "blocked"
    blocked.write_text("no folder", "utf-8")
    sinks = {"good": {"markdown": str(tmp_path / "good")}, "bad": {"markdown": str(blocked)}}
    bench = shop(store, {"action": "notify"}, notices=sinks)
    broken_deal(bench)
    first = run(bench)
    told = sorted(path.name for path in (tmp_path / "good").iterdir())
    assert ([Action.NOTIFY], 6) == (done(first), first.exit_code())

    blocked.unlink()
    cycles = [run(bench), run(bench)]
    assert [[Action.NOTIFY], []] == [done(cycle) for cycle in cycles]
    assert told == sorted(path.name for path in (tmp_path / "good").iterdir())
    (text, _) = (path.read_text("utf-8") for path in sorted(blocked.iterdir()))
    assert "Exit rule not met: Rollout" in text
    assert f"For: {SELLER}".replace(".", r".") in text.replace("\\", "")


def test_tasks_and_notices_speak_the_language_of_the_settings(store: StateStore, tmp_path: Path) -> None:
    """The finding itself is stored as ever, so whoever asks in English gets English."""
    sink = {"team": {"markdown": str(tmp_path / "out")}}
    binding = {"action": "notify", "escalate": [{"after": "1h", "action": "task"}]}
    bench = shop(store, binding, notices=sink, language="pt")
    broken_deal(bench)
    run(bench)
    bench.clock.advance(2 * HOUR)
    cycle = run(bench)
    text = "".join(path.read_text("utf-8").replace("\\", "") for path in sorted((tmp_path / "out").iterdir()))
    (task,) = (change for change, _ in cycle.applied.done)

    assert "Regra de saída não cumprida: Rollout" in text
    assert f"Para: {SELLER}" in text
    assert "O que fazer: Complete o que a etapa pede, ou mova o negócio de volta." in text
    assert "Escalado em" in str(task.after["body"])
    assert "Fill in" in next(iter(store.findings.search(FindingQuery()))).finding.message


def test_another_language_makes_no_second_task(store: StateStore) -> None:
    """What was said in English stays as it is, also where a step made the task or somebody ticked it off."""
    steps = [{"after": "1h", "to": "leader", "action": "task"}]
    bench = shop(store, {"action": "task", "escalate": steps}, people={"leader": LEADER})
    amended = broken_deal(bench)
    run(bench, MINUTE)
    run(bench, 2 * HOUR)
    made = broken_deal(bench)
    bench.crms["north"].faults = ["limit"]
    run(bench)
    ((change, _),) = run(bench, 2 * HOUR).applied.done
    bench.crms["north"].tick_off(change.key or "")
    before = [task.fields for deal in (amended, made) for task in tasks(bench, deal)]

    there = bench.again(bench.workspace.project.settings.model_copy(update={"language": "pt"}))

    assert [[], [], []] == [done(run(there)) for _ in range(3)]
    assert before == [task.fields for deal in (amended, made) for task in tasks(there, deal)]
    assert [False, True] == [each.get("done") for each in before]


def test_findings_of_one_run_are_told_in_one_message(store: StateStore, tmp_path: Path) -> None:
    """And a step of the escalation tells of each once more."""
    step = {"after": "1d", "to": "leader", "action": "notify"}
    binding = {"action": "notify", "escalate": [step]}
    sinks = {"team": {"html": str(tmp_path / "out")}}
    bench = shop(store, binding, notices=sinks, people={"leader": LEADER})
    for _ in range(3):
        broken_deal(bench)
    cycles = [run(bench), run(bench, DAY), run(bench, DAY)]

    assert [[Action.NOTIFY] * 3, [Action.NOTIFY] * 3, []] == [done(cycle) for cycle in cycles]
    assert 3 == len(list((tmp_path / "out").iterdir()))  # two messages, and the latest


# ── Killed anywhere ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kept", ["planned", "intended", "sent"])
def test_a_run_that_is_killed_doubles_nothing(store: StateStore, tmp_path: Path, kept: str) -> None:
    """Between plan and apply, before the write, or after it: in the end one task, ended once, and one notice."""
    sinks = {"team": {"markdown": str(tmp_path / "out")}}
    both = {"action": "task", "escalate": [{"after": "1d", "to": SELLER, "action": "notify"}, TO_LEADER]}
    bench = shop(store, both, notices=sinks, people={"leader": LEADER})
    ref = broken_deal(bench)
    for after in (HOUR, DAY, DAY):
        bench.clock.advance(after)
        killed(bench, kept)
        run(bench)
        run(bench)
    mend(bench, ref)
    killed(bench, kept)
    last = [run(bench), run(bench)]

    assert [] == done(last[1])
    (task,) = tasks(bench, ref)
    assert ("2", True) == (task.fields["owner"], task.fields["done"])
    assert len(list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else []) <= 2


def killed(bench: Bench, kept: str) -> None:
    """Start a run that dies: with its plan made, its intents written, or its writes sent and no outcome known."""
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    if kept == "planned":
        return
    bench.workspace.store.journal.intend("killed", plan.changes, bench.clock.now())
    if kept == "sent":
        for change in plan.changes:
            if change.action is not Action.NOTIFY:
                bench.crms["north"].carry_out(change)
    bench.clock.advance(HOUR)
    reconcile(bench.workspace, "after")


def test_a_notice_that_may_have_arrived_is_not_sent_again(store: StateStore, tmp_path: Path) -> None:
    """Killed right after it was sent: nobody is told twice, and the journal says what is not known."""
    bench = shop(store, {"action": "notify"}, notices={"team": {"markdown": str(tmp_path / "out")}})
    broken_deal(bench)
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    store.journal.intend("killed", plan.changes, bench.clock.now())
    notices.send(bench.workspace, plan.changes)
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    cycles = [run(bench), run(bench)]

    assert [[], []] == [done(cycle) for cycle in cycles]
    assert [] == list((tmp_path / "out").iterdir())
    (receipt,) = cycles[0].reconciled
    assert (Outcome.APPLIED, "not sent twice") == (receipt.outcome, receipt.message[-14:])


def test_a_plan_that_is_applied_twice_is_done_once(store: StateStore) -> None:
    """Also what ends a task."""
    bench = shop(store, {"action": "task"})
    ref = broken_deal(bench)
    for _ in range(2):
        pull(bench.workspace)
        plan = make_plan(bench.workspace).plan
        counts = [apply_plan(bench.workspace, plan, "r").counts for _ in range(2)]
        assert [{"applied": 1}, {"applied": 1}] == counts
        mend(bench, ref)
        bench.clock.advance(HOUR)

    assert [1, 1] == list(bench.crms["north"].effects.values())


def test_what_a_run_did_about_findings_is_undone_as_far_as_that_goes(store: StateStore, tmp_path: Path) -> None:
    """A task that was made is taken away; one that was changed is named; who was told stays told."""
    steps = [{"after": "1d", "action": "notify"}, TO_LEADER]
    sinks = {"team": {"markdown": str(tmp_path / "out")}}
    binding = {"action": "task", "escalate": steps}
    bench = shop(store, binding, people={"leader": LEADER}, notices=sinks)
    broken_deal(bench)
    runs = [run(bench).run, run(bench, DAY).run, run(bench, DAY).run]
    made, told, changed = (plan_undo(bench.workspace, find_run(bench.workspace, name)) for name in runs)

    assert ([Action.ARCHIVE], ()) == ([change.action for change in made.changes], made.blocked)
    assert ((), ()) == (told.changes, told.blocked)
    assert () == changed.changes
    assert ["the run changed the task"] == [item.reason.partition(";")[0] for item in changed.blocked]
