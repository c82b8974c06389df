"""Installs Tryton in an environment of its own and prepares a database, once for each version; kept in a cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CACHE_VARIABLE = "CRMBRIDGE_CACHE"  # a folder; ~/.cache/crmbridge when not said
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
COMPANY = Path(__file__).with_name("company")
MODULE = "crmbridge_company"
DATABASE, ADMIN, USER, PASSWORD = "crm", "admin", "crmbridge", "open-sesame-of-the-test-server"
PATIENCE = 600  # seconds


class UnavailableError(Exception):
    """The server can't be had on this machine; one line says why."""


def cache_folder() -> Path:
    """Give the folder of what is prepared once for these versions of Tryton and Python."""
    told = os.environ.get(CACHE_VARIABLE)
    return (Path(told) if told else Path.home() / ".cache" / "crmbridge") / f"tryton-{_digest(REQUIREMENTS)}"


def prepared() -> tuple[Path, Path]:
    """Give the environment's folder and an empty database that has the modules, both made if missing.

    Raises UnavailableError where that can't be done, such as without a package index.
    """
    folder = cache_folder()
    env = folder / "env"
    database = folder / f"empty-{_digest(Path(__file__), *sorted(COMPANY.glob('*.*')))}.sqlite"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            if not (folder / "installed").exists():
                _install(env)
                (folder / "installed").touch()
            if not database.exists():
                _fill(env, folder / "work").replace(database)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        last = next((line for line in reversed(str(said).splitlines()) if line.strip()), type(error).__name__)
        raise UnavailableError(f"Tryton can't be installed here: {last.strip()[:200]}") from error
    return env, database


def write_config(folder: Path, port: int) -> Path:
    """Write the server's configuration for a folder of databases."""
    path = folder / "trytond.conf"
    path.write_text(f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = localhost:{port}\n", "utf-8")
    return path


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time prepare; the others wait for it."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(*files: Path) -> str:
    parts = [sys.version.encode(), *(file.read_bytes() for file in files)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _install(env: Path) -> None:
    shutil.rmtree(env, ignore_errors=True)
    lock = str(REQUIREMENTS)
    _run(sys.executable, "-m", "venv", str(env))
    # Python compiles what it loads; the rest would only take time.
    quickly = ("--quiet", "--disable-pip-version-check", "--no-compile")
    _run(str(env / "bin/pip"), "install", *quickly, "--require-hashes", "-r", lock)


def _fill(env: Path, work: Path) -> Path:
    """Make the tables of an empty company, its own module's among them."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    modules = next(env.glob("lib/python*/site-packages/trytond/modules"))
    shutil.copytree(COMPANY, modules / MODULE, dirs_exist_ok=True)
    database = work / f"{DATABASE}.sqlite"
    database.touch()  # the server makes tables, not files
    (work / "password").write_text(PASSWORD, "utf-8")
    admin = (str(env / "bin/trytond-admin"), "-c", str(write_config(work, 0)), "-d", DATABASE)
    told = {"TRYTONPASSFILE": str(work / "password")}
    _run(*admin, "--email", "admin@lumenworks.example", "-l", "en", "--all", "-p", **told)
    _run(*admin, "-u", MODULE, "--activate-dependencies")
    return database


def _run(*command: str, **environment: str) -> None:
    subprocess.run(  # noqa: S603  our own command
        command,
        env={**os.environ, "PYTHONPATH": "", **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
