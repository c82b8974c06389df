"""Writes the reports that the page shows, in a process of its own: `python -m crmbridge.web.counting PROJECT`.

The figures are read through a second copy of SQLite (that of ADBC). Two copies in one process do not see each other's
locks and take the file's shared memory from each other ("How To Corrupt An SQLite Database File", sqlite.org, 2.2.1),
so neither may work while a thread of the same process uses the other.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from crmbridge.app import open_workspace
from crmbridge.errors import CrmbridgeError, StateError
from crmbridge.ports import Document
from crmbridge.services.publishing import make_document
from crmbridge.settings import Report
from crmbridge.web.words import LANGUAGES

SECONDS = 900
FAILED = 3


def written_apart(project: Path) -> Mapping[str, Document]:
    """Write the reports of a project in each language, in another process; raises StateError when that fails."""
    command = [sys.executable, "-m", "crmbridge.web.counting", str(project.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603  our own program
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StateError(f"The figures can't be counted: {type(error).__name__}") from None
    if done.returncode:
        why = (
            done.stderr.decode("utf-8", "replace") if done.returncode == FAILED else f"it ended with {done.returncode}"
        )
        raise StateError(f"The figures can't be counted: {why.strip()}")
    found: Mapping[str, Document] = pickle.loads(done.stdout)  # noqa: S301  our own process wrote it
    return found


def write_reports(project: Path) -> Mapping[str, Document]:
    """Write the report that the settings list first, or one of its own, in each language."""
    with open_workspace(project) as workspace:
        pass  # closed again: what follows must be the only one here that reads the file
    listed = next(iter(workspace.project.settings.reports), None) or Report(name="report")
    reports = {language: listed.model_copy(update={"language": language}) for language in LANGUAGES}
    return {language: make_document(workspace, report, None) for language, report in reports.items()}


if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(pickle.dumps(write_reports(Path(sys.argv[1]))))
    except CrmbridgeError as error:
        sys.stderr.write(error.message)
        sys.exit(FAILED)
