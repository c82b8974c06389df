"""A rule that is broken now is judged by what its CRM recorded of the move, where nobody else knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from crmbridge.engine.evaluating.replay import Ruling, replay
from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.model.courses import DIFFERS, Course, Held, untold
from crmbridge.model.findings import Finding, Judgement
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter, StateStore
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.explanation import Asked, Told
from crmbridge.services.enforce.evaluating import subject_of
from crmbridge.services.enforce.field_history import with_recorded
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import Cycle, run_cycle
from crmbridge.testing.factories import make_process, make_stage
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = {"id": "rule", "check": {"required": ["source"]}}


@dataclass
class Asking:
    """Watches what an adapter is asked of field histories, and may disturb the answers."""

    asked: list[tuple[tuple[str, ...], tuple[str, ...], datetime]] = field(default_factory=list)
    fails: Exception | None = None
    answer: Any = None

    def wrap(self, adapter: FakeAdapter, _connection: str) -> Adapter:
        """Stand between the core and an adapter."""
        usual = adapter.field_history

        def field_history(deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
            self.asked.append((tuple(deal.ref.id for deal in deals), tuple(sorted(fields)), since))
            if self.fails:
                raise self.fails
            told: Iterable[Course] = usual(deals, fields, since)
            return (self.answer(deals, course) if self.answer else course for course in told)

        adapter.field_history = field_history  # type: ignore[method-assign]
        return adapter


@dataclass
class Scene:
    """A CRM that remembers, with what is asked of it."""

    bench: Bench
    asking: Asking
    number: int = 0

    @property
    def crm(self) -> Any:
        """The account."""
        return self.bench.crms["north"]

    def run(self) -> Cycle:
        """Let an hour pass, and do a cycle."""
        self.bench.clock.advance(HOUR)
        self.number += 1
        return run_cycle(self.bench.workspace, f"run {self.number}")

    def deal(self, **fields: Any) -> Ref:
        """Make a deal in the stage that has the rule, as was pulled long ago."""
        ref: Ref = self.crm.create_deal("Bakery", stage="qualification", **fields)
        self.run()
        return ref

    def later(self, ref: Ref, stage: str | None = None, **fields: Any) -> None:
        """An hour later, move the deal or edit it."""
        self.bench.clock.advance(HOUR)
        if stage:
            self.crm.move_deal(ref.id, stage)
        else:
            self.crm.edit_deal(ref.id, **fields)

    def findings(self) -> list[Finding]:
        """Give what is found now."""
        return [each.finding for each in self.bench.workspace.store.findings.findings()]


def process_of(rule: dict[str, Any] = RULE, **parts: Any) -> Process:
    """Make a process whose second stage has a rule."""
    stages = [make_stage("prospecting"), make_stage("qualification", exit=[rule]), make_stage("proposal")]
    return make_process(stages=stages, **parts)


@pytest.fixture
def scene(store: StateStore) -> Scene:
    """Give a CRM that remembers what its deals held."""
    return make_scene(store)


def make_scene(store: StateStore, process: Process | None = None, *, remembers: bool = True) -> Scene:
    """Give a CRM with no deals yet."""
    bench = make_bench(parts={"north": (0, 0)}, sync=[], process=process or process_of(), store=store)
    bench.crms["north"].remembers = remembers
    asking = Asking()
    plugins = fake_plugins(bench.crms, wrap=asking.wrap)
    return Scene(replace(bench, workspace=replace(bench.workspace, plugins=plugins)), asking)


def left_and_cleared(scene: Scene) -> Ref:
    """Change a field, move on, and clear it, all between two runs."""
    ref = scene.deal(source="web")
    scene.later(ref, source="fair")
    scene.later(ref, "proposal")
    scene.later(ref, source=None)
    return ref


def test_what_held_at_the_move_needs_no_mending(scene: Scene) -> None:
    """Nobody saw what the deal held when it went on; its CRM has it on record, and the rule held."""
    ref = left_and_cleared(scene)
    scene.run()

    assert [] == scene.findings()
    assert [((ref.id,), ("source",))] == [asked[:2] for asked in scene.asking.asked]


def test_a_crm_without_history_is_judged_by_what_was_seen(store: StateStore) -> None:
    """An adapter that declares nothing is not asked, and the values of now count, which is said."""
    scene = make_scene(store, remembers=False)
    left_and_cleared(scene)
    scene.run()

    assert [] == scene.asking.asked
    assert [True] == ["judged by what it holds now." in finding.message for finding in scene.findings()]


def test_what_was_broken_then_is_told_by_the_crm(scene: Scene) -> None:
    """The value of then is the one of now, and it is said who knows that."""
    ref = scene.deal(source="web")
    scene.later(ref, source=None)
    scene.later(ref, "proposal")
    scene.later(ref, name="Bakery of the north")
    scene.run()

    (finding,) = scene.findings()
    assert "judged by what it held then, as north recorded it" in finding.message


def test_nothing_is_asked_again(scene: Scene) -> None:
    """Neither by idle runs, nor when the deal changes, nor when it is judged anew; a new move is another matter."""
    ref = left_and_cleared(scene)
    for _ in range(3):
        scene.run()
    scene.later(ref, name="Renamed")
    scene.run()
    once = len(scene.asking.asked)
    scene.later(ref, "qualification")
    scene.later(ref, source="ad")
    scene.run()
    scene.later(ref, "proposal")
    scene.later(ref, source=None)
    scene.run()

    assert (1, 2) == (once, len(scene.asking.asked))


def test_what_is_known_or_holds_is_not_asked(scene: Scene) -> None:
    """A rule that holds now; a deal that was not edited after its move; one whose edit was seen before it."""
    fine, still, seen = scene.deal(), scene.deal(source="fair"), scene.deal(source="fair")
    for ref in (fine, still, seen):
        scene.later(ref, "proposal")
    scene.later(fine, source="web")
    scene.run()
    scene.later(seen, source=None)
    scene.run()

    assert [] == scene.asking.asked
    assert [] == scene.findings()


def test_old_moves_are_not_asked_about(scene: Scene) -> None:
    """A team that begins with years of deals does not begin with thousands of requests."""
    left_and_cleared(scene)
    scene.bench.clock.advance(30 * DAY)
    scene.run()

    assert [] == scene.asking.asked
    assert 1 == len(scene.findings())


def test_a_crm_that_fails_is_asked_the_next_time(scene: Scene) -> None:
    """Meanwhile the values of now count; what it did not answer is not taken for no change."""
    left_and_cleared(scene)
    scene.asking.fails = RetryLaterError("north: too many requests")
    failed = scene.run()
    then = scene.findings()
    scene.asking.fails = None
    scene.run()
    scene.run()

    assert [True] == ["judged by what it holds now." in finding.message for finding in then]
    assert (0, [], 2) == (failed.exit_code(), scene.findings(), len(scene.asking.asked))


@pytest.mark.parametrize("how", ["refused", "untold"])
def test_a_crm_that_can_not_tell_is_asked_once(scene: Scene, how: str) -> None:
    """The values of now count, and it is said why."""
    ref = left_and_cleared(scene)
    if how == "refused":
        scene.asking.fails = RefusedError("the user may not see histories")
    else:
        scene.asking.answer = lambda deals, course: untold(deals[0], course.field, "the user may not see histories")
    for _ in range(3):
        scene.run()
    (finding,) = scene.findings()
    (rule,) = [one for one in explain(scene.bench.workspace, str(ref)).rules if one.asked is Asked.LEFT_BEHIND]

    assert 1 == len(scene.asking.asked)
    assert "judged by what it holds now, as north can't tell what it was" in finding.message
    assert [(Told.NOW, "the user may not see histories")] == [(seen.told, seen.why) for seen in rule.seen]


def test_a_record_with_a_gap_is_not_relied_on(scene: Scene) -> None:
    """What does not lead to what the deal holds is not what it held; the deal as it is edited next is asked anew."""
    ref = left_and_cleared(scene)
    scene.asking.answer = lambda _, course: replace(course, held=(Held(course.held[0].at, "a trap"),))
    scene.run()
    scene.run()
    scene.asking.answer = None
    told = scene.bench.workspace.store.courses.of([ref])[ref]["source"]
    found = scene.findings()
    scene.later(ref, name="Renamed")
    scene.run()

    assert ((), DIFFERS, 1) == (told.held, told.why, len(found))
    assert (2, []) == (len(scene.asking.asked), scene.findings())


def test_a_value_that_can_not_be_read_is_not_known(scene: Scene) -> None:
    """It neither holds nor is empty: now counts, and the reason is shown."""
    ref = left_and_cleared(scene)
    scene.asking.answer = lambda _, course: replace(
        course, held=tuple(one._replace(value=None, problem="no text") if one.value else one for one in course.held)
    )
    scene.run()
    (rule,) = [one for one in explain(scene.bench.workspace, str(ref)).rules if one.asked is Asked.LEFT_BEHIND]

    assert 1 == len(scene.findings())
    assert [(Told.NOW, "no text")] == [(seen.told, seen.why) for seen in rule.seen]


def test_more_than_a_run_may_ask_waits_for_the_next(scene: Scene) -> None:
    """The ones that moved last come first, and none is forgotten."""
    refs = [scene.deal(source="web") for _ in range(3)]
    for ref in refs:
        scene.later(ref, source="fair")
        scene.later(ref, "proposal")
        scene.later(ref, source=None)
    scene.crm.remembered = 2
    left = [len(scene.findings()) for _ in range(2) if scene.run()]

    assert [1, 0] == left
    assert [(refs[2].id, refs[1].id), (refs[0].id,)] == [asked[0] for asked in scene.asking.asked]


def test_it_is_explained_as_it_was_judged(scene: Scene) -> None:
    """Now, at the moment of the move, and by playing the history again: by the value that the CRM recorded."""
    ref = left_and_cleared(scene)
    scene.run()
    moved = scene.bench.workspace.store.records.moves_of(ref)[-1].at
    now, then = explain(scene.bench.workspace, str(ref)), explain(scene.bench.workspace, str(ref), moved)
    subject = subject_of(scene.bench.workspace, scene.bench.workspace.store.records.get([ref])[ref])
    (step,) = replay(subject, moved - DAY, scene.bench.clock.now()).steps

    for said in (now, then):
        (rule,) = [one for one in said.rules if one.asked is Asked.LEFT_BEHIND]
        (seen,) = rule.seen
        assert ("fair", Told.RECORDED, moved - HOUR, True) == (seen.value, seen.told, seen.told_at, rule.holds)
    assert () == then.unknown_then
    assert (Ruling("qualification.rule", Judgement.PASS, of_today=False),) == step.rulings


def test_a_field_that_is_read_otherwise_forgets_what_was_told(scene: Scene) -> None:
    """What was recorded of another of the CRM's fields says nothing of this one."""
    ref = left_and_cleared(scene)
    scene.run()
    store = scene.bench.workspace.store.courses
    store.save([replace(course, reading="another") for course in store.of([ref])[ref].values()])

    (rule,) = [one for one in explain(scene.bench.workspace, str(ref)).rules if one.asked is Asked.LEFT_BEHIND]
    assert [Told.NOW] == [seen.told for seen in rule.seen]


def test_what_was_forgotten_stays_so_when_another_field_is_asked_for(scene: Scene) -> None:
    """A deal is judged in the run that asks by the same as in the next one."""
    ref = left_and_cleared(scene)
    workspace, since = scene.bench.workspace, scene.bench.clock.now()
    pull(workspace)
    told = Course(deal=ref, field="name", until=since, held=(Held(since - DAY, "Mill"),), reading="another")
    workspace.store.courses.save([told])
    before = subject_of(workspace, workspace.store.records.get([ref])[ref])
    (asked,) = with_recorded(workspace, [before], ["north"]).subjects
    after = subject_of(workspace, before.deal)

    assert ([], ["source"], ["source"]) == (list(before.courses), list(asked.courses), list(after.courses))


def test_a_plan_from_the_state_alone_asks_nobody(scene: Scene) -> None:
    """Without a pull in the run there is no request either."""
    left_and_cleared(scene)
    scene.bench.clock.advance(HOUR)
    pull(scene.bench.workspace)
    run_cycle(scene.bench.workspace, "again", refresh=False, write=False)

    assert [] == scene.asking.asked


def test_why_a_deal_went_back_is_asked_too(store: StateStore) -> None:
    """A reason that was cleared since was given then."""
    process = process_of(
        {"id": "rule", "check": {"required": ["name"]}}, moves={"back": "with_reason", "reason": "source"}
    )
    scene = make_scene(store, process)
    ref = scene.deal()
    scene.later(ref, "proposal")
    scene.run()
    scene.later(ref, source="wrong stage")
    scene.run()
    scene.later(ref, "prospecting")
    scene.later(ref, source=None)
    scene.run()

    assert [] == [finding.rule for finding in scene.findings()]
    assert [((ref.id,), ("source",))] == [asked[:2] for asked in scene.asking.asked]
    assert Kind.DEAL is ref.kind


def test_what_was_told_before_a_refusal_is_kept(scene: Scene) -> None:
    """An answer that refuses the rest does not take back what it said of the first."""
    refs = [scene.deal(source="web") for _ in range(2)]
    for ref in refs:
        scene.later(ref, source="fair")
        scene.later(ref, "proposal")
        scene.later(ref, source=None)

    def first_only(deals: Sequence[Record], course: Course) -> Course:
        if course.deal != deals[0].ref:
            raise RefusedError("the user may not see histories")
        return course

    scene.asking.answer = first_only
    scene.run()
    told = scene.bench.workspace.store.courses.of(refs)

    assert ["the user may not see histories", ""] == [told[ref]["source"].why for ref in refs]
    assert [refs[0]] == [finding.deal for finding in scene.findings()]
