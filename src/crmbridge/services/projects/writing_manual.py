"""Make the manual of a process: its pages with what the indicators count, and the log of what changed."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath

from crmbridge.errors import ConfigurationError
from crmbridge.languages import LANGUAGES
from crmbridge.manual import Version, build_site
from crmbridge.model.process import Process

LISTED = ".crmbridge-manual"  # names the files that the last build wrote, so that the next one can take out the old
DAYS = "90"  # that a forecast looks ahead where no settings say otherwise
VERSIONS = ".versions"  # of processes/b2b.yaml the earlier ones are kept in processes/b2b.versions/


def make_manual(
    process: Process,
    today: date,
    *,
    languages: Sequence[str] = (),
    earlier: Sequence[Version] = (),
) -> Mapping[str, str]:
    """Make the manual's files by their paths, in these languages; in those of the process when none is named.

    Public holidays are listed for this year and the next. The same process gives the same files for a whole year.
    """
    years = (today.year, today.year + 1)
    return build_site(process, languages or None, definitions=_definitions(), earlier=earlier, years=years)


@cache
def _definitions() -> Mapping[str, Mapping[str, str]]:
    """Give what each measure counts, by language. Read from beside what counts, which is not loaded for it."""
    folder = files("crmbridge").joinpath("indicators")
    texts = [tomllib.loads(file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".toml")]
    said = {name: one["definition"] for text in texts for name, one in text.get("measures", {}).items()}
    return {
        language: {name: each.get(language, each["en"]).replace("{days}", DAYS) for name, each in said.items()}
        for language in LANGUAGES
    }


def earlier_versions(process_file: Path) -> tuple[Path, ...]:
    """Give where earlier versions are kept beside a process file: of `b2b.yaml` in the folder `b2b.versions`."""
    folder = process_file.with_suffix(VERSIONS)
    return (folder,) if folder.is_dir() else ()


def read_versions(paths: Iterable[Path]) -> tuple[Version, ...]:
    """Read earlier versions of a process, oldest first: files as they are named, those of a folder by their names.

    A version is called what its file is called, so dated copies (`2026-03-01.yaml`) tell when. Raises
    ConfigurationError for a path that has none, and InvalidFilesError for a file that is no process.
    """
    return tuple(_read(file) for path in paths for file in _files(path))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"})
    if not found:
        raise ConfigurationError(
            f"There are no process files in {path}", advice="Name a file, or a folder of dated copies."
        )
    return found


def _read(path: Path) -> Version:
    from crmbridge.services.projects.checking import load_process  # noqa: PLC0415  half a second that only versions need

    process, _ = load_process(path)
    return Version(path.stem, process)


def write_site(site: Mapping[str, str], folder: Path) -> int:
    """Write a site to a folder, take out what only an earlier build wrote there, and tell how many files it has.

    Nothing else in the folder is touched. Each file is written whole or not at all. Raises ConfigurationError when
    that can't be done.
    """
    try:
        before = _listed(folder)
        for name, text in site.items():
            _write(folder / PurePosixPath(name), text)
        for name in sorted(before - set(site)):
            (folder / PurePosixPath(name)).unlink(missing_ok=True)
        _write(folder / LISTED, "".join(f"{name}\n" for name in sorted(site)))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(
            f"The manual can't be written to {folder}: {reason}", advice="Name another folder."
        ) from None
    return len(site)


def _listed(folder: Path) -> set[str]:
    """Give the files that the last build wrote; a name that leads out of the folder is none of them."""
    try:
        names = (folder / LISTED).read_text("utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return set()
    paths = {name: PurePosixPath(name) for name in names if name}
    return {name for name, path in paths.items() if not path.is_absolute() and ".." not in path.parts}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".manual.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
