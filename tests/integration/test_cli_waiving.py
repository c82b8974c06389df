"""`crmbridge findings`: accepting one, taking that back, its history, long lists, and thresholds for cron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.shop import Shop

WHO = ["--by", "Ann Lee", "--why", "a pilot"]


def finding(shop: Shop, *options: str) -> dict[str, Any]:
    """Give the only finding there is."""
    (found,) = shop.call("findings", "--json", *options).document["result"]["findings"]
    return dict(found)


def test_a_waived_finding_is_shown_as_such_and_fails_no_script(shop: Shop) -> None:
    """By whom, why and until when, at once; the next run asks for nothing any more."""
    shop.call("enforce")
    name = finding(shop)["id"][:5]
    assert 0 == shop.call("findings", "waive", name, *WHO, "--until", "30d").code

    found = finding(shop)
    assert ("waived", "Ann Lee", "a pilot") == (found["state"], found["waived"]["by"], found["waived"]["why"])
    assert "qualification.who: waived by Ann Lee until" in shop.call("findings").out
    assert 0 == shop.call("findings", "--fail-on", "error").code
    assert 0 == shop.call("enforce", "--fail-on", "error").code
    assert [] == shop.call("findings", "--state", "open", "--json").document["result"]["findings"]


def test_a_waiver_that_ends_soon_is_pointed_out(shop: Shop) -> None:
    """In the list and in its answer."""
    shop.call("enforce")
    name = finding(shop)["id"]
    shop.call("findings", "waive", name, *WHO, "--until", "48h")

    assert "1 waiver here ends within a week." in shop.call("findings").out
    assert 1 == shop.call("findings", "--json").document["result"]["ending_soon"]
    shop.call("findings", "waive", name, *WHO, "--until", "60d")
    assert 0 == shop.call("findings", "--json").document["result"]["ending_soon"]


def test_a_waiver_is_taken_back(shop: Shop) -> None:
    """Then the finding is open again; a second time there is none to take back."""
    shop.call("enforce")
    name = finding(shop)["id"]
    shop.call("findings", "waive", name, *WHO, "--until", "2999-12-31")
    assert 0 == shop.call("findings", "unwaive", name, "--by", "Bo").code

    assert "open" == finding(shop)["state"]
    assert 9 == shop.call("findings", "--fail-on", "error").code
    assert 3 == shop.call("findings", "unwaive", name, "--by", "Bo").code


def test_one_finding_is_shown_with_its_history(shop: Shop) -> None:
    """What happened to it, what crmbridge did, and what would clear it."""
    shop.call("enforce")
    name = finding(shop)["id"]
    shop.call("findings", "waive", name, *WHO, "--until", "30d")
    shop.call("findings", "unwaive", name, "--by", "Bo")
    shown = shop.call("findings", "show", name[:6], "--json").document["result"]

    assert ["opened", "waived", "resumed"] == [event["turn"] for event in shown["events"]]
    assert "taken back by Bo" == shown["events"][-1]["said"]
    assert ["task", "task"] == [entry["change"]["action"] for entry in shown["journal"]]
    assert ["Complete what the stage asks for, or move the deal back."] == shown["clears"]
    said = shop.call("findings", "show", name[:6]).out
    assert "to clear" in said
    assert [1, 1] == [said.count(once) for once in ("Fill in", "Complete what")]
    assert "taken back by Bo" in said


@pytest.mark.parametrize(
    ("language", "says", "advice"), [("pt", "O negócio saiu de", "Complete o que"), ("zh", "离开", "请补齐")]
)
def test_findings_are_told_in_the_language_of_the_settings(shop: Shop, language: str, says: str, advice: str) -> None:
    """Ids, words to search by and --json stay as they are."""
    shop.call("enforce")
    name, before = finding(shop)["id"], shop.call("findings", "show", finding(shop)["id"], "--json").out
    shop.setting(f"language: {language}\n")
    listed, shown = shop.call("findings").out, shop.call("findings", "show", name).out

    assert [True, True] == ["qualification.who: " in listed, says in listed]
    assert [True, True, False] == [says in shown, advice in shown, "Complete what" in shown]
    assert before == shop.call("findings", "show", name, "--json").out


def test_a_waiver_is_a_run_of_its_own(shop: Shop) -> None:
    """So the history has it."""
    shop.call("enforce")
    name = finding(shop)["id"]
    shop.call("findings", "waive", name, *WHO, "--until", "30d")
    newest = shop.call("history", "--json").document["result"]["runs"][0]

    assert ("findings", name, "Ann Lee") == (newest["command"], newest["summary"]["waived"], newest["summary"]["by"])


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (["waive", "ID", "--by", "Ann", "--why", "x"], 2),
        (["waive", "ID", "--until", "3d"], 2),
        (["waive", "ID", *WHO, "--until", "soon"], 3),
        (["waive", "ID", *WHO, "--until", "2020-01-01"], 3),
        (["waive", "ID", "--by", " ", "--why", "x", "--until", "3d"], 3),
        (["waive", "0000", *WHO, "--until", "3d"], 3),
        (["waive", *WHO, "--until", "3d"], 2),
        (["unwaive", "ID", "--by", "Bo"], 3),
        (["show"], 2),
        (["show", "0000"], 3),
        (["show", "ID", "--owner", "rita"], 2),
        (["list", "ID"], 2),
        (["--age", "long"], 2),
        (["--by", "Ann"], 2),
    ],
)
def test_what_can_not_be_meant_is_said(shop: Shop, typed: list[str], code: int) -> None:
    """And nothing is waived."""
    shop.call("enforce")
    name = finding(shop)["id"]

    assert code == shop.call("findings", *(name if word == "ID" else word for word in typed)).code
    assert "open" == finding(shop)["state"]


def test_findings_are_listed_by_connection_age_and_state(shop: Shop) -> None:
    """What was just opened is not three days old; cleared ones are shown when asked for."""
    shop.call("enforce")

    def count(*filters: str) -> int:
        return int(shop.call("findings", "--json", *filters).document["result"]["total"])

    assert 1 == count("--connection", "north") == count("--age", "0h") == count("--state", "open")
    assert 0 == count("--connection", "south") == count("--age", "3d") == count("--state", "cleared")
    north = shop.crm("north")
    (broken,) = north.named("Handover")
    north.edit_deal(broken.ref.id, decision_maker="Ada")
    shop.keep(north)
    shop.call("enforce")
    assert (0, 1) == (count(), count("--state", "cleared"))


def test_a_long_list_comes_in_parts(shop: Shop) -> None:
    """With how many there are in all."""
    north = shop.crm("north")
    for number in range(4):
        deal = north.create_deal(f"Broken {number}", stage="qualification", company="2", owner="1")
        north.move_deal(deal.id, "closing")
    shop.keep(north)
    shop.call("enforce")
    parts = [
        shop.call("findings", "--json", "--limit", "2", "--skip", str(skip), *owner).document["result"]
        for owner in ([], ["--owner", "rosa"])
        for skip in (0, 2, 4)
    ]

    assert [5] * 6 == [part["total"] for part in parts]
    assert [2, 2, 1] * 2 == [len(part["findings"]) for part in parts]
    assert 5 == len({one["id"] for part in parts[:3] for one in part["findings"]})
    assert "3 to 4 of 5 in all" in shop.call("findings", "--limit", "2", "--skip", "2").out


@pytest.mark.parametrize(
    ("limits", "code", "said"),
    [
        ("{warn_if: {count: 1}}", 0, "*: 1 open finding, warn_if says 1"),
        ("{warn_if: {count: 1}, error_if: {count: 1}}", 9, "error_if says 1"),
        ("{rule: '*.who', severity: error, error_if: {percent: 20}}", 9, "1 of 4 open deals, error_if says 20.0 %"),
        ("{error_if: {percent: 50}}", 0, ""),
        ("{error_if: {count: 2}}", 0, ""),
        ("{rule: '*.sla', error_if: {count: 1}}", 0, ""),
    ],
)
def test_a_threshold_decides_how_a_run_ends(shop: Shop, limits: str, code: int, said: str) -> None:
    """The answer names which one was reached; a warning changes no exit code."""
    shop.setting(f"thresholds: [{limits}]\n")
    answer = shop.call("enforce")

    assert code == answer.code
    assert said in answer.out
    assert ("too many" in answer.out) == bool(said)
    assert bool(said) == ("thresholds" in shop.call("enforce", "--json").document["result"])


def test_waived_findings_reach_no_threshold(shop: Shop) -> None:
    """They are accepted."""
    shop.setting("thresholds: [{error_if: {count: 1}}]\n")
    assert 9 == shop.call("enforce").code
    shop.call("findings", "waive", finding(shop)["id"], *WHO, "--until", "30d")

    assert 0 == shop.call("enforce").code
