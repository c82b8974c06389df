"""Turn what runs and plans did into replies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmbridge.cli import exits
from crmbridge.cli.call import Reply, error_part
from crmbridge.cli.forms import ran_form
from crmbridge.cli.output import Line, dim, strong
from crmbridge.cli.plan_view import plan_lines
from crmbridge.cli.run_view import error_lines, leaves_undone, ran_lines
from crmbridge.cli.speech import speech_of, speech_of_runs
from crmbridge.errors import worst
from crmbridge.model.codec import plan_to_json
from crmbridge.services.answers.naming import names_for

if TYPE_CHECKING:
    from crmbridge.errors import CrmbridgeError
    from crmbridge.model.changes import Plan
    from crmbridge.services.runs.running import Ran
    from crmbridge.services.workspace import Workspace

NEEDS_PERSON = 7
NOT_UNDONE = "some of it is not undone"
NOT_UNDONE_ADVICE = "It stands under `!` with what is there now; do by hand what you still want."
FIELDS_LEFT = "some fields need a person"
FIELDS_LEFT_ADVICE = "Do what is said of each under `!` and `by hand`, then run it again."
PULLING = {"pull", "cycle", "enforce"}  # the runs that begin with a pull


def answer_run(workspace: Workspace, ran: Ran) -> Reply:
    """Answer with what one run did."""
    return Reply(
        result=ran_form(ran),
        lines=_ran_lines(workspace, ran),
        exit_code=ran.exit_code,
        error=_error_part(ran.exit_code, [ran]),
        shown=_ending(ran.exit_code, [ran]),
    )


def answer_runs(workspace: Workspace, runs: Sequence[Ran]) -> Reply:
    """Answer with what several runs did; the worst of their endings is that of all."""
    code = worst(ran.exit_code for ran in runs)
    lines: list[Line] = []
    ended = dim(f"  {workspace.clock.now():%Y-%m-%d %H:%M} UTC")  # in a log, nothing else says when
    for ran in runs:
        lines += [[strong(ran.command), ended], *_ran_lines(workspace, ran), ""]
    return Reply(
        result={"runs": [ran_form(ran) for ran in runs]},
        lines=lines[:-1],
        exit_code=code,
        error=_error_part(code, runs),
        shown=_ending(code, runs),
    )


def answer_plan(workspace: Workspace, ran: Ran, *, saved: Path | None, exit_code: int) -> Reply:
    """Answer with a plan that was just made, and where it was saved."""
    from shlex import quote  # noqa: PLC0415  a quiet run saves no plan

    cycle = ran.cycle
    if cycle is None or cycle.plan is None:
        raise TypeError("a run that plans has a plan")
    names = names_for(workspace, cycle.plan.changes, cycle.plan.blocked)
    say = speech_of(workspace, cycle.plan.changes)
    lines = list(plan_lines(cycle.plan, names, say, complete=not cycle.errors))
    for connection, error in cycle.errors:
        lines += error_lines(connection, error)
    lines += [say.counted("plan_unread", one.problems, name=one.connection) for one in cycle.pulled if one.problems]
    if saved is not None:
        lines.append([say("plan_saved"), dim(f"crmbridge apply {quote(str(saved))}"), say("plan_saved_for")])
    elif cycle.plan.changes:
        lines.append(dim(say("plan_anew")))
    result: dict[str, Any] = {"run": cycle.run, "plan": plan_to_json(cycle.plan), "summary": cycle.summary()}
    return Reply(
        result=result | {"saved": str(saved) if saved else None},
        lines=lines,
        exit_code=exit_code,
        error=_error_part(exit_code, [ran]),
    )


def answer_nothing(workspace: Workspace, plan: Plan, lines: Sequence[Line]) -> Reply:
    """Answer that nothing of a plan is to be written; what it asked about and still waits is told as by a run."""
    from crmbridge.services.apply.unmade import is_of_undo, still_asked  # noqa: PLC0415  imports are paid by their users

    result: dict[str, Any] = {"plan": {"id": plan.id}}
    if not still_asked(workspace, plan).blocked:
        return Reply(result=result, lines=lines)
    known = exits.exit_of(NEEDS_PERSON)
    message, advice = (NOT_UNDONE, NOT_UNDONE_ADVICE) if is_of_undo(plan) else (known.means, known.advice)
    error = error_part(NEEDS_PERSON, message=message, advice=advice)
    return Reply(result=result, lines=lines, exit_code=NEEDS_PERSON, error=error)


def _ran_lines(workspace: Workspace, ran: Ran) -> list[Line]:
    changes = [change for change, _ in ran.cycle.applied.done] if ran.cycle else []
    say = speech_of_runs(workspace)
    lines = ran_lines(ran, names_for(workspace, changes), say)
    return [say("run_of_none"), *lines] if ran.command in PULLING and not workspace.connections else list(lines)


def _ending(exit_code: int, runs: Sequence[Ran]) -> list[Line]:
    """Say in a word how it ended where that is not as wished; why, and often what to do, stands in the lines before."""
    if exits.is_good(exit_code):
        return []
    cause = _cause(exit_code, runs)
    means, advice = _means(exit_code, runs)
    advice = advice if cause is None or not cause.advice else ""
    return [f"crmbridge: {means} (exit {exit_code}). {advice}".rstrip()]


def _means(exit_code: int, runs: Sequence[Ran]) -> tuple[str, str]:
    """Say what an exit code means, and what to do. What an undo or a set-up leaves is in its plan, and no conflict."""
    if exit_code == NEEDS_PERSON and any(map(leaves_undone, runs)):
        return NOT_UNDONE, NOT_UNDONE_ADVICE
    if exit_code == NEEDS_PERSON and any(ran.command == "setup" for ran in runs):
        return FIELDS_LEFT, FIELDS_LEFT_ADVICE
    known = exits.exit_of(exit_code)
    return known.means, known.advice


def _error_part(exit_code: int, runs: Sequence[Ran]) -> dict[str, Any] | None:
    """Give the error of the JSON answer: that which gave the exit code, else what the code stands for."""
    if exits.is_good(exit_code):
        return None
    cause = _cause(exit_code, runs)
    if cause is None:
        message, advice = _means(exit_code, runs)
        return error_part(exit_code, message=message, advice=advice)
    return error_part(exit_code, code=cause.code, message=cause.message, advice=cause.advice)


def _cause(exit_code: int, runs: Sequence[Ran]) -> CrmbridgeError | None:
    return next((error for ran in runs for error in _errors(ran) if error.exit_code == exit_code), None)


def _errors(ran: Ran) -> list[CrmbridgeError]:
    found = [ran.error] if ran.error else []
    found += [error for _, error in ran.cycle.errors] if ran.cycle else []
    return found + [one.error for one in ran.delivered if one.error]
