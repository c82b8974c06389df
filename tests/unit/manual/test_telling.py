"""Findings and verdicts in the reader's language: made from what was stored, never another claim than it holds."""

# ruff: noqa: RUF001  Chinese has its own punctuation

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.rules.case import Beside
from crmbridge.manual.telling import Teller, teller
from crmbridge.model.findings import Finding, FindingKind
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Problem
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.testing.factories import (
    make_company,
    make_deal,
    make_finding,
    make_move,
    make_position,
    make_process,
    make_record,
    make_stage,
    make_subject,
)

FIELDS = [
    {"id": "discount", "type": "number", "name": {"en": "Discount", "pt": "Desconto", "zh": "折扣"}},
    {"id": "need", "type": "bool", "name": {"en": "Need", "pt": "Necessidade", "zh": "需求"}},
    {"id": "plan", "type": "text", "name": {"en": "Plan", "pt": "Plano", "zh": "计划"}},
    {"id": "signed_on", "type": "date", "name": {"en": "Signed on", "pt": "Assinado em", "zh": "签署日期"}},
    {"id": "accepted_at", "type": "datetime", "name": {"en": "Accepted at", "pt": "Aceito em", "zh": "接收时间"}},
]
STAGES = {
    "qualification": {"en": "Qualification", "pt": "Qualificação", "zh": "资格审查"},
    "proposal": {"en": "Proposal", "pt": "Proposta", "zh": "方案"},
    "closing": {"en": "Closing", "pt": "Fechamento", "zh": "成交"},
}
MONDAY = datetime(2026, 6, 1, 9, tzinfo=UTC)


def process(*rules: dict[str, Any], entry: list[dict[str, Any]] | None = None, **overrides: Any) -> Process:
    """Make a process in three languages whose first stage leaves by these rules."""
    first = {"exit": [{"id": f"r{n}", **rule} for n, rule in enumerate(rules, 1)], **overrides.pop("first", {})}
    stages = [
        make_stage("qualification", name=STAGES["qualification"], **first),
        make_stage("proposal", name=STAGES["proposal"], entry=entry or []),
        make_stage("closing", name=STAGES["closing"]),
    ]
    return make_process(**{"fields": FIELDS, "languages": ["en", "pt", "zh"], "stages": stages, **overrides})


def findings(of: Process, *stages: str, now: datetime = MONDAY + timedelta(hours=4), **subject: Any) -> list[Finding]:
    """Evaluate a deal that came through these stages, an hour in each."""
    names = stages or ("qualification", "proposal")
    befores = [None, *names]
    moves = [
        make_move(before, stage, at=MONDAY + timedelta(hours=hour))
        for hour, (before, stage) in enumerate(zip(befores, names, strict=False))
    ]
    deal = make_deal(stage=names[-1], fields=subject.pop("fields", {}), created_at=MONDAY, **subject.pop("deal", {}))
    return list(evaluate(make_subject(*moves, deal=deal, process=of, **subject), now).findings)


def told(of: Process, language: str, *stages: str, **subject: Any) -> str:
    """Tell of the only finding of such a deal."""
    (finding,) = findings(of, *stages, **subject)
    return teller(of, language).finding(finding)


LEFT = {
    "pt": "O negócio saiu de Qualificação em 1 de junho de 2026, 10:00 UTC, avaliado pelo que consta agora.",
    "zh": "商机于 2026年6月1日 10:00 UTC 离开资格审查，按现在的内容评估。",
}


@pytest.mark.parametrize(
    ("check", "portuguese", "chinese"),
    [
        (
            {"required": ["plan"]},
            (
                f"O que precisa valer: Plano está preenchido. No negócio consta: Plano: vazio. {LEFT['pt']} "
                "Preencha ou corrija: Plano."
            ),
            f"须满足：计划已填写。商机现有内容：计划：空。{LEFT['zh']}请填写或更正：计划。",
        ),
        (
            {"bounds": {"field": "discount", "max": 10}},
            (
                f"O que precisa valer: Desconto é no máximo 10. No negócio consta: Desconto: 12,5. {LEFT['pt']} "
                "Preencha ou corrija: Desconto."
            ),
            f"须满足：折扣不超过 10。商机现有内容：折扣：12.5。{LEFT['zh']}请填写或更正：折扣。",
        ),
        (
            {"expr": "discount <= 10 && need"},
            (
                "O que precisa valer: Desconto é no máximo 10 e Necessidade "
                "diz sim. No negócio consta: Desconto: 12,5, "
                f"Necessidade: vazio. {LEFT['pt']} Preencha ou corrija: Desconto."
            ),
            (
                "须满足：折扣不超过 10，且需求为“是”。商机现有内容：折扣：12.5、需求："
                f"空。{LEFT['zh']}请填写或更正：折扣。"
            ),
        ),
        (
            {"activities": {"at_least": 2, "state": "done", "kind": ["call"]}},
            (
                "O que precisa valer: pelo menos 2 atividades feitas (ligação). "
                "No negócio consta: Número de atividades: 0. "
                f"{LEFT['pt'].replace('consta agora', 'constava na época')} Faça com que isso valha."
            ),
            (
                "须满足：至少完成 2 项活动（电话）。商机现有内容：活动数：0。"
                f"{LEFT['zh'].replace('现在', '当时')}请使其满足。"
            ),
        ),
        (
            {"company": {"required": ["domain", "name"]}},
            (
                "O que precisa valer: há uma empresa vinculada, e dela se "
                "conhece: domínio na web e nome. No negócio consta: "
                "domínio na web da empresa: vazio, nome da empresa: “Company "
                f"30”. {LEFT['pt']} Faça com que isso valha."
            ),
            (
                "须满足：已关联公司，并填写其：网站域名和名称。商机现有内容："
                "公司网站域名：空、公司名称：“Company 30”。"
                f"{LEFT['zh']}请使其满足。"
            ),
        ),
    ],
)
def test_a_broken_rule_is_told_by_what_must_hold_and_what_is_there(
    check: dict[str, Any], portuguese: str, chinese: str
) -> None:
    """In the words of the manual, with values and moments as the language writes them."""
    of = process({"check": check, "on_unknown": "fail"})
    around = {
        "fields": {"discount": Decimal("12.5")},
        "activities": (),
        "beside": Beside(companies=[make_company(domain=None)]),
    }

    assert [portuguese, chinese] == [told(of, language, **around) for language in ("pt", "zh")]


def test_a_rules_own_words_are_told_with_what_they_name() -> None:
    """They come first, in the reader's language; their values are those of the finding."""
    message = {"en": "{passed} there, missing {missing}", "pt": "Há {passed}, falta {missing}", "zh": "缺少{missing}"}
    of = process({"check": {"at_least": 3, "of": ["plan", "need", "discount"]}, "message": message})
    around = {"fields": {"need": True}}

    assert f"Há 1, falta Plano, Desconto. {LEFT['pt']} Preencha ou corrija: Plano e Desconto." == told(
        of, "pt", **around
    )
    assert f"缺少计划、折扣。{LEFT['zh']}请填写或更正：计划和折扣。" == told(of, "zh", **around)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({}, "O que precisa valer: Plano é “A”. No negócio consta: Plano: vazio."),
        ({"plan": "{x}"}, "“{x}” não serve."),
        ({"plan": "B"}, "“B” não serve."),
    ],
)
def test_own_words_name_the_value_as_it_is(held: dict[str, Any], words: str) -> None:
    """What a CRM holds is not looked into. Of a value that is not there they have nothing to say."""
    message = {"en": "“{value}” won't do", "pt": "“{value}” não serve", "zh": "“{value}”不行"}
    of = process({"check": {"one_of": {"field": "plan", "values": ["A"]}}, "message": message, "on_unknown": "fail"})

    assert told(of, "pt", fields=held).startswith(words)


@pytest.mark.parametrize(
    ("said", "language", "told_as"),
    [
        ("held then, as hs recorded it", "pt", "avaliado pelo que constava na época, como hs registrou. "),
        (
            "holds now, as hs can't tell what it was",
            "pt",
            "avaliado pelo que consta agora, pois hs não diz o que havia. ",
        ),
        ("held then, as hs recorded it", "zh", "按当时的内容评估（以 hs 的记录为准）。"),
        ("holds now", "zh", "按现在的内容评估。"),
    ],
)
def test_on_whose_word_it_was_judged_is_told(said: str, language: str, told_as: str) -> None:
    """A CRM's record of then is worth more than what is there now."""
    of = process({"check": {"required": ["plan"]}})
    (finding,) = findings(of)
    kept = replace(finding, message=finding.message.replace("holds now", said))

    assert told_as in teller(of, language).finding(kept)


def test_files_that_nobody_may_read_say_so_and_are_called_no_field() -> None:
    """Where the process asks for one, and where it is one of two ways to show an output."""
    of = process({"check": {"attachments": {"files": {"name": ["*offer*"]}}}})

    assert told(of, "pt").endswith("na época. Permita que os arquivos sejam lidos; `crmbridge doctor` diz como.")
    assert told(of, "zh").endswith("请允许读取文件；方法见 `crmbridge doctor`。")


def test_files_that_do_not_fit_are_named() -> None:
    """What is there is what the rule looked at."""
    of = process({"check": {"attachments": {"files": {"name": ["*offer*"]}}}})
    there = Beside(files=(make_record(Kind.FILE, 7, fields={"name": "notes.pdf", "type": "pdf"}),))

    assert "No negócio consta: arquivos: “notes.pdf”." in told(of, "pt", beside=there)


def test_own_words_in_another_language_give_way_to_what_must_hold() -> None:
    """Half a sentence of English helps nobody who reads Chinese."""
    of = process({"check": {"required": ["plan"]}, "message": {"en": "Write a plan"}})

    assert f"须满足：计划已填写。商机现有内容：计划：空。{LEFT['zh']}请填写或更正：计划。" == told(of, "zh")


def test_own_words_that_can_not_be_filled_any_more_give_way_too() -> None:
    """What a rule saw beside the deal's fields is not kept, so nothing is claimed of it."""
    call = make_record(Kind.ACTIVITY, fields={"type": "call", "done": True, "done_at": MONDAY})
    message = {"en": "{passed} calls", "pt": "{passed} ligações", "zh": "{passed} 次电话"}
    of = process({"check": {"activities": {"at_least": 3, "kind": ["call"]}}, "message": message})

    assert told(of, "pt", activities=[call]).startswith(
        "O que precisa valer: pelo menos 3 atividades no negócio (ligação)."
    )


def test_an_undecided_rule_and_an_entry_rule_say_so() -> None:
    """Both are told apart from an exit rule that fails."""
    undecided = process({"check": {"bounds": {"field": "discount", "max": 10}}, "on_unknown": "warn"})
    entry = process(entry=[{"id": "plan", "check": {"required": ["plan"]}}])

    assert "Ainda não dá para decidir. O negócio saiu de Qualificação" in told(undecided, "pt")
    assert "商机于 2026年6月1日 10:00 UTC 进入方案" in told(entry, "zh")


@pytest.mark.parametrize(
    ("hours", "portuguese", "chinese"),
    [
        (
            7,
            (
                "Em Qualificação desde 1 de junho de 2026, 09:00 UTC. O prazo é 1 de junho de 2026, 17:00 UTC "
                "(1 dia útil, calendário office, dos quais 80% já passaram). Leve-o adiante."
            ),
            (
                "自 2026年6月1日 09:00 UTC 起处于资格审查。期限为 2026年6月1日 "
                "17:00 UTC（1 个工作日，日历：office，"
                "已用 80%）。请推进商机。"
            ),
        ),
        (
            30,
            (
                "Em Qualificação desde 1 de junho de 2026, 09:00 UTC. O prazo era 1 de junho de 2026, 17:00 UTC "
                "(1 dia útil, calendário office). Leve-o adiante."
            ),
            (
                "自 2026年6月1日 09:00 UTC 起处于资格审查。已超过期限 2026年6月1日 "
                "17:00 UTC（1 个工作日，日历：office）。"
                "请推进商机。"
            ),
        ),
    ],
)
def test_a_clock_says_since_when_and_until_when(hours: int, portuguese: str, chinese: str) -> None:
    """At risk, and breached."""
    of = process(first={"sla": {"goal": "1bd", "calendar": "office"}})
    now = MONDAY + timedelta(hours=hours)

    assert [portuguese, chinese] == [told(of, language, "qualification", now=now) for language in ("pt", "zh")]


def test_a_clock_of_a_segment_says_that_segments_goal() -> None:
    """The goal that counted, not the one for all others."""
    goals = [{"when": {"required": ["plan"]}, "goal": "2h"}]
    of = process(first={"sla": {"goal": "9bd", "calendar": "office", "goals": goals}})
    around = {"fields": {"plan": "A"}, "now": MONDAY + timedelta(hours=30)}

    assert "O prazo era 1 de junho de 2026, 11:00 UTC (2 horas)." in told(of, "pt", "qualification", **around)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            {"kind": "first_touch", "types": ["call"]},
            "SLA: desde 1 de junho de 2026, 09:00 UTC nada foi feito (ligação).",
        ),
        ({"kind": "no_activity"}, "SLA: desde 1 de junho de 2026, 09:00 UTC nada foi feito (atividade)."),
        ({"kind": "next_activity"}, "SLA: desde 1 de junho de 2026, 09:00 UTC não há nada planejado (atividade)."),
    ],
)
def test_clocks_of_activities_say_what_is_missing(rule: dict[str, Any], words: str) -> None:
    """Each kind of SLA in its own words."""
    of = process(slas=[{"id": "own", "name": "SLA", "goal": "2h", **rule}])
    around = {"activities": (), "now": MONDAY + timedelta(hours=30)}

    assert told(of, "pt", "qualification", **around).startswith(words)


def test_a_handoff_that_nobody_accepted_says_how_to() -> None:
    """It names the field."""
    handoff = {"to": "seller", "accept_within": "2h", "accepted": "accepted_at"}
    of = process(first={"handoff": handoff})
    said = told(of, "zh", now=MONDAY + timedelta(hours=30))

    assert said.startswith("商机于 2026年6月1日 10:00 UTC 移交至方案，尚未接收。")
    assert said.endswith("请填写接收时间以接收，或将其移回。")


@pytest.mark.parametrize(
    ("stages", "moves", "words"),
    [
        (
            ("qualification", "closing"),
            {},
            (
                "O negócio veio de Qualificação e pulou Proposta, o que "
                "o processo não permite. Chegou a Fechamento em "
                "1 de junho de 2026, 10:00 UTC. Mova-o para onde deve estar; antes estava em Qualificação."
            ),
        ),
        (("proposal", "closing", "qualification"), {"back": False}, "O negócio voltou de Fechamento, o que"),
        (("closing", "lost", "closing"), {"reopen": False}, "O negócio foi reaberto depois de ganho ou perdido, o que"),
    ],
)
def test_a_move_that_is_not_allowed_says_which(stages: tuple[str, ...], moves: dict[str, Any], words: str) -> None:
    """And where the deal was before."""
    of = process(moves=moves)
    (finding,) = [one for one in findings(of, *stages) if one.kind is FindingKind.ILLEGAL_MOVE]

    assert teller(of, "pt").finding(finding).startswith(words)


def test_what_can_not_be_read_says_why_as_the_adapter_does() -> None:
    """Adapters speak English; what surrounds it is the reader's."""
    of = process()
    problem = told(of, "pt", "qualification", deal={"problems": (Problem("amount", "'<b>' is no number."),)})
    unmapped = told(of, "zh", "qualification", deal={"position": make_position("odd")})

    assert "O campo Valor não pode ser lido: “'<b>' is no number.” Corrija-o no CRM." == problem
    assert unmapped.startswith("销售管道“sales”的阶段“n_odd”不对应流程中的任何阶段。")


def test_english_is_told_as_it_was_stored() -> None:
    """One sentence, made once."""
    of = process({"check": {"required": ["plan"]}})
    (finding,) = findings(of)

    assert finding.message == teller(of, "en").finding(finding)


def test_english_is_told_anew_where_moments_are_written_as_their_place_shows_them() -> None:
    """A page whose times are in one zone can't have sentences with times of another."""
    of = process({"check": {"required": ["plan"]}})
    (finding,) = findings(of)
    shown = teller(of, "en", lambda moment: f"({moment:%H:%M})").finding(finding)

    assert ("UTC" in finding.message, "UTC" in shown) == (True, False)
    assert f"on ({finding.since:%H:%M})" in shown


@pytest.mark.parametrize(
    "finding",
    [
        make_finding("gone.rule", message="An old rule."),
        make_finding("gone.sla", kind=FindingKind.SLA_BREACHED, message="Late."),
        make_finding("qualification.sla", kind=FindingKind.SLA_BREACHED, message="Stored before it kept moments."),
        make_finding("move", kind=FindingKind.ILLEGAL_MOVE, message="Stored before it kept where from."),
        make_finding("unreadable", kind=FindingKind.UNREADABLE, message="The deal can't be judged."),
    ],
)
def test_what_is_not_known_well_enough_is_told_as_it_was_stored(finding: Finding) -> None:
    """Findings of earlier versions, and of rules that the process has no more."""
    of = process(first={"sla": {"goal": "1bd", "calendar": "office"}})

    assert finding.message == teller(of, "zh").finding(finding)


@given(st.sampled_from(["plan", "name"]), st.text(max_size=60), st.sampled_from(["pt", "zh"]))
def test_text_from_a_crm_is_told_as_text(field: str, text: str, language: str) -> None:
    """Whatever it is: nothing of it is taken for markup, a placeholder or another line."""
    of = process({"check": {"one_of": {"field": field, "values": ["yes"]}}, "on_unknown": "fail"})
    made = findings(of, fields={field: f"x{text}<script>&amp;{{0}}"})
    said = [teller(of, language).finding(one) for one in made]

    assert 1 == len(said)
    assert "\n" not in said[0]
    assert {"Cc", "Zl", "Zp"}.isdisjoint(map(unicodedata.category, said[0]))
    if len(text) < 50:
        assert "<script>&amp;{0}" in said[0]


@given(
    st.fixed_dictionaries(
        {
            "discount": st.none() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
            "need": st.none() | st.booleans(),
            "plan": st.none() | st.text(max_size=5),
            "signed_on": st.none() | st.dates(date(1, 1, 3), date(9999, 12, 28)),
            "amount": st.none() | st.builds(Money, st.decimals(allow_nan=False, allow_infinity=False), st.just("EUR")),
        }
    )
)
def test_every_value_can_be_told(fields: dict[str, Any]) -> None:
    """Whatever a deal holds, what is said of it in English can be said in the others."""
    checks: list[dict[str, Any]] = [
        {"required": ["plan", "amount"]},
        {"bounds": {"field": "discount", "min": 3}},
        {"dates": {"field": "signed_on", "to_days": 3}},
        {"expr": "amount > 10 && signed_on > today()"},
    ]
    of = process(*({"check": check} for check in checks))
    voices: list[Teller] = [teller(of, language) for language in ("pt", "zh")]
    for finding in findings(of, fields=fields):
        said = [voice.finding(finding) for voice in voices]
        assert said[0].startswith("O que precisa valer: ")
        assert said[1].startswith("须满足：")
        assert finding.message == teller(of, "en").finding(replace(finding))
