"""How the command line is read, and its help."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from crmbridge import __version__
from crmbridge.cli.commands_table import COMMANDS, SECTIONS
from crmbridge.cli.exits import EXITS
from crmbridge.cli.main import commands

HEAVY = {"pydantic", "sqlalchemy", "httpx", "rich", "duckdb", "yaml", "pluggy", "logging", "asyncio", "cronsim"}


def call(*args: str) -> Result:
    """Call the command line."""
    return CliRunner().invoke(commands, list(args))


def test_help_names_every_command_and_every_exit_code() -> None:
    """By what they are for."""
    said = call("--help").stdout

    assert [] == [title for title in SECTIONS.values() if f"\n{title}:\n" not in said]
    assert [] == [name for name in COMMANDS if f"\n  {name} " not in said]
    assert [] == [one for one in EXITS if f"\n  {one.code} " not in said or one.means not in said]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name: str) -> None:
    """With what it does, the options that hold everywhere, and examples that use it."""
    said = call(name, "--help")

    assert 0 == said.exit_code
    assert f"Usage: crmbridge {name}" in said.stdout
    assert "--project PATH" in said.stdout
    assert f"Examples:\n  crmbridge {name}" in said.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_a_command_is_a_line(name: str) -> None:
    """It fits beside the names, and its section is one of the help's."""
    entry = COMMANDS[name]

    assert entry.section in SECTIONS
    assert len(entry.summary) <= 66
    assert not entry.summary.endswith(".")


def test_help_imports_nothing_heavy() -> None:
    """Nor does a command's own help; a start that is paid by every call would be noticed here."""
    code = (
        "import sys; from crmbridge.cli.main import run; run(['--help']); run(['plan', '--help']); "
        f"print(sorted(set(sys.modules) & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  our own

    assert "[]" == done.stdout.splitlines()[-1]


@pytest.mark.parametrize("args", [["--json", "plugins"], ["plugins", "--json"]])
def test_global_options_stand_on_either_side(args: list[str]) -> None:
    """Before and after the command they mean the same."""
    assert json.loads(call(*args).stdout)["ok"]


@pytest.mark.parametrize("args", [["--version"], ["plan", "--version"]])
def test_the_version_is_told(args: list[str]) -> None:
    """Anywhere, and as JSON if asked."""
    assert f"crmbridge {__version__}\n" == call(*args).stdout
    assert {"version": __version__} == json.loads(call(*args, "--json").stdout)["result"]


def test_help_can_be_json_too() -> None:
    """In every case there is exactly one document."""
    assert "Usage:" in json.loads(call("plan", "--help", "--json").stdout)["result"]["help"]


def test_json_after_two_dashes_is_an_argument() -> None:
    """Not a wish for JSON."""
    said = call("explain", "--", "--json")

    assert "" == said.stdout
    assert said.stderr.startswith("error:")


@pytest.mark.parametrize(("typed", "meant"), [("chek", "check"), ("finding", "findings"), ("aply", "apply")])
def test_the_nearest_command_is_named(typed: str, meant: str) -> None:
    """For a typing error."""
    assert f"did you mean '{meant}'?" in call(typed).stderr


def test_nothing_typed_shows_the_help() -> None:
    """As a message, because it is a usage error for a script."""
    said = call()

    assert (2, "") == (said.exit_code, said.stdout)
    assert "Every day:" in said.stderr
