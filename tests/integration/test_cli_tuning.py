"""`simulate-rules` and `review`: what they print, and the one document that programs get."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.shop import Shop


def changed(shop: Shop, old: str, new: str) -> str:
    """Write a changed process beside the shop's, and give its path."""
    path: Path = shop.folder / "new.yaml"
    path.write_text((shop.folder / "process.yaml").read_text("utf-8").replace(old, new), "utf-8")
    return str(path)


def test_a_changed_process_is_tried_beside_the_one_that_is(shop: Shop) -> None:
    """Per rule what was judged and failed, then the deals that it would no longer find."""
    shop.call("pull")
    said = shop.call("simulate-rules", "--process", changed(shop, "required: [decision_maker]", "required: [name]"))

    assert 0 == said.code
    assert "Nothing was saved or written." in said.out
    assert "qualification.who" in said.out
    assert "-1 no longer found" in said.out
    assert "Handover (north:d18)" in said.out


def test_the_document_has_both_sides_of_each_rule(shop: Shop) -> None:
    """And their places; without another process there is one side."""
    shop.call("pull")
    new = changed(shop, "required: [decision_maker]", "required: [name]")
    both = shop.call("simulate-rules", "--process", new, "--json").document["result"]
    alone = shop.call("simulate-rules", "--json").document["result"]
    rule = next(rule for rule in both["rules"] if rule["rule"] == "qualification.who")

    assert (1, 0) == (rule["before"]["failed"], rule["after"]["failed"])
    assert (0, 1) == (rule["newly_flagged"], rule["no_longer_flagged"])
    assert [["north", "deal", "d18"]] == [one["deal"] for one in rule["no_longer_examples"]]
    assert f"{new}:15" == rule["place"]
    assert (False, None) == (alone["compared"], alone["rules"][0]["before"])


def test_the_same_process_makes_no_difference(shop: Shop) -> None:
    """That is said, too."""
    shop.call("pull")
    said = shop.call("simulate-rules", "--process", changed(shop, "", ""))

    assert "The same deals would have been found." in said.out


def test_a_changed_process_with_a_mistake_is_refused(shop: Shop) -> None:
    """With its line, as by `check`."""
    said = shop.call("simulate-rules", "--process", changed(shop, "owner: seller", "owner: selller"))

    assert 3 == said.code
    assert "new.yaml:10:" in said.err
    assert "unknown-role" in said.err


@pytest.mark.parametrize("command", ["simulate-rules", "review"])
def test_looking_back_leaves_no_trace(shop: Shop, command: str) -> None:
    """No run, no finding."""
    shop.call("pull")
    before = shop.call("history", "--json").document["result"]
    assert 0 == shop.call(command).code

    assert before == shop.call("history", "--json").document["result"]
    assert [] == shop.call("findings", "--json").document["result"]["findings"]


@pytest.mark.parametrize("command", ["simulate-rules", "review"])
def test_a_time_that_can_not_be_meant_is_said(shop: Shop, command: str) -> None:
    """With how it is written."""
    said = shop.call(command, "--since", "last year")

    assert 2 == said.code
    assert "'last year' is no moment" in said.err


def test_a_review_has_its_definitions_beside_the_numbers(shop: Shop) -> None:
    """On the terminal and in the document, which has the same."""
    shop.call("pull")
    said, document = shop.call("review"), shop.call("review", "--json").document["result"]

    for title in ("Skipped stages", "Rework", "Working and waiting", "Activities and winning"):
        assert title in said.out
    for definition in document["definitions"].values():
        assert definition.split(":", maxsplit=1)[0] in said.out
    assert "too few to say" in said.out
    assert [{"stage": "qualification", "name": "Qualifying", "passed": 1, "skipped": 0}] == document["skipped"]
    assert {"too_few"} == {one["says"] for one in document["stages"]}


def test_what_a_crm_says_can_not_drive_the_terminal(shop: Shop) -> None:
    """Names of deals come clean."""
    crm = shop.crm("north")
    hostile = crm.create_deal("\x1b[31mEvil\u202e\nname", stage="qualification")
    crm.move_deal(hostile.id, "closing")
    shop.keep(crm)
    shop.call("pull")
    new = changed(shop, "required: [decision_maker]", "required: [name]")
    said = shop.call("simulate-rules", "--process", new).out + shop.call("explain", str(hostile)).out

    assert "Evil name" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
