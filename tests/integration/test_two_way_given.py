"""Two-way sync with CRMs that give a deal which nobody owns to the user whom crmbridge signs in as."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.test_cycle import linked_bench
from tests.integration.two_way import TEN, run

from crmbridge.errors import RetryLaterError
from crmbridge.model.changes import Cause, Change, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import StateStore
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import Bench

BOT = "7"  # the user whom crmbridge signs in as
POLICIES = ["newest", "prefer: north", "prefer: south", "ask", "only_if_empty"]


def giving(store: StateStore, *givers: str, policy: str = "newest", **more: Any) -> Bench:
    """Make CRMs of which these give deals away, and a deal that nobody owns in north; `create` names the givers."""
    names = ["north", *givers]
    sync = [{"name": "main", "between": names, "create": list(givers), "fields": {"*": {"conflict": policy}}, **more}]
    bench = linked_bench(store, parts=dict.fromkeys(names, (0, 0)), sync=sync)
    for name in givers:
        bench.crms[name].signed_in = BOT
    bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    return bench


def owners(bench: Bench) -> list[Any]:
    """Give the owner of the one deal of each CRM."""
    return [crm.deal(native).fields.get("owner") for crm in bench.crms.values() for native in crm.deal_ids()]


def edit(bench: Bench, name: str, /, **values: Any) -> None:
    """Let a person edit the one deal of a CRM."""
    (native,) = bench.crms[name].deal_ids()
    bench.crms[name].edit_deal(native, **values)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_owner_that_a_crm_gives_is_nobody_s_edit(store: StateStore, policy: str) -> None:
    """It comes back to no CRM, and nobody is asked."""
    bench = giving(store, "south", policy=policy)
    made, after = run(bench), run(bench)

    assert [None, BOT] == owners(bench)
    assert [1, 0] == [len(cycle.plan.changes) for cycle in (made, after) if cycle.plan]
    assert [()] == [cycle.plan.blocked for cycle in (after,) if cycle.plan]


def test_two_crms_may_give_different_owners(store: StateStore) -> None:
    """Each keeps the one that it gave, until a person says who owns the deal."""
    bench = giving(store, "south", "east")
    bench.crms["east"].signed_in = "6"
    run(bench)
    run(bench)
    given = owners(bench)
    edit(bench, "north", owner="2")
    run(bench)
    after = run(bench)

    assert ([None, BOT, "6"], ["2", "2", "2"]) == (given, owners(bench))
    assert () == (after.plan.changes if after.plan else None)


@pytest.mark.parametrize("policy", ["newest", "prefer: north", "ask"])
@pytest.mark.parametrize("where", ["north", "south"])
def test_who_is_named_afterwards_travels(store: StateStore, where: str, policy: str) -> None:
    """By either side, also before the next run."""
    bench = giving(store, "south", policy=policy)
    run(bench)
    edit(bench, where, owner="2")
    run(bench)

    assert ["2", "2"] == owners(bench)


def test_an_owner_that_a_crm_gave_keeps_no_deal(store: StateStore) -> None:
    """Where the deal is deleted that it was made for, it goes as well: nobody has edited it."""
    bench = giving(store, "south", delete="archive")
    bench.crms["south"].able = True
    run(bench)
    run(bench)
    bench.crms["north"].delete_deal(*bench.crms["north"].deal_ids())
    run(bench)

    assert [] == owners(bench)


@pytest.mark.parametrize(("edited", "expected"), [(False, [None, BOT]), (True, ["2", "2"])])
def test_a_creation_that_is_found_out_about_later(store: StateStore, *, edited: bool, expected: list[Any]) -> None:
    """What was given is told from what a person did meanwhile."""
    bench = giving(store, "south")
    bench.crms["south"].faults.append("unclear")
    run(bench)
    if edited:
        edit(bench, "south", owner="2")
    for _ in range(3):
        run(bench)

    assert expected == owners(bench)


def test_what_a_person_enters_before_the_deal_is_read_is_an_edit(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole batch is made before its deals are read, so somebody may have been there by then."""
    bench = giving(store, "south")
    south = bench.crms["south"]
    makes = south.carry_out

    def make_and_edit(change: Change) -> Receipt:
        receipt = makes(change)
        bench.clock.advance(timedelta(seconds=1))
        edit(bench, "south", owner="2")
        return receipt

    monkeypatch.setattr(south, "carry_out", make_and_edit)
    run(bench)
    monkeypatch.undo()
    run(bench)

    assert ["2", "2"] == owners(bench)


def test_an_owner_whom_the_crm_that_speaks_alone_does_not_know_stays(store: StateStore) -> None:
    """What it gave its deal when it was made is nobody's word; the first owner whom a person names there is."""
    fields = {"*": {"conflict": "newest"}, "owner": {"direction": "from: south"}}
    bench = giving(store, "south", fields=fields)
    bench.crms["south"].records.pop(Ref("south", Kind.USER, "2"))
    edit(bench, "north", owner="2")
    runs = [run(bench), run(bench), run(bench)]
    given = owners(bench)
    edit(bench, "south", owner="3")
    run(bench)

    assert [1, 0, 0] == [len(cycle.plan.changes) for cycle in runs if cycle.plan]
    assert (["2", BOT], ["3", "3"]) == (given, owners(bench))


@pytest.mark.parametrize("policy", ["newest", "prefer: north", "prefer: south", "ask"])
def test_an_owner_whom_the_other_crm_does_not_know_stays_and_is_told(store: StateStore, policy: str) -> None:
    """There somebody owns the deal: what was given is later, but no person wants it."""
    bench = giving(store, "south", policy=policy)
    del bench.crms["south"].records[Ref("south", Kind.USER, "2")]
    edit(bench, "north", owner="2")
    bench.clock.advance(TEN)
    run(bench)
    after = run(bench)

    assert ["2", BOT] == owners(bench)
    assert after.plan is not None
    assert [("owner", Cause.COUNTERPART)] == [(item.name, item.cause) for item in after.plan.blocked]


def unread(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the deal of south in a run that can't read it afterwards, as if it was killed there."""

    whole = FakeAdapter.read

    def fail(self: FakeAdapter, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        if refs[0].connection != "north":
            raise RetryLaterError(f"{refs[0].connection} can't be reached")
        return whole(self, refs, fields=fields)

    with monkeypatch.context() as patched:
        patched.setattr(FakeAdapter, "read", fail)
        run(bench)
    assert bench.crms["south"].deal_ids()


@pytest.mark.parametrize("policy", POLICIES)
def test_what_was_given_is_told_later_where_the_deal_could_not_be_read(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """The next run that holds it knows that it was made, and not looked at since."""
    bench = giving(store, "south", policy=policy)
    unread(bench, monkeypatch)
    bench.clock.advance(TEN)
    after = [run(bench), run(bench)]

    assert [None, BOT] == owners(bench)
    assert [((), ())] * 2 == [(cycle.plan.changes, cycle.plan.blocked) for cycle in after if cycle.plan]


def test_two_crms_that_could_not_be_read_may_have_given_different_owners(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where both could be read."""
    bench = giving(store, "south", "east")
    bench.crms["east"].signed_in = "6"
    unread(bench, monkeypatch)
    bench.clock.advance(TEN)
    run(bench)
    given = owners(bench)
    edit(bench, "north", owner="2")
    run(bench)

    assert ([None, BOT, "6"], ["2", "2", "2"]) == (given, owners(bench))


@pytest.mark.parametrize("where", ["north", "south"])
def test_what_a_person_enters_in_a_deal_that_could_not_be_read_is_an_edit(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """On either side, before anything else was known of the deal."""
    bench = giving(store, "south")
    unread(bench, monkeypatch)
    bench.clock.advance(TEN)
    edit(bench, where, owner="2")
    after = [run(bench), run(bench)][-1]

    assert ["2", "2"] == owners(bench)
    assert () == (after.plan.changes if after.plan else None)


@pytest.mark.parametrize("policy", ["newest", "prefer: north", "prefer: south", "ask"])
def test_an_owner_whom_the_other_crm_does_not_know_stays_also_where_the_deal_could_not_be_read(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """Also by a policy under which the one that was given would win, if a person had entered it."""
    bench = giving(store, "south", policy=policy)
    del bench.crms["south"].records[Ref("south", Kind.USER, "2")]
    edit(bench, "north", owner="2")
    unread(bench, monkeypatch)
    bench.clock.advance(TEN)
    run(bench)

    assert ["2", BOT] == owners(bench)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("known", [True, False])
def test_an_owner_that_a_crm_gave_is_not_for_a_deal_that_is_made_anew(
    store: StateStore, policy: str, *, known: bool
) -> None:
    """Nobody entered it: it goes to no other CRM, and where that one has no such user, nobody is asked about it."""
    bench = giving(store, "south", policy=policy, create=["north", "south"], delete="archive")
    if not known:
        del bench.crms["north"].records[Ref("north", Kind.USER, BOT)]
    run(bench)
    run(bench)
    edit(bench, "south", name="Rollout in May")
    bench.crms["north"].delete_deal(*bench.crms["north"].deal_ids())
    after = [run(bench), run(bench)]

    assert [None, BOT] == owners(bench)
    assert [[], []] == [list(cycle.plan.blocked) for cycle in after if cycle.plan]
    assert "Rollout in May" == bench.crms["north"].deal(*bench.crms["north"].deal_ids()).fields["name"]


@pytest.mark.parametrize("where", ["north", "south"])
def test_an_owner_of_a_deal_that_was_made_anew_travels_once_a_person_names_one(store: StateStore, where: str) -> None:
    """What was given before is still nobody's word against it."""
    bench = giving(store, "south", policy="ask", create=["north", "south"], delete="archive")
    run(bench)
    edit(bench, "south", name="Rollout in May")
    bench.crms["north"].delete_deal(*bench.crms["north"].deal_ids())
    run(bench)
    edit(bench, where, owner="2")
    run(bench)

    assert ["2", "2"] == owners(bench)


def test_an_owner_whom_a_person_named_is_for_a_deal_that_is_made_anew(store: StateStore) -> None:
    """Also where it is named while the other deal goes."""
    bench = giving(store, "south", policy="only_if_empty", create=["north", "south"], delete="archive")
    run(bench)
    edit(bench, "south", owner="2")
    bench.crms["north"].delete_deal(*bench.crms["north"].deal_ids())
    run(bench)

    assert ["2", "2"] == owners(bench)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_owner_is_given_also_where_the_deal_that_one_was_made_for_is_gone_before_it_is_read(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """Nobody is left whom it could be held against, and it is nobody's word all the same: the deal goes as well."""
    bench = giving(store, "south", policy=policy, create=["north", "south"], delete="archive")
    bench.crms["south"].able = True
    unread(bench, monkeypatch)
    bench.clock.advance(TEN)
    bench.crms["north"].delete_deal(*bench.crms["north"].deal_ids())
    after = [run(bench), run(bench), run(bench)]

    assert [[]] * 3 == [list(cycle.plan.blocked) for cycle in after if cycle.plan]
    assert [] == owners(bench)
