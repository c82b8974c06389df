"""Set-up: what an account lacks is planned, made by the one write path, and told where it can't be made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from crmbridge.hookspecs import hookimpl
from crmbridge.model.changes import DEAL_ACTIONS, Action, Change, Origin, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.plugins import AdapterSpec, Plugins, load_plugins
from crmbridge.ports import Adapter, Capabilities, Description, FieldWish, NativeField
from crmbridge.services.accounts.setup import plan_setup, run_setup
from crmbridge.services.apply.reconciling import SETTLES
from crmbridge.services.pull.rebound_fields import GONE, READ_FROM
from crmbridge.services.workspace import Workspace
from crmbridge.settings import AdapterSettings
from crmbridge.testing.factories import make_process
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import Bench, make_bench

KEY = FieldWish(name="crmbridge_key", label="crmbridge key", type=FieldType.TEXT, unique=True, why="finds deals again")
FIELDS = [
    {"id": "bant.budget", "name": "Budget", "type": "choice", "options": ["low", "high"]},
    {"id": "champion", "name": {"en": "Champion", "pt": "Padrinho"}},
]
TEXT = NativeField(name="champion", label="Champion", type=FieldType.TEXT)
CHOICE = NativeField(name="bant_budget", label="Budget", type=FieldType.CHOICE, options=("low", "high", "none"))
HAS_KEY = NativeField(name="crmbridge_key", label="crmbridge key", type=FieldType.TEXT, unique=True)


class Account:
    """The fields of an account, and what goes wrong with the next ones that are made."""

    def __init__(self, *fields: NativeField, able: bool = True, renames: bool = False) -> None:
        self.fields = {native.name: native for native in fields}
        self.able = able
        self.renames = renames
        self.faults: list[str] = []
        self.made: list[str] = []

    def make(self, change: Change) -> Receipt:
        """Make a field as a change says, or let it go wrong."""
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "refuse":
            return Receipt(change=change.id, outcome=Outcome.REFUSED, message="no scope for it")
        name = "x9" if self.renames else str(change.key)
        if fault != "lost":
            after = change.after
            self.made.append(name)
            self.fields[name] = NativeField(
                name=name,
                label=name if self.renames else str(after["label"]),
                type=FieldType(str(after["type"])),
                options=tuple(after["options"]) if isinstance(after["options"], tuple) else (),
                unique=bool(after["unique"]),
            )
        if fault:
            return Receipt(change=change.id, outcome=Outcome.UNKNOWN, message="no answer")
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=Ref("north", Kind.FIELD, name))


class MakingAdapter(FakeAdapter):
    """Makes fields, too."""

    def __init__(self, crm: FakeCrm, account: Account) -> None:
        super().__init__(crm)
        self._account = account

    @property
    def capabilities(self) -> Capabilities:
        actions = DEAL_ACTIONS | ({Action.FIELD} if self._account.able else set())
        return replace(super().capabilities, actions=actions, batch=dict.fromkeys(actions, 20))

    def describe(self) -> Description:
        key = self._account.fields.get("crmbridge_key")
        fields = tuple(self._account.fields.values())
        return replace(super().describe(), fields=fields, key_field=key, key_wish=KEY)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        if kind is not Kind.FIELD:
            return super().find(kind, key, near)
        return Ref("north", kind, key) if key in self._account.fields else None

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        return [self._account.make(change) for change in changes]


def plugins(account: Account, crms: Mapping[str, FakeCrm], veto: Sequence[str] = ()) -> Plugins:
    """Offer the adapter of an account; `veto` names fields that must not be made."""

    class Plugin:
        @hookimpl
        def crmbridge_adapters(self) -> list[AdapterSpec]:
            def connect(_settings: Any, _context: Any) -> Adapter:
                return MakingAdapter(crms["north"], account)

            def steps(wish: FieldWish) -> list[str]:
                return ["Open the settings.", f"Add {wish.label}."]

            return [AdapterSpec(name="fake", summary="", settings=AdapterSettings, open=connect, steps=steps)]

        @hookimpl
        def crmbridge_before_apply(self, changes: Sequence[Change]) -> list[tuple[str, str]]:
            return [(change.id, "not in this quarter") for change in changes if change.key in veto]

    return load_plugins({"making": Plugin()}, installed=False)


def workspace_of(account: Account, bench: Bench | None = None, veto: Sequence[str] = (), **fields: str) -> Workspace:
    """Give a workspace on an account, with these fields bound (two underscores for a dot)."""
    bound = {name.replace("__", "."): native for name, native in fields.items()}
    bench = bench or make_bench(
        process=make_process(fields=FIELDS, stages=[{"id": "q", "name": "Q", "purpose": "Q.", "owner": "seller"}]),
        parts={"north": (0, 0)},
        connections={"north": {"adapter": "fake", "fields": bound}},
        stages={},
    )
    return replace(bench.workspace, plugins=plugins(account, bench.crms, veto))


def planned(workspace: Workspace) -> list[str]:
    """Give the names of the fields that would be made."""
    return [str(change.key) for change in plan_setup(workspace, "north").plan.changes]


def test_everything_that_is_lacking_is_planned() -> None:
    """The key, then the fields in the process's order: bound ones by that name, unbound ones by one of their own."""
    setup = plan_setup(workspace_of(Account(), champion="my_champion"), "north")
    by_name = {change.key: change for change in setup.plan.changes}

    assert ["crmbridge_key", "bant_budget", "my_champion"] == list(by_name)
    assert {
        "name": "bant_budget",
        "label": "Budget",
        "type": "choice",
        "options": ("low", "high"),
        "unique": False,
    } == by_name["bant_budget"].after
    assert (True, "Champion") == (by_name["crmbridge_key"].after["unique"], by_name["my_champion"].after["label"])
    assert {(Action.FIELD, Origin.SETUP, None)} == {(c.action, c.origin, c.target) for c in setup.plan.changes}
    assert {"bant.budget": "bant_budget"} == setup.bindings


def test_planning_writes_nothing_and_says_the_same_each_time() -> None:
    """The same account gives the same changes."""
    account = Account()
    workspace = workspace_of(account)

    assert plan_setup(workspace, "north").plan == plan_setup(workspace, "north").plan
    assert ([], ()) == (account.made, workspace.store.runs.runs(9))


def test_what_was_made_is_not_made_again() -> None:
    """It goes through the journal, and the next set-up has nothing to do."""
    account = Account()
    workspace = workspace_of(account)
    done = run_setup(workspace, plan_setup(workspace, "north"))

    assert (0, {"champion", "bant_budget", "crmbridge_key"}) == (done.ran.exit_code, set(account.made))
    assert [None, None, None, *[Outcome.APPLIED] * 3] == [e.outcome for e in workspace.store.journal.entries()]
    assert {"bant.budget": "bant_budget", "champion": "champion"} == done.bindings
    again = plan_setup(workspace, "north")
    assert ((), 0, done.bindings) == (again.plan.changes, again.exit_code, again.bindings)


def test_a_field_that_was_taken_away_is_made_again() -> None:
    """That it was made once is no reason to leave it out."""
    account = Account()
    workspace = workspace_of(account)
    run_setup(workspace, plan_setup(workspace, "north"))
    del account.fields["champion"]
    run_setup(workspace, plan_setup(workspace, "north"))
    del account.fields["champion"]

    assert ["champion"] == planned(workspace)
    run_setup(workspace, plan_setup(workspace, "north"))
    assert 3 == account.made.count("champion")


def test_what_deals_were_read_from_is_not_what_set_up_made_now() -> None:
    """No run may have seen that it was away: it is empty, and nobody emptied it."""
    workspace = workspace_of(Account())
    memory = workspace.store.memory("north")
    memory[READ_FROM] = json.dumps({"champion": ["champion", ""], "other": ["other", ""]})
    run_setup(workspace, plan_setup(workspace, "north"))

    assert {"champion": [f"{GONE}champion", ""], "other": ["other", ""]} == json.loads(memory[READ_FROM])


def test_a_field_that_somebody_made_meanwhile_is_not_doubled() -> None:
    """It is looked for right before it is made."""
    account = Account()
    workspace = workspace_of(account)
    setup = plan_setup(workspace, "north")
    account.fields["champion"] = TEXT
    done = run_setup(workspace, setup)

    assert (0, {"bant_budget", "crmbridge_key"}) == (done.ran.exit_code, set(account.made))


@pytest.mark.parametrize(("fault", "made"), [("lost", 2), ("unclear", 1)])
def test_what_was_never_answered_is_read_back(fault: str, made: int) -> None:
    """By its name; it is made again only if it is certainly not there."""
    account = Account(CHOICE, HAS_KEY)
    account.faults = [fault]
    workspace = workspace_of(account)
    assert 7 == run_setup(workspace, plan_setup(workspace, "north")).ran.exit_code

    workspace.clock.sleep(SETTLES.total_seconds() + 1)
    run_setup(workspace, plan_setup(workspace, "north"))
    assert ["champion"] == account.made
    assert () == workspace.store.journal.unsettled()
    assert made == sum(entry.outcome is None for entry in workspace.store.journal.entries())


def test_what_the_crm_refuses_is_left_to_an_admin() -> None:
    """With the steps; it is tried again the next time, as somebody may have granted it."""
    account = Account(CHOICE, HAS_KEY)
    account.faults = ["refuse"]
    workspace = workspace_of(account)
    done = run_setup(workspace, plan_setup(workspace, "north"))

    assert (7, ["champion"]) == (done.ran.exit_code, planned(workspace))
    assert [("no scope for it", ("Open the settings.", "Add Champion."))] == [(m.why, m.steps) for m in done.manual]
    assert 0 == run_setup(workspace, plan_setup(workspace, "north")).ran.exit_code


def test_a_veto_holds_for_fields_too() -> None:
    """There is one write path."""
    account = Account(CHOICE, HAS_KEY)
    workspace = workspace_of(account, veto=["champion"])

    assert 7 == run_setup(workspace, plan_setup(workspace, "north")).ran.exit_code
    assert [] == account.made


def test_a_crm_that_makes_no_fields_has_steps_instead() -> None:
    """For each field that is lacking; what is there is only bound."""
    setup = plan_setup(workspace_of(Account(CHOICE, able=False)), "north")

    assert ((), 7) == (setup.plan.changes, setup.exit_code)
    assert ["crmbridge key", "Champion"] == [manual.wish.label for manual in setup.manual]
    assert {"bant.budget": "bant_budget", "champion": "champion"} == setup.bindings


@pytest.mark.parametrize(
    ("native", "what"),
    [
        (replace(HAS_KEY, unique=False), "unique"),
        (replace(HAS_KEY, type=FieldType.NUMBER), "type"),
        (replace(TEXT, type=FieldType.NUMBER), "type"),
        (replace(TEXT, type=None), "type"),
        (replace(TEXT, writable=False), "writable"),
        (replace(CHOICE, options=("low",)), "options"),
    ],
)
def test_a_field_that_is_there_and_unfit_needs_a_person(native: NativeField, what: str) -> None:
    """Nothing that holds data is changed; it is said which field, and what is wrong with it."""
    fields = {one.name: one for one in (TEXT, CHOICE, HAS_KEY)} | {native.name: native}
    setup = plan_setup(workspace_of(Account(*fields.values())), "north")

    assert [(what, native.name)] == [(item.name, item.deal.id) for item in setup.plan.blocked]
    assert ((), 7) == (setup.plan.changes, setup.exit_code)


def test_a_field_is_known_by_its_label_too() -> None:
    """In small letters or large, as people write it; a field of another type may hold it."""
    champion = NativeField(name="a81f", label="Our Champion", type=FieldType.CHOICE)
    workspace = workspace_of(Account(CHOICE, HAS_KEY, champion), champion="our champion", bant__budget="BANT_budget")

    assert [] == planned(workspace)


@pytest.mark.parametrize("label", ["Champion", "padrinho"])
def test_a_field_that_is_called_as_in_the_process_is_offered(label: str) -> None:
    """In any of its languages: most accounts have some already, under names of their own; none is doubled."""
    there = NativeField(name="f77", label=label, type=FieldType.TEXT)
    setup = plan_setup(workspace_of(Account(CHOICE, HAS_KEY, there)), "north")

    assert ((), {"champion": "f77", "bant.budget": "bant_budget"}) == (setup.plan.changes, setup.bindings)


def test_a_name_that_the_crm_chose_is_told() -> None:
    """A bound field that got another name is not found by the settings until they say it."""
    account = Account(CHOICE, HAS_KEY, renames=True)
    workspace = workspace_of(account, champion="my_champion", bant__budget="bant_budget")
    done = run_setup(workspace, plan_setup(workspace, "north"))

    assert {"champion": "x9"} == done.bindings


def test_a_binding_that_differs_in_capitals_is_told() -> None:
    """Some CRMs write names in small letters; records are read by the name as it is, and so `doctor` would miss it."""
    account = Account(CHOICE, TEXT, HAS_KEY)

    assert {"champion": "champion"} == plan_setup(
        workspace_of(account, champion="CHAMPION", **{"bant.budget": "Budget"}), "north"
    ).bindings
