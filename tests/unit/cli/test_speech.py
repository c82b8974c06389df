"""What commands print for people follows the language of the settings, and is complete in each."""

from __future__ import annotations

import re
import string
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from tests.unit.cli.written import text

from crmbridge.cli.exits import EXITS
from crmbridge.cli.explain_view import explanation_lines
from crmbridge.cli.forms import explanation_form
from crmbridge.cli.output import width
from crmbridge.cli.plan_view import change_lines, edits_in_words, plan_lines, value_shown
from crmbridge.cli.rules_view import read_parts
from crmbridge.cli.speech import english, speech_of
from crmbridge.cli.waiting_view import full_lines
from crmbridge.files.reading import read_process
from crmbridge.files.shipped import shipped_folder
from crmbridge.model.changes import Action, Blocked, Cause, FieldEdit, Outcome, Plan
from crmbridge.model.findings import Severity, SlaState
from crmbridge.model.records import Kind, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.ports import Waiting
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.naming import Names, names_for
from crmbridge.services.runs.running import run_plan, run_steps
from crmbridge.testing.factories import make_change, make_plan
from crmbridge.testing.workspaces import MONDAY, Bench, make_bench

NAMES = Names(adapters={}, deals={}, others={}, stages={})
HOME = Path(str(files("crmbridge.cli")))
FILES = [tomllib.loads(HOME.joinpath(name).read_text("utf-8")) for name in ("words.toml", "run_words.toml")]
CATALOGUE = FILES[0] | FILES[1]
LANGUAGES = {"en", "pt", "zh"}


def held(language: str) -> Bench:
    """Give two CRMs, and in both a deal that may not leave its stage."""
    bench = make_bench(parts={"north": (0, 0), "south": (0, 0)}, language=language)
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    run_steps(bench.workspace, "cycle")
    return bench


def explained(bench: Bench) -> str:
    """Explain the deal as the command does."""
    said = explain(bench.workspace, "Rollout")
    names = names_for(bench.workspace, [entry.change for entry in said.journal])
    return text(explanation_lines(said, bench.workspace.project.process, names, speech_of(bench.workspace)))


def test_every_word_is_there_in_every_language() -> None:
    """And fills in the same."""

    def filled(words: str) -> frozenset[str]:
        return frozenset(name for _, name, _, _ in string.Formatter().parse(words) if name)

    wrong = {
        key: texts
        for key, texts in CATALOGUE.items()
        if set(texts) != LANGUAGES or len({filled(words) for words in texts.values()}) > 1
    }
    assert {} == wrong


def test_every_word_that_is_asked_for_is_there_and_no_other() -> None:
    """By its key, or by the beginning of it."""
    code = "".join(path.read_text("utf-8") for path in HOME.glob("**/*.py"))
    asked = set(re.findall(r"say(?:\.counted)?\(\s*[\"'](\w+)[\"']", code))
    named = {"cause", "outcome", "severity", "state", "wrote", "weekday", "kind"}

    assert len(asked) > 50
    assert set() == asked - set(english().texts)
    unasked = {key for key in CATALOGUE if not re.search(rf"[\"']{key.removesuffix('_one')}[\"']", code)}
    assert set() == {key for key in unasked if key.rpartition("_")[0] not in named}


def test_no_word_is_in_both_files() -> None:
    """Nor does one of a run's frame hide one of the page's."""
    page = tomllib.loads(files("crmbridge.web").joinpath("words.toml").read_text("utf-8"))

    assert set() == FILES[0].keys() & FILES[1].keys()
    assert set() == page.keys() & FILES[1].keys()


def test_what_the_page_says_too_stands_with_its_words() -> None:
    """Commands have these already, and what stands twice comes to differ."""
    page = tomllib.loads(files("crmbridge.web").joinpath("words.toml").read_text("utf-8"))

    assert [] == [key for key, texts in FILES[0].items() if page.get(key) == texts]


def test_every_kind_of_thing_has_its_word() -> None:
    """A cause or outcome without one would be an error on the day it first happens."""
    kinds = {"cause": Cause, "outcome": Outcome, "wrote": Action, "severity": Severity, "state": Status, "kind": Kind}
    wanted = {f"{prefix}_{one}" for prefix, kind in kinds.items() for one in kind} | {str(one) for one in SlaState}
    wanted |= {f"advice_{one}" for one in Cause if one is not Cause.CONFLICT} | {f"weekday_{day}" for day in range(7)}
    wanted |= {f"{prefix}_{one}" for prefix in ("does", "action") for one in Action}
    wanted |= {f"exit_{one.code}" for one in EXITS}

    assert set() == wanted - set(english().texts)


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ["Not ready to leave Qualification: 1 of 1 rule fails.", "To leave this stage", "owner  nobody"]),
        (
            "pt",
            [
                "Não está pronto para sair de Qualification: 1 de 1 regra não cumprida.",
                "responsável  ninguém",
                "Preencha ou corrija",
            ],
        ),
        (
            "zh",
            ["尚不能离开“Qualification”", "1 条规则中有 1 条未满足。", "负责人  无", "剩余 5 个工作日", "请填写或更正"],
        ),
    ],
)
def test_an_explanation_is_told_in_the_language_of_the_settings(language: str, says: list[str]) -> None:
    """Its sentences, titles and heads; what is for machines is the same in each."""
    bench = held(language)
    said = explained(bench)

    assert [] == [each for each in says if each not in said]
    forms = [explanation_form(explain(each.workspace, "Rollout"), {}) for each in (bench, held("en"))]
    assert {**forms[0], "journal": []} == {**forms[1], "journal": []}  # a journal's runs have names of their own


@pytest.mark.parametrize("language", ["pt", "zh"])
def test_nothing_of_an_explanation_stays_english(language: str) -> None:
    """None of the sentences that it has in English is left in it."""
    said = explained(held(language))
    every = [texts["en"] for texts in CATALOGUE.values()]
    sentences = [each for each in every if " " in each.strip() and "{" not in each]

    assert len(sentences) > 10
    assert [] == [sentence for sentence in sentences if sentence in said]


@pytest.mark.parametrize(("language", "says"), [("en", "pulled never"), ("pt", "lidas nunca"), ("zh", "读取于 从未")])
def test_what_was_never_pulled_is_said_to_be_so_in_the_language_of_the_settings(language: str, says: str) -> None:
    """A rule may count activities since after the last pull."""
    rule = explain(held(language).workspace, "Rollout").rules[0]
    seen = tuple(replace(each, changed_at=None, pulled_at=None) for each in rule.seen)
    said = read_parts([replace(rule, seen=seen)], speech_of(held(language).workspace))

    assert says in " ".join(said)


def test_what_an_undo_leaves_is_told_in_the_language_of_the_settings() -> None:
    """Why it is left, what it is, and whose the values beside it are."""
    bench = held("pt")
    values = {"north": "By hand", "the run wrote": "Renamed", "before it": "Rollout"}
    deal = Ref("north", Kind.DEAL, "n1")
    left = [
        Blocked(
            link="", deal=deal, name="name", reason="it was changed since the run, so it stays as it is", values=values
        ),
        Blocked(link="", deal=deal, name="record", reason="it is gone from its CRM since, so it stays as it is"),
    ]
    said = text(plan_lines(make_plan(blocked=tuple(left)), NAMES, speech_of(bench.workspace)))

    assert "a execução gravou  Renamed" in said
    assert "antes dela         Rollout" in said
    assert "mudou depois da execução, por isso fica como está" in said
    assert "registro de north:n1" in said


def test_columns_of_wide_characters_stand_below_each_other() -> None:
    """A Chinese character takes two columns of a terminal; what begins behind one begins where the others do."""
    facts = [line for line in explained(held("zh")).split("\n\n")[1].splitlines() if "  " in line]

    assert len(facts) > 3
    assert 1 == len({width(re.match(r"\S+ +", line)[0]) for line in facts})  # type: ignore[index]  each has both


@pytest.mark.parametrize(("language", "says"), [("pt", "decida por um destes:"), ("zh", "请用以下任一方式决定")])
def test_what_waits_is_told_in_the_language_of_the_settings(language: str, says: str) -> None:
    """Also what can be done about it; commands stay as they are typed."""
    bench = held(language)
    deal = bench.crms["north"].named("Rollout")[0].ref
    item = Blocked(link="", deal=deal, name="amount", reason="because", values={"north": None, "south": None})
    said = text(full_lines(bench.workspace, Waiting(item, MONDAY), bench.clock.now()))

    assert says in said.lower()
    assert f"  crmbridge conflicts resolve {item.id} --take south\n" in said
    assert "waits for" not in said


@pytest.mark.parametrize(
    ("language", "says"), [("pt", ["criar negócio", "Plano: 1 a criar."]), ("zh", ["新建 商机", "1 新建。"])]
)
def test_a_plan_is_told_in_the_language_of_the_settings(language: str, says: list[str]) -> None:
    """What it does, why, and its sum."""
    bench = make_bench(parts={"north": (0, 0), "south": (0, 0)}, language=language)
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    cycle = run_plan(bench.workspace).cycle
    assert cycle is not None
    assert cycle.plan is not None
    plan = cycle.plan
    said = text(plan_lines(plan, names_for(bench.workspace, plan.changes), speech_of(bench.workspace)))

    assert [] == [each for each in says if each not in said]
    assert "because" not in said


@pytest.mark.parametrize("language", ["pt", "zh"])
def test_why_a_task_is_made_is_told_as_its_finding_is(language: str) -> None:
    """As the task will say it; in English, as the plan stores it."""
    asks = [{"rule": "*", "action": "task"}]
    bench = make_bench(deals=12, parts={"north": (0, 1)}, language=language, enforce=asks)
    cycle = run_plan(bench.workspace).cycle
    assert cycle is not None
    assert cycle.plan is not None
    changes = [change for change in cycle.plan.changes if change.finding]
    say = speech_of(bench.workspace, changes)

    assert changes
    for change in changes:
        finding = say.about[change.finding or ""]
        assert f"{finding.rule}: {say.finding(finding)}" == say.because(change)
        assert change.reason not in {say.because(change), ""}
        assert change.reason == english().because(change)


@pytest.mark.parametrize(("language", "says"), [("pt", ("(vazio)", "sim", "não")), ("zh", ("（空）", "是", "否"))])  # noqa: RUF001  as it is written
def test_values_are_told_in_the_language_of_the_settings(language: str, says: tuple[str, str, str]) -> None:
    """In plans, in a journal's line and of what waits: nothing, yes and no are words; what people wrote stays."""
    nothing, yes, no = says
    say = speech_of(held(language).workspace)
    edits = [FieldEdit("fit", None, True), FieldEdit("signed", True, False), FieldEdit("note", "", "yes")]
    change = make_change(edits=tuple(edits))
    item = Blocked(link="", deal=change.target, name="fit", reason="because", values={"north": None, "south": True})

    rows = {line.split()[0]: line.split()[1:] for line in text(change_lines(change, NAMES, say)).splitlines()[1:4]}
    assert {"fit": [nothing, "→", yes], "signed": [yes, "→", no], "note": [nothing, "→", "yes"]} == rows
    assert f"fit: {yes}, signed: {no}, note: yes" == edits_in_words(change, NAMES, say)
    assert [nothing, yes] == [value_shown(item, value, NAMES, say) for value in item.values.values()]


@pytest.mark.parametrize(
    ("language", "says"), [("pt", "etapa Qualificação → Proposta"), ("zh", "阶段 资格确认 → 方案")]
)
def test_a_stage_is_named_as_the_process_names_it_in_the_language(language: str, says: str) -> None:
    """In a plan and in a journal's line; so is what a stage is, which no process names."""
    process = read_process(shipped_folder() / "processes" / "b2b.yaml").model
    say = speech_of(make_bench(process=process, language=language).workspace)
    change = make_change(edits=(FieldEdit("stage", "qualification", "proposal"),))

    assert says in re.sub(" +", " ", text(change_lines(change, NAMES, say)))
    label, *_, after = says.split()
    assert f"{label}: {after}" == edits_in_words(change, NAMES, say)


@pytest.mark.parametrize(("language", "says"), [("en", "amount, link"), ("pt", "Valor, Correspondente")])
def test_what_waits_together_is_named_one_by_one(language: str, says: str) -> None:
    """Each by the word that it has alone."""
    assert says == speech_of(held(language).workspace).field("amount, link")


def test_a_project_without_connections_is_told_what_it_lacks() -> None:
    """Nothing was compared, so nothing agrees."""
    plan = Plan(id="p", made_at=MONDAY, settings="", changes=())

    assert "no connections" in text(plan_lines(plan, NAMES, english()))
