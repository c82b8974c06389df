"""The page's words are complete, and numbers, times and lengths read as their language writes them."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crmbridge.cli.exits import EXITS
from crmbridge.languages import LANGUAGES
from crmbridge.model.changes import Action, Cause, Outcome
from crmbridge.model.findings import Severity, SlaState
from crmbridge.model.records import Kind
from crmbridge.model.values import Money
from crmbridge.web.words import preferred, words_of
from crmbridge.words import texts_of

CATALOGUE = tomllib.loads(files("crmbridge.web").joinpath("words.toml").read_text("utf-8"))
SOURCES = [*Path(str(files("crmbridge.web"))).glob("**/*.py"), *Path(str(files("crmbridge.web"))).glob("**/*.j2")]
HOME = Path(str(files("crmbridge.web")))
BERLIN = ZoneInfo("Europe/Berlin")


def named(text: str) -> set[str]:
    """Give the names that are filled into a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_word_is_there_in_every_language() -> None:
    """And fills in the same."""
    wrong = {
        key: texts
        for key, texts in CATALOGUE.items()
        if set(texts) != set(LANGUAGES) or len({frozenset(named(text)) for text in texts.values()}) > 1
    }

    assert {} == wrong


def test_every_word_that_is_asked_for_is_there() -> None:
    """In templates and views, by its key or the beginning of it."""
    asked = {m for path in SOURCES for m in re.findall(r"\bt\(f?[\"'](\w+)[\"']", path.read_text("utf-8"))}

    assert len(asked) > 100
    assert set() == {key for key in asked if not key.endswith("_")} - set(texts_of("en", "crmbridge.web"))


def test_every_kind_of_thing_has_its_word() -> None:
    """A cause or outcome without one would be an error on the day it first happens."""
    wanted = {f"exit_{one.code}" for one in EXITS}
    wanted |= {f"{prefix}_{one}" for one in Action for prefix in ("action", "does")}
    wanted |= {f"kind_{one}" for one in Kind}
    wanted |= {f"cause_{one}" for one in Cause} | {f"outcome_{one}" for one in Outcome}
    wanted |= {f"severity_{one}" for one in Severity} | {str(one) for one in SlaState}

    assert set() == wanted - set(CATALOGUE)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("de,zh-CN;q=0.5,en;q=0.7", "en"),
        ("de", "en"),
        ("", "en"),
        ("zh;q=x", "zh"),
    ],
)
def test_the_language_is_what_the_browser_prefers(accepted: str, language: str) -> None:
    """Among those there are; English else, or the one that is asked for."""
    assert language == preferred(accepted)
    assert "zh" == preferred("de", "zh")


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["12,345.50 EUR", "-5", "3 d 4 h left", "2 min over", "8 Jun 2026 14:00"]),
        ("pt", ["12.345,50 EUR", "-5", "restam 3 d 4 h", "2 min de atraso", "8 jun. 2026 14:00"]),
        ("zh", ["12,345.50 EUR", "-5", "剩余 3 天 4 小时", "超时 2 分钟", "2026年6月8日 14:00"]),
    ],
)
def test_values_read_as_the_language_writes_them(language: str, expected: list[str]) -> None:
    """Amounts, numbers, lengths of time, and times in the zone of the process."""
    t = words_of(language, BERLIN)
    days = timedelta(days=3, hours=4, minutes=9).total_seconds()

    assert expected == [
        t.money(Money(Decimal("12345.5"), "EUR")),
        t.value(Decimal(-5)),
        t.left(days),
        t.left(-120),
        t.moment(datetime(2026, 6, 8, 12, tzinfo=UTC)),
    ]


def test_what_the_page_says_by_errors_is_told_in_each_language() -> None:
    """All of it; what a CRM or crmbridge's own rules said stays as it is."""
    raised = {
        node.value
        for file in ("desk.py", "views/plan.py", "views/waiting.py")
        for call in ast.walk(ast.parse((HOME / file).read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id.endswith("Error")
        for node in (*call.args, *(keyword.value for keyword in call.keywords))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    } - {"planning gives a plan", "applying needs a plan"}  # bugs, which only the log tells

    assert raised
    for language in ("pt", "zh"):
        assert set() == {text for text in raised if words_of(language, BERLIN).told(text) == text}
    assert "503 <b>" == words_of("pt", BERLIN).told("503 <b>")
