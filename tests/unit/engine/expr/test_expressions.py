"""A rule that is an expression judges, says what it saw and what failed, and its words never say otherwise than it."""

from datetime import UTC, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from crmbridge.engine.deals.checks import Case, Verdicts, judge, judge_stage, turns_at
from crmbridge.model.findings import Judgement, Verdict
from crmbridge.model.process import ExitRule, Process, Stage
from crmbridge.model.values import Fields, Money
from crmbridge.testing.factories import NOON, make_process, make_stage
from crmbridge.testing.rule_cases import FIELDS, draw_check, draw_deal, draw_expression

PASS, FAIL, UNKNOWN, OTHER = Judgement.PASS, Judgement.FAIL, Judgement.UNKNOWN, Judgement.NOT_APPLICABLE
OWN = [{"id": name, "name": name.title(), "type": kind} for name, kind in FIELDS.items() if name != "name"]
LARGE, SMALL = Money(Decimal(60000), "EUR"), Money(Decimal(100), "EUR")


def process_of(*rules: dict[str, Any]) -> Process:
    """Make a process whose first stage has these rules."""
    exit_rules = [{"id": f"rule{number}", **rule} for number, rule in enumerate(rules)]
    return make_process(fields=OWN, stages=[make_stage("qualification", exit=exit_rules), make_stage("next")])


def case_of(process: Process, fields: Fields) -> Case:
    return Case(process=process, stage=process.stages[0], fields=fields, now=NOON, zone=UTC)


def verdict(expr: str, fields: Fields, **rule: Any) -> Verdict:
    """Judge a deal with these fields by one expression."""
    (found,) = judge_stage(case_of(process_of({"check": {"expr": expr}, **rule}), fields))
    return found


@pytest.mark.parametrize(
    ("expr", "fields", "judgement", "message", "missing"),
    [
        ("amount > 50000", {"amount": LARGE}, PASS, "amount > 50000 holds: Amount is 60,000 EUR.", ()),
        ("amount > 50000", {"amount": SMALL}, FAIL, "amount > 50000 does not hold: Amount is 100 EUR.", ("amount",)),
        ("amount > 50000", {}, UNKNOWN, "amount > 50000 can't be decided: Amount is empty.", ("amount",)),
        (
            "amount > 50000",
            {"amount": "lots"},
            UNKNOWN,
            "amount > 50000 can't be decided: Amount is lots, which can't be compared.",
            ("amount",),
        ),
        (
            "amount > 50000 && level != null && signed",
            {"amount": LARGE, "signed": True},
            FAIL,
            "level != null does not hold: Level is empty. Beside it, Amount is 60,000 EUR, Signed is yes.",
            ("level",),
        ),
        (
            "amount > 50000 && signed",
            {"amount": SMALL, "signed": False},
            FAIL,
            "amount > 50000 and signed do not hold: Amount is 100 EUR, Signed is no.",
            ("amount", "signed"),
        ),
        (
            "amount > 50000 && signed",
            {"amount": SMALL},
            FAIL,
            "amount > 50000 does not hold: Amount is 100 EUR. Beside it, Signed is empty.",
            ("amount",),
        ),
        (
            "amount > 50000 || has(level)",
            {"amount": SMALL},
            FAIL,
            "amount > 50000 || has(level) does not hold: Amount is 100 EUR, Level is empty.",
            ("level",),
        ),
        (
            "amount > 50000 && signed",
            {"amount": LARGE},
            UNKNOWN,
            "signed can't be decided: Signed is empty. Beside it, Amount is 60,000 EUR.",
            ("signed",),
        ),
        (
            "amount > budget",
            {"amount": LARGE, "budget": Money(Decimal(5), "USD")},
            UNKNOWN,
            "amount > budget can't be decided: Amount is 60,000 EUR, Budget is 5 USD.",
            ("amount", "budget"),
        ),
        ("!has(level)", {"level": "x"}, FAIL, "!has(level) does not hold: Level is x.", ("level",)),
        (
            "now > touched",
            {"touched": NOON},
            FAIL,
            "now > touched does not hold: Touched is 2026-06-10 12:00 UTC.",
            ("touched",),
        ),
        (
            "discount > 1",
            {"discount": Decimal("1E+999999")},
            PASS,
            "discount > 1 holds: Discount is 1.000E+999999.",
            (),
        ),
    ],
)
def test_an_expression_says_what_it_saw(
    expr: str, fields: Fields, judgement: Judgement, message: str, missing: tuple[str, ...]
) -> None:
    """Every value it looked at, the part that failed, and what would have to be filled in."""
    found = verdict(expr, fields)

    assert (judgement, message, missing) == (
        found.judgement,
        found.message.replace("amount is", "Amount is"),
        found.missing,
    )
    assert set(found.seen) == {
        name for name in ("amount", "budget", "level", "signed", "touched", "discount") if name in expr
    }


def test_a_rule_speaks_for_its_expression() -> None:
    """The placeholders of messages mean the same as in other checks: how many hold, what is missing, the value."""
    message = "{passed} hold, {missing} is missing, seen {value}"
    rule = {"check": {"expr": "amount > 50000 && level != null"}, "message": message}
    alone = {"check": {"expr": "amount > 50000"}, "message": "only {value}"}
    first, second = judge_stage(case_of(process_of(rule, alone), {"amount": SMALL, "level": "x"}))

    assert ("1 hold, Amount is missing, seen (empty)", "only 100 EUR") == (first.message, second.message)


@pytest.mark.parametrize("when", ["amount > 50000", {"expr": "amount > 50000"}])
def test_a_text_under_when_is_an_expression(when: Any) -> None:
    """Both ways of writing it are one and the same rule."""
    process = process_of({"check": {"required": ["level"]}, "when": when})
    judged = [judge_stage(case_of(process, fields))[0] for fields in ({"amount": LARGE}, {"amount": SMALL}, {})]

    assert [FAIL, OTHER, OTHER] == [found.judgement for found in judged]
    assert {"amount": SMALL} == dict(judged[1].seen)
    assert {"expr": "amount > 50000"} == process.model_dump(mode="json")["stages"][0]["exit"][0]["when"]


def test_an_expression_that_makes_no_sense_is_unknown_and_no_crash() -> None:
    """`check` refuses such a file; a process that was made otherwise may still hold one."""
    found = verdict("amout > 5", {})

    assert (UNKNOWN, "The expression makes no sense: there is no field 'amout'.") == (found.judgement, found.message)


def test_words_are_those_of_the_decision() -> None:
    """Random rules of all kinds about random deals: the words are made later, and never say otherwise."""
    draw = Random(11)
    checks = [{"expr": draw_expression(draw)} if draw.random() < 0.6 else draw_check(draw) for _ in range(300)]
    process = process_of(*({"check": check} for check in checks))
    for _ in range(30):
        case = case_of(process, draw_deal(draw))
        decided = judge_stage(case)
        said = tuple(decided)

        assert decided.judgements == tuple(one.judgement for one in said)
        assert [one for one in said if one.judgement in {FAIL, UNKNOWN}] == list(decided.broken())
        for rule, one in zip(process.stages[0].exit, said, strict=True):
            assert one == judge(rule, case)
            assert one.judgement is PASS or one.missing or not one.seen
            assert set(one.missing) <= set(one.seen)
            assert len(one.message) < 20_000


def test_filling_in_what_is_missing_can_decide() -> None:
    """What is named as missing is what stands in the way: without it nothing else would help."""
    found = verdict("amount > 50000 && (signed || discount > 5)", {"amount": LARGE, "signed": False})

    assert (UNKNOWN, ("discount",)) == (found.judgement, found.missing)
    assert PASS is verdict("signed || discount > 5", {"signed": False, "discount": 6}).judgement


def test_verdicts_are_a_sequence() -> None:
    """Who reads an evaluation sees no difference from a tuple of verdicts."""
    case = case_of(process_of({"check": "signed"}, {"check": {"required": ["level"]}}), {"signed": True})
    found = judge_stage(case)

    assert (2, "qualification.rule1") == (len(found), found[-1].rule)
    assert tuple(found) == found == Verdicts(found.judged)
    assert found != ()
    assert Verdicts() == ()
    assert hash(found) == hash(judge_stage(case))


def test_a_rule_about_now_is_looked_at_again_at_its_moment() -> None:
    """Not at the next midnight, and not each hour."""
    process = process_of({"check": {"expr": "now - touched <= duration('36h')"}})
    case = case_of(process, {"touched": NOON - timedelta(hours=30)})

    assert NOON + timedelta(hours=6) == turns_at(case)
    assert turns_at(case_of(process, {})) is None


@pytest.mark.parametrize("rule", [{"check": {"expr": 5}}, {"check": {"expr": ["a"]}}, {"check": 5}, {"when": 5}])
def test_only_a_text_is_an_expression(rule: dict[str, Any]) -> None:
    """Numbers and lists are refused by the model."""
    with pytest.raises(ValueError, match=r"check|string"):
        ExitRule.model_validate({"id": "rule", "check": {"required": ["a"]}, **rule})


def test_a_stage_without_rules_has_no_verdicts() -> None:
    """And costs nothing."""
    process = process_of()
    stage: Stage = process.stages[1]

    assert () == judge_stage(Case(process=process, stage=stage, fields={}, now=NOON, zone=UTC))
