"""Wrong expressions are refused before any deal is looked at, each at its place, with the type found and a guess."""

import time

import pytest

from crmbridge.engine.expr.checking import checked, names_in
from crmbridge.engine.issues import CODES
from crmbridge.model.values import FieldType

TYPES = {
    "name": FieldType.TEXT,
    "level": FieldType.CHOICE,
    "tags": FieldType.CHOICES,
    "amount": FieldType.MONEY,
    "count": FieldType.NUMBER,
    "signed": FieldType.BOOL,
    "bant.budget": FieldType.BOOL,
    "close_date": FieldType.DATE,
    "touched": FieldType.DATETIME,
}
OPTIONS = {"level": ("low", "high"), "tags": ("vip", "new")}


@pytest.mark.parametrize(
    ("text", "piece", "code", "said", "nearest"),
    [
        ("amount >", "", "expr-syntax", "ends too early", None),
        ("(amount > 5", "", "expr-syntax", "ends too early", None),
        ("amount = 5", "=", "expr-syntax", "means nothing", "=="),
        ("amount <> 5", "<>", "expr-syntax", "not expected", "!="),
        ("amount => 5", "=>", "expr-syntax", "means nothing", ">="),
        ("signed and count > 1", "and", "expr-syntax", "not expected", "&&"),
        ("signed or count > 1", "or", "expr-syntax", "not expected", "||"),
        ("signed & count > 1", "&", "expr-syntax", "means nothing", "&&"),
        ("signed == True", "True", "expr-syntax", "small letters", "true"),
        ("name == NULL", "NULL", "expr-syntax", "small letters", "null"),
        ("name == 'Ann", "'Ann", "expr-syntax", "not closed", None),
        ("name == \u201cAnn\u201d", "\u201c", "expr-syntax", "no quote", '"'),
        ("amount > 50,000", ",", "expr-syntax", "not expected", None),
        ("amount @ 5", "@", "expr-syntax", "means nothing", None),
        ("name.size().x", "x", "expr-syntax", "only a name has parts", None),
        ("  ", "  ", "expr-syntax", "no expression", None),
        (r"name.matches('\d')", r"\d", "expr-literal", "no escape", None),
        ("count > 1e999", "1e999", "expr-literal", "too large", None),
        ("count > " + "9" * 50, "9" * 50, "expr-literal", "50 characters", None),
        ("close_date > date('2026-02-30')", "'2026-02-30'", "expr-literal", "date(", None),
        ("touched > timestamp('2026-02-01')", "'2026-02-01'", "expr-literal", "timestamp(", None),
        ("now - touched > duration('5 days')", "'5 days'", "expr-literal", "d, h, m and s", None),
        ("now - touched > duration('99999d')", "'99999d'", "expr-literal", "36500 days", None),
        ("amout > 5", "amout", "unknown-field", "no field 'amout'", "amount"),
        ("bnat.budget", "bnat.budget", "unknown-field", "no field", "bant.budget"),
        ("has(nmae)", "nmae", "unknown-field", "no field", "name"),
        ("nmae == null", "nmae", "unknown-field", "no field", "name"),
        ("tday == close_date", "tday", "unknown-field", "no field", "today"),
        ("lenght(name) > 1", "lenght", "unknown-function", "no function 'lenght'", None),
        ("len(name) > 1", "len", "unknown-function", "no function", "size"),
        ("name.startswith('a')", "startswith", "unknown-function", "no function", "startsWith"),
        ("level == 'hihg'", "'hihg'", "unknown-option", "no option 'hihg'", '"high"'),
        ("level in ['low', 'hi']", "'hi'", "unknown-option", "no option", '"high"'),
        ("'vipp' in tags", "'vipp'", "unknown-option", "no option", '"vip"'),
        ("amount", "amount", "expr-type", "amount is money", None),
        ("name && signed", "name", "expr-type", "name is text", "name != null"),
        ("!count", "count", "expr-type", "count is a number", "count == null"),
        ("amount > '50000'", "'50000'", "expr-type", "'50000' is text", "50000"),
        ("name == 5", "5", "expr-type", "5 is a number", '"5"'),
        ("signed == 'yes'", "'yes'", "expr-type", "signed is a bool", "true"),
        ("close_date > '2026-01-31'", "'2026-01-31'", "expr-type", "is a date", 'date("2026-01-31")'),
        (
            "touched > '2026-01-31T09:00:00Z'",
            "'2026-01-31T09:00:00Z'",
            "expr-type",
            "text",
            'timestamp("2026-01-31T09:00:00Z")',
        ),
        ("close_date >= now", "now", "expr-type", "now is a datetime", "today"),
        ("touched >= today", "today", "expr-type", "today is a date", "now"),
        ("close_date == touched", "touched", "expr-type", "touched is a datetime", "date(touched)"),
        ("close_date - today > 30", "30", "expr-type", "is a duration", 'duration("30d")'),
        ("signed < true", "signed", "expr-type", "needs an order", None),
        ("tags == tags", "tags", "expr-type", "list of text", None),
        ("count < 1 < 2", "2", "expr-type", "is a bool", None),
        ("amount + name > 5", "+", "expr-type", "money and text", None),
        ("amount * amount > 5", "*", "expr-type", "money and money", None),
        ("close_date + 5 > today", "+", "expr-type", "a date and a number", 'duration("5d")'),
        ("close_date + duration('5h') > today", "duration('5h')", "expr-type", "whole days", None),
        ("-name == 'x'", "name", "expr-type", "name is text", None),
        ("signed ? count : name", "name", "expr-type", "name is text", None),
        ("count ? signed : signed", "count", "expr-type", "count is a number", None),
        ("name in level", "level", "expr-type", "level is text", "[level]"),
        ("count in ['a']", "count", "expr-type", "count is a number", None),
        ("tags.contains('vip')", "tags", "expr-type", "list of text", "'vip' in tags"),
        ("count.contains('1')", "count", "expr-type", "count is a number", None),
        ("size(count) > 1", "count", "expr-type", "count is a number", None),
        ("contains(name, 'x')", "contains", "expr-type", 'text.contains("…")', None),
        ("has('x')", "'x'", "expr-type", "asks for a field", None),
        ("count + 1 == null", "count + 1", "expr-type", "only a field", None),
        ("name > null", "null", "expr-type", "null stands only beside", None),
        ("null == null", "null", "expr-type", "only a field", None),
        ("count in []", "[]", "expr-type", "empty list", None),
        ("count in [1, 'a']", "'a'", "expr-type", "'a' is text", None),
        ("date(close_date) == today", "close_date", "expr-type", "close_date is a date", None),
        ("duration(count) > duration('1d')", "duration", "expr-type", 'duration("36h")', None),
        ("tags.exists(name, name == 'x')", "name", "expr-type", "can't name an item", "item"),
        ("tags.exists(tag, size(tag))", "size(tag)", "expr-type", "is a number", None),
        ("name.exists(tag, tag == 'x')", "name", "expr-type", "goes through a list", None),
        ("tags.exists(a, tags.all(b, a == b))", "all", "expr-too-large", "within another loop", None),
        ("name.matches('(a+')", "(", "expr-pattern", "not closed", None),
        ("name.matches('a(?=b)')", "(?=", "expr-pattern", "plain groups", None),
        ("name.matches(level)", "level", "expr-pattern", "written down", None),
        ("1 < 2", "1 < 2", "expr-constant", "no field", None),
    ],
)
def test_a_wrong_expression_is_refused(text: str, piece: str, code: str, said: str, nearest: str | None) -> None:
    """Where, why, what was found, and what was probably meant."""
    term, faults = checked(text, TYPES, OPTIONS)
    (fault,) = faults

    assert term is None
    assert (piece, code, nearest) == (text[fault.span.start : fault.span.end], fault.code, fault.nearest)
    assert said in fault.sentence
    assert code in CODES


def test_every_fault_of_an_expression_is_told() -> None:
    """One does not hide the others."""
    _, faults = checked("amout > 5 && nmae == 'x' && close_date > '2026-01-31'", TYPES)

    assert ["amount", "name", 'date("2026-01-31")'] == [fault.nearest for fault in faults]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 3_000,
        "x" * 10_000_000,
        "name == '" + "x" * 10_000_000 + "'",
        "!" * 2_000 + "signed",
        "(" * 1_000 + "signed" + ")" * 1_000,
        "[" * 1_000 + "1" + "]" * 1_000,
        "-" * 2_000 + "1 < count",
        "signed ? " * 200 + "signed" + " : signed" * 200,
        "1" + "+1" * 1_000 + " < count",
        "tags.filter(a, tags.filter(b, tags.filter(c, tags.exists(d, d == a))))",
        "tags" + ".filter(a, a == 'x')" * 90,
        "name.matches('" + "(" * 100 + "a" + "){9}" * 20 + "')",
        "name.matches('((((a{250}){250}){250}){250})')",
    ],
    ids=lambda text: f"{text[:12]} {len(text)}",
)
def test_a_hostile_expression_is_refused(text: str) -> None:
    """Too long, too deep, or a loop within a loop: at once, whatever it would have meant."""
    start = time.perf_counter()
    term, faults = checked(text, TYPES)

    assert term is None
    assert {"expr-too-large", "expr-pattern"} >= {fault.code for fault in faults}
    assert time.perf_counter() - start < 5  # some milliseconds, on a machine that does nothing else


def test_the_names_in_an_expression_are_known_without_the_fields() -> None:
    """What a rule looks at is asked for before it is known whether there is such a thing."""
    assert ("amout", "now", "tags", "tag") == names_in("amout > 5 && now > now && tags.exists(tag, tag == 'x')")
    assert () == names_in("amount >")
