"""Explain: which deal a text names, and what is told of it."""

from __future__ import annotations

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Ref
from crmbridge.services.answers.explaining import MOST_SHOWN, explain, find_deal
from crmbridge.services.answers.explanation import Absent
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.running import run_steps
from crmbridge.testing.workspaces import Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    """Give two empty CRMs."""
    return make_bench(parts={"north": (0, 0), "south": (0, 0)}, sync=[])


def found(bench: Bench, text: str) -> Ref:
    """Pull, and find what a text names."""
    pull(bench.workspace)
    return find_deal(bench.workspace, text).ref


def refusal(bench: Bench, text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        found(bench, text)
    return caught.value


def test_a_deal_is_found_by_its_connection_and_id(bench: Bench) -> None:
    """As it is shown everywhere, and with its kind between the two."""
    here, there = (bench.crms[name].create_deal("Rollout") for name in ("north", "south"))

    assert here == found(bench, str(here))
    assert there == found(bench, str(there))
    assert there == found(bench, f"south:deal:{there.id}")


def test_a_deal_is_found_by_its_id_alone(bench: Bench) -> None:
    """Before names that happen to hold it."""
    first = bench.crms["north"].create_deal("Rollout")
    bench.crms["north"].create_deal(f"Follows {first.id}")

    assert first == found(bench, first.id)


@pytest.mark.parametrize("text", ["Amber Mills: rollout", "amber", "MILLS: R", "Straße 9", "STRASSE"])
def test_a_deal_is_found_by_a_part_of_its_name(bench: Bench, text: str) -> None:
    """Whatever the case, and also when there is a colon in it."""
    bench.crms["south"].create_deal("Copper Foods: support plan")
    ref = bench.crms["north"].create_deal("Amber Mills: Rollout, Straße 9")

    assert ref == found(bench, text)


def test_a_text_that_fits_several_deals_names_them(bench: Bench) -> None:
    """By what would name each alone, and not more of them than can be read."""
    refs = [bench.crms["north"].create_deal(f"Rollout {number}") for number in range(MOST_SHOWN + 2)]
    error = refusal(bench, "rollout")

    assert f"{MOST_SHOWN + 2} deals fit 'rollout'" == error.message
    assert f"{refs[0]} (Rollout 0)" in error.advice
    assert MOST_SHOWN == error.advice.count("(Rollout ")


def test_names_too_long_to_choose_by_are_cut(bench: Bench) -> None:
    """The refs are what is chosen by."""
    for number in range(2):
        bench.crms["north"].create_deal(f"Rollout {number} " + "and more " * 30)
    advice = refusal(bench, "rollout").advice

    assert 2 == advice.count("…)")
    assert len(advice) < 200


def test_the_same_id_in_two_crms_fits_twice() -> None:
    """Ids are the CRM's own, and mean nothing elsewhere."""
    bench = make_bench(deals=1, sync=[])

    assert "Name one of them: north:1 (" in refusal(bench, "1").advice


@pytest.mark.parametrize("text", ["Nobody & Sons", "north:999", "west:1", "north:"])
def test_a_text_that_fits_no_deal_says_what_to_do(bench: Bench, text: str) -> None:
    """It may not be pulled yet."""
    bench.crms["north"].create_deal("Rollout")
    error = refusal(bench, text)

    assert f"No deal fits {text!r}" == error.message
    assert error.advice.startswith("Pull first")


def test_a_deal_without_a_name_fits_no_name(bench: Bench) -> None:
    """`None` is not what it is called."""
    ref = bench.crms["north"].create_deal("")
    bench.crms["north"].edit_deal(ref.id, name=None)

    assert "No deal fits 'none'" == refusal(bench, "none").message


def linked(bench: Bench) -> tuple[Ref, Ref]:
    """Create a deal on both sides, link the two, and give them."""
    refs = tuple(bench.crms[name].create_deal("Rollout", stage="qualification") for name in ("north", "south"))
    pull(bench.workspace)
    bench.workspace.store.links.save({"link-1": refs})
    return refs[0], refs[1]


def test_a_linked_pair_fits_once(bench: Bench) -> None:
    """Both are the same deal, so there is nothing to choose."""
    refs = linked(bench)

    assert found(bench, "rollout") in refs


def test_a_linked_pair_beside_another_deal_fits_several(bench: Bench) -> None:
    """Then the text says too little; the pair is named once, as the one deal that it is to people."""
    north, south = linked(bench)
    bench.crms["south"].create_deal("Rollout, second part")
    error = refusal(bench, "rollout")

    assert "2 deals fit 'rollout'" == error.message
    assert (True, False) == (f"{north} (Rollout)" in error.advice, f"{south} (Rollout)" in error.advice)


def test_an_explanation_shows_all_sides(bench: Bench) -> None:
    """What each CRM holds, in the order of the settings, and whether they are in step."""
    north, south = linked(bench)
    bench.crms["south"].edit_deal(south.id, name="Rollout!", **{"bant.need": "yes"})
    pull(bench.workspace)
    told = explain(bench.workspace, str(south))
    fields = {field.name: field for field in told.fields}

    assert [north, south] == [record.ref for record in told.linked]
    assert {"north": "Rollout", "south": "Rollout!"} == fields["name"].now
    assert (False, True) == (fields["name"].in_step, fields["amount"].in_step)
    assert {"north": None, "south": "yes"} == fields["bant.need"].now


def test_a_side_whose_connection_left_the_settings_is_left_out(bench: Bench) -> None:
    """Nobody can say any more what its fields and stages mean; the link stays for when it comes back."""
    north, _ = linked(bench)
    settings = bench.workspace.project.settings
    only_north = {
        "connections": {"north": settings.connections["north"]},
        "stages": {"north": settings.stages["north"]},
    }
    less = bench.again(settings.model_copy(update=only_north))
    told = explain(less.workspace, str(north))

    assert (north, [north], ()) == (told.subject.ref, [record.ref for record in told.linked], told.fields)


def test_an_explanation_is_what_was_acted_on() -> None:
    """Its findings are the stored ones with their opening times, and its journal has what was written for it."""
    bench = make_bench(deals=12, parts={"north": (0, 1)}, enforce=[{"rule": "*", "action": "note"}])
    began = bench.clock.now()
    run_steps(bench.workspace, "cycle")
    written = next(iter(bench.workspace.store.journal.entries())).change
    told = explain(bench.workspace, str(written.target))

    assert {finding.id: began for finding in told.evaluation.findings} == told.opened
    assert {"note"} == set(told.actions.values())
    assert written.id in {entry.change.id for entry in told.journal}
    assert {written.target} == {entry.change.target for entry in told.journal}
    assert () == told.fields


@pytest.mark.parametrize(
    ("create", "stage", "said"),
    [
        ([], "qualification", {"south": Absent.NOT_NAMED}),
        (["north"], "qualification", {"south": Absent.NOT_NAMED}),
        (["south"], "won", {"south": Absent.CLOSED}),
        (["south"], "qualification", {"south": Absent.NOT_YET}),
    ],
)
def test_where_a_deal_is_not_is_said_with_the_reason(create: list[str], stage: str, said: dict[str, Absent]) -> None:
    """Whoever looks for it there learns whether to wait, or what to change in the settings."""
    entry = {"name": "main", "between": ["north", "south"], "create": create}
    bench = make_bench(deals=1, parts={"north": (0, 0), "south": (0, 0)}, sync=[entry])
    bench.crms["north"].create_deal("Rollout", stage=stage)
    pull(bench.workspace)

    assert said == explain(bench.workspace, "Rollout").absent


def test_a_deal_that_is_kept_in_step_with_nothing_is_missing_nowhere() -> None:
    """Without a sync, other connections have deals of their own."""
    bench = make_bench(deals=1, parts={"north": (0, 0), "south": (0, 0)}, sync=[])
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    pull(bench.workspace)

    assert {} == explain(bench.workspace, "Rollout").absent
