"""A move is made by somebody who may, and one back for a reason that is written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.mapping import stage_mapper
from crmbridge.engine.rules.case import Beside
from crmbridge.model.findings import FindingKind
from crmbridge.model.records import Edit, Problem
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.settings import StageMap
from crmbridge.testing.factories import NOON, make_deal, make_moves, make_process, make_stage, make_subject, make_user

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)
USERS = (
    make_user("7", email="rita@example.com"),
    make_user("8", email="bo@example.com"),
    make_user("9", email=None),
)
STAFF = Beside(users=USERS, people={"leader": ["bo@example.com"]})


def journey(
    *stages: str, by: str | None = None, moves: dict[str, Any], fields: dict[str, Value] | None = None, **more: Any
) -> Subject:
    """Take Rita's deal through stages, one an hour, each move made by the same user; `moves` is of the process."""
    names = ("qualification", "proposal", "closing")
    process = make_process(
        moves=moves,
        fields=[{"id": "why", "name": "Why it went back"}],
        stages=[*(make_stage(name) for name in names), make_stage("care", status="won")],
    )
    made = make_moves(*((MONDAY + hour * HOUR, stage) for hour, stage in enumerate(stages)))
    deal = make_deal(stage=stages[-1], fields=fields, created_at=MONDAY, updated_at=MONDAY + 50 * HOUR)
    moved = [replace(move, by=by) for move in made]
    return make_subject(*moved, **{"deal": deal, "process": process, "beside": STAFF, **more})


def wrong(subject: Subject) -> list[str]:
    """Say what is wrong with the moves."""
    return [f.message for f in evaluate(subject, NOON).findings if f.kind is FindingKind.ILLEGAL_MOVE]


@pytest.mark.parametrize(
    ("by", "who", "count"),
    [
        ("8", ["leader"], 0),
        ("7", ["leader"], 1),
        ("7", ["leader", "owner"], 0),
        ("8", ["owner"], 1),
        ("7", ["rita@example.com"], 0),
        ("7", ["someone.else@example.com"], 1),
        (None, ["leader"], 0),  # the CRM does not say who it was
        ("9", ["leader"], 0),  # nor who that is
        ("7", ["finance"], 0),  # and nobody is listed
    ],
)
def test_a_move_is_made_by_somebody_who_may(by: str | None, who: list[str], count: int) -> None:
    """Where nobody can tell, nothing is said."""
    seen = [Edit(field="why", since=MONDAY, at=MONDAY + 9 * HOUR, before=None, after="Later")]
    moved = journey("qualification", "proposal", by=by, moves={"who": {"proposal": who}}, edits=seen)

    assert count == len(wrong(moved))


def test_whose_deal_it_was_must_be_known_to_say_that_it_was_anothers() -> None:
    """As it can't be read, or somebody else may have owned the deal when it was moved."""
    moved = journey("qualification", "proposal", by="8", moves={"who": {"proposal": ["owner"]}})
    seen = Edit(field="why", since=MONDAY, at=MONDAY + 9 * HOUR, before=None, after="Later")
    hidden = replace(moved.deal, fields={}, problems=(Problem("owner", "is hidden", "owner"),))

    assert [0, 1] == [len(wrong(replace(moved, edits=edits))) for edits in ([], [seen])]
    assert [] == wrong(replace(moved, deal=hidden, edits=[seen]))


def test_it_says_who_it_was_and_how_to_mend_it() -> None:
    """By their e-mail address."""
    subject = journey("qualification", "proposal", by="7", moves={"who": {"proposal": ["leader"]}})

    assert [
        (
            "The deal was moved on from Qualification by rita@example.com, which the process does not allow. "
            "It stands in Proposal since 2026-06-08 10:00 UTC. "
            "Somebody who may make this move has to: move it back to Qualification first."
        )
    ] == wrong(subject)


def test_what_is_wrong_with_the_way_comes_before_who_went_it() -> None:
    """Who makes the move after all has to mend that too."""
    (message,) = wrong(journey("qualification", "closing", by="7", moves={"who": {"closing": ["leader"]}}))

    assert message.startswith("The deal came from Qualification and skipped Proposal, ")


def test_who_moves_a_deal_on_within_a_stage_did_not_bring_it_there() -> None:
    """Two stages of the CRM stand for one of the process."""
    subject = journey("qualification", "proposal", "offer", moves={"who": {"proposal": ["leader"]}})
    natives = {"qualification": ["n_qualification"], "proposal": ["n_proposal", "n_offer"]}
    mapper = stage_mapper("north", subject.process, StageMap.model_validate({"pipeline": "sales", "map": natives}))
    made, came, within = subject.moves

    assert [0, 1] == [
        len(wrong(replace(subject, mapper=mapper, moves=(made, replace(came, by=first), replace(within, by=then)))))
        for first, then in (("8", "7"), ("7", "8"))
    ]


def test_moving_on_does_not_hide_who_moved_it_before() -> None:
    """The move into proposal counts while the deal is beyond; going back before it, or winning, ends that."""
    moves = {"who": {"proposal": ["leader"]}}

    (before,) = wrong(journey("qualification", "proposal", "closing", by="7", moves=moves))
    assert "It stood in Proposal since 2026-06-08 10:00 UTC." in before
    assert [] == wrong(journey("qualification", "proposal", "qualification", by="7", moves=moves))
    assert [] == wrong(journey("qualification", "proposal", "closing", "won", by="7", moves=moves))


def test_whoever_takes_a_move_back_may() -> None:
    """As we do ourselves, in the name of whoever we are signed in as. Who makes the move again is asked once more."""
    moves = {"who": {"qualification": ["leader"], "proposal": ["leader"]}}
    there_and_back = ("qualification", "proposal", "qualification")

    assert [] == wrong(journey(*there_and_back, by="7", moves=moves))
    assert 1 == len(wrong(journey("qualification", "proposal", "closing", "qualification", by="7", moves=moves)))
    assert 1 == len(wrong(journey(*there_and_back, "proposal", by="7", moves=moves)))


def test_who_may_win_a_deal_can_be_said_too() -> None:
    """By the stage where won deals stand."""
    moves = {"who": {"care": ["leader"]}}

    assert [1, 0] == [len(wrong(journey("closing", "won", by=by, moves=moves))) for by in ("7", "8")]


def test_users_that_are_not_pulled_say_nothing() -> None:
    """Nobody can tell who may."""
    moves = {"who": {"proposal": ["leader"]}}

    assert [] == wrong(journey("qualification", "proposal", by="7", moves=moves, beside=Beside()))


BACK = {"back": "with_reason", "reason": "why"}


def test_going_back_needs_a_reason() -> None:
    """In the field that the process names; taking back the last move needs none."""
    back = ("qualification", "proposal", "closing", "qualification")
    (message,) = wrong(journey(*back, moves=BACK))

    assert "The deal went back from Closing without a reason, which the process does not allow." in message
    assert message.endswith("Fill in: Why it went back.")
    assert [] == wrong(journey(*back, moves=BACK, fields={"why": "They merged"}))
    assert [] == wrong(journey("qualification", "proposal", "qualification", moves=BACK))
    assert [] == wrong(journey(*back, "proposal", moves=BACK))


def test_a_reason_that_was_there_at_the_move_is_enough() -> None:
    """Whatever became of it later."""
    gone = Edit(field="why", since=MONDAY + 3 * HOUR, at=MONDAY + 9 * HOUR, before="They merged", after=None)
    back = ("qualification", "proposal", "closing", "qualification")

    assert [] == wrong(journey(*back, moves=BACK, edits=[gone]))
    assert 1 == len(wrong(journey(*back, moves=BACK, edits=[replace(gone, since=MONDAY + 4 * HOUR)])))


def test_a_reason_that_can_not_be_read_is_not_missing() -> None:
    """Somebody may have written it down."""
    subject = journey("qualification", "proposal", "closing", "qualification", moves=BACK)
    hidden = replace(subject.deal, problems=(Problem("why_x", "is hidden", "why"),))

    assert [] == wrong(replace(subject, deal=hidden))


def test_a_last_move_that_follows_another_deals_took_no_way_of_its_own() -> None:
    """What it skipped is asked where it was made. By whom it was made, and those before it, is asked all the same."""
    skipping = journey("qualification", "closing", by="8", moves={})
    by_another = [
        journey("qualification", *stages, by="7", moves={"who": {"proposal": ["leader"]}})
        for stages in (("proposal",), ("proposal", "closing"))
    ]
    unmoved = journey("qualification", by="8", moves={})

    assert [1, 0] == [len(wrong(replace(skipping, follows=follows))) for follows in (False, True)]
    assert [1, 1] == [len(wrong(replace(moved, follows=True))) for moved in by_another]
    assert [] == wrong(replace(unmoved, follows=True))
