"""Turn whatever ended a command into an exit code and words for a person; the only place that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmbridge.cli import exits
from crmbridge.cli.call import Call, Reply, error_part
from crmbridge.cli.output import Line, Tinted, Tone, dim
from crmbridge.cli.stopping import Stopped, Terminated
from crmbridge.errors import CrmbridgeError

if TYPE_CHECKING:
    from crmbridge.files.diagnostics import Diagnostic

INTERRUPTED, TERMINATED, BUG, USAGE = 130, 143, 1, 2


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
            return _unforeseen(error, call)


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


def _unforeseen(error: BaseException, call: Call) -> Reply:
    if call.stop.exit_code is not None:  # a library written in C may make an error of its own of the signal
        return _stopped(call.stop.exit_code)
    from crmbridge.cli.crash_logs import write_log  # noqa: PLC0415  for bugs only

    where = write_log(error, call.command, call.project)
    kind = type(error).__name__
    message = f"crmbridge stopped at a bug of its own ({kind})"
    advice = f"Please report it with the file {where}." if where else "No log file could be written."
    return failure(BUG, message=message, advice=advice)
