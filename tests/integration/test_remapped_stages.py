"""A stage map that is changed: a CRM's stage gets another meaning, and a deal that stands there has not moved."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.unit.services.able import able_bench

from crmbridge.model.changes import Cause, Change
from crmbridge.model.records import Kind, Ref
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.services.sync.remapped_stages import MEANINGS
from crmbridge.settings import Settings

NAMES = ("north", "south")
POLICIES = ("newest", "ask", "prefer: north", "prefer: south", "only_if_empty")


class World:
    """Two CRMs with one deal, which a first run linked."""

    def __init__(self, policy: str = "newest", direction: str = "both", stage: str = "qualification") -> None:
        how = {"conflict": policy, "direction": direction}
        entry = {"name": "main", "between": NAMES, "create": NAMES, "fields": {"*": how}}
        self.bench = able_bench(NAMES, sync=[entry])
        self.usual = self.bench.workspace.project.settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if stage:
            self.bench.crms["north"].create_deal("Rollout", stage=stage)
        self.run()

    def map(self, name: str, stages: Mapping[str, str | list[str]], *, without: str = "") -> None:
        """Let the stages of a CRM stand for others; all else of the settings is as at first."""
        usual = self.usual["stages"]
        there = {k: v for k, v in {**usual[name]["map"], **stages}.items() if k != without}
        settings = {**self.usual, "stages": {**usual, name: {**usual[name], "map": there}}}
        self.bench = self.bench.again(Settings.model_validate(settings))

    def swap(self, name: str, one: str, other: str) -> None:
        """Let two stages of a CRM change places."""
        self.map(name, {one: other, other: one})

    def run(self) -> Cycle:
        """Run one cycle."""
        with writing(self.bench.workspace, "run") as name:
            cycle = run_cycle(self.bench.workspace, name)
            finish(self.bench.workspace, name, "run", cycle.exit_code(), cycle.summary())
        self.bench.clock.sleep(600)
        return cycle

    def changes(self) -> tuple[Change, ...]:
        """Run one cycle, and give what it wrote."""
        plan = self.run().plan
        return plan.changes if plan else ()

    def move(self, name: str, native: str) -> None:
        """Let a person move the deal of a CRM."""
        (deal,) = self.bench.crms[name].deal_ids()
        self.bench.crms[name].move_deal(deal, native)
        self.bench.clock.sleep(600)

    def where(self) -> list[str]:
        """Give the CRMs' own stages in which the deal stands."""
        crms = [self.bench.crms[name] for name in NAMES]
        positions = [crm.deal(native).position for crm in crms for native in crm.deal_ids()]
        return [position.stage for position in positions if position]


@pytest.mark.parametrize("direction", ["both", "from: north", "from: south"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", NAMES)
def test_a_stage_that_means_something_else_moves_no_deal(name: str, policy: str, direction: str) -> None:
    """Whoever may write, and whoever wins."""
    world = World(policy, direction)
    world.swap(name, "qualification", "proposal")
    cycle = world.run()

    assert () == (cycle.plan.changes if cycle.plan else None)
    assert () == world.changes()
    assert ["qualification", "qualification"] == world.where()


def test_what_a_stage_meant_is_known_also_where_no_deal_was_there_yet() -> None:
    """The first run found nothing; the deal came under the same settings."""
    world = World(stage="")
    world.bench.crms["north"].create_deal("Rollout", stage="qualification")
    world.run()
    world.swap("north", "qualification", "proposal")

    assert ((), ["qualification", "qualification"]) == (world.changes(), world.where())


def test_sides_that_mean_different_stages_stay_so_until_somebody_moves_one() -> None:
    """Then the other one follows, to what is meant by it there."""
    world = World()
    world.swap("north", "qualification", "proposal")
    world.run()
    world.move("south", "proposal")  # which in the north is called qualification: there it stands already
    first = world.changes()
    world.move("north", "proposal")
    world.run()

    assert () == first
    assert ["proposal", "qualification"] == world.where()


def test_a_move_that_was_not_seen_yet_goes_to_the_others_as_it_is_meant_now() -> None:
    """Somebody made it before the settings were changed."""
    world = World()
    world.move("north", "closing")
    world.swap("north", "closing", "proposal")
    world.run()

    assert ["closing", "proposal"] == world.where()


def test_a_move_that_the_process_forbids_by_what_it_means_now_is_not_followed() -> None:
    """A person is told of it, as of any other."""
    world = World()
    world.move("north", "proposal")
    world.swap("north", "proposal", "closing")
    cycle = world.run()

    assert ["proposal", "qualification"] == world.where()
    assert [Cause.MOVE] == [item.cause for item in cycle.plan.blocked] if cycle.plan else False


def test_a_move_of_the_other_side_is_followed() -> None:
    """Though what it stands beside got another meaning meanwhile."""
    world = World()
    world.swap("north", "qualification", "closing")
    world.move("south", "proposal")
    world.run()

    assert ["proposal", "proposal"] == world.where()


def test_what_changes_its_meaning_by_way_of_none_moves_no_deal() -> None:
    """The stage has no counterpart for a while, and then another one."""
    world = World()
    world.map("north", {}, without="qualification")
    world.run()
    world.map("north", {"proposal": ["proposal", "qualification"]}, without="qualification")

    assert ((), ["qualification", "qualification"]) == (world.changes(), world.where())


def test_what_means_the_same_again_is_in_step_again() -> None:
    """Nobody moved a deal meanwhile, and the next move is followed as ever."""
    world = World()
    world.swap("north", "qualification", "proposal")
    world.run()
    world.map("north", {})
    changes = world.changes()
    world.move("north", "proposal")
    world.run()

    assert () == changes
    assert ["proposal", "proposal"] == world.where()


def test_stages_that_get_another_meaning_everywhere_are_in_step() -> None:
    """All sides mean the same still, and that is what was agreed on."""
    world = World()
    usual = world.usual["stages"]
    swapped = {**usual["north"]["map"], "qualification": "proposal", "proposal": "qualification"}
    settings = {**world.usual, "stages": {name: {**usual[name], "map": swapped} for name in NAMES}}
    world.bench = world.bench.again(Settings.model_validate(settings))
    changes = world.changes()
    bases = world.bench.workspace.store.links.bases()

    assert () == changes
    assert ["proposal"] * 3 == [base["stage"] for base in bases.values() if "stage" in base]


def test_a_write_that_is_still_to_be_made_is_made() -> None:
    """The other CRM did not take the move; it still counts, as what it means now."""
    world = World(stage="closing")
    world.move("north", "proposal")
    world.bench.crms["south"].faults.append("refuse")
    world.run()
    failed = world.where()
    world.swap("north", "proposal", "qualification")
    world.run()

    assert ["proposal", "closing"] == failed
    assert ["proposal", "qualification"] == world.where()


@pytest.mark.parametrize("fault", ["refuse", "drop_before"])
@pytest.mark.parametrize("policy", ["newest", "ask", "prefer: north", "prefer: south"])
def test_a_write_that_is_still_to_be_made_is_made_where_a_stage_means_something_else(policy: str, fault: str) -> None:
    """The deal that did not take the move has not moved for it, and wins over nobody."""
    world = World(policy)
    world.move("south", "proposal")
    world.bench.crms["north"].faults.append(fault)
    world.run()
    failed = world.where()
    world.swap("north", "qualification", "closing")
    world.run()

    assert ["qualification", "proposal"] == failed
    assert ["proposal", "proposal"] == world.where()
    assert () == world.changes()


def test_what_a_stage_means_is_remembered_from_the_first_run_of_this_crmbridge_on() -> None:
    """Also where an earlier one, which remembered nothing, had seen these settings and dealt with all deals."""
    world = World()
    places = [Ref(name, Kind.DEAL, MEANINGS) for name in NAMES]
    world.bench.workspace.store.links.save_bases({place: {MEANINGS: None} for place in places})
    world.run()
    world.swap("south", "qualification", "proposal")

    assert () == world.changes()
    assert ["qualification", "qualification"] == world.where()


@pytest.mark.parametrize("closed", ["won", "lost"])
@pytest.mark.parametrize("name", NAMES)
def test_a_stage_that_counts_as_closed_by_now_closes_no_deal_elsewhere(name: str, closed: str) -> None:
    """Nobody has won or lost the deals that stand there; where one is moved to from there, it goes everywhere."""
    world = World(stage="proposal")
    world.map(name, {closed: ["proposal", closed]}, without="proposal")
    changes = world.changes()
    world.move(name, "qualification")
    world.run()

    assert () == changes
    assert ["qualification", "qualification"] == world.where()


def waiting(world: World) -> list[tuple[Cause, str, dict[str, object]]]:
    """Give what waits for a person."""
    found = (one.item for one in world.bench.workspace.store.waiting.all())
    return [(item.cause, item.name, dict(item.values)) for item in found]


@pytest.mark.parametrize("policy", ["newest", "ask", "prefer: north"])
def test_stages_that_differ_since_a_map_was_changed_wait_for_a_move(policy: str) -> None:
    """Both are named, from the first run on, until somebody moves the deal in one of the CRMs."""
    world = World(policy)
    world.swap("north", "qualification", "closing")
    first = world.run()
    listed = waiting(world)
    again = world.run()
    still = waiting(world)
    world.move("south", "proposal")
    moved = world.run()

    assert [(Cause.APART, "stage", {"north": "closing", "south": "qualification"})] == listed == still
    assert (7, 7, 0) == (first.exit_code(), again.exit_code(), moved.exit_code())
    assert [] == waiting(world)
    assert ["proposal", "proposal"] == world.where()


def test_stages_that_mean_the_same_again_wait_no_more() -> None:
    """Somebody put the map back."""
    world = World()
    world.swap("north", "qualification", "proposal")
    world.run()
    world.map("north", {})

    assert (0, []) == (world.run().exit_code(), waiting(world))


def test_a_move_to_where_the_other_stands_ends_the_wait() -> None:
    """Nothing is left to be written."""
    world = World()
    world.swap("north", "qualification", "proposal")
    world.run()
    world.move("north", "proposal")

    assert ((), []) == (world.changes(), waiting(world))


def test_stages_that_nobody_expects_to_be_the_same_wait_for_nobody() -> None:
    """By the policy of the field they may differ in any case."""
    world = World("only_if_empty")
    world.swap("north", "qualification", "proposal")

    assert (0, []) == (world.run().exit_code(), waiting(world))


def test_a_move_that_is_forbidden_waits_as_that_alone() -> None:
    """The stages differ as well, but one thing is to be done about it."""
    world = World()
    world.swap("north", "qualification", "proposal")
    world.run()
    world.move("south", "closing")
    world.run()

    assert [Cause.MOVE] == [cause for cause, *_ in waiting(world)]
