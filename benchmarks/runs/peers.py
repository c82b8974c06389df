"""Programs that we are measured beside, in an environment of their own."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path


def python_with(package: str, folder: Path) -> Path | None:
    """Give the Python of an environment that has a package; both are made when they are missing.

    None, which is said, where the package can't be installed.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making an environment in {folder}, once", file=sys.stderr)
        venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    if subprocess.run([*pip, "show", package], capture_output=True, check=False).returncode == 0:  # noqa: S603  our own words
        return python
    command = [*pip, "install", "--quiet", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  the same
    if done.returncode == 0:
        return python
    why = next(iter(done.stderr.strip().splitlines()[::-1]), "it says nothing")
    print(f"{package:<24} not measured: it can't be installed ({why})")
    return None
