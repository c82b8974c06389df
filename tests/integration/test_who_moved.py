"""Who moved a deal is whoever did it first: a linked deal that follows is moved by us, in somebody's name."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crmbridge.model.findings import FindingKind
from crmbridge.model.records import Kind, Position, Ref
from crmbridge.model.replacing import replace
from crmbridge.services.by_hand.resolving import give, resolve, take
from crmbridge.services.enforce.evaluating import evaluate_all
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.factories import make_process
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import Bench, make_bench

from .two_way import crm, entry, run

MINUTE = timedelta(minutes=1)


class NamingCrm(FakeCrm):
    """Says who made a move; what comes through its API is done in the name of one user."""

    hand = "robot"

    def note_move(self, ref: Ref, before: Position | None, after: Position, when: datetime) -> None:
        super().note_move(ref, before, after, when)
        self.moves[ref][-1] = replace(self.moves[ref][-1], by=self.hand)


def linked_deals() -> Bench:
    """Make a deal in two CRMs that have the same people, of whom only Ann may move deals into proposal."""
    bench = make_bench(process=make_process(moves={"who": {"proposal": ["ann@example.com"]}}), **entry())
    people(bench)
    crm(bench, "north").create_deal("Rollout", stage="qualification")
    run(bench)
    return bench


def people(bench: Bench) -> None:
    """Let both CRMs have the same people, and say which of them moves deals."""
    for each in bench.crms.values():
        each.__class__ = NamingCrm
        each.able = True
        for name in ("ann", "bob", "robot"):
            each.put(Kind.USER, name, {"name": name, "email": f"{name}@example.com"})


def pulled(bench: Bench) -> Bench:
    """Read what people did, and write nothing."""
    pull(bench.workspace)
    return bench


def move(bench: Bench, person: str, where: str, stage: str) -> None:
    """Let a person move the deal."""
    there = crm(bench, where)
    assert isinstance(there, NamingCrm)
    there.hand = person
    there.move_deal(there.deal_ids()[0], stage)
    there.hand = "robot"
    bench.clock.advance(MINUTE)


def accused(bench: Bench) -> list[str]:
    """Say of whom it is said that they made a move which they may not."""
    found = [finding for one in evaluate_all(bench.workspace) for finding in one.evaluation.findings]
    return [str(each.seen["moved_by"]) for each in found if each.kind is FindingKind.ILLEGAL_MOVE]


@pytest.mark.parametrize("where", ["north", "south"])
def test_a_move_that_we_carried_on_is_that_of_the_person_who_made_it(where: str) -> None:
    """In whichever CRM that was."""
    bench = linked_deals()
    move(bench, "ann", where, "proposal")
    for _ in range(3):
        run(bench)

    stands = [record.position.stage for each in bench.crms.values() for record in [each.deal(each.deal_ids()[0])]]
    assert ["proposal", "proposal"] == stands
    assert [] == accused(bench)


def test_a_move_of_ones_own_is_ones_own() -> None:
    """Also where a linked deal had come there before the last move, or comes there later."""
    bench = linked_deals()
    move(bench, "ann", "south", "proposal")
    run(bench)
    move(bench, "ann", "north", "qualification")
    run(bench)
    move(bench, "bob", "north", "proposal")
    run(bench)

    assert ["bob@example.com"] == accused(bench)


def test_who_makes_a_move_in_both_crms_is_asked_as_well() -> None:
    """It does not help to move the linked deal first."""
    bench = linked_deals()
    move(bench, "bob", "south", "proposal")
    move(bench, "bob", "north", "proposal")
    run(bench)

    assert ["bob@example.com"] == accused(bench)


def test_who_may_is_not_taken_for_whoever_moved_the_linked_deal_before() -> None:
    """What may not be carried on waits for a person who may make the move, and says so."""
    bench = linked_deals()
    move(bench, "bob", "south", "proposal")
    run(bench)
    move(bench, "ann", "north", "proposal")
    run(bench)

    assert [] == accused(bench)


def test_a_move_that_was_taken_back_excuses_no_later_one() -> None:
    """Who moves the deal there again is asked, in whichever CRM that is."""
    bench = linked_deals()
    move(bench, "ann", "south", "proposal")
    move(bench, "ann", "south", "qualification")
    move(bench, "bob", "north", "proposal")
    run(bench)

    assert ["bob@example.com"] == accused(bench)


@pytest.mark.parametrize("way", ["take", "give"])
def test_where_somebody_decided_that_a_deal_belongs_our_user_is_not_asked(way: str) -> None:
    """Who took a side took the move that was made there; who named another stage is known to nobody."""
    who = {"proposal": ["ann@example.com"]}
    bench = make_bench(
        process=make_process(moves={"skip": True, "who": who}),
        enforce=[{"rule": "*", "action": "audit"}, {"rule": "move", "action": "revert"}],
        **entry(fields={"*": {"conflict": "ask"}}),
    )
    people(bench)
    crm(bench, "north").create_deal("Rollout", stage="qualification")
    run(bench), run(bench)
    move(bench, "bob", "north", "closing")
    move(bench, "ann", "south", "proposal" if way == "take" else "lost")
    run(bench)
    (one,) = (each.item for each in bench.workspace.store.waiting.all())
    resolve(bench.workspace, [take(one, "south") if way == "take" else give(bench.workspace, one, "proposal")])
    for _ in range(3):
        run(bench)

    stands = [record.position.stage for each in bench.crms.values() for record in [each.deal(each.deal_ids()[0])]]
    assert ["proposal", "proposal"] == stands
    assert [] == accused(bench)
    move(bench, "bob", "north", "qualification")
    run(bench)
    move(bench, "bob", "north", "proposal")
    assert ["bob@example.com"] == accused(pulled(bench)), "a move of his own"
