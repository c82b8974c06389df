"""Why a change is planned, or something waits, in the reader's language: what the engine says, and only that."""

# ruff: noqa: RUF001  Chinese has its own punctuation

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmbridge
from crmbridge.engine.voice import LINES
from crmbridge.manual.telling import Teller, teller
from crmbridge.manual.words import words_of
from crmbridge.testing.factories import make_process, make_stage

HOME = Path(crmbridge.__file__).parent
# What says why something is planned, waits, or is not undone. Set-up tells of it on the command line alone.
SAYING = [
    *(f"engine/acting/{name}.py" for name in ("actions", "reverting", "tasks")),
    *(f"engine/sync/{name}.py" for name in ("deleting", "matching", "merge", "wanted")),
    "engine/deals/moves.py",
    "services/by_hand/what_stays.py",
    "services/by_hand/undoing.py",
    "services/sync/companions.py",
    "services/reports/crm_sink.py",
]
NAMES = {"reason", "why", "said", "_AGAIN", "_WORDS"}
HOSTILE = ["<script>alert(1)</script>", "=HYPERLINK(1)", "a; b", "{0} {stage}", "\u202eevil", "x  y\n z", "&lt;b&gt;"]


def of(language: str) -> Teller:
    """Give who tells of a process with a stage and a field in three languages."""
    name = {"en": "Proposal", "pt": "Proposta", "zh": "方案"}
    field = {"id": "seats", "type": "number", "name": {"en": "Seats", "pt": "Licenças", "zh": "席位"}}
    process = make_process(stages=[make_stage("proposal", name=name)], fields=[field], languages=["en", "pt", "zh"])
    return teller(process, language)


@pytest.mark.parametrize(
    ("reason", "pt", "zh"),
    [
        ("seats changed in hs", "Licenças mudou em hs", "席位在 hs 中有改动"),
        (
            "amount changed in hs and sf; sf wins over hs by the policy 'newest'; stage changed in hs",
            "Valor mudou em hs e sf; sf prevalece sobre hs pela política “newest”; etapa mudou em hs",
            "金额在 hs 和 sf 中有改动；按策略“newest”，sf 优先于 hs；阶段在 hs 中有改动",
        ),
        ("undoes the run 20260610T1200-ab", "desfaz a execução 20260610T1200-ab", "撤销运行 20260610T1200-ab"),
        (
            "undoes the run 20260610T1200-ab, which made it",
            "desfaz a execução 20260610T1200-ab, que o criou",
            "撤销创建它的运行 20260610T1200-ab",
        ),
        (
            "its seats, stage changed since the run made it, so it stays as it is",
            "desde que a execução o criou mudou: Licenças e etapa; por isso fica como está",
            "该次运行创建它之后，其席位和阶段有改动，因此保持现状",
        ),
        (
            "hs can't be read now: hs.example can't be reached; undo the run again once it can",
            "hs não pode ser lido agora: hs.example can't be reached; desfaça a execução de novo quando puder",
            "hs 现在无法读取：hs.example can't be reached；可读取后再次撤销该运行",
        ),
        ("hs:12 has no counterpart in sf", "hs:12 não tem correspondente em sf", "hs:12 在 sf 中没有对应记录"),
        (
            "lost to proposal: the process lets nothing be opened again; a person may move it in sf",
            "lost para Proposta: o processo não permite reabrir; uma pessoa pode movê-lo em sf",
            "lost → 方案：流程不允许重新打开；可由人在 sf 中移动",
        ),
        (
            "crmbridge moved it back from Proposal before, and it was moved there again, so it stays (proposal.need)",
            "o crmbridge já o moveu de volta de Proposta, e ele foi movido para lá de novo, então fica (proposal.need)",
            "crmbridge 此前曾将其从方案移回，之后它又被移到那里，因此保持不动（proposal.need）",
        ),
    ],
)
def test_a_reason_is_told_in_each_language(reason: str, pt: str, zh: str) -> None:
    """With fields and stages as the process calls them; English is as it was stored."""
    assert [reason, pt, zh] == [of(language).reason(reason) for language in ("en", "pt", "zh")]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_crm_said_stays_letter_by_letter(text: str) -> None:
    """Markup, marks and line ends too: whoever shows it makes it harmless there."""
    assert f"recusado antes: {text}" == of("pt").reason(f"refused before: {text}")


@pytest.mark.parametrize("text", ["", "the veto of a plugin", "seats changed in hs; and more", "; ", "x" * 100_000])
def test_what_is_no_reason_of_ours_stays_as_it_is(text: str) -> None:
    """A half of it is not told: a sentence in two languages helps nobody."""
    assert text == of("pt").reason(text)


@given(st.text() | st.lists(st.sampled_from([*HOSTILE, "seats changed in hs", "hs:1 was deleted", "; "])).map("".join))
def test_no_text_ends_the_telling(text: str) -> None:
    """Whatever it is: CRMs write a part of it."""
    for language in ("en", "pt", "zh"):
        assert isinstance(of(language).reason(text), str)


@pytest.mark.parametrize("name", SAYING)
def test_every_reason_of_the_engine_is_known(name: str) -> None:
    """A new one without words in the other languages is found here."""
    reasons = list(reasons_in(name))
    known = "\n".join(re.sub(r"\{\w+\}", "…", text) for text in words_of("en").texts.values())
    silent = [each for each in reasons if not re.search(fitting(each), known)]

    assert ([], True) == (silent, bool(reasons))


def test_the_lines_around_a_finding_are_the_same_in_english() -> None:
    """Those of the engine, which English is told by, and those of the manual's words."""
    words = words_of("en")
    assert LINES == {key.removeprefix("line_"): text for key, text in words.texts.items() if key.startswith("line_")}


def reasons_in(name: str) -> Iterator[str]:
    """Give the texts that a module makes reasons of, with … where something is filled in."""
    for node in ast.walk(ast.parse((HOME / name).read_text("utf-8"))):
        given = [node.value] if isinstance(node, ast.keyword) and node.arg in NAMES else []
        for target in node.targets if isinstance(node, ast.Assign) else []:
            given += [node.value] if isinstance(target, ast.Name) and target.id in NAMES else []
        for each in given:
            yield from filter(None, map(spelt, ast.walk(each)))


def spelt(node: ast.AST) -> str:
    """Spell out a text in the source; nothing for what is none, and for parts of one."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value else ""


def fitting(reason: str) -> str:
    """Make the pattern that a reason fits, or a part of one: what is filled in may be any word."""
    return ".+".join(re.escape(part) for part in reason.strip("…").split("…"))
