"""What waits for a person on the command line: conflicts and links, listed, shown and settled."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from crmbridge.model.records import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.shop import Shop


@pytest.fixture
def asking(shop: Shop) -> Shop:
    """Let the amount of a deal wait, which both sides hold differently."""
    settings = shop.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("prefer: north", "ask"), "utf-8")
    assert 7 == shop.call("plan").code
    return shop


def waiting(shop: Shop) -> list[dict[str, Any]]:
    """Give what waits."""
    found: list[dict[str, Any]] = shop.call("conflicts", "--json").document["result"]["waiting"]
    return found


def test_what_waits_is_listed_with_both_values(asking: Shop) -> None:
    """And in the plan with the way to decide."""
    said = asking.call("conflicts")
    (one,) = waiting(asking)

    assert 0 == said.code
    assert f'{one["id"]}  amount of "Rollout"' in said.out
    assert "north     12,000 EUR" in said.out
    assert "south     10,000 EUR" in said.out
    assert "1 thing waits for a person." in said.out
    assert f"crmbridge conflicts resolve {one['id']} --take CONNECTION" in asking.call("plan", "--no-pull").out


def test_one_is_shown_in_full_by_the_start_of_its_id(asking: Shop) -> None:
    """With its records."""
    (one,) = waiting(asking)
    said = asking.call("conflicts", "show", one["id"][:4])

    assert 0 == said.code
    assert f"crmbridge conflicts resolve {one['id']} --take south" in said.out
    assert {"north:d16", "south:d16"} <= set(said.out.split())


@pytest.mark.parametrize(
    ("options", "amounts"),
    [
        (["--take", "south"], {"north": "10,000 EUR", "south": "10,000 EUR"}),
        (["--value", "11000 EUR"], {"north": "11,000 EUR", "south": "11,000 EUR"}),
    ],
)
def test_a_decision_is_carried_out_by_the_next_run(asking: Shop, options: list[str], amounts: dict[str, str]) -> None:
    """And by nothing before it; it is in the history."""
    (one,) = waiting(asking)
    said = asking.call("conflicts", "resolve", one["id"], *options)
    before = {name: str(asking.crm(name).deal("d16").fields["amount"]) for name in amounts}

    assert 0 == said.code
    assert "The next plan carries it out" in said.out
    assert {"north": "12,000 EUR", "south": "10,000 EUR"} == before
    assert [] == waiting(asking)
    assert 0 == asking.call("run").code
    assert amounts == {name: str(asking.crm(name).deal("d16").fields["amount"]) for name in amounts}
    commands = [run["command"] for run in asking.call("history", "--json").document["result"]["runs"]]
    assert "conflicts" in commands


def test_the_history_says_who_decided_what(asking: Shop) -> None:
    """In the list by its number, and of one run with the field, the deal and the value."""
    (one,) = waiting(asking)
    run = asking.call("conflicts", "resolve", one["id"], "--take", "south", "--by", "Ann Lee", "--json").document
    listed = next(line for line in asking.call("history").out.splitlines() if "conflicts" in line)
    shown = asking.call("history", run["result"]["run"]).out

    assert listed.endswith("1 decided, by Ann Lee")
    assert "1 decided, by Ann Lee" in shown
    assert 'amount of "Rollout": 10,000 EUR' in shown
    assert "It wrote nothing to a CRM." in shown


def test_the_history_of_a_deal_says_why_it_was_changed_and_who_decided(asking: Shop) -> None:
    """Each write with the values before and after, the reason and the run, and between them what people decided."""
    (one,) = waiting(asking)
    decided = asking.call("conflicts", "resolve", one["id"], "--take", "south", "--by", "Ann Lee", "--json").document
    wrote = asking.call("apply", "--yes", "--json").document["result"]["run"]
    lines = [line for line in asking.call("history", "south:d16").out.splitlines() if "amount" in line]

    assert decided["result"]["run"] in lines[-2]
    assert wrote in lines[-1]
    assert lines[-2].endswith("amount: 10,000 EUR, by Ann Lee")
    assert "north  update     applied  amount: 12,000 EUR → 10,000 EUR; amount was settled" in lines[-1]
    assert "amount: 12,000 EUR → 10,000 EUR; amount was settled" in asking.call("explain", "north:d16").out


def test_the_history_of_a_deal_outlives_it(asking: Shop) -> None:
    """By its ref, as its name is gone with it."""
    (one,) = waiting(asking)
    asking.call("conflicts", "resolve", one["id"], "--take", "south")
    asking.call("run")
    shown = asking.call("history", "north:d16", "--json").document["result"]
    north = asking.crm("north")
    north.delete_deal("d16")
    asking.keep(north)
    asking.call("pull")

    assert shown == asking.call("history", "north:d16", "--json").document["result"]
    assert 3 == asking.call("explain", "north:d16").code
    assert 3 == asking.call("history", "north:d999").code


def test_a_company_that_differs_is_told_by_its_name(asking: Shop) -> None:
    """Not by the link that it stands in, which nobody has ever seen."""
    north = asking.crm("north")
    deal = north.create_deal("Tender", stage="prospecting", company="3", owner="2")
    name = next(one.fields["name"] for ref, one in north.records.items() if (ref.kind, ref.id) == (Kind.COMPANY, "3"))
    asking.keep(north)
    asking.call("run")
    shown = asking.call("explain", f"north:{deal.id}").out

    assert f"company  {name}" in shown
    assert "lnk" not in shown


def test_a_deal_that_is_called_nearly_as_a_run_goes_by_its_name(asking: Shop) -> None:
    """What can be no run's id is not looked for among runs; what can be one, and is none, is said to be none."""
    north = asking.crm("north")
    north.create_deal("20260610Tender", stage="prospecting", company="3", owner="2")
    asking.keep(north)
    asking.call("run")

    assert "name: 20260610Tender" in asking.call("history", "20260610Tender").out
    assert "There is no run '20260610T12-'" in asking.call("history", "20260610T12-").err


def test_what_was_decided_long_ago_is_in_the_history_of_its_deal(asking: Shop) -> None:
    """Many runs follow a decision, and most of them did nothing."""
    (one,) = waiting(asking)
    asking.call("conflicts", "resolve", one["id"], "--take", "south", "--by", "Ann Lee")
    with contextlib.closing(sqlite3.connect(asking.folder / ".crmbridge" / "state.db")) as state, state:
        state.executemany(
            "INSERT INTO runs (id, command, started_at, summary) SELECT ?, 'run', started_at, '{}' FROM runs LIMIT 1",
            [(f"later-{number}",) for number in range(10_001)],
        )

    assert "by Ann Lee" in asking.call("history", "south:d16").out


def test_a_decision_is_not_undone_as_if_it_had_been_written(asking: Shop) -> None:
    """No CRM was written to, and the decision stands: whoever asks for an undo is told both."""
    (one,) = waiting(asking)
    run = asking.call("conflicts", "resolve", one["id"], "--take", "south", "--json").document["result"]["run"]
    said = asking.call("undo", run, "--yes")
    pulled = asking.call("undo", asking.call("history", "--json").document["result"]["runs"][-1]["id"], "--yes")

    assert (0, 0) == (said.code, pulled.code)
    assert "That run wrote nothing to a CRM, so there is nothing to undo." in said.out
    assert "What was decided, linked or waived by it stays" in said.out
    assert "That run wrote nothing to a CRM" in pulled.out
    assert "stays" not in pulled.out


def test_the_history_says_what_people_linked_and_waived(shop: Shop) -> None:
    """These runs write nothing either, and are there to be looked up."""
    shop.call("run")
    shop.call("links", "split", "south:d16")
    shop.call("links", "join", "north:d16", "south:d16")
    found = shop.call("findings", "--json").document["result"]["findings"][0]["id"]
    shop.call("findings", "waive", found, "--by", "Ann Lee", "--why", "a pilot", "--until", "30d")
    shop.call("findings", "unwaive", found, "--by", "Bo")
    said = shop.call("history").out

    assert "split south:d16" in said
    assert "joined north:d16, south:d16" in said
    assert f"waived {found}, by Ann Lee" in said
    assert f"took back the waiver of {found}, by Bo" in said


def test_all_are_decided_for_one_side_after_asking(asking: Shop) -> None:
    """Without a terminal it must be told yes."""
    assert 13 == asking.call("conflicts", "resolve", "--all", "--take", "north").code
    answer = asking.call("conflicts", "resolve", "--all", "--take", "north", "--yes", "--json").document["result"]

    assert [("amount", {"money": ["12000", "EUR"]})] == [(one["name"], one["value"]) for one in answer["resolved"]]
    assert [] == waiting(asking)
    again = asking.call("conflicts", "resolve", "--all", "--take", "north", "--yes")
    assert (0, "No conflict has a value of that side.") == (again.code, again.out.strip())


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        (["resolve"], 2, "by its id, or give --all"),
        (["resolve", "x"], 2, "--take CONNECTION or --value TEXT"),
        (["resolve", "x", "--take", "north", "--value", "1"], 2, "--take CONNECTION or --value TEXT"),
        (["resolve", "--all", "--value", "1"], 2, "which side"),
        (["list", "--take", "north"], 2, "are for `conflicts resolve`"),
        (["retry", "--all", "--by", "Ann Lee"], 2, "are for `conflicts resolve`"),
        (["retry", "x", "--take", "north"], 2, "are for `conflicts resolve`"),
        (["show", "--all"], 2, "--all is for"),
        (["retry"], 2, "by its id, or give --all"),
        (["retry", "ID"], 3, "was not refused"),
        (["show"], 2, "by its id"),
        (["show", "zz"], 3, "Nothing waits under 'zz'"),
        (["resolve", "ID", "--take", "west"], 3, "Take one of: north, south"),
        (["resolve", "ID", "--value", "much"], 3, "Write it as 12000 EUR"),
    ],
)
def test_what_was_typed_wrong_is_said(asking: Shop, typed: list[str], code: int, says: str) -> None:
    """And nothing is decided."""
    (one,) = waiting(asking)
    said = asking.call("conflicts", *(one["id"] if word == "ID" else word for word in typed))

    assert code == said.code
    assert says in said.err
    assert [one["id"]] == [each["id"] for each in waiting(asking)]


def test_the_list_says_how_to_see_what_settles_one(asking: Shop) -> None:
    """Whoever was sent here by a run needs the next step, also of what no value settles."""
    said = asking.call("conflicts")

    assert "`crmbridge conflicts show ID` says how one is settled." in said.out


def test_links_are_listed_shown_split_and_joined(shop: Shop) -> None:
    """A deal that was split off is not joined again by itself, and not made a second time."""
    shop.call("run")
    listed = shop.call("links", "list", "rollout", "--json").document["result"]
    (link,) = listed["links"]
    assert (1, "Rollout") == (listed["count"], link["name"])
    assert link["id"] in shop.call("links", "show", "south:d16").out
    said = shop.call("links", "split", "south:d16")
    assert 0 == said.code
    shop.call("plan")
    assert 0 == shop.call("links", "list", "rollout", "--json").document["result"]["count"]
    joined = shop.call("links", "join", "north:d16", "south:d16", "--json").document["result"]["link"]

    assert [["north", "deal", "d16"], ["south", "deal", "d16"]] == [one["ref"] for one in joined["records"]]
    assert 1 == shop.call("links", "list", "rollout", "--json").document["result"]["count"]


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        (["join", "north:d16"], 2, "Name the records that are the same"),
        (["split"], 2, "Name the one record to split"),
        (["show", "north:nope"], 3, "There is no link of"),
        (["join", "north:d16", "north:d18"], 3, "both of north"),
        (["join", "north:d16", "somewhere"], 3, "names no record"),
    ],
)
def test_links_that_can_not_be_are_said(shop: Shop, typed: list[str], code: int, says: str) -> None:
    """With what to do."""
    shop.call("pull")
    said = shop.call("links", *typed)

    assert code == said.code
    assert says in said.err


def test_the_counterpart_of_a_deal_that_was_merged_away_is_shown_with_what_it_may_be_merged_into(shop: Shop) -> None:
    """Both merged deals had one: that is the other's, never itself, and two of one CRM can't be joined."""
    shop.call("run")
    records = [one["records"] for one in shop.call("links", "--json").document["result"]["links"]]
    pairs = [{record["ref"][0]: record["ref"][2] for record in one} for one in records]
    north, (kept, lost) = shop.crm("north"), pairs[:2]
    north.merge_deals(winner=kept["north"], loser=lost["north"])
    shop.keep(north)
    shop.call("plan")
    said, (unclear,) = shop.call("links"), shop.call("links", "--json").document["result"]["unclear"]

    assert ["south", "deal", lost["south"]] == unclear["record"]
    assert [["south", "deal", kept["south"]]] == unclear["candidates"]
    assert f"merge them in south, or: crmbridge links split south:{lost['south']}" in said.out
    assert "Of another kind" not in said.out
    assert (
        "Of another kind: 1 record unclear; `crmbridge links --kind deal` lists"
        in shop.call("links", "--kind", "company").out
    )


def test_names_from_a_crm_drive_no_terminal(shop: Shop) -> None:
    """In none of these screens."""
    shop.call("run")
    said = shop.call("links").out + shop.call("conflicts").out

    assert "New one here" in said
    assert set() == {"\x1b", "\u202e"} & set(said)


def test_a_saved_plan_asks_no_more_what_was_decided_since(asking: Shop, tmp_path: Path) -> None:
    """The run that writes it says what waits now, as `conflicts` does, and ends as a plan made now would."""
    file = str(tmp_path / "plan.json")
    asking.call("plan", "--out", file)
    before = asking.call("apply", file, "--yes", "--json", "--select", "archive").code
    (one,) = waiting(asking)
    asking.call("conflicts", "resolve", one["id"], "--take", "south")
    said = asking.call("apply", file, "--yes", "--json")
    nothing = asking.call("apply", file, "--yes", "--json", "--select", "archive").code

    assert (7, 0, 0) == (before, said.code, nothing)
    assert (3, 0, 0) == tuple(said.document["result"]["summary"][name] for name in ("planned", "blocked", "waiting"))
    assert "question" not in asking.call("history").out.splitlines()[1]


@pytest.mark.parametrize("command", [["apply"], ["apply", "FILE"], ["apply", "FILE", "--select", "archive"]])
def test_a_plan_with_nothing_to_write_ends_with_what_waits(asking: Shop, tmp_path: Path, command: list[str]) -> None:
    """Whether it is made now, was saved, or nothing of it is selected."""
    file = tmp_path / "plan.json"
    asking.call("run")
    asking.call("plan", "--out", str(file))
    said = asking.call(*(str(file) if part == "FILE" else part for part in command), "--yes")

    assert 7 == said.code
    assert "Plan: 1 needs a person." in said.out


def test_an_undo_that_can_undo_nothing_ends_alike_from_a_file(shop: Shop, tmp_path: Path) -> None:
    """What it leaves waits nowhere, and is told each time."""
    file = str(tmp_path / "undo.json")
    shop.call("run")
    run = shop.call("history", "--json").document["result"]["runs"][0]["id"]
    south = shop.crm("south")
    south.edit_deal("d16", amount=None)
    shop.keep(south)
    codes = [shop.call("undo", run, "--yes").code, shop.call("undo", run, "--out", file).code]

    assert [7, 7, 7] == [*codes, shop.call("apply", file, "--yes").code]
    assert [] == waiting(shop)


def test_what_one_setting_settles_is_said_once(shop: Shop) -> None:
    """A person whom no CRM knows keeps many deals waiting: the list names one of them, and it names the others."""
    crm = shop.crm("north")
    for number in range(5):
        deal = crm.create_deal(f"Deal {number}", stage="qualification", company="1", owner="1")
        crm.move_deal(deal.id, "closing")
    shop.keep(crm)
    settings = shop.folder / "crmbridge.yaml"
    asked = "action: reassign, to: gone@acme.example, severity: error"
    settings.write_text(settings.read_text("utf-8").replace("action: task, severity: error", asked), "utf-8")
    planned, ran = shop.call("plan"), shop.call("run")
    listed = shop.call("conflicts")
    one = waiting(shop)[0]
    shown = shop.call("conflicts", "show", one["id"])

    why = "so the deal keeps its owner (qualification.who: `enforce` 2)"
    assert (1, 1) == (planned.out.count(why), listed.out.count(why))
    assert "and 5 others" in planned.out
    assert "and 5 others" in listed.out
    assert "6 things wait for a person." in listed.out
    assert (7, 6) == (ran.code, len(waiting(shop)))
    assert "The same waits on 5 other deals:" in shown.out
    assert all(f'"Deal {number}"' in shown.out for number in range(5))


def test_what_a_crm_refuses_of_many_deals_is_said_once_by_the_run(shop: Shop) -> None:
    """As of tasks of a kind that the CRM does not have."""
    crm = shop.crm("north")
    for number in range(5):
        deal = crm.create_deal(f"Deal {number}", stage="qualification", company="1", owner="1")
        crm.move_deal(deal.id, "closing")
    shop.keep(crm)
    shop.trouble("north", "no tasks")
    said = shop.call("run")

    assert 7 == said.code
    assert 1 == said.out.count("it knows no such task")
    assert "and 5 others" in said.out


def test_what_was_to_be_written_is_told_from_what_is_there(shop: Shop) -> None:
    """After an arrow, as in a plan; a task is called so, by what it says."""
    shop.trouble("north", "no tasks")
    shop.call("run")
    said = shop.call("conflicts")

    assert 'a task of "Handover"' in said.out
    assert "→ Exit rule not met: Handover (qualification.who)" in said.out


def test_what_was_refused_is_tried_again_by_the_next_run(shop: Shop) -> None:
    """Once somebody says so, as `conflicts show` tells them; then nothing is refused any more."""
    crm = shop.crm("south")
    crm.faults = ["refuse"]
    shop.keep(crm)
    first = shop.call("run").code
    (one,) = [each for each in waiting(shop) if each["cause"] == "refused"]
    told = shop.call("conflicts", "show", one["id"]).out
    logged = shop.call("history", "20").out
    by_itself = shop.call("run").code
    said = shop.call("conflicts", "retry", one["id"])
    again = shop.call("run").code
    nothing = shop.call("conflicts", "retry", "--all").out

    assert "Nothing waits that a CRM refused." in nothing
    assert (7, 7, 0, 0) == (first, by_itself, said.code, again)
    assert f"crmbridge conflicts retry {one['id']}" in " ".join(told.split())
    assert "`crmbridge conflicts retry --all`" in logged
    assert "1 thing that was refused is tried again, once." in said.out
    assert [] == waiting(shop)
