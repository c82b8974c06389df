"""Turn whatever ended a command into an exit code and words for a person; the only place that does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmbridge import __version__
from crmbridge.cli import exits
from crmbridge.cli.call import Call, Reply, error_part
from crmbridge.cli.output import Line, Tinted, Tone, dim
from crmbridge.cli.stopping import Stopped, Terminated
from crmbridge.errors import CrmbridgeError
from crmbridge.revealed import strike

if TYPE_CHECKING:
    from crmbridge.files.diagnostics import Diagnostic

INTERRUPTED, TERMINATED, BUG, USAGE = 130, 143, 1, 2
STATE_FOLDER = ".crmbridge"
KEPT_LOGS = 20


class AnsweredError(Exception):
    """The arguments asked for an answer of their own, such as help, and no command is run."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("answered")
        self.reply = reply


class InputNeededError(CrmbridgeError):
    """A question must be answered, and there is nobody at a terminal who could."""

    exit_code = 13
    code = "input_needed"


def reply_to(error: BaseException, call: Call) -> Reply:
    """Give the answer for what ended a command."""
    match error:
        case AnsweredError():
            return error.reply
        case CrmbridgeError():
            return _known(error)
        case KeyboardInterrupt() | click.Abort() | Stopped():
            return _stopped(INTERRUPTED)
        case Terminated():
            return _stopped(TERMINATED)
        case click.ClickException():
            return _typed_wrong(error, call)
        case _:
            return _bug(error, call)


def failure(exit_code: int, *, code: str = "", message: str = "", advice: str = "") -> Reply:
    """Make the answer of a command that failed."""
    error = error_part(exit_code, code=code, message=message, advice=advice)
    return Reply(exit_code=exit_code, error=error, shown=message_lines(error["message"], error["advice"]))


def message_lines(message: str, advice: str = "") -> list[Line]:
    """Show a message and what to do about it."""
    lines: list[Line] = [[Tinted("error: ", Tone.BAD), message]]
    return [*lines, [dim("  "), advice]] if advice else lines


def diagnostic_lines(diagnostics: tuple[Diagnostic, ...]) -> list[Line]:
    """Show diagnostics with their places, coloured by how grave they are."""
    lines: list[Line] = []
    for diagnostic in diagnostics:
        tone = Tone.BAD if diagnostic.severity == "error" else Tone.WARN
        head, *rest = diagnostic.render().splitlines()
        lines += [Tinted(head, tone), *rest, ""]
    return lines


def _known(error: CrmbridgeError) -> Reply:
    found: tuple[Diagnostic, ...] = getattr(error, "diagnostics", ())
    part = error_part(
        error.exit_code,
        code=error.code,
        message=error.message,
        advice=error.advice,
        diagnostics=[diagnostic.to_json() for diagnostic in found],
    )
    shown = [*diagnostic_lines(found), *message_lines(error.message, error.advice)]
    return Reply(exit_code=error.exit_code, error=part, shown=shown)


def _stopped(exit_code: int) -> Reply:
    known = exits.exit_of(exit_code)
    error = error_part(exit_code, message=f"{known.means[0].upper()}{known.means[1:]}", advice=known.advice)
    return Reply(exit_code=exit_code, error=error, shown=[f"{error['message']}. {known.advice}"])


def _typed_wrong(error: click.ClickException, call: Call) -> Reply:
    message = error.format_message()
    if not message:  # nothing was typed at all
        message = "A command is missing"
    advice = f"`crmbridge {call.command} --help`" if call.command else "`crmbridge --help`"
    return failure(USAGE, message=message, advice=f"{advice} shows how it is used.")


# ── Bugs ────────────────────────────────────────────────────────────────────────────────────────────────


def _bug(error: BaseException, call: Call) -> Reply:
    where = write_log(error, call)
    kind = type(error).__name__
    message = f"crmbridge stopped at a bug of its own ({kind})"
    advice = f"Please report it with the file {where}." if where else "No log file could be written."
    return failure(BUG, message=message, advice=advice)


def write_log(error: BaseException, call: Call) -> Path | None:
    """Write what a report needs beside the project's state, else where temporary files are; only for its owner."""
    import tempfile  # noqa: PLC0415  for bugs only

    name = f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    folder = call.project if call.project.is_dir() else call.project.parent
    _forget_old_logs(folder / STATE_FOLDER)
    for place in (folder / STATE_FOLDER, Path(tempfile.gettempdir())):
        with suppress(OSError):
            handle, log = _new_file(place, name)
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                file.writelines(_report(error, call))
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


def _report(error: BaseException, call: Call) -> Iterator[str]:
    import platform  # noqa: PLC0415  for bugs only
    import traceback  # noqa: PLC0415  the same

    yield f"crmbridge {__version__}, Python {platform.python_version()}, {platform.system()}\n"
    yield f"command: {call.command or '(none)'}\n\n"
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
