"""What the pages show can be done: whole files are valid, and commands with their options exist."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import yaml

from crmbridge.cli.main import commands
from crmbridge.plugins import load_plugins
from crmbridge.services.projects.checking import check_project, models_of
from crmbridge.testing.simulation import cli as simulation

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")])
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
# Programs that readers have, or that the line before makes; everything else a page tells them to type is ours.
ORDINARY = {".", "cat", "cd", "export", "mkdir", "pip", "pytest", "umask"}


class Block(NamedTuple):
    """A code block of a page."""

    where: str
    language: str
    text: str


def blocks(*languages: str) -> Iterator[Block]:
    """Give the code blocks in these languages."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in FENCE.finditer(text):
            if match[2] in languages:
                line = text.count("\n", 0, match.start()) + 1
                yield Block(f"{page.relative_to(ROOT)}:{line}", match[2], match[3])


def whole_files() -> list[Block]:
    """Give the YAML blocks that are whole files: they say their version."""
    return [block for block in blocks("yaml") if re.search(r"^version: 1$", block.text, re.MULTILINE)]


def typed_lines() -> list[tuple[str, str]]:
    """Give every line that readers are told to type, with its place; continued lines joined."""
    return [
        (block.where, line.strip())
        for block in blocks("sh")
        for line in block.text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]


@pytest.mark.parametrize("block", whole_files(), ids=lambda block: block.where)
def test_whole_files_are_valid(block: Block, tmp_path: Path) -> None:
    """Settings and process files pass `check`; warnings are fine, as in any file that somebody starts with."""
    settings = tmp_path / "crmbridge.yaml"
    if re.search(r"^process:", block.text, re.MULTILINE):
        shutil.copytree(ROOT / "config" / "processes", tmp_path / "processes")
        settings.write_text(block.text, "utf-8")
    else:
        (tmp_path / "process.yaml").write_text(block.text, "utf-8")
        settings.write_text("version: 1\nprocess: process.yaml\n", "utf-8")
    adapters = {name: spec.settings for name, spec in load_plugins().adapters().items()}
    found = check_project(settings, adapters).diagnostics
    excused = set() if (ROOT / "plugins").is_dir() else {"unknown-adapter"}

    assert [] == [f"{d.line}: {d.code}" for d in found if d.severity == "error" and d.code not in excused]


def test_there_are_whole_files_to_look_at() -> None:
    """Else the tests above and below would say nothing."""
    assert len(whole_files()) >= 3
    assert len(additions()) >= 2


def additions() -> list[tuple[Block, Block]]:
    """Give the YAML blocks that add webhooks, each with the whole file of its page that has their connections."""
    parts = [block for block in blocks("yaml") if re.match(r"connections:\n(?s:.)*\bwebhook:", block.text)]
    whole = [(part, file) for part in parts for file in whole_files() if page_of(part) == page_of(file)]
    return [(part, file) for part, file in whole if names_in(part) <= names_in(file)]


def page_of(block: Block) -> str:
    return block.where.partition(":")[0]


def names_in(block: Block) -> set[str]:
    """Name the connections of a block."""
    found = yaml.safe_load(block.text)
    return set(found.get("connections") or ()) if isinstance(found, dict) else set()


@pytest.mark.parametrize(("part", "whole"), additions(), ids=lambda block: block.where)
def test_what_a_page_adds_to_a_connection_is_valid(part: Block, whole: Block, tmp_path: Path) -> None:
    """A reader puts it into the connection that the page began with."""
    settings = yaml.safe_load(whole.text)
    for name, says in yaml.safe_load(part.text)["connections"].items():
        settings["connections"][name] |= says
    (tmp_path / "crmbridge.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    shutil.copytree(ROOT / "config" / "processes", tmp_path / "processes")
    found = check_project(tmp_path / "crmbridge.yaml", *models_of(load_plugins())).diagnostics
    excused = set() if (ROOT / "plugins").is_dir() else {"unknown-adapter"}

    assert [] == [f"{d.line}: {d.code}" for d in found if d.severity == "error" and d.code not in excused]


def bare(text: str) -> str:
    """Give text without indents and empty lines: the formatter moves what is quoted from inside a class."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def test_the_guide_quotes_the_example_as_it_is() -> None:
    """Every piece of code in the adapter guide stands so in the example, which passes the AdapterSuite."""
    example = ROOT / "docs" / "examples" / "crmbridge-tinycrm"
    sources = [bare(path.read_text("utf-8")) for path in (*example.glob("**/*.py"), example / "pyproject.toml")]
    quoted = [block for block in blocks("python", "toml") if "write-an-adapter" in block.where]

    assert len(quoted) >= 8
    assert [] == [block.where for block in quoted if not any(bare(block.text) in source for source in sources)]


@pytest.mark.parametrize(("where", "line"), typed_lines())
def test_typed_commands_exist(where: str, line: str) -> None:
    """The program, the command, each of its options, and each `make` target."""
    assert "" == fault(line), where


def fault(line: str) -> str:
    """Say what is wrong with a line that readers are told to type; nothing when all is well."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    program, rest = words[0].rpartition("/")[2], words[1:]
    if program == "crmbridge-sim":
        with contextlib.suppress(SystemExit):  # which is how it says what is wrong
            return "" if simulation.make_parser().parse_args(rest) else program
        return line
    if program == "make":
        targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
        return ", ".join(sorted(set(rest) - targets))
    if program == "crmbridge":
        return _fault_of_command(rest)
    return "" if program in ORDINARY else program


def _fault_of_command(words: list[str]) -> str:
    words = words[: words.index("|")] if "|" in words else words
    context = click.Context(commands)
    with_value = {name for param in commands.params if not getattr(param, "is_flag", True) for name in param.opts}
    free = [word for before, word in zip(["", *words], words, strict=False) if before not in with_value]
    name = next((word for word in free if not word.startswith("-")), None)
    if name is None:
        known = _options(commands)
    else:
        command = commands.get_command(context, name)
        if command is None:
            return f"no command {name}"
        known = _options(command) | _options(commands)
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
    return ", ".join(unknown)


def _options(command: click.Command) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize(
    "line",
    [
        "crmbridge chekc",
        "crmbridge check --hard",
        "make tset",
        "frobnicate",
        "crmbridge --no",
        "crmbridge --project x chekc",
    ],
)
def test_a_command_that_is_not_there_is_noticed(line: str) -> None:
    """A test that can't fail says nothing."""
    assert fault(line)
