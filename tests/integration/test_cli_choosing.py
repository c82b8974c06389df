"""How much of a plan is written: limits and selections, for plans made now and for plan files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crmbridge.model.records import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.shop import Answer, Shop

    from crmbridge.model.values import Value


def planned(shop: Shop) -> list[dict[str, Any]]:
    """Give the changes that are pending: an update and two creations in the south, a task in the north."""
    found: list[dict[str, Any]] = shop.call("plan", "--json").document["result"]["plan"]["changes"]
    return found


@pytest.mark.parametrize("command", [["apply", "--yes"], ["run"]])
def test_a_plan_over_the_limit_is_not_written_at_all(shop: Shop, command: list[str]) -> None:
    """It ends with 7 and says what to do; within the limit all of it is written."""
    said = shop.call(*command, "--max-changes", "3")

    assert 7 == said.code
    assert "The plan has more changes (4) than --max-changes 3 allows; nothing of it was written" in said.err
    assert "--select" in said.err
    assert 4 == len(planned(shop))
    assert 0 == shop.call(*command, "--max-changes", "4", "--max-deletes", "0").code
    assert [] == planned(shop)


def test_a_saved_plan_over_the_limit_is_not_written_either(shop: Shop, tmp_path: Path) -> None:
    """The file says how much it is."""
    file = str(tmp_path / "plan.json")
    shop.call("plan", "--out", file)

    assert 7 == shop.call("apply", file, "--yes", "--max-changes", "1").code
    assert 0 == shop.call("apply", file, "--yes", "--max-changes", "1", "--select", "update").code
    assert {"create", "task"} == {change["action"] for change in planned(shop)}


@pytest.mark.parametrize(
    ("select", "left"),
    [
        (["create"], ["task", "update"]),
        (["north"], ["create", "create", "update"]),
        (["south:d16"], ["create", "create", "task"]),
        (["north:d18"], ["create", "update"]),
        (["task", "update"], ["create", "create"]),
    ],
)
def test_a_part_is_written_and_the_rest_stays_pending(shop: Shop, select: list[str], left: list[str]) -> None:
    """By connection, action, or record; a record stands for its link, and so for its counterpart to be."""
    said = shop.call("apply", "--yes", *(word for one in select for word in ("--select", one)))

    assert 0 == said.code
    assert f"{len(left)} changes not selected; what is left out stays pending." in said.out
    assert left == sorted(change["action"] for change in planned(shop))


def test_one_change_or_link_is_selected_by_its_id(shop: Shop) -> None:
    """As `--json` and plan files give it."""
    update = next(change for change in planned(shop) if change["action"] == "update")
    linked = {change["id"] for change in planned(shop) if change.get("link") == update["link"]}

    assert 1 == len(linked)
    answer = shop.call("run", "--json", "--select", update["link"]).document["result"]
    assert [update["id"]] == [receipt["change"] for receipt in answer["applied"]["receipts"]]
    assert {"unselected": 3, "dependent": []} == answer["left_out"]


def test_a_selection_that_fits_nothing_writes_nothing(shop: Shop) -> None:
    """Which is no error: for cron there may be nothing to do today."""
    said = shop.call("apply", "--yes", "--select", "note")

    assert 0 == said.code
    assert "Nothing in the plan fits what is selected." in said.out
    assert "The CRMs agree" not in said.out
    assert "4 changes not selected" in said.out
    assert 4 == len(planned(shop))


def test_a_selection_that_can_not_be_read_says_what_can(shop: Shop) -> None:
    """Before anything is written."""
    said = shop.call("apply", "--yes", "--select", "everything")

    assert 3 == said.code
    assert "an action (update)" in said.err
    assert 4 == len(planned(shop))
    shop.call("apply", "--yes")
    said = shop.call("apply", "--yes", "--select", "everything")
    assert (3, True) == (said.code, "'everything' names nothing" in said.err), "also where nothing is left to write"


def never(_fields: Mapping[str, Value]) -> str:
    """Refuse every edit of a deal."""
    return "nothing is taken any more"


def test_what_waits_is_counted_alike_by_the_run_the_history_and_the_conflicts(shop: Shop) -> None:
    """What a CRM refused waits for a person as what the plan asked about does."""
    south = shop.crm("south")
    south.rules.append(never)
    shop.keep(south)
    said = shop.call("run")

    assert "1 thing needs a person; `crmbridge conflicts` lists what waits" in said.out
    assert 1 == len(shop.call("conflicts", "--json").document["result"]["waiting"])
    assert "3 applied, 1 refused, 1 waits for a person" in shop.call("history").out
    assert 1 == shop.call("history", "--json").document["result"]["runs"][0]["summary"]["waiting"]


def test_what_changed_since_the_plan_is_skipped_and_named(shop: Shop, tmp_path: Path) -> None:
    """With what is there now; the command ends with 8."""
    file = str(tmp_path / "plan.json")
    shop.call("plan", "--out", file)
    south = shop.crm("south")
    south.edit_deal("d16", amount=None)
    shop.keep(south)
    said = shop.call("apply", file, "--yes")

    assert 8 == said.code
    assert 'stale  update "Rollout"  amount changed since the plan was made: it is now (empty)' in said.out
    assert 1 == len(shop.crm("south").named("Handover"))


def test_a_second_run_waits_as_long_as_it_is_told(shop: Shop) -> None:
    """And tells what it could not read of the time."""
    assert 0 == shop.call("pull", "--wait").code
    assert 0 == shop.call("run", "--wait=90s").code
    said = shop.call("apply", "--wait", "plan.json")

    assert 2 == said.code
    assert "--wait=10m" in said.err


def test_undo_shows_asks_and_restores(shop: Shop) -> None:
    """The fields that the run wrote; what can't be undone is named, with its exit code."""
    run = shop.call("run", "--json").document["result"]["run"]
    assert 13 == shop.call("undo", run).code
    said = shop.call("undo", run, "--yes")

    assert 7 == said.code
    assert '~ update "Rollout"  south:d16' in said.out
    assert "amount   12,000 EUR  → 10,000 EUR" in said.out
    assert "south archives nothing that crmbridge asks for" in said.out
    assert_it_names_what_is_left(said)
    assert "10,000 EUR" == str(shop.crm("south").deal("d16").fields["amount"])
    assert ["undo", "cycle"] == [r["command"] for r in shop.call("history", "--json").document["result"]["runs"]][:2]
    again = shop.call("undo", run, "--yes", "--json").document
    assert [] == again["result"]["plan"]["changes"]


def assert_it_names_what_is_left(said: Answer) -> None:
    """What an undo leaves waits nowhere, so nobody is sent to the conflicts for it."""
    assert "3 things are not undone; the plan says why, under `!`." in said.out
    assert "some of it is not undone (exit 7)." in said.err
    assert "crmbridge conflicts" not in said.out + said.err


def test_an_undo_can_be_saved_and_applied_later(shop: Shop, tmp_path: Path) -> None:
    """It is a plan file like any other."""
    run = shop.call("run", "--json").document["result"]["run"]
    file = tmp_path / "undo.json"
    said = shop.call("undo", run, "--out", str(file))
    (change,) = json.loads(file.read_text("utf-8"))["changes"]

    assert (7, "undo") == (said.code, change["origin"])
    assert "12,000 EUR" == str(shop.crm("south").deal("d16").fields["amount"])
    assert_it_names_what_is_left(shop.call("apply", str(file), "--yes"))
    assert "10,000 EUR" == str(shop.crm("south").deal("d16").fields["amount"])
    assert 1 == len(shop.crm("north").hanging_on("d18", Kind.TASK)), "a task that can't be archived stays"
