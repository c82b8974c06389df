"""Checking and loading a project, and starting one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.files.shipped import shipped_folder
from crmbridge.languages import LANGUAGES
from crmbridge.services.projects.checking import check_project, digest_of, load_project
from crmbridge.services.projects.creating import create_project
from crmbridge.settings import AdapterSettings, Secret


class AnySettings(AdapterSettings):
    """Takes what the shipped example says, whichever adapter it is for."""

    token: Secret
    company: str | None = None
    instance_url: str | None = None


ADAPTERS = {"hubspot": AnySettings, "pipedrive": AnySettings, "salesforce": AnySettings}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Give a copy of the shipped example that a test may change."""
    return Path(shutil.copytree(shipped_folder(), tmp_path / "example"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_shipped_example_passes_without_a_warning(example: Path) -> None:
    """Three connections, the seven stages, and nothing to mend."""
    assert () == check_project(example / "crmbridge.yaml", ADAPTERS).diagnostics


def test_a_project_with_warnings_is_loaded(example: Path) -> None:
    """Warnings are for `check` to tell."""
    edit(example / "crmbridge.yaml", "closing: 6}", "lost: 6}")
    result = check_project(example / "crmbridge.yaml", ADAPTERS)

    assert ["uncovered-stage"] == [diagnostic.code for diagnostic in result.diagnostics]
    assert result.passed
    assert example == load_project(example, ADAPTERS).folder


def test_a_project_is_loaded_by_its_folder_or_its_file(example: Path) -> None:
    """Both ways give the same project."""
    by_folder, by_file = load_project(example, ADAPTERS), load_project(example / "crmbridge.yaml", ADAPTERS)

    assert by_folder == by_file
    assert ("b2b", 3) == (by_folder.process.id, len(by_folder.settings.connections))


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("crmbridge.yaml", "# ── Which", "# ── What", True),
        ("crmbridge.yaml", "currency: EUR", "currency: 'EUR'", True),
        ("crmbridge.yaml", "currency: EUR", "currency: USD", False),
        ("crmbridge.yaml", "company: acme", "company: acme2", False),
        ("processes/b2b.yaml", "goal: 5bd", "goal: 6bd", False),
        ("processes/b2b.yaml", "over: 10", "over: 10.5", False),
        ("processes/b2b.yaml", "09:00-18:00", "09:30-18:00", False),
    ],
)
def test_the_digest_follows_the_meaning(example: Path, file: str, old: str, new: str, same: bool) -> None:  # noqa: FBT001  a table's column
    """A plan made before a change of the files is not applied after it; comments change nothing."""
    before = load_project(example, ADAPTERS).digest
    edit(example / file, old, new)
    after = load_project(example, ADAPTERS)

    assert same is (before == after.digest)
    assert digest_of(after.settings, after.process) == after.digest
    assert 16 == len(after.digest)


@pytest.mark.parametrize(
    ("holidays", "expected"),
    [
        ("{country: BR}", []),
        ("{country: BR, subdivision: SP}", []),
        ("{country: XX}", [("holidays of 'XX'", None)]),
        ("{country: DE, subdivision: BYY}", [("no subdivision 'BYY'", "BY")]),
        ("{country: DE, subdivision: Bayern}", [("no subdivision 'Bayern'", "BY")]),
    ],
)
def test_holidays_are_known(example: Path, holidays: str, expected: list[tuple[str, str | None]]) -> None:
    """A country without known holidays would have none, silently."""
    edit(example / "processes/b2b.yaml", "    # holidays: {country: BR, subdivision: SP}", f"    holidays: {holidays}")
    found = check_project(example / "crmbridge.yaml", ADAPTERS).diagnostics

    assert len(expected) == len(found)
    for (part, guess), diagnostic in zip(expected, found, strict=True):
        assert part in diagnostic.sentence
        assert ("unknown-holidays", guess) == (diagnostic.code, diagnostic.nearest)


def test_an_adapter_that_is_not_installed_is_told_with_those_that_are(example: Path) -> None:
    """The advice lists what can be chosen."""
    found = check_project(example / "crmbridge.yaml", {"hubspot": AnySettings}).diagnostics

    assert ["unknown-adapter", "unknown-adapter"] == [diagnostic.code for diagnostic in found]
    assert {"Installed: hubspot."} == {diagnostic.advice for diagnostic in found}


def test_secrets_are_not_looked_up(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking works on a machine that has no token."""
    monkeypatch.delenv("HUBSPOT_TOKEN", raising=False)

    assert check_project(example / "crmbridge.yaml", ADAPTERS).passed


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_project_passes_at_once(tmp_path: Path, language: str) -> None:
    """No adapter is needed, and nothing is left to mend; nothing half-written lies about."""
    written = create_project(tmp_path / "shop", language)
    project = load_project(tmp_path / "shop", {})

    assert () == check_project(project.path, {}).diagnostics
    assert (language, None) == (project.settings.language, project.settings.reports[0].language)
    assert sorted(written) == sorted(path for path in (tmp_path / "shop").rglob("*") if path.is_file())
    assert "crmbridge.yaml" == written[-1].name


def test_a_new_project_has_what_editors_and_git_need(tmp_path: Path) -> None:
    """The schema that the first line names is there, and secrets are not committed."""
    create_project(tmp_path)

    for name in ("crmbridge.yaml", "processes/b2b.yaml"):
        first = (tmp_path / name).read_text(encoding="utf-8").split("\n", 1)[0]
        assert ((tmp_path / name).parent / first.partition("$schema=")[2]).is_file()
    assert {".crmbridge/", ".env"} <= set((tmp_path / ".gitignore").read_text(encoding="utf-8").split("\n"))
    assert 0o644 == (tmp_path / "crmbridge.yaml").stat().st_mode & 0o777


def test_a_project_is_never_written_over(tmp_path: Path) -> None:
    """Neither a whole one, nor somebody's own README."""
    (tmp_path / "README.md").write_text("mine")
    written = create_project(tmp_path)

    assert "mine" == (tmp_path / "README.md").read_text()
    assert tmp_path / "README.md" not in written
    with pytest.raises(ConfigurationError, match="already has a crmbridge"):
        create_project(tmp_path)


def test_a_project_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    """The settings come last, so a second try is not refused."""
    create_project(tmp_path)
    (tmp_path / "crmbridge.yaml").unlink()
    (tmp_path / "README.md").unlink()

    assert ["README.md", "crmbridge.yaml"] == [path.name for path in create_project(tmp_path)]


def test_a_folder_that_is_a_file_and_an_unknown_language(tmp_path: Path) -> None:
    """Both are told in a sentence with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="can't be written"):
        create_project(tmp_path / "file" / "shop")
    with pytest.raises(ConfigurationError, match="language 'de'") as caught:
        create_project(tmp_path / "shop", "de")

    assert "en, pt, zh" in caught.value.advice
