"""What findings ask for, as their bindings say it, and whether it is there. Rules and clocks are judged elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from crmbridge.engine.acting.occasion import marker
from crmbridge.engine.acting.tasks import task_id
from crmbridge.engine.people import OWNER
from crmbridge.engine.time.calendars import due
from crmbridge.engine.views import user_ids
from crmbridge.model.changes import Action, Origin, Outcome
from crmbridge.model.lives import Known
from crmbridge.model.values import show
from crmbridge.services.enforce.evaluating import compile_calendars, evaluate_all
from crmbridge.settings import Binding, fits
from crmbridge.testing.simulation.board import Task
from crmbridge.testing.simulation.chat import mark_of

if TYPE_CHECKING:
    from crmbridge.testing.simulation.acting_oracle import Oracle

Told = Collection[tuple[object, str]]  # of which deals or links a person is told what: a field, `a task`, `a note`
WRITES = {
    "task": {Action.TASK, Action.AMEND, Action.NOTE},  # a note, where its task can't be changed any more
    "note": {Action.NOTE},
    "notify": {Action.NOTIFY},
    "field": {Action.UPDATE},
    "reassign": {Action.UPDATE},
}
SETS = {"field": "discount", "reassign": OWNER}


class Wanting:
    """The findings as they stand when all is calm, and what is there for each."""

    def __init__(self, oracle: Oracle, told: Told) -> None:
        self._oracle, self._told = oracle, told
        self._project = oracle.workspace().project
        tasks = oracle.board.tasks()
        self._tasks = {task.change.id: task for task in tasks if task.change is not None}
        made = oracle.board.made()
        self._taken = {made[where].id for where in oracle.board.taken if where in made}
        self._marks = set(oracle.board.marks())
        self._asking: list[Known] = []
        rows = (e for e in oracle.rows() if e.outcome is Outcome.REFUSED and e.change.action is Action.AMEND)
        self._refused = {entry.change.finding for entry in rows}  # of these a note says what their task should

    def judge(self) -> None:
        """Check each finding that there is, and each that there was."""
        deals = self._oracle.deals()
        known = {each.finding.id: each for each in self._oracle.known() if each.finding.deal in deals}
        said = {f.id: f for one in evaluate_all(self._oracle.workspace()) for f in one.evaluation.findings}
        stored = {id_ for id_, each in known.items() if each.life.cleared_at is None}
        assert said.keys() == stored, f"P1: what is found is not what is stored: {said.keys() ^ stored}"
        self._judge_asked()
        self._asking = [known[id_] for id_, finding in said.items() if finding.waived is None]
        for each in self._asking:
            self._judge_task_or_note(each)
            self._judge_notices(each)
            self._judge_field(each)
        for each in known.values():
            self._judge_over(each, asks=each in self._asking)

    def _judge_asked(self) -> None:
        """Check that nothing was done which no binding asks for."""
        rules = {each.finding.id: each for each in self._oracle.known()}
        for entry in self._oracle.rows():
            known = rules.get(entry.change.finding or "")
            if entry.change.origin is Origin.ENFORCE and known is not None:
                binding = self._binding(known)
                actions = {binding.action, *(str(step.action) for step in binding.escalate)}
                asked = any(entry.change.action in WRITES.get(action, ()) for action in actions)
                assert asked, f"P7: nobody asks for {entry.change}"

    def _binding(self, known: Known) -> Binding:
        """Give the last binding that speaks of a finding; the first one speaks of all."""
        return [each for each in self._project.settings.enforce if fits(each.rule, known.finding.rule)][-1]

    def _steps(self, known: Known) -> Mapping[str, str]:
        """Give for each action whom the last of its steps that is due is for."""
        workspace = self._oracle.workspace()
        calendar, since = compile_calendars(workspace)["office"], known.life.asks_since
        steps = [(due(step.after, calendar, since), step) for step in self._binding(known).escalate]
        fallen = [(at, step) for at, step in steps if at is not None and at <= workspace.clock.now()]
        return {str(step.action): step.to for _, step in sorted(fallen, key=lambda each: each[0])}

    def _judge_task_or_note(self, known: Known) -> None:
        """Check the task or note of a finding that asks for one: it is there, open, and for whom it should be."""
        finding, opening, binding, steps = known.finding, known.life.openings, self._binding(known), self._steps(known)
        if any((finding.deal, name) in self._told for name in ("a task", "a note")):
            return
        if binding.action == "note":
            assert (finding.deal, marker(finding, opening)) in self._marks, f"P1: no note of {known}"
        if binding.action == "task" and not (steps and "task" not in steps):  # else a step takes its place
            task = self._tasks.get(task_id(finding, opening))
            assert task or task_id(finding, opening) in self._taken, f"P1: no task of {known}"
            if task is not None and finding.id not in self._refused:
                assert self._is_open(task), f"P1: {task} is ticked off, and there is something to do: {known}"
                self._judge_owner(task, steps.get("task", binding.to or OWNER))

    def _judge_notices(self, known: Known) -> None:
        """Check that the chat was told of a finding that asks for that, and of the last step that does."""
        finding, binding, steps = known.finding, self._binding(known), self._steps(known)
        mark = marker(finding, known.life.openings)
        notices = [entry.change for entry in self._oracle.board.applied(Action.NOTIFY)]
        told = [change.after["to"] for change in notices if mark_of(change) == mark]
        assert told or binding.action != "notify", f"P1: nobody was told of {known}"
        if "notify" in steps:
            to = steps["notify"]
            email = to if "@" in to else self._project.settings.people.get(to)
            assert email in told, f"P1: {to} was not told of {known}: {told}"

    def _is_open(self, task: Task) -> bool:
        return task.record.fields.get("done") is not True or task.where in self._oracle.board.touched

    def _judge_owner(self, task: Task, to: str) -> None:
        """Check that a task is for whom the last step is for, else its binding, where the CRM has such a user."""
        users = self._oracle.accounts[task.connection].users
        email = to if "@" in to else str(self._project.settings.people.get(to))
        wanted = user_ids(user for user in users if user.fields.get("active") is not False).get(email)
        assert wanted in {None, task.record.fields.get("owner")}, f"P1: {task} is not {email}'s"

    def _judge_field(self, known: Known) -> None:
        """Check what a finding sets: it was set once at most, and holds unless others wrote there."""
        finding, binding = known.finding, self._binding(known)
        name = SETS.get(binding.action)
        if name is None or (finding.deal, name) in self._told:
            return
        value = show(self._oracle.view(self._oracle.deals()[finding.deal]).get(name))
        wanted = binding.value if name != OWNER else str(self._project.settings.people.get(str(binding.to)))
        written = [e for e in self._oracle.board.applied(Action.UPDATE) if name in e.change.after]
        mine = [e for e in written if e.change.finding == finding.id]
        assert len(mine) <= known.life.openings, f"P7: {name} was set again and again for {known}"
        others = [each for each in self._asking if each.finding.deal == finding.deal and self._sets(each, name)]
        assert value == wanted or mine or len(others) > 1, f"P1: {name} is {value}, not {wanted}: {known}"
        together = next((refs for refs in self._oracle.links().values() if finding.deal in refs), (finding.deal,))
        over = any((ref, name) in self._oracle.edited for ref in together) or len(others) > 1
        over = over or any(e.change.target == finding.deal for e in written if e not in mine)
        assert value == wanted or over, f"P1: {name} is {value}, and nobody wrote over {wanted}: {known}"

    def _sets(self, known: Known, name: str) -> bool:
        steps = {SETS.get(action) for action in self._steps(known)}
        return name in {SETS.get(self._binding(known).action), *steps}

    def _judge_over(self, known: Known, *, asks: bool) -> None:
        """Check that the tasks of openings which are over are ticked off, unless people opened them again."""
        over = [task_id(known.finding, opening) for opening in range(1, known.life.openings + (not asks))]
        for task in (self._tasks[id_] for id_ in over if id_ in self._tasks):
            ended = task.record.fields.get("done") is True or task.where in self._oracle.board.touched
            assert ended or (known.finding.deal, "a task") in self._told, f"P1: {task} is over, and not done: {known}"
