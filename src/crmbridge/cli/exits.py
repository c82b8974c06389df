"""The exit codes: the one table that the help, the documentation and the JSON answers come from."""

from __future__ import annotations

from typing import NamedTuple


class Exit(NamedTuple):
    """One way for a command to end. `name` is what the JSON answer calls it, unless an error has a name of its own."""

    code: int
    name: str
    means: str
    advice: str = ""


EXITS = (
    Exit(0, "done", "done"),
    Exit(
        1,
        "bug",
        "a bug in crmbridge or in an adapter",
        "The message names a log file, or the place; please report it with that.",
    ),
    Exit(2, "usage", "the command was typed wrong", "`crmbridge COMMAND --help` shows how it is used."),
    Exit(3, "configuration", "a file, a setting or the process is wrong", "`crmbridge check` says where."),
    Exit(4, "authentication", "a CRM refused the credential, or it lacks a scope", "`crmbridge doctor` says which."),
    Exit(5, "retry_later", "a CRM can't be reached or limits us", "Run it again later; nothing was lost."),
    Exit(
        6,
        "partly_applied",
        "some changes, or some sinks of a report, failed",
        "Run it again; what was done is not done twice.",
    ),
    Exit(7, "needs_person", "something needs a person", "`crmbridge conflicts` lists what waits."),
    Exit(8, "plan_stale", "the plan is not for what is there now", "Make a new one with `crmbridge plan`."),
    Exit(
        9,
        "findings",
        "findings at or above --fail-on, or over a threshold",
        "`crmbridge findings` lists them.",
    ),
    Exit(10, "changes_pending", "changes are pending (plan --detailed-exitcode)", "`crmbridge apply` makes them."),
    Exit(11, "locked", "another run holds the state", "Wait until it is done, or give --wait."),
    Exit(12, "state", "the state can't be used: no room, damaged, or too new", "The message says what to do."),
    Exit(13, "input_needed", "a question must be answered, and there is no terminal", "Give --yes."),
    Exit(130, "interrupted", "interrupted (Ctrl-C)", "Run it again; it goes on from there."),
    Exit(143, "terminated", "terminated (SIGTERM, or its terminal was closed)", "Run it again; it goes on from there."),
)

_BY_CODE = {one.code: one for one in EXITS}


def exit_of(code: int) -> Exit:
    """Give the entry of an exit code; one that is not in the table is a bug."""
    return _BY_CODE.get(code, _BY_CODE[1])


def is_good(code: int) -> bool:
    """Tell whether a command that ended with this code did what was asked: done, or done with changes pending."""
    return code in {0, 10}
