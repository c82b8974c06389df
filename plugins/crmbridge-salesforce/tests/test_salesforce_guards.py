"""Exit rules as validation rules: the same verdict as crmbridge's own, well-formed metadata, hostile words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crmbridge.engine import evaluate as engine
from crmbridge.model.findings import FindingKind
from crmbridge.model.process import Process
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.ports import Description, FieldBinding, GuardRequest, Guards, NativeField, Pipeline
from crmbridge.sandbox import Served
from crmbridge.testing.factories import (
    NOON,
    make_deal,
    make_move,
    make_position,
    make_process,
    make_settings,
    make_stage,
    make_subject,
)
from crmbridge_salesforce import plugin
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.guards import PERMISSION, guards
from crmbridge_salesforce.sandbox import Rule, State
from crmbridge_salesforce.sandbox.objects import Object
from crmbridge_salesforce.values import decode

_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?)|([A-Za-z$][\w.$]*)|(>=|<=|[=(),+\-]))', re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Cell:
    """A field's value and the kind of column it stands in."""

    kind: str  # text, number, date, checkbox, picklist, multipicklist, reference
    value: Any


@dataclass(frozen=True)
class Save:
    """What a validation rule sees when a row is saved."""

    before: Mapping[str, Cell]
    after: Mapping[str, Cell]
    today: date
    permissions: frozenset[str] = frozenset()


def refuses(formula: str, save: Save) -> bool:
    """Give what a formula says of a save; raises AssertionError for one that an org would refuse."""
    reader = _Reader(formula, save)
    found = reader.comparison()
    assert reader.at == len(reader.tokens), f"left over: {reader.tokens[reader.at :]}"
    assert isinstance(found, bool), f"a rule is true or false, not {found!r}"
    return found


class _Reader:
    """Reads strictly and computes at once: what it does not know, or what an org would refuse, fails.

    `live` is False in the branch of an IF that is not taken.
    """

    def __init__(self, formula: str, save: Save) -> None:
        self.tokens = _tokens(formula)
        self.at = 0
        self.save = save
        self.live = True

    def comparison(self) -> Any:
        left = self.sum()
        sign = self.peek()
        if sign not in {">=", "<=", "="}:
            return left
        self.at += 1
        right = self.sum()
        if not self.live:
            return False
        assert None not in {left, right}, "a blank is compared"
        assert type(left) is type(right), f"{left!r} is compared with {right!r}"
        assert not isinstance(left, Cell), "a picklist is compared as a text"
        return {">=": left >= right, "<=": left <= right}[sign] if sign != "=" else left == right

    def sum(self) -> Any:
        found = self.term()
        while self.peek() in {"+", "-"}:
            sign, other = self.take(), self.term()
            if self.live:
                found = _added(found, other, sign)
        return found

    def term(self) -> Any:
        token = self.take()
        if token[0] == '"':
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token[1:-1], flags=re.DOTALL)
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            return Decimal(token)
        if self.peek() == "(":
            return getattr(self, f"do_{token.lower()}")()
        if token in {"TRUE", "FALSE"}:
            return token == "TRUE"
        if token.startswith("$Permission."):
            return token.removeprefix("$Permission.") in self.save.permissions
        cell = self.save.after[token]
        return cell if cell.kind in {"picklist", "multipicklist"} else cell.value

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def arguments(self) -> list[Any]:
        assert self.take() == "("
        found: list[Any] = [] if self.peek() == ")" else [self.comparison()]
        while self.peek() == ",":
            self.at += 1
            found.append(self.comparison())
        assert self.take() == ")"
        return found

    def field(self) -> str:
        assert self.take() == "("
        name = self.take()
        assert self.take() == ")"
        return name

    def truths(self) -> list[bool]:
        found = self.arguments()
        assert len(found) > 0
        assert not self.live or all(isinstance(one, bool) for one in found), found
        return found

    def do_and(self) -> bool:
        return all(self.truths())

    def do_or(self) -> bool:
        return any(self.truths())

    def do_not(self) -> bool:
        (one,) = self.truths()
        return not one

    def do_if(self) -> Any:
        assert self.take() == "("
        condition = self.comparison()
        assert not self.live or isinstance(condition, bool)
        branches, live = [], self.live
        for wanted in (True, False):
            assert self.take() == ","
            self.live = live and condition is wanted
            branches.append(self.comparison())
        self.live = live
        assert self.take() == ")"
        return branches[0] if condition else branches[1]

    def do_isblank(self) -> bool:
        (one,) = self.arguments()
        assert not isinstance(one, bool) or not self.live, "a checkbox is never blank"
        if isinstance(one, Cell):
            assert one.kind == "multipicklist", "ISBLANK takes no picklist"
            return not one.value
        return one is None or one == ""

    def do_text(self) -> str:
        (one,) = self.arguments()
        assert one == Cell("picklist", one.value), "TEXT is for picklists here"
        return one.value or ""

    def do_trim(self) -> str:
        (one,) = self.arguments()
        return (one or "").strip()

    def do_lower(self) -> str:
        (one,) = self.arguments()
        return str(one).lower()

    def do_left(self) -> str:
        text, length = self.arguments()
        return str(text)[: int(length)]

    def do_today(self) -> date:
        assert self.arguments() == []
        return self.save.today

    def do_case(self) -> Any:
        value, *cases = self.arguments()
        pairs = dict(zip(cases[:-1:2], cases[1::2], strict=True))
        return pairs.get(value, cases[-1])

    def do_ischanged(self) -> bool:
        name = self.field()
        return self.save.before[name] != self.save.after[name]

    def do_priorvalue(self) -> Any:
        return self.save.before[self.field()]

    def do_ispickval(self) -> bool:
        cell, text = self.arguments()
        assert cell.kind == "picklist"
        return (cell.value or "") == text

    def do_includes(self) -> bool:
        cell, text = self.arguments()
        assert cell.kind == "multipicklist"
        assert text
        return text in (cell.value or "").split(";")


def _added(left: Any, right: Any, sign: str) -> Any:
    assert None not in {left, right}, "a blank is counted"
    if isinstance(left, date):
        assert sign == "-"
        return Decimal((left - right).days)
    return left + right if sign == "+" else left - right


def _tokens(formula: str) -> list[str]:
    found, at = [], 0
    while at < len(formula.rstrip()):
        match = _TOKEN.match(formula, at)
        assert match, f"can't be read from here: {formula[at : at + 40]!r}"
        found.append(match[0].strip())
        at = match.end()
    return found


B2B = Path(__file__).parents[3] / "config/processes/b2b.yaml"
SPACE = "{http://soap.sforce.com/2006/04/metadata}"
ORDER = ("qualification", "proposal", "closing", "care")
TODAY = NOON.date()
WORDS = ("low", "high", 'a "quoted" \\ one', "Köln <&> 'x'", "two\nlines")
# Field of the process -> its type there, and the column that holds it: type in the account, kind, percentage.
COLUMNS: dict[str, tuple[FieldType, FieldType, str, bool]] = {
    "text": (FieldType.TEXT, FieldType.TEXT, "text", False),
    "number": (FieldType.NUMBER, FieldType.NUMBER, "number", False),
    "share": (FieldType.NUMBER, FieldType.NUMBER, "number", True),
    "amount": (FieldType.MONEY, FieldType.MONEY, "number", False),
    "day": (FieldType.DATE, FieldType.DATE, "date", False),
    "ticked": (FieldType.BOOL, FieldType.BOOL, "checkbox", False),
    "answer": (FieldType.BOOL, FieldType.BOOL, "picklist", False),
    "said": (FieldType.BOOL, FieldType.TEXT, "text", False),
    "choice": (FieldType.CHOICE, FieldType.CHOICE, "picklist", False),
    "choices": (FieldType.CHOICES, FieldType.CHOICES, "multipicklist", False),
    "listed": (FieldType.TEXT, FieldType.CHOICE, "picklist", False),
    "person": (FieldType.USER, FieldType.USER, "reference", False),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from((None, *WORDS)),
    "number": st.sampled_from([None, *map(Decimal, ("-3", "0", "9.99", "10", "10.01", "1000000"))]),
    "date": st.sampled_from([None, *(TODAY + timedelta(days=days) for days in (-30, -1, 0, 1, 30))]),
    "checkbox": st.booleans(),
    "picklist": st.sampled_from((None, *WORDS[:4])),
    "multipicklist": st.sampled_from((None, "low", "low;high", 'a "quoted" \\ one;high')),
    "reference": st.sampled_from((None, "005000000000001AAA")),
}
ANSWERS = st.sampled_from((None, "Yes", "no", "TRUE", "0", "Perhaps"))


def native(name: str) -> str:
    """Name the column of a field."""
    return "Amount" if name == "amount" else f"{name}__c"


def make_account(**more: Any) -> Description:
    """Describe an account that has all columns."""
    fields = tuple(
        NativeField(
            name=native(name),
            label=name.title(),
            type=stored,
            options=("Yes", "No") if kind == "picklist" else (),
            percent=percent,
        )
        for name, (_, stored, kind, percent) in COLUMNS.items()
    )
    return Description(**{"account": "Acme", "pipelines": (), "fields": fields, "users": (), **more})


def make_request(process: Process, **overrides: Any) -> GuardRequest:
    """Make a request for a process whose stages are those of the factories' settings."""
    usual: dict[str, Any] = {
        "connection": "north",
        "process": process,
        "stages": make_settings().stages["north"].map,
        "pipeline": "default",
        "fields": tuple(
            FieldBinding(name=name, native=native(name), type=meant) for name, (meant, *_) in COLUMNS.items()
        ),
        "account": make_account(),
    }
    return GuardRequest(**{**usual, **overrides})


def make_guarded(*rules: dict[str, Any], stage: str = "qualification", **more: Any) -> Process:
    """Make the usual process with these exit rules on one stage."""
    stages = [make_stage(name, exit=list(rules) if name == stage else []) for name in ORDER[:3]]
    fields = [{"id": name, "name": name.title(), "type": meant.value} for name, (meant, *_) in COLUMNS.items()]
    known = [field for field in fields if field["id"] != "amount"]
    care = make_stage("care", status="won")
    return make_process(**{"stages": [*stages, care], "fields": known, **more})


def read_xml(text: str) -> ET.Element:
    """Read what the export wrote."""
    return ET.fromstring(text)  # noqa: S314  the text is ours


def formulas(found: Guards) -> dict[str, str]:
    """Give the formulas of an export by what they are about."""
    if "objects/Opportunity.object" not in found.files:
        return {}
    root = read_xml(found.files["objects/Opportunity.object"])
    about = [item.findtext(f"{SPACE}description", "") for item in root]
    said = [item.findtext(f"{SPACE}errorConditionFormula", "") for item in root]
    return dict(zip((text.removeprefix("crmbridge: ") for text in about), said, strict=True))


names = st.sampled_from(list(COLUMNS))
several = st.lists(names, min_size=1, max_size=4)
numbers = st.sampled_from(["number", "share", "amount"])
worded = st.sampled_from(["text", "choice", "choices", "listed"])
limits = st.sampled_from(["-3", "0", "10", "12.5"])
checks = st.one_of(
    several.map(lambda fields: {"required": fields}),
    st.tuples(several, st.integers(1, 4)).map(lambda pair: {"of": pair[0], "at_least": pair[1]}),
    st.tuples(numbers, limits).map(lambda pair: {"bounds": {"field": pair[0], "min": pair[1]}}),
    st.tuples(numbers, limits).map(lambda pair: {"bounds": {"field": pair[0], "min": "-3", "max": pair[1]}}),
    st.integers(-30, 30).map(lambda days: {"dates": {"field": "day", "from_days": days}}),
    st.integers(-30, 30).map(lambda days: {"dates": {"field": "day", "from_days": -1, "to_days": days}}),
    st.tuples(
        st.sampled_from(["text", "choice", "choices", "listed"]), st.lists(st.sampled_from(WORDS), min_size=1)
    ).map(lambda pair: {"one_of": {"field": pair[0], "values": pair[1]}}),
    st.tuples(numbers, limits, names).map(
        lambda three: {"approval": {"field": three[0], "over": three[1], "by": three[2]}}
    ),
)
deals = st.fixed_dictionaries(
    {
        name: ANSWERS if meant is FieldType.BOOL and kind != "checkbox" else VALUES[kind]
        for name, (meant, _, kind, _) in COLUMNS.items()
    }
)


def as_read(name: str, raw: Any) -> Any:
    """Give a value as the adapter reads it; one that it can't read is no value."""
    meant, *_ = COLUMNS[name]
    sent = raw.isoformat() if isinstance(raw, date) else raw
    try:
        return decode(sent, meant, "EUR")
    except ValueError:
        return None


def as_saved(deal: dict[str, Any], before: str, after: str, **more: Any) -> Save:
    """Give what a validation rule sees; a formula counts a percentage in hundredths."""
    cells = {
        native(name): Cell(kind, raw / 100 if percent and raw is not None else raw)
        for name, raw in deal.items()
        for _, _, kind, percent in [COLUMNS[name]]
    }
    stages = [{"StageName": Cell("picklist", stage)} for stage in (before, after)]
    return Save({**cells, **stages[0]}, {**cells, **stages[1]}, today=TODAY, **more)


rules = st.fixed_dictionaries(
    {"id": st.just("rule"), "check": checks, "on_unknown": st.sampled_from(["fail", "warn", "skip"])},
    optional={"when": checks},
)
# A stage stands for two of the org's; a move between those two leaves nothing.
SETTINGS = make_settings(
    stages={
        "north": {
            "pipeline": "sales",
            "map": {name: [f"n_{name}", f"m_{name}"] for name in (*ORDER, "won", "lost")},
        }
    }
)


@st.composite
def journeys(draw: st.DrawFn) -> tuple[str, str, str]:
    """Give a stage with a rule, and a change of the org's stage that mostly leaves it behind."""
    place = draw(st.integers(0, 2))
    before = draw(st.sampled_from(ORDER[: place + 1]) | st.sampled_from(ORDER[:3]))
    after = draw(st.sampled_from([*ORDER[place + 1 :], "won"]) | st.sampled_from([*ORDER, "lost"]))
    return ORDER[place], f"n_{before}", f"{draw(st.sampled_from('nm'))}_{after}"


@settings(deadline=None, max_examples=500)
@given(
    rule=rules,
    deal=deals,
    journey=journeys(),
    moves=st.fixed_dictionaries({"skip": st.booleans(), "reopen": st.booleans()}),
)
def test_a_formula_says_what_crmbridge_says(
    rule: dict[str, Any], deal: dict[str, Any], journey: tuple[str, str, str], moves: dict[str, bool]
) -> None:
    """For every check and deal, Salesforce refuses exactly the moves after which crmbridge would have a finding."""
    stage, before, after = journey
    process = make_guarded(rule, stage=stage, moves=moves)
    found = guards(make_request(process, stages=SETTINGS.stages["north"].map))
    was, now = (make_position(native[2:])._replace(stage=native) for native in (before, after))
    subject = make_subject(
        make_move(None, before[2:], at=NOON - timedelta(days=5), id="m1"),
        replace(make_move(id="m2"), before=was, after=now),
        deal=make_deal(position=now, fields={name: as_read(name, raw) for name, raw in deal.items()}),
        process=process,
        settings=SETTINGS,
    )
    findings = engine.evaluate(subject, NOON).findings if before != after else ()
    expected = {finding.rule for finding in findings if finding.kind is FindingKind.EXIT_RULE}
    expected |= {"move" for finding in findings if finding.kind is FindingKind.ILLEGAL_MOVE}
    save = as_saved(deal, before, after)
    refused = {name for name, formula in formulas(found).items() if refuses(formula, save)}

    assert f"{stage}.rule" in found.covered
    assert expected == refused


@pytest.mark.parametrize(
    ("field", "raw", "counts"),
    [
        ("answer", "no", False),
        ("answer", "Yes", True),
        ("answer", "Perhaps", False),
        ("said", "0", False),
        ("said", "TRUE", True),
        ("ticked", False, False),
        ("text", "no", True),
        ("text", None, False),
    ],
)
def test_a_no_does_not_count(field: str, raw: Any, counts: bool) -> None:  # noqa: FBT001  a parameter of the test
    """Of yes/no fields only a yes counts, however the org stores it; a text counts whatever it says."""
    found = guards(make_request(make_guarded({"id": "rule", "check": {"at_least": 1, "of": [field]}})))
    save = as_saved({**dict.fromkeys(COLUMNS), "ticked": False, field: raw}, "n_qualification", "n_proposal")

    assert counts is not refuses(formulas(found)["qualification.rule"], save)


@settings(deadline=None)
@given(
    nexts=st.lists(st.none() | st.lists(st.sampled_from(ORDER), max_size=2), min_size=3, max_size=3),
    before=st.sampled_from(ORDER[:3]),
    after=st.sampled_from(ORDER),
)
def test_the_road_between_stages_is_the_process_s(nexts: list[Any], before: str, after: str) -> None:
    """Where `next` leads elsewhere than to the following stage, the stages left behind are crmbridge's own."""
    rule = {"id": "rule", "check": {"required": ["text"]}}
    stages = [
        make_stage(name, exit=[rule], **({"next": ways} if ways is not None else {}))
        for name, ways in zip(ORDER, nexts, strict=False)
    ]
    process = make_guarded(stages=[*stages, make_stage("care", status="won")])
    subject = make_subject(
        make_move(None, before, at=NOON - timedelta(days=5), id="m1"),
        make_move(before, after, id="m2"),
        deal=make_deal(stage=after),
        process=process,
    )
    kinds = {FindingKind.EXIT_RULE, FindingKind.ILLEGAL_MOVE}
    findings = engine.evaluate(subject, NOON).findings if before != after else ()
    expected = {finding.rule for finding in findings if finding.kind in kinds}
    save = as_saved(dict.fromkeys(COLUMNS), f"n_{before}", f"n_{after}")

    assert expected == {
        name for name, formula in formulas(guards(make_request(process))).items() if refuses(formula, save)
    }


def test_crmbridge_itself_may_pass() -> None:
    """Whoever holds the permission is not held up, or a move that was made elsewhere could never arrive."""
    found = guards(make_request(make_guarded({"id": "rule", "check": {"required": ["text"]}})))
    formula = formulas(found)["qualification.rule"]
    deal = dict.fromkeys(COLUMNS)
    held, free = (
        as_saved(deal, "n_qualification", "n_proposal", permissions=frozenset(owned)) for owned in ((), (PERMISSION,))
    )

    assert [True, False] == [refuses(formula, save) for save in (held, free)]
    assert f"<name>{PERMISSION}</name>" in found.files["permissionsets/CrmBridge_Integration.permissionset"]


def test_a_rule_looks_at_changes_of_stage_only() -> None:
    """A deal that is broken where it stands can still be edited, created and moved back."""
    found = guards(make_request(make_guarded({"id": "rule", "check": {"required": ["text"]}}, stage="proposal")))
    formula = formulas(found)["proposal.rule"]
    moves = [("proposal", "proposal"), ("proposal", "qualification"), ("proposal", "lost"), ("proposal", "closing")]

    saves = [as_saved(dict.fromkeys(COLUMNS), f"n_{before}", f"n_{after}") for before, after in moves]

    assert [False, False, False, True] == [refuses(formula, save) for save in saves]


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


KINDS = {"boolean": "checkbox", "currency": "number", "percent": "number", "date": "date", "picklist": "picklist"}


def as_cells(one: Object, row: Mapping[str, Any]) -> dict[str, Cell]:
    """Give a row of the sandbox as a formula sees it."""
    kinds = {name: KINDS.get(column.type, "text") for name, column in one.columns.items()}
    hundredths = {name for name, column in one.columns.items() if column.type == "percent" and row[name] is not None}
    return {name: Cell(kinds[name], row[name] / 100 if name in hundredths else row[name]) for name in kinds}


def test_the_bundled_process_is_held_by_an_org(org: Served, client: httpx.Client, adapter: SalesforceAdapter) -> None:
    """With the account asked, a seller's move is refused in the rule's own words, and a good one goes through."""
    process = Process.model_validate(yaml.safe_load(B2B.read_text("utf-8")))
    types = {field.id: field.type for field in process.fields}
    bound = tuple(FieldBinding(name=name, native=at, type=types[name]) for name, at in plugin.FIELDS.items())
    stages = {name: (at,) for name, at in plugin.STAGES.items()}
    found = guards(make_request(process, fields=bound, stages=stages, account=adapter.describe()))
    state: State = org.sandbox.state
    one = state.tables.objects["Opportunity"]
    root = read_xml(found.files["objects/Opportunity.object"])
    for item in root:
        formula = item.findtext(f"{SPACE}errorConditionFormula", "")

        def broken(before: Any, after: Any, formula: str = formula) -> bool:
            # A new row was not changed.
            old, new = as_cells(one, before or after), as_cells(one, after)
            return refuses(formula, Save(old, new, today=state.clock.now().date()))

        state.rules.append(Rule(refuses=broken, message=item.findtext(f"{SPACE}errorMessage", "")))
    new = {"Name": "N", "StageName": "Negotiation/Review", "CloseDate": "2026-07-01", "discount__c": 15}
    deal = client.post("sobjects/Opportunity", json={**new, "objections__c": "none"}).json()["id"]
    refused = client.patch(f"sobjects/Opportunity/{deal}", json={"StageName": "Contracting"})
    approved = {"StageName": "Contracting", "discount_approved_by__c": "Rita"}

    beside = {"qualification.decision_maker", "qualification.conversation"}
    assert {"prospecting.contact", "diagnosis.meetings", *beside} == {one.rule for one in found.left_out}
    assert (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION") == (refused.status_code, refused.json()[0]["errorCode"])
    assert "A discount of … % needs the name of who approved it" == refused.json()[0]["message"]
    assert 204 == client.patch(f"sobjects/Opportunity/{deal}", json=approved).status_code
    assert 204 == client.patch(f"sobjects/Opportunity/{deal}", json={"StageName": "Prospecting"}).status_code
