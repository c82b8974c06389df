"""Compiled rules say what the plainest interpreter says, about deals as they come out of CRMs."""

import os
from collections import Counter
from datetime import datetime
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest

from crmbridge.engine.deals.checks import Case, judge, judge_stage
from crmbridge.engine.expr.checking import checked
from crmbridge.engine.expr.compiling import compiled
from crmbridge.engine.time.moments import Moment
from crmbridge.model.findings import Judgement
from crmbridge.model.process import ExitRule, Process
from crmbridge.model.values import Fields, Money, Value, fields_from_text, fields_to_text
from crmbridge.testing.factories import make_process
from crmbridge.testing.rule_cases import FIELDS, NOW, draw_check, draw_deal, draw_expression
from crmbridge.testing.rule_oracle import Scene, judgement_of, value_of

PAIRS = int(os.environ.get("CRMBRIDGE_RULE_PAIRS", "20000"))  # 1000000 at night
PER_RULE = 20
ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "Pacific/Chatham")]
STAGE = {"id": "first", "name": "First", "purpose": "Go on.", "owner": "sales"}
JUDGED = {True: Judgement.PASS, False: Judgement.FAIL, None: Judgement.UNKNOWN}


@pytest.fixture(scope="module")
def process() -> Process:
    """Give a process with the fields that expressions are drawn of."""
    return make_process(fields=[{"id": name, "name": name, "type": kind} for name, kind in FIELDS.items()])


def test_a_compiled_expression_is_what_the_interpreter_says(process: Process) -> None:
    """In all zones, with values missing, empty, endless, and of other kinds; the judgement is the value."""
    draw, seen = Random(6), Counter[object]()
    while seen.total() < PAIRS:
        text = draw_expression(draw)
        term, faults = checked(text, FIELDS)
        if term is None:
            assert {"expr-constant", "expr-too-large"} >= {fault.code for fault in faults}, text
            continue
        run, rule = compiled(term), ExitRule.model_validate({"id": "rule", "check": {"expr": text}})
        for _ in range(PER_RULE):
            fields, zone = draw_deal(draw), draw.choice(ZONES)
            expected = value_of(term, Scene(fields=fields, now=NOW, zone=zone))
            case = Case(process=process, stage=process.stages[0], fields=fields, now=NOW, zone=zone)
            seen[expected] += 1

            assert expected is run(fields, Moment(NOW, zone)), (text, fields, zone)
            assert JUDGED[expected] is judge(rule, case).judgement, (text, fields, zone)

    assert min(seen.values()) > PAIRS / 20, seen


def test_every_other_check_is_what_the_interpreter_says(process: Process) -> None:
    """The same deals, and what each check is defined to say of them."""
    draw, seen = Random(7), Counter[Judgement]()
    for _ in range(PAIRS // PER_RULE):
        rule = ExitRule.model_validate({"id": "rule", "check": draw_check(draw)})
        for _ in range(PER_RULE):
            fields, zone = draw_deal(draw), draw.choice(ZONES)
            case = Case(process=process, stage=process.stages[0], fields=fields, now=NOW, zone=zone)
            expected = judgement_of(rule.check, Scene(fields=fields, now=NOW, zone=zone))
            seen[expected] += 1

            assert expected is judge(rule, case).judgement, (rule, fields, zone)

    assert min(seen[judgement] for judgement in JUDGED.values()) > PAIRS / 20, seen


def test_rules_that_are_asked_together_say_what_each_says_alone() -> None:
    """A stage's rules share what they read of a deal, in memory or as it is stored, and do each other no harm."""
    draw, seen = Random(8), Counter[Judgement]()
    fields = [{"id": name, "name": name, "type": kind} for name, kind in FIELDS.items()]
    while seen.total() < PAIRS:
        rules = [{"id": f"r{n}", "check": _draw_any(draw), "when": _draw_any(draw)} for n in range(PER_RULE)]
        for rule in rules[: PER_RULE // 2]:
            del rule["when"]
        process = make_process(fields=fields, stages=[{**STAGE, "exit": rules}])
        stage = process.stages[0]
        for _ in range(PER_RULE):
            deal, zone = draw_deal(draw), draw.choice(ZONES)
            for held in (deal, *_as_stored(deal)):
                case = Case(process=process, stage=stage, fields=held, now=NOW, zone=zone)
                alone = [judge(rule, case)._replace(seen={}) for rule in stage.exit]
                seen.update(verdict.judgement for verdict in alone)

                # What was seen is left out: of values that are no number, none is equal to itself.
                assert alone == [verdict._replace(seen={}) for verdict in judge_stage(case)], (rules, deal, zone)

    assert min(seen[judgement] for judgement in Judgement) > PAIRS / 20, seen


@pytest.mark.parametrize("number", range(1, 12))
def test_a_field_that_is_named_like_something_compiled_is_still_itself(number: int) -> None:
    """What is read once is told apart by what it is, whatever a process calls its fields."""
    name = f"v{number}"
    fields = [{"id": "budget", "name": "Budget", "type": "money"}, {"id": name, "name": name, "type": "number"}]
    rules = [
        {"id": "rich", "check": {"expr": "budget > 5.0"}},
        {"id": "many", "check": {"bounds": {"field": name, "min": "100"}}},
    ]
    process = make_process(fields=fields, stages=[{**STAGE, "exit": rules}])
    deal = {"budget": Money(Decimal(10), "EUR"), name: Decimal(1000)}
    case = Case(process=process, stage=process.stages[0], fields=deal, now=NOW, zone=ZONES[0])

    assert [Judgement.PASS, Judgement.PASS] == [verdict.judgement for verdict in judge_stage(case)]


def _draw_any(draw: Random) -> dict[str, object]:
    """Draw a check of any kind, an expression half of the times."""
    while draw.random() < 0.5:
        text = draw_expression(draw)
        if checked(text, FIELDS)[0] is not None:
            return {"expr": text}
    return draw_check(draw)


def _as_stored(deal: dict[str, Value]) -> list[Fields]:
    """Give a deal as it comes out of a store, which keeps no time without a zone."""
    naive = any(isinstance(value, datetime) and value.tzinfo is None for value in deal.values())
    return [] if naive else [fields_from_text(fields_to_text(deal))]
