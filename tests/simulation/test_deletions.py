"""What the oracle says where a deal was deleted, and its counterpart is still there though the settings say archive."""

from __future__ import annotations

import pytest
from tests.unit.services.able import able_bench

from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome, Plan
from crmbridge.model.records import Kind
from crmbridge.model.values import Value
from crmbridge.testing.factories import make_change, make_receipt
from crmbridge.testing.simulation.counterparts import judge_counterparts
from crmbridge.testing.simulation.fakes import sights_of
from crmbridge.testing.simulation.left_out import LeftOut
from crmbridge.testing.simulation.sources import check_archive
from crmbridge.testing.simulation.witness import Agreed, Witness
from crmbridge.testing.workspaces import MONDAY

FIELD = "bant.budget"
UNNAMED = LeftOut(fields=frozenset({("north", FIELD), ("south", FIELD)}))
NOTHING = Plan(id="calm", made_at=MONDAY, settings="", changes=())
LINK = "lnk1"


class Deals:
    """Two deals that are linked and hold the same, of which one goes; `seen` saw it all."""

    def __init__(self, value: Value) -> None:
        bench = able_bench()
        entry = bench.workspace.project.settings.sync[0].model_copy(update={"delete": "archive"})
        self.crms = bench.crms
        self.links, self.journal = bench.workspace.store.links, bench.workspace.store.journal
        self.refs = [crm.create_deal("Rollout", stage="won", **{FIELD: value}) for crm in self.crms.values()]
        self.links.save({LINK: self.refs})
        self.seen = Witness(self.crms, sights_of(bench), lambda: bench.workspace.store, entry)

    def run(self, left_out: LeftOut) -> None:
        """Look at all deals, with settings that leave this out."""
        self.seen.left_out = left_out
        for name in self.crms:
            self.seen.looks(name, Kind.DEAL)
        self.seen.links()
        self.seen.goes_on()
        self.seen.begins.append(self.seen.count)

    def write(self, value: Value, outcome: Outcome, number: int = 1, *, arrives: bool = True) -> None:
        """Let somebody edit the second one, and send that to the first one, where it arrives or not."""
        before = self.seen.value(self.refs[0], FIELD)
        for ref in self.refs if arrives else self.refs[1:]:
            self.crms[ref.connection].edit_deal(ref.id, **{FIELD.replace(".", "__"): value})
        self.seen.edited(self.refs[1], FIELD, before)
        edit = FieldEdit(FIELD, before, value)
        change = make_change(number, target=self.refs[0], link=LINK, edits=(edit,))
        self.seen.began = self.seen.count
        self.journal.intend("run", [change], MONDAY)
        self.seen.sends(change)
        self.journal.settle("run", [make_receipt(change.id, outcome=outcome, ref=None)], {}, MONDAY)
        self.seen.look_again()

    def delete(self) -> None:
        """Let somebody delete the first one."""
        self.seen.deleted(self.refs[0])
        self.crms["north"].delete_deal(self.refs[0].id)

    def archive(self) -> Change:
        """Make what takes the second one away."""
        return make_change(9, connection="south", target=self.refs[1], link=LINK, action=Action.ARCHIVE, edits=())

    def judge(self) -> None:
        """Let the oracle judge."""
        self.seen.left_out = LeftOut()
        judge_counterparts(self.seen, NOTHING)


def test_a_counterpart_may_stay_that_holds_what_nobody_could_read_in_the_deal_that_is_gone() -> None:
    """The field was named after the deletion, so nobody knows that both held the same."""
    deals = Deals("one")
    deals.run(UNNAMED)
    deals.delete()
    deals.links.save({LINK: deals.refs[1:]})
    deals.run(LeftOut())

    deals.judge()


@pytest.mark.parametrize(
    ("value", "before", "after"),
    [
        ("one", LeftOut(), LeftOut()),  # both were read
        (None, UNNAMED, LeftOut()),  # the counterpart holds nothing that could differ
        ("one", UNNAMED, UNNAMED),  # nobody asked for the field when the link went on
    ],
)
def test_any_other_counterpart_may_not(value: Value, before: LeftOut, after: LeftOut) -> None:
    """Whatever the field is named for later."""
    deals = Deals(value)
    deals.run(before)
    deals.delete()
    deals.links.save({LINK: deals.refs[1:]})
    deals.run(after)

    with pytest.raises(AssertionError, match="P1: lnk1 was deleted in one CRM"):
        deals.judge()


def test_a_link_that_has_not_gone_on_is_not_excused() -> None:
    """Somebody saw the deletion, and nothing was made of it."""
    deals = Deals("one")
    deals.run(UNNAMED)
    deals.delete()
    deals.run(LeftOut())

    with pytest.raises(AssertionError, match="P1: lnk1 was deleted in one CRM"):
        deals.judge()


def test_a_counterpart_may_stay_that_holds_what_nobody_knew_to_have_arrived() -> None:
    """The answer to the write was lost, and the deal was gone before anybody could look."""
    deals = Deals("one")
    deals.run(LeftOut())
    deals.write("two", Outcome.UNKNOWN)
    deals.run(LeftOut())
    deals.delete()
    deals.run(LeftOut())

    deals.judge()


def test_what_was_known_to_have_arrived_is_not_excused() -> None:
    """It was written once more, or what was edited later was."""
    deals = Deals("one")
    deals.run(LeftOut())
    deals.write("two", Outcome.UNKNOWN)
    deals.write("three", Outcome.APPLIED, 2)
    deals.run(LeftOut())
    deals.delete()
    deals.run(LeftOut())

    with pytest.raises(AssertionError, match="P1: lnk1 was deleted in one CRM"):
        deals.judge()


def test_an_edit_that_all_had_before_the_deletion_is_not_excused() -> None:
    """A run came to rest with it while another field was left out, so that it did not see all that people did."""
    deals = Deals("one")
    deals.run(LeftOut())
    deals.write("two", Outcome.APPLIED)
    deals.seen.agreed[LINK, FIELD] = Agreed(deals.seen.count, "two", tuple(deals.refs))
    deals.delete()

    with pytest.raises(AssertionError, match="P1: lnk1 was deleted in one CRM"):
        deals.judge()


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN])
def test_an_edit_that_did_not_arrive_is_not_to_be_lost_by_a_deletion(outcome: Outcome) -> None:
    """The run that saw it came to its end, and the deal went before the next one."""
    deals = Deals("one")
    deals.write("two", outcome, arrives=False)
    deals.run(LeftOut())
    deals.delete()

    with pytest.raises(AssertionError, match="is lost by a deletion"):
        check_archive(deals.seen, deals.archive())


@pytest.mark.parametrize("outcome", [Outcome.APPLIED, Outcome.UNKNOWN])
def test_one_that_arrived_may_go_with_it(outcome: Outcome) -> None:
    """Whoever deleted the deal had it before them."""
    deals = Deals("one")
    deals.write("two", outcome)
    deals.run(LeftOut())
    deals.delete()

    check_archive(deals.seen, deals.archive())


def moved_into_the_process() -> Deals:
    """Two deals that stood in no stage of the process, of which somebody moves the second one."""
    deals = Deals("one")
    for ref in deals.refs:
        deals.crms[ref.connection].move_deal(ref.id, "prospecting")
    deals.run(LeftOut())
    deals.crms["south"].move_deal(deals.refs[1].id, "closing")
    deals.seen.edited(deals.refs[1], STAGE)
    return deals


def test_a_move_into_the_process_is_not_to_be_lost_by_a_deletion() -> None:
    """The deal that went can't have held the same."""
    deals = moved_into_the_process()
    deals.delete()
    deals.seen.began = deals.seen.count

    with pytest.raises(AssertionError, match="is lost by a deletion"):
        check_archive(deals.seen, deals.archive())


def test_a_deal_that_was_moved_into_the_process_may_stay() -> None:
    """A run saw that, and could not agree on it, before the other deal went."""
    deals = moved_into_the_process()
    deals.run(LeftOut())
    deals.delete()
    deals.run(LeftOut())

    deals.judge()
