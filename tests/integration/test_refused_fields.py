"""A field that a CRM refuses: it waits, is said at once, and holds up nothing else of its deal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from tests.integration.test_two_way import HOUR, crm, linked, run

from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Blocked, Cause, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.explanation import InStep
from crmbridge.services.by_hand.retrying import retry
from crmbridge.services.runs.running import run_plan
from crmbridge.testing.workspaces import Bench

NEEDS = ("bant.budget", "bant.need", "bant.timeline")
SOON = date(2026, 7, 1)
DEAR, FAIR = Money(Decimal(900), "EUR"), Money(Decimal(90), "EUR")


def too_dear(fields: Mapping[str, Value]) -> str:
    """Refuse an amount as an account's own rule would, without naming the field."""
    amount = fields.get("amount")
    return "over the limit" if isinstance(amount, Money) and amount.amount > 500 else ""


def refusing(fields: Mapping[str, Value]) -> tuple[Bench, str, str]:
    """Give two linked deals, of which the north's is edited, and the south's account has a rule against too much."""
    bench, north, south = linked()
    bench.crms["south"].rules.append(too_dear)
    edit(bench, north, **fields)
    return bench, north, south


def edit(bench: Bench, native: str, **fields: Value) -> None:
    """Let a person edit a deal in the north, some time after the last run."""
    bench.clock.advance(HOUR)
    crm(bench, "north").edit_deal(native, **fields)


def waiting(bench: Bench) -> list[tuple[str, str]]:
    """Give what waits for a person: the field, and why."""
    return [(each.item.name, each.item.reason) for each in bench.workspace.store.waiting.all()]


def in_south(bench: Bench, native: str) -> tuple[Value, Value]:
    """Give the two fields that are edited here, as the south has them."""
    fields = crm(bench, "south").deal(native).fields
    return fields["name"], fields.get("amount")


def planned(bench: Bench) -> list[list[str]]:
    """Plan without writing, and give the fields of each change."""
    cycle = run_plan(bench.workspace).cycle
    return [[edit.name for edit in c.edits] for c in cycle.plan.changes] if cycle and cycle.plan else []


def test_a_field_that_is_refused_does_not_hold_up_the_others() -> None:
    """The run after a refusal writes the rest; what waits in the end is the one field, in the CRM's words."""
    bench, _, south = refusing({"name": "Renamed", "amount": DEAR})
    first, second = run(bench), run(bench)
    there = in_south(bench, south)
    third = run(bench)

    assert ({"refused": 1}, 1) == (first.applied.counts, second.applied.count(Outcome.APPLIED))
    assert ("Renamed", None) == there
    assert [("amount", "refused before: over the limit")] == waiting(bench)
    assert 7 == third.exit_code()


def test_explain_says_that_what_was_refused_waits_for_a_person() -> None:
    """No run takes it up by itself."""
    bench, north, _ = refusing({"name": "Renamed", "amount": DEAR})
    run(bench)
    before = {field.name: field.state for field in explain(bench.workspace, north).fields}
    run(bench), run(bench)
    after = {field.name: field.state for field in explain(bench.workspace, north).fields}

    assert (InStep.HELD, InStep.HELD) == (before["amount"], before["name"])
    assert (InStep.HELD, InStep.IN_STEP) == (after["amount"], after["name"])


def test_what_is_refused_is_not_sent_again_and_again() -> None:
    """It is tried once more when its deal has changed there, and then nothing is sent until something changes."""
    bench, _, _ = refusing({"name": "Renamed", "amount": DEAR})
    for _ in range(3):
        run(bench)
    writes = crm(bench, "south").writes
    quiet = [run(bench), run(bench)]

    assert writes == crm(bench, "south").writes
    assert [7, 7] == [cycle.exit_code() for cycle in quiet]
    assert [("amount", "refused before: over the limit")] == waiting(bench)


def test_a_later_edit_of_another_field_does_not_wait_for_one_that_was_refused() -> None:
    """What was refused goes by itself from then on, so that no run is lost with it."""
    bench, north, south = refusing({"amount": DEAR})
    run(bench)
    run(bench)
    edit(bench, north, name="Renamed")
    later = run(bench)

    assert {"applied": 1} == later.applied.counts
    assert ("Renamed", None) == in_south(bench, south)


def test_another_value_is_a_new_try() -> None:
    """A person corrects what was refused; nothing waits any more."""
    bench, north, south = refusing({"name": "Renamed", "amount": DEAR})
    run(bench)
    run(bench)
    edit(bench, north, amount=FAIR)
    run(bench)
    last = run(bench)

    assert ("Renamed", FAIR) == in_south(bench, south)
    assert ([], 0) == (waiting(bench), last.exit_code())


def test_fields_that_need_each_other_are_tried_together_again() -> None:
    """Nobody may say which of two fields a rule is about: when the deal has changed there, they go as one again."""
    bench, north, south = linked()

    def both_or_neither(fields: Mapping[str, Value]) -> str:
        if fields.get("source") == "blocked":
            return "the deal is blocked"
        return "" if (fields.get("amount") == FAIR) == (fields["name"] == "Renamed") else "these two go together"

    bench.crms["south"].rules.append(both_or_neither)
    bench.clock.advance(HOUR)
    crm(bench, "south").edit_deal(south, source="blocked")
    run(bench)
    edit(bench, north, name="Renamed", amount=FAIR)
    run(bench)
    run(bench)
    waited = [name for name, _ in waiting(bench)]
    bench.clock.advance(HOUR)
    crm(bench, "north").edit_deal(north, source="web")
    crm(bench, "south").edit_deal(south, source="web")
    run(bench)

    assert ["amount", "name"] == waited
    assert ("Renamed", FAIR) == in_south(bench, south)
    assert [] == waiting(bench)


@pytest.mark.parametrize("compares", [False, True])
def test_of_many_fields_half_get_there_in_each_try(*, compares: bool) -> None:
    """One part of a deal is written in each run, whether or not its CRM compares versions, and it comes to an end."""
    held: dict[str, Value] = dict.fromkeys(NEEDS, "yes")
    bench, _, south = refusing({"name": "Renamed", "amount": DEAR, **held})
    crm(bench, "south").compares = compares
    there = []
    for _ in range(7):
        run(bench)
        fields = crm(bench, "south").deal(south).fields
        there.append(sum(fields.get(name) == "yes" for name in NEEDS) + (fields["name"] == "Renamed"))
    writes = crm(bench, "south").writes
    last = run(bench)

    assert [0, 2, 2, 3, 3, 4, 4] == there
    assert [("amount", "refused before: over the limit")] == waiting(bench)
    assert (writes, {}) == (crm(bench, "south").writes, last.applied.counts)


def test_what_a_crm_names_is_left_out_at_once_and_all_the_rest_gets_there() -> None:
    """However many fields it refuses; each of those waits in the end, in its words."""
    bench, _, south = refusing({"name": "Renamed", "amount": DEAR, "close_date": SOON, **dict.fromkeys(NEEDS, "yes")})
    bench.crms["south"].rules = [lambda now: "no" if now.get("amount") == DEAR or now.get("close_date") == SOON else ""]
    bench.crms["south"].blamed = ("amount", "close_date", "owner")
    run(bench)
    second = run(bench)
    fields = crm(bench, "south").deal(south).fields
    for _ in range(5):
        run(bench)
    writes = crm(bench, "south").writes
    last = run(bench)

    assert 1 == second.applied.count(Outcome.APPLIED)
    assert ("Renamed", *["yes"] * 3) == tuple(fields.get(name) for name in ("name", *NEEDS))
    assert [("amount", "refused before: no"), ("close_date", "refused before: no")] == waiting(bench)
    assert (writes, {}) == (crm(bench, "south").writes, last.applied.counts)


def test_a_crm_that_names_the_wrong_field_costs_one_try_more() -> None:
    """What it names is tried alone, and all of it in halves, as where it names nothing."""
    bench, _, south = refusing({"name": "Renamed", "amount": DEAR, **dict.fromkeys(NEEDS, "yes")})
    bench.crms["south"].blamed = ("name",)
    for _ in range(9):
        run(bench)
    fields = crm(bench, "south").deal(south).fields

    assert ("Renamed", *["yes"] * 3) == tuple(fields.get(name) for name in ("name", *NEEDS))
    assert [("amount", "refused before: over the limit")] == waiting(bench)


def test_planning_twice_gives_the_same() -> None:
    """What was refused stays apart for as long as it is wanted, whatever is planned in between."""
    bench, north, _ = refusing({"amount": DEAR})
    run(bench)
    edit(bench, north, name="Renamed")
    first, second = planned(bench), planned(bench)

    assert first == second
    assert [["name"]] == first


def test_what_a_run_was_refused_is_listed_right_after_it() -> None:
    """Whoever is told to look at `conflicts` finds it there, not only after the next plan."""
    bench, _, _ = refusing({"name": "Renamed", "amount": DEAR})
    run(bench)

    assert [("amount, name", "refused before: over the limit")] == waiting(bench)
    assert {Cause.REFUSED} == {each.item.cause for each in bench.workspace.store.waiting.all()}


def test_what_nobody_knows_of_is_listed_right_after_the_run() -> None:
    """An unclear write needs a person's patience; the next run that finds out takes it off the list."""
    bench, north, _ = refusing({})
    crm(bench, "south").faults.append("drop_after")
    edit(bench, north, name="Renamed")
    first = run(bench)
    listed = [each.item.cause for each in bench.workspace.store.waiting.all()]
    run(bench)

    assert (1, [Cause.UNCLEAR]) == (first.applied.count(Outcome.UNKNOWN), listed)
    assert [] == waiting(bench)


def test_what_was_refused_is_tried_again_when_somebody_says_so() -> None:
    """The CRM's own rule was mended, of which no run knows; nothing else changes."""
    bench, _, south = refusing({"name": "Renamed", "amount": DEAR})
    for _ in range(3):
        run(bench)
    (one,) = (each.item for each in bench.workspace.store.waiting.all())
    bench.crms["south"].rules.clear()
    by_itself = run(bench)
    retry(bench.workspace, [one])
    said = run(bench)
    writes = crm(bench, "south").writes

    assert (7, {}) == (by_itself.exit_code(), by_itself.applied.counts)
    assert (0, {"applied": 1}) == (said.exit_code(), said.applied.counts)
    assert ("Renamed", DEAR) == in_south(bench, south)
    assert (0, writes) == (run(bench).exit_code(), crm(bench, "south").writes)


def test_what_was_said_to_be_tried_again_is_tried_once() -> None:
    """Refused again, it waits again."""
    bench, _, _ = refusing({"amount": DEAR})
    run(bench)
    retry(bench.workspace, [each.item for each in bench.workspace.store.waiting.all()])
    again = [run(bench), run(bench)]

    assert [{"refused": 1}, {}] == [cycle.applied.counts for cycle in again]
    assert [("amount", "refused before: over the limit")] == waiting(bench)


def test_a_deal_that_could_not_be_made_is_tried_again_when_somebody_says_so() -> None:
    """A creation that was refused, once the account's rule lets it pass."""
    bench, _, _ = refusing({})
    bench.crms["north"].create_deal("Too dear", stage="qualification", amount=DEAR)
    bench.crms["south"].faults = ["refuse"]
    run(bench)
    run(bench)
    there = len(bench.crms["south"].deal_ids())
    retry(bench.workspace, [each.item for each in bench.workspace.store.waiting.all()])
    run(bench)
    run(bench)

    assert there + 1 == len(bench.crms["south"].deal_ids())


def test_only_what_was_refused_can_be_tried_again() -> None:
    """A conflict is decided otherwise, and says how."""
    item = Blocked(link="l", deal=Ref("south", Kind.DEAL, "1"), name="amount", reason="both changed it")
    bench, _, _ = refusing({})

    with pytest.raises(ConfigurationError, match="was not refused"):
        retry(bench.workspace, [item])
