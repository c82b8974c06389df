"""What a process says of people, companies, contacts and criteria hangs together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from crmbridge.engine.coherence import check_process, check_settings
from crmbridge.model.checks import AtLeast
from crmbridge.model.process import Process
from crmbridge.testing.factories import make_process, make_settings, make_stage

FIELDS = [{"id": name, "name": name, "type": "bool"} for name in ("champ.challenges", "champ.authority", "champ.money")]
CHAMP = {"id": "champ", "name": "CHAMP", "fields": [field["id"] for field in FIELDS]}


def process_with(*checks: dict[str, Any], part: str = "exit", **overrides: Any) -> Process:
    """Make a process whose first stage has these checks."""
    rules = [{"id": f"rule{n}", "check": check} for n, check in enumerate(checks)]
    stages = [make_stage("qualification", **{part: rules}), make_stage("proposal"), make_stage("closing")]
    return make_process(**{"fields": [], "stages": [*stages, make_stage("care", status="won")], **overrides})


def told(process: Process) -> list[tuple[str, tuple[str | int, ...]]]:
    """Give codes and paths of what is wrong."""
    return [(issue.code, issue.path) for issue in check_process(process)]


@pytest.mark.parametrize(
    ("check", "code", "path"),
    [
        ({"company": {"required": ["name", "domian"]}}, "unknown-field", ("company", "required", 1)),
        ({"contacts": {"required": ["mail"]}}, "unknown-field", ("contacts", "required", 0)),
        ({"attachments": {"links": ["proposal"]}}, "unknown-field", ("attachments", "links", 0)),
        ({"attachments": {"links": ["amount"]}}, "wrong-field-type", ("attachments", "links", 0)),
        (
            {"approval": {"field": "amount", "over": 1, "by": "source", "who": ["boss", "a@b.example"]}},
            "unknown-role",
            ("approval", "who"),
        ),
    ],
)
@pytest.mark.parametrize("part", ["entry", "exit"])
def test_a_name_that_nothing_has_is_told(check: dict[str, Any], code: str, path: tuple[str, ...], part: str) -> None:
    """In exit rules as in entry rules, at its place."""
    assert (code, ("stages", 0, part, 0, "check", *path)) in told(process_with(check, part=part))


def test_what_is_there_is_fine() -> None:
    """Companies and contacts have fields of their own, and roles and addresses may be mixed."""
    checks: list[dict[str, Any]] = [
        {"company": {"required": ["domain"]}},
        {"contacts": {"at_least": 2, "title": "head", "required": ["email", "title"]}},
        {"attachments": {"links": ["source"], "note": "minutes"}},
        {"activities": {"kind": "call", "within": "30d", "in_stage": True, "subject": "BANT"}},
        {
            "approval": {
                "field": "amount",
                "over": 1,
                "by": "source",
                "who": ["seller", "a@b.example"],
                "not_owner": True,
            }
        },
    ]

    assert [] == told(process_with(*checks))


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"activities": {"within": "5bd"}}, "business time"),
        ({"activities": {"kind": []}}, "at least 1 item"),
        ({"activities": {"kind": " "}}, "match pattern"),
        ({"attachments": {}}, "give links, note or files"),
        ({"at_least": 1, "of": "chmap"}, "there are no criteria 'chmap'"),
    ],
)
def test_what_makes_no_sense_is_refused(check: dict[str, Any], words: str) -> None:
    """When the file is read."""
    with pytest.raises(ValidationError, match=words):
        process_with(check)


def test_entry_and_exit_rules_share_their_ids() -> None:
    """One id is one rule of a stage, and bindings can name each of them."""
    rule = {"id": "same", "check": {"required": ["name"]}}
    twice = make_process(stages=[make_stage("qualification", entry=[rule], exit=[rule])], fields=[])
    entry = make_process(stages=[make_stage("qualification", entry=[rule])], fields=[])

    assert [("duplicate-id", ("stages", 0, "exit", 0, "id"))] == told(twice)
    assert ("move", "qualification.same") == entry.rule_ids()


# ── Criteria ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rule_names_criteria_by_their_id() -> None:
    """Their fields stand in its place, in `check` and in `when`, on entry and on leaving."""
    rule = {"id": "fits", "check": {"at_least": 2, "of": "champ"}, "when": {"at_least": 1, "of": "champ"}}
    process = make_process(
        fields=FIELDS, criteria=[CHAMP], stages=[make_stage(entry=[rule], exit=[{**rule, "id": "again"}])]
    )
    checks = [check for rule in process.stages[0].rules for check in (rule.check, rule.when)]

    assert [2, 1, 2, 1] == [check.at_least for check in checks if isinstance(check, AtLeast)]
    assert {tuple(CHAMP["fields"])} == {check.of for check in checks if isinstance(check, AtLeast)}
    assert [] == told(process)


def test_criteria_are_fields_that_are_there_once() -> None:
    """And more than they have can't be asked for."""
    fields = [*CHAMP["fields"], "champ.money", "champ.need"]
    wrong = process_with({"at_least": 2, "of": "champ"}, fields=FIELDS, criteria=[{**CHAMP, "fields": fields}])
    many = process_with({"at_least": 4, "of": "champ"}, fields=FIELDS, criteria=[CHAMP])

    assert {("unknown-field", ("criteria", 0, "fields", 4)), ("duplicate-id", ("criteria", 0, "fields", 3))} <= set(
        told(wrong)
    )
    assert [("impossible-count", ("stages", 0, "exit", 0, "check", "at_least"))] == told(many)


@pytest.mark.parametrize("criteria", [None, 3, [3], [{"id": "champ"}], {"champ": []}, [{"fields": 1, "id": []}]])
def test_criteria_that_are_written_wrongly_are_told_and_nothing_worse(criteria: Any) -> None:
    """The file is read by whoever made a mistake in it."""
    with pytest.raises(ValidationError):
        process_with({"at_least": 2, "of": "champ"}, criteria=criteria)


# ── Who moves, and who approves ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ({"who": {"proposal": ["seller", "owner", "a@b.example"]}}, []),
        ({"who": {"propsal": ["seller"]}}, [("unknown-stage", ("moves", "who", "propsal"))]),
        ({"who": {"won": ["seller"]}}, [("unknown-stage", ("moves", "who", "won"))]),
        ({"who": {"proposal": ["boss"]}}, [("unknown-role", ("moves", "who", "proposal"))]),
        ({"back": "with_reason", "reason": "source"}, []),
        ({"back": "with_reason", "reason": "why"}, [("unknown-field", ("moves", "reason"))]),
    ],
)
def test_moves_name_what_is_there(moves: dict[str, Any], expected: list[tuple[str, tuple[str, ...]]]) -> None:
    """Stages, roles, and the field of the reason."""
    assert expected == told(process_with(moves=moves))


@pytest.mark.parametrize("moves", [{"back": "with_reason"}, {"back": True, "reason": "source"}, {"back": "maybe"}])
def test_a_reason_belongs_to_going_back(moves: dict[str, Any]) -> None:
    """One without the other is refused."""
    with pytest.raises(ValidationError):
        process_with(moves=moves)


def test_a_role_that_may_approve_or_move_has_people() -> None:
    """Else the rule can't be decided, and `check` says so beforehand."""
    approval = {"approval": {"field": "amount", "over": 1, "by": "source", "who": ["seller"]}}
    process = process_with(approval, moves={"who": {"proposal": ["seller", "owner"]}})

    def codes(**settings: Any) -> list[str]:
        found = check_settings(make_settings(**settings), process)
        return [issue.code for issue in found if issue.path[:1] == ("people",)]

    assert ["nobody-listed"] == codes() == codes(people={"seller": []})
    assert [] == codes(people={"seller": ["a@b.example"]}) == codes(people={"seller": {"north": "a@b.example"}})
