"""The last move is read off the visits and measured against the process."""

from datetime import timedelta
from typing import Any

import pytest

from crmbridge.engine.deals.moves import Illegal, LastMove, last_move, why_forbidden
from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.mapping import stage_mapper
from crmbridge.model.process import Process
from crmbridge.testing.factories import NOON, make_deal, make_moves, make_process, make_settings, make_stage


def came(*stages: str, process: Process | None = None, **moves: bool) -> LastMove | None:
    """Take a deal through stages, one a day, and give its last move; keyword arguments are the process's `moves`."""
    process = process or make_process(moves=moves)
    mapper = stage_mapper("north", process, make_settings().stages["north"])
    steps = [(NOON + timedelta(days=day), stage) for day, stage in enumerate(stages)]
    deal = make_deal(stage=stages[-1])
    return last_move(visits_of(deal, make_moves(*steps), mapper), mapper.place(deal.position), process)


def left_behind(move: LastMove | None) -> list[str]:
    """Name the stages that a move left behind."""
    assert move is not None
    return [stage.id for stage in move.left_behind]


def illegal(move: LastMove | None) -> Illegal | None:
    """Give what is wrong with a move."""
    assert move is not None
    return move.illegal


@pytest.mark.parametrize(
    "stages",
    [["qualification"], ["lost"], ["qualification", "lost"], ["qualification", "elsewhere"], ["lost", "proposal"]],
)
def test_without_two_known_stages_there_is_no_move(stages: list[str]) -> None:
    """A new deal, a lost one and one in an unknown stage have none."""
    assert None is came(*stages)


def test_one_step_forward_leaves_one_stage_behind() -> None:
    """It is legal, and its time is that of arriving."""
    move = came("qualification", "proposal")

    assert move is not None
    assert (True, True, False, None) == (move.forward, move.direct, move.reopened, move.illegal)
    assert ("qualification", "proposal") == (move.source.stage, move.target and move.target.stage)
    assert NOON + timedelta(days=1) == move.at
    assert ["qualification"] == left_behind(move)


def test_skipping_leaves_the_skipped_stages_behind_too() -> None:
    """It is illegal unless the process allows it."""
    assert ["qualification", "proposal"] == left_behind(came("qualification", "closing"))
    assert Illegal.SKIPPED is illegal(came("qualification", "closing"))
    assert None is illegal(came("qualification", "closing", skip=True))


@pytest.mark.parametrize(
    ("stages", "moves", "words"),
    [
        (["qualification", "closing"], {}, "qualification to closing: the process allows no stage to be skipped"),
        (["closing", "proposal"], {"back": False}, "closing to proposal: the process allows no way back"),
        (["closing", "won", "proposal"], {"reopen": False}, "care to proposal: the process lets nothing be opened"),
        (["proposal", "lost", "proposal"], {"reopen": False}, "lost to proposal: the process lets nothing be opened"),
        (["proposal", "elsewhere", "care"], {}, "proposal to care: the process allows no stage to be skipped"),
        (["qualification", "proposal"], {}, ""),
    ],
)
def test_a_forbidden_move_is_named_as_it_was_made(stages: list[str], moves: dict[str, bool], words: str) -> None:
    """From where to where the deal went; where others that are linked to it stand is another matter."""
    why = why_forbidden(came(*stages, **moves))

    assert (words, bool(words)) == (why[: len(words)], bool(why))


def test_winning_is_a_move_like_any_other() -> None:
    """Won from the last open stage is legal, from an earlier one it skips."""
    assert None is illegal(came("closing", "won"))
    assert Illegal.SKIPPED is illegal(came("proposal", "care"))
    assert ["proposal", "closing"] == left_behind(came("proposal", "won"))


def test_winning_without_a_won_stage_leaves_the_last_stages_behind() -> None:
    """The deal then stands in no stage."""
    process = make_process(stages=[make_stage("qualification"), make_stage("closing")])
    legal, skipped = came("closing", "won", process=process), came("qualification", "won", process=process)

    assert (["closing"], None) == (left_behind(legal), illegal(legal))
    assert (["qualification", "closing"], None) == (left_behind(skipped), skipped and skipped.target)
    assert Illegal.SKIPPED is illegal(skipped)
    assert NOON + timedelta(days=1) == (legal and legal.at)


def branching() -> Process:
    """Make a process where a deal may go from qualification straight to closing, which then leads nowhere new."""
    return make_process(
        stages=[
            make_stage("qualification", next=["proposal", "closing"]),
            make_stage("proposal", next=["care"]),
            make_stage("closing"),
            make_stage("care", status="won"),
        ]
    )


def test_next_says_where_a_deal_may_go() -> None:
    """A stage that `next` leads past is not left behind; one that it doesn't lead to may not be entered."""
    past, beside = (
        came("qualification", "closing", process=branching()),
        came("proposal", "closing", process=branching()),
    )

    assert (["qualification"], None) == (left_behind(past), illegal(past))
    assert (["proposal"], Illegal.SKIPPED) == (left_behind(beside), illegal(beside))
    assert ["proposal"] == left_behind(came("proposal", "care", process=branching()))


def test_going_back_leaves_nothing_behind() -> None:
    """It is legal unless the process forbids it; taking back the last move always is."""
    back = came("qualification", "proposal", "closing", "qualification", back=False)

    assert ([], Illegal.WENT_BACK) == (left_behind(back), illegal(back))
    assert None is illegal(came("qualification", "proposal", "closing", "qualification"))
    assert None is illegal(came("qualification", "proposal", "qualification", back=False))
    assert Illegal.WENT_BACK is illegal(came("proposal", "qualification", back=False))


def test_going_back_where_next_leads_back_is_legal_and_leaves_nothing_behind() -> None:
    """A stage may name an earlier one, whatever `moves` says."""
    stages = [make_stage("qualification"), make_stage("proposal", next=["qualification", "closing"])]
    process = make_process(stages=[*stages, make_stage("closing")], moves={"back": False})
    back = came("proposal", "qualification", process=process)

    assert ([], None) == (left_behind(back), illegal(back))


@pytest.mark.parametrize(
    "stages",
    [
        ["closing", "lost", "closing"],
        ["closing", "lost", "proposal"],
        ["closing", "won", "closing"],
        ["qualification", "lost", "proposal"],
    ],
)
def test_reopening_is_legal_unless_forbidden(stages: list[str]) -> None:
    """From lost and from won, to the same stage and to another."""
    allowed, forbidden = came(*stages, back=False), came(*stages, reopen=False)

    assert allowed is not None
    assert (True, None) == (allowed.reopened, allowed.illegal)
    assert Illegal.REOPENED is illegal(forbidden)


def test_reopening_without_a_won_stage_is_seen() -> None:
    """The deal comes from a place without a stage."""
    process = make_process(stages=[make_stage("qualification"), make_stage("closing")], moves={"reopen": False})

    assert Illegal.REOPENED is illegal(came("closing", "won", "closing", process=process))


def test_an_unknown_stage_on_the_way_hides_nothing() -> None:
    """The move is from the stage before it to the stage after it, but not direct."""
    move = came("qualification", "elsewhere", "closing")

    assert move is not None
    assert (False, ["qualification", "proposal"]) == (move.direct, left_behind(move))
    assert Illegal.SKIPPED is move.illegal


def test_a_loop_in_next_comes_to_an_end() -> None:
    """Where `next` never leads to the target, the file's order says what lies between."""
    stages: list[dict[str, Any]] = [
        make_stage("qualification", next=["proposal"]),
        make_stage("proposal", next=["qualification"]),
        make_stage("closing"),
    ]

    assert ["qualification", "proposal"] == left_behind(
        came("qualification", "closing", process=make_process(stages=stages))
    )
