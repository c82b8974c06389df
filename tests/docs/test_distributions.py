"""Every distribution carries its license and says what it is: what is installed from an index has no repository."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_distribution_has_its_license_and_a_readme(folder: Path) -> None:
    """The text of the license is the same everywhere."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]

    assert ("README.md", ["LICENSE"]) == (project.get("readme"), project.get("license-files"))
    assert (ROOT / "LICENSE").read_bytes() == (folder / "LICENSE").read_bytes()
    assert (folder / "README.md").read_text("utf-8").strip()
