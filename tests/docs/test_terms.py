"""One thing has one name in each language, on the page, in reports, the manual, commands and the shipped process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from crmbridge.files.yaml_nodes import parse
from crmbridge.languages import LANGUAGES, catalogue

FILES = (
    ("crmbridge", "words.toml"),
    ("crmbridge.web", "words.toml"),
    ("crmbridge.report", "words.toml"),
    ("crmbridge.manual", "words.toml"),
    ("crmbridge.cli", "words.toml"),
    ("crmbridge.cli", "run_words.toml"),
    ("crmbridge.indicators", "definitions.toml"),
    ("crmbridge.indicators", "outlook.toml"),
)
PROCESS = Path(__file__).parents[2] / "config" / "processes" / "b2b.yaml"


class Term(NamedTuple):
    """A pattern of an English word, and those of what it is called in Portuguese and Chinese."""

    en: str
    pt: str
    zh: str


TERMS = (
    Term(r"\bdeals?\b", "negócio", "商机|赢单数"),
    Term(r"\bopen (deals?|pipeline)\b|: +open\b(?! finding)", "abert", "进行中"),
    Term(r"\b(deal is|deals?) won\b|^won\b|, +won\b", "ganh", "赢单"),
    Term(r"\blost\b(?! it)", "perd", "丢单"),
    Term(r"\bclosed deals?\b", "fechado", "关闭"),
    Term(r"\bhand-off|\bhanded over\b", "passa", "移交"),
    Term(r"(?<!technical )\bvisits?\b", "permanência", "停留"),
    Term(r"\bmoves\b(?! deals)|\bmove (not|between)\b", "movimento", "移动"),
    Term(r"\bexit rules?\b", "regras? de saída", "退出规则"),
    Term(r"\bentry rules?\b", "regras? de entrada", "进入规则"),
    Term(r"\bat risk\b", "em risco", "有风险"),
    Term(r"\bbreached\b|\bSLA over\b", "estoura", "超时"),
    Term(r"\bfindings?\b", "achado", "发现"),
    Term(r"\bopen findings?\b|\bfindings? open\b", "abert", "未解决"),
    Term(r"\bwaive", "dispens", "豁免"),
    Term(r"\bconflicts?\b", "conflito", "冲突"),
    Term(r"\bplan\b", "plan[oe]", "计划"),
    Term(r"\bchanges? (planned|applied|failed|not)|^ *changes?$|task changes?\b", "mudança", "更改"),
    Term(r"\bunclear\b", "incert", "不明确"),
    Term(r"\bread(s|ing)? back\b", r"\brel(ê|id)", "回读"),
    Term(r"\bpull(s|ed)?\b", r"\b(re)?l(ê|id[ao]s?|eitura)\b", "读取"),
    Term(r"\bjudg(e|es|ed|ing)\b|\bevaluated\b", "avalia", "评估"),
    Term(r"\bcan't be decided\b|\bnot decided\b", "decid|decisão", "无法判定"),
    Term(r"^held\b", "retid", "受阻"),
    Term(r"\btrend\b", "tendência", "趋势"),
    Term(r"\bindicators?\b", "indicador", "指标"),
    Term(r"\btargets?\b(?!$)", r"\bmeta", "目标"),
    Term(r"\bquota\b", "meta de vendas", "销售配额"),
    Term(r"\bowner\b", "responsável", "负责人"),
    Term(r"\bnotices?\b|^notify", "notificação|notificações", "通知"),
    Term(r"\bwarnings?\b", "aviso", "警告"),
    Term(r"^notes? on\b|\bnotes on\b|\bnotes are\b|, a note\b", "anotaç", "备注"),
    Term(r"\bpipeline\b", "funil", "销售管道"),
    Term(r"\bstages?\b", "etapa", "阶段"),
    Term(r"\barchive", "arquiv", "归档"),
    Term(r"\bbusiness (days?|hours?|minutes?|time)\b", r"\b(útil|úteis)\b", "工作"),
    Term(r"\bsettings?\b", "configuraç", "设置"),
)
# What English calls alike and is not one thing, or is said of it in another form: `back` is a way, and a count.
HOMONYMS = {
    ",",
    "back",
    "cases",
    "done",
    "link",
    "make a new plan",
    "note",
    "notes",
    "now",
    "number",
    "open",
    "planned",
}
HOMONYMS |= {"read", "then", "value", "waiting", "went on", "what", "won", "written", "{numerator} of {denominator}"}


def said(where: str, value: Any) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Give every text with its translations, however deep a file holds it."""
    if isinstance(value, list) and len(value) == len(LANGUAGES) and all(isinstance(one, str) for one in value):
        yield where, dict(zip(LANGUAGES, value, strict=True))
    elif isinstance(value, dict) and isinstance(value.get("en"), str):
        yield where, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from said(f"{where}.{key}", inner)


TEXTS = [text for package, file in FILES for text in said(package, catalogue(package, file))]
ROOT = parse(PROCESS.read_text("utf-8")).root
SHIPPED = list(said("b2b.yaml", ROOT.value if ROOT else None))


def bare(text: str) -> str:
    """Leave out what is filled in, and the names of commands and settings."""
    return re.sub(r"\{\w*\}|`[^`]*`", "", text)


def plain(text: str) -> str:
    """Leave out capitals, and the marks at a sentence's end."""
    return text.strip(" .:。：").lower()  # noqa: RUF001  the colon of Chinese


def test_every_text_is_there_in_every_language() -> None:
    """The shipped process as well."""
    assert [] == [where for where, texts in [*TEXTS, *SHIPPED] if set(texts) != set(LANGUAGES)]


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.en)
def test_a_thing_is_called_the_same_everywhere(term: Term) -> None:
    """Where the English text has the word, the others have theirs."""
    found = [
        (where, texts) for where, texts in [*TEXTS, *SHIPPED] if re.search(term.en, bare(texts["en"]), re.IGNORECASE)
    ]
    wrong = [
        (where, language, texts[language])
        for where, texts in found
        for language, pattern in (("pt", term.pt), ("zh", term.zh))
        if not re.search(pattern, bare(texts[language]), re.IGNORECASE)
    ]

    assert found
    assert [] == wrong


def test_what_reads_the_same_in_english_does_in_the_others() -> None:
    """Two modules that translate one label come to differ. Portuguese may differ by gender and number."""
    first: dict[str, tuple[str, Mapping[str, str]]] = {}
    wrong = []
    for where, texts in TEXTS:
        known, other = first.setdefault(plain(texts["en"]), (where, texts))
        same = plain(texts["zh"]) == plain(other["zh"]) and plain(texts["pt"])[:4] == plain(other["pt"])[:4]
        if not same and plain(texts["en"]) not in HOMONYMS:
            wrong.append((known, where, texts, other["pt"], other["zh"]))

    assert [] == wrong
