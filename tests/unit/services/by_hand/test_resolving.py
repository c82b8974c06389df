"""Deciding on what waits: bases are set, nothing is written, and the next plan carries it out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from crmbridge.engine.sync.merge import decided_ref
from crmbridge.errors import ConfigurationError, CrmbridgeError, PlanStaleError
from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.records import Ref
from crmbridge.model.values import Money, Value
from crmbridge.services.by_hand.resolving import conflicts, find_waiting, give, resolve, take
from crmbridge.services.runs.cycle import run_cycle
from crmbridge.services.runs.planning import make_plan
from crmbridge.testing.factories import make_process, make_ref
from crmbridge.testing.workspaces import Bench, make_bench

TWO = ("north", "south")
ASK = {"name": "main", "between": list(TWO)}
READER = "sync/main/x"


def in_conflict() -> tuple[Bench, Blocked, dict[str, Ref]]:
    """Give a linked deal whose name two people changed, as it waits."""
    bench = make_bench(deals=1, parts=dict.fromkeys(TWO, (0, 0)), sync=[ASK])
    refs = {name: bench.crms[name].create_deal("Rollout", stage="qualification", company="1") for name in TWO}
    run_cycle(bench.workspace, "r1")
    bench.clock.sleep(600)
    for name, ref in refs.items():
        bench.crms[name].edit_deal(ref.id, name=f"From the {name}")
    cycle = run_cycle(bench.workspace, "r2")
    assert cycle.plan is not None
    (item,) = cycle.plan.blocked
    store = bench.workspace.store
    store.waiting.replace([item.link], [item], bench.clock.now())
    store.backlog.dealt(READER, store.backlog.pending(READER)[0])
    return bench, item, refs


@pytest.mark.parametrize(("side", "other"), [TWO, tuple(reversed(TWO))])
def test_the_side_that_is_taken_is_carried_to_the_other(side: str, other: str) -> None:
    """By the next plan, like any other change; then all is quiet."""
    bench, item, refs = in_conflict()
    writes = {name: crm.writes for name, crm in bench.crms.items()}
    resolve(bench.workspace, [take(item, side)])
    assert writes == {name: crm.writes for name, crm in bench.crms.items()}
    plan = make_plan(bench.workspace).plan

    assert ([other], ()) == ([change.connection for change in plan.changes], plan.blocked)
    bench.clock.sleep(600)
    run_cycle(bench.workspace, "r3")
    assert {f"From the {side}"} == {bench.crms[n].deal(ref.id).fields["name"] for n, ref in refs.items()}
    assert () == make_plan(bench.workspace).plan.changes


def test_another_value_is_carried_to_both() -> None:
    """Somebody typed it."""
    bench, item, refs = in_conflict()
    resolve(bench.workspace, [give(bench.workspace, item, "Right")])
    run_cycle(bench.workspace, "r3")

    assert {"Right"} == {bench.crms[n].deal(ref.id).fields["name"] for n, ref in refs.items()}


def test_what_was_decided_waits_no_longer_and_is_looked_at_again() -> None:
    """It is in the history, and its records are back in the backlog of every sync."""
    bench, item, refs = in_conflict()
    store = bench.workspace.store
    assert [item] == [one.item for one in conflicts(bench.workspace)]
    run = resolve(bench.workspace, [take(item, "north")])

    assert () == store.waiting.all()
    assert set(refs.values()) <= set(store.backlog.pending(READER)[1])
    assert [(run, 0)] == [(one.id, one.exit_code) for one in store.runs.runs(1)]
    assert "From the north" == store.links.bases([decided_ref(item.link)])[decided_ref(item.link)]["name"]


def test_what_else_waits_under_the_link_stays() -> None:
    """Only one of them was decided on."""
    bench, item, _ = in_conflict()
    other = Blocked(link=item.link, deal=item.deal, name="owner", reason="r", cause=Cause.COUNTERPART)
    bench.workspace.store.waiting.replace([item.link], [item, other], bench.clock.now())
    resolve(bench.workspace, [take(item, "north")])

    assert [other] == [one.item for one in bench.workspace.store.waiting.all()]


def test_a_value_that_changed_since_it_was_shown_is_not_overruled() -> None:
    """Whoever decided did not see it."""
    bench, item, refs = in_conflict()
    bench.crms["south"].edit_deal(refs["south"].id, name="Once more")
    make = bench.workspace
    run_cycle(make, "r3", write=False)
    with pytest.raises(PlanStaleError, match="it is now Once more"):
        resolve(make, [take(item, "north")])
    link = decided_ref(item.link)

    assert "Rollout" == make.store.links.bases([link])[link]["name"]


def test_an_edit_after_the_decision_is_newer() -> None:
    """A decision is a value of its time."""
    bench, item, refs = in_conflict()
    resolve(bench.workspace, [take(item, "north")])
    bench.clock.sleep(600)
    bench.crms["south"].edit_deal(refs["south"].id, name="Newer")
    run_cycle(bench.workspace, "r3")

    assert {"Newer"} == {bench.crms[n].deal(ref.id).fields["name"] for n, ref in refs.items()}


def blocked(name: str, **values: Value) -> Blocked:
    """Give a conflict of one field."""
    return Blocked(link="lnk1", deal=make_ref(), name=name, reason="r", values=values)


TYPED: list[tuple[str, str, Value]] = [
    ("name", "Acme", "Acme"),
    ("name", "", None),
    ("amount", "12000 eur", Money(Decimal(12000), "EUR")),
    ("amount", "12000.50", Money(Decimal("12000.50"), "EUR")),
    ("close_date", "2026-06-10", date(2026, 6, 10)),
    ("stage", "won", "won"),
    ("stage", "qualification", "qualification"),
    ("size", "1.5", Decimal("1.5")),
    ("urgent", "yes", True),
    ("met_at", "2026-06-10T12:00Z", datetime(2026, 6, 10, 12, tzinfo=UTC)),
    ("needs", "b, a", ("a", "b")),
]
FIELDS = [
    {"id": "size", "name": "Size", "type": "number"},
    {"id": "urgent", "name": "Urgent", "type": "bool"},
    {"id": "met_at", "name": "Met", "type": "datetime"},
    {"id": "needs", "name": "Needs", "type": "choices", "options": ["a", "b"]},
]


def typing_bench() -> Bench:
    """Give a workspace whose process has a field of each kind."""
    return make_bench(parts={"north": (0, 0)}, process=make_process(fields=[*make_fields(), *FIELDS]), sync=[])


def make_fields() -> list[dict[str, str]]:
    """Give the usual fields."""
    return [{"id": field.id, "name": str(field.name)} for field in make_process().fields]


@pytest.mark.parametrize(("name", "text", "value"), TYPED)
def test_what_is_typed_is_read_as_the_fields_kind(name: str, text: str, value: Value) -> None:
    """An amount without a currency has that of the sides."""
    item = blocked(name, north=Money(Decimal(1), "EUR") if name == "amount" else None)

    assert value == give(typing_bench().workspace, item, text).value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("amount", "much"),
        ("amount", "1 euros"),
        ("amount", "nan EUR"),
        ("amount", "infinity"),
        ("size", "sNaN"),
        ("close_date", "tomorrow"),
        ("stage", "nowhere"),
        ("owner", "nobody@example.com"),
        ("size", "big"),
        ("urgent", "perhaps"),
        ("met_at", "2026-06-10T12:00"),
        ("company", "Acme"),
    ],
)
def test_what_is_none_of_the_fields_kind_is_refused_with_an_example(name: str, text: str) -> None:
    """Nothing that the CRMs would refuse is decided on."""
    with pytest.raises(ConfigurationError) as caught:
        give(typing_bench().workspace, blocked(name), text)

    assert caught.value.advice


def test_an_amount_needs_a_currency_where_the_sides_differ() -> None:
    """It would be a guess."""
    item = blocked("amount", north=Money(Decimal(1), "EUR"), south=Money(Decimal(1), "USD"))
    with pytest.raises(CrmbridgeError, match="no money"):
        give(typing_bench().workspace, item, "5")


def test_a_side_without_a_value_can_not_be_taken() -> None:
    """The ones that can are named."""
    with pytest.raises(ConfigurationError, match="east holds no name") as caught:
        take(blocked("name", north="a"), "east")

    assert "Take one of: north." == caught.value.advice


def test_what_is_no_conflict_says_how_it_is_settled() -> None:
    """Each cause has a way of its own."""
    item = Blocked(link="lnk1", deal=make_ref(), name="link", reason="several fit", cause=Cause.LINK)
    with pytest.raises(ConfigurationError, match="several fit") as caught:
        take(item, "north")

    assert "links join" in caught.value.advice


def test_what_waits_is_found_by_the_start_of_its_id() -> None:
    """Its id is the same as long as it waits."""
    bench, item, _ = in_conflict()

    assert item == find_waiting(bench.workspace, item.id[:4]).item
    for text in ("", "zzz"):
        with pytest.raises(ConfigurationError, match="Nothing waits"):
            find_waiting(bench.workspace, text)
