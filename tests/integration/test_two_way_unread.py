"""Two-way sync of what can't be read, or was not read yet: nothing is taken for empty, gone or new."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from tests.integration.two_way import FIRM, add, crm, entry, linked, only, run, undo_of_last_run
from tests.unit.services.able import able_bench

from crmbridge.errors import RetryLaterError
from crmbridge.model.changes import Cause, Outcome
from crmbridge.model.records import Kind, Problem, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.ports import Page
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.services.runs.planning import make_plan
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import Bench

DAY = date(2026, 12, 24)


def garble(bench: Bench, native: str, name: str, **fields: Value) -> None:
    """Let a person in the north enter what can't be read as this field, and edit others."""
    crm(bench, "north").edit_deal(native, **fields, **{name: None})
    ref = Ref("north", Kind.DEAL, native)
    deal = crm(bench, "north").records[ref]
    left = {each: value for each, value in deal.fields.items() if each != name}
    crm(bench, "north").records[ref] = replace(deal, fields=left, problems=(Problem(f"{name}_x", "garbled", name),))


def hide(bench: Bench, native: str, name: str, where: str = "north") -> None:
    """Take away the right to see a field of a deal, which nobody edits."""
    ref = Ref(where, Kind.DEAL, native)
    deal = crm(bench, where).records[ref]
    left = {each: value for each, value in deal.fields.items() if each != name}
    crm(bench, where).touch(ref)
    crm(bench, where).records[ref] = replace(deal, fields=left, problems=(Problem(f"{name}_x", "hidden", name),))


def mend(bench: Bench, native: str, where: str = "north", **fields: Value) -> None:
    """Let a person put in what can be read."""
    ref = Ref(where, Kind.DEAL, native)
    crm(bench, where).records[ref] = replace(crm(bench, where).records[ref], problems=())
    crm(bench, where).edit_deal(native, **fields)


# ── What can't be read ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["amount", "owner", "company", "contacts"])
def test_a_value_that_can_not_be_read_is_not_empty(name: str) -> None:
    """Its option was deleted, or the credential may not see it any more: the others keep theirs, other edits travel."""
    bench = able_bench(**entry(companies="create", contacts="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    ann = add(bench, "north", Kind.CONTACT, "n1", name="Ann", email="ann@acme.example")
    here: dict[str, Value] = {"amount": Money(1, "EUR"), "owner": "2", "company": firm, "contacts": (ann,)}
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", **here).id
    run(bench)
    before = only(bench, "south").fields[name]
    garble(bench, north, name, close_date=DAY)
    run(bench)

    assert before
    assert (before, DAY) == tuple(only(bench, "south").fields[each] for each in (name, "close_date"))


def test_a_value_that_can_be_read_again_is_brought_to_the_others() -> None:
    """Also where the other deal was made, and edited, while it could not be read."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification").id
    garble(bench, north, "amount")
    run(bench)
    mend(bench, north, amount=Money(2, "EUR"))
    run(bench)
    first = only(bench, "south").fields["amount"]
    garble(bench, north, "amount")
    run(bench)
    mend(bench, north, amount=None)
    run(bench)

    assert (Money(2, "EUR"), None) == (first, only(bench, "south").fields["amount"])


def test_nothing_is_written_over_a_value_that_can_not_be_read() -> None:
    """What was decided on meanwhile gets there once it can be read, as nobody edited it since."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=Money(1, "EUR")).id
    run(bench)
    garble(bench, north, "amount")
    run(bench)
    crm(bench, "south").edit_deal(only(bench, "south").ref.id, amount=Money(3, "EUR"))
    cycle = run(bench)
    mend(bench, north, amount=Money(1, "EUR"))
    run(bench)

    assert [] == [each for each in (cycle.plan.changes if cycle.plan else ()) if each.connection == "north"]
    assert [Money(3, "EUR")] * 2 == [only(bench, name).fields["amount"] for name in ("north", "south")]


def test_what_became_unreadable_after_the_plan_is_not_written_over() -> None:
    """The plan saw an empty field. What is there now nobody knows."""
    bench, north, south = linked()
    crm(bench, "south").edit_deal(south, amount=Money(3, "EUR"))
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    garble(bench, north, "amount")
    with writing(bench.workspace, "apply") as name:
        applied = apply_plan(bench.workspace, plan, name)
        finish(bench.workspace, name, "apply", 0, {})

    assert 1 == applied.count(Outcome.STALE)


def test_an_unclear_write_to_a_field_that_can_not_be_read_is_not_taken_for_done() -> None:
    """It was to clear the field, and never arrived. What the field held is nobody's edit when it can be read again."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=Money(1, "EUR")).id
    run(bench)
    crm(bench, "south").edit_deal(only(bench, "south").ref.id, amount=None)
    crm(bench, "north").faults.append("drop_before")
    run(bench)
    hide(bench, north, "amount")
    run(bench)
    mend(bench, north, amount=Money(1, "EUR"))
    run(bench)

    assert [None, None] == [only(bench, name).fields.get("amount") for name in ("north", "south")]


@pytest.mark.parametrize(("before", "after"), [(Money(1, "EUR"), None), (None, Money(3, "EUR"))])
def test_an_undo_lists_what_can_not_be_read_any_more(before: Value, after: Value) -> None:
    """It neither writes over it nor takes it for restored."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=before).id
    run(bench)
    crm(bench, "south").edit_deal(only(bench, "south").ref.id, amount=after)
    run(bench)
    garble(bench, north, "amount")
    plan = undo_of_last_run(bench)

    assert ((), ["it can't be read any more, so it stays as it is"]) == (plan.changes, [b.reason for b in plan.blocked])


# ── What is not read yet ────────────────────────────────────────────────────────────────────────────────


def plan_as_it_is(bench: Bench) -> Cycle:
    """Plan from the state: `crmbridge plan --no-pull`."""
    with writing(bench.workspace, "plan") as name:
        cycle = run_cycle(bench.workspace, name, refresh=False, write=False)
        finish(bench.workspace, name, "plan", 0, {})
    return cycle


def test_nothing_is_planned_with_a_connection_that_was_never_pulled() -> None:
    """All deals of the other one would seem to have no counterpart."""
    bench = able_bench(**entry(match={"deal": ["name"]}))
    for name in ("north", "south"):
        crm(bench, name).create_deal("Rollout", stage="qualification")
    pull(bench.workspace, ["north"])
    early = plan_as_it_is(bench)
    pull(bench.workspace, ["south"])

    assert (5, ()) == (early.exit_code(), early.plan.changes if early.plan else None)
    assert (0, ()) == ((late := plan_as_it_is(bench)).exit_code(), late.plan.changes if late.plan else None)


def test_nothing_is_planned_with_a_connection_whose_first_pull_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the next pull, which goes on from there, was not made."""
    bench = able_bench(**entry(match={"deal": ["name"]}))
    for number in range(4):
        for name in ("north", "south"):
            crm(bench, name).create_deal(f"Rollout {number}", stage="qualification")
    whole = FakeAdapter.pull

    def cut(self: FakeAdapter, kind: Kind, since: str | None) -> Iterator[Page]:
        pages = whole(self, kind, since)
        yield next(pages)
        if kind is Kind.DEAL and self._crm.connection == "south":
            raise RetryLaterError("the line is down")
        yield from pages

    monkeypatch.setattr("crmbridge.testing.fake_adapter.PAGE", 2)
    monkeypatch.setattr(FakeAdapter, "pull", cut)
    pull(bench.workspace)
    early = plan_as_it_is(bench)
    monkeypatch.setattr(FakeAdapter, "pull", whole)
    pull(bench.workspace)

    assert (5, ()) == (early.exit_code(), early.plan.changes if early.plan else None)
    assert (0, ()) == ((late := plan_as_it_is(bench)).exit_code(), late.plan.changes if late.plan else None)


def test_a_kind_that_no_pull_reads_any_more_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first pull was cut, and the settings leave it out since."""
    bench = able_bench(**entry())
    whole = FakeAdapter.pull

    def cut(self: FakeAdapter, kind: Kind, since: str | None) -> Iterator[Page]:
        if kind is Kind.CONTACT:
            raise RetryLaterError("the line is down")
        yield from whole(self, kind, since)

    monkeypatch.setattr(FakeAdapter, "pull", cut)
    pull(bench.workspace)
    settings = bench.workspace.project.settings
    assert 5 == plan_as_it_is(bench).exit_code()
    fewer = {name: each.model_copy(update={"kinds": ("deal",)}) for name, each in settings.connections.items()}
    bench = bench.again(settings.model_copy(update={"connections": fewer}))
    pull(bench.workspace)

    assert 0 == plan_as_it_is(bench).exit_code()


@pytest.mark.parametrize("where", ["north", "south"])
@pytest.mark.parametrize("rule", [["amount"], ["name", "amount"]])
def test_no_second_deal_is_made_of_one_that_can_not_be_compared(where: str, rule: list[str]) -> None:
    """What it would be found by can't be read: a person is asked, and once it can be read the two are linked."""
    bench = able_bench(**entry(match={"deal": [rule]}))
    for name in ("north", "south"):
        crm(bench, name).create_deal("Rollout", stage="qualification", amount=Money(1, "EUR"))
    native = only(bench, where).ref.id
    hide(bench, native, "amount", where)
    asked = run(bench)
    mend(bench, native, where, amount=Money(1, "EUR"))
    run(bench)

    assert [Cause.LINK] * 2 == [each.cause for each in (asked.plan.blocked if asked.plan else ())]
    assert [1, 1] == [len(crm(bench, name).deal_ids()) for name in ("north", "south")]
    assert () == bench.workspace.store.waiting.all()
    assert 2 == max(map(len, bench.workspace.store.links.links().values()))


def test_a_deal_that_is_surely_another_is_created_beside_one_that_can_not_be_compared() -> None:
    """Its name is another one, and both must be the same."""
    bench = able_bench(**entry(match={"deal": [["name", "amount"]]}))
    south = crm(bench, "south").create_deal("Other", stage="qualification", amount=Money(1, "EUR")).id
    hide(bench, south, "amount", "south")
    crm(bench, "north").create_deal("Rollout", stage="qualification", amount=Money(1, "EUR"))
    run(bench)

    assert [1, 2] == [len(crm(bench, name).deal_ids()) for name in ("north", "south")]


@pytest.mark.parametrize("hidden", ["field", "company"])
def test_a_deal_whose_company_can_not_be_read_is_not_made_again(hidden: str) -> None:
    """By the usual rule, deals of one name at companies of one domain are the same."""
    bench = able_bench(**entry())
    for name in ("north", "south"):
        firm = add(bench, name, Kind.COMPANY, "c1", **FIRM)
        crm(bench, name).create_deal("Rollout", stage="qualification", company=firm)
    if hidden == "company":
        crm(bench, "north").records.pop(Ref("north", Kind.COMPANY, "c1"))
    else:
        hide(bench, only(bench, "north").ref.id, "company")
    run(bench)

    assert [1, 1] == [len(crm(bench, name).deal_ids()) for name in ("north", "south")]
