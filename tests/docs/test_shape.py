"""The code keeps the shape that CONTRIBUTING.md promises: sizes, docstrings, names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")])

MODULE_LINES, FUNCTION_LINES, CLASS_METHODS = 400, 50, 15
BANNED = {"manager", "helper", "helpers", "util", "utils", "handler", "handlers", "processor", "processors"}

# What is larger than the limits, and why a reader should accept it. Better empty; an entry that is not needed fails.
EXCEPTIONS = {
    "testing/simulation/witness.py:Witness": "one method for each thing that people do or that a run sends",
    "testing/simulation/play.py:Play": "one method for each thing that can happen while a seed is played",
    "testing/simulation/accounts.py:Account": "one method for each thing that is seen of a CRM or done in it",
    "testing/fake_crm.py:FakeCrm": "one method of a line or two for each thing that people do in a CRM",
}


class Part(NamedTuple):
    """Something with a size. `name` is the module, or module:function or module:Class."""

    name: str
    size: int
    limit: int


def name_of(path: Path) -> str:
    """Name a module from inside its package, and with it where the package is a plugin."""
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[2:] if parts[0] == "src" else parts[3:])


def parts_of(path: Path, text: str) -> Iterator[Part]:
    """Give a module, its functions and its classes with their sizes."""
    name = name_of(path)
    yield Part(name, len(text.splitlines()), MODULE_LINES)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Part(f"{name}:{node.name}", (node.end_lineno or 0) - node.lineno + 1, FUNCTION_LINES)
        elif isinstance(node, ast.ClassDef):
            methods = sum(isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) for item in node.body)
            yield Part(f"{name}:{node.name}", methods, CLASS_METHODS)


@pytest.fixture(scope="module")
def sources() -> dict[Path, str]:
    """Give every module's text."""
    return {path: path.read_text("utf-8") for path in MODULES}


def test_nothing_is_larger_than_it_may_be(sources: dict[Path, str]) -> None:
    """Modules, functions and classes keep their limits; the exceptions are those of the table, and no others."""
    large = {
        part.name: part.size
        for path, text in sources.items()
        for part in parts_of(path, text)
        if part.size > part.limit
    }
    core_only = not any("plugins" in path.relative_to(ROOT).parts for path in sources)
    expected = {name for name in EXCEPTIONS if not (core_only and name.startswith("crmbridge_"))}

    assert expected == set(large), {name: size for name, size in large.items() if name not in EXCEPTIONS}


def test_every_exception_has_its_reason() -> None:
    """A reason is a sentence, not a name."""
    assert [] == [name for name, reason in EXCEPTIONS.items() if len(reason.split()) < 5]


def test_every_module_says_in_one_line_what_it_is_for(sources: dict[Path, str]) -> None:
    """The first paragraph of a module's docstring is one line that ends as a sentence does."""
    openings = {
        name_of(path): (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0] for path, text in sources.items()
    }
    wrong = {name: said for name, said in openings.items() if not re.fullmatch(r"[^\n]+[.?]", said)}

    assert {} == wrong


def test_no_name_is_a_catch_all(sources: dict[Path, str]) -> None:
    """A module or class named manager, helper or the like says nothing of what it does."""
    names = {name_of(path): path.stem for path in sources}
    for path, text in sources.items():
        classes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))
        names |= {f"{name_of(path)}:{node.name}": node.name for node in classes}

    assert {} == {where: name for where, name in names.items() if BANNED & words_in(name)}


def words_in(name: str) -> set[str]:
    """Cut `snake_case` and `CamelCase` into words."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


@pytest.mark.parametrize("name", ["SyncManager", "http_helpers", "HTTPHandler", "_Processor", "utils"])
def test_catch_all_names_are_recognised(name: str) -> None:
    """However they are written."""
    assert BANNED & words_in(name)
