"""Fields that an account's people delete, hide, and make again under one name: nobody emptied what is empty then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from tests.unit.services.able import able_bench

from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind, Problem, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Adapter, BoundTo, Capabilities, Page
from crmbridge.services.pull.hinting import reread_hints
from crmbridge.services.pull.rebound_fields import note_made
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.services.workspace import Workspace
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import fake_plugins

FIELD = "bant.budget"
NAMES = ("north", "south")


class Telling(FakeAdapter):
    """Tells what the bound fields stand for, and may do something before a page of deals comes."""

    def __init__(self, crm: FakeCrm, bound: Mapping[str, BoundTo], before_page: list[Callable[[], None]]) -> None:
        super().__init__(crm)
        self._bound, self._before_page = bound, before_page

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, bound=True)

    def bound_fields(self) -> Mapping[str, BoundTo]:
        return dict(self._bound)

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        for page in super().pull(kind, since):
            while kind is Kind.DEAL and self._before_page:
                self._before_page.pop()()
            yield page


class World:
    """Two CRMs with linked deals that hold the same in one field."""

    def __init__(self, policy: str = "newest", deals: int = 2, *, there: bool = True) -> None:
        entry = {"name": "main", "between": NAMES, "create": NAMES, "fields": {"*": {"conflict": policy}}}
        self.bench = able_bench(NAMES, sync=[entry])
        self.bound = {FIELD: BoundTo("first")}  # what the field stands for in the north
        self.before_page: list[Callable[[], None]] = []
        for number in range(deals):
            self.crm("north").create_deal(f"Rollout {number}", stage="qualification", **{FIELD: "agreed"})
        if not there:
            self.refs = {"north": self._by_name("north")}
            self.hide()
        self.run()
        self.refs = {name: self._by_name(name) for name in NAMES}

    def _by_name(self, name: str) -> list[Ref]:
        deals = [record for ref, record in self.crm(name).records.items() if ref.kind is Kind.DEAL]
        return [record.ref for record in sorted(deals, key=lambda record: str(record.fields["name"]))]

    def crm(self, name: str) -> Any:
        return self.bench.crms[name]

    def open(self) -> Workspace:
        """Open the project as a new process would."""
        return Workspace(
            project=self.bench.workspace.project,
            store=self.bench.workspace.store,
            clock=self.bench.clock,
            plugins=fake_plugins(self.bench.crms, wrap=self._wrap),
        )

    def cut(self) -> None:
        """Let the CRM be out of reach."""
        raise RetryLaterError("north: the line is down")

    def run(self) -> Cycle:
        """Run one cycle as a new process would."""
        workspace = self.open()
        with writing(workspace, "run") as name:
            cycle = run_cycle(workspace, name)
            finish(workspace, name, "run", cycle.exit_code(), cycle.summary())
        self.bench.clock.sleep(600)
        return cycle

    def _wrap(self, adapter: FakeAdapter, connection: str) -> Adapter:
        if connection != "north":
            return adapter
        return Telling(self.crm("north"), self.bound, self.before_page)

    def edit(self, where: str, number: int, value: Value, field: str = FIELD) -> None:
        """Let a person edit one of the deals in a CRM."""
        self.crm(where).edit_deal(self.refs[where][number].id, **{field: value})

    def set_up(self, change: Callable[[Record], Record]) -> None:
        """Let all deals of the north read otherwise, as after a change of the set-up; none of them counts as edited."""
        for ref in self.refs["north"]:
            self.crm("north").records[ref] = change(self.crm("north").records[ref])

    def remake(self, value: Value = None) -> None:
        """Delete the field, and make another one of its name that holds this in all deals."""
        self.bound[FIELD] = BoundTo("second")
        self.set_up(lambda deal: with_field(deal, value))

    def hide(self) -> None:
        """Take the field away, so that it can be read of no deal."""
        self.bound.pop(FIELD)
        self.set_up(lambda deal: replace(with_field(deal, None), problems=(Problem("x", "is not there", FIELD),)))

    def bring_back(self, value: Value) -> None:
        """Let the field be there again under its name, with this in all deals."""
        self.bound[FIELD] = BoundTo("first")
        self.set_up(lambda deal: replace(with_field(deal, value), problems=()))

    def held(self) -> list[list[Value]]:
        return [[self.crm(name).records[ref].fields.get(FIELD) for ref in self.refs[name]] for name in NAMES]


def with_field(deal: Record, value: Value) -> Record:
    return replace(deal, fields={**deal.fields, FIELD: value})


@pytest.mark.parametrize("policy", ["newest", "ask", "prefer: north"])
def test_a_field_that_was_made_again_is_filled_and_clears_nothing(policy: str) -> None:
    """It is empty in all deals, also in one that somebody edits: they emptied nothing, and the others keep theirs."""
    world = World(policy)
    world.remake()
    world.edit("north", 0, "Renamed", "name")
    first, second = world.run(), world.run()

    assert [["agreed"] * 2] * 2 == world.held()
    assert [0, 0] == [first.exit_code(), second.exit_code()]
    assert {} == dict(second.applied.counts)


def test_what_stands_in_a_field_that_was_made_again_is_compared_first() -> None:
    """As in a field that is bound to another one by the settings: nobody knows who is right."""
    world = World("ask")
    world.remake("other")
    ended = world.run()

    assert ([["other"] * 2, ["agreed"] * 2], 7) == (world.held(), ended.exit_code())


def test_a_field_that_came_back_empty_clears_nothing() -> None:
    """It was made again by the very name that it had, and what people entered meanwhile goes into it."""
    world = World()
    world.hide()
    world.run()
    world.edit("south", 0, "meanwhile")
    world.run()
    world.bring_back(None)
    world.edit("north", 1, "Renamed", "name")
    world.run()

    assert [["meanwhile", "agreed"]] * 2 == world.held()


@pytest.mark.parametrize("policy", ["newest", "ask", "prefer: north"])
@pytest.mark.parametrize("usual", [False, True])
def test_a_checkbox_that_came_back_says_nothing_where_it_was_not_ticked(policy: str, *, usual: bool) -> None:
    """It can't be empty: one that was made again has its default in all deals, but for those that somebody ticked."""
    world = World(policy, deals=4)
    for number in range(3):
        world.edit("north", number, not usual)
    world.edit("north", 3, usual)
    world.run()
    world.hide()
    world.run()
    world.bring_back(usual)
    world.edit("north", 0, not usual)
    world.edit("north", 1, "Renamed", "name")
    first, second = world.run(), world.run()

    assert [[not usual] * 3 + [usual]] * 2 == world.held()
    assert [0, 0] == [first.exit_code(), second.exit_code()]
    assert {} == dict(second.applied.counts)


def test_a_checkbox_that_was_hidden_for_a_while_is_compared_with_what_was_agreed_on() -> None:
    """Most deals say what they said, so it was not made again, and what people ticked meanwhile travels."""
    world = World(deals=3)
    for number in range(3):
        world.edit("north", number, value=True)
    world.run()
    world.hide()
    world.run()
    world.bring_back(value=True)
    world.edit("north", 0, value=False)
    world.run()

    assert [[False, True, True]] * 2 == world.held()


def test_several_fields_that_came_back_empty_clear_nothing() -> None:
    """Each of them is looked for in all deals."""
    world, more = World(), "bant.need"
    world.bound[more] = BoundTo("need")
    world.edit("north", 0, "agreed", more)
    world.run()
    away = world.bound.copy()
    world.bound.clear()
    world.set_up(lambda deal: replace(deal, fields={**deal.fields, FIELD: None, more: None}))
    world.set_up(lambda deal: replace(deal, problems=(Problem("x", "away", FIELD), Problem("x", "away", more))))
    world.run()
    world.bound.update(away)
    world.set_up(lambda deal: replace(deal, problems=()))
    world.edit("north", 0, "Renamed", "name")
    world.run()
    deals = [world.crm(name).records[world.refs[name][0]].fields for name in NAMES]

    assert [("agreed", "agreed")] * 2 == [(fields[FIELD], fields[more]) for fields in deals]


def test_a_field_that_set_up_made_again_clears_nothing() -> None:
    """Also where no run came in between, and saw that it was away."""
    world = World()
    world.set_up(lambda deal: with_field(deal, None))
    note_made(world.bench.workspace, "north", {FIELD})
    world.edit("north", 0, "Renamed", "name")
    world.run()

    assert [["agreed"] * 2] * 2 == world.held()


@pytest.mark.parametrize("policy", ["newest", "ask"])
def test_a_field_that_was_hidden_for_a_while_is_compared_with_what_was_agreed_on(policy: str) -> None:
    """It holds what it held, and what people entered meanwhile on either side travels."""
    world = World(policy)
    world.hide()
    world.run()
    world.edit("south", 1, "south meanwhile")
    world.run()
    world.bring_back("agreed")
    world.edit("north", 0, "north meanwhile")
    first, second = world.run(), world.run()

    assert [["north meanwhile", "south meanwhile"]] * 2 == world.held()
    assert [0, 0] == [first.exit_code(), second.exit_code()]


def test_every_deal_says_that_a_field_is_gone() -> None:
    """Not only those that somebody edits: nothing is planned for what no deal can hold, and skipped in each run."""
    world = World()
    world.hide()
    world.edit("south", 0, "meanwhile")
    ended = world.run()
    records = world.bench.workspace.store.records.get(world.refs["north"]).values()

    assert [(FIELD,)] * 2 == [tuple(problem.field for problem in record.problems) for record in records]
    assert (0, {}) == (ended.exit_code(), dict(ended.applied.counts))


def test_nothing_is_kept_of_a_pull_during_which_a_field_is_made_again() -> None:
    """Some of its deals may be read from the one field, and some from the other. The next run reads all anew."""
    world = World()
    world.edit("north", 0, "Renamed", "name")
    world.before_page.append(world.remake)
    first, second = world.run(), world.run()
    (error,) = [pulled.error for pulled in first.pulled if pulled.error]

    assert isinstance(error, RetryLaterError)
    assert "north: bant.budget came to stand for something else there" in error.message
    assert [5, 0] == [first.exit_code(), second.exit_code()]
    assert [["agreed"] * 2] * 2 == world.held()


@pytest.mark.parametrize("policy", ["newest", "ask"])
def test_a_webhook_during_a_reading_in_another_zone_edits_nothing(policy: str) -> None:
    """The reading was cut before it came to the deal that the webhook names: it reads otherwise, too."""
    world = World(policy)
    world.bound[FIELD] = BoundTo("first", "another zone")
    world.set_up(lambda deal: with_field(deal, "a day earlier"))
    world.before_page.append(world.cut)
    first = world.run()
    telling = world.open()
    telling.store.hints.add([world.refs["north"][0]], world.bench.clock.now())
    reread_hints(telling, "north")
    second, third = world.run(), world.run()

    assert [5, 0, 0] == [cycle.exit_code() for cycle in (first, second, third)]
    assert [["agreed"] * 2] * 2 == world.held()


def test_a_webhook_does_not_slip_past_it() -> None:
    """What it names is not read from another field than all else."""
    world = World()
    world.remake()
    telling = world.open()
    telling.store.hints.add([world.refs["north"][0]], world.bench.clock.now())

    with pytest.raises(RetryLaterError):
        reread_hints(telling, "north")
    world.run()

    assert [["agreed"] * 2] * 2 == world.held()


@pytest.mark.parametrize("print_", ["", "-another print"])
def test_a_deal_that_reads_otherwise_and_did_not_change_is_read_again(print_: str) -> None:
    """An option was renamed, say: no pull tells of it, and a change that does not fit would be skipped for ever.

    A version may be made of what a deal holds, and be another one without an edit.
    """
    world = World("ask")
    world.set_up(lambda deal: replace(with_field(deal, "called otherwise"), version=f"{deal.version}{print_}"))
    world.edit("south", 0, "meanwhile")
    first, second, third = world.run(), world.run(), world.run()

    assert [8, 7, 7] == [cycle.exit_code() for cycle in (first, second, third)]
    assert [{"stale": 1}, {}, {}] == [dict(cycle.applied.counts) for cycle in (first, second, third)]


@pytest.mark.parametrize("policy", ["newest", "ask"])
def test_what_reads_otherwise_in_another_zone_is_nobodys_edit(policy: str) -> None:
    """What was agreed on is written there once more, so that it reads as it did; what people enter still travels."""
    world = World(policy, deals=3)
    world.bound[FIELD] = BoundTo("first", "another zone")
    world.set_up(lambda deal: with_field(deal, "a day earlier"))
    world.edit("south", 1, "entered in the south")
    world.edit("north", 2, "entered in the north")
    first, second = world.run(), world.run()

    assert [["agreed", "entered in the south", "entered in the north"]] * 2 == world.held()
    assert [0, 0] == [first.exit_code(), second.exit_code()]
    assert {} == dict(second.applied.counts)


def test_an_edit_that_did_not_arrive_is_not_forgotten_where_it_reads_otherwise() -> None:
    """It is still an edit, with what it reads as by now."""
    world = World("ask")
    world.edit("north", 0, "one")
    world.edit("south", 0, "other")
    world.run()
    world.bound[FIELD] = BoundTo("first", "another zone")
    world.set_up(lambda deal: with_field(deal, f"{deal.fields[FIELD]}, read otherwise"))
    ended = world.run()

    assert 7 == ended.exit_code()
    assert [["one, read otherwise", "agreed"], ["other", "agreed"]] == world.held()


@pytest.mark.parametrize("policy", ["newest", "ask"])
def test_a_field_that_is_there_only_after_the_first_pull_is_read_in_all_deals(policy: str) -> None:
    """Set-up made it, or a right to see it was granted: none of the deals that were read before counts as edited."""
    world = World(policy, there=False)
    world.run()
    world.bring_back("agreed")
    for number in range(2):
        world.edit("south", number, "agreed")
    first, second = world.run(), world.run()
    records = world.bench.workspace.store.records.get(world.refs["north"]).values()

    assert [()] * 2 == [record.problems for record in records]
    assert [["agreed"] * 2] * 2 == world.held()
    assert [0, 0] == [first.exit_code(), second.exit_code()]
