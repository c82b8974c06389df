"""Planning and applying on the command line: what is shown, asked, written and refused, and plans kept in files."""

from __future__ import annotations

import dataclasses
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crmbridge.cli.plan_files import load_plan, save_plan
from crmbridge.model.records import Kind, Problem
from crmbridge.model.replacing import replace

if TYPE_CHECKING:
    from tests.integration.shop import Shop


def test_a_plan_shows_what_would_be_written_and_why(shop: Shop) -> None:
    """Grouped by connection, before and after per field, by the names people use, with one summary line."""
    said = shop.call("plan")

    assert 0 == said.code
    assert '~ update "Rollout"  south:d16' in said.out
    assert "amount   10,000 EUR  → 12,000 EUR" in said.out
    assert '+ create deal "Handover"' in said.out
    assert '+ task on "Handover"  north:d18' in said.out
    assert "because  north:d18 has no counterpart in south" in said.out
    assert "owner    rosa.wang@lumenworks.example" in said.out
    assert "stage    Closing" in said.out
    assert "Plan: 2 to create, 1 to update, 1 task." in said.out
    assert said.out.index("north  filecrm") < said.out.index("south  filecrm")


def test_planning_writes_nothing(shop: Shop) -> None:
    """Not to a CRM, whatever there is to do."""
    before = (shop.folder / "south.crm").read_bytes()
    shop.call("plan")

    assert before == (shop.folder / "south.crm").read_bytes()


def test_text_of_a_crm_can_drive_no_terminal(shop: Shop) -> None:
    """A deal's name with escape sequences, direction marks and line ends is one harmless line."""
    said = shop.call("plan")

    assert '"New one here"' in said.out
    assert set() == {"\x1b", "\u202e"} & set(said.out)


def test_a_value_that_both_sides_changed_needs_a_person(shop: Shop) -> None:
    """It stands in the plan with both values, and the exit code says so."""
    settings = shop.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("prefer: north", "ask"), "utf-8")
    said = shop.call("plan")

    assert 7 == said.code
    assert '! amount of "Rollout"' in said.out
    assert "north    12,000 EUR" in said.out
    assert "south    10,000 EUR" in said.out
    assert "1 needs a person." in said.out


def test_detailed_exit_codes_tell_changes_from_none(shop: Shop) -> None:
    """10 while changes are pending, 0 once they are made."""
    assert 10 == shop.call("plan", "--detailed-exitcode").code
    assert 0 == shop.call("apply", "--yes").code
    assert 0 == shop.call("plan", "--detailed-exitcode").code


def test_apply_without_a_terminal_must_be_told_yes(shop: Shop) -> None:
    """It ends before anything is read or written."""
    said = shop.call("apply")

    assert (13, "") == (said.code, said.out)
    assert "Give --yes" in said.err
    assert "No runs yet." in shop.call("history").out


def test_apply_writes_what_it_showed(shop: Shop) -> None:
    """The plan first, then what became of it; the CRM holds it."""
    said = shop.call("apply", "--yes")

    assert 0 == said.code
    assert "Plan: 2 to create, 1 to update, 1 task." in said.out
    assert "4 applied" in said.out
    assert 1 == len(shop.crm("south").named("Handover"))
    assert 1 == len(shop.crm("north").hanging_on("d18", Kind.TASK))


def test_a_second_run_writes_nothing(shop: Shop) -> None:
    """Two runs in a row: the second finds the CRMs in step."""
    first, second = shop.call("run"), shop.call("run", "--json")

    assert "4 applied" in first.out
    assert {} == second.document["result"]["summary"]["outcomes"]
    assert 0 == second.document["result"]["summary"]["planned"]


def test_secret_files_are_found_from_the_projects_folder(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is called."""
    settings = shop.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("{env: SHOP_TOKEN}", "{file: kept/token}"), "utf-8")
    (shop.folder / "kept").mkdir()
    (shop.folder / "kept" / "token").write_text("t0ken-in-a-file", "utf-8")
    monkeypatch.chdir(shop.folder.parent)

    assert 0 == dataclasses.replace(shop, folder=Path("shop")).call("pull").code


def test_a_saved_plan_is_what_is_applied(shop: Shop, tmp_path: Path) -> None:
    """The file is its owner's alone, and apply makes exactly its changes: by the command that was shown."""
    file = tmp_path / "the plan.json"
    assert f"Saved. crmbridge apply '{file}' writes" in shop.call("plan", "--out", str(file)).out
    wanted = {change["id"] for change in json.loads(file.read_text("utf-8"))["changes"]}
    done = shop.call("apply", str(file), "--yes", "--json").document["result"]["applied"]

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert wanted == {receipt["change"] for receipt in done["receipts"]}
    assert {"applied": 4} == done["outcomes"]


def test_a_plan_of_other_settings_is_stale(shop: Shop, tmp_path: Path) -> None:
    """Nothing is written, and the message says what to do."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    shop.setting('reports: [{name: weekly, sinks: [{html: "reports/"}]}]\n')
    said = shop.call("apply", str(file), "--yes")

    assert 8 == said.code
    assert "other settings" in said.err
    assert [] == shop.crm("south").named("Handover")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "no JSON file"),
        ("{}", "no plan of crmbridge"),
        ('{"format": "terraform"}', "no plan of crmbridge"),
        ('{"format": "crmbridge plan", "version": 99}', "saved by another crmbridge"),
        ("[" * 100_000, "no JSON file"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(shop: Shop, tmp_path: Path, text: str, says: str) -> None:
    """With what it is instead, and exit 3."""
    file = tmp_path / "plan.json"
    file.write_text(text, "utf-8")
    said = shop.call("apply", str(file), "--yes")

    assert 3 == said.code
    assert says in said.err


def test_a_plan_file_of_another_version_is_refused(shop: Shop, tmp_path: Path) -> None:
    """A newer crmbridge may mean something else by the same words."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    body = {**json.loads(file.read_text("utf-8")), "version": 1}
    file.write_text(json.dumps(body), "utf-8")

    assert "version 1" in shop.call("apply", str(file), "--yes").err


def raise_amount(body: dict[str, Any]) -> None:
    """Write another value than was shown."""
    update = next(change for change in body["changes"] if change["action"] == "update")
    update["edits"][0][2] = {"money": ["999999", "EUR"]}


def leave_one_out(body: dict[str, Any]) -> None:
    """Take a change out."""
    body["changes"].pop()


def take_digest(body: dict[str, Any]) -> None:
    """Take away what would tell."""
    del body["digest"]


@pytest.mark.parametrize("edit", [raise_amount, leave_one_out, take_digest])
def test_an_edited_plan_file_is_refused(shop: Shop, tmp_path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """What somebody agreed to is what is written, or nothing."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    body = json.loads(file.read_text("utf-8"))
    edit(body)
    file.write_text(json.dumps(body), "utf-8")
    found = shop.call("apply", str(file), "--yes", "--json").document

    assert (8, "plan_stale") == (found["exit_code"], found["error"]["code"])
    assert "was edited" in found["error"]["message"]
    assert [] == shop.crm("south").named("Handover")


def test_a_plan_file_may_be_laid_out_anew(shop: Shop, tmp_path: Path) -> None:
    """An editor that formats it on saving changes nothing of what it says."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    body = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(dict(reversed(body.items())), indent=8), "utf-8")

    assert 0 == shop.call("apply", str(file), "--yes").code


def test_a_plan_that_was_applied_before_is_not_written_again_and_says_so(shop: Shop, tmp_path: Path) -> None:
    """Nobody should think that each deal was made twice."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    count = len(load_plan(file).changes)
    first = shop.call("apply", str(file), "--yes")
    second = shop.call("apply", str(file), "--yes")

    assert "earlier run" not in first.out
    assert f"{count} of them by an earlier run; nothing was sent twice" in second.out
    assert 1 == shop.call("history").out.count(f"{count} of them by an earlier run")
    assert count == shop.call("apply", str(file), "--yes", "--json").document["result"]["applied"]["before"]


def test_a_plan_file_with_the_same_change_twice_is_refused(shop: Shop, tmp_path: Path) -> None:
    """It would create a deal twice, however the file came about."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    plan = load_plan(file)
    save_plan(replace(plan, changes=(*plan.changes, plan.changes[0])), file)
    found = shop.call("apply", str(file), "--yes", "--json").document

    assert (8, "plan_stale") == (found["exit_code"], found["error"]["code"])
    assert f"{plan.changes[0].id} twice" in found["error"]["message"]
    assert [] == shop.crm("south").named("Handover")


def test_a_plan_says_that_values_could_not_be_read(shop: Shop) -> None:
    """A field that is bound wrongly would else be seen by nobody who only plans."""
    north = shop.crm("north")
    (ref,) = [ref for ref in north.records if ref.kind is Kind.DEAL and ref.id == "d16"]
    north.records[ref] = replace(north.records[ref], problems=(Problem("budget_x", "is no field here", "bant.budget"),))
    shop.keep(north)
    said = [shop.call("plan").out, shop.call("plan", "--no-pull").out]

    assert "north: 1 value just pulled is not readable, and stays as it is; `crmbridge findings` says why." in said[0]
    assert "not readable" not in said[1]
