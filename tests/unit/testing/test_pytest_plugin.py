"""The pytest plugin that comes along: a project to run commands in, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import pytest

from crmbridge.sandbox import VirtualClock
from crmbridge.testing import adapters, stores
from crmbridge.testing.factories import NOON
from crmbridge.testing.pytest_plugin import CommandProject, Outcome


def test_a_new_project_passes_the_check(crmbridge_project: CommandProject) -> None:
    """`crmbridge check` runs in it as a process of its own."""
    outcome = crmbridge_project.run("check")

    assert outcome is outcome.expect(0)
    assert outcome.out
    assert not outcome.err


def test_an_outcome_has_the_document(crmbridge_project: CommandProject) -> None:
    """With `--json` there is exactly one on stdout, also when something is wrong."""
    good = crmbridge_project.run("check", "--json").expect(0).document
    crmbridge_project.write("processes/b2b.yaml", "version: 1\nstages: []\n")
    bad = crmbridge_project.run("check", "--json").expect(3).document

    assert (True, False) == (good["ok"], bad["ok"])
    assert {"processes/b2b.yaml"} == {one["file"] for one in bad["error"]["diagnostics"]}


def test_files_are_written_with_their_folders(crmbridge_project: CommandProject) -> None:
    """Over what is there."""
    crmbridge_project.write("notes/today.txt", "first")
    path = crmbridge_project.write("notes/today.txt", "zweite Fassung: é")

    assert crmbridge_project.folder / "notes" / "today.txt" == path
    assert "zweite Fassung: é" == path.read_text("utf-8")


def test_the_environment_is_laid_over_the_usual_one(crmbridge_project: CommandProject, tmp_path: Path) -> None:
    """A test's own variables win over the project's, and those over the machine's."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nprint(*(os.environ.get(n) for n in ('ONE', 'TWO', 'THREE')), bool(os.environ.get('PATH')))\n",
        "utf-8",
    )
    project = CommandProject(
        folder=crmbridge_project.folder,
        environment={"PYTHONPATH": str(tmp_path), "ONE": "project", "TWO": "project"},
    )

    assert "project test None True" == project.run("--version", TWO="test").out.splitlines()[0]


def test_an_outcome_that_was_not_expected_shows_what_was_said() -> None:
    """The exit code and both streams, so that nobody has to run it again to see."""
    outcome = Outcome(exit_code=4, out="half a plan", err="the token was refused")

    with pytest.raises(AssertionError) as caught:
        outcome.expect(0)
    assert all(text in str(caught.value) for text in ("exit code 4", "half a plan", "the token was refused"))


def test_a_traceback_is_never_expected() -> None:
    """Whatever the exit code."""
    outcome = Outcome(exit_code=1, out="", err="Traceback (most recent call last):\n…")

    with pytest.raises(AssertionError, match="Traceback"):
        outcome.expect(1)


def test_a_clock_stands_still_until_it_is_told(virtual_clock: Callable[[datetime], VirtualClock]) -> None:
    """Sleeping is what lets time pass."""
    clock = virtual_clock(NOON)
    before = clock.now()
    clock.sleep(90)

    assert (NOON, NOON + timedelta(seconds=90)) == (before, clock.now())


@pytest.mark.parametrize("suite", [adapters, stores])
def test_a_failed_assertion_of_a_suite_shows_its_values(suite: ModuleType) -> None:
    """Pytest rewrites the assertions of all modules of a distribution that has a plugin for it, as ours has."""
    modules = [import_module(f"{suite.__name__}.{found.name}") for found in iter_modules(suite.__path__)]
    silent = [module.__name__ for module in modules if "@pytest_ar" not in vars(module)]

    assert [] == silent
    assert len(modules) > 10
