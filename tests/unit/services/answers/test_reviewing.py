"""Which steps are needed: what the history says, and when it says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Page
from crmbridge.services.answers.review import FEW, Effect, Review, Sample, Says
from crmbridge.services.answers.reviewing import review
from crmbridge.services.pull.pulling import pull
from crmbridge.store import open_store
from crmbridge.testing.factories import make_process, make_record, make_stage
from crmbridge.testing.workspaces import Bench, make_bench

DAY = timedelta(days=1)
CALL = {"type": "call", "done": True}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Give an empty CRM before a state in a file; qualification has one rule and an activity with an output."""
    stages = [
        make_stage(
            "qualification",
            exit=[
                {"id": "need", "check": {"required": ["bant.need"]}},
                {"id": "name", "check": {"required": ["name"]}},
                {"id": "lost", "check": {"required": ["lost_reason"]}},
            ],
            outputs=[{"id": "budget", "name": "Budget", "field": "bant.budget"}],
            activities=[{"id": "ask", "name": "Ask for money", "how": "Ask.", "outputs": ["budget"]}],
        ),
        make_stage("proposal"),
        make_stage("closing"),
        make_stage("care", status="won"),
    ]
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    yield make_bench(process=make_process(stages=stages), store=store, parts={"north": (0, 0)}, sync=[])
    store.close()


def deal(bench: Bench, *stages: str, **fields: object) -> Ref:
    """Create a deal and let it stay in each of these stages for a day."""
    crm = bench.crms["north"]
    ref = crm.create_deal("Deal", stage=stages[0], **fields)
    for stage in stages[1:]:
        bench.clock.advance(DAY)
        crm.move_deal(ref.id, stage)
    return ref


def deals(bench: Bench, count: int, *stages: str, **fields: object) -> None:
    for _ in range(count):
        deal(bench, *stages, **fields)


def reviewed(bench: Bench, *, days: int = 2000) -> Review:
    pull(bench.workspace)
    return review(bench.workspace, bench.clock.now() - days * DAY)


def effect(effects: tuple[Effect, ...], id_: str) -> Effect:
    (found,) = (one for one in effects if one.id == id_)
    return found


def test_skipped_stages_are_counted_of_those_gone_past(bench: Bench) -> None:
    """A stage that is still ahead was not skipped."""
    deal(bench, "qualification", "proposal", "closing")
    deal(bench, "qualification", "closing")
    deal(bench, "qualification")
    found = {one.stage: (one.passed, one.skipped) for one in reviewed(bench).skips}

    assert {"qualification": (2, 0), "proposal": (2, 1)} == found


def test_ways_there_and_back_are_counted(bench: Bench) -> None:
    """By how many deals, and how long they took."""
    deal(bench, "qualification", "proposal", "qualification", "proposal", "qualification")
    deal(bench, "qualification", "proposal", "qualification")
    found = {(one.first, one.second): (one.times, one.deals, one.median_days) for one in reviewed(bench).loops}

    assert {("qualification", "proposal"): (3, 2, 1.0), ("proposal", "qualification"): (1, 1, 1.0)} == found


def test_moves_that_are_not_allowed_are_counted_by_kind(bench: Bench) -> None:
    """Of all moves, also of deals that have gone on since."""
    deal(bench, "qualification", "closing", "qualification")
    deal(bench, "qualification", "closing", "lost")
    said = reviewed(bench)

    assert [("skipped", 2, 2)] == [(one.kind, one.moves, one.deals) for one in said.illegal]
    assert 3 == said.moves


def called(bench: Bench, *calls: tuple[Ref, timedelta]) -> None:
    """Pull done calls on deals, each made so long ago."""
    records: list[Record] = [
        make_record(
            Kind.ACTIVITY, n, fields={"type": "call", "done": True, "at": bench.clock.now() - ago, "deals": (ref.id,)}
        )
        for n, (ref, ago) in enumerate(calls)
    ]
    page = Page(records=tuple(records), cursor="c")
    bench.workspace.store.records.save_page("north", Kind.ACTIVITY, page, bench.clock.now())


def with_activities(bench: Bench) -> Bench:
    """Let the connection pull activities."""
    settings = bench.workspace.project.settings
    north = settings.connections["north"].model_copy(update={"kinds": ("activity",)})
    return bench.again(settings.model_copy(update={"connections": {"north": north}}))


def test_time_is_working_or_waiting(bench: Bench) -> None:
    """A day with a call is a working one; deals whose activities nobody pulled are counted apart."""
    unknown = reviewed(bench)
    ref = deal(bench, "qualification", "proposal", "qualification", "closing")
    bench = with_activities(bench)
    called(bench, (ref, 2.5 * DAY))
    said = reviewed(bench)
    found = {one.stage: (one.visits, one.working_days, one.waiting_days) for one in said.time}

    assert ((), 0) == (unknown.time, unknown.without_activities)
    assert {"qualification": (2, 1.0, 1.0), "proposal": (1, 0.0, 1.0)} == found
    assert 0 == said.without_activities


def test_rules_that_tell_nothing_apart_are_named_once_they_were_judged_often(bench: Bench) -> None:
    """One never fails, one always does, one does both; of too few nothing is said."""
    deals(bench, FEW - 1, "qualification", "proposal", **{"bant.need": "yes"})
    few = reviewed(bench)
    deal(bench, "qualification", "proposal")
    said = reviewed(bench)

    assert ((), 3) == (few.rules, few.rarely_judged)
    assert {"qualification.name": False, "qualification.lost": True} == {one.rule: one.always for one in said.rules}
    assert {FEW} == {one.judged for one in said.rules}


def test_an_activity_with_an_effect_on_winning_shows_it(bench: Bench) -> None:
    """Deals with its output are won, the others are lost; a stage that all were in tells nothing."""
    deals(bench, FEW, "qualification", "won", **{"bant.budget": "yes"})
    deals(bench, FEW, "qualification", "lost")
    said = reviewed(bench)
    asked, stage = effect(said.effects, "qualification.ask"), effect(said.stages, "qualification")

    assert 2 * FEW == said.closed
    assert (Sample(won=FEW, deals=FEW), Sample(won=0, deals=FEW)) == (asked.having, asked.lacking)
    assert Says.MORE is asked.says
    assert (Sample(won=FEW, deals=2 * FEW), Says.TOO_FEW) == (stage.having, stage.says)


def test_a_stage_that_makes_no_difference_is_said_to(bench: Bench) -> None:
    """Of deals that came past it, those that were in it are won no more often than those that skipped it."""
    for end in ("won", "lost"):
        deals(bench, FEW, "qualification", "proposal", "closing", end)
        deals(bench, FEW, "qualification", "closing", end)
    proposal = effect(reviewed(bench).stages, "proposal")

    assert (2 * FEW, 2 * FEW, Says.NO_DIFFERENCE) == (proposal.having.deals, proposal.lacking.deals, proposal.says)


def test_a_stage_is_not_held_against_deals_that_never_came_so_far(bench: Bench) -> None:
    """Else each stage would seem to win deals."""
    deals(bench, 3, "qualification", "lost")
    deals(bench, 2, "qualification", "proposal", "closing", "won")
    proposal = effect(reviewed(bench).stages, "proposal")

    assert (Sample(won=2, deals=2), Sample(won=0, deals=0)) == (proposal.having, proposal.lacking)


def test_calls_are_compared_over_deals_whose_activities_are_known(bench: Bench) -> None:
    """Those done after the end do not count."""
    won = [deal(bench, "qualification", "won") for _ in range(2)]
    lost = deal(bench, "qualification", "lost")
    bench = with_activities(bench)
    bench.clock.advance(10 * DAY)
    called(bench, (won[0], 12.5 * DAY), (lost, DAY))
    call = effect(reviewed(bench).effects, "call")

    assert (Sample(won=1, deals=1), Sample(won=1, deals=2)) == (call.having, call.lacking)


def test_what_ended_before_is_left_out(bench: Bench) -> None:
    """It tells of another process, perhaps."""
    deal(bench, "qualification", "won")
    bench.clock.advance(100 * DAY)
    deal(bench, "qualification", "lost")
    said = reviewed(bench, days=30)

    assert (1, 1, 0) == (said.deals, said.closed, said.moves)


@pytest.mark.parametrize(
    ("having", "lacking", "says"),
    [
        ((0, 0), (0, 0), Says.TOO_FEW),
        ((29, 29), (0, 500), Says.TOO_FEW),
        ((30, 30), (0, 30), Says.MORE),
        ((0, 30), (30, 30), Says.LESS),
        ((20, 40), (18, 40), Says.NO_DIFFERENCE),
        ((300, 1000), (250, 1000), Says.MORE),
        ((290, 1000), (270, 1000), Says.NO_DIFFERENCE),
    ],
)
def test_a_difference_is_one_when_its_interval_leaves_out_zero(
    having: tuple[int, int], lacking: tuple[int, int], says: Says
) -> None:
    """And when there are enough deals on both sides."""
    one = Effect(
        about="stage", id="x", name="X", having=Sample(won=having[0], deals=having[1]),
        lacking=Sample(won=lacking[0], deals=lacking[1]),
    )  # fmt: skip

    assert says is one.says


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """As in his paper of 1998 (Interval estimation for the difference, method 10): 56/70 beside 48/80."""
    one = Effect(about="stage", id="x", name="X", having=Sample(won=56, deals=70), lacking=Sample(won=48, deals=80))
    assert one.difference is not None

    assert ("0.0524", "0.3339") == (f"{one.difference.low:.4f}", f"{one.difference.high:.4f}")
