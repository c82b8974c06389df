"""What is written down of bugs, whatever they are and however many."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmbridge.cli.crash_logs import write_log


class MumbledError(Exception):
    """An error that has no words."""

    def __str__(self) -> str:
        """Stumble once more."""
        raise KeyError(self.args)


class ValidationError(Exception):
    """An error of a library of somebody's, whose `errors` is asked otherwise than ours."""

    def errors(self) -> list[str]:
        """Give what is wrong."""
        return []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with a state."""
    (tmp_path / ".crmbridge").mkdir()
    return tmp_path


def test_bugs_of_one_second_have_a_log_each(project: Path) -> None:
    """Three connections may stumble at once, and each log is beside the state."""
    logs = [write_log(KeyError(f"bug {number}"), "run", project) for number in range(3)]

    assert [project / ".crmbridge"] * 3 == [log.parent for log in logs if log is not None]
    assert ["bug 0", "bug 1", "bug 2"] == [log.read_text("utf-8").split("'")[1] for log in logs if log is not None]


@pytest.mark.parametrize("kind", [MumbledError, ValidationError])
def test_an_error_that_can_not_say_what_is_wrong_has_a_log_as_well(project: Path, kind: type[Exception]) -> None:
    """Its kind and its place are what is known."""
    log = write_log(kind("secret"), "run", project)

    assert log is not None
    assert f"{kind.__name__}: (it has no words)\n" in log.read_text("utf-8")
    assert "secret" not in log.read_text("utf-8")
