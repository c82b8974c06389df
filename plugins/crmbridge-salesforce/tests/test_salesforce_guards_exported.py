"""Exit rules as validation rules: what is left out and why, hostile words, and a folder that can be deployed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.ports import FieldBinding, Pipeline
from crmbridge.testing.factories import (
    make_settings,
)
from crmbridge_salesforce.guards import guards

from .formula_reader import refuses
from .guarded import COLUMNS, SPACE, as_saved, formulas, make_account, make_guarded, make_request, read_xml


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ({"activities": {"at_least": 2}}, "not its activities"),
        ({"required": ["contacts"]}, "stands in other records"),
        ({"required": ["lost_reason"]}, "bound to no field"),
        ({"one_of": {"field": "person", "values": ["x"]}}, "no text or picklist"),
        ({"expr": "text != null"}, "checked by crmbridge alone"),
    ],
)
def test_what_a_rule_can_not_see_is_left_out(check: dict[str, Any], why: str) -> None:
    """With a plain reason, and in the steps, too; the condition of a rule is looked at as well."""
    plain = {"id": "plain", "check": {"required": ["text"]}}
    process = make_guarded({"id": "rule", "check": check}, {**plain, "id": "when", "when": check}, plain)
    found = guards(make_request(process))

    assert ["qualification.rule", "qualification.when"] == [one.rule for one in found.left_out]
    assert all(why in one.why and one.why in found.files["STEPS.md"] for one in found.left_out)
    assert "qualification.plain" in found.covered


def test_a_percentage_must_be_known_to_be_one() -> None:
    """A formula counts 10 % as 0.1, so a number is left out as long as the org was not asked."""
    process = make_guarded({"id": "rule", "check": {"bounds": {"field": "number", "min": 5}}})
    found = guards(make_request(process, account=None))

    assert ["use --ask" in one.why for one in found.left_out] == [True]
    assert "qualification.rule" in guards(make_request(process)).covered


def test_a_rule_that_can_not_be_broken_needs_no_formula() -> None:
    """A checkbox is never empty."""
    found = guards(make_request(make_guarded({"id": "rule", "check": {"required": ["ticked"]}}, moves={"skip": True})))

    assert (("qualification.rule",), {}) == (found.covered, found.files)


def test_going_back_is_left_to_crmbridge() -> None:
    """The process allows it where it takes back the last move, which a validation rule does not see."""
    found = guards(make_request(make_guarded(moves={"back": False})))

    assert ["move"] == [one.rule for one in found.left_out]


def test_fields_are_found_by_label_in_the_org() -> None:
    """A binding may name the label; without the org, a label is no name that a formula could use."""
    process = make_guarded({"id": "rule", "check": {"required": ["text"]}})
    fields = (FieldBinding(name="text", native=" TEXT ", type=FieldType.TEXT),)
    asked = guards(make_request(process, fields=fields))
    strange = replace(fields[0], native="x) = 1, TRUE")

    assert "ISBLANK(text__c)" in formulas(asked)["qualification.rule"]
    for account in (make_account(), None):
        unknown = guards(make_request(process, fields=(strange,), account=account))
        assert ["qualification.rule"] == [one.rule for one in unknown.left_out]


def test_rules_hold_in_their_pipeline_only() -> None:
    """A record type is compared in its short form, which is how a formula has it; without one there may be none."""
    process = make_guarded({"id": "rule", "check": {"required": ["text"]}})
    typed = formulas(guards(make_request(process, pipeline="012Sb0000000001MAA")))["qualification.rule"]
    several = make_account(
        pipelines=(
            Pipeline(id="default", label="D", stages=()),
            Pipeline(id="012Sb0000000001MAA", label="R", stages=()),
        )
    )
    untyped = formulas(guards(make_request(process, account=several)))["qualification.rule"]

    assert 'LEFT(RecordTypeId, 15) = "012Sb0000000001"' in typed
    assert "ISBLANK(RecordTypeId)" in untyped


HOSTILE = "</errorMessage><x>&\"'\\ {missing} {passed} ]]> \x00\x1b\u202e\ud800 \U0001f600 " + "very long " * 40


def test_hostile_words_stay_words() -> None:
    """Messages, stage names and options can't break out of the XML or the formula; a message has 255 characters."""
    message = HOSTILE.replace("\ud800", "\ufffe")  # half a pair can't come out of a file at all
    rule = {
        "id": "rule",
        "check": {"one_of": {"field": "text", "values": ['") = "" OR TRUE //', "</x>&"]}},
        "message": message,
    }
    stages = {**make_settings().stages["north"].map, "proposal": ('n_") && </x>',)}
    found = guards(make_request(make_guarded(rule), stages=stages))
    root = read_xml(found.files["objects/Opportunity.object"])
    said = root.findtext(f"{SPACE}validationRules/{SPACE}errorMessage", "")
    deal = {**dict.fromkeys(COLUMNS), "text": "low"}
    save = as_saved(deal, "n_qualification", "n_closing")

    assert said.startswith("</errorMessage><x>&\"'\\ Text … ]]> ")
    assert 255 == len(said)
    assert not re.search("[\x00-\x1f\ufffe]", said)
    assert refuses(formulas(found)["qualification.rule"], save)


def test_values_that_can_not_be_written_are_left_out() -> None:
    """A control character has no form in XML 1.0, so the rule stays with crmbridge."""
    rule = {"id": "rule", "check": {"one_of": {"field": "text", "values": ["a\x01b"]}}}

    assert ["can't be written" in one.why for one in guards(make_request(make_guarded(rule))).left_out] == [True]


def test_a_formula_has_a_longest() -> None:
    """More than 3,900 characters can't be deployed."""
    values = [f"value number {number}" for number in range(200)]
    rule = {"id": "rule", "check": {"one_of": {"field": "text", "values": values}}}

    assert ["3900 is the most" in one.why for one in guards(make_request(make_guarded(rule))).left_out] == [True]


def test_the_folder_is_one_that_can_be_deployed() -> None:
    """Every file is XML, the package names every rule, and names are those that Salesforce takes and differ."""
    rules = [{"id": name, "check": {"required": ["text"]}} for name in ("a_b", "ab", "x" * 60, "x" * 61)]
    found = guards(make_request(make_guarded(*rules)))
    package = read_xml(found.files["package.xml"])
    members = [item.text or "" for item in package.iter(f"{SPACE}members")]
    names = [item.text or "" for item in read_xml(found.files["objects/Opportunity.object"]).iter(f"{SPACE}fullName")]

    for path, text in found.files.items():
        assert path == "STEPS.md" or read_xml(text) is not None
    assert {f"Opportunity.{name}" for name in names} <= set(members)
    assert len(names) == len(set(names)) == 5
    assert all(re.fullmatch(r"[A-Za-z](?:_?[A-Za-z0-9])*", name) and len(name) <= 40 for name in names)
    assert "sf project deploy start --metadata-dir" in found.files["STEPS.md"]
    assert "67.0" == package.findtext(f"{SPACE}version")
