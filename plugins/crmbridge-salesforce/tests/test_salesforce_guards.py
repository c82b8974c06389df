"""Exit rules as validation rules: the same verdict as crmbridge's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crmbridge.engine.evaluating import evaluate as engine
from crmbridge.model.findings import FindingKind
from crmbridge.model.process import Process
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.ports import FieldBinding
from crmbridge.sandbox import Served
from crmbridge.testing.factories import (
    NOON,
    make_deal,
    make_move,
    make_position,
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

from .formula_reader import Cell, Save, refuses
from .guarded import COLUMNS, ORDER, SPACE, TODAY, as_saved, formulas, make_guarded, make_request, read_xml

B2B = Path(__file__).parents[3] / "config/processes/b2b.yaml"
WORDS = ("low", "high", 'a "quoted" \\ one', "Köln <&> 'x'", "two\nlines")
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

names = st.sampled_from(list(COLUMNS))
several = st.lists(names, min_size=1, max_size=4)
numbers = st.sampled_from(["number", "share", "amount"])
limits = st.sampled_from(["-3", "0", "10", "12.5"])
checks = st.one_of(
    several.map(lambda fields: {"required": fields}),
    st.tuples(several, st.integers(1, 4)).map(lambda pair: {"of": pair[0], "at_least": pair[1]}),
    st.tuples(numbers, limits).map(lambda pair: {"bounds": {"field": pair[0], "min": pair[1]}}),
    st.tuples(numbers, limits).map(lambda pair: {"bounds": {"field": pair[0], "min": "-3", "max": pair[1]}}),
    st.integers(-30, 30).map(lambda days: {"dates": {"field": "day", "from_days": days}}),
    st.integers(-1, 30).map(lambda days: {"dates": {"field": "day", "from_days": -1, "to_days": days}}),
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
