"""The file that a bug leaves behind for a report: what happened and where, without values and secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from crmbridge import __version__
from crmbridge.revealed import strike

STATE_FOLDER = ".crmbridge"
KEPT_LOGS = 20


def write_log(error: BaseException, command: str, project: Path) -> Path | None:
    """Write what a report needs beside the project's state, else where temporary files are; only for its owner."""
    import tempfile  # noqa: PLC0415  for bugs only

    name = f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    folder = project if project.is_dir() else project.parent
    _forget_old_logs(folder / STATE_FOLDER)
    for place in (folder / STATE_FOLDER, Path(tempfile.gettempdir())):
        with suppress(OSError):
            handle, log = _new_file(place, name)
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                file.writelines(_report(error, command))
            return log
    return None


def _forget_old_logs(folder: Path) -> None:
    """Make room for one more: a bug that comes with each run, every few minutes, would fill the disk."""
    for log in sorted(folder.glob("crash-*.log"))[: 1 - KEPT_LOGS]:  # their names begin with the time
        with suppress(OSError):  # one that can't be taken away does not keep the others
            log.unlink(missing_ok=True)


def _new_file(place: Path, name: str) -> tuple[int, Path]:
    """Open a file of this name; where several bugs come in one second, of a name like it."""
    number = 1
    while True:
        log = place / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
        with suppress(FileExistsError):
            return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), log
        number += 1


def _report(error: BaseException, command: str) -> Iterator[str]:
    import platform  # noqa: PLC0415  for bugs only
    import traceback  # noqa: PLC0415  the same

    yield f"crmbridge {__version__}, Python {platform.python_version()}, {platform.system()}\n"
    yield f"command: {command or '(none)'}\n\n"
    for one in _chain(error):
        yield "Traceback (most recent call last):\n"
        yield from map(strike, traceback.format_tb(one.__traceback__))  # places and source lines, no values
        yield f"{type(one).__qualname__}: {strike(_said(one))}\n\n"


def _chain(error: BaseException) -> list[BaseException]:
    """Give an error and what it came from, the first cause first."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.insert(0, one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return found


def _said(error: BaseException) -> str:
    """Give an error's words, if it has any; of validation errors without the values, which may be secrets."""
    try:
        errors = getattr(error, "errors", None)
        if type(error).__name__ == "ValidationError" and callable(errors):
            return "; ".join(f"{part['loc']}: {part['msg']}" for part in errors(include_input=False, include_url=False))
        return str(error)
    except Exception:  # noqa: BLE001  somebody's error may be anything, and where it came from is known all the same
        return "(it has no words)"
