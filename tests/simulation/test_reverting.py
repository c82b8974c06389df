"""What the oracle says of moves that are taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Change, FieldEdit, Origin, Plan
from crmbridge.model.records import Position, Status
from crmbridge.testing.factories import make_change
from crmbridge.testing.simulation.fakes import STAGES, sights_of
from crmbridge.testing.simulation.oracle import Oracle
from crmbridge.testing.simulation.witness import Witness
from crmbridge.testing.workspaces import MONDAY, make_bench

CALM = Plan(id="calm", made_at=MONDAY, settings="", changes=())


class Deal:
    """A deal in one CRM, which people move and crmbridge moves back."""

    def __init__(self) -> None:
        self.bench = make_bench(parts={"north": (0, 0)})
        self.crm = self.bench.crms["north"]
        self.ref = self.crm.create_deal("Rollout", stage="qualification")
        store, entry = self.bench.workspace.store, make_bench().workspace.project.settings.sync[0]
        self.seen = Witness(self.bench.crms, sights_of(self.bench), lambda: store, entry)
        self.seen.stages = STAGES
        self.reverts = Oracle(self.seen).reverts
        self.reverts.rules = frozenset({"move"})

    def move(self, stage: str) -> None:
        """Let a person move it."""
        self.bench.clock.advance(timedelta(minutes=1))
        before = self.seen.value(self.ref, STAGE)
        self.crm.move_deal(self.ref.id, stage)
        self.seen.edited(self.ref, STAGE, before)

    def back(self, before: str, after: str, number: int = 1) -> Change:
        """Make what moves it back."""
        return make_change(
            number,
            target=self.ref,
            origin=Origin.ENFORCE,
            edits=(FieldEdit(STAGE, before, after),),
            position=Position("sales", after, Status.OPEN),
        )

    def take_back(self, before: str, after: str, number: int = 1) -> None:
        """Move it back as a run does."""
        change = self.back(before, after, number)
        journal = self.bench.workspace.store.journal
        journal.intend("run", [change], MONDAY)
        self.reverts.check(change)
        journal.settle("run", [self.crm.carry_out(change)], {}, MONDAY)
        self.reverts.note()


@pytest.fixture
def deal() -> Deal:
    """Give one that stands in its first stage."""
    return Deal()


def test_a_move_past_a_stage_is_nobodys_once_it_was_taken_back(deal: Deal) -> None:
    """What was before it stands."""
    deal.move("closing")
    deal.take_back("closing", "qualification")
    deal.reverts.judge(CALM)

    assert ["qualification"] == [edit.value for edit in deal.seen.edits if edit.name == STAGE]


def test_a_move_that_the_process_allows_is_not_to_be_taken_back(deal: Deal) -> None:
    """One step on is one."""
    deal.move("proposal")

    with pytest.raises(AssertionError, match=r"P7: .* and the process allows what people did"):
        deal.take_back("proposal", "qualification")


def test_nothing_is_to_be_taken_back_where_nobody_asks_for_it(deal: Deal) -> None:
    """Whatever the process says of the move."""
    deal.reverts.rules = frozenset()
    deal.move("closing")

    with pytest.raises(AssertionError, match=r"P7: .* nobody asked for that"):
        deal.take_back("closing", "qualification")


def test_a_later_move_is_not_to_be_written_over(deal: Deal) -> None:
    """Somebody moved the deal on after the plan was made."""
    deal.move("closing")
    deal.move("proposal")

    with pytest.raises(AssertionError, match=r"P1: .* and stood in proposal by then"):
        deal.take_back("closing", "qualification")


def test_a_deal_is_moved_back_from_a_stage_once(deal: Deal) -> None:
    """Who moves it there again is asked, and not fought."""
    deal.move("closing")
    deal.take_back("closing", "qualification")
    deal.move("closing")
    deal.reverts.judge(CALM)

    with pytest.raises(AssertionError, match=r"P7: .* once more"):
        deal.take_back("closing", "qualification", 2)


def test_a_move_that_the_process_forbids_is_not_to_stand(deal: Deal) -> None:
    """It is taken back, or a person is told."""
    deal.move("closing")

    with pytest.raises(AssertionError, match=r"P7: .* where the process let nobody move it"):
        deal.reverts.judge(CALM)
