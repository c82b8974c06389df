"""Settings that change while people go on: what was left out comes back, and nothing is lost or written over unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from tests.unit.services.able import able_bench

from crmbridge.cli.waiting_view import waiting_lines
from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Page
from crmbridge.services.answers.explaining import explain
from crmbridge.services.by_hand.resolving import conflicts, give, resolve, take
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.settings import Settings
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import Bench

THREE = ("north", "south", "west")
FIELD = "bant.budget"  # which the settings name in each connection


class World:
    """Three CRMs with one deal, which a first run linked; `between` and `fields` say anew what is kept in step."""

    def __init__(
        self, policy: str = "newest", names: Sequence[str] = THREE, *, without: str = "", delete: str = "never"
    ) -> None:
        self.names = names
        self.policy = policy
        self.delete = delete
        self.bench = able_bench(names, sync=[self._entry(names)])
        self.usual = self.bench.workspace.project.settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
        self.bench.crms[names[0]].create_deal("Rollout", stage="qualification", **({} if without else {FIELD: "none"}))
        self.leave_out(without, *names)
        self.run()

    def _entry(self, names: Sequence[str]) -> dict[str, Any]:
        fields = {"*": {"conflict": self.policy}}
        return {"name": "main", "between": names, "create": names, "fields": fields, "delete": self.delete}

    def keep(self, *names: str, pulled: Sequence[str] | None = None) -> None:
        """Let the settings name these connections alone, or pull others beside them."""
        settings = dict(self.usual)
        for part in ("connections", "stages"):
            settings[part] = {name: settings[part][name] for name in pulled or names}
        self._go_on({**settings, "sync": [self._entry(names)] if len(names) > 1 else []})

    def leave_out(self, field: str, *names: str) -> None:
        """Let the settings leave a field out of these connections, and nothing else of any."""
        connections: Mapping[str, Any] = self.usual["connections"]
        less = {
            name: {**entry, "fields": {k: v for k, v in entry["fields"].items() if k != field or name not in names}}
            for name, entry in connections.items()
        }
        self._go_on({**self.usual, "connections": less})

    def bind(self, name: str, field: str, native: str, value: Value) -> None:
        """Let a field stand for another one of its CRM, which holds this and which nobody edits."""
        connections: Mapping[str, Any] = self.usual["connections"]
        entry = {**connections[name], "fields": {**connections[name]["fields"], field: native}}
        self._go_on({**self.usual, "connections": {**connections, name: entry}})
        crm, ref = self.bench.crms[name], self.ref(name)
        crm.records[ref] = replace(crm.records[ref], fields={**crm.records[ref].fields, field: value})

    def map_stage(self, name: str, stage: str, native: str) -> None:
        """Let a stage of the process stand for another one of a CRM."""
        stages: Mapping[str, Any] = self.usual["stages"]
        entry = {**stages[name], "map": {**stages[name]["map"], stage: native}}
        self._go_on({**self.usual, "stages": {**stages, name: entry}})

    def _go_on(self, settings: Mapping[str, Any]) -> None:
        self.bench: Bench = self.bench.again(Settings.model_validate(settings))

    def run(self) -> Cycle:
        """Run one cycle."""
        with writing(self.bench.workspace, "run") as name:
            cycle = run_cycle(self.bench.workspace, name)
            finish(self.bench.workspace, name, "run", cycle.exit_code(), cycle.summary())
        self.wait()
        return cycle

    def wait(self) -> None:
        """Let ten minutes pass."""
        self.bench.clock.sleep(600)

    def edit(self, name: str, value: Value, field: str = FIELD) -> None:
        """Let a person edit the deal of a CRM, and let some time pass."""
        self.bench.crms[name].edit_deal(self.ref(name).id, **{field.replace(".", "__"): value})
        self.wait()

    def ref(self, name: str) -> Ref:
        """Give the deal of a CRM."""
        (native,) = self.bench.crms[name].deal_ids()
        return self.bench.crms[name].deal(native).ref

    def held(self, field: str = FIELD) -> list[Value]:
        """Give what the CRMs hold, in their order."""
        return [self.bench.crms[name].deal(self.ref(name).id).fields.get(field) for name in self.names]


def _without(field: str, record: Record) -> Record:
    return replace(record, fields={name: value for name, value in record.fields.items() if name != field})


def _pull_without_the_field(
    adapter: FakeAdapter, kind: Kind, since: str | None, pull: Callable[..., Iterator[Page]] = FakeAdapter.pull
) -> Iterator[Page]:
    for page in pull(adapter, kind, since):
        yield replace(page, records=tuple(_without(FIELD, record) for record in page.records))


def test_a_connection_that_is_left_out_does_not_stop_the_others() -> None:
    """The links know its deals still; nobody can say anything of them, and the others are kept in step."""
    world = World()
    world.keep("north", "south")
    world.edit("north", "new")
    cycle = world.run()

    assert (0, ["new", "new", "none"]) == (cycle.exit_code(), world.held())
    assert explain(world.bench.workspace, str(world.ref("north").id)) is not None


@pytest.mark.parametrize("pulled", [THREE, ("north", "south")])
def test_a_connection_that_comes_back_gets_what_it_missed(pulled: Sequence[str]) -> None:
    """Nobody edited anything there meanwhile."""
    world = World("ask")
    world.keep("north", "south", pulled=pulled)
    world.edit("north", "new")
    world.run()
    world.keep(*THREE)

    assert (0, ["new"] * 3) == (world.run().exit_code(), world.held())


@pytest.mark.parametrize("pulled", [THREE, ("north", "south")])
@pytest.mark.parametrize(
    ("policy", "code", "held"),
    [("newest", 0, ["new"] * 3), ("ask", 7, ["new", "new", "old"]), ("prefer: north", 0, ["new"] * 3)],
)
def test_old_values_do_not_beat_newer_ones(policy: str, code: int, held: list[Value], pulled: Sequence[str]) -> None:
    """What was edited in a connection while it was left out stands beside what the others agreed on meanwhile."""
    world = World(policy)
    world.keep("north", "south", pulled=pulled)
    world.edit("west", "old")
    world.edit("north", "new")
    world.run()
    world.keep(*THREE)

    assert (code, held) == (world.run().exit_code(), world.held())


def test_what_was_edited_last_wins_wherever_it_was_edited() -> None:
    """Also where the others were written to after that: our writes make no value newer."""
    world = World()
    world.keep("north", "south")
    world.edit("north", "old")
    world.edit("west", "new")
    world.run()
    world.keep(*THREE)
    world.run()

    assert ["new"] * 3 == world.held()


def test_what_was_edited_in_one_connection_alone_travels() -> None:
    """Whatever the policy says: nobody else said anything of it."""
    world = World("ask")
    world.keep("north", "south")
    world.edit("west", "new")
    world.edit("north", "another name", "name")
    world.run()
    world.keep(*THREE)

    assert (0, ["new"] * 3) == (world.run().exit_code(), world.held())
    assert ["another name"] * 3 == world.held("name")


def test_what_others_took_back_they_decided_all_the_same() -> None:
    """It is what it was when the connection was left out, and was said later than what was edited there."""
    world = World("ask")
    world.keep("north", "south")
    world.edit("west", "old")
    for value in ("new", "none"):
        world.edit("north", value)
        world.run()
    world.keep(*THREE)

    assert (7, ["none", "none", "old"]) == (world.run().exit_code(), world.held())


def test_a_deal_that_is_restored_does_not_write_over_what_was_edited_meanwhile() -> None:
    """What was edited there before somebody deleted it had not been seen."""
    world = World("ask")
    gone = world.ref("west")
    world.edit("west", "old")
    world.bench.crms["west"].delete_deal(gone.id)
    world.edit("north", "new")

    assert 0 == world.run().exit_code()

    world.bench.crms["west"].restore_deal(gone.id)
    world.wait()

    assert (7, ["new", "new", "old"]) == (world.run().exit_code(), world.held())


def test_edits_after_a_connection_is_back_are_later_ones() -> None:
    """It has caught up before somebody edits it."""
    world = World("ask")
    world.keep("north", "south")
    world.edit("north", "new")
    world.run()
    world.keep(*THREE)
    world.run()
    world.edit("west", "newer")

    assert (0, ["newer"] * 3) == (world.run().exit_code(), world.held())


def test_a_person_settles_what_came_back() -> None:
    """The decision stands, and is the last word."""
    world = World("ask")
    world.keep("north", "south")
    world.edit("west", "old")
    world.edit("north", "new")
    world.run()
    world.keep(*THREE)
    world.run()
    (waiting,) = conflicts(world.bench.workspace)
    resolve(world.bench.workspace, [take(waiting.item, "west")])

    assert (0, ["old"] * 3) == (world.run().exit_code(), world.held())


@pytest.mark.parametrize("pulled", [("north", "south")])
def test_a_decision_is_not_written_over_by_who_was_not_asked(pulled: Sequence[str]) -> None:
    """What a person settled while a connection was left out stands beside what was edited there."""
    world = World("ask")
    world.keep("north", "south", pulled=pulled)
    world.edit("west", "theirs")
    world.edit("north", "one")
    world.edit("south", "two")
    world.run()
    (waiting,) = conflicts(world.bench.workspace)
    resolve(world.bench.workspace, [take(waiting.item, "south")])
    world.run()
    world.keep(*THREE)

    assert (7, ["two", "two", "theirs"]) == (world.run().exit_code(), world.held())


@pytest.mark.parametrize(
    ("policy", "code", "held"), [("ask", 7, ["one", "two", "theirs"]), ("prefer: north", 0, ["typed"] * 3)]
)
def test_a_decision_that_is_not_written_yet_is_not_written_over_either(
    policy: str, code: int, held: list[Value]
) -> None:
    """Nobody holds what a person typed, when the connection that was left out is back."""
    world = World("ask")
    world.keep("north", "south")
    for name, value in (("west", "theirs"), ("north", "one"), ("south", "two")):
        world.edit(name, value)
    world.run()
    (waiting,) = conflicts(world.bench.workspace)
    resolve(world.bench.workspace, [give(world.bench.workspace, waiting.item, "typed")])
    world.policy = policy
    world.keep(*THREE)

    assert (code, held) == (world.run().exit_code(), world.held())


@pytest.mark.parametrize(("policy", "code", "held"), [("newest", 0, ["new"] * 3), ("ask", 7, ["new", "new", "old"])])
def test_a_field_that_one_connection_leaves_out_for_a_while(policy: str, code: int, held: list[Value]) -> None:
    """The others go on with it. What was edited there meanwhile stands beside what they agreed on."""
    world = World(policy)
    world.leave_out(FIELD, "west")
    world.edit("west", "old")
    world.edit("north", "new")

    assert (0, ["new", "new", "old"]) == (world.run().exit_code(), world.held())

    world.leave_out("")

    assert (code, held) == (world.run().exit_code(), world.held())


@pytest.mark.parametrize(("edited", "held"), [(("north",), ["north"] * 3), ((), ["none"] * 3)])
def test_what_was_edited_while_a_field_was_left_out_is_not_lost(edited: Sequence[str], held: list[Value]) -> None:
    """It travels once the field is back."""
    world = World("ask")
    world.leave_out(FIELD, *THREE)
    for name in edited:
        world.edit(name, name)
    world.run()
    world.leave_out("")

    assert (0, held) == (world.run().exit_code(), world.held())


def test_a_field_that_is_named_later_is_compared_first() -> None:
    """What both sides hold already differs: a person is asked, and what one side lacks is filled."""
    world = World("ask", ("north", "south"), without=FIELD)
    world.edit("north", "one")
    world.edit("south", "two")
    world.run()
    world.leave_out("")

    assert (7, ["one", "two"]) == (world.run().exit_code(), world.held())


def test_a_field_that_is_named_later_is_filled_where_it_is_empty() -> None:
    """One side holds something already, and the other one nothing."""
    world = World("ask", ("north", "south"), without=FIELD)
    world.edit("south", "two")
    world.leave_out("")

    assert (0, ["two", "two"]) == (world.run().exit_code(), world.held())


@pytest.mark.parametrize(("value", "left"), [("one", 1), (None, 0)])
def test_what_nobody_can_compare_with_a_deal_that_is_gone_keeps_its_counterpart(
    value: Value, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both held the same, but one was deleted before the field was read; where there is nothing, nothing is kept."""
    with monkeypatch.context() as before:
        before.setattr(FakeAdapter, "pull", _pull_without_the_field)
        world = World("ask", ("north", "south"), without=FIELD, delete="archive")
        for name in world.names:
            world.edit(name, value)
        world.run()
    world.bench.crms["north"].delete_deal(world.ref("north").id)
    world.leave_out("")
    world.run()

    assert [left, left] == [len(world.bench.crms[name].deal_ids()) for name in world.names]


def test_what_went_before_a_field_was_named_otherwise_is_noticed() -> None:
    """All is read anew then, and a list of what is there says nothing of what is not."""
    world = World("ask")
    gone = world.ref("west")
    world.bench.crms["west"].delete_deal(gone.id)
    world.leave_out(FIELD, *THREE)
    world.run()

    assert {} == world.bench.workspace.store.records.get([gone])
    assert gone in world.bench.workspace.store.records.tombstones([gone])


def test_settings_that_are_put_back_before_all_was_read_anew_empty_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed until then was read without the field; nobody emptied it."""
    world = World("ask")
    world.leave_out(FIELD, *THREE)
    world.edit("west", "another name", "name")

    def without_the_field(self: FakeAdapter, kind: Kind, since: str | None) -> Iterator[Page]:
        if kind is Kind.DEAL and since is None:
            raise RetryLaterError("the limit is used up")
        yield from _pull_without_the_field(self, kind, since)

    with monkeypatch.context() as patch:
        patch.setattr(FakeAdapter, "pull", without_the_field)

        assert 5 == world.run().exit_code()

    world.leave_out("")

    assert (0, ["none"] * 3) == (world.run().exit_code(), world.held())


@pytest.mark.parametrize(
    ("policy", "code", "held"), [("newest", 0, "other"), ("ask", 7, "none"), ("only_if_empty", 0, "none")]
)
def test_a_field_that_is_bound_to_another_one_is_compared_first(policy: str, code: int, held: str) -> None:
    """What stands in that one is nobody's edit: an empty one is filled, and nothing is cleared in the others."""
    world = World(policy, ("north", "south"))
    world.bind("north", FIELD, "one field", None)
    world.run()
    filled = world.held(FIELD)
    world.bind("north", FIELD, "another field", "other")
    ended = world.run()

    assert (["none", "none"], ["other", held], code) == (filled, world.held(FIELD), ended.exit_code())


@pytest.mark.parametrize("makes", [False, True])
def test_a_move_that_was_refused_for_a_wrong_stage_is_made_when_the_map_is_right(*, makes: bool) -> None:
    """A typing error in the settings is mended there, and nobody has to touch the deal in its CRM."""
    world = World(names=THREE[:2])
    world.map_stage("south", "proposal", "propposal")
    if makes:
        world.bench.crms["north"].create_deal("Another", stage="proposal")
    else:
        world.bench.crms["north"].move_deal(world.ref("north").id, "proposal")
    wrong, still = world.run(), world.run()
    world.map_stage("south", "proposal", "proposal")
    right, after = world.run(), world.run()
    stages = {deal.position.stage for deal in map(world.bench.crms["south"].deal, world.bench.crms["south"].deal_ids())}

    assert [{"refused": 1}, {}, {"applied": 1}, {}] == [dict(c.applied.counts) for c in (wrong, still, right, after)]
    assert [7, 7, 0, 0] == [cycle.exit_code() for cycle in (wrong, still, right, after)]
    assert stages == ({"qualification", "proposal"} if makes else {"proposal"})


def test_what_could_not_be_made_is_said_to_wait_in_its_crm() -> None:
    """It has no id there."""
    world = World(names=THREE[:2])
    world.map_stage("south", "proposal", "propposal")
    world.bench.crms["north"].create_deal("Another", stage="proposal")
    world.run()
    workspace = world.bench.workspace
    lines = waiting_lines(workspace, workspace.store.waiting.all(), workspace.clock.now())
    said = "".join(str(part) for line in lines for part in line)

    assert "on south, waits for 10 minutes" in said
