"""Rules in words: every kind of check, as a seller reads it."""

from __future__ import annotations

from typing import Any

import pytest

from crmbridge.languages import LANGUAGES
from crmbridge.manual import checks
from crmbridge.manual.checks import said_rule
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import words_of
from crmbridge.model.checks import CHECKS
from crmbridge.testing.factories import make_process, make_stage

FIELDS = [
    {"id": "discount", "type": "number", "name": {"en": "Discount", "pt": "Desconto", "zh": "折扣"}},
    {"id": "approver", "type": "text", "name": {"en": "Approved by", "pt": "Aprovado por", "zh": "审批人"}},
    {"id": "signed_on", "type": "date", "name": {"en": "Signed on", "pt": "Assinado em", "zh": "签署日期"}},
    {"id": "fit", "type": "bool", "name": {"en": "Fit", "pt": "Perfil", "zh": "匹配"}},
    {"id": "need", "type": "bool", "name": {"en": "Need", "pt": "Necessidade", "zh": "需求"}},
    {"id": "plan", "type": "text", "name": {"en": "Plan", "pt": "Plano", "zh": "计划"}},
]


def speech(language: str = "en", **overrides: Any) -> Speech:
    """Give a process in a language."""
    usual: dict[str, Any] = {"fields": FIELDS, "languages": ["en", "pt", "zh"], "stages": [make_stage()]}
    return Speech(make_process(**{**usual, **overrides}), words_of(language))


def must(check: Any, language: str = "en", **parts: Any) -> str:
    """Say a rule with this check as characters."""
    rule = {"id": "rule", "check": check, **parts}
    outputs = [
        {"id": "outline", "name": {"en": "Outline", "pt": "Esboço", "zh": "大纲"}, "field": "plan"},
        {"id": "offer", "name": {"en": "Plan", "pt": "Plano", "zh": "计划"}, "field": "plan"},
        {"id": "paper", "name": "Paper", "file": {"kind": "pdf"}},
        {"id": "draft", "name": "Draft", "field": "plan", "file": "*draft*"},
    ]
    spoken = speech(language, stages=[make_stage(exit=[rule], outputs=outputs)])
    stage = spoken.process.stages[0]
    return said_rule(stage.exit[0], stage, spoken).must.striptags()


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"required": ["plan"]}, "Plan is filled in"),
        ({"required": ["amount", "plan", "discount"]}, "Amount, Plan and Discount are filled in"),
        ({"at_least": 1, "of": ["fit"]}, "Fit says yes"),
        ({"at_least": 1, "of": ["plan"]}, "Plan is filled in"),
        ({"at_least": 2, "of": ["fit", "need"]}, "All 2 say yes: Fit and Need"),
        ({"at_least": 1, "of": ["fit", "need"]}, "At least 1 of these 2 say yes: Fit and Need"),
        (
            {"at_least": 2, "of": ["fit", "need", "plan"]},
            "At least 2 of these 3 are filled in, or say yes where that is the question: Fit, Need and Plan",
        ),
        ({"activities": {"at_least": 2, "state": "done"}}, "At least 2 activities done"),
        (
            {
                "activities": {
                    "kind": ["call", "Demo"],
                    "state": "done",
                    "within": "30d",
                    "in_stage": True,
                    "subject": "BANT",
                }
            },
            (
                "At least 1 activity done (call or Demo), in the last 30 days, since the deal came into this stage, "
                "with “BANT” in the subject"
            ),
        ),
        ({"activities": {"state": "open", "within": "7d"}}, "At least 1 activity planned, in the next 7 days"),
        ({"outputs": ["offer"]}, "Plan is on the deal"),
        ({"outputs": ["paper"]}, "Paper (a file of the kind pdf) is on the deal"),
        ({"outputs": ["draft"]}, "Draft (in the field Plan, or a file whose name is like “*draft*”) is on the deal"),
        (
            {"attachments": {"files": {"at_least": 2, "name": ["*offer*", "*bid*"], "kind": "pdf", "in_stage": True}}},
            (
                "Attached to the deal: at least 2 files whose name is like “*offer*” or “*bid*” of the kind pdf, "
                "added since the deal came into this stage"
            ),
        ),
        ({"outputs": ["outline", "offer"]}, "Outline (in the field Plan) and Plan are on the deal"),
        ({"bounds": {"field": "amount", "min": 50000}}, "Amount is at least 50,000"),
        ({"bounds": {"field": "discount", "min": 1, "max": "9.5"}}, "Discount is between 1 and 9.5"),
        ({"bounds": {"field": "discount", "max": 0}}, "Discount is at most 0"),
        ({"dates": {"field": "signed_on", "to_days": 0}}, "Signed on is not after today"),
        (
            {"dates": {"field": "signed_on", "from_days": -1, "to_days": 30}},
            "Signed on is between yesterday and 30 days from today",
        ),
        ({"dates": {"field": "signed_on", "from_days": 1}}, "Signed on is not before tomorrow"),
        ({"one_of": {"field": "source", "values": ["web"]}}, "Source is “web”"),
        ({"one_of": {"field": "source", "values": ["web", "fair"]}}, "Source is one of “web” or “fair”"),
        (
            {"approval": {"field": "discount", "over": 10, "by": "approver"}},
            "When Discount is over 10, Approved by names who approved it",
        ),
        (
            {
                "approval": {
                    "field": "discount",
                    "over": 10,
                    "by": "approver",
                    "who": ["seller", "a@b.example"],
                    "not_owner": True,
                }
            },
            (
                "When Discount is over 10, Approved by names who approved it: Seller or a@b.example; "
                "nobody approves for a deal of their own"
            ),
        ),
        (
            {"attachments": {"links": ["plan"], "note": "minutes"}},
            "Plan holds a link to the document and a note on the deal says “minutes”",
        ),
        (
            {"company": {"required": ["name", "domain"]}},
            "A company is linked, and of it are known: name and web domain",
        ),
        (
            {"contacts": {"at_least": 2, "title": ["head", "ceo"], "required": ["email"]}},
            (
                "At least 2 contacts are linked, whose job title has one of these words: “head” or “ceo”, "
                "of whom are known: e-mail address"
            ),
        ),
        ({"expr": "amount > 50000 && fit"}, "Amount is more than 50,000 and Fit says yes"),
    ],
)
def test_a_check_reads_as_a_sentence(check: Any, words: str) -> None:
    """Names as the process gives them, numbers as they are written, nothing of the file's syntax."""
    assert words == must(check)


def test_criteria_are_called_by_their_name() -> None:
    """A rule about all fields of a framework says which one it is."""
    criteria = [{"id": "fitness", "name": "FITNESS", "fields": ["fit", "need"]}]
    rule = {"id": "rule", "check": {"at_least": 1, "of": "fitness"}}
    spoken = speech(criteria=criteria, stages=[make_stage(exit=[rule])])
    stage = spoken.process.stages[0]

    assert "At least 1 of the 2 criteria of FITNESS say yes: Fit and Need" == (
        said_rule(stage.exit[0], stage, spoken).must.striptags()
    )


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt", "Quando Desconto passa de 10, Aprovado por diz quem aprovou"),
        ("zh", "折扣超过 10 时，审批人写明审批人"),  # noqa: RUF001  a comma as Chinese has it
    ],
)
def test_a_rule_is_said_in_each_language(language: str, words: str) -> None:
    """From the same check."""
    assert words == must({"approval": {"field": "discount", "over": 10, "by": "approver"}}, language)


def test_numbers_are_written_as_the_language_does() -> None:
    """Portuguese groups thousands by dots."""
    assert "Valor é no mínimo 50.000,5" == must({"bounds": {"field": "amount", "min": "50000.5"}}, "pt")


def test_the_rest_of_a_rule_is_said_beside_it() -> None:
    """For which deals it is, what is read when it is broken, what is missing, and who may lift it."""
    rule = {
        "id": "big",
        "when": "amount > 5",
        "check": {"required": ["plan"]},
        "message": {"en": "Only {passed}; missing: {missing}"},
        "on_unknown": "warn",
        "waived_by": {"field": "approver", "until": "signed_on"},
    }
    spoken = speech(stages=[make_stage(exit=[rule])])
    stage = spoken.process.stages[0]
    said = said_rule(stage.exit[0], stage, spoken)

    assert said.when is not None
    assert "Amount is more than 5" == said.when.striptags()
    assert "Only …; missing: …" == said.told
    assert [
        "While something is missing that this needs to know, you only get a warning.",
        "A name in Approved by approves an exception, until the day in Signed on.",
    ] == [note.striptags() for note in said.notes]


def test_fields_lead_to_what_they_mean() -> None:
    """Each is a link into the glossary."""
    spoken = speech(stages=[make_stage(exit=[{"id": "rule", "check": {"required": ["plan"]}}])])
    stage = spoken.process.stages[0]

    assert '<a href="glossary.html#field-plan">Plan</a> is filled in' == said_rule(stage.exit[0], stage, spoken).must


def test_no_kind_of_check_is_left_without_words() -> None:
    """One that is added to the model must be said, too."""
    assert set(CHECKS.values()) == set(checks._CHECKS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_and_values_stay_text(language: str) -> None:
    """Wherever they come into a sentence."""
    evil = "<script>alert(1)</script>\u202e"
    fields = [{"id": "plan", "name": evil}, *FIELDS[:-1]]
    checks = [
        {"required": ["plan"]},
        {"one_of": {"field": "plan", "values": [evil]}},
        {"activities": {"kind": [evil], "subject": evil}},
        {"contacts": {"title": [evil]}},
        {"attachments": {"note": evil}},
        {"expr": f'plan == "{evil}" && plan.matches("<b>")'},
    ]
    rules = [{"id": f"r{number}", "check": check, "message": evil} for number, check in enumerate(checks)]
    spoken = speech(language, fields=fields, stages=[make_stage(exit=rules)])
    stage = spoken.process.stages[0]

    for rule in stage.exit:
        said = said_rule(rule, stage, spoken)
        assert "<script" not in said.must + said.told
        assert "<b>" not in said.must
        assert "\u202e" not in said.must + said.told
