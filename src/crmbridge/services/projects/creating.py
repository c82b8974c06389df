"""Start a project: a folder with commented settings, the bundled process, schemas for the editor and a README."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from crmbridge.errors import ConfigurationError
from crmbridge.files.schema import SCHEMAS, schema_text
from crmbridge.files.shipped import shipped_folder
from crmbridge.languages import LANGUAGES
from crmbridge.services.projects.checking import SETTINGS_FILE

PROCESS_FILES = ("b2b.yaml", "tests/b2b.yaml")


def create_project(folder: Path, language: str = "en") -> tuple[Path, ...]:
    """Write a project that `crmbridge check` passes at once, and give the files written.

    `language` (en, pt or zh) is that of the README and the reports. The settings file comes last, so a folder that
    has one is complete; such a folder is refused with ConfigurationError, and no other file that is already there
    is touched.
    """
    if language not in LANGUAGES:
        raise ConfigurationError(
            f"There is no project in the language {language!r}", advice=f"Choose one of: {', '.join(LANGUAGES)}."
        )
    if (folder / SETTINGS_FILE).exists():
        raise ConfigurationError(
            f"{folder} already has a {SETTINGS_FILE}",
            advice="Choose another folder, or go on with `crmbridge check` in this one.",
        )
    try:
        return tuple(path for name, text in _contents(language).items() if (path := _write(folder / name, text)))
    except OSError as error:
        raise ConfigurationError(
            f"The project can't be written to {folder}: {error.strerror or error}",
            advice="Choose a folder that you may write to.",
        ) from error


def _contents(language: str) -> Mapping[str, str]:
    """Give each file's text in the order of writing."""
    shipped = shipped_folder()
    start = shipped / "init"
    settings = (start / SETTINGS_FILE).read_text(encoding="utf-8")
    return {
        **{f"processes/{name}": (shipped / "processes" / name).read_text(encoding="utf-8") for name in PROCESS_FILES},
        **{f"schema/{name}.json": schema_text(name) for name in SCHEMAS},
        ".gitignore": (start / "gitignore").read_text(encoding="utf-8"),
        "README.md": (start / f"README.{language}.md").read_text(encoding="utf-8"),
        SETTINGS_FILE: settings.replace("language: en", f"language: {language}"),
    }


def _write(path: Path, text: str) -> Path | None:
    """Write a file whole or not at all; one that is there already stays as it is."""
    if path.exists():
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)  # temporary files are private, a project's are not
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
