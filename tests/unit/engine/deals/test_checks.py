"""Each check passes, fails or can't be decided, and says so in a sentence."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.deals.checks import judge
from crmbridge.engine.rules.case import Case
from crmbridge.model.findings import Judgement, Verdict
from crmbridge.model.process import ExitRule, Stage
from crmbridge.model.values import Fields, Money, Value
from crmbridge.testing.factories import make_process, make_stage

PASS, FAIL, UNKNOWN = Judgement.PASS, Judgement.FAIL, Judgement.UNKNOWN
NOW = datetime(2026, 6, 10, 1, tzinfo=UTC)  # still the 9th in São Paulo


def verdict(check: dict[str, Any], fields: Fields, zone: str = "UTC", **rule: Any) -> Verdict:
    """Judge a deal with these fields by a rule with this check."""
    stage = make_stage(outputs=[{"id": "offer", "name": "Offer", "field": "offer_link"}])
    case = Case(
        process=make_process(),
        stage=Stage.model_validate(stage),
        fields=fields,
        now=NOW,
        zone=ZoneInfo(zone),
    )
    return judge(ExitRule.model_validate({"id": "rule", "check": check, **rule}), case)


def eur(amount: str | int) -> Money:
    """Make an amount in euros."""
    return Money(Decimal(amount), "EUR")


BANT = {"at_least": 3, "of": ["bant.budget", "bant.authority", "bant.need", "bant.timeline"]}
AMOUNT = {"bounds": {"field": "amount", "min": "100", "max": "200"}}
CLOSE = {"dates": {"field": "close_date", "from_days": 0, "to_days": 30}}
SOURCE = {"one_of": {"field": "source", "values": ["web", "event"]}}
DISCOUNT = {"approval": {"field": "discount", "over": "10", "by": "approved_by"}}


@pytest.mark.parametrize(
    ("check", "fields", "judgement"),
    [
        ({"required": ["name"]}, {"name": "Ann"}, PASS),
        ({"required": ["name"]}, {"name": "  "}, FAIL),
        ({"required": ["name"]}, {}, FAIL),
        ({"required": ["contacts"]}, {"contacts": ()}, FAIL),
        ({"required": ["count"]}, {"count": 0}, PASS),
        ({"required": ["signed"]}, {"signed": False}, PASS),
        ({"at_least": 1, "of": ["signed"]}, {"signed": False}, FAIL),
        ({"at_least": 1, "of": ["signed"]}, {"signed": True}, PASS),
        ({"at_least": 1, "of": ["count"]}, {"count": 0}, PASS),
        (BANT, {"bant.budget": "y", "bant.need": "y", "bant.timeline": "y"}, PASS),
        (BANT, {"bant.budget": "y", "bant.need": "y"}, FAIL),
        ({"outputs": ["offer"]}, {"offer_link": "https://example.com"}, PASS),
        ({"outputs": ["offer"]}, {"offer_link": False}, FAIL),
        ({"outputs": ["offer"]}, {}, FAIL),
        ({"outputs": ["gone"]}, {}, UNKNOWN),
        ({"activities": {"at_least": 2}}, {"activities": Decimal(2)}, PASS),
        ({"activities": {"at_least": 2}}, {"activities": 1, "activities_done": 5}, FAIL),
        ({"activities": {"state": "done"}}, {"activities_done": 1}, PASS),
        ({"activities": {"state": "open"}}, {"activities_open": 0}, FAIL),
        ({"activities": {}}, {}, UNKNOWN),
        (AMOUNT, {"amount": eur(100)}, PASS),
        (AMOUNT, {"amount": eur("99.99")}, FAIL),
        (AMOUNT, {"amount": Decimal(200)}, PASS),
        (AMOUNT, {"amount": 201}, FAIL),
        (AMOUNT, {"amount": None}, UNKNOWN),
        (AMOUNT, {"amount": "150"}, UNKNOWN),
        (AMOUNT, {"amount": True}, UNKNOWN),
        (AMOUNT, {"amount": Decimal("NaN")}, UNKNOWN),
        (AMOUNT, {"amount": Money(Decimal("Infinity"), "EUR")}, UNKNOWN),
        ({"bounds": {"field": "amount", "max": "200"}}, {"amount": eur(-5)}, PASS),
        (CLOSE, {"close_date": date(2026, 6, 10)}, PASS),
        (CLOSE, {"close_date": date(2026, 6, 9)}, FAIL),
        (CLOSE, {"close_date": date(2026, 7, 10)}, PASS),
        (CLOSE, {"close_date": date(2026, 7, 11)}, FAIL),
        (CLOSE, {"close_date": datetime(2026, 6, 10, 23, tzinfo=UTC)}, PASS),
        (CLOSE, {"close_date": ""}, UNKNOWN),
        (CLOSE, {"close_date": "2026-06-20"}, UNKNOWN),
        (SOURCE, {"source": "web"}, PASS),
        (SOURCE, {"source": "Web"}, FAIL),
        (SOURCE, {"source": ("event", "fax")}, PASS),
        (SOURCE, {"source": ("fax",)}, FAIL),
        (SOURCE, {"source": ""}, UNKNOWN),
        ({"one_of": {"field": "signed", "values": ["yes"]}}, {"signed": True}, PASS),
        ({"one_of": {"field": "level", "values": ["3"]}}, {"level": Decimal(3)}, PASS),
        ({"one_of": {"field": "amount", "values": ["5"]}}, {"amount": eur(5)}, PASS),
        (DISCOUNT, {"discount": Decimal(10)}, PASS),
        (DISCOUNT, {"discount": Decimal("10.01")}, FAIL),
        (DISCOUNT, {"discount": eur(11), "approved_by": "7"}, PASS),
        (DISCOUNT, {"discount": 11, "approved_by": False}, FAIL),
        (DISCOUNT, {"approved_by": "7"}, UNKNOWN),
    ],
)
def test_a_check_judges(check: dict[str, Any], fields: dict[str, Value], judgement: Judgement) -> None:
    """Limits are included, empty is not filled in, and what can't be compared is unknown."""
    judged = verdict(check, fields)

    assert (judgement, "qualification.rule", "qualification") == (judged.judgement, judged.rule, judged.stage)
    assert judgement is not PASS or () == judged.missing


@pytest.mark.parametrize(
    ("check", "fields", "message", "missing"),
    [
        ({"required": ["name", "close_date"]}, {"name": "x"}, "Still to be filled in: close date.", ("close_date",)),
        (
            BANT,
            {"bant.budget": "y"},
            "1 of the 3 needed are filled in; missing: Authority, Need, Timeline.",
            ("bant.authority", "bant.need", "bant.timeline"),
        ),
        (
            {"activities": {"at_least": 2, "state": "done"}},
            {"activities_done": 1},
            "The deal has 1 of the 2 done activities it needs.",
            ("activities_done",),
        ),
        (
            AMOUNT,
            {"amount": eur(1500)},
            "amount is 1,500 EUR, but must be at least 100 and at most 200.",
            ("amount",),
        ),
        (AMOUNT, {}, "amount is empty, so this can't be decided.", ("amount",)),
        (AMOUNT, {"amount": "lots"}, "amount is lots, which can't be compared, so this can't be decided.", ("amount",)),
        (
            {"dates": {"field": "close_date", "from_days": -1, "to_days": 30}},
            {"close_date": date(2026, 1, 1)},
            "close date is 2026-01-01, but must be not before 1 day ago and not after 30 days from today.",
            ("close_date",),
        ),
        (SOURCE, {"source": "fax"}, "source is fax, but must be one of web, event.", ("source",)),
        (
            DISCOUNT,
            {"discount": Decimal(15)},
            "discount is 15, which is over 10: approved by must be filled in.",
            ("approved_by",),
        ),
    ],
)
def test_a_check_says_what_is_wrong(
    check: dict[str, Any], fields: dict[str, Value], message: str, missing: tuple[str, ...]
) -> None:
    """In a sentence for the person who can clear it, with the fields by their names."""
    judged = verdict(check, fields)

    assert (message, missing) == (judged.message, judged.missing)


def test_a_day_is_the_calendars_day() -> None:
    """What is yesterday in UTC is still today in São Paulo."""
    yesterday = {"close_date": date(2026, 6, 9)}

    assert PASS is verdict(CLOSE, yesterday, zone="America/Sao_Paulo").judgement
    assert FAIL is verdict(CLOSE, yesterday, zone="UTC").judgement
    assert PASS is verdict(CLOSE, {"close_date": datetime(2026, 6, 9, 23, tzinfo=UTC)}, "Asia/Tokyo").judgement


@pytest.mark.parametrize("fields", [{"amount": eur(10)}, {}])
def test_a_rule_for_other_deals_does_not_apply(fields: dict[str, Value]) -> None:
    """Whether its condition fails or can't be decided."""
    judged = verdict({"required": ["name"]}, fields, when={"bounds": {"field": "amount", "min": 50}})

    assert Judgement.NOT_APPLICABLE is judged.judgement
    assert {"amount": fields.get("amount")} == judged.seen
    assert () == judged.missing


def test_a_rule_for_this_deal_applies() -> None:
    """Its condition passes."""
    judged = verdict({"required": ["name"]}, {"amount": eur(50)}, when={"bounds": {"field": "amount", "min": 50}})

    assert FAIL is judged.judgement


def test_a_rule_can_speak_for_itself() -> None:
    """Its own message is filled in with what the check found."""
    judged = verdict(BANT, {"bant.need": "y"}, message="BANT {passed}/4: missing {missing}")

    assert "BANT 1/4: missing Budget, Authority, Timeline" == judged.message
    assert {"bant.budget": None, "bant.authority": None, "bant.need": "y", "bant.timeline": None} == judged.seen


def test_a_rule_that_holds_does_not_use_its_complaint() -> None:
    """The message says what is wrong; here nothing is."""
    judged = verdict({"required": ["name"]}, {"name": "x"}, message="Give it a name")

    assert "1 of 1 filled in: name." == judged.message


@pytest.mark.parametrize(
    ("fields", "message", "said"),
    [
        ({}, "A discount of {value} % needs a name", "discount is empty, so this can't be decided."),
        ({}, "Ask somebody", "Ask somebody"),
        ({"discount": 11}, "A discount of {value} % needs a name", "A discount of 11 % needs a name"),
    ],
)
def test_own_words_about_a_value_are_not_said_of_none(fields: dict[str, Any], message: str, said: str) -> None:
    """ "A discount of (empty) %" would be no sentence."""
    assert said == verdict(DISCOUNT, fields, message=message).message


@pytest.mark.parametrize(
    "hostile", ["{missing}", "{0.__class__}", "{value.__init__.__globals__}", "%s {passed!r}", "a}{b", "\\1 \\g<0>"]
)
def test_a_crms_text_is_never_a_template(hostile: str) -> None:
    """It is put in as it is, and looked into by nobody."""
    judged = verdict(SOURCE, {"source": hostile}, message="Is {value}, not {other} {0} {passed.real}")

    assert f"Is {hostile}, not {{other}} {{0}} {{passed.real}}" == judged.message


def test_a_crms_text_can_not_steer_a_terminal() -> None:
    """Control and direction characters go, and long text is cut."""
    judged = verdict(SOURCE, {"source": "\x1b[31mred\u202etxt\r\n" + "x" * 500}, message="{value}")

    assert judged.message.startswith("[31mredtxt xxx")
    assert 80 == len(judged.message)


def test_messages_and_names_come_in_the_language_asked_for() -> None:
    """Of the rule and of the fields."""
    process = make_process(fields=[{"id": "budget", "name": {"en": "Budget", "pt": "Orçamento"}}])
    rule = ExitRule.model_validate(
        {
            "id": "rule",
            "check": {"required": ["budget"]},
            "message": {"en": "Missing {missing}", "pt": "Falta {missing}"},
        }
    )
    case = Case(process=process, stage=process.stages[0], fields={}, now=NOW, zone=UTC, language="pt")

    assert "Falta Orçamento" == judge(rule, case).message


VALUES = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.booleans(),
    st.integers(),
    st.decimals(),
    st.dates(),
    st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)),  # noqa: DTZ001  hypothesis adds the zone
    st.builds(Money, st.decimals(), st.just("EUR")),
    st.lists(st.text(max_size=3), max_size=3).map(lambda items: tuple(sorted(items))),
)
FIELDS = ("amount", "close_date", "source", "discount", "approved_by", "activities", "offer_link")


@given(
    fields=st.dictionaries(st.sampled_from(FIELDS), VALUES),
    check=st.sampled_from(
        [
            AMOUNT,
            CLOSE,
            SOURCE,
            DISCOUNT,
            {"activities": {}},
            {"outputs": ["offer"]},
            {"required": list(FIELDS)},
            {"at_least": 2, "of": list(FIELDS)},
        ]
    ),
)
def test_whatever_a_crm_holds_a_check_answers(fields: dict[str, Value], check: dict[str, Any]) -> None:
    """No value breaks a check, and each answer names what it looked at."""
    judged = verdict(check, fields)

    assert judged.seen
    assert judged.message.endswith(".")
    assert set(judged.missing) <= set(judged.seen)
