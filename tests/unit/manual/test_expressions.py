"""Expressions in words."""

from __future__ import annotations

import pytest

from crmbridge.languages import LANGUAGES
from crmbridge.manual.expressions import said
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import words_of
from crmbridge.testing.factories import make_process

FIELDS = [
    {"id": "discount", "type": "number", "name": "Discount"},
    {"id": "plan", "type": "text", "name": "Plan"},
    {"id": "fit", "type": "bool", "name": "Fit"},
    {"id": "delivery", "type": "date", "name": "Delivery"},
    {"id": "tags", "type": "choices", "name": "Tags"},
]
CASES = [
    ("amount > 50000", "Amount is more than 50,000"),
    ("50000 < amount", "Amount is more than 50,000"),
    ("!(amount > 50000)", "Amount is at most 50,000"),
    ("amount >= 1 && (fit || has(plan))", "Amount is at least 1 and (Fit says yes or Plan is filled in)"),
    ("fit == true", "Fit says yes"),
    ("fit != true", "Fit says no"),
    ("!fit", "Fit says no"),
    ("plan == null", "Plan is empty"),
    ("plan != null", "Plan is filled in"),
    ('plan == "x"', "Plan is “x”"),
    ('plan in ["a", "b"]', "Plan is one of “a” or “b”"),
    ('!(plan in ["a", "b"])', "Plan is none of “a” or “b”"),
    ('"a" in tags', "Tags has “a” in it"),
    ('!("a" in tags)', "Tags does not have “a” in it"),
    ('plan.contains("a")', "Plan contains “a”"),
    ('!plan.startsWith("a")', "Plan does not begin with “a”"),
    ('plan.endsWith("a")', "Plan ends with “a”"),
    ('plan.matches("^A-[0-9]+$")', "Plan has the form ^A-[0-9]+$"),
    ("size(plan) > 3", "the length of Plan is more than 3"),
    ("size(contacts) >= 2", "how many are in Contacts is at least 2"),
    ('now - last_activity_at <= duration("36h")', "Last activity was at most 36 hours ago"),
    ('close_date - today > duration("30d")', "Close date is more than 30 days from now"),
    ('delivery >= close_date + duration("14d")', "Delivery is not before Close date + 14 days"),
    ("date(last_activity_at) == today", "the day of Last activity is today"),
    ('delivery < date("2026-12-24")', "Delivery is before 24 December 2026"),
    ("discount <= 10 || amount < 5000", "Discount is at most 10 or Amount is less than 5,000"),
    (
        "fit ? discount < 5 : discount < 10",
        "if Fit says yes: Discount is less than 5; otherwise: Discount is less than 10",
    ),
    ('tags.exists(t, t == "a")', "for some t of Tags, t is “a”"),
    ('size(tags.filter(t, t != "a")) > 0', "how many are in those t of Tags for which t is not “a” is more than 0"),
    ("discount * (discount + 1) > 3", "Discount × (Discount + 1) is more than 3"),  # noqa: RUF001  as it is printed
    ("-discount < 3", "−Discount is less than 3"),  # noqa: RUF001  the same
]


@pytest.mark.parametrize(("text", "words"), CASES)
def test_an_expression_reads_as_a_clause(text: str, words: str) -> None:
    """In words, with the names of the fields."""
    assert words == said(text, Speech(make_process(fields=FIELDS), words_of("en"))).striptags()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_no_operator_is_left_in_any_language(text: str, language: str) -> None:
    """What is written for machines does not reach the reader."""
    words = said(text, Speech(make_process(fields=FIELDS), words_of(language))).striptags()

    assert [] == [operator for operator in ("&&", "||", "==", "!=", "null", "duration", "has(") if operator in words]


def test_an_expression_that_makes_no_sense_stands_as_it_is_written() -> None:
    """A process that was not checked is shown all the same, harmless."""
    assert "<code>nobody &gt; 1 &amp;&amp;</code>" == said("nobody > 1 &&", Speech(make_process(), words_of("en")))
